"""Runs in which offers are granted, redeemed, declined and given back by tills that insist and repeat themselves, while
processes die, answers are lost, clocks are set, and people become one, are cut apart and forgotten.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, ClassVar, cast

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.engine.contract import StorageFull, Unavailable
from courtesy.offer.codes import normalised
from courtesy.offer.deciding import Granted, Redeemed
from courtesy.offer.redeeming import Refused
from courtesy.offer.standing import DECLINED
from courtesy.offer.terms import (
    AmountOff,
    MintedCode,
    Money,
    OfferTerms,
    PercentOff,
    PoolCode,
    SharedCode,
)
from courtesy.runtime.app import make_app
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.offer_desk import Named, OfferDesk, Shown
from courtesy.runtime.offer_ledger import OfferLedger, keep_expiring
from courtesy.runtime.settings import Settings
from tests.sim.calls import draw_habits
from tests.sim.clients import ANSWER_S, Client
from tests.sim.faults import CHAOS_S, Faults, Weather, draw_weather
from tests.sim.history import History, Trace, Violation
from tests.sim.loop import VirtualClock, run_virtually
from tests.sim.operator import Operator
from tests.sim.process import Machine, Parts, Process, make_task
from tests.sim.run import ANSWERED_WITHIN_S, REAL, Outcome, quiet_logs
from tests.sim.system import START_MS, System

SETTINGS = Settings(link_key="the key of a simulation", data="/nonexistent")
POOL, POOL_CODES = "paper", tuple(f"PAPER{number:02}" for number in range(6))
SHARED = "SPRING"
EUR = "EUR"
OFFERS: dict[str, OfferTerms] = {
    "few": OfferTerms("Ten off", AmountOff(10, EUR), stock=3),
    "purse": OfferTerms(
        "A fifth off",
        PercentOff(20, Money(15, EUR)),
        budget=Money(70, EUR),
        redemptions_per_person=2,
        valid_days=1,
    ),
    "paper": OfferTerms("Five off", AmountOff(5, EUR), codes=PoolCode(POOL), valid_days=1),
    "minted": OfferTerms("Seven off", AmountOff(7, EUR), codes=MintedCode("M"), stock=5, valid_days=2),
    "open": OfferTerms(
        "Three off",
        AmountOff(3, EUR),
        codes=SharedCode(SHARED),
        stock=12,
        budget=Money(30, EUR),
        redemptions_per_person=None,
    ),
}
"""One that is short of stock, one of budget, one of codes; one with codes of its own, and one for everybody."""

USERS = 4
CLERKS = 2
PACE_S = 0.3
NIGHTS = 3
STEPS_MAX = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """What a till wants, and by which id of a request it is known: it is asked for in the same words until answered."""

    kind: str
    request: str
    offer: str = ""
    user: str = ""
    code: str = ""
    order: str = ""
    amount: float = 0.0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that a till got, and how far the log reached when it asked."""

    wish: Wish
    asked_at: Position
    outcome: Any


class Clerk(Process):
    """Acts on offers, and ends those that are over. A run makes a subclass of its own."""

    kind = "clerk"
    ledger_type: ClassVar[type[OfferLedger]] = OfferLedger
    chance: ClassVar[Random]

    def __init__(self, machine: Machine, name: str) -> None:
        super().__init__(machine, name)
        self.is_ready = False
        self._app = app = make_app(SETTINGS, self._engine, machine.clock, machine.disk.archive)
        offers, people = app.shelf.offers, app.people
        self._ledger = self.ledger_type(self._engine, offers, machine.clock, self.chance.randbytes)
        self.desk = OfferDesk(
            self._engine, app.catalog, offers, self._ledger, app.shelf.offer_desk._eligibility, people
        )

    async def run(self) -> None:
        await self._app.catalog.start()
        try:
            self.is_ready = True
            await keep_expiring(self._ledger, self.stop)
        finally:
            self.is_ready = False
            await self._app.catalog.stop()

    async def act(self, wish: Wish) -> Any:
        """What comes of a wish. Raises as the desk does."""
        who = Named("user_id", wish.user) if wish.user else None
        match wish.kind:
            case "grant":
                assert who is not None
                return await self.desk.grant(wish.offer, who, wish.request)
            case "redeem":
                request = "" if wish.order else wish.request
                shown = Shown(wish.offer, wish.code, who, wish.order, Money(wish.amount, EUR))
                return await self.desk.redeem(shown, request)
            case "decline":
                assert who is not None
                return await self.desk.note(DECLINED, wish.offer, who, wish.request)
            case _:
                return await self.desk.give_back(wish.number)


