"""Importing: a file or folder through accept and ingest, in step with what is durable, resumable at any instant."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import Clock
from courtesy.engine.contract import Engine, ImportProgress
from courtesy.engine.tasks import end
from courtesy.event.accept import Accepted, Draft, Rejected, SourcePolicy, accept
from courtesy.event.cause import FATE, Cause, Fate
from courtesy.runtime.ingest import Receipt
from courtesy.source.files import DataFile, Reading, find_files, fingerprint, is_stdin, kept_stream
from courtesy.source.mapping import Format, Mapping
from courtesy.source.planning import PlannedFile, plan, renderer_for
from courtesy.source.rendering import Rendered, Renderer
from courtesy.source.rows import Rows
from courtesy.source.summary import CauseSummary, FileSummary, ImportSummary, Outcome, Progress

APPEND_ITEMS = 2_000
"""Items handed in at a time."""

WINDOW = 3
"""Appends under way at a time: enough that decoding and storing overlap, few enough to lose little in a crash."""

SAVE_EVERY_ROWS = 25_000
"""Rows after which the progress is saved; after a crash at most these and those under way are sent again."""

RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
GO_ON = "run the same command again: it goes on where this one stopped, and adds nothing twice"
_TEMPORARY = (Code.UNAVAILABLE, Code.STORAGE_FULL, Code.TOO_MANY)

Item = Accepted | Rejected
Sleep = Callable[[float], Awaitable[None]]


class Appends(Protocol):
    """The part of ingest that an import needs."""

    async def append(
        self, items: Sequence[Item], policy: SourcePolicy, *, keep_keys: bool = False, file: str | None = None
    ) -> Receipt:
        """Store the items; durable when it returns."""
        ...


class _Prepared(NamedTuple):
    """A batch of rows as items, each with the line or row that it came from."""

    row_count: int
    left_out_count: int
    items: list[Item]
    numbers: list[int]


@dataclass(slots=True)
class _Tally:
    """Counts of one file; `causes` and `examples` are those of the whole import."""

    causes: Counter[Cause]
    examples: dict[Cause, tuple[str, str]]
    row_count: int = 0
    left_out_count: int = 0
    received_count: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)

    def add(self, file: str, numbers: Sequence[int], receipt: Receipt) -> None:
        """Count what became of the items that came from those lines or rows."""
        self.received_count += len(numbers)
        self.fates[Fate.STORED] += len(numbers) - len(receipt.results)
        for result in receipt.results:
            self.fates[result.fate] += 1
            self.causes[result.cause] += 1
            if result.cause not in self.examples:
                self.examples[result.cause] = (f"{file}:{numbers[result.place]}", result.detail)


async def import_path(
    ingest: Appends,
    engine: Engine,
    policy: SourcePolicy,
    path: Path | None,
    mapping: Mapping | None,
    clock: Clock,
    progress: Callable[[Progress], None],
    *,
    format: Format | None = None,
    stdin: BinaryIO | None = None,
    name: str = "stdin",
    again: bool = False,
    consent: bool = False,
    sleep: Sleep = asyncio.sleep,
) -> ImportSummary:
    """Import a file, all files of a folder, or the standard input (a path of None or `-`, known by `name`).

    Holds afterwards: each row is stored, or quarantined with its cause, or was stored before, however often the import
    was interrupted or repeated. A file whose bytes were imported before is left alone unless `again`. Without a
    mapping a ready one is taken where it fits, else one is guessed, as of what people chose if `consent`. `format` goes
    before what is detected. The progress is told after each batch of rows.

    Raises CourtesyError: NOT_FOUND or UNREADABLE for a file that is not there or no table (in a folder the summary says
    so instead), INVALID for a mapping that does not fit, UNAVAILABLE when the store did not answer in about a minute;
    the same call then goes on where it stopped.
    """
    async with AsyncExitStack() as stack:
        if is_stdin(path):
            kept = kept_stream(stdin or sys.stdin.buffer, name, clock.now_ms())
            found = [await asyncio.to_thread(stack.enter_context, kept)]
        else:
            found = await asyncio.to_thread(find_files, Path(path or ""))
        from_folder = path is not None and await asyncio.to_thread(path.is_dir)
        planned = await asyncio.to_thread(plan, found, mapping, format, from_folder=from_folder, consent=consent)
        run = _Import(_Store(ingest, engine, policy, clock, sleep), planned, progress, again=again)
        return await run.run(from_folder=from_folder)


@dataclass(frozen=True, slots=True)
class _Store:
    """Where a file goes, and where it is remembered how far it is."""

    ingest: Appends
    engine: Engine
    policy: SourcePolicy
    clock: Clock
    sleep: Sleep

    async def append(self, items: list[Item], file: str, place: str) -> Receipt:
        """Append, patiently. Raises CourtesyError when the store stays away."""
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                return await self.ingest.append(items, self.policy, keep_keys=True, file=file)
            except CourtesyError as error:
                if error.code not in _TEMPORARY:
                    raise
                if delay_s is None:
                    raise CourtesyError(error.code, error.message, hint=GO_ON, place=place) from error
                await self.sleep(delay_s)
        raise AssertionError("the last delay is None")

    async def progress_of(self, mark: str) -> ImportProgress | None:
        """How far a file is imported."""
        return await self.engine.import_progress(mark, self.policy.source)

    async def begin(self, progress: ImportProgress) -> None:
        """Remember that a file is being imported."""
        await self.engine.save_import(progress)

    async def save(self, progress: ImportProgress) -> None:
        """Remember how far a file is imported. Raises CourtesyError(CONFLICT) when it was taken back meanwhile: what is
        there of it is not all that was sent."""
        known = await self.progress_of(progress.fingerprint)
        if known is None or known.taken_back_ms is not None:
            message = "this file was taken back while it was imported"
            hint = "import it again if it should be there, else take it back again"
            raise CourtesyError(Code.CONFLICT, message, hint=hint, place=progress.name)
        await self.engine.save_import(progress)


class _Import:
    """One import under way."""

    def __init__(
        self, store: _Store, planned: list[PlannedFile], tell: Callable[[Progress], None], *, again: bool
    ) -> None:
        self._store = store
        self._planned = planned
        self._tell = tell
        self._again = again
        self._causes: Counter[Cause] = Counter()
        self._examples: dict[Cause, tuple[str, str]] = {}
        self._pace = _Pace(store.clock, [each for each in planned if each.rule is not None])

    async def run(self, *, from_folder: bool) -> ImportSummary:
        """Import the files one after the other; what is broken in a folder does not keep the others out."""
        files = [await self._file(planned, from_folder=from_folder) for planned in self._planned]
        causes = tuple(
            CauseSummary(cause, FATE[cause], count, *self._examples[cause])
            for cause, count in self._causes.most_common()
        )
        return ImportSummary(tuple(files), causes, self._pace.elapsed_ms)

    async def _file(self, planned: PlannedFile, *, from_folder: bool) -> FileSummary:
        name, mapping = planned.file.name, planned.mapping
        if planned.rule is None:
            return FileSummary(name, Outcome.LEFT_OUT, mapping, planned.reason)
        mark = await asyncio.to_thread(fingerprint, planned.file)
        saved = await self._store.progress_of(mark)
        if saved is not None and saved.taken_back_ms is not None:
            raise CourtesyError(
                Code.CONFLICT, "this file is being taken back", hint="finish that with --undo first", place=name
            )
        if saved is not None and saved.finished_ms is not None and not self._again:
            reason = f"these bytes were imported before, as {saved.name} with {saved.row_count} rows"
            self._pace.finish_file(planned.file)
            return FileSummary(name, Outcome.KNOWN, mapping, reason)
        start = saved.row_count if saved is not None and not self._again else 0
        tally = _Tally(self._causes, self._examples)
        outcome, reason = Outcome.IMPORTED, ""
        try:
            progress = ImportProgress(mark, self._store.policy.source, name, start, None)
            if saved is None:
                # Before anything of it is stored, so that it is known what to take back.
                await self._store.begin(progress)
            await self._rows(planned, progress, tally)
        except CourtesyError as error:
            if error.code is not Code.UNREADABLE or not from_folder:
                raise
            outcome, reason = Outcome.BROKEN_OFF, str(error)
        self._pace.finish_file(planned.file)
        return _file_summary(FileSummary(name, outcome, mapping, reason, resumed_row_count=start), tally)

    async def _rows(self, planned: PlannedFile, saved: ImportProgress, tally: _Tally) -> None:
        """Send all rows after those of `saved`; where the file breaks off, those before are stored."""
        reading = _reading(planned)
        batches = _prepare(planned, reading, saved.row_count, self._store.policy, self._store.clock)
        sending = _Window(self._store, planned.file.name, saved, tally)
        try:
            while (batch := await asyncio.to_thread(_next, batches)) is not None:
                if isinstance(batch, CourtesyError):
                    await sending.drain()
                    raise batch
                await sending.send(batch)
                self._tell(self._pace.progress(planned.file, reading.done_byte_count, batch.row_count))
            await sending.finish()
        finally:
            await sending.cancel()


def _next(batches: Iterator[_Prepared]) -> _Prepared | CourtesyError | None:
    """The next batch, None after the last, or why there is none."""
    try:
        return next(batches, None)
    except CourtesyError as error:
        return error


def _file_summary(start: FileSummary, tally: _Tally) -> FileSummary:
    return msgspec.structs.replace(
        start,
        row_count=tally.row_count,
        left_out_row_count=tally.left_out_count,
        received_count=tally.received_count,
        stored_count=tally.fates[Fate.STORED],
        duplicate_count=tally.fates[Fate.DUPLICATE],
        quarantined_count=tally.fates[Fate.QUARANTINED],
        suppressed_count=tally.fates[Fate.SUPPRESSED],
    )


@dataclass(slots=True)
class _UnderWay:
    """An append under way; `row_count` rows of the file are durable when it and all before it are."""

    task: asyncio.Task[Receipt]
    numbers: list[int]
    row_count: int


class _Window:
    """The appends of a file that are under way, answered in the order in which they were handed in."""

    def __init__(self, store: _Store, file: str, saved: ImportProgress, tally: _Tally) -> None:
        self._store = store
        self._file = file
        self._saved = saved
        self._tally = tally
        self._durable_row_count = saved.row_count
        self._under_way: deque[_UnderWay] = deque()

    async def send(self, batch: _Prepared) -> None:
        """Hand in a batch, as soon as there is room in the window."""
        self._tally.row_count += batch.row_count
        self._tally.left_out_count += batch.left_out_count
        for start in range(0, len(batch.items), APPEND_ITEMS):
            while len(self._under_way) >= WINDOW:
                await self._answer()
            part = slice(start, start + APPEND_ITEMS)
            place = f"{self._file} after {self._durable_row_count} rows"
            append = self._store.append(batch.items[part], self._saved.fingerprint, place)
            self._under_way.append(_UnderWay(asyncio.create_task(append), batch.numbers[part], 0))
        if self._under_way:
            self._under_way[-1].row_count += batch.row_count
        else:
            self._durable_row_count += batch.row_count

    async def _answer(self) -> None:
        first = self._under_way[0]
        receipt = await first.task
        self._under_way.popleft()
        self._tally.add(self._file, first.numbers, receipt)
        self._durable_row_count += first.row_count
        if self._durable_row_count - self._saved.row_count >= SAVE_EVERY_ROWS:
            await self._save(None)

    async def _save(self, finished_ms: int | None) -> None:
        self._saved = self._saved._replace(row_count=self._durable_row_count, finished_ms=finished_ms)
        await self._store.save(self._saved)

    async def drain(self) -> None:
        """Wait for all that is under way, and remember how far the file is imported."""
        while self._under_way:
            await self._answer()
        await self._save(None)

    async def finish(self) -> None:
        """Wait for all that is under way, and remember the file as imported."""
        while self._under_way:
            await self._answer()
        await self._save(self._store.clock.now_ms())

    async def cancel(self) -> None:
        """Give up what is still under way: nothing after `finish`."""
        await end(*(each.task for each in self._under_way))


class _Pace:
    """Rates and remaining time over all files."""

    def __init__(self, clock: Clock, planned: Sequence[PlannedFile]) -> None:
        self._clock = clock
        self._start_ms = clock.now_ms()
        self._names = [each.file.name for each in planned]
        self._byte_count = sum(each.file.byte_count for each in planned)
        self._finished_byte_count = 0
        self._row_count = 0

    @property
    def elapsed_ms(self) -> int:
        """Time since the start; a clock set back counts as none."""
        return max(self._clock.now_ms() - self._start_ms, 0)

    def finish_file(self, file: DataFile) -> None:
        """Count a file as done."""
        self._finished_byte_count += file.byte_count

    def progress(self, file: DataFile, done_byte_count: int, row_count: int) -> Progress:
        """How far it is after some more rows of a file, of which so many bytes are read."""
        self._row_count += row_count
        done = self._finished_byte_count + min(done_byte_count, file.byte_count)
        elapsed_ms = self.elapsed_ms
        return Progress(
            file=file.name,
            file_number=self._names.index(file.name) + 1,
            file_count=len(self._names),
            row_count=self._row_count,
            done_byte_count=done,
            byte_count=self._byte_count,
            rows_per_s=self._row_count * 1_000 / max(elapsed_ms, 1),
            eta_ms=elapsed_ms * (self._byte_count - done) // done if done and elapsed_ms else None,
        )


def _reading(planned: PlannedFile) -> Reading:
    assert planned.sample is not None
    assert planned.rule is not None
    return Reading(planned.file, planned.sample, planned.rule.csv)


def _prepare(
    planned: PlannedFile, reading: Reading, start: int, policy: SourcePolicy, clock: Clock
) -> Iterator[_Prepared]:
    """The items of the rows after the first `start`, batch by batch. Earlier rows are only counted among equal ones."""
    from courtesy.source.occurrence import RowIds  # NumPy takes a while to load, and most commands read no files

    assert planned.rule is not None
    ids = RowIds(planned.file.identity)
    renderer = renderer_for(planned.rule, planned.file)
    done = 0
    for rows in reading.batches():
        done += rows.count
        if done <= start:
            ids.pass_over(rows.contents)
        else:
            yield _items(rows, ids.ids(rows.contents), renderer, policy, clock.now_ms())


def _items(rows: Rows, ids: list[str], renderer: Renderer, policy: SourcePolicy, now_ms: int) -> _Prepared:
    rendering = renderer.render(rows, ids)
    items = [_accepted(call, policy, now_ms) for call in rendering.calls]
    numbers = [rows.numbers[call.place] for call in rendering.calls]
    for bad in rows.bad:
        items.append(Rejected(bad.cause, bad.detail, bad.raw))
        numbers.append(bad.number)
    return _Prepared(rows.count, rendering.left_out_count, items, numbers)


def _accepted(call: Rendered, policy: SourcePolicy, now_ms: int) -> Item:
    if call.problem is not None:
        return Rejected(call.problem.cause, call.problem.detail, call.raw, call.message_id)
    return accept(Draft(call.raw, policy, now_ms, None, _no_id, None, False))


def _no_id(_: bytes) -> str:
    """Every row is rendered with a message id."""
    return ""
