"""Two servers on one external PostgreSQL: they start at once, share the work, and see each other's writes."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sim.server import Server, wait_ready
from tests.e2e.asking import ask, events_of, fates_of, make_key, person_of, person_path, tell, until
from tests.e2e.external import Database, external_database
from tests.e2e.hooks import receiving, subscribe, wait_known
from tests.e2e.processes import Running, run
from tests.e2e.traffic import go_on, traffic

FOLD = ("-m", "courtesy.runtime.process", "fold")
OPTIONS = ("--http-workers", "1", "--fold-workers", "1", "--allow-private-webhooks")


@dataclass(slots=True)
class Pair:
    """Two servers on one database, ready."""

    database: Database
    processes: tuple[Running, Running]
    servers: tuple[Server, Server]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both launched at the same moment on an empty database."""
    folder = tmp_path_factory.mktemp("pair")
    with external_database() as database:
        processes = (
            Running(folder / "one", OPTIONS, database=database.url),
            Running(folder / "two", OPTIONS, database=database.url),
        )
        try:
            for each in processes:
                each.launch()
            for each in processes:
                assert each.process is not None
                wait_ready(each.port, each.process)
            one = processes[0].with_keys("shop")
            assert processes[1].process is not None
            two = Server(processes[1].port, processes[1].data, processes[1].process, one.write_key, one.admin_key)
            yield Pair(database, processes, (one, two))
        finally:
            for each in processes:
                each.end()


def test_both_come_up_and_the_schema_is_made_once(pair: Pair, record_property: Callable[[str, object], None]) -> None:
    """The migrations are applied by one of them, in order, and the other finds them done."""
    with psycopg.connect(pair.database.url) as connection:
        numbers = [row[0] for row in connection.execute("SELECT number FROM migration ORDER BY applied, number")]
        version = connection.info.server_version // 10_000
    assert numbers == list(range(1, len(numbers) + 1)) != []
    assert version >= 15
    record_property("advice", f"two servers shared a PostgreSQL {version}")
    assert not (pair.processes[0].data / "postgres").exists()


def test_both_fold(pair: Pair) -> None:
    """Each owns about half of the partitions, and folds what comes into them."""

    def shares() -> list[int]:
        owners = [each["owner"] for each in pair.servers[0].get("/v1/status")["partitions"]]
        workers = [{f"{socket.gethostname()}-{pid}" for pid in each.pids_of(*FOLD)} for each in pair.processes]
        return [sum(owner in mine for owner in owners) for mine in workers]

    until(lambda: shares() == [8, 8], "eight partitions each")
    tell(pair.servers[0], [{"type": "track", "event": "A", "userId": f"folded-{n}"} for n in range(200)])
    until(lambda: pair.servers[1].get("/v1/status")["unfolded"] == 0, "all is folded")


def test_what_one_acknowledged_the_other_reads_at_once(pair: Pair) -> None:
    """Without waiting, back and forth; by anonymous id too after the other merged it into a person."""
    for number in range(20):
        writer, reader = pair.servers[number % 2], pair.servers[1 - number % 2]
        who = f"to-and-fro-{number // 4}"
        answer = tell(writer, [{"type": "track", "event": "Seen", "userId": who, "messageId": f"seen-{number}"}])
        person = person_of(reader, "user_id", who)
        assert person["events"]["Seen"]["count"] == number % 4 + 1
        assert int(person["position"]) >= int(answer["position"])
        exactly = reader.get(f"{person_path('user_id', who)}?after={answer['position']}")
        assert exactly["events"] == person["events"]
    one, two = pair.servers
    for number in range(10):
        visitor, who = f"visitor-{number}", f"known-{number}"
        tell(one, [{"type": "track", "event": "Looked", "anonymousId": visitor}])
        assert "Looked" in person_of(two, "anonymous_id", visitor)["events"]
        tell(two, [{"type": "identify", "userId": who, "anonymousId": visitor, "traits": {"number": number}}])
        person = person_of(one, "anonymous_id", visitor)
        assert (person["traits"], list(person["events"])) == ({"number": number}, ["Looked"])


