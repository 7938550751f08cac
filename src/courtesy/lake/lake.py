"""`Lake`: what the rest of Courtesy does with the lake, from an event loop."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import ParamSpec, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from sqlalchemy.exc import SQLAlchemyError

from courtesy.base.ids import PARTITION_COUNT, PersonId, Position, SourceId
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.engine.contract import StorageFull, Unavailable
from courtesy.engine.imported import Span
from courtesy.lake.filters import Filter, LessThanOrEqual, about, arrived_before, at_positions, of_chapters, of_people
from courtesy.lake.lock import Turn, turn
from courtesy.lake.place import Place, Settings, place_of
from courtesy.lake.rewriting import compacted, fragmented, without
from courtesy.lake.rows import RECORD_COLUMNS, in_lake, to_arrow, to_records
from courtesy.lake.table import (
    EventTable,
    Planned,
    dataset,
    delete_all_at,
    listing,
    listing_at,
    live_files,
    planned,
    position_of,
    write_rows,
)
from courtesy.person.chapter import Chapter
from courtesy.person.record import Record

SNAPSHOT_KEPT_MS = 3 * HOUR_MS
"""How long a question may take that was asked of a snapshot, or the copying of the folder to a backup."""

STRAY_KEPT_MS = HOUR_MS
"""How old a file must be that no snapshot needs, before it counts as left behind. What is being written is younger."""

FOR_EVER_MS = 2**52

READ_TRIES = 3

BATCH_ROWS = 5_000
"""Events that are read at once when all are: some MB."""

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what goes wrong on the way to the store and the catalogue into Unavailable and StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"the lake can't be written: {_first_line(error)}") from error
        raise Unavailable(f"the lake does not answer: {_first_line(error)}") from error
    except (SQLAlchemyError, NoSuchTableError) as error:
        raise Unavailable(f"the lake's catalogue does not answer: {_first_line(error)}") from error
    except (CommitFailedException, ValidationException) as error:
        raise Unavailable("somebody else wrote to the lake at the same time") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


class Appending:
    """A turn to append, made by `Lake.appending`. `position`: up to where the lake has the log; None: nowhere yet."""

    def __init__(self, events: EventTable, table: Table, check: Callable[[], None]) -> None:
        self._events = events
        self._table = table
        self._check = check
        self.position = position_of(table)

    async def write(self, records: Sequence[Record], up_to: Position) -> int:
        """Put the events among the records into the lake, together with its new position; how many.

        They are all that the log has after `position` up to `up_to`. What lies before is left out. With no event among
        them nothing is written, and the position stays.
        """
        with translated():
            return await asyncio.to_thread(self._write, records, up_to)

    def _write(self, records: Sequence[Record], up_to: Position) -> int:
        have = self.position or 0
        fresh = [record for record in records if record.position > have and in_lake(record)]
        if fresh:
            rows = to_arrow(fresh)
            self._check()
            self._events.append(self._table, rows, up_to)
            self.position = up_to
        return len(fresh)


class Lake:
    """The lake of one installation. Any number of processes may have one; their turns are kept apart by the database.

    Its methods work in threads and never hold up the event loop. They raise Unavailable (try again later; what was
    asked may or may not have happened), StorageFull, and CourtesyError(SETUP) when the lake lies elsewhere.
    """

    def __init__(self, place: Place, url: str, partition_count: int = PARTITION_COUNT) -> None:
        self._place = place
        self._url = url
        self._partition_count = partition_count
        self._opening = threading.Lock()
        self._catalog: SqlCatalog | None = None

    async def close(self) -> None:
        """Let go of every connection. It may be used again."""
        catalog, self._catalog = self._catalog, None
        if catalog is not None:
            await asyncio.to_thread(catalog.close)

    def _opened(self) -> SqlCatalog:
        with self._opening:
            if self._catalog is None:
                self._catalog = self._place.catalog(self._url)
            return self._catalog

    def _events(self) -> EventTable:
        return EventTable(self._opened(), self._place.warehouse)

    def _turn(self, what: Turn) -> AbstractContextManager[Callable[[], None]]:
        return turn(self._opened().engine, what)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with translated():
            return await asyncio.to_thread(work, *args, **kwargs)

    def close_now(self) -> None:
        """As `close`, from a thread."""
        catalog, self._catalog = self._catalog, None
        if catalog is not None:
            catalog.close()

    # -- writing

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[Appending]:
        """A turn to append. Read the log inside: then what was erased from the log before `erase` was called does
        not come back."""
        holding, appending = await self._run(self._begin)
        try:
            yield appending
        finally:
            await self._run(holding.__exit__, None, None, None)

    def _begin(self) -> tuple[AbstractContextManager[Callable[[], None]], Appending]:
        holding = self._turn(Turn.APPEND)
        check = holding.__enter__()
        try:
            events = self._events()
            return holding, Appending(events, events.load(), check)
        except BaseException:
            holding.__exit__(None, None, None)
            raise

    async def position(self) -> Position | None:
        """Up to where in the log the lake has all events; None when nothing was ever written."""
        return await self._run(lambda: position_of(self._events().load()))

    # -- reading

    async def history(self, people: Collection[PersonId], up_to: Position) -> list[Record]:
        """All events of some people that the lake has, up to a position included, in the order of their positions."""
        if not people:
            return []
        return to_records(await self._run(self._read, of_people(people, up_to)), self._partition_count)

    async def planned(self) -> Planned:
        """The files of the lake as it is now. An erasure may replace them while they are read."""
        return await self._run(lambda: planned(self._events().load()))

    async def of_chapters(self, chapters: Collection[Chapter]) -> list[Record]:
        """The events of some chapters that the lake has, and maybe others of the same people; by position."""
        if not chapters:
            return []
        return to_records(await self._run(self._read, of_chapters(chapters)), self._partition_count)

    def _read(self, wanted: Filter) -> pa.Table:
        for tries_left in reversed(range(READ_TRIES)):
            table = self._events().load()
            files = live_files(table, wanted.plan)
            try:
                return (
                    dataset(table, files).to_table(columns=list(RECORD_COLUMNS), filter=wanted.rows).sort_by("position")
                )
            except FileNotFoundError:
                # An erasure has replaced it since we planned.
                if not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def held_still(self) -> Iterator[Position | None]:
        """Inside, nobody takes events out of the lake or writes its files anew; appending goes on. Gives its position,
        as `position` does. It waits: call it from a thread."""
        with translated(), self._turn(Turn.REWRITE):
            yield position_of(self._events().load())

    def records(self, up_to: Position) -> Iterator[list[Record]]:
        """Every event up to a position, file by file, some thousand at a time; for a lake that is held still."""
        with translated():
            table = self._events().load()
            rows = pc.field("position") <= up_to
            for file in live_files(table, LessThanOrEqual("position", up_to)):
                batches = dataset(table, [file]).to_batches(
                    columns=list(RECORD_COLUMNS), filter=rows, batch_size=BATCH_ROWS, batch_readahead=1
                )
                for batch in batches:
                    yield to_records(pa.Table.from_batches([batch]), self._partition_count)

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        """Whose events lie at some positions of the log."""
        return await self._run(self._people_in, at_positions(spans)) if spans else set()

    def _people_in(self, wanted: Filter) -> set[PersonId]:
        table = self._events().load()
        files = live_files(table, wanted.plan)
        people = dataset(table, files).to_table(columns=["person_id"], filter=wanted.rows).column(0)
        return {PersonId(person) for person in people.unique().to_pylist()}

    # -- removing

    async def erase(
        self, people: Collection[PersonId], others: Collection[Position] = (), kept: Collection[Position] = ()
    ) -> int:
        """Remove all events that were appended for some people, and those at the positions in `others`, but not those
        at the positions in `kept`; how many. Afterwards no file in the lake's place holds any part of them.

        Earlier snapshots, tags and branches are gone as well. Erase from the log first: events that are still there
        and not yet in the lake would come later. Safe to repeat; after an error repeat it.
        """
        return await self._run(self._erase, about(people, others, kept)) if people else 0

    async def erase_at(self, spans: Sequence[Span]) -> int:
        """Remove the events at some positions of the log; as `erase`."""
        return await self._run(self._erase, at_positions(spans)) if spans else 0

    async def erase_where(self, source: SourceId | None, name: str | None, received_before_ms: int) -> int:
        """Remove the events that arrived before an instant, of one source and one name if given; as `erase`."""
        return await self._run(self._erase, arrived_before(source, name, received_before_ms))

    def _erase(self, doomed: Filter) -> int:
        events = self._events()
        seen: dict[str, tuple[DataFile, int, list[DataFile]]] = {}
        with self._turn(Turn.REWRITE):
            self._rewrite(events.load(), doomed, seen)
            with self._turn(Turn.APPEND) as check:
                table = events.load()
                # What was appended in the meantime.
                self._rewrite(table, doomed, seen)
                replaced = [(old, new) for old, count, new in seen.values() if count]
                listed = listing(table)
                check()
                if replaced:
                    events.replace(table, [old for old, _ in replaced], [file for _, new in replaced for file in new])
                events.fence(table)
                events.expire(table, None)
                events.sweep(table, listed, FOR_EVER_MS)
        return sum(count for _, count, _ in seen.values())

    @staticmethod
    def _rewrite(table: Table, doomed: Filter, seen: dict[str, tuple[DataFile, int, list[DataFile]]]) -> None:
        for file in live_files(table, doomed.plan):
            if file.file_path not in seen:
                seen[file.file_path] = (file, *without(table, file, doomed))

    # -- restoring

    def is_empty(self) -> bool:
        """Whether nothing lies in the lake's place. From a thread, as the two below."""
        with translated():
            return not listing_at(self._place.warehouse, self._place.files)

    def filled(self, batches: Iterable[Sequence[Record]], up_to: Position) -> int:
        """Make the lake of events, in any order, all that there are up to a position; how many. It was empty."""
        count = 0
        with translated(), self._turn(Turn.APPEND) as check:
            events = self._events()
            table = events.load()
            files: list[DataFile] = []
            for records in batches:
                files += write_rows(table, to_arrow(records))
                count += len(records)
            check()
            events.add(table, files, up_to)
        return count

    def clear(self) -> None:
        """Delete every file in the lake's place, which nothing needs once the catalogue is gone."""
        with translated():
            delete_all_at(self._place.warehouse, self._place.files)

    # -- upkeep

    async def tidy(self, now_ms: int, stop: Callable[[], bool] = lambda: False) -> int:
        """Write small files together and delete what nothing needs any more; how many files were deleted.

        May take minutes; ends soon after `stop` says so, with what was done until then.
        """
        return await self._run(self._tidy, now_ms, stop)

    def _tidy(self, now_ms: int, stop: Callable[[], bool]) -> int:
        events = self._events()
        with self._turn(Turn.REWRITE):
            for group in fragmented(live_files(events.load()), now_ms // DAY_MS):
                if stop():
                    return 0
                self._compact(events, group, stop)
            with self._turn(Turn.APPEND) as check:
                check()
                table = events.load()
                events.expire(table, now_ms - SNAPSHOT_KEPT_MS)
            return events.sweep(table, listing(table), now_ms - STRAY_KEPT_MS)

    def _compact(self, events: EventTable, group: list[DataFile], stop: Callable[[], bool]) -> None:
        new = compacted(events.load(), group, stop)
        if not new:
            return
        with self._turn(Turn.APPEND) as check:
            check()
            events.replace(events.load(), group, new)


def make_lake(settings: Settings, url: str) -> Lake | None:
    """The lake of an installation whose database has that libpq URL; None when it is off. Connects when first used.

    Raises CourtesyError(INVALID) when the setting makes no sense.
    """
    place = place_of(settings)
    return None if place is None else Lake(place, url, settings.partitions)
