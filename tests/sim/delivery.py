"""Runs in which campaigns and single messages go out: people are written to while they act, choose, become one and are
forgotten, senders die between any two steps, answers are lost, and who carries the letters refuses some.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, ClassVar, cast

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.channel.in_app import InApp
from courtesy.channel.message import MessageChannel
from courtesy.delivery.contact import ContactPolicy, QuietHours, Window
from courtesy.delivery.desk import No
from courtesy.delivery.message import Admitted, Message
from courtesy.engine.contract import StorageFull, Unavailable
from courtesy.engine.delivery import RunState
from courtesy.engine.segment import Member
from courtesy.identity.rules import split_identifier
from courtesy.person.record import FACTS
from courtesy.person.state import PersonState
from courtesy.runtime.asked import Asking, Campaigner
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.connection import Campaign, ConnectionBody
from courtesy.runtime.connections import DefinedConnections, SignedTokens
from courtesy.runtime.links import Signer
from courtesy.runtime.sending import Sender, Written
from courtesy.runtime.settings import Settings
from courtesy.segment.definition import SegmentBody
from courtesy.segment.parsing import parse
from tests.sim.calls import Call, Chooser, Writer, draw_habits
from tests.sim.carrier import Carrier, Post
from tests.sim.clients import Client
from tests.sim.faults import CHAOS_S, Faults, Weather, draw_weather
from tests.sim.history import History, Trace, Violation
from tests.sim.loop import VirtualClock, run_virtually
from tests.sim.operator import Operator
from tests.sim.process import Front, Machine, Parts, Process, make_task
from tests.sim.run import ANSWERED_WITHIN_S, REAL, ROWS_MAX, Outcome, quiet_logs
from tests.sim.system import START_MS, System

SETTINGS = Settings(link_key="the key of a simulation", data="/nonexistent")
ROOM, ROOM_A_DAY = 4, 2
POLICY = ContactPolicy(
    windows=(Window(1, ROOM_A_DAY), Window(31, ROOM)),
    prices={"in_app": 0.5},
    quiet_hours=QuietHours("22:00", "06:00"),
    quiet_exempt=("in_app",),
    zone="Asia/Tokyo",
)
"""Where nobody says otherwise it is nine in the morning when a run begins."""

ZONES = ("Asia/Tokyo", "Asia/Tokyo", "Europe/Berlin", "Pacific/Auckland")
CAMPAIGNS = ("spring", "summer")
WORTH_MS = 3 * DAY_MS
STEPS_MAX = 120
STEP_MS = HOUR_MS


class Guest(Writer):
    """Writes as everybody does, mostly with an address; some of them say in which time zone they are."""

    def _traits(self, user: int) -> Call:
        traits = super()._traits(user)
        if self._chance.random() < 0.5:
            traits["email"] = f"u{user}@shop.example"
        return traits | {"timezone": ZONES[user % len(ZONES)]} if self._chance.random() < 0.3 else traits


class Friend(Chooser):
    """Mostly allows letters, and messages in the app; takes it back now and then."""

    def _choice(self) -> Call:
        way = self._chance.random()
        if way < 0.8:
            return {"action": "grant" if way < 0.6 else "withdraw", "purpose": "marketing"}
        return super()._choice()


class PlainWords:
    """Everybody is told the same."""

    async def write(
        self, each: Admitted, key: bytes, state: PersonState, now_ms: int, offer: Mapping[str, Any]
    ) -> Written:
        """What it says."""
        return Written({"subject": each.message.content, "text": "Hello"}, "en")

    async def why_not(self, each: Admitted, state: PersonState, now_ms: int) -> None:
        """There are words for everybody."""


class NoOffers:
    """No message of these campaigns has an offer: those are simulated by themselves."""

    async def give(self, due: Sequence[Any]) -> list[Mapping[str, Any] | No]:
        """Nothing to anybody."""
        assert not due
        return []


class Mailer(Process):
    """Sends messages, and asks for those of campaigns. A run makes a subclass of its own, with its carrier."""

    kind = "mailer"
    sender_type: ClassVar[type[Sender]] = Sender
    connections_type: ClassVar[type[DefinedConnections]] = DefinedConnections
    carrier: ClassVar[Carrier]
    people: ClassVar[Any]

    def __init__(self, machine: Machine, name: str) -> None:
        super().__init__(machine, name)
        self.sender = self._sender()

    def _sender(self) -> Sender:
        engine, clock = self._engine, self._machine.clock
        channels: dict[str, MessageChannel] = {"smtp": Post(self.carrier, self.crash), "in_app": InApp(engine)}
        connections = self.connections_type(engine, self._catalog, clock)
        tokens = SignedTokens(SETTINGS, Signer(SETTINGS))
        return self.sender_type(engine, channels, connections, PlainWords(), NoOffers(), tokens, clock)

    async def run(self) -> None:
        # Who is in the audience is not what is simulated here: everybody whom the log knows is.
        cast(Any, self._engine).members = self._members
        campaigner = Campaigner(self._engine, self._catalog, self._machine.clock)
        await asyncio.gather(self.sender.run(self.stop), campaigner.run(self.stop))

    async def _members(
        self, segment: int, value: str | None, after: tuple[str, PersonId] | None, limit: int
    ) -> list[Member]:
        first = PersonId(0) if after is None else after[1]
        some: Sequence[PersonId] = [each for each in self.people() if each > first]
        return [Member(segment, "", person, 0) for person in some[:limit]]


@dataclass(frozen=True, slots=True)
class Ways:
    """What mailers are made of. A canary puts something broken in a part's place."""

    parts: Parts = REAL
    sender: type[Sender] = Sender
    connections: type[DefinedConnections] = DefinedConnections


