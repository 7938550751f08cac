"""Tasks that end, though they are told at a bad moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from courtesy.engine.tasks import end


async def test_a_task_that_loses_a_cancellation_ends() -> None:
    """As one does that waits with a time limit, when what it waits for comes in the same turn of the loop."""
    begun, lost = asyncio.Event(), 0

    async def loop() -> None:
        nonlocal lost
        while True:
            begun.set()
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                lost += 1
                if lost > 1:
                    raise

    task = asyncio.create_task(loop())
    await begun.wait()
    await end(task)
    assert task.cancelled()
    assert lost == 2


async def test_what_comes_with_the_cancellation_does_not_hold_it_up() -> None:
    """The same with the library's own wait, whichever Python it is."""
    event, turns = asyncio.Event(), 0

    async def loop() -> None:
        nonlocal turns
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), 3_600)
            event.clear()
            turns += 1

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    event.set()
    await asyncio.sleep(0)
    await end(task)
    assert task.cancelled()
    assert turns <= 1


async def test_one_that_failed_and_one_that_was_done() -> None:
    """Nobody hears of them again, not by a warning of the loop's either."""

    async def fail() -> None:
        raise ValueError("as planned")

    failed, done = asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0.01)
    await end(failed, done)
    assert done.done()
