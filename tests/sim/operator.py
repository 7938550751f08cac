"""An operator: merges, cuts apart and puts back people at random, by whatever process answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import TYPE_CHECKING, Any

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId, Position
from courtesy.identity.rules import SOURCE_KIND, split_identifier
from courtesy.person.record import FACTS
from courtesy.runtime.repair import Cut, Repairs
from tests.sim.faults import CHAOS_S
from tests.sim.history import History

if TYPE_CHECKING:
    from tests.sim.system import System

BY, WHY = "sim", "at random"


class Operator:
    """Repairs people who were told to be one, or not to be, whether that is so or not."""

    def __init__(self, system: System, chance: Random) -> None:
        self._system = system
        self._chance = chance

    async def run(self) -> None:
        """Repair and erase now and then, as often as the weather says."""
        await asyncio.gather(self._repair(), self._erase())

    async def _erase(self) -> None:
        count = self._system.faults.weather.erasures
        for _ in range(count):
            await asyncio.sleep(self._chance.uniform(0, 2 * CHAOS_S / count))
            keys, front = self._known(), self._system.any_front(self._chance)
            if keys and front is not None:
                key, suppress = self._chance.choice(keys), self._chance.random() < 0.4
                await asyncio.wait([front.spawn(self._try(front.eraser.erase(key, BY, WHY, suppress=suppress)))])

    async def _repair(self) -> None:
        count = self._system.faults.weather.repairs
        for _ in range(count):
            await asyncio.sleep(self._chance.uniform(0, 2 * CHAOS_S / count))
            keys = self._known()
            fronts = [front for _ in range(2) if (front := self._system.any_front(self._chance)) is not None]
            if len(keys) < 2 or not fronts:
                continue
            # Now and then two at once, by different processes or by one.
            chosen = fronts if self._chance.random() < 0.3 else fronts[:1]
            works = [(front, self._work(front.repairs, keys)) for front in chosen]
            await asyncio.wait([front.spawn(self._try(await work)) for front, work in works])

    def _known(self) -> list[str]:
        history = self._system.history
        facts = [each.record for each in history.left() if each.record.kind in FACTS]
        # What the system says of itself is nobody's to correct.
        told = {key for record in facts for key in history.carried_by(record)}
        return sorted(key for key in told if split_identifier(key)[0] != SOURCE_KIND)

    async def _work(self, repairs: Repairs, keys: list[str]) -> Coroutine[Any, Any, Any]:
        chance = self._chance
        a, b = chance.sample(keys, 2)
        way = chance.random()
        if way < 0.2:
            return repairs.merge(a, b, BY, WHY, dry=chance.random() < 0.1)
        if way < 0.4:
            return self._there_and_back(repairs, a, b)
        held = await self._held_with(a)
        if way < 0.8 and len(held) > 1:
            one, other = chance.sample(held, 2)
            return repairs.unmerge(one, other, BY, WHY, dry=chance.random() < 0.1)
        own = chance.sample(held, chance.randrange(1, len(held))) if len(held) > 1 else [a]
        return repairs.split(own[0], own, BY, WHY, dry=chance.random() < 0.1)

    async def _held_with(self, key: str) -> list[str]:
        reading = await self._system.engine.read_person(key)
        return [] if reading is None else sorted(each.identifier for each in reading.identifiers)

    async def _try(self, work: Coroutine[Any, Any, Any]) -> None:
        trace = self._system.history.trace
        try:
            done = await work
        except (CourtesyError, RuntimeError) as error:
            # What can't be done is refused; what nobody foresaw is told to whoever asked.
            trace.note("not repaired", getattr(error, "code", "odd"))
        else:
            self._system.faults.seen["repaired"] += 1
            trace.note("repaired", len(done.pieces) if isinstance(done, Cut) else "")

    async def _there_and_back(self, repairs: Repairs, a: str, b: str) -> None:
        """Make one of two, and two again: both are who they were, if nothing happened to them meanwhile."""
        history, before = self._system.history, await self._who([a, b])
        start = len(history.repairs), history.files.change_count, history.head
        await repairs.merge(a, b, BY, WHY, dry=False)
        await repairs.unmerge(a, b, BY, WHY, dry=False)
        if _was_alone(history, *start, {person for person, _ in before.values()}):
            after = await self._who([*before])
            if after != before:
                history.fail("given_back", f"{a} and {b} were {before}, and are {after}")

    async def _who(self, keys: list[str]) -> dict[str, tuple[PersonId, tuple[PersonId, ...]]]:
        """Of all who hold the keys: each identifier, whose it is, and who is part of them."""
        found = {}
        for key in keys:
            reading = await self._system.engine.read_person(key)
            if reading is not None:
                who = reading.person, tuple(reading.merged)
                found.update({each.identifier: who for each in reading.identifiers})
        return found


def _was_alone(history: History, repair_count: int, change_count: int, head: Position, people: set[PersonId]) -> bool:
    """Whether since then two repairs were made, no file was taken back, and nobody of the people did anything."""
    since = [each.record for each in history.filed[head:] if each.record.kind in FACTS]
    ever = {history.ever_with(person) for person in people}
    return (
        len(history.repairs) == repair_count + 2
        and history.files.change_count == change_count
        and not history.erasures
        and not any(history.ever_with(each.person) in ever for each in since)
        # Whose own identifiers went with a file may come out of it under the other's number.
        and not any(map(history.was_taken_from, people))
    )
