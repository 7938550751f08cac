"""Runs in which consent goes its whole way: pages repeat it with every call, people choose, and recipients are told of
it while processes die, the store and the network fail, and people are merged, cut apart and erased.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, cast

from courtesy.base.ids import PersonId
from courtesy.base.time import MINUTE_MS, SECOND_MS
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.engine.propagation import ChangeKind, ReceiptFilter, ReceiptState
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.propagation import OPEN, Propagation
from courtesy.runtime.recipient import Recipient
from courtesy.runtime.subject_state import SubjectState, subject_state
from tests.sim.basis import Basis, Question
from tests.sim.calls import Chooser, Writer, draw_habits
from tests.sim.clients import Client
from tests.sim.faults import CHAOS_S, Faults, Weather, draw_weather
from tests.sim.history import History, Trace, Violation
from tests.sim.loop import VirtualClock, run_virtually
from tests.sim.operator import Operator
from tests.sim.others import Other, draw_ways
from tests.sim.process import SUBJECT_IDS, Herald, Parts, make_task
from tests.sim.repeaters import Repeater, check_heard
from tests.sim.run import ANSWERED_WITHIN_S, REAL, ROWS_MAX, Outcome, quiet_logs
from tests.sim.system import START_MS, System

PATIENT, HASTY = "crm", "mail"
RECIPIENTS = {
    PATIENT: Recipient("https://crm.example", ("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",), check_every_ms=MINUTE_MS),
    HASTY: Recipient(
        "https://mail.example",
        ("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",),
        escalate_after_ms=30 * SECOND_MS,
        check_every_ms=MINUTE_MS,
    ),
}
"""One is waited for, the other is given up after half a minute, and it may be down for longer than that."""

DOWN_UNTIL_S = CHAOS_S + 20.0
STEPS_MAX = 60
STEADY_STEPS = 12
"""So many minutes in a row nothing is under way, and everybody answers: by then all that was told was looked at again,
as what was looked at in vain is after ten minutes at the latest."""

ASKED = (("marketing", "email"), ("analytics", "email"))

Check = Callable[["_Run"], Awaitable[Iterator[str]]]


def simulate_consent(seed: int, parts: Parts = REAL, weather: Weather | None = None) -> Outcome:
    """Run one seed to its end. `weather` instead of the seed's own."""
    with quiet_logs():
        return run_virtually(_Run(seed, parts, weather).play(), Random(f"{seed} turns"))


