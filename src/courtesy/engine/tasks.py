"""Tasks that really end."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks. All are done when this returns, and how they ended is nobody's concern any more.

    One cancellation is not enough: up to Python 3.11 `asyncio.wait_for`, which the PostgreSQL driver waits with, loses
    one that comes together with what it waits for (python/cpython#86296), and a task that loops would go on for ever.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()