def both(work: Callable[[Server], Any], pair: Pair) -> list[Any]:
    """Do the same on both servers at once."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(work, pair.servers))


def test_the_same_message_at_both_at_once_is_stored_once(pair: Pair) -> None:
    """As a client does that tries another server because the first was slow to answer."""
    key = make_key(pair.servers[0], "write", "twice")
    for number in range(20):
        item = {"type": "track", "event": "Paid", "userId": f"payer-{number}", "messageId": f"paid-{number}"}
        body = {"batch": [item], "writeKey": key}
        answers = both(lambda server: ask(server.port, "POST", "/v1/batch", body=body), pair)  # noqa: B023
        causes = [each["cause"] for answer in answers for each in answer.json()["results"]]
        assert ([answer.status for answer in answers], causes) == ([200, 200], ["duplicate"])
        assert person_of(pair.servers[0], "user_id", f"payer-{number}")["events"]["Paid"]["count"] == 1
    fates = fates_of(pair.servers[1], "twice")
    assert (fates["received"], fates["stored"], fates["duplicate"]) == (40, 20, 20)


def test_new_identifiers_at_both_at_once_are_one_person(pair: Pair) -> None:
    """Two batches that introduce the same three identifiers, each by other links, end in one person."""
    numbers = itertools.count()

    def introduce(server: Server) -> None:
        here = next(numbers)
        for n in range(20):
            first: dict[str, Any] = {"userId": f"pair-{n}", "anonymousId": f"pair-device-{n}"}
            second: dict[str, Any] = {"userId": f"pair-{n}", "traits": {"email": f"pair-{n}@shop.example"}}
            items = (first, second) if here % 2 else (second, first)
            tell(
                server,
                [{"type": "identify", **each, "messageId": f"pair-{here}-{n}-{i}"} for i, each in enumerate(items)],
            )

    both(introduce, pair)
    for n in range(20):
        ids = (("user_id", f"pair-{n}"), ("anonymous_id", f"pair-device-{n}"), ("email", f"pair-{n}@shop.example"))
        people = [person_of(server, *each) for server in pair.servers for each in ids]
        assert len({each["person"] for each in people}) == 1
        assert people[0]["event_types"] == {"identify": 4}


def test_aliases_timers_effects_quarantine_and_imports_work_there(pair: Pair, tmp_path: Path) -> None:
    """Each part of the store does its work on this PostgreSQL as on the embedded one."""
    one, two = pair.servers
    with receiving() as (hooks, url):
        subscribe(one, "later", url=url, events=["Added"], delay_ms=1_500)
        subscribe(one, "never", url=url, events=["Added"], delay_ms=1_500, unless=["Paid"])
        subscribe(one, "now", url=url, events=["Added"])

        def called(name: str) -> set[str]:
            bodies = [body["data"] for body in list(hooks.received.values())]
            return {str(each["event"]["messageId"]) for each in bodies if each["subscription"] == name}

        wait_known(two, "Added", lambda: called("now"))
        who = "smoke"
        tell(one, [{"type": "track", "event": "Added", "userId": who, "messageId": "smoke-added"}])
        tell(two, [{"type": "track", "event": "Paid", "userId": who, "messageId": "smoke-paid"}])
        until(lambda: "smoke-added" in called("later"), "what was called for later")
        assert "smoke-added" in called("now")
        assert "smoke-added" not in called("never")
        until(lambda: "Webhook Delivered" in person_of(two, "user_id", who)["events"], "the outcome as an event")
    tell(two, [{"type": "alias", "userId": "smoke-new", "previousId": who}])
    assert person_of(one, "user_id", "smoke-new")["person"] == person_of(one, "user_id", who)["person"]
    why = one.get(f"{person_path('user_id', who)}/why?kind=user_id&value=smoke-new")
    assert [each["reason"] for each in why["path"]] == ["alias"]
    broken = {"batch": [{"type": "track", "userId": who}], "writeKey": one.write_key}
    assert ask(two.port, "POST", "/v1/batch", body=broken).json()["results"][0]["cause"] == "name_missing"
    assert one.get("/v1/quarantine?cause=name_missing")["quarantined"][0]["source"] == "shop"
    check_import(pair, tmp_path)
    assert one.get("/v1/poisoned")["poisoned"] == []


def check_import(pair: Pair, folder: Path) -> None:
    """A file is imported past both servers, straight into the database, and once."""
    file = folder / "calls.jsonl"
    file.write_text(
        "".join(
            f'{{"type":"track","event":"Bought","userId":"imported-{n % 7}","messageId":"import-{n}",'
            '"timestamp":"2026-01-01T00:00:00Z"}\n'
            for n in range(70)
        )
    )
    for _ in range(2):
        done = run("import", str(file), "--source", "files", "--database", pair.database.url)
        assert done.returncode == 0, done.stderr
    assert len(events_of(pair.servers[1], "user_id", "imported-3")) == 10
    assert fates_of(pair.servers[0], "files")["stored"] == 70


def test_both_outlast_a_time_without_the_database(pair: Pair) -> None:
    """Clients are told to come back while it is away; nothing has to be started again when it is there."""
    with traffic(pair.servers[0], "outage") as told:
        go_on(told, 200)
        pair.database.stop()
        until(lambda: told.refusals["503"] >= 20, "some time without the database")
        assert [ask(each.port, "GET", "/healthz").status for each in pair.servers] == [200, 200]
        assert [ask(each.port, "GET", "/readyz").status for each in pair.servers] == [503, 503]
        pair.database.start()
        for each in pair.servers:
            until(lambda: ask(each.port, "GET", "/readyz").status == 200, "a ready server")  # noqa: B023
        go_on(told, 200)
    assert set(told.refusals) == {"503"}
    told.check()
    until(lambda: pair.servers[1].get("/v1/status")["unfolded"] == 0, "all is folded")


def test_killed_server_is_made_up_for_by_the_other(pair: Pair, record_property: Callable[[str, object], None]) -> None:
    """Its partitions go to the other, whose clients lose nothing; when it comes back they share again."""
    first, second = pair.processes
    dead = {f"{socket.gethostname()}-{pid}" for pid in first.pids_of(*FOLD)}
    with traffic(pair.servers[1], "survivor") as told:
        go_on(told, 300)
        first.kill(first.own_pids())

        def owners() -> set[str | None]:
            return {each["owner"] for each in pair.servers[1].get("/v1/status")["partitions"]}

        took_s = until(lambda: not owners() & {None, *dead}, "the other server owns all partitions")
        record_property("advice", f"a dead server's partitions had new owners after {took_s:.1f} s (promised: 10)")
        first.start()
        go_on(told, 300)
    told.check()
    until(lambda: len(owners()) == 2, "both own partitions again")
    assert [each.stop() for each in (first, second)] == [0, 0]
