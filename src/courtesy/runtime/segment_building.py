"""Making a new segment ready: what happened before it was defined is counted for it, once, and everybody is looked at.

A segment that is defined while the log ends at position X counts events beyond X as they come. What lies up to X is
counted here and reaches the fold as COUNTED records under a key of their own: so each event counts exactly once,
whatever is repeated or breaks off. It is counted in the lake, for everybody at once; for those whose events were moved
by a repair, and where there is no lake, person by person from history. When all are in the log the segment is *ready*:
from then on whoever does anything is looked at, and a timer wakes everybody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec
import structlog

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import Clock
from courtesy.engine.contract import AppendBatch, Engine, StorageFull, Unavailable
from courtesy.engine.segment import SegmentStage, SegmentState
from courtesy.identity.resolve import Changes
from courtesy.person.marks import Mark, Marks
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, Record, RecordKind, counted_payload, input_of
from courtesy.person.state import PersonState, decode_state
from courtesy.person.step import WAKE, Occurred
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.history import History
from courtesy.runtime.segment_settling import Settler
from courtesy.segment.definition import SegmentDefinition
from courtesy.segment.live.settled import settled_conditions
from courtesy.segment.live.watch import Tally, patterns_in_force

if TYPE_CHECKING:
    from courtesy.runtime.segment_query import SegmentQueries

PEOPLE_PAGE = 500
WAKE_PAGE = 5_000
LOOK_EVERY_S = 0.5
WAIT_S = 0.05

log = structlog.get_logger("segments")


class SegmentBuilder:
    """Makes segments ready, those first that were defined first."""

    def __init__(
        self,
        engine: Engine,
        history: History,
        catalog: CatalogCache,
        clock: Clock,
        settler: Settler | None = None,
        queries: Callable[[], SegmentQueries] | None = None,
        *,
        people_page: int = PEOPLE_PAGE,
        wait_s: float = WAIT_S,
    ) -> None:
        """`settler`: settles what a segment asks of others, before it is ready; None where none does. `queries`: asks
        the lake; None where there is none. `people_page`: people counted in one append; `wait_s`: how long it waits
        before it looks again how far others are."""
        self._settler = settler
        self._queries = queries
        self._people_page = people_page
        self._wait_s = wait_s
        self._engine = engine
        self._history = history
        self._catalog = catalog
        self._clock = clock
        self._told: dict[int, SegmentState] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Make ready whatever is not, until `stop` is set."""
        while not stop.is_set():
            try:
                await self.build_all()
            except (Unavailable, StorageFull) as error:
                log.warning("segments_wait", cause=error.message)
            try:
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def build_all(self) -> int:
        """Make every segment ready that is not; how many became so. Costs nothing while none does."""
        waiting = [each for each in self._catalog.now.segments_in_force if not self._is_done(each)]
        if not waiting:
            return 0
        self._told = await self._engine.segment_states()
        waiting = [each for each in waiting if not self._is_done(each)]
        for each in sorted(waiting, key=_since):
            await self._build(each)
        return len(waiting)

    def _is_done(self, segment: SegmentDefinition) -> bool:
        told = self._told.get(segment.number)
        return told is not None and (told.revision, told.stage) == (segment.revision, SegmentStage.LIVE)

    async def _build(self, segment: SegmentDefinition) -> None:
        if segment.ready is None:
            await self._tell(segment, SegmentStage.BUILDING)
            await self._count(segment)
            if self._settler is not None:
                await self._settler.settle(settled_conditions([segment]))
            # Whoever is looked at from now on has all that was counted for them.
            await self._folded_up_to(await self._engine.head())
            await self._catalog.segment_is_ready(segment.name, segment.revision)
        await self._wake_all()
        await self._tell(segment, SegmentStage.LIVE)
        log.info("segment_ready", segment=segment.name, revision=segment.revision)

    async def _tell(self, segment: SegmentDefinition, stage: SegmentStage) -> None:
        sizes = await self._engine.segment_sizes([segment.number])
        count = sizes[segment.number].people_count if segment.number in sizes else 0
        state = SegmentState(
            segment.number, segment.revision, stage, await self._engine.head(), self._clock.now_ms(), count
        )
        await self._engine.set_segment_state(state)
        self._told[segment.number] = state

    # -- counting

    async def _count(self, segment: SegmentDefinition) -> None:
        """Have counted what nobody has counted yet of all that a segment asks for."""
        done = patterns_in_force(each for each in self._catalog.now.segments_in_force if each.ready is not None)
        missing = sorted(
            (since, key) for key, since in patterns_in_force([segment]).items() if key not in done
        )  # fmt: skip
        for since, keys in groupby(missing, key=lambda each: each[0]):
            if since:
                await self._folded_up_to(since)
                tally = Tally(segment, {key for _, key in keys}, self._catalog.now.source_names)
                await self._count_up_to(since, tally)

    async def _folded_up_to(self, position: Position) -> None:
        """Return when everybody who did anything by then has a state."""

        async def is_folded() -> bool:
            return not any(each.folded < position and each.unfolded_count for each in await self._engine.status())

        await self._until(is_folded)

    async def _count_up_to(self, since: Position, tally: Tally) -> None:
        now_ms = self._clock.now_ms()
        if self._queries is None:
            after: PersonId | None = None
            while people := await self._engine.stored_people(after, self._people_page):
                after = people[-1]
                await self._count_by_history(people, since, tally, now_ms)
            return
        async with self._queries().asking() as asking:
            by_history = await asking.repaired()
            async for counted in asking.marks(tally.keeps, since, now_ms):
                by_history |= {person for person, marks in counted.items() if marks is None}
                known = {person: marks for person, marks in counted.items() if marks and person not in by_history}
                for people in _pages(known, self._people_page):
                    await self._append({person: known[person] for person in people}, since, tally)
        for people in _pages(by_history, self._people_page):
            await self._count_by_history(people, since, tally, now_ms)

    async def _count_by_history(self, people: Sequence[PersonId], since: Position, tally: Tally, now_ms: int) -> None:
        owned = await self._history.of(people)
        found = counted(((owner, record) for record, owner in owned.items() if record.position <= since), tally, now_ms)
        if found:
            await self._append(found, since, tally)

    async def _append(self, counted: Mapping[PersonId, Mapping[str, Mark]], since: Position, tally: Tally) -> None:
        """Give everybody what was counted for them, but who was found anew since then and has it already, and who was
        erased meanwhile."""
        now_ms = self._clock.now_ms()
        keys = {person: _key(person, tally) for person in counted}
        async with self._engine.appending() as append:
            anew = await self._found_anew(counted, since)
            seen = await append.seen(list(keys.values()))
            there = await self._engine.states(counted)
            fresh = [person for person in there if keys[person] not in seen and person not in anew]
            records = [
                NewRecord(
                    person, RecordKind.COUNTED, now_ms, now_ms, SYSTEM_SOURCE, keys[person],
                    counted_payload(counted[person]),
                )
                for person in fresh
            ]  # fmt: skip
            if records:
                own = [keys[person] for person in fresh]
                await append.write(AppendBatch(records, own, Changes(), (), (), now_ms))

    async def _found_anew(self, people: Collection[PersonId], since: Position) -> set[PersonId]:
        """Those of some people who were found anew since a position, alone or with whom they were part of by then."""
        restored = await self._engine.latest_since(since, RecordKind.RESTORE)
        if not restored:
            return set()
        handed_over = await self._engine.latest_since(since, RecordKind.HAND_OVER)
        return {person for person in people if await self._is_anew(person, restored, handed_over)}

    async def _is_anew(
        self, person: PersonId, restored: Mapping[PersonId, Position], handed_over: Mapping[PersonId, Position]
    ) -> bool:
        """Whether somebody, or whom they became part of before that one was found anew, was."""
        passed: set[PersonId] = set()
        joined = Position(0)
        whole: PersonId | None = person
        while whole is not None and whole not in passed:
            if joined <= restored.get(whole, -1):
                return True
            passed.add(whole)
            joined = max(joined, handed_over.get(whole, joined))
            state = (await self._engine.states([whole])).get(whole)
            # Who has not handed over yet does so after whatever was found anew.
            whole = None if state is None else decode_state(state).merged_into
        return False

    # -- looking

    async def _wake_all(self) -> None:
        """Have everybody looked at, and return when they were."""
        after: PersonId | None = None
        while people := await self._engine.stored_people(after, WAKE_PAGE):
            after = people[-1]
            await self._engine.wake(people, WAKE, self._clock.now_ms())

        async def all_woke() -> bool:
            return not await self._engine.waiting_count(WAKE)

        await self._until(all_woke)
        await self._folded_up_to(await self._engine.head())

    async def _until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Return when it holds. Other processes make it so, which nobody hears of."""
        while True:
            if await holds():
                return
            await asyncio.sleep(self._wait_s)


def _since(segment: SegmentDefinition) -> tuple[Position, int]:
    return max((since for _, since in segment.patterns.values()), default=Position(0)), segment.number


def counted(owned: Iterable[tuple[PersonId, Record]], tally: Tally, now_ms: int) -> dict[PersonId, dict[str, Mark]]:
    """What the events of each person come to; without those who did nothing of it."""
    states: dict[PersonId, PersonState] = {}
    for person, record in owned:
        if record.kind != RecordKind.EVENT:
            continue
        try:
            given = input_of(record)
        except (msgspec.DecodeError, ValueError, RecursionError):
            # As the fold sets it aside.
            continue
        if isinstance(given, Occurred):
            state = states.setdefault(person, PersonState(person, marks=Marks(now=now_ms)))
            tally.count(state, given.fact, given.tie)
    return {person: state.marks.marks for person, state in states.items() if state.marks and state.marks.marks}


def _pages(people: Collection[PersonId], size: int) -> Iterator[list[PersonId]]:
    ordered = sorted(people)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _key(person: PersonId, tally: Tally) -> bytes:
    return blake2b(f"counted/{person}/{'/'.join(sorted(tally.keys))}".encode(), digest_size=16).digest()
