"""Senders: they ask for permits at random instants, send what they were permitted, some of them what they were not, and
tell the audit what left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import TYPE_CHECKING, Any

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine.permit import JudgedSend, Permit
from courtesy.identity.rules import split_identifier
from courtesy.person.record import FACTS
from courtesy.runtime.audit import Told
from courtesy.runtime.permits import Ask, Refusal
from tests.sim.leaving import Left

if TYPE_CHECKING:
    from tests.sim.system import System

PURPOSES, CHANNELS = ("marketing", "analytics"), ("email", "sms")
FAVOURITE = "email"
DELAYS_S = (0.01, 0.01, 1.0, 4.0)
LONG_S = 75.0
"""How long messages wait that may leave; in few runs so long that their permits end before, after a minute."""


class Sender:
    """One who sends."""

    def __init__(self, system: System, chance: Random) -> None:
        self._system = system
        self._leaving = system.history.leaving
        self._chance = chance
        self._delays_s = (*DELAYS_S, LONG_S) if chance.random() < 0.15 else DELAYS_S
        self._asked_count = 0

    async def run(self, until_s: float) -> None:
        """Ask and send until an instant; done when all that left is told."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as letters:
            while loop.time() < until_s:
                await asyncio.sleep(self._chance.uniform(0.05, 1.6))
                letters.create_task(self._write_some())

    async def _write_some(self) -> None:
        """Ask for a few at once, as senders do, and go on with each."""
        known = self._known()
        if not known:
            return
        asks = [self._ask(self._chance.choice(known)) for _ in range(self._chance.randrange(1, 4))]
        answers = await self._on_a_front(asks)
        await asyncio.gather(*(self._send(ask, answer) for ask, answer in zip(asks, answers, strict=True)))

    def _known(self) -> list[str]:
        """Identifiers of whoever did something, of whoever chose something far more often."""
        history = self._system.history
        facts = [each.record for each in history.filed if each.record.kind in FACTS and not history.is_gone(each)]
        some = self._chance.sample(facts, min(len(facts), 3)) + [each for each in facts if b'"choices"' in each.payload]
        return sorted({key for each in some for key in history.carried_by(each)})

    def _ask(self, key: str) -> Ask:
        self._asked_count += 1
        kind, value = split_identifier(key)
        purpose, channel = self._chance.choice(PURPOSES), self._chance.choice((*CHANNELS, FAVOURITE))
        return Ask(kind, value, purpose, channel, f"letter {self._asked_count}", self._chance.randbytes(32))

    async def _on_a_front(self, asks: list[Ask]) -> list[Permit | Refusal | None]:
        """What some process answers; None for each where no answer comes."""
        front = self._system.any_front(self._chance)
        answers = None if front is None else await self._answered(front.spawn(self._try(front.permits.issue(asks))))
        if answers is None:
            return [None for _ in asks]
        self._leaving.answered += [each for each in answers if isinstance(each, Permit)]
        self._leaving.refused_count += sum(isinstance(each, Refusal) for each in answers)
        return list(answers)

    async def _send(self, ask: Ask, answer: Permit | Refusal | None) -> None:
        chance = self._chance
        permit = answer if isinstance(answer, Permit) else None
        if permit is None and chance.random() > 0.15:
            return
        await asyncio.sleep(chance.choice(self._delays_s) * chance.random())
        left = self._left(ask, permit)
        self._leaving.left.append(left)
        self._system.history.trace.note("left", left.message, left.key, left.at_ms)
        await asyncio.sleep(4.0 * chance.random() ** 2)
        for _ in range(2 if chance.random() < 0.2 else 1):
            await self._tell(left)

    def _left(self, ask: Ask, permit: Permit | None) -> Left:
        """The message as it leaves: mostly as it was permitted."""
        chance, way = self._chance, self._chance.random()
        key, message, hashed = f"{ask.kind}:{ask.value}", ask.message, ask.message_hash if way < 0.5 else None
        if way > 0.95:
            hashed = chance.randbytes(32)
        elif way > 0.9:
            message = f"another {message}"
        elif way > 0.85:
            key = chance.choice(self._known() or [key])
        person, head = self._system.disk.identity.person_named(key), self._system.history.head
        return Left(key, person, head, message, ask.channel, hashed, self._system.clock.now_ms(), ask, permit)

    async def _tell(self, left: Left) -> None:
        """Until it is answered."""
        told = Told(*split_identifier(left.key), left.message, left.channel, left.at_ms, left.message_hash)
        judged: list[JudgedSend] | None = None
        while judged is None:
            await asyncio.sleep(self._chance.uniform(0.01, 1.0))
            front = self._system.any_front(self._chance)
            if front is not None:
                judged = await self._answered(front.spawn(self._try(front.audit.tell([told]))))
        left.judged += judged

    async def _answered(self, task: asyncio.Task[Any]) -> Any:
        await asyncio.wait([task])
        return None if task.cancelled() else task.result()

    async def _try(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        except CourtesyError as error:
            if error.code not in (Code.UNAVAILABLE, Code.STORAGE_FULL):
                self._system.history.fail("processes", f"a sender was answered with {error!r}")
            return None
        except RuntimeError:
            # What nobody foresaw is told to whoever asked.
            return None
