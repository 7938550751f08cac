"""Virtual time: nobody waits for it, it is in order, and a wait for nothing is told."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from courtesy.base.time import DAY_MS
from tests.sim.loop import Deadlock, VirtualClock, run_virtually


async def _sleepers(clock_start_ms: int) -> list[tuple[str, int]]:
    clock = VirtualClock(asyncio.get_running_loop(), clock_start_ms)
    woken: list[tuple[str, int]] = []

    async def sleep(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, clock.now_ms()))

    await asyncio.gather(sleep("a year", 365 * 86_400), sleep("an hour", 3_600), sleep("a second", 1))
    return woken


def test_sleepers_wake_in_order_at_their_time() -> None:
    """A year passes at once, and to the millisecond."""
    assert run_virtually(_sleepers(5)) == [
        ("a second", 1_005),
        ("an hour", 3_600_005),
        ("a year", 365 * DAY_MS + 5),
    ]


async def _racers() -> str:
    order: list[str] = []

    async def run(name: str) -> None:
        await asyncio.sleep(0)
        order.append(name)

    await asyncio.gather(*(run(name) for name in "abcdefgh"))
    return "".join(order)


def test_chance_decides_who_of_the_ready_runs_first() -> None:
    """Without it they run as they came; with it in any order, which its seed repeats."""
    assert run_virtually(_racers()) == "abcdefgh"
    orders = {run_virtually(_racers(), Random(seed)) for seed in range(20)}
    assert len(orders) > 10
    assert orders == {run_virtually(_racers(), Random(seed)) for seed in range(20)}


async def _forever() -> None:
    await asyncio.Event().wait()


def test_a_wait_for_what_never_comes_is_told() -> None:
    """A hanging system fails instead of hanging the test."""
    with pytest.raises(Deadlock):
        run_virtually(_forever())
