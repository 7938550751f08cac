"""All events at one instant of the log, for DuckDB to ask: the lake's files, what the log has beyond them, and to whom
each event belongs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import duckdb
import pyarrow as pa

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.engine.contract import Engine
from courtesy.engine.imported import Span
from courtesy.engine.ownership import Ownership
from courtesy.identity.repair import PendingErasure
from courtesy.lake.rows import ARROW, to_arrow
from courtesy.lake.table import Planned

PAGE_RECORDS = 20_000
READ_TRIES = 3
MEMORY_BYTES = 2 << 30
THREADS = 2

T = TypeVar("T")


class Files(Protocol):
    """Where events lie beyond the log; the lake."""

    async def planned(self) -> Planned:
        """The files, as they are now."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a question may take: memory in bytes, beyond which DuckDB uses the disk, and threads."""

    memory_bytes: int = MEMORY_BYTES
    thread_count: int = THREADS


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What there is: nothing of it changes any more, but that an erasure may delete files."""

    owners: Ownership
    planned: Planned | None
    tail: pa.Table
    gone: Sequence[Span]
    erased: Sequence[PendingErasure]


class Events:
    """A DuckDB in which `events`, `people` and `sources` are as `courtesy.segment.sql.scan.Relations` has them, up to
    the position `head` of the log. One question at a time."""

    def __init__(self, db: duckdb.DuckDBPyConnection, snapshot: _Snapshot) -> None:
        self._db = db
        self._turn = asyncio.Lock()
        self.head = snapshot.owners.head
        self.row_count = (0 if snapshot.planned is None else snapshot.planned.row_count) + len(snapshot.tail)

    async def ask(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Do something with the database, in a thread. When the caller is cancelled, it is interrupted."""
        async with self._turn:
            return await self._run(lambda: work(self._db))

    async def batches(self, query: str, rows: int) -> AsyncIterator[pa.RecordBatch]:
        """The answer to a query, about so many rows at a time. Nothing else can be asked until it is at its end."""
        async with self._turn:
            reader: Any = await self._run(lambda: self._db.sql(query).to_arrow_reader(rows))
            try:
                while (batch := await self._run(lambda: next(reader, None))) is not None:
                    yield batch
            finally:
                reader.close()

    async def _run(self, work: Callable[[], T]) -> T:
        working = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            self._db.interrupt()
            await asyncio.wait([working])
            raise


@asynccontextmanager
async def opened(
    engine: Engine, files: Files | None, source_names: Mapping[SourceId, str], limits: Limits | None = None
) -> AsyncIterator[Events]:
    """All events up to the present head of the log."""
    snapshot = await _snapshot(engine, files)
    db = await asyncio.to_thread(_database, snapshot, source_names, limits or Limits())
    events = Events(db, snapshot)
    try:
        yield events
    finally:
        await events.ask(lambda each: each.close())


async def _snapshot(engine: Engine, files: Files | None) -> _Snapshot:
    # In this order: what leaves the log after the files were planned was in them, and the tail is not longer than head.
    planned = None if files is None else await files.planned()
    gone, erased = await engine.spans_taken_back(), await engine.pending_erasures()
    owners = await engine.ownership()
    start = Position(0) if planned is None else planned.position
    tables = [ARROW.empty_table()]
    while True:
        page = await engine.log_after(start, PAGE_RECORDS)
        known = [record for record in page if record.position <= owners.head]
        if known:
            tables.append(await asyncio.to_thread(to_arrow, known))
        if len(known) < len(page) or not page:
            return _Snapshot(owners, planned, pa.concat_tables(tables), gone, erased)
        start = page[-1].position


def _database(snapshot: _Snapshot, source_names: Mapping[SourceId, str], limits: Limits) -> duckdb.DuckDBPyConnection:
    db = duckdb.connect(
        config={
            "threads": limits.thread_count,
            "memory_limit": f"{limits.memory_bytes}B",
            # Nothing is fetched from anywhere, and the order of rows does not matter.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }
    )
    db.execute("SET TimeZone = 'UTC'").fetchall()
    db.execute("SET enable_progress_bar = false").fetchall()
    db.register("tail", snapshot.tail)
    parts = ["SELECT * FROM tail"] if len(snapshot.tail) or snapshot.planned is None else []
    planned = snapshot.planned
    if planned is not None and planned.row_count:
        parts.append(f"SELECT * FROM {_files(db, planned)}")  # noqa: S608 -- names of our own files
    events = " UNION ALL BY NAME ".join(parts or ["SELECT * FROM tail"])
    kept = [f"position <= {snapshot.owners.head}"] if planned and planned.position > snapshot.owners.head else []
    kept += [f"NOT position BETWEEN {span.first} AND {span.last}" for span in snapshot.gone]
    where = f" WHERE {' AND '.join(kept)}" if kept else ""
    db.execute(f"CREATE VIEW events AS SELECT * FROM ({events}){where}").fetchall()  # noqa: S608 -- made of the above
    db.register("people", _people(snapshot.owners, snapshot.erased))
    db.register("sources", _sources(source_names))
    return db


def _files(db: duckdb.DuckDBPyConnection, planned: Planned) -> str:
    if not planned.paths:
        db.register("files", planned.dataset)
        return "files"
    paths = ", ".join("'" + path.replace("'", "''") + "'" for path in planned.paths)
    return f"read_parquet([{paths}])"


def _people(owners: Ownership, erased: Iterable[PendingErasure]) -> pa.Table:
    rows: list[tuple[int | None, int | None, int | None]] = [(person, root, None) for person, root in owners.merged]
    rows += [(person, None, None) for person in owners.nobodies]
    moved: dict[Position, PersonId | None] = dict(owners.moved)
    for each in erased:
        # Their events are in the lake until it is rewritten; those that were moved to others stay theirs.
        rows = [row for row in rows if row[0] not in each.people]
        rows += [(person, None, None) for person in each.people]
        moved.update(dict.fromkeys(each.others))
    rows += [(None, person, position) for position, person in moved.items()]
    return _table(rows, ("person_id", "root", "position"))


def _sources(names: Mapping[SourceId, str]) -> pa.Table:
    numbers, said = list(names), list(names.values())
    return pa.table({"source_id": pa.array(numbers, pa.int64()), "name": pa.array(said, pa.string())})


def _table(rows: Sequence[tuple[Any, ...]], names: tuple[str, ...]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(column, pa.int64()) for name, column in zip(names, columns, strict=True)})
