"""Attempts that end while others are settled are settled together, and who waits learns what became of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from courtesy.base.ids import Position
from courtesy.base.time import ManualClock
from courtesy.engine.contract import Unavailable
from courtesy.engine.propagation import AttemptEnd, Ended
from courtesy.engine_memory import MemoryEngine
from courtesy.runtime.settling import TOGETHER_MAX, Settler


class Slow(MemoryEngine):
    """Takes a while over each commit, and notes how many attempts it settled; it breaks off at one named `bad`."""

    def __init__(self) -> None:
        super().__init__(ManualClock(0))
        self.sizes: list[int] = []

    async def end_attempts(self, ended: Sequence[AttemptEnd]) -> list[list[Ended] | None]:
        self.sizes.append(len(ended))
        await asyncio.sleep(0)
        if any(each.recipient == "bad" for each in ended):
            raise Unavailable("gone")
        return [None if each.attempt else [] for each in ended]


def attempt(number: int, recipient: str = "crm") -> AttemptEnd:
    """The end of an attempt."""
    return AttemptEnd(recipient, b"subject", number, Position(1), 0)


async def test_the_first_goes_alone_and_all_that_come_meanwhile_together() -> None:
    """Each is answered what became of it."""
    engine = Slow()
    settler = Settler(engine)
    first = asyncio.create_task(settler.end(attempt(0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(settler.end(attempt(number))) for number in range(TOGETHER_MAX + 5)]
    assert await first == []
    assert await asyncio.gather(*others) == [[], *[None] * (TOGETHER_MAX + 4)]
    assert engine.sizes == [1, TOGETHER_MAX, 5]


async def test_who_was_settled_with_what_failed_learns_that() -> None:
    """Nothing of it is settled; the next are."""
    settler = Settler(Slow())
    both = [asyncio.create_task(settler.end(each)) for each in (attempt(0), attempt(0, "bad"))]
    assert [type(each) for each in await asyncio.gather(*both, return_exceptions=True)] == [Unavailable] * 2
    assert await settler.end(attempt(0)) == []


async def test_who_gave_up_waiting_holds_up_nobody() -> None:
    """A task that was cancelled meanwhile is passed over."""
    settler = Settler(Slow())
    gone, other = (asyncio.create_task(settler.end(attempt(0))) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await other == []
    with pytest.raises(asyncio.CancelledError):
        await gone
