"""The spine's figures: accepting, folding, read-your-writes, reading, and what a person costs."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
import psycopg
import uvloop

from bench.load import Sent, percentile, send_all
from bench.results import Figure
from bench.workload import BATCH, batches
from courtesy.engine_postgres.copying import HEADER, TRAILER
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from sim.client import Connection
from sim.server import Server, serving

CONNECTIONS = 64
"""Enough that two workers read the next batches while one is written; with 8 the clients and the append wait for each
other."""
WARM_UP = 20_000

T = TypeVar("T")


def _workers(http: int, fold: int) -> tuple[str, ...]:
    return ("--http-workers", str(http), "--fold-workers", str(fold))


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run in a process of its own, as a client would; without a cycle collector, whose pauses are not the server's."""
    with multiprocessing.get_context("spawn").Pool(1, gc.disable) as pool:
        return pool.apply(work, arguments)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What a client does, on the loop that costs it least: it shares the two cores with the server."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _send(port: int, key: str, count: int, seed: int, connections: int) -> Sent:
    return run(send_all(port, key, batches(count, seed), connections))


def _require_clean(sent: Sent) -> None:
    if sent.bad:
        raise RuntimeError(f"{len(sent.bad)} bad answers, the first: {sent.bad[0]}")


def accept(count: int, http_workers: int) -> list[Figure]:
    """(a) Events accepted durably over HTTP in batches of 100, and as a ratio to raw COPY of the same bytes."""
    with serving(*_workers(http_workers, 0), environment={"COURTESY_LAKE": "off"}) as server:
        _require_clean(apart(_send, server.port, server.write_key, WARM_UP, 7, CONNECTIONS))
        sent = apart(_send, server.port, server.write_key, count, 1, CONNECTIONS)
        _require_clean(sent)
        accepted = sent.request_count * BATCH / sent.seconds
        copied = _copy_rate(server, count)
    note = f"{http_workers} HTTP worker(s), {CONNECTIONS} connections, batches of {BATCH}, no folding, no lake"
    return [
        Figure("accept_events_per_s", accepted, "events/s", count, note),
        Figure("copy_rows_per_s", copied, "rows/s", count, "raw binary COPY of the same payloads, 5,000 rows a commit"),
        Figure("accept_ratio_to_copy", accepted / copied, "ratio", count, note),
    ]


