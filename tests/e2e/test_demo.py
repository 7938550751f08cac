"""`make demo` without its make: a simulated shop is fed to a server, and what is stored is what is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from sim.server import free_port

ROOT = Path(__file__).parents[2]


def numbers_in(said: str, name: str) -> tuple[int, int]:
    """The two numbers of a row of the table: what Courtesy counted, and the truth."""
    row = next(line for line in said.splitlines() if line.strip(" │").startswith(name))
    first, second = re.findall(r"[\d,]+", row)[:2]
    return int(first.replace(",", "")), int(second.replace(",", ""))


def test_the_demo_ends_by_itself_with_numbers_that_agree(tmp_path: Path) -> None:
    """Stored, duplicate, quarantined and received are what the simulation says they should be; status 0."""
    options = ["--shoppers", "60", "--days", "5", "--dir", str(tmp_path / "demo"), "--port", str(free_port())]
    done = subprocess.run(
        [sys.executable, "-m", "sim.demo", *options],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("stored", "duplicate", "quarantined", "received"):
        counted, true = numbers_in(done.stdout, name)
        assert counted == true, done.stdout
        assert counted > 0 or name == "quarantined"
    assert numbers_in(done.stdout, "stored")[0] > 1_000
    assert "One of them" in done.stdout
    webhooks = re.search(r"webhooks: (\d+) signed calls for (\d+) orders of the last day, (\d+) forged", done.stdout)
    assert webhooks is not None, done.stdout
    called, ordered, forged = map(int, webhooks.groups())
    assert (called, forged) == (ordered, 0)
    assert "grant              marketing over email: yes (granted)" in done.stdout
    assert "withdraw           marketing over email: no (refused)" in done.stdout
    assert "ok: 2 entries" in done.stdout
    (folder,) = (tmp_path / "demo").glob("2*/")
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_the_demo_says_what_it_did_not_find(tmp_path: Path) -> None:
    """A file that is not there is named, before anything is started."""
    done = subprocess.run(
        [sys.executable, "-m", "sim.demo", "--data", str(tmp_path / "nothing"), "--dir", str(tmp_path / "demo")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert f"found nothing at {tmp_path / 'nothing'}" in done.stderr
    assert not (tmp_path / "demo").exists()
