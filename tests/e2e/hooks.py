"""Receivers of webhooks on a thread of their own, beside a test that waits and asks."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sim.hooks import HookServer

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()


@contextmanager
def loop_thread() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """An event loop that runs beside the test; the function runs something on it and returns what it returns."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="receivers")
    thread.start()

    async def awaited(what: Awaitable[Any]) -> Any:
        return await what

    try:
        yield lambda what: asyncio.run_coroutine_threadsafe(awaited(what), loop).result(60)
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def receiving() -> Iterator[tuple[HookServer, str]]:
    """A shop's server that checks signatures by SECRET and keeps what it gets; and its URL."""
    with loop_thread() as run:
        hooks = HookServer(SECRET)
        port = run(hooks.start())
        try:
            yield hooks, f"http://127.0.0.1:{port}/courtesy"
        finally:
            run(hooks.stop())
