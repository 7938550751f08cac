"""Handing out and taking back at the command line, beside a running server."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

from sim.server import Server, command
from tests.e2e.asking import ask, fates_of, make_key, until


def told(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command answers."""
    line = command(*arguments, "--data", str(server.data))
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


def test_a_person_is_exported_as_two_files(server: Server, tmp_path: Path) -> None:
    """One for programs, one to read; nobody else may read them, and nobody unknown makes any."""
    key = make_key(server, "write", "export-shop")
    call = {
        "type": "identify",
        "userId": "export-1",
        "traits": {"name": "<b>Ana</b>"},
        "messageId": "x",
        "writeKey": key,
    }
    assert ask(server.port, "POST", "/v1/identify", body=call).status == 200
    out = tmp_path / "new" / "folder"
    done = told(server, "person", "export", "user_id", "export-1", "--out", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    paths = [Path(line) for line in done.stdout.split()]
    assert sorted(out.iterdir()) == sorted(paths)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    document = json.loads(paths[0].read_text())
    assert document["person"]["traits"] == {"name": "<b>Ana</b>"}
    assert [each["message_id"] for each in document["events"]] == ["x"]
    page = paths[1].read_text()
    assert "&lt;b&gt;Ana&lt;/b&gt;" in page
    assert "<b>" not in page
    missing = told(server, "person", "export", "user_id", "nobody", "--out", str(tmp_path / "none"))
    assert missing.returncode != 0
    assert not (tmp_path / "none").exists()


def test_a_file_is_taken_back_and_imported_again(server: Server, tmp_path: Path) -> None:
    """By itself or by its fingerprint, after a preview; the counts say nothing of it any more."""
    source, path = "export-orders", tmp_path / "orders.csv"
    rows = [f"back-{n % 40},Order Completed,2026-01-05T10:00:{n % 60:02},{n}" for n in range(200)]
    path.write_text("user_id,event,timestamp,amount\n" + "\n".join(rows) + "\n")
    for _ in range(2):
        assert told(server, "import", str(path), "--source", source).returncode == 0
        until(lambda: fates_of(server, source)["stored"] == 200, "the import counts")
        preview = told(server, "import", str(path), "--source", source, "--undo", "--dry-run")
        assert preview.stdout == "orders.csv: 200 events of 40 people, would be taken back\n"
        done = told(server, "import", str(path), "--source", source, "--undo")
        assert (done.stdout, done.stderr) == ("orders.csv: 200 events of 40 people, taken back\n", "")
        until(lambda: fates_of(server, source)["stored"] == 0, "it counts no more")
        assert told(server, "person", "show", "user_id", "back-7").returncode != 0
    again = told(server, "import", str(path), "--source", source, "--undo")
    assert again.returncode != 0
    assert "no file" in again.stderr


def test_retention_rules_are_set_at_the_command_line(server: Server) -> None:
    """Set, listed, removed; a source that is not there is told."""
    assert told(server, "retention", "set", "*", "Old Thing", "--keep-days", "7").returncode == 0
    assert "*/Old Thing\t7\n" in told(server, "retention", "list").stdout
    assert told(server, "retention", "remove", "*", "Old Thing").returncode == 0
    assert "Old Thing" not in told(server, "retention", "list").stdout
    assert "no source" in told(server, "retention", "set", "nowhere", "*", "--keep-days", "7").stderr
