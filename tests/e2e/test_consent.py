"""Consent on a real server: a choice is obeyed at once, and a stranger can check that none was altered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from tests.e2e.asking import ask, until
from tests.e2e.processes import run, running

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