def _copy_rate(server: Server, count: int) -> float:
    """Rows per second of plain binary COPY of the log's own payloads into a bare table of the same PostgreSQL."""
    with EmbeddedPostgres(server.data) as embedded, psycopg.connect(embedded.url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT payload FROM log ORDER BY position DESC LIMIT %s", (count,), binary=True
        ).fetchall()
        connection.execute("CREATE TABLE copied (position bigint, payload bytea)")
        chunks = [_chunk(rows[at : at + 5_000], at) for at in range(0, len(rows), 5_000)]
        began = time.perf_counter()
        for chunk in chunks:
            with connection.cursor().copy("COPY copied FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(chunk)
        return len(rows) / (time.perf_counter() - began)


def _chunk(rows: list[tuple[bytes]], first: int) -> bytes:
    parts = [HEADER]
    for number, (payload,) in enumerate(rows, first):
        parts.append(b"\0\2\0\0\0\x08" + number.to_bytes(8, "big") + len(payload).to_bytes(4, "big") + payload)
    return b"".join([*parts, TRAILER])


def sustained(count: int, http_workers: int, fold_workers: int) -> list[Figure]:
    """(b) Accepted, resolved and folded: all events over the time until the last one is folded."""
    with serving(*_workers(http_workers, fold_workers)) as server:
        _require_clean(apart(_send, server.port, server.write_key, WARM_UP, 7, CONNECTIONS))
        server.wait_folded()
        sent = apart(_send, server.port, server.write_key, count, 1, CONNECTIONS)
        ended_sending = time.perf_counter()
        _require_clean(sent)
        server.wait_folded()
        seconds = sent.seconds + (time.perf_counter() - ended_sending)
        behind = (time.perf_counter() - ended_sending) / seconds
    after = f"{behind:.0%} of the time after the last acknowledgement"
    note = f"{http_workers} HTTP, {fold_workers} fold worker(s), lake; {after}"
    return [Figure("fold_events_per_s", count / seconds, "events/s", count, note)]


async def _paced(port: int, write: str, read: str, rate: int, seconds: int) -> tuple[list[float], int]:
    """At `rate` events a second in batches of 20: from an acknowledgement until its person is read with the event."""
    size, users = 20, 2_000
    latencies: list[float] = []
    missed = 0
    number = 0

    async def one(first: int) -> None:
        nonlocal missed
        user = f"reader-{first % users}"
        name = f"Probe {first}"
        items = [
            {"type": "track", "userId": user if place == 0 else f"reader-{(first + place) % users}",
             "event": name if place == 0 else "Product Viewed", "messageId": f"paced-{first}-{place}",
             "properties": {"price": 9.5, "product_id": f"p-{place}"}}
            for place in range(size)
        ]  # fmt: skip
        writer = await writers.get()
        status, _ = await writer.request("POST", "/v1/batch", msgspec.json.encode({"batch": items}))
        writers.put_nowait(writer)
        acknowledged = time.perf_counter()
        reader = await readers.get()
        found_status, found = await reader.request("GET", f"/v1/people/user_id/{user}")
        readers.put_nowait(reader)
        latencies.append((time.perf_counter() - acknowledged) * 1_000)
        if status != 200 or found_status != 200 or name.encode() not in found:
            missed += 1

    writers: asyncio.Queue[Connection] = asyncio.Queue()
    readers: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(16):
        writers.put_nowait(Connection(port, write))
        readers.put_nowait(Connection(port, read))
    began = time.perf_counter()
    tasks = []
    while (elapsed := time.perf_counter() - began) < seconds:
        while number * size < elapsed * rate:
            tasks.append(asyncio.create_task(one(number)))
            number += 1
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    return latencies, missed


def _run_paced(port: int, write: str, read: str, rate: int, seconds: int) -> tuple[list[float], int]:
    return run(_paced(port, write, read, rate, seconds))


async def _reads(port: int, key: str, rate: int, seconds: int, users: int) -> list[float]:
    latencies: list[float] = []
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(16):
        free.put_nowait(Connection(port, key))

    async def one(number: int) -> None:
        connection = await free.get()
        began = time.perf_counter()
        status, _ = await connection.request("GET", f"/v1/people/user_id/reader-{number * 7919 % users}")
        latencies.append((time.perf_counter() - began) * 1_000)
        free.put_nowait(connection)
        if status != 200:
            raise RuntimeError(f"a read was answered {status}")

    tasks = []
    began, number = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        while number < elapsed * rate:
            tasks.append(asyncio.create_task(one(number)))
            number += 1
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
    await asyncio.gather(*tasks)
    return latencies


def _run_reads(port: int, key: str, rate: int, seconds: int, users: int) -> list[float]:
    return run(_reads(port, key, rate, seconds, users))


def reading(seconds: int) -> list[Figure]:
    """(c) From acknowledgement to a readable person at 2,000 events/s; (d) person reads at 500/s."""
    with serving(*_workers(2, 1)) as server:
        apart(_run_paced, server.port, server.write_key, server.admin_key, 2_000, 3)
        latencies, missed = apart(_run_paced, server.port, server.write_key, server.admin_key, 2_000, seconds)
        if missed:
            raise RuntimeError(f"{missed} reads did not see what was acknowledged before")
        server.wait_folded()
        reads = apart(_run_reads, server.port, server.admin_key, 500, seconds, min(2_000, 100 * seconds))
    paced = f"2,000 events/s in batches of 20, {seconds} s, every read saw its event"
    return [
        Figure("ack_to_read_ms_p50", percentile(latencies, 0.5), "ms", len(latencies), paced),
        Figure("ack_to_read_ms_p99", percentile(latencies, 0.99), "ms", len(latencies), paced),
        Figure("person_read_ms_p50", percentile(reads, 0.5), "ms", len(reads), "500 reads/s over HTTP"),
        Figure("person_read_ms_p99", percentile(reads, 0.99), "ms", len(reads), "500 reads/s over HTTP"),
    ]


async def _make_people(port: int, key: str, count: int) -> Sent:
    bodies = []
    for first in range(0, count, BATCH):
        items = [
            {"type": "identify", "userId": f"person-{number}", "anonymousId": f"device-{number}",
             "messageId": f"made-{number}", "traits": {"email": f"person{number}@example.com", "plan": "basic",
             "address": {"city": "Tbilisi", "country": "GE"}, "age": number % 80}}
            for number in range(first, min(first + BATCH, count))
        ]  # fmt: skip
        bodies.append(msgspec.json.encode({"batch": items}))
    return await send_all(port, key, bodies, CONNECTIONS)


def _run_make_people(port: int, key: str, count: int) -> Sent:
    return run(_make_people(port, key, count))


def footprint(people: int) -> list[Figure]:
    """(e) What people cost on disk and in memory: each with one identify of five traits and three identifiers."""
    with serving(*_workers(2, 1)) as server:
        empty = _disk_bytes(server)
        sent = apart(_run_make_people, server.port, server.write_key, people)
        _require_clean(sent)
        server.wait_folded()
        sizes = _table_bytes(server)
        grown = _disk_bytes(server) - empty
        memory = server.memory_bytes()
    kept = sum(sizes[name] for name in ("person_state", "identifier", "link"))
    per_table = ", ".join(f"{name} {size / people:,.0f}" for name, size in sorted(sizes.items()) if size > people)
    return [
        Figure("bytes_per_person", grown / people, "bytes", people, f"whole database; per person: {per_table}"),
        Figure("kept_bytes_per_person", kept / people, "bytes", people, "state, identifiers and links: what stays"),
        Figure(
            "memory_mb_courtesy", memory.get("courtesy", 0) / 1e6, "MB", people, "all its processes, shared parts once"
        ),
        Figure("memory_mb_postgres", memory.get("postgres", 0) / 1e6, "MB", people, "embedded PostgreSQL"),
    ]


def _disk_bytes(server: Server) -> int:
    with EmbeddedPostgres(server.data) as embedded, psycopg.connect(embedded.url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0


def _table_bytes(server: Server) -> dict[str, int]:
    with EmbeddedPostgres(server.data) as embedded, psycopg.connect(embedded.url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        return {name: int(size) for name, size in rows}
