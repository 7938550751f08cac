"""Recipients of a real server: told while the network fails and the server's own processes are killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from sim.recipient import Fault, Recipient
from sim.server import Server
from tests.e2e.asking import ask, tell, until
from tests.e2e.hooks import SECRET, loop_thread
from tests.e2e.processes import Running, run, running

DISPATCH = ("-m", "courtesy.runtime.process", "dispatch")
PEOPLE, ROUNDS, CHANGES = 250, 20, 150
"""How many people make how many changes in each of so many rounds."""

LIMIT_S = 420.0
"""What waits for another attempt after several in vain waits for some minutes."""

FAULTS = {
    Fault.DROP: 0.015, Fault.DROP_AFTER: 0.015, Fault.ERROR: 0.015, Fault.BUSY: 0.002, Fault.SLOW: 0.02,
    Fault.LIE: 0.015, Fault.STALE: 0.015, Fault.RESTART: 0.0005,
}  # fmt: skip


@contextmanager
def recipient() -> Iterator[tuple[Recipient, str]]:
    """A recipient that listens, and its URL."""
    made = Recipient(SECRET, random=Random(7))
    with loop_thread() as awaited:
        port = awaited(made.start())
        try:
            yield made, f"http://127.0.0.1:{port}/courtesy"
        finally:
            awaited(made.stop())


def define(server: Server, name: str, url: str, **more: Any) -> None:
    """Define a recipient that is looked at again every second."""
    body = {"url": url, "secrets": [SECRET], "check_every_ms": 1_000, **more}
    answer = ask(server.port, "PUT", f"/v1/recipients/{name}", key=server.admin_key, body=body)
    assert answer.status == 200, answer.body


def under_way(server: Server, name: str = "crm") -> int:
    """How many changes are."""
    summary = server.get(f"/v1/recipients/{name}/receipts")
    return int(summary["queued"] + summary["sent"] + summary["accepted"])


def receipts(server: Server, name: str = "crm") -> list[dict[str, Any]]:
    """All receipts of a recipient."""
    found: list[dict[str, Any]] = []
    before: int | None = None
    while True:
        page = server.get(f"/v1/propagation?limit=500&recipient={name}" + (f"&before={before}" if before else ""))
        found += page["receipts"]
        before = page["next_before"]
        if before is None:
            return found


def choices_of(server: Server, name: str) -> set[str]:
    """The ids of what somebody chose, as the server has it."""
    return {each["id"] for each in server.get(f"/v1/people/user_id/{name}/choices")["choices"]}


def consent(number: int, name: str, action: str) -> dict[str, Any]:
    """Somebody chooses."""
    choice = {"action": action, "purpose": "marketing", "channel": "email"}
    return {"type": "consent", "messageId": f"c{number}", "userId": name, "choices": [choice]}


def erase(server: Server, name: str) -> None:
    """Erase somebody."""
    path = f"/v1/people/user_id/{name}"
    until(lambda: ask(server.port, "DELETE", path, key=server.admin_key).status == 200, "an erasure")


def test_whatever_fails_each_change_is_verified_and_each_person_is_as_here(tmp_path: Path) -> None:
    """Thousands of changes to a recipient that drops, lies, forgets and is busy, while the dispatcher is killed twice:
    none is lost, what it has of everybody is what is so, and who was erased is gone there."""
    draw, people = Random(11), [f"user-{number}" for number in range(PEOPLE)]
    with recipient() as (other, url), running(tmp_path / "data", "--allow-private-webhooks") as process:
        server = process.with_keys("shop")
        other.faults = FAULTS
        define(server, "crm", url)
        tell(server, [consent(number, name, "grant") for number, name in enumerate(people)])
        # Who was never told of somebody need not erase them.
        until(lambda: len(receipts(server)) >= PEOPLE, "the dispatcher to look for changes")
        for round_ in range(ROUNDS):
            if round_ in (5, 12):
                process.kill(process.pids_of(*DISPATCH))
            numbers = range(1_000 + round_ * CHANGES, 1_000 + (round_ + 1) * CHANGES)
            tell(server, [consent(each, draw.choice(people), draw.choice(["grant", "withdraw"])) for each in numbers])
            erase(server, people.pop())
        other.faults = {}
        until(lambda: under_way(server) == 0, "every change to come to its end", LIMIT_S)
        known = {name: choices_of(server, name) for name in people}
        until(lambda: held_of(other) == sorted(known.values(), key=sorted), "the recipient to have what is so")
        summary = server.get("/v1/recipients/crm/receipts")
        assert summary["escalated"] == 0
        assert summary["verified"] >= ROUNDS * CHANGES
        assert other.counts["forged"] == 0
        told = receipts(server)
        assert {each["state"] for each in told} == {"verified"}
        assert {each["kind"] for each in told} >= {"consent", "erasure"}
        check_of_one(process, server, people[0])


def held_of(other: Recipient) -> list[set[str]]:
    """The ids of the choices that the recipient has of each subject."""
    held = [{each["id"] for each in document["choices"]} for document in list(other.held.values())]
    return sorted(held, key=sorted)


def check_of_one(process: Running, server: Server, name: str) -> None:
    """Who was told of somebody is in the answer for that, in their export, and on the command line."""
    told = server.get(f"/v1/people/user_id/{name}/recipients")
    assert [each["recipient"] for each in told["recipients"]] == ["crm"]
    assert server.get(f"/v1/people/user_id/{name}/export")["recipients"] == told["recipients"]
    listed = run("propagation", "list", "--recipient", "crm", "--limit", "3", "--data", str(process.data))
    assert [line.split("  ")[3] for line in listed.stdout.splitlines()] == ["crm"] * 3
    again = run("propagation", "retry", "crm", "--data", str(process.data))
    assert again.stdout == "0 to be tried again\n"


def test_one_that_is_down_holds_up_no_other(server: Server) -> None:
    """A withdrawal is at the one that is well though another takes nothing."""
    with recipient() as (other, url):
        define(server, "down", "http://127.0.0.1:9/")
        define(server, "well", url)
        for action in ("grant", "withdraw"):
            tell(server, [consent(len(action), "told-well", action)])
        until(lambda: bool(other.held), "the state")
        until(lambda: not next(iter(other.held.values()))["allowed"][0]["allowed"], "the withdrawal")
        until(lambda: under_way(server, "well") == 0, "its end")
        assert under_way(server, "down") == 2
        for name in ("down", "well"):
            assert ask(server.port, "DELETE", f"/v1/recipients/{name}", key=server.admin_key).status == 200
        listed = server.get("/v1/propagation?recipient=down")["receipts"]
        assert {each["state"] for each in listed} == {"escalated"}
