"""Somebody who carries letters in a simulation, and notes each that was handed over, whatever was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import Clock
from courtesy.channel.message import Accepted, Answer, Later, Outgoing, Refused, Unsure
from courtesy.component.declaration import Component, Kind
from courtesy.delivery.cause import DeliveryCause
from tests.sim.faults import Faults
from tests.sim.history import History

COMPONENT = Component("smtp", Kind.CHANNEL, "Carries letters.", "It does.", ())


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter that was handed over: to whom, when by the server's clock, and how far the log reached then."""

    key: bytes
    message: str
    person: PersonId
    at_ms: int
    head: Position


@dataclass(slots=True)
class Carrier:
    """All the letters of a run, over whichever process. `dead`: addresses that it knows nobody at."""

    faults: Faults
    history: History
    chance: Random
    clock: Clock
    taken: list[Taken] = field(default_factory=list)
    under_way: int = 0

    async def receive(self, outgoing: Outgoing, die: Callable[[], None]) -> Answer:
        """Take a letter, or refuse it; the answer may be lost, and who waits for it may die."""
        weather, faults = self.faults.weather, self.faults
        await asyncio.sleep(faults.network_s())
        if faults.happens("refused later", weather.forget / 2):
            return Later(DeliveryCause.THROTTLED if self.chance.random() < 0.3 else DeliveryCause.TEMPORARY, "later")
        if faults.happens("mailbox full", weather.refuse):
            return Refused(DeliveryCause.FULL, "5.2.2 no room")
        taken = Taken(outgoing.key, outgoing.message, outgoing.person, self.clock.now_ms(), Position(self.history.head))
        self.taken.append(taken)
        self.history.trace.note("taken", outgoing.message, outgoing.person)
        if faults.happens("die handing over", weather.die_delivering):
            die()
            await asyncio.Event().wait()
        await asyncio.sleep(faults.network_s())
        return Unsure("the answer did not come") if faults.happens("hang", weather.hang) else Accepted("taken")


class Post:
    """One process' channel to the carrier."""

    component: Component = COMPONENT
    channel: ClassVar[str] = "email"
    address_kinds: ClassVar[tuple[str, ...]] = ("email",)
    may_repeat: ClassVar[bool] = False

    def __init__(self, carrier: Carrier, die: Callable[[], None]) -> None:
        self._carrier = carrier
        self._die = die

    async def carry(self, outgoing: Outgoing, config: dict[str, Any]) -> Answer:
        return await self._carrier.receive(outgoing, self._die)

    async def aclose(self) -> None:
        """Nothing is kept open."""
