"""Execution (a) once more, with segments that are defined, edited and archived while events come in, and made ready by
the product's own builder meanwhile: what was before is handed over to the fold, which counts what comes.

The builder goes on by so many of its questions to the store at a time, so that anything may happen between two of
them, and may be killed between any two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any as Anything

from courtesy.base.errors import CourtesyError
from courtesy.base.time import ManualClock
from courtesy.engine.contract import Append, Engine
from courtesy.engine.segment import SegmentStage
from courtesy.engine.tasks import end
from courtesy.engine_memory import MemoryEngine
from courtesy.runtime.catalog import SEGMENT, CatalogCache, Source
from courtesy.runtime.fold import LEASE_MS, FoldWorker
from courtesy.runtime.history import History
from courtesy.runtime.names_seen import NamesSeen
from courtesy.runtime.segment_building import SegmentBuilder
from courtesy.runtime.segment_query import SegmentQueries
from courtesy.runtime.segment_settling import Settler
from courtesy.runtime.segments import Segments
from courtesy.segment.definition import SegmentBody, stands_on
from courtesy.segment.live.settled import settled_conditions
from courtesy.segment.tree import Segment
from tests.unit.segment.arriving import PEOPLE, Arriving
from tests.unit.segment.executions import THE_LAW, Members
from tests.unit.segment.facts import Defined, Killed, Looked, Parted, Script, Step, World, instant_of
from tests.unit.segment.records import SOURCE_NAMES

WORKER = "one"
TIMERS_MAX = 60
ROUNDS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Noted:
    """Who was in the segments that were live at an instant, with all that these stand on."""

    known: World
    segments: Mapping[str, Segment]
    at_ms: int
    members: Members


class Gate:
    """An engine that answers one question for each turn that it is given. An append is one question."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turns = asyncio.Semaphore(0)
        self._is_inside = False

    def let(self) -> None:
        """Give a turn."""
        self._turns.release()

    def __getattr__(self, name: str) -> Anything:
        ask: Callable[..., Anything] = getattr(self._engine, name)

        async def asked(*given: Anything, **named: Anything) -> Anything:
            if not self._is_inside:
                await self._turns.acquire()
            return await ask(*given, **named)

        return asked

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[Append]:
        """One append, as a whole."""
        await self._turns.acquire()
        async with self._engine.appending() as append:
            self._is_inside = True
            try:
                yield append
            finally:
                self._is_inside = False


Build = Callable[..., SegmentBuilder]
Settle = Callable[..., Settler]


