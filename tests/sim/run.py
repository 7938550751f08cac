"""One run from a seed: bad time, rest, judgement."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, cast

import msgspec
import structlog

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import Partition, Position
from courtesy.base.time import DAY_MS
from courtesy.channel.contract import MAX_BACKOFF_MS
from courtesy.engine.contract import Lease
from courtesy.engine.permit import Permit, PermitFilter
from courtesy.identity.rules import SOURCE_KIND, split_identifier
from courtesy.person.record import RecordKind
from courtesy.runtime.audit import Audit
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.erase import Eraser
from courtesy.runtime.held import HeldEvents
from courtesy.runtime.history import History as Past
from courtesy.runtime.ledger import Ledger
from courtesy.runtime.people import People
from courtesy.runtime.permits import NOBODY, Ask, Permits
from tests.sim.calls import Chooser, draw_habits
from tests.sim.checkers import Rest, judge
from tests.sim.clients import Client
from tests.sim.faults import CHAOS_S, Faults, Weather, draw_weather
from tests.sim.history import Filed, History, Message, Remembered, Trace, Violation
from tests.sim.importer import Importer
from tests.sim.leaving import Probe
from tests.sim.loop import VirtualClock, run_virtually
from tests.sim.operator import Operator
from tests.sim.process import Front, Parts, Request, make_task
from tests.sim.readers import Reader
from tests.sim.refold import refolded
from tests.sim.search import texts_of
from tests.sim.senders import CHANNELS, PURPOSES, Sender
from tests.sim.system import SOURCES, START_MS, System

REAL = Parts()
ROWS_MAX = 1_000_000
ANSWERED_WITHIN_S = 90.0
FOLDED_WITHIN_S = 30.0
"""After the faults end: a lease may have to run out, and its partition be taken and folded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went. `violations` is empty when all held; `trace` is the digest of everything that happened."""

    seed: int
    violations: tuple[Violation, ...]
    trace: str
    faults: Counter[str]
    sizes: Counter[str]


def simulate(seed: int, parts: Parts = REAL, weather: Weather | None = None, *, verbose: bool = False) -> Outcome:
    """Run one seed to its end. `weather` instead of the seed's own."""
    with quiet_logs():
        return run_virtually(_Run(seed, parts, weather, verbose).play(), Random(f"{seed} turns"))


