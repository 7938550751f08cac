"""Mending at the command line, as somebody does who is no engineer; and killing it in the middle of a replay."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from sim.server import Server, command
from tests.e2e.asking import Answer, ask, events_of, fates_of, make_key, until
from tests.e2e.processes import run

MANY = 6_000


def send_broken(server: Server, source: str, items: list[dict[str, Any]]) -> None:
    """Send what must be rejected, to a source of its own."""
    key = make_key(server, "write", source)
    for first in range(0, len(items), 1_000):
        answer: Answer = ask(
            server.port, "POST", "/v1/batch", body={"batch": items[first : first + 1_000], "writeKey": key}
        )
        assert answer.status == 200
        assert len(answer.json()["results"]) == len(items[first : first + 1_000])


def nameless(source: str, count: int) -> list[dict[str, Any]]:
    """Track calls with their name in the wrong field."""
    return [
        {"type": "track", "name": "Sold", "userId": f"{source}-{n % 3}", "messageId": f"{source}-{n}"}
        for n in range(count)
    ]


def quarantine(server: Server, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """A quarantine command, with what is typed when it asks."""
    line = command("quarantine", *arguments, "--data", str(server.data))
    return subprocess.run(line, input=typed, capture_output=True, text=True, timeout=120, check=False)


def group_of(server: Server, source: str) -> str:
    """The one group of a source."""
    done = quarantine(server, "list", "--source", source, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (group,) = json.loads(done.stdout)["groups"]
    return str(group["group"])


def test_a_guided_fix_from_what_is_wrong_to_people_who_know_of_it(server: Server) -> None:
    """The list says what is wrong, the fix proposes and shows and asks; a no changes nothing, a yes lets them in."""
    source = "old-tills"
    send_broken(server, source, nameless(source, 30))
    listed = quarantine(server, "list", "--source", source)
    group = group_of(server, source)
    assert group in listed.stdout
    shown = quarantine(server, "show", group)
    assert "30 events of old-tills" in shown.stdout
    assert "May help 30 of 30: rename name to event" in shown.stdout
    refused = quarantine(server, "fix", group, typed="1\nn\n")
    assert refused.returncode == 0
    assert '+ event: "Sold"' in refused.stdout
    assert "Nothing was changed." in refused.stdout
    assert fates_of(server, source)["quarantined"] == 30
    done = quarantine(server, "fix", group, "--save", "names of old tills", typed="1\ny\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "30 events are stored" in done.stdout
    assert fates_of(server, source) == {"received": 30, "stored": 30, "quarantined": 0, "duplicate": 0, "suppressed": 0}
    assert len(events_of(server, "user_id", f"{source}-0")) == 10

    def is_heard_of() -> bool:
        """By whichever process answers."""
        return [each["words"] for each in server.get("/v1/fixes")["fixes"]] == [["rename name to event"]]

    until(is_heard_of, "the server's hearing of the saved fix")


def test_changes_typed_one_by_one_and_a_mistyped_one_explained(server: Server) -> None:
    """Who knows better than the proposals types what to do; what can't be understood is asked again."""
    source = "typed"
    items = [{**each, "timestamp": f"{1 + n:02}/11/2025 10:00"} for n, each in enumerate(nameless(source, 20))]
    send_broken(server, source, items)
    group = group_of(server, source)
    typed = "o\nrenam name event\nrename name to event\ncast timestamp as date '%d/%m/%Y %H:%M' Europe/Madrid\n\ny\n"
    done = quarantine(server, "fix", group, typed=typed)
    assert "did you mean 'rename'?" in done.stdout
    assert "20 events are stored" in done.stdout
    assert events_of(server, "user_id", f"{source}-0")[0]["at"] == "2025-11-01T09:00:00.000Z"


def test_commands_for_machines_and_their_exit_statuses(server: Server, tmp_path: Path) -> None:
    """A dry run, a fix from a file, JSON on standard output alone, and a status that says what went wrong."""
    source = "scripted"
    send_broken(server, source, nameless(source, 10))
    group = group_of(server, source)
    file = tmp_path / "fix.json"
    file.write_text(json.dumps({"fix": [{"do": "rename", "from": "name", "to": "event"}]}))
    dry = quarantine(server, "replay", group, "--fix", str(file), "--dry-run", "--json")
    assert json.loads(dry.stdout)["totals"]["stored"] == 10
    assert fates_of(server, source)["quarantined"] == 10
    done = quarantine(server, "replay", group, "--fix", str(file), "--json")
    assert json.loads(done.stdout)["totals"]["stored"] == 10
    again = quarantine(server, "replay", group, "--fix", str(file))
    assert (again.returncode, again.stdout) == (66, "")
    assert "no group" in again.stderr
    mistyped = quarantine(server, "replay", group, "--do", "cast a as banana")
    assert (mistyped.returncode, mistyped.stdout) == (64, "")
    send_broken(server, "noise", [{"type": "nonsense", "userId": "x"}])
    gone = quarantine(server, "discard", group_of(server, "noise"), "--reason", "a test", "--yes")
    assert "1 events are discarded" in gone.stdout
    assert fates_of(server, "noise")["suppressed"] == 1
    assert run("quarantine", "list", "--data", str(tmp_path / "nowhere")).returncode == 66


@pytest.mark.parametrize("together", [1, 2])
def test_replays_that_are_killed_store_everything_once(server: Server, together: int) -> None:
    """Killed again and again, alone and beside another: in the end each event is stored once, and all adds up."""
    source = f"killed-{together}"
    send_broken(server, source, nameless(source, MANY))
    group = group_of(server, source)
    line = command("quarantine", "replay", group, "--do", "rename name to event", "--data", str(server.data))
    wait_s, cut_short_count = 1.0, 0
    while (before := fates_of(server, source))["quarantined"]:
        assert before["received"] == MANY
        replays = [
            subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(together)
        ]
        time.sleep(wait_s)
        for replay in replays:
            replay.kill()
            cut_short_count += replay.wait() < 0
        wait_s += 0.1
    assert cut_short_count > 0
    expected = {"received": MANY, "stored": MANY, "quarantined": 0, "duplicate": 0, "suppressed": 0}
    assert fates_of(server, source) == expected
    told = [each["message_id"] for n in range(3) for each in events_of(server, "user_id", f"{source}-{n}")]
    assert len(told) == len(set(told)) == MANY
