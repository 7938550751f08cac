"""Conditions that can't be told from one person alone, a rank among all people and what groups are like, are *settled*:
asked of everybody by SQL, and whoever it changed for is told by a record of theirs.

This is as exact as it is often, which is at least every `SETTLE_EVERY_S` while anything happens; when asking takes long
it is seldomer, so that it never takes more than a twentieth of a core's time. For nobody else's sake is anybody looked
at: a segment that stands on such a condition is exact but for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId, Position
from courtesy.base.time import Clock
from courtesy.engine.contract import AppendBatch, Engine
from courtesy.identity.resolve import Changes
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, RecordKind, settled_payload
from courtesy.runtime.catalog import CatalogCache
from courtesy.segment.live.settled import settled_conditions
from courtesy.segment.tree import Expression, Segment

if TYPE_CHECKING:
    from courtesy.runtime.segment_query import SegmentQueries

SETTLE_EVERY_S = 10.0
SHARE_MAX = 20
"""It is not asked again before so many times as long has passed as asking took."""

PAGE = 5_000
NOBODY = ""
ASKED = "asked"

log = structlog.get_logger("segments")


class Settler:
    """Keeps conditions settled, for one installation. Two at once do no harm: who is told twice is told the same."""

    def __init__(
        self, engine: Engine, queries: Callable[[], SegmentQueries], catalog: CatalogCache, clock: Clock
    ) -> None:
        """`queries` is called when there is something to ask: what asking stands on takes memory."""
        self._engine = engine
        self._queries = queries
        self._catalog = catalog
        self._clock = clock
        self._head: Position | None = None
        self._not_before_s = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Settle what is to be settled, until `stop` is set. Costs nothing while no segment asks for any such."""
        while not stop.is_set():
            try:
                await self.settle_if_due()
            except CourtesyError as error:
                log.warning("settling_waits", cause=error.message)
            try:
                await asyncio.wait_for(stop.wait(), 1.0)
            except TimeoutError:
                continue

    async def settle_if_due(self) -> None:
        """Settle all conditions in force, if anything was appended since the last time and that is long enough ago."""
        conditions = settled_conditions(self._catalog.now.segments_in_force)
        if not conditions or time.monotonic() < self._not_before_s:
            return
        head = await self._engine.head()
        if head == self._head and all(key in self._catalog.now.settled for key in conditions):
            return
        began = time.monotonic()
        await self.settle(conditions)
        took = time.monotonic() - began
        self._head = await self._engine.head()
        self._not_before_s = time.monotonic() + max(SETTLE_EVERY_S, SHARE_MAX * took)

    async def settle(self, conditions: Mapping[str, Expression]) -> int:
        """Ask for each condition whom it holds for, and tell those for whom that is news; how many."""
        told = 0
        for key, condition in conditions.items():
            number = await self._catalog.settle(key)
            found = await self._found(condition)
            known = await self._known(number)
            changed = [(person, True) for person in sorted(found - known)]
            changed += [(person, False) for person in sorted(known - found)]
            for start in range(0, len(changed), PAGE):
                await self._tell(key, number, changed[start : start + PAGE])
            told += len(changed)
        return told

    async def _found(self, condition: Expression) -> set[PersonId]:
        found: set[PersonId] = set()
        async with self._queries().asking() as asking:
            async for batch in asking.members({ASKED: Segment(1, condition)}, ASKED, self._clock.now_ms()):
                found.update(PersonId(person) for person in batch.column("person_id").to_pylist())
        return found

    async def _known(self, number: int) -> set[PersonId]:
        known: set[PersonId] = set()
        after: tuple[str, PersonId] | None = None
        while page := await self._engine.members(number, NOBODY, after, PAGE):
            known.update(each.person for each in page)
            after = (NOBODY, page[-1].person)
        return known

    async def _tell(self, key: str, number: int, changed: Sequence[tuple[PersonId, bool]]) -> None:
        now_ms = self._clock.now_ms()
        records = [
            NewRecord(
                person,
                RecordKind.SETTLED,
                now_ms,
                now_ms,
                SYSTEM_SOURCE,
                bytes(16),
                settled_payload(key, number, holds=holds),
            )
            for person, holds in changed
        ]
        async with self._engine.appending() as append:
            await append.write(AppendBatch(records, (), Changes(), (), (), now_ms))
