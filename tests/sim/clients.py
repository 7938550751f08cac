"""Clients: they send batches until each is answered with 200, again and again, in whatever order that comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from courtesy.base.time import DAY_MS, HOUR_MS, to_iso
from tests.sim.calls import Habits, Writer
from tests.sim.faults import Faults
from tests.sim.history import History, Message
from tests.sim.process import IMPORTED, Answer, Request

if TYPE_CHECKING:
    from tests.sim.system import System

ANSWER_S = 3.0
"""How long a client waits for an answer."""

RETRY_S_MAX = 4.0
SKEWS_MS = (0, 0, 0, -HOUR_MS, 40 * DAY_MS, -3000 * DAY_MS)


class Client:
    """One client of one source, with a clock of its own."""

    def __init__(
        self,
        name: str,
        source: str,
        system: System,
        habits: Habits,
        chance: Random,
        writer: Callable[..., Writer] = Writer,
    ) -> None:
        self.open_count = 0
        self._name = name
        self._source = source
        self._system = system
        self._chance = chance
        self._skew_ms = 0 if source == IMPORTED else chance.choice(SKEWS_MS)
        self._writer = writer(source, habits, chance, self._now_ms)
        self._written_count = 0

    def _now_ms(self) -> int:
        return self._system.true_ms() + self._skew_ms

    async def run(self, until_s: float, pace_s: float) -> None:
        """Send batches until an instant, several at once; done when the last of them is answered."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as batches:
            while loop.time() < until_s:
                await asyncio.sleep(self._chance.expovariate(1 / pace_s))
                batches.create_task(self._deliver(self._write()))

    def _write(self) -> list[Message]:
        messages = []
        for _ in range(1 + int(7 * self._chance.random() ** 2)):
            self._written_count += 1
            messages.append(self._writer.write(f"{self._name}-{self._written_count}"))
            self._system.history.send(messages[-1])
        return messages

    async def _deliver(self, messages: list[Message]) -> None:
        """Send until answered; now and then what was answered once more, or in another order and other pieces."""
        self.open_count += 1
        wait_s = 0.2
        while messages:
            pieces = self._pieces(messages)
            answered = await asyncio.gather(*(self._send(piece) for piece in pieces))
            messages = [each for piece, is_ok in zip(pieces, answered, strict=True) if not is_ok for each in piece]
            await asyncio.sleep(wait_s * self._chance.random())
            wait_s = min(2 * wait_s, RETRY_S_MAX)
            if not messages and self._system.faults.happens("sent again", 0.06):
                messages = [each for piece in pieces for each in piece]
        self.open_count -= 1

    def _pieces(self, messages: list[Message]) -> list[list[Message]]:
        if self._chance.random() < 0.8:
            return [messages]
        mixed = self._chance.sample(messages, len(messages))
        half = len(mixed) // 2
        return [piece for piece in (mixed[:half], mixed[half:]) if piece]

    async def _send(self, messages: list[Message]) -> bool:
        sent_at = None if self._source == IMPORTED else to_iso(self._now_ms())
        answer = await self._system.network.ask(Request(self._source, tuple(messages), sent_at, self._writer.gpc))
        if answer is None or answer.receipt is None:
            return False
        results = {each.place: each for each in answer.receipt.results}
        for place, message in enumerate(messages):
            self._system.history.answer(message, answer.receipt.position, results.get(place))
        return True


class Network:
    """Between clients and the processes that accept: loses, delays and repeats."""

    def __init__(self, system: System, faults: Faults, history: History, chance: Random) -> None:
        self._system = system
        self._faults = faults
        self._history = history
        self._chance = chance

    async def ask(self, request: Request) -> Answer | None:
        """The answer to a request, None when none comes."""
        faults, lose = self._faults, self._faults.weather.lose
        await asyncio.sleep(faults.network_s())
        if faults.happens("request lost", lose):
            await asyncio.sleep(ANSWER_S)
            return None
        if faults.happens("request repeated", faults.weather.repeat):
            self._system.later(self._arrive(request))
        answer = await self._arrive(request)
        if answer is None:
            return None
        if faults.happens("answer lost", lose):
            await asyncio.sleep(ANSWER_S)
            return None
        await asyncio.sleep(faults.network_s())
        return answer

    async def _arrive(self, request: Request) -> Answer | None:
        """What a process says to it; None when there is none, or when it dies over it."""
        front = self._system.any_front(self._chance)
        if front is None:
            return None
        source, count = self._history.sources[request.source], len(request.messages)
        self._history.unsure_count[source] += count
        task = front.spawn(front.accept(request))
        await asyncio.wait([task], timeout=ANSWER_S)
        if not task.done() or task.cancelled():
            return None
        if task.exception() is not None:
            self._history.fail("processes", f"{front.name} failed over a request: {task.exception()!r}")
            return None
        answer: Answer = task.result()
        if answer.receipt is not None:
            self._history.unsure_count[source] -= count
            self._history.answered_count[source] += count
        return answer
