"""Killed in the middle of traffic, in every part: what was told stored is there once, and nothing is left behind.

The tests of this file share two servers and run in order: the last ones look at what the earlier ones began.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sim.hooks import HookServer
from sim.server import Server
from tests.e2e.asking import ask, person_of, tell, until
from tests.e2e.hooks import receiver, receiving, subscribe, wait_known
from tests.e2e.processes import Running, lives, running
from tests.e2e.traffic import ORDER, Traffic, go_on, traffic

WORKERS = ("--http-workers", "2", "--fold-workers", "2", "--allow-private-webhooks")
HTTP = ("-m", "courtesy.http.serve")
FOLD = ("-m", "courtesy.runtime.process", "fold")
DISPATCH = ("-m", "courtesy.runtime.process", "dispatch")
AWHILE = 400
"""Messages before a crash, and after it."""

CLAIM_LIMIT_S = 240.0
"""What was being carried out when its dispatcher was killed is free for another after two minutes."""


@dataclass(slots=True)
class Shop:
    """A server that calls `hooks` for every order, and the orders told to it so far."""

    running: Running
    server: Server
    hooks: HookServer
    orders: set[str] = field(default_factory=set)

    @contextmanager
    def crash_amid(self, name: str) -> Iterator[Traffic]:
        """Traffic before, while and after the body crashes something; all of it is stored once."""
        with traffic(self.server, name) as told:
            go_on(told, AWHILE)
            yield told
            go_on(told, AWHILE)
        told.check()
        self.orders |= told.orders

    def called(self) -> list[str]:
        """The message of each call that the receiver got, told apart by the calls' ids."""
        return [str(body["data"]["event"]["messageId"]) for body in list(self.hooks.received.values())]


@contextmanager
def shop(data: Path) -> Iterator[Shop]:
    """A shop whose every worker knows that orders are called for."""
    with receiving() as (hooks, url), running(data, *WORKERS) as process:
        server = process.with_keys("probes")
        subscribe(server, "orders", url=url, events=[ORDER])
        made = Shop(process, server, hooks)
        made.orders |= wait_known(server, ORDER, lambda: set(made.called()))
        yield made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop that is killed as a whole."""
    with shop(tmp_path_factory.mktemp("whole") / "data") as made:
        yield made


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop of which one process at a time is killed."""
    with shop(tmp_path_factory.mktemp("parts") / "data") as made:
        yield made


def test_killed_as_a_whole_it_loses_and_doubles_nothing(whole: Shop) -> None:
    """Every process at once, PostgreSQL's too, as in a power cut; started again on the same data it goes on."""
    process = whole.running
    with whole.crash_amid("whole") as told:
        process.kill(process.own_pids() | process.postgres_pids())
        until(lambda: bool(told.refusals), "clients that notice")
        process.start()


def test_killed_supervisor_takes_its_processes_along(whole: Shop) -> None:
    """None of them goes on by itself. PostgreSQL does, and is adopted by the next start, without a recovery."""
    process = whole.running
    with whole.crash_amid("supervisor"):
        assert process.process is not None
        first, children = process.postmaster(), process.own_pids() - {process.process.pid}
        process.kill({process.process.pid})
        until(lambda: not any(map(lives, children)), "the end of the processes that the supervisor left")
        assert process.postgres_pids() >= {first}
        process.start()
        assert process.postmaster() == first


def test_killed_fold_worker_is_replaced(parts: Shop, record_property: Callable[[str, object], None]) -> None:
    """Its partitions go to the other worker or to its successor, and folding goes on."""
    victim = min(parts.running.pids_of(*FOLD))
    dead = f"{socket.gethostname()}-{victim}"
    with parts.crash_amid("fold"):
        assert dead in owners(parts.server)
        parts.running.kill({victim})
        took_s = until(lambda: not {None, dead} & owners(parts.server), "new owners of the dead worker's partitions")
        record_property("advice", f"a dead fold worker's partitions had new owners after {took_s:.1f} s (promised: 10)")
        until(lambda: len(parts.running.pids_of(*FOLD)) == 2, "a new fold worker")
    until(lambda: parts.server.get("/v1/status")["unfolded"] == 0, "all is folded")


