"""Virtual time: an event loop on which waiting costs nothing, and whose order of things is the seed's."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections import deque
from collections.abc import Coroutine, Mapping
from random import Random
from typing import Any, TypeVar

from courtesy.base.time import ManualClock

T = TypeVar("T")


class Deadlock(Exception):
    """Everybody waits for what never comes."""


class _Waiting(selectors.BaseSelector):
    """Nothing ever arrives from outside: to wait for it is to let the time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.pass_time(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while anybody has something to do, and else leaps to the next timer.

    With `chance`, what is ready at the same time runs in an order drawn from it. asyncio promises none; in a real
    system it is up to the network.
    """

    def __init__(self, chance: Random | None = None) -> None:
        self._now_s = 0.0
        self._chance = chance
        super().__init__(_Waiting(self))

    def time(self) -> float:
        return self._now_s

    def pass_time(self, timeout_s: float | None) -> None:
        """Called once per turn of the loop: leap to the next timer, and settle the order of what is ready."""
        if timeout_s is None:
            raise Deadlock("nothing is ready and no timer is set")
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]  # no public way to the turns
        if not ready:
            # At least the next float: far from the start a short wait would else end where it began, for ever.
            self._now_s = max(self._now_s + timeout_s, math.nextafter(self._now_s, math.inf))
        if self._chance is not None and len(ready) > 1:
            handles = list(ready)
            ready.clear()
            self._chance.shuffle(handles)
            ready.extend(handles)


class VirtualClock(ManualClock):
    """The machines' clock: moves with the loop's time, and can be set wrong like a real one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_ms: int) -> None:
        super().__init__(start_ms)
        self._loop = loop

    def now_ms(self) -> int:
        return super().now_ms() + round(self._loop.time() * 1_000)


def run_virtually(main: Coroutine[Any, Any, T], chance: Random | None = None) -> T:
    """Run to the end on a virtual loop of its own; whatever still runs then is cancelled."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(chance)) as runner:
        return runner.run(main)