@contextmanager
def quiet_logs() -> Iterator[None]:
    """No log lines: thousands of faults are expected here, and the trace tells of them."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


class _Run:
    def __init__(self, seed: int, parts: Parts, weather: Weather | None, verbose: bool) -> None:
        self._seed = seed
        self._parts = parts
        self._weather = weather
        self._verbose = verbose

    async def play(self) -> Outcome:
        loop = asyncio.get_running_loop()
        trace = Trace(loop, verbose=self._verbose)
        history = History(loop, trace)
        loop.set_task_factory(cast(Any, make_task))
        loop.set_exception_handler(lambda _, context: history.fail("processes", f"nobody caught {context}"))
        chance = Random(f"{self._seed} run")
        weather = draw_weather(chance) if self._weather is None else self._weather
        faults = Faults(weather, Random(f"{self._seed} faults"), loop)
        system = System(self._seed, faults, history, VirtualClock(loop, START_MS), self._parts)
        reader = Reader(system, Random(f"{self._seed} reader"))
        trace.note(weather)
        try:
            await self._suffer(system, reader, chance)
            await self._come_to_rest(system)
            await self._probe(system)
            for name, found in judge(await self._gather(system)):
                history.fail(name, found)
            await system.close()
        except Violation as violation:
            history.violations.append(violation)
        sizes = Counter(
            messages=len(history.sent),
            records=len(history.filed),
            people=len(history.people()),
            effects=len(history.effects),
            reads=reader.read_count,
            repairs=len(history.repairs),
            erasures=len(history.erasures),
            take_backs=sum(each.taken_back_count for each in history.files.seen.values()),
            remembered=sum(map(history.is_clear, history.remembered)),
            permits=len(history.leaving.answered),
            refusals=history.leaving.refused_count,
            sends=len(history.leaving.left),
            steps=trace.count,
        )
        return Outcome(self._seed, tuple(history.violations), trace.hash, faults.seen, sizes)

    async def _suffer(self, system: System, reader: Reader, chance: Random) -> None:
        """The bad time, and after it until every client has its answers."""
        habits, clients = draw_habits(chance), []
        for name in SOURCES:
            for number in range(chance.randrange(1, 3)):
                client_chance = Random(f"{self._seed} client {name} {number}")
                clients.append(Client(f"{name}{number}", name, system, habits, client_chance))
        importer = Importer(system, habits, Random(f"{self._seed} importer"))
        chooser_chance = Random(f"{self._seed} chooser")
        writer = partial(Chooser, sources=system.history.sources)
        clients.append(Client("chooser", "web", system, habits, chooser_chance, writer))
        sender = Sender(system, Random(f"{self._seed} sender"))
        operator = Operator(system, Random(f"{self._seed} operator"))
        await system.open()
        await asyncio.sleep(0.2)
        system.faults.active = True
        pace_s = chance.choice((0.7, 1.5, 4.0)) * len(clients) / 4
        parties = [
            *(client.run(CHAOS_S, pace_s) for client in clients),
            reader.run(CHAOS_S),
            sender.run(CHAOS_S),
            system.suffer(),
            system.keep_up(),
            system.redefine(),
            system.mend(),
            operator.run(),
            importer.run(),
            self._end_faults(system),
        ]
        tasks = [asyncio.ensure_future(party) for party in parties]
        _, open_tasks = await asyncio.wait(tasks, timeout=ANSWERED_WITHIN_S + CHAOS_S)
        for task in tasks:
            if task.done():
                task.result()
        if open_tasks:
            raise Violation("progress", f"{sum(client.open_count for client in clients)} batches were never answered")

    async def _end_faults(self, system: System) -> None:
        await asyncio.sleep(CHAOS_S)
        system.faults.stop()

    async def _come_to_rest(self, system: System) -> None:
        """All is folded soon; then time is helped along until no timer is set and no effect is open."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + FOLDED_WITHIN_S
        while unfolded := sum(each.unfolded_count for each in await system.engine.status()):
            if loop.time() > until_s:
                raise Violation("progress", f"{unfolded} records are still not folded")
            await asyncio.sleep(0.5)
        for _ in range(60):
            await asyncio.sleep(1.5)
            later_ms = await self._wait_ms(system)
            if later_ms is None:
                return
            system.clock.advance(later_ms)
        raise Violation("progress", "timers or effects never come to an end")

    async def _wait_ms(self, system: System) -> int | None:
        """How long nothing will happen, None when nothing will ever."""
        if any(each.unfolded_count for each in await system.engine.status()):
            return 0
        leases = [Lease(Partition(number), 0, Position(0)) for number in range(system.disk.partition_count)]
        due_ms = await system.engine.next_due_ms(leases)
        if due_ms is not None:
            return max(0, due_ms - system.clock.now_ms())
        effects = await system.engine.effects(None, ROWS_MAX)
        return MAX_BACKOFF_MS // 8 if any(each.settled_ms is None for each in effects) else None

    async def _probe(self, system: System) -> None:
        """Each process that accepts puts an event with a known identifier where the store says that it belongs."""
        history = system.history
        keys = {key for each in history.filed if each.record.kind is RecordKind.EVENT for key in _ids_of(each)}
        fronts = [each for each in system.processes if isinstance(each, Front)]
        for front in fronts:
            owners = system.disk.identity.owners(sorted(keys))
            probes = {key: _probe_message(f"probe-{front.name}-{i}", key) for i, key in enumerate(owners)}
            for message in probes.values():
                history.send(message)
            answer = await front.spawn(front.accept(Request("web", tuple(probes.values()), None)))
            history.answered_count[history.sources["web"]] += len(probes)
            if answer.receipt is None or answer.receipt.results:
                raise Violation("processes", f"{front.name} answered a sound request with {answer}")
            places = {each.record.key: each.record.person for each in history.filed}
            for key, message in probes.items():
                person = places[history.key_of(message)]
                if person != owners[key].person:
                    history.fail("cache", f"{front.name} put {key} to {person}, but it belongs to {owners[key].person}")
        await self._come_to_rest(system)

    async def _as_of_then(self, system: System, past: Past) -> list[tuple[Remembered, dict[str, Any] | None]]:
        """What was read in the bad time, and the same as of then; None for who is not known as of then."""
        catalog = CatalogCache(system.engine, system.clock)
        await catalog.refresh()
        people, found = People(system.engine, catalog, past), []
        for each in filter(system.history.is_clear, system.history.remembered):
            view = None
            with suppress(CourtesyError):
                view = await people.view_at(each.kind, each.value, each.at_ms, knowing_today=False)
            found.append((each, view))
        return found

    async def _ask_at_rest(self, system: System) -> list[Probe]:
        """For everybody who chose something, whether they may be written to now."""
        history, now_ms = system.history, system.clock.now_ms()
        people = People(
            system.engine, CatalogCache(system.engine, system.clock), Past(system.engine, system.disk.archive)
        )
        permits = Permits(system.engine, people, system.clock)
        chose = [
            each
            for each in history.left()
            if each.record.kind is RecordKind.EVENT and b'"choices"' in each.record.payload
        ]
        roots = sorted({history.owner_of(each, history.head) for each in chose})
        asked = [(person, purpose, channel) for person in roots for purpose in PURPOSES for channel in CHANNELS]
        answers = await permits.issue(
            [Ask("person", str(person), purpose, channel, "probe", bytes(32)) for person, purpose, channel in asked]
        )
        return [
            Probe(*each, now_ms, isinstance(answer, Permit), "" if isinstance(answer, Permit) else answer.why)
            for each, answer in zip(asked, answers, strict=True)
            # Of whom every identifier went to others nobody can be written to.
            if isinstance(answer, Permit) or answer.why != NOBODY
        ]

    async def _gather(self, system: System) -> Rest:
        """Everything that the checks judge by."""
        history, engine, disk = system.history, system.engine, system.disk
        past, readings = Past(engine, disk.archive), {}
        held = HeldEvents(engine, CatalogCache(engine, system.clock))
        await Eraser(engine, past, disk.archive, held, system.clock).erase_archive()
        for person in history.people():
            reading = await engine.read_person(f"person:{person}")
            if reading is not None:
                readings[person] = reading
        keys = {
            key
            for each in history.left()
            if each.record.kind in (RecordKind.EVENT, RecordKind.GROUP)
            for key in _ids_of(each)
        }
        owners = disk.identity.owners(sorted(keys))
        people = {owner.person for owner in owners.values()} | set(readings)
        set_aside = [each.record.position for each in await engine.poisoned(ROWS_MAX)]
        return Rest(
            seed=self._seed,
            history=history,
            remote=system.remote,
            readings=readings,
            states=dict(disk.folding.states),
            refolded=await refolded(history.left(), Random(f"{self._seed} refold")),
            effects=await engine.effects(None, ROWS_MAX),
            counts=await engine.counts(0, START_MS + 10_000 * DAY_MS),
            quarantined=await engine.quarantined(None, None, None, ROWS_MAX),
            explained={person: await engine.identity_of(person) for person in readings},
            set_aside=set_aside,
            histories={person: await past.of([person, *each.merged]) for person, each in readings.items()},
            then=await self._as_of_then(system, past),
            text="\n".join(texts_of(disk)) if history.erasures else "",
            owners=owners,
            held=disk.identity.held(people),
            known={key for key in disk.identity.known() if split_identifier(key)[0] != SOURCE_KIND},
            chosen={person: await Ledger(engine).of([person, *each.merged]) for person, each in readings.items()},
            entries=await engine.ledger_from(0, ROWS_MAX),
            keys=set(disk.ledger.keys),
            probes=await self._ask_at_rest(system),
            permits=await engine.permits(PermitFilter(), None, ROWS_MAX),
            audit=await engine.audit_sends(0, START_MS + 10_000 * DAY_MS, ROWS_MAX),
            recheck=await Audit(engine, People(engine, CatalogCache(engine, system.clock), past)).recheck(
                PermitFilter(), None, ROWS_MAX
            ),
            imported={file: await engine.import_counts(file) for file in history.files.seen},
        )


def _ids_of(filed: Filed) -> list[str]:
    """The identifiers that an event carried, and its group."""
    if filed.rotten:
        return []
    event = msgspec.json.decode(filed.record.payload)
    return [*event["ids"], *event.get("previous", ())]


_KINDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "user_id": lambda value: {"userId": value},
    "anonymous_id": lambda value: {"anonymousId": value},
    "device_id": lambda value: {"context": {"device": {"id": value}}},
    "email": lambda value: {"context": {"traits": {"email": value}}},
}


def _probe_message(message_id: str, key: str) -> Message:
    kind, value = split_identifier(key)
    call = {"type": "page", "messageId": message_id} | _KINDS[kind](value)
    return Message("web", message_id, msgspec.json.encode(call), None)