class Shop:
    """A store with a fold worker, and a builder that goes on when it is let."""

    def __init__(self, engine: MemoryEngine, clock: ManualClock, build: Build, settle: Settle | None) -> None:
        self.noted: list[Noted] = []
        self._engine = engine
        self._clock = clock
        self._build = build
        self._settle = settle
        self._catalog = CatalogCache(engine, clock)
        self._segments = Segments(engine, self._catalog, NamesSeen(engine, self._catalog, clock))
        folding = CatalogCache(engine, clock)
        self._worker = FoldWorker(engine, folding.catalog, clock, WORKER, folding.refresh)
        self._arriving = Arriving(engine, clock, lambda: self._catalog.catalog().watch)
        self._gate = Gate(engine)
        self._builders = CatalogCache(engine, clock)
        self._builder = self._new_builder()
        self._building: asyncio.Task[int] | None = None

    async def open(self) -> None:
        """Have the sources, under the numbers that worlds give them."""
        for number, name in sorted(SOURCE_NAMES.items()):
            assert await self._catalog.define_source(name, Source(), "tests") == number

    async def close(self) -> None:
        """Let go of the builder."""
        if self._building is not None:
            await end(self._building)

    def _new_builder(self) -> SegmentBuilder:
        """With nothing but what the store knows."""
        engine: Anything = self._gate
        self._builders = CatalogCache(self._engine, self._clock)
        settler = self._settler(engine, self._builders)
        return self._build(engine, History(engine), self._builders, self._clock, settler, people_page=1, wait_s=0)

    def _settler(self, engine: Engine, catalog: CatalogCache) -> Settler | None:
        if self._settle is None:
            return None
        queries = SegmentQueries(self._engine, None, lambda: SOURCE_NAMES, THE_LAW)
        return self._settle(engine, lambda: queries, catalog, self._clock)

    # -- steps

    async def play(self, script: Script) -> None:
        """Take one step after the other, and note who is in."""
        for step, (pace, is_folded) in zip(script.steps, script.paces, strict=True):
            await self._pass_until(instant_of(step))
            await self._take(step)
            await self._go_on(pace)
            if is_folded:
                await self._look()
        await self._finish()
        await self._look()

    async def _pass_until(self, at_ms: int) -> None:
        while len(self.noted) < TIMERS_MAX and (due_ms := await self._due_ms()) is not None and due_ms < at_ms:
            # Who is to be woken is due at once.
            for instant in (max(due_ms - 1, self._clock.now_ms()), max(due_ms, self._clock.now_ms())):
                self._clock.set(instant)
                await self._go_on(1)
                await self._look()
        self._clock.set(at_ms)

    async def _due_ms(self) -> int | None:
        leases = await self._engine.claim(WORKER, self._engine.partition_count, LEASE_MS)
        return await self._engine.next_due_ms(leases)

    async def _take(self, step: Step) -> None:
        match step:
            case Defined():
                with suppress(CourtesyError):  # others stand on it
                    await self._define(step)
            case Killed():
                await self.close()
                self._building = None
                self._builder = self._new_builder()
            case Looked():
                pass
            case _:
                if isinstance(step, Parted):
                    await self._fold()
                await self._catalog.refresh()
                await self._arriving.take(step)

    async def _define(self, defined: Defined) -> None:
        await self._catalog.refresh()
        known = self._catalog.now.segments.get(defined.name)
        if defined.segment is not None:
            await self._segments.define(defined.name, SegmentBody(defined.segment), "tests")
        elif known is not None:
            await self._segments.archive(defined.name, "tests", archived=not known.archived)

    # -- building

    async def _go_on(self, pace: int) -> None:
        """Let the builder ask so many questions."""
        for _ in range(pace):
            if self._building is None or self._building.done():
                if self._building is not None:
                    self._building.result()
                await self._builders.refresh()
                self._building = asyncio.create_task(self._builder.build_all())
            self._gate.let()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def _finish(self) -> None:
        """Have the builder make everything ready."""
        for _ in range(ROUNDS_MAX):
            await self._go_on(4)
            await self._fold()
            if len(await self._live()) == len(self._in_force()):
                return
            if self._settle is not None:
                await asyncio.sleep(0.001)  # SQL is asked in a thread
        raise AssertionError("a segment is never ready")

    async def _fold(self) -> None:
        await self._worker.claim()
        while await self._worker.fold_once() + await self._worker.fire_due():
            await self._worker.claim()

    # -- looking

    def _in_force(self) -> dict[str, Segment]:
        now = self._catalog.now
        return {each.name: each.tree for each in now.segments_in_force}

    async def _live(self) -> dict[str, Segment]:
        """The segments that are live, as is all that they stand on."""
        await self._catalog.refresh()
        found: dict[str, Segment] = {}
        states = await self._engine.segment_states()
        for each in self._catalog.now.segments_in_force:
            state = states.get(each.number)
            is_live = state is not None and (state.revision, state.stage) == (each.revision, SegmentStage.LIVE)
            if is_live and stands_on(each.tree) <= found.keys():
                found[each.name] = each.tree
        return found

    async def _look(self) -> None:
        """Note who is in, once all that is there is folded."""
        await self._fold()
        segments = await self._live()
        settler = self._settler(self._engine, self._catalog)
        if settler is not None and segments:
            await settler.settle(settled_conditions(self._catalog.now.segments_in_force))
            await self._fold()
        numbers = {self._catalog.now.revisions[SEGMENT, name].number: name for name in segments}
        found: Members = {name: set() for name in segments}
        for each in await self._engine.segments_of(PEOPLE):
            if each.segment in numbers:
                found[numbers[each.segment]].add((each.person, each.value))
        self.noted.append(Noted(self._arriving.known, segments, self._clock.now_ms(), found))


async def handed_over(script: Script, build: Build = SegmentBuilder, settle: Settle | None = None) -> list[Noted]:
    """What is noted of a script. `build`: what makes segments ready; `settle`: what settles ranks and groups before
    anything is noted, None where nothing asks for any."""
    clock = ManualClock(instant_of(script.steps[0]))
    engine = MemoryEngine(clock)
    await engine.open()
    shop = Shop(engine, clock, build, settle)
    try:
        await shop.open()
        await shop.play(script)
        return shop.noted
    finally:
        await shop.close()
        await engine.close()
