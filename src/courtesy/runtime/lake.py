"""The exporter: brings what is accepted from the log to the lake, in order, and keeps the lake's files in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import MINUTE_MS, SECOND_MS, Clock
from courtesy.engine.contract import Engine
from courtesy.lake import Lake
from courtesy.person.record import Record
from courtesy.runtime.retention import Rule
from courtesy.runtime.telemetry import LAKE_FAILURES, LAKE_ROWS, LAKE_TIME, TRACER

PAGE_RECORDS = 5_000
BATCH_RECORDS = 200_000
BATCH_BYTES = 64 << 20
"""How much is read before it is written: some hundred MB of memory, and at twenty thousand events a second one commit
for each turn."""

LATE_MS = 30 * SECOND_MS
"""How old events may be before the lake is in a hurry for them: it is to be at most a minute behind."""

TIDY_EVERY_MS = 10 * MINUTE_MS

log = structlog.get_logger("lake")


class Exporter:
    """Fills a lake. Several may do so at once; each event is in the lake once, whoever dies when.

    The lake itself says, in the commit that adds events, up to where it has the log; the store is told afterwards, and
    drops nothing that lies behind. When the lake can't be reached the events wait in the log.
    """

    def __init__(
        self,
        engine: Engine,
        lake: Lake,
        clock: Clock,
        every_s: float,
        set_urgent: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`set_urgent` is told whether events are late; while none are, others may go first."""
        self._engine = engine
        self._lake = lake
        self._clock = clock
        self._every_s = every_s
        self._set_urgent = set_urgent
        self._read = Position(0)
        self._waits = False

    async def run(self, stop: asyncio.Event) -> None:
        """Export every so often until `stop` is set; an attempt under way is brought to its end."""
        keeping = asyncio.create_task(self._keep_in_order(stop))
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            began = loop.time()
            await self._attempt(stop)
            await _pause(stop, began + self._every_s - loop.time())
        await keeping

    async def _attempt(self, stop: asyncio.Event) -> None:
        try:
            while await self.export_once() and not stop.is_set():
                pass
            await self.erase_pending()
        except CourtesyError as error:
            LAKE_FAILURES.inc()
            # An outage is told once, however long it lasts.
            if not self._waits:
                log.warning("lake_waits", cause=error.message, hint=error.hint)
            self._waits = True
        else:
            if self._waits:
                log.info("lake_answers_again")
            self._waits = False

    async def export_once(self) -> bool:
        """Bring one batch to the lake; whether there may be more. Raises Unavailable and StorageFull."""
        now_ms = self._clock.now_ms()
        with TRACER.start_as_current_span("export"):
            async with self._lake.appending() as appending:
                start = max(self._read, appending.position) if appending.position is not None else Position(0)
                records, is_all = await self._next(start)
                up_to = records[-1].position if records else start
                LAKE_ROWS.inc(await appending.write(records, up_to))
            if records:
                await self._engine.save_lake_position(up_to)
        # With no event in it a batch leaves no trace in the lake, and is not to be read again.
        self._read = up_to
        LAKE_TIME.set((now_ms if is_all else records[-1].received) / SECOND_MS)
        if is_all:
            self._set_urgent(False)
        return not is_all

    async def erase_pending(self) -> None:
        """Make the erasures that were cut short before the lake had made them. Raises Unavailable and StorageFull."""
        for pending in await self._engine.pending_erasures():
            await self._lake.erase(pending.people, pending.others, pending.kept)
            await self._engine.archive_erased(pending.number, self._clock.now_ms())

    async def _next(self, start: Position) -> tuple[list[Record], bool]:
        """The records after a position that are written together, and whether these were all."""
        records: list[Record] = []
        size_bytes = 0
        while len(records) < BATCH_RECORDS and size_bytes < BATCH_BYTES:
            page = await self._engine.log_after(records[-1].position if records else start, PAGE_RECORDS)
            if not page:
                return records, True
            records += page
            self._set_urgent(self._clock.now_ms() - records[0].received > LATE_MS)
            size_bytes += sum(len(record.payload) for record in page)
        return records, False

    async def _keep_in_order(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await _pause(stop, TIDY_EVERY_MS / SECOND_MS)
            if stop.is_set():
                return
            try:
                deleted = await self._lake.tidy(self._clock.now_ms(), stop.is_set)
                if deleted:
                    log.info("lake_tidied", files_deleted=deleted)
            except CourtesyError as error:
                LAKE_FAILURES.inc()
                log.warning("lake_not_tidied", cause=error.message)


class LakeRetention:
    """Lets go of old events in a lake: each rule once a day, for it rewrites files and ends earlier snapshots."""

    def __init__(self, lake: Lake, rules_now: Callable[[], list[Rule]], clock: Clock) -> None:
        self._lake = lake
        self._rules_now = rules_now
        self._clock = clock
        self._done: dict[Rule, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until `stop` is set; a rule under way is brought to its end."""
        while not stop.is_set():
            try:
                await self.let_go()
            except CourtesyError as error:
                LAKE_FAILURES.inc()
                log.warning("retention_waits", cause=error.message)
            await _pause(stop, TIDY_EVERY_MS / SECOND_MS)

    async def let_go(self) -> int:
        """Remove what the rules let go of by now; how many events. Raises Unavailable and StorageFull."""
        rules = self._rules_now()
        self._done = {rule: cutoff_ms for rule, cutoff_ms in self._done.items() if rule in rules}
        removed = 0
        for rule in rules:
            cutoff_ms = rule.cutoff_ms(self._clock.now_ms())
            if self._done.get(rule) != cutoff_ms:
                removed += await self._lake.erase_where(rule.source, rule.name, cutoff_ms)
                self._done[rule] = cutoff_ms
        return removed


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), max(0.0, seconds))
    except TimeoutError:
        return
