"""A whole installation: the disk, the processes with somebody who restarts them, the network, and what befalls them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from random import Random
from typing import Any

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PARTITION_COUNT
from courtesy.base.time import SECOND_MS
from courtesy.engine.contract import StorageFull, Unavailable
from courtesy.engine_memory import MemoryEngine
from courtesy.event.cause import Cause
from courtesy.event.event import Party
from courtesy.event.mend import Default, Drop, MapValues, Operation, Rename
from courtesy.person.catalog import EVERY_EVENT, Subscription
from courtesy.runtime.catalog import CatalogCache, Source
from courtesy.runtime.quarantine import Quarantine, Selection
from tests.sim.calls import CARTED, ORDERED, VIEWED
from tests.sim.clients import Network
from tests.sim.faults import CHAOS_S, Faults
from tests.sim.history import History
from tests.sim.loop import VirtualClock
from tests.sim.process import IMPORTED, Courier, Folder, Front, Machine, Parts, Process
from tests.sim.remote import Remote

START_MS = 1_788_220_800_000  # 2026-09-01T00:00:00Z

SOURCES = {
    "web": Source(),
    "app": Source(party=Party.ZERO),
    "partner": Source(party=Party.SECOND),
    IMPORTED: Source(party=Party.THIRD),
}
ALWAYS = Subscription("always", "https://remote.example/always", (ORDERED,))
PATIENT = Subscription("patient", "https://remote.example/patient", (CARTED,), 20 * SECOND_MS, (ORDERED,))
FICKLE = (
    Subscription("fickle", "https://remote.example/fickle", (VIEWED,)),
    Subscription("fickle late", "https://remote.example/late", (EVERY_EVENT,), 8 * SECOND_MS),
)
"""Subscriptions that come and go; the others are there from the start to the end."""

FIXES: dict[Cause, tuple[Operation, ...]] = {
    Cause.WRONG_TYPE: (Rename("userId.0", "userId"),),
    Cause.UNKNOWN_TYPE: (MapValues("type", {"trak": "track"}),),
    Cause.NOT_AN_OBJECT: (Drop("context"),),
    Cause.NAME_MISSING: (MapValues("event", {" ": VIEWED}), Default("event", VIEWED)),
    Cause.TIME_UNREADABLE: (Drop("originalTimestamp"),),
    Cause.NO_IDENTIFIER: (MapValues("userId", {"null": "u0"}),),
    Cause.UNSTORABLE: (),
}
"""What mends the broken messages of the clients; some need two of them, one after the other."""

CREW: tuple[tuple[type[Process], int], ...] = ((Front, 2), (Folder, 2), (Courier, 1))


class System:
    """One run's installation on a machine. Whoever dies is started again, until `close`."""

    def __init__(self, seed: int, faults: Faults, history: History, clock: VirtualClock, parts: Parts) -> None:
        self.loop = asyncio.get_running_loop()
        self.faults = faults
        self.history = history
        self.clock = clock
        self._chance = Random(f"{seed} system")
        self.disk = parts.disk(history, faults, Random(f"{seed} disk"), self._chance.choice((2, 5, PARTITION_COUNT)))
        self.remote = Remote(faults, history)
        self.machine = Machine(self.loop, clock, self.disk, faults, history, self.remote, parts)
        self.network = Network(self, faults, history, Random(f"{seed} network"))
        self.processes: list[Process] = []
        self.engine = MemoryEngine(clock, self.disk.partition_count, self.disk)
        self._is_closing = False
        self._names = 0
        self._extra: list[asyncio.Task[Any]] = []

    def true_ms(self) -> int:
        """What a right clock would show."""
        return START_MS + int(self.loop.time() * 1_000)

    # -- life of processes

    async def open(self) -> None:
        """Define what is always defined, and start everybody."""
        await self.engine.open()
        catalog = CatalogCache(self.engine, self.clock)
        await catalog.refresh()
        for name, source in SOURCES.items():
            self.history.sources[name] = await catalog.define_source(name, source, "sim")
        for subscription in (ALWAYS, PATIENT):
            await catalog.define_subscription(subscription, "sim")
            self.history.define(subscription.name, present=True)
        for kind, count in CREW:
            for _ in range(count):
                self.launch(kind)

    def launch(self, kind: type[Process], name: str | None = None) -> None:
        """Start a process; one that took the place of a dead one may have its name."""
        if self._is_closing:
            return
        self._names += 1
        process = kind(self.machine, name or f"{kind.kind}-{self._names}")
        self.processes.append(process)
        process.start()
        assert process.done is not None
        process.done.add_done_callback(lambda done: self._ended(process, done))

    def _ended(self, process: Process, done: asyncio.Task[None]) -> None:
        self.processes.remove(process)
        error = None if done.cancelled() else done.exception()
        if error is not None and not isinstance(error, CourtesyError):
            self.history.fail("processes", f"{process.name} ended with {error!r}")
        self.history.trace.note(process.name, "ended", type(error).__name__)
        if not process.stop.is_set() or process.crashed:
            name = process.name if self._chance.random() < 0.3 else None
            self.loop.call_later(self._chance.uniform(0.1, 3.0), self.launch, type(process), name)

    def any_front(self, chance: Random) -> Front | None:
        """One of the processes that accept; None while there is none."""
        fronts = [each for each in self.processes if isinstance(each, Front) and each.is_ready and not each.crashed]
        return chance.choice(fronts) if fronts else None

    def later(self, body: Coroutine[Any, Any, Any]) -> None:
        """Run something that nobody waits for."""
        self._extra = [each for each in self._extra if not each.done()]
        self._extra.append(self.loop.create_task(body, context=Context()))

    async def close(self) -> None:
        """Stop everybody as an operator would."""
        self._is_closing = True
        for process in self.processes:
            process.stop.set()
        await asyncio.wait([each.done for each in self.processes if each.done is not None], timeout=60)
        if self.processes:
            self.history.fail("processes", f"{[each.name for each in self.processes]} do not stop")

    # -- what befalls everybody

    async def suffer(self) -> None:
        """All that the weather has for everybody, at instants spread over the bad time."""
        weather = self.faults.weather
        kinds = {
            self.faults.begin_outage: weather.outages,
            self.faults.begin_full: weather.fulls,
            self._cut_power: weather.power_cuts,
            self._set_clock: weather.clock_jumps,
            self._join: weather.joins,
            self._leave: weather.leaves,
        }
        plan = [
            (self._chance.uniform(0, CHAOS_S), i, act) for i, (act, n) in enumerate(kinds.items()) for _ in range(n)
        ]
        for at_s, _, act in sorted(plan, key=lambda each: each[:2]):
            await asyncio.sleep(max(0.0, at_s - self.loop.time()))
            act()

    def _cut_power(self) -> None:
        self.faults.seen["power cut"] += 1
        for process in list(self.processes):
            process.crash()

    def _set_clock(self) -> None:
        self.faults.seen["clock set"] += 1
        by_ms = self.faults.jump_ms()
        self.history.clock_was_set = True
        self.clock.advance(by_ms)
        self.history.trace.note("clock", by_ms)

    def _join(self) -> None:
        self.faults.seen["joins"] += 1
        self.launch(self._chance.choice((Front, Folder, Courier)))

    def _leave(self) -> None:
        """A process is stopped in good order, and for workers of which none is left another comes."""
        process = self._chance.choice(self.processes) if self.processes else None
        if process is None or process.crashed:
            return
        self.faults.seen["leaves"] += 1
        process.stop.set()
        if sum(type(each) is type(process) and not each.stop.is_set() for each in self.processes) == 0:
            self.launch(type(process))

    async def keep_up(self) -> None:
        """The upkeep, far more eager than the real one."""
        for _ in range(self.faults.weather.trims):
            await asyncio.sleep(self._chance.uniform(0, 2 * CHAOS_S / self.faults.weather.trims))
            before_ms = self.clock.now_ms() - int(self._chance.random() ** 2 * 60_000)
            couriers = [each for each in self.processes if isinstance(each, Courier) and not each.crashed]
            if couriers:
                self.faults.seen["trimmed"] += 1
                await asyncio.wait([couriers[0].spawn(couriers[0].trim(before_ms))])

    async def mend(self) -> None:
        """Somebody mends what is in quarantine, now and then two at once the same; or throws it away."""
        for _ in range(self.faults.weather.mendings):
            await asyncio.sleep(self._chance.uniform(0, 2 * CHAOS_S / self.faults.weather.mendings))
            fronts = [front for _ in range(2) if (front := self.any_front(self._chance)) is not None]
            groups = await self.engine.quarantine_groups(None, None)
            if groups and fronts:
                cause = self._chance.choice(groups).cause
                discard, live = self._chance.random() < 0.1, self._chance.random() < 0.5
                bodies = [self._mend(front.quarantine, cause, discard=discard, live=live) for front in fronts]
                await asyncio.wait([front.spawn(body) for front, body in zip(fronts, bodies, strict=True)])
                self.faults.seen["mended"] += 1

    async def _mend(self, quarantine: Quarantine, cause: Cause, *, discard: bool, live: bool) -> None:
        try:
            for group in await quarantine.groups(None, cause):
                if discard:
                    await quarantine.discard(Selection(group.id), "no use", "sim")
                elif cause in FIXES:
                    await quarantine.replay(Selection(group.id), FIXES[cause], live=live)
        except CourtesyError as error:
            # Another was quicker, or the store does not answer: what was not mended waits.
            self.history.trace.note("not mended", error.code)

    async def redefine(self) -> None:
        """Subscriptions come and go, by whatever process answers."""
        for _ in range(self.faults.weather.redefinitions):
            await asyncio.sleep(self._chance.uniform(0, 2 * CHAOS_S / self.faults.weather.redefinitions))
            front = self.any_front(self._chance)
            if front is None:
                continue
            task = front.spawn(self._redefine(front.catalog, self._chance.choice(FICKLE)))
            await asyncio.wait([task])

    async def _redefine(self, catalog: CatalogCache, subscription: Subscription) -> None:
        try:
            if subscription.name in catalog.now.subscriptions:
                await catalog.remove_subscription(subscription.name, "sim")
            else:
                await catalog.define_subscription(subscription, "sim")
        except (Unavailable, StorageFull):
            return
