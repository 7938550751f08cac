"""Searching a disk: every text on it, wherever it lies."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from courtesy.engine_memory import Disk
from courtesy.engine_memory.disk import Listener
from tests.sim.faults import Faults
from tests.sim.history import History

BESIDE = (History, Faults, Listener, asyncio.Lock)
"""What a watched disk refers to that does not lie on it."""


def texts_of(disk: Disk) -> Iterator[str]:
    """Every text and every run of bytes that can be reached from a disk, once."""
    seen: set[int] = set()
    # Kept until the end: what is made on the way must not take the place of what was seen.
    kept: list[Any] = []
    waiting: list[Any] = [disk]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, bytes):
            yield each.decode(errors="replace")
        elif id(each) not in seen and not isinstance(each, BESIDE):
            seen.add(id(each))
            kept.append(each)
            waiting.extend(_parts_of(each))


def _parts_of(each: Any) -> Iterator[Any]:
    if isinstance(each, Mapping):
        yield from each.keys()
        yield from each.values()
    elif isinstance(each, list | tuple | set | frozenset | deque):
        yield from each
    else:
        slots = (name for kind in type(each).__mro__ for name in getattr(kind, "__slots__", ()))
        yield from (getattr(each, name) for name in slots if hasattr(each, name))
        yield from getattr(each, "__dict__", {}).values()