def simulate_delivery(seed: int, ways: Ways = Ways(), weather: Weather | None = None) -> Outcome:
    """Run one seed to its end. `weather` instead of the seed's own."""
    with quiet_logs():
        return run_virtually(Run(seed, ways, weather).play(), Random(f"{seed} turns"))


class Run:
    """One run, and all that was seen of it."""

    def __init__(self, seed: int, ways: Ways, weather: Weather | None) -> None:
        self.seed = seed
        self._chance = chance = Random(f"{seed} delivery")
        # What rots can't be told; and files are history, which starts nothing.
        drawn = replace(draw_weather(chance), rot=0.0, odd=0.0, files=0, trims=0, redefinitions=0, mendings=0)
        self._ways = ways
        self._weather = drawn if weather is None else weather
        self.sizes = Counter[str]()

    async def play(self) -> Outcome:
        """The bad time, rest, and judgement."""
        # The checkers judge runs, and runs are judged by them.
        from tests.sim.delivery_checkers import CHECKS

        loop = asyncio.get_running_loop()
        trace = Trace(loop)
        self.history = history = History(loop, trace)
        loop.set_task_factory(cast(Any, make_task))
        loop.set_exception_handler(lambda _, context: history.fail("processes", f"nobody caught {context}"))
        faults = Faults(self._weather, Random(f"{self.seed} faults"), loop)
        clock = VirtualClock(loop, START_MS)
        self.system = System(self.seed, faults, history, clock, self._ways.parts)
        self.carrier = Carrier(faults, history, Random(f"{self.seed} carrier"), clock)
        try:
            await self._suffer()
            await self._come_to_rest()
            for name, check in CHECKS.items():
                for found in await check(self):
                    history.fail(name, found)
            await self.system.close()
        except Violation as violation:
            history.violations.append(violation)
        self.sizes.update(
            messages=len(history.sent), taken=len(self.carrier.taken), permits=len(history.leaving.issued)
        )
        return Outcome(self.seed, tuple(history.violations), trace.hash, faults.seen, self.sizes)

    async def _suffer(self) -> None:
        system, faults = self.system, self.system.faults
        await self._open()
        habits = replace(draw_habits(self._chance), broken=0.0, hoarder=False, countries=False, user_count=4)
        clients = [
            Client("guests", "web", system, habits, Random(f"{self.seed} guests"), Guest),
            Client("app", "app", system, habits, Random(f"{self.seed} app"), Guest),
            Client(
                "chooser",
                "web",
                system,
                habits,
                Random(f"{self.seed} chooser"),
                partial(Friend, sources=system.history.sources),
            ),
        ]
        faults.active = True
        parties = [
            *(client.run(CHAOS_S, self._chance.choice((0.5, 1.0))) for client in clients),
            system.suffer(),
            Operator(system, Random(f"{self.seed} operator")).run(),
            self._ask(Random(f"{self.seed} asker")),
            self._campaign(Random(f"{self.seed} campaigns")),
            self._end_faults(),
        ]
        tasks = [asyncio.ensure_future(party) for party in parties]
        _, under_way = await asyncio.wait(tasks, timeout=ANSWERED_WITHIN_S + CHAOS_S)
        for task in tasks:
            if task.done():
                task.result()
        if under_way:
            raise Violation("progress", f"{sum(client.open_count for client in clients)} batches were never answered")

    async def _open(self) -> None:
        """Connections, the contact policy and campaigns are there from the start, and two mailers."""
        system = self.system
        await system.open()
        catalog = CatalogCache(system.engine, system.clock)
        await catalog.refresh()
        config = {"sender": "Shop <hello@shop.example>", "host": "mx.shop.example"}
        await catalog.define_connection("letters", ConnectionBody("smtp", config), "sim")
        await catalog.define_connection("app", ConnectionBody("in_app"), "sim")
        await catalog.define_contact_policy(POLICY, "sim")
        await catalog.define_segment("everybody", SegmentBody(parse("email is present").segment, ""), "sim")
        for name in CAMPAIGNS:
            campaign = Campaign(
                audience="everybody", content="hello@1", channels=("email", "in_app"), worth_ms=WORTH_MS
            )
            await catalog.define_campaign(name, campaign, "sim")
        made = {
            "sender_type": self._ways.sender,
            "connections_type": self._ways.connections,
            "carrier": self.carrier,
            "people": lambda mailer: sorted(self.history.people()),
        }
        mailer = cast("type[Mailer]", type("Mailer", (Mailer,), made))
        for _ in range(2):
            system.launch(mailer)
        await asyncio.sleep(1.5)

    async def _campaign(self, chance: Random) -> None:
        """Start campaigns, twice each now and then, and let them wait or go on."""
        system = self.system
        for name in CAMPAIGNS:
            await asyncio.sleep(chance.uniform(1.0, CHAOS_S / 2))
            run = await system.engine.start_run(name, "hello@1", system.clock.now_ms())
            if chance.random() < 0.3:
                await system.engine.set_run(run.number, RunState.PAUSED, system.clock.now_ms())
                await asyncio.sleep(chance.uniform(0.5, 6.0))
                await system.engine.set_run(run.number, RunState.RUNNING, system.clock.now_ms())

    async def _ask(self, chance: Random) -> None:
        """Ask for single messages to whoever did something, through whatever process answers."""
        loop, number = asyncio.get_running_loop(), 0
        while loop.time() < CHAOS_S:
            await asyncio.sleep(chance.uniform(0.05, 0.7))
            front = self.system.any_front(chance)
            keys = self._known(chance)
            if front is not None and keys:
                number += 1
                message = self._message(f"single/{number}", chance)
                await asyncio.wait([front.spawn(self._try(front, chance.choice(keys), message))])

    def _message(self, name: str, chance: Random) -> Message:
        return Message(
            message=name,
            purpose=chance.choice(("marketing", "marketing", "analytics")),
            channels=chance.choice((("email",), ("email", "in_app"), ("in_app", "email"))),
            content="hello@1",
            expires=self.system.clock.now_ms() + WORTH_MS,
        )

    def _known(self, chance: Random) -> list[str]:
        history = self.history
        facts = [each.record for each in history.filed if each.record.kind in FACTS and not history.is_gone(each)]
        some = chance.sample(facts, min(len(facts), 8))
        keys = {key for each in some for key in history.carried_by(each)}
        return sorted(key for key in keys if split_identifier(key)[0] in ("user_id", "email", "anonymous_id"))

    async def _try(self, front: Front, key: str, message: Message) -> None:
        """Ask until it is answered, or this process is gone."""
        asking = Asking(front._engine, front._machine.clock)
        with suppress(Unavailable, StorageFull):
            try:
                await asking.ask(key, message)
            except CourtesyError as error:
                if error.code is not Code.NOT_FOUND:
                    raise

    async def _end_faults(self) -> None:
        await asyncio.sleep(CHAOS_S)
        self.system.faults.stop()

    async def _come_to_rest(self) -> None:
        """An hour after the other, until every message and every other effect has come to its end."""
        engine = self.system.engine
        for _ in range(STEPS_MAX):
            await asyncio.sleep(6.0)
            unfolded = sum(each.unfolded_count for each in await engine.status())
            waiting = [each for each in await engine.effects(None, ROWS_MAX) if each.settled_ms is None]
            running = await engine.runs(None, open_only=True)
            if not (unfolded or waiting or running):
                return
            self.system.clock.advance(STEP_MS)
        raise Violation("progress", f"still under way: {unfolded} records, {waiting[:3]}, {running}")
