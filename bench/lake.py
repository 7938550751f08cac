"""The lake's figure: rows appended to the Iceberg table, next to plain Parquet writing of the same rows."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from bench.results import Figure
from bench.workload import messages
from courtesy.base.ids import PersonId, Position, SourceId, partition_of
from courtesy.base.time import SystemClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.event.accept import Draft, Rejected, SourcePolicy, accept
from courtesy.event.event import encode
from courtesy.lake import Lake, make_lake
from courtesy.lake.rows import to_arrow
from courtesy.person.record import Record, RecordKind
from courtesy.runtime.lake import BATCH_RECORDS
from courtesy.runtime.process import spare_the_collector
from courtesy.runtime.settings import Settings

SHOP = SourceId(1)


def appending(count: int) -> list[Figure]:
    """Events of the shop's workload appended as the exporter does, and the same rows written by plain Arrow."""
    records = list(_records(count))
    spare_the_collector()
    with tempfile.TemporaryDirectory(prefix="courtesy-") as folder, _lake(Path(folder)) as lake:
        appended = asyncio.run(_append(lake, records))
        written = _write_plainly(records, Path(folder))
    note = f"batches of up to {BATCH_RECORDS:,}, to a local folder, PostgreSQL as the catalogue"
    return [
        Figure("lake_append_rows_per_s", appended, "rows/s", count, note),
        Figure("parquet_rows_per_s", written, "rows/s", count, "the same records through pyarrow.parquet alone"),
        Figure("lake_ratio_to_parquet", appended / written, "ratio", count, note),
    ]


def _records(count: int) -> Iterator[Record]:
    """What the shop's messages are in the log: accepted, and given to as many people as there are first claims."""
    now_ms = SystemClock().now_ms()
    policy = SourcePolicy(SHOP)
    people: dict[object, PersonId] = {}
    for position, message in enumerate(messages(count, 1), 1):
        passed = accept(Draft(bytes(message), policy, now_ms, None, lambda _: "", None, live=False))
        if isinstance(passed, Rejected):
            raise RuntimeError(f"the workload was refused: {passed.detail}")
        person = people.setdefault(passed.claims[:1], PersonId(len(people) + 1))
        event = msgspec.structs.replace(passed.event, ids=tuple(f"{each.kind}:{each.value}" for each in passed.claims))
        yield Record(
            Position(position), partition_of(person), person, RecordKind.EVENT, event.at, now_ms, SHOP,
            passed.key, encode(event),
        )  # fmt: skip


@contextmanager
def _lake(folder: Path) -> Iterator[Lake]:
    """An empty lake with the catalogue in a PostgreSQL of its own."""
    with EmbeddedPostgres(folder / "data") as postgres:
        asyncio.run(_migrate(postgres.url))
        lake = make_lake(Settings(data=str(folder / "data")), postgres.url)
        assert lake is not None
        yield lake
        asyncio.run(lake.close())


async def _migrate(url: str) -> None:
    engine = PostgresEngine(url, SystemClock())
    await engine.open()
    await engine.close()


async def _append(lake: Lake, records: list[Record]) -> float:
    """Rows per second, from records of the log to a commit in the catalogue."""
    await lake.position()
    began = time.perf_counter()
    for first in range(0, len(records), BATCH_RECORDS):
        batch = records[first : first + BATCH_RECORDS]
        async with lake.appending() as turn:
            await turn.write(batch, batch[-1].position)
    return len(records) / (time.perf_counter() - began)


def _write_plainly(records: list[Record], folder: Path) -> float:
    """Rows per second of making an Arrow table of the same records and writing it with the same compression."""
    began = time.perf_counter()
    for first in range(0, len(records), BATCH_RECORDS):
        rows = to_arrow(records[first : first + BATCH_RECORDS])
        pq.write_table(rows, folder / f"{first}.parquet", compression="zstd")
    return len(records) / (time.perf_counter() - began)
