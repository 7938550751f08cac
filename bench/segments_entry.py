"""From an acknowledgement until the event that tells that somebody entered a segment, and what waiting timers cost."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import msgspec
import psycopg

from bench.load import percentile
from bench.results import Figure
from bench.spine import apart, run
from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, SystemClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.person.step import LOOK
from sim.client import Connection
from sim.server import Server, serving

RATE, BATCH = 2_000, 20
PEOPLE = 5_000
ENTERED = """
SELECT position, payload FROM log WHERE position > %s AND source_id = 0 ORDER BY position
"""
SEGMENTS = {
    "buyers": 'did "Order Completed"',
    "fans": 'did "Product Viewed" at least 3 times in the last 1 hour',
    "spenders": 'sum of price of "Product Viewed" in the last 7 days > 500',
    "near buyers": 'did "Product Viewed" then "Order Completed" within 2 hours',
    "readers": 'did "Product Viewed" where product_id is "p-3" at least 2 times in the last 30 days',
}


def entry(seconds: int) -> list[Figure]:
    """At 2,000 events a second, one in twenty of which lets a new person enter a segment: until it is in the log."""
    with serving("--http-workers", "2", "--fold-workers", "1") as server:
        for name, text in SEGMENTS.items():
            server.send("PUT", f"/v1/segments/{quote(name)}", {"text": text})
        _wait_live(server)
        url = EmbeddedPostgres(server.data).url
        apart(_run_paced, server.port, server.write_key, url, 3, "warm")
        latencies = apart(_run_paced, server.port, server.write_key, url, seconds, "real")
    note = f"{RATE:,} events/s in batches of {BATCH}, {seconds} s, {len(SEGMENTS)} segments, read from the log"
    return [
        Figure("segment_entry_ms_p50", percentile(latencies, 0.5), "ms", len(latencies), note),
        Figure("segment_entry_ms_p99", percentile(latencies, 0.99), "ms", len(latencies), note),
    ]


def _wait_live(server: Server, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while any(each["stage"]["stage"] != "live" for each in server.get("/v1/segments")["segments"]):
        if time.monotonic() > end:
            raise TimeoutError("the segments do not get ready")
        time.sleep(0.05)


def _run_paced(port: int, key: str, url: str, seconds: int, name: str) -> list[float]:
    return run(_paced(port, key, url, seconds, name))


async def _paced(port: int, key: str, url: str, seconds: int, name: str) -> list[float]:
    """Milliseconds from each acknowledgement to the entry that it caused; every one of them has to be told."""
    chance = random.Random(3)
    acknowledged: dict[str, float] = {}
    entered: dict[str, float] = {}
    stop = asyncio.Event()
    watching = asyncio.create_task(_watch(url, entered, stop))
    await asyncio.sleep(0.2)
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(16):
        free.put_nowait(Connection(port, key))

    async def one(number: int) -> None:
        items: list[dict[str, Any]] = [
            {"type": "track", "userId": f"user-{chance.randrange(PEOPLE)}", "event": "Product Viewed",
             "messageId": f"{name}-{number}-{place}", "properties": {"price": 9.5, "product_id": f"p-{place}"}}
            for place in range(1, BATCH)
        ]  # fmt: skip
        cause = f"{name}-{number}-0"
        items.append({"type": "track", "userId": f"{name}-{number}", "event": "Order Completed", "messageId": cause})
        sender = await free.get()
        status, answer = await sender.request("POST", "/v1/batch", msgspec.json.encode({"batch": items}))
        free.put_nowait(sender)
        if status != 200:
            raise RuntimeError(f"expected 200, got {status}: {answer[:200]!r}")
        acknowledged[cause] = time.perf_counter()

    began = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    while (elapsed := time.perf_counter() - began) < seconds:
        while len(tasks) * BATCH < elapsed * RATE:
            tasks.append(asyncio.create_task(one(len(tasks))))
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    while len(entered.keys() & acknowledged.keys()) < len(acknowledged):
        if time.perf_counter() - began > seconds + 30:
            raise RuntimeError(f"{len(acknowledged.keys() - entered.keys())} entries were not told")
        await asyncio.sleep(0.05)
    stop.set()
    await watching
    return [max(0.0, (entered[cause] - at) * 1_000) for cause, at in acknowledged.items()]


async def _watch(url: str, entered: dict[str, float], stop: asyncio.Event) -> None:
    """Note when each cause of entering the segment of buyers is first seen in the log."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        row = await (await connection.execute("SELECT coalesce(max(position), 0) FROM log")).fetchone()
        last = row[0] if row else 0
        while not stop.is_set():
            rows = await (await connection.execute(ENTERED, (last,))).fetchall()
            now = time.perf_counter()
            for position, payload in rows:
                last = position
                properties = msgspec.json.decode(payload)["properties"]
                if properties.get("segment") == "buyers":
                    entered[properties["cause"]] = now
            await asyncio.sleep(0.002)


def timers(count: int) -> list[Figure]:
    """What a timer costs that waits, of so many, one for each person; and how fast those that are due fire."""
    with TemporaryDirectory(prefix="courtesy-bench-") as folder:
        embedded = EmbeddedPostgres(Path(folder))
        embedded.start()
        try:
            return run(_timers(embedded.url, count))
        finally:
            embedded.stop()


async def _timers(url: str, count: int) -> list[Figure]:
    engine = PostgresEngine(url, SystemClock())
    await engine.open()
    now_ms = SystemClock().now_ms()
    chance = random.Random(1)
    began = time.perf_counter()
    page = 50_000
    for first in range(0, count, page):
        people = [PersonId(number) for number in range(first, min(first + page, count))]
        await engine.wake(people, LOOK, now_ms + chance.randrange(30 * DAY_MS))
    took = time.perf_counter() - began
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        row = await (await connection.execute("SELECT pg_total_relation_size('timer')")).fetchone()
    assert row is not None
    leases = await engine.claim("bench", engine.partition_count, 60_000)
    asked = time.perf_counter()
    rounds = 200
    for _ in range(rounds):
        await engine.next_due_ms(leases)
    idle_ms = (time.perf_counter() - asked) / rounds * 1_000
    await engine.close()
    note = f"{count:,} pending, set at {count / took:,.0f}/s; to know the next that is due takes {idle_ms:.2f} ms"
    return [Figure("timers_5m_bytes_each", row[0] / count, "bytes", count, note)]
