"""The past's figures: a person of 5,000 events as they were at instants of the past, over HTTP.

Once with all events in the log, and once with all of them beyond it, in the lake, as if they had come day by day.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import psycopg

from bench.asking import Request, ask_all
from bench.lives import Teller
from bench.load import percentile
from bench.results import Figure
from courtesy.base.time import DAY_MS, HOUR_MS, SystemClock, to_iso
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.lake import make_lake
from courtesy.runtime.lake import Exporter
from courtesy.runtime.settings import Settings
from courtesy.runtime.trimming import trim
from sim.server import Server, serving

EVENTS_EACH = 5_000
ROUNDS = 4
"""The events come in as many rounds; after each there is an instant to ask about."""
SPAN_MS = 60 * DAY_MS
ASKED_TWICE = 2

Instants = list[tuple[str, int, int]]
"""By which knowledge, at what instant, and how many events of a person are known of it."""


def as_of(people: int) -> list[Figure]:
    """Everybody at the end of each round, as known then and as we know today of the instant where its events end."""
    ones = ("--http-workers", "1", "--fold-workers", "1")
    with serving(*ones) as server:
        in_log = _ask(server, people, _tell(Teller(server), people))
    with tempfile.TemporaryDirectory(prefix="courtesy-") as folder:
        data = Path(folder) / "data"
        with serving(*ones, data=data, environment={"COURTESY_LAKE": "off"}) as server:
            instants = _tell(Teller(server), people)
        trimmed_per_s = asyncio.run(_send_beyond(data))
        with serving(*ones, data=data) as server:
            beyond = _ask(server, people, [("then", at_ms, known) for how, at_ms, known in instants if how == "today"])
            beyond += _ask(server, people, [each for each in instants if each[0] == "today"])
    note = f"{people} people of {EVENTS_EACH:,} events, at {ROUNDS} instants, knowing then and today, one at a time"
    return [
        Figure("as_of_person_ms_p50", percentile(in_log, 0.5), "ms", len(in_log), note),
        Figure("as_of_person_ms_p99", percentile(in_log, 0.99), "ms", len(in_log), note),
        Figure("as_of_beyond_log_ms_p50", percentile(beyond, 0.5), "ms", len(beyond), f"{note}; 60 days in the lake"),
        Figure("as_of_beyond_log_ms_p99", percentile(beyond, 0.99), "ms", len(beyond), f"{note}; 60 days in the lake"),
        Figure(
            "trim_records_per_s", trimmed_per_s, "records/s", people * EVENTS_EACH,
            "dropped from the log and folded into chapters, one process, nothing else",
        ),
    ]  # fmt: skip


def _ask(server: Server, people: int, instants: Instants) -> list[float]:
    """How long each answer took, in ms. Raises RuntimeError for one that is wrong."""
    asked = [
        (f"/v1/people/user_id/life-{person}?as_of={to_iso(at_ms)}&knowing={knowing}", known)
        for _ in range(ASKED_TWICE)
        for person in range(people)
        for knowing, at_ms, known in instants
    ]
    answers = ask_all(server, [Request("GET", path) for path, _ in asked])
    for (path, known), (view, _) in zip(asked, answers, strict=True):
        if view["event_count"] != known:
            raise RuntimeError(f"expected {known} events of {path}, got {view['event_count']}")
    return [ms for _, ms in answers]


async def _send_beyond(data: Path) -> float:
    """Have everything arrive when it happened, bring it to the lake and drop it from the log; records/s of the last."""
    with EmbeddedPostgres(data) as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("UPDATE log SET received = at")
            connection.execute("UPDATE identifier SET recorded = since")
            connection.execute("VACUUM ANALYZE log")
        clock = SystemClock()
        engine, lake = PostgresEngine(postgres.url, clock), make_lake(Settings(data=str(data)), postgres.url)
        assert lake is not None
        await engine.open()
        try:
            exporter = Exporter(engine, lake, clock, 1)
            while await exporter.export_once():
                pass
            began = time.perf_counter()
            dropped = await trim(engine, clock.now_ms(), await engine.lake_position())
            return dropped / (time.perf_counter() - began)
        finally:
            await lake.close()
            await engine.close()


def _tell(teller: Teller, people: int) -> Instants:
    """Tell everybody's life; what can be asked: by which knowledge, of which instant, and the events known of each."""
    clock = SystemClock()
    start_ms, gap_ms = clock.now_ms() - HOUR_MS - SPAN_MS, SPAN_MS // EVENTS_EACH
    each_round = EVENTS_EACH // ROUNDS
    instants: Instants = []
    for turn in range(ROUNDS):
        events = range(turn * each_round, (turn + 1) * each_round)
        teller.send(
            [
                teller.message({"userId": f"life-{who}", "anonymousId": f"device-{who}"}, start_ms + number * gap_ms)
                for who in range(people)
                for number in events
            ]
        )
        instants.append(("then", clock.now_ms(), events.stop))
        instants.append(("today", start_ms + events[-1] * gap_ms, events.stop))
        time.sleep(0.01)
    return instants