class _Run:
    def __init__(self, seed: int, parts: Parts, weather: Weather | None) -> None:
        self.seed = seed
        chance = Random(f"{seed} consent")
        # What rots can't be told; and when a clock is set back, what is due waits until it has caught up.
        drawn = replace(draw_weather(chance), rot=0.0, clock_jumps=0, files=0, trims=0, redefinitions=0, mendings=0)
        self._parts = parts
        self._weather = drawn if weather is None else weather
        self._chance = chance

    async def play(self) -> Outcome:
        loop = asyncio.get_running_loop()
        trace = Trace(loop)
        self.history = history = History(loop, trace)
        loop.set_task_factory(cast(Any, make_task))
        loop.set_exception_handler(lambda _, context: history.fail("processes", f"nobody caught {context}"))
        faults = Faults(self._weather, Random(f"{self.seed} faults"), loop)
        self.system = system = System(self.seed, faults, history, VirtualClock(loop, START_MS), self._parts)
        try:
            await self._suffer()
            await self._come_to_rest()
            for name, check in CHECKS.items():
                for found in await check(self):
                    history.fail(name, found)
            await system.close()
        except Violation as violation:
            history.violations.append(violation)
        return Outcome(self.seed, tuple(history.violations), trace.hash, faults.seen, _sizes(history))

    async def _suffer(self) -> None:
        system, faults = self.system, self.system.faults
        await self._open()
        habits = replace(draw_habits(self._chance), broken=0.0, hoarder=False, many_emails=False)
        writers: dict[str, tuple[str, Callable[..., Writer]]] = {
            "chooser": ("web", partial(Chooser, sources=system.history.sources)),
            "page": ("web", Repeater),
            "app": ("app", Repeater),
        }
        clients = [
            Client(name, source, system, habits, Random(f"{self.seed} {name}"), writer)
            for name, (source, writer) in writers.items()
        ]
        faults.active = True
        pace_s = self._chance.choice((0.7, 2.0))
        parties = [
            *(client.run(CHAOS_S, pace_s) for client in clients),
            system.suffer(),
            Operator(system, Random(f"{self.seed} operator")).run(),
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
        """The recipients are there from the start."""
        system = self.system
        for name, recipient in RECIPIENTS.items():
            down_until_s = DOWN_UNTIL_S if name == HASTY else 0.0
            ways = draw_ways(Random(f"{self.seed} {name}"), down_until_s)
            system.machine.others[recipient.url] = Other(name, ways, system.faults, system.history)
        await system.open()
        catalog = CatalogCache(system.engine, system.clock)
        await catalog.refresh()
        propagation = Propagation(system.engine, catalog, SUBJECT_IDS, system.clock)
        for name, recipient in RECIPIENTS.items():
            await propagation.define(name, recipient, "sim")
        for _ in range(self._chance.choice((1, 1, 2))):
            system.launch(Herald)
        await asyncio.sleep(1.5)

    async def _end_faults(self) -> None:
        await asyncio.sleep(CHAOS_S)
        self.system.faults.stop()

    async def _come_to_rest(self) -> None:
        """A minute after the other, until nothing was under way for some of them."""
        steady = 0
        for _ in range(STEPS_MAX):
            await asyncio.sleep(4.0)
            unfolded = sum(each.unfolded_count for each in await self.system.engine.status())
            under_way = [each for each in await self.system.engine.tallies() if each.state in OPEN]
            is_down = asyncio.get_running_loop().time() < DOWN_UNTIL_S
            steady = 0 if unfolded or under_way or is_down else steady + 1
            if steady > STEADY_STEPS:
                return
            self.system.clock.advance(MINUTE_MS)
        raise Violation("progress", f"still under way after {STEPS_MAX} minutes: {unfolded}, {under_way}")

    async def subjects(self, name: str) -> dict[PersonId, tuple[bytes, SubjectState]]:
        """Everybody whom a recipient knows, by what is so of them now."""
        engine, now_ms, laws = self.system.engine, self.system.clock.now_ms(), Laws(LAWS)
        found = {}
        for person, subject in (await engine.subjects(name, self.history.people_seen())).items():
            reading = await engine.read_person(f"person:{person}")
            if reading is not None:
                part_of = None if reading.person == person else SUBJECT_IDS.of(name, reading.person)
                state = subject_state(RECIPIENTS[name], subject, part_of, reading, now_ms, laws)
                found[person] = subject, state
        return found


def _sizes(history: History) -> Counter[str]:
    """How much happened."""
    return Counter(messages=len(history.sent), records=len(history.filed), erasures=len(history.erasures))


async def check_receipts(run: _Run) -> Iterator[str]:
    """Every entry of the ledger has a receipt for whoever is told, and each change is verified or escalated: at the one
    who is waited for, verified."""
    found = []
    entries = await run.system.engine.ledger_from(0, ROWS_MAX)
    erased = {run.history.ever_with(person) for erasure in run.history.erasures for person in erasure.people}
    for name in RECIPIENTS:
        receipts = await run.system.engine.receipts(ReceiptFilter(name), None, ROWS_MAX)
        told = {each.entry for each in receipts}
        found += [
            f"{name} has no receipt of entry {each.index}"
            for each in entries
            if each.person is not None and run.history.ever_with(each.person) not in erased and each.index not in told
        ]
        ends = {ReceiptState.VERIFIED} if name == PATIENT else {ReceiptState.VERIFIED, ReceiptState.ESCALATED}
        found += [f"{name}: {each}" for each in receipts if each.state not in ends]
    return iter(found)


async def check_told(run: _Run) -> Iterator[str]:
    """Each recipient has of everybody what is so, and nothing of anybody else."""
    found = []
    for name, recipient in RECIPIENTS.items():
        other, subjects = run.system.machine.others[recipient.url], await run.subjects(name)
        for person, (subject, state) in subjects.items():
            held = other.documents.get(subject.hex())
            if not state.is_what(held):
                found.append(f"{name} has of {person} {held}, expected {state.document}")
        strangers = sorted(set(other.documents) - {subject.hex() for subject, _ in subjects.values()})
        receipts = await run.system.engine.receipts(ReceiptFilter(name, ReceiptState.ESCALATED), None, ROWS_MAX)
        # Who was to be erased while it was down for too long is for people to see to.
        if len(strangers) > sum(each.kind is ChangeKind.ERASURE for each in receipts):
            found += [f"{name} has {each}, who is nobody" for each in strangers]
    return iter(found)


async def check_meaning(run: _Run) -> Iterator[str]:
    """What is told that people allow is what they said, by the plain model; for all but those whose pages said some of
    it, who have a model of their own."""
    found, history, basis = [], run.history, Basis(run.history)
    heard = {
        history.ever_with(each.record.person)
        for each in history.filed
        if each.record.key in history.sent and b'"categoryPreferences"' in history.sent[each.record.key].raw
    }
    for person, (_, state) in (await run.subjects(PATIENT)).items():
        if history.ever_with(person) in heard:
            continue
        told = {(each["purpose"], each["channel"]): each for each in state.document["allowed"]}
        for purpose, channel in ASKED:
            answer = told.get((purpose, channel))
            question = Question(history.root_of(person), purpose, channel, history.head, run.system.clock.now_ms())
            ruling = basis.answer(question)
            if answer is not None and answer["allowed"] != ruling.allowed:
                found.append(f"{question}: told was {answer}, but {ruling.why}")
    return iter(found)


async def check_news(run: _Run) -> Iterator[str]:
    """What pages repeat became a choice where it was news, and nowhere else."""
    return check_heard(run.history)


CHECKS: dict[str, Check] = {
    "receipts": check_receipts,
    "told": check_told,
    "meaning": check_meaning,
    "heard": check_news,
}