def owners(server: Server) -> set[str | None]:
    """Who owns partitions; None is among them when one has no owner."""
    return {each["owner"] for each in server.get("/v1/status")["partitions"]}


def http_processes(process: Running) -> tuple[int, set[int]]:
    """The first process of those that answer HTTP, and its workers."""
    first = min(process.pids_of(*HTTP))
    return first, process.pids_of(*HTTP) - {first}


def test_killed_http_worker_is_replaced(parts: Shop) -> None:
    """Requests under way there break off; their clients try again, and nothing is stored twice."""
    with parts.crash_amid("http-worker"):
        first, workers = http_processes(parts.running)
        assert len(workers) == 2
        parts.running.kill({min(workers)})
        until(lambda: len(http_processes(parts.running)[1]) == 2, "a new HTTP worker")
        assert http_processes(parts.running)[0] == first


def test_killed_first_http_process_takes_its_workers_along(parts: Shop) -> None:
    """The supervisor starts it anew, with new workers; the old ones are gone, and don't keep the port."""
    with parts.crash_amid("http"):
        first, workers = http_processes(parts.running)
        parts.running.kill({first})
        until(lambda: not any(map(lives, workers)), "the end of the workers")
        until(lambda: len(parts.running.pids_of(*HTTP)) == 3, "new HTTP processes")


def test_killed_dispatcher_is_replaced(parts: Shop) -> None:
    """What it had not begun is delivered by its successor at once; what it had, later (see the last tests)."""
    with parts.crash_amid("dispatch"):
        parts.running.kill(parts.running.pids_of(*DISPATCH))
        until(lambda: len(parts.running.pids_of(*DISPATCH)) == 1, "a new dispatcher")


def test_killed_postgres_is_brought_back(parts: Shop) -> None:
    """Clients are told to come back later, never to go away, and all that they were told is there."""
    with parts.crash_amid("postgres") as told:
        first = parts.running.postmaster()
        parts.running.kill({first})
        until(lambda: parts.running.postgres_pids() != set() and parts.running.postmaster() != first, "a new server")
    assert set(told.refusals) <= {"503", "429"}


def test_what_arrived_while_postgres_was_away_is_not_sent_again(parts: Shop) -> None:
    """A call that is answered when its outcome can't be written down is not made a second time: it is written later."""
    with receiver() as got:
        subscribe(parts.server, "held", url=got.url, events=["Held"])
        wait_known(parts.server, "Held", got.told)
        got.open.clear()
        tell(parts.server, [{"type": "track", "event": "Held", "userId": "holder", "messageId": "held"}])
        until(lambda: "held" in got.told(), "the call")
        first = parts.running.postmaster()
        parts.running.kill({first})
        got.open.set()
        until(lambda: ask(parts.server.port, "GET", "/readyz").status == 200, "PostgreSQL's return")
        person = person_of(parts.server, "user_id", "holder")["person"]
        path = f"/v1/effects?person={person}"
        until(lambda: parts.server.get(path)["effects"][0]["state"] == "delivered", "the outcome")
        assert parts.server.get(path)["effects"][0]["attempts"] == 1
        assert [call.message_id for call in got.calls].count("held") == 1


@pytest.mark.parametrize("which", ["parts", "whole"])
def test_every_order_was_called_for_once(which: str, request: pytest.FixtureRequest) -> None:
    """Whatever was killed: the receiver saw one call for each order told stored, and none for anything else."""
    made: Shop = request.getfixturevalue(which)
    until(lambda: set(made.called()) >= made.orders, "a call for every order", CLAIM_LIMIT_S)
    assert sorted(made.called()) == sorted(made.orders)
    assert made.hooks.forged_count == 0
    assert made.server.get("/v1/poisoned")["poisoned"] == []


@pytest.mark.parametrize("which", ["parts", "whole"])
def test_after_all_that_it_stops_in_order(which: str, request: pytest.FixtureRequest) -> None:
    """It ends with status 0 and leaves no process behind, neither its own nor PostgreSQL's."""
    process = request.getfixturevalue(which).running
    assert process.stop(signal.SIGTERM) == 0
    assert process.own_pids() | process.postgres_pids() == set()