@dataclass(frozen=True, slots=True)
class Ways:
    """What clerks are made of. A canary puts something broken in a part's place."""

    parts: Parts = REAL
    ledger: type[OfferLedger] = OfferLedger


def simulate_offers(seed: int, ways: Ways = Ways(), weather: Weather | None = None) -> Outcome:
    """Run one seed to its end. `weather` instead of the seed's own."""
    with quiet_logs():
        return run_virtually(Run(seed, ways, weather).play(), Random(f"{seed} turns"))


class Run:
    """One run, and all that was seen of it."""

    def __init__(self, seed: int, ways: Ways, weather: Weather | None) -> None:
        self.seed = seed
        self._chance = chance = Random(f"{seed} offers")
        # What rots can't be told; and nothing here comes from files.
        drawn = replace(draw_weather(chance), rot=0.0, files=0, trims=0, redefinitions=0, mendings=0)
        self._ways = ways
        self._weather = drawn if weather is None else weather
        self.sizes = Counter[str]()
        self.said: list[Said] = []
        self._wishes: list[Wish] = []

    async def play(self) -> Outcome:
        """The bad time, rest, and judgement."""
        # The checkers judge runs, and runs are judged by them.
        from tests.sim.offer_checkers import CHECKS

        loop = asyncio.get_running_loop()
        trace = Trace(loop)
        self.history = history = History(loop, trace)
        loop.set_task_factory(cast(Any, make_task))
        loop.set_exception_handler(lambda _, context: history.fail("processes", f"nobody caught {context}"))
        faults = Faults(self._weather, Random(f"{self.seed} faults"), loop)
        clock = VirtualClock(loop, START_MS)
        self.system = System(self.seed, faults, history, clock, self._ways.parts)
        try:
            await self._suffer()
            await self._come_to_rest()
            for name, check in CHECKS.items():
                for found in await check(self):
                    history.fail(name, found)
            await self.system.close()
        except Violation as violation:
            history.violations.append(violation)
        self.sizes.update(messages=len(history.sent), wishes=len(self._wishes), answers=len(self.said))
        return Outcome(self.seed, tuple(history.violations), trace.hash, faults.seen, self.sizes)

    async def _suffer(self) -> None:
        system = self.system
        await self._open()
        habits = replace(draw_habits(self._chance), broken=0.0, hoarder=False, countries=False, user_count=USERS)
        clients = [Client(name, name, system, habits, Random(f"{self.seed} {name}")) for name in ("web", "app")]
        system.faults.active = True
        parties = [
            *(client.run(CHAOS_S, 1.0) for client in clients),
            *(self._shop(Random(f"{self.seed} till {number}"), f"till{number}") for number in range(2)),
            system.suffer(),
            Operator(system, Random(f"{self.seed} operator")).run(),
            self._pass_nights(Random(f"{self.seed} nights")),
            self._end_faults(),
        ]
        tasks = [asyncio.ensure_future(party) for party in parties]
        _, under_way = await asyncio.wait(tasks, timeout=ANSWERED_WITHIN_S + CHAOS_S)
        for task in tasks:
            if task.done():
                task.result()
        if under_way:
            raise Violation("progress", f"{len(under_way)} of those who ask were never answered")

    async def _open(self) -> None:
        """Offers and codes are there from the start, and some clerks."""
        system = self.system
        await system.open()
        catalog = CatalogCache(system.engine, system.clock)
        await catalog.refresh()
        for name, terms in OFFERS.items():
            await catalog.define_offer(name, terms.checked(), "sim")
        made = {"ledger_type": self._ways.ledger, "chance": Random(f"{self.seed} codes")}
        clerk = cast("type[Clerk]", type("Clerk", (Clerk,), made))
        for _ in range(CLERKS):
            system.launch(clerk)
        await asyncio.sleep(0.5)
        (first, *_) = self.clerks()
        assert await first.desk.add_codes(POOL, POOL_CODES) == len(POOL_CODES)

    def clerks(self) -> list[Clerk]:
        """Those who can be asked now."""
        return [each for each in self.system.processes if isinstance(each, Clerk) and each.is_ready]

    # -- shopping

    async def _shop(self, chance: Random, till: str) -> None:
        """Want something every now and then, and insist; several wishes at once. Now and then one is told again."""
        loop, number = asyncio.get_running_loop(), 0
        async with asyncio.TaskGroup() as wishes:
            while loop.time() < CHAOS_S:
                await asyncio.sleep(chance.expovariate(1 / PACE_S))
                number += 1
                wish = self._wish(chance, f"{till}-{number}")
                if self._wishes and chance.random() < 0.2:
                    wish = chance.choice(self._wishes)
                self._wishes.append(wish)
                for _ in range(2 if chance.random() < 0.15 else 1):
                    wishes.create_task(self._insist(wish, Random(f"{self.seed} {till} {number}")))

    def _wish(self, chance: Random, request: str) -> Wish:
        user, way = f"u{chance.randrange(USERS)}", chance.random()
        if way < 0.4:
            return Wish("grant", request, chance.choice(list(OFFERS)), user)
        if way < 0.48:
            return Wish("decline", request, chance.choice(list(OFFERS)), user)
        done = [each.outcome.redemption.number for each in self.said if isinstance(each.outcome, Redeemed)]
        if way < 0.58 and done:
            return Wish("give back", request, number=chance.choice(done))
        return self._purchase(chance, request, user)

    def _purchase(self, chance: Random, request: str, user: str) -> Wish:
        """By a code that somebody was told, by the code for everybody, or by who one is."""
        told = [each.outcome.grant.code for each in self.said if isinstance(each.outcome, Granted)]
        codes = [each.shown for each in told if each is not None]
        amount, order = chance.randrange(5, 120), chance.choice(("", f"order-{request}"))
        way = chance.random()
        if way < 0.45 and codes:
            wish = Wish("redeem", request, "", chance.choice(("", "", user)), chance.choice(codes), order, amount)
        elif way < 0.6:
            wish = Wish("redeem", request, "", chance.choice(("", user)), SHARED, order, amount)
        else:
            wish = Wish("redeem", request, chance.choice(("few", "purse")), user, "", order, amount)
        return replace(wish, request=f"order {order}: {normalised(wish.code) or wish.offer}") if order else wish

    async def _insist(self, wish: Wish, chance: Random) -> None:
        """Ask until there is an answer that arrives."""
        faults, wait_s = self.system.faults, 0.2
        while True:
            asked_at = self.history.head
            outcome = await self._ask(wish, chance)
            if outcome is not None:
                self.said.append(Said(wish, asked_at, outcome))
                self.history.trace.note("said", wish.request, _brief(outcome))
                if not faults.happens("answer lost", faults.weather.lose):
                    return
            await asyncio.sleep(wait_s * chance.random())
            wait_s = min(2 * wait_s, 2.0)

    async def _ask(self, wish: Wish, chance: Random) -> Any:
        """What a clerk says to a wish; None when nothing comes."""
        clerks = self.clerks()
        await asyncio.sleep(self.system.faults.network_s())
        if not clerks:
            return None
        clerk = chance.choice(clerks)
        task = clerk.spawn(_outcome_of(lambda: clerk.act(wish)))
        await asyncio.wait([task], timeout=ANSWER_S)
        return task.result() if task.done() and not task.cancelled() else None

    async def _pass_nights(self, chance: Random) -> None:
        """Time goes on by many hours, so that offers end meanwhile."""
        for _ in range(NIGHTS):
            await asyncio.sleep(chance.uniform(0.3, 1.0) * CHAOS_S / NIGHTS)
            self.system.clock.advance(int(chance.uniform(4, 14) * HOUR_MS))

    async def _end_faults(self) -> None:
        await asyncio.sleep(CHAOS_S)
        self.system.faults.stop()

    async def _come_to_rest(self) -> None:
        """Until all is folded, and what is over by then has ended."""
        engine, clock = self.system.engine, self.system.clock
        clock.advance(DAY_MS)
        for _ in range(STEPS_MAX):
            await asyncio.sleep(2.0)
            unfolded = sum(each.unfolded_count for each in await engine.status())
            due = await engine.grants_due(clock.now_ms(), 1)
            if not (unfolded or due):
                return
        raise Violation("progress", f"still under way: {unfolded} records, {due}")


def _brief(outcome: Any) -> object:
    match outcome:
        case Granted():
            return outcome.grant.number
        case Redeemed():
            return outcome.redemption.number
        case Refused():
            return outcome.cause
        case CourtesyError():
            return outcome.code
        case _:
            return outcome if isinstance(outcome, bool) else type(outcome).__name__


async def _outcome_of(act: Callable[[], Awaitable[Any]]) -> Any:
    """What an act comes to, an error that says that it can't be done too; None for one that says to try again."""
    try:
        return await act()
    except (Unavailable, StorageFull, RuntimeError):
        return None
    except CourtesyError as error:
        if error.code not in (Code.NOT_FOUND, Code.CONFLICT):
            raise
        return error
