"""Execution (a): what comes in is folded as it comes, time passes in between, and whoever is in a segment
is in it then.

A world is played to the product's own fold worker on an engine in memory, whose clock is moved to each arrival, to each
timer, and to instants at which nothing happens at all. After each the members are noted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from courtesy.base.ids import Position
from courtesy.base.time import ManualClock
from courtesy.engine_memory import MemoryEngine
from courtesy.person.catalog import Catalog
from courtesy.runtime.fold import LEASE_MS, FoldWorker
from courtesy.segment.definition import SegmentDefinition
from courtesy.segment.live.watch import Watch, patterns_for
from courtesy.segment.tree import Segment
from tests.unit.segment.arriving import PEOPLE, Arriving
from tests.unit.segment.executions import THE_LAW, Members
from tests.unit.segment.facts import Arrival, Parted, World
from tests.unit.segment.records import SOURCE_NAMES

WORKER = "one"
TIMERS_MAX = 400
"""At more of them no test waits for the end."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Who was in at an instant, by what had come in until then."""

    known: World
    at_ms: int
    members: Members


async def played(
    world: World, segments: Mapping[str, Segment], looks: Sequence[int], watch: type[Watch] = Watch
) -> list[Noted]:
    """What is noted of a world: at each arrival and each timer, and at each of some instants that is not over then.
    `watch`: what watches over the segments."""
    first_ms = min((each.received_ms for each in world.arrivals), default=0)
    steps: list[tuple[int, Arrival | None]] = [(each.received_ms, each) for each in world.arrivals]
    steps += [(at_ms, None) for at_ms in looks if at_ms >= first_ms]
    async with _stage(
        watch(definitions_of(segments), laws=THE_LAW, source_names=SOURCE_NAMES), segments, first_ms
    ) as stage:
        for at_ms, arrival in sorted(steps, key=lambda step: step[0]):
            while (due_ms := await stage.due_ms()) is not None and due_ms < at_ms and stage.has_time:
                # A timer that is late has left somebody as they were for a ms too long.
                await stage.move_on(due_ms - 1)
                await stage.move_on(due_ms)
            if arrival is not None:
                await stage.take(arrival)
            await stage.move_on(at_ms)
        return stage.noted


@asynccontextmanager
async def _stage(watch: Watch, segments: Mapping[str, Segment], now_ms: int) -> AsyncIterator[Stage]:
    clock = ManualClock(now_ms)
    engine = MemoryEngine(clock)
    await engine.open()
    try:
        yield Stage(engine, clock, segments, watch)
    finally:
        await engine.close()


class Stage:
    """An engine, a worker and a clock, on which a world is played."""

    def __init__(self, engine: MemoryEngine, clock: ManualClock, segments: Mapping[str, Segment], watch: Watch) -> None:
        self.noted: list[Noted] = []
        self._engine = engine
        self._clock = clock
        self._names = dict(enumerate(segments, start=1))
        self._catalog = Catalog(1, (), watch)
        self._worker = FoldWorker(engine, lambda: self._catalog, clock, WORKER)
        self._arriving = Arriving(engine, clock, lambda: watch)

    @property
    def has_time(self) -> bool:
        """Whether it makes sense to wait for more timers."""
        return len(self.noted) < TIMERS_MAX

    async def due_ms(self) -> int | None:
        """When the next timer is due."""
        leases = await self._engine.claim(WORKER, self._engine.partition_count, LEASE_MS)
        return await self._engine.next_due_ms(leases)

    async def take(self, arrival: Arrival) -> None:
        """Append what comes in."""
        self._clock.set(arrival.received_ms)
        if isinstance(arrival, Parted):
            await self._fold()
        await self._arriving.take(arrival)

    async def move_on(self, at_ms: int) -> None:
        """Let time pass until an instant, and note who is in then."""
        self._clock.set(at_ms)
        await self._fold()
        found: Members = {name: set() for name in self._names.values()}
        for each in await self._engine.segments_of(PEOPLE):
            found[self._names[each.segment]].add((each.person, each.value))
        self.noted.append(Noted(self._arriving.known, at_ms, found))

    async def _fold(self) -> None:
        await self._worker.claim()
        while await self._worker.fold_once() + await self._worker.fire_due():
            await self._worker.claim()


def definitions_of(segments: Mapping[str, Segment]) -> list[SegmentDefinition]:
    """The segments as they are defined before anything comes in."""
    found: list[SegmentDefinition] = []
    for number, (name, segment) in enumerate(segments.items(), start=1):
        patterns = patterns_for(segment, Position(0), found)
        found.append(SegmentDefinition(number, name, 1, segment, patterns, ready=number))
    return found
