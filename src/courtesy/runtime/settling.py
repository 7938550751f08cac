"""Settling attempts by the dozen: those that end while some are being settled are settled together after them, so that
a busy teller waits for one commit where it would have waited for many."""

from __future__ import annotations

import asyncio

from courtesy.engine.contract import Engine
from courtesy.engine.propagation import AttemptEnd, Ended

TOGETHER_MAX = 100

_Waiting = tuple[AttemptEnd, asyncio.Future[list[Ended] | None]]


class Settler:
    """Settles what attempts came to."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def end(self, ended: AttemptEnd) -> list[Ended] | None:
        """As `end_attempts` answers for one; durable when it returns. Raises what that raises, for all that were
        settled together."""
        answer: asyncio.Future[list[Ended] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((ended, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._settle_all(), name="settle")
        return await answer

    async def _settle_all(self) -> None:
        while self._waiting:
            now, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
            try:
                found = await self._engine.end_attempts([ended for ended, _ in now])
            except Exception as error:  # noqa: BLE001 -- it is told to each who waits, and nobody else
                for _, answer in now:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), settled in zip(now, found, strict=True):
                if not answer.done():
                    answer.set_result(settled)
