"""Consent on a real server: a choice is obeyed at once, and a stranger can check that none was altered."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from courtesy.base.time import to_iso
from tests.e2e.asking import ask, until
from tests.e2e.processes import run, running

LIST = """email,status,channel,timestamp,ip
ann@shop.example,subscribed,email,2023-01-02T10:00:00Z,192.0.2.7
ann@shop.example,unsubscribed,email,2023-06-02T10:00:00Z,
ann@shop.example,subscribed,email,2024-01-02T10:00:00Z,192.0.2.7
"""
MAIL = {"purpose": "marketing", "channel": "email"}


def verified(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the verifier says, run as a stranger runs it."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script), *arguments], capture_output=True, text=True, check=False
    )


def test_a_choice_is_obeyed_proven_and_forgotten(tmp_path: Path) -> None:
    """Told over HTTP, asked by two workers at once, signed within the minute, exported, checked by the script that the
    server hands out, after a restart and after an erasure too."""
    with running(tmp_path / "data", "--http-workers", "2") as shop:
        server = shop.with_keys("shop")

        def tell(message: str, user: str, action: str) -> None:
            choice = {"action": action, **MAIL}
            body = {"messageId": message, "userId": user, "choices": [choice]}
            answer = ask(server.port, "POST", "/v1/consent", key=server.write_key, body=body)
            assert answer.json()["results"] == []

        def why(user: str) -> str:
            path = f"/v1/people/user_id/{quote(user)}/allowed?purpose=marketing&channel=email&jurisdiction=DE"
            answers = {server.get(path)["why"] for _ in range(8)}
            assert len(answers) == 1
            return str(answers.pop())

        tell("c1", "ann", "grant")
        assert why("ann") == "granted"
        tell("c2", "ann", "withdraw")
        assert why("ann") == "refused"
        tell("c3", "bob", "grant")
        path = "/v1/ledger/checkpoint"
        until(lambda: ask(server.port, "GET", path).status == 200, "a checkpoint", 60)
        key = ask(server.port, "GET", "/v1/ledger/key").body.decode().strip()
        done = run("person", "erase", "user_id", "ann", "--yes", "--data", str(shop.data))
        assert done.returncode == 0, done.stderr
    with running(tmp_path / "data") as shop:
        script = tmp_path / "verifier.py"
        script.write_text(run("ledger", "verifier").stdout)
        assert run("ledger", "key", "--data", str(shop.data)).stdout.strip() == key
        out = tmp_path / "out"
        exported = run("ledger", "export", str(out), "--person", "user_id:bob", "--data", str(shop.data))
        assert exported.stdout.startswith("3 entries, signed ")
        said = verified(script, str(out), key)
        assert (said.returncode, said.stderr) == (0, "")
        assert [b"bob" in line or b"c3" in line for line in (out / "opened.jsonl").read_bytes().splitlines()] == [True]
        entries = out / "entries.bin"
        entries.write_bytes(entries.read_bytes().replace(b"\0\0\0", b"\0\1\0", 1))
        assert verified(script, str(out), key).returncode == 1


def test_a_list_of_subscribers_is_their_history(tmp_path: Path) -> None:
    """Imported by the command line beside a running server: asked as of any day, by what was known on another, and
    taken back as a whole."""
    (tmp_path / "list.csv").write_text(LIST)
    with running(tmp_path / "data") as shop:
        server, data = shop.with_keys("shop"), ("--data", str(shop.data))
        known = {"messageId": "i1", "userId": "ann", "traits": {"email": "ann@shop.example", "country": "DE"}}
        ask(server.port, "POST", "/v1/identify", key=server.write_key, body=known)
        before = to_iso(int(time.time() * 1_000))
        done = run("import", str(tmp_path / "list.csv"), "--source", "list", "--as", "consent", *data)
        assert done.returncode == 0, done.stderr

        def why(query: str = "") -> str:
            path = "/v1/people/user_id/ann/allowed?purpose=marketing&channel=email"
            return str(server.get(f"{path}{query}")["why"])

        days = {"2022-12-01": "nothing_said", "2023-03-01": "granted", "2023-07-01": "refused", "2024-02-01": "granted"}
        assert {day: why(f"&at={day}") for day in days} == days
        assert {why(f"&at={day}&known={before}") for day in days} == {"nothing_said"}
        assert why() == "granted"
        undone = run("import", str(tmp_path / "list.csv"), "--source", "list", "--undo", *data)
        assert undone.returncode == 0, undone.stderr
        assert {why(), why("&at=2023-07-01")} == {"nothing_said"}
