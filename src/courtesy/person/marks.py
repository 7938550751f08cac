"""What a person's state keeps for segments: the events that count for them, where the person is inside, and when to
look again.

A *pattern* is an event with a filter, as segments ask for it; a *mark* is what somebody did of it. Marks are facts: the
same whatever the order in which events came. What is inside and due follows from facts and from time, and is moved on
by `courtesy.segment.live`.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

ITEMS_MAX = 1_000
"""Events that a mark keeps, the latest. Who did one thing oftener within a window is counted as having done it so
often."""

DIFFERENT_MAX = 1_000
"""Different values that a mark keeps."""

Item = list[Any]
"""One event: when, its tie, and the values of what the pattern keeps of it."""


class Total(msgspec.Struct, array_like=True, gc=False):
    """Of the numbers under one path of all events ever: how many, their sum in millionths (as text, for it may go
    beyond 64 bits), the smallest and the largest."""

    count: int
    micros: str
    low: float
    high: float


class Mark(msgspec.Struct, array_like=True, gc=False):
    """What somebody did of one pattern: how often ever, the first one, the latest in order, and of some paths what the
    numbers ever came to and which values there were."""

    count: int = 0
    first: Item | None = None
    items: list[Item] = []
    totals: dict[str, Total] = {}
    different: dict[str, list[str]] = {}


class Marks(msgspec.Struct, array_like=True):
    """`now`: up to when `inside` and `due` are moved on, ms UTC. `inside`: since when, by segment (its number, and for
    one of many a tab and the value in JSON). `due`: when to look at a segment again, likewise; `first` the earliest of
    these, and `timer` the one for which a timer is set, 0 for none. `seen`: the turn at which the last segment became
    ready that was looked at. `settled`: the conditions that hold by what was asked of everybody, each with the
    number under which the store keeps for whom."""

    now: int = 0
    marks: dict[str, Mark] = {}
    inside: dict[str, int] = {}
    due: dict[str, int] = {}
    first: int = 0
    timer: int = 0
    seen: int = -1
    settled: dict[str, int] = {}


class Crossing(NamedTuple):
    """Somebody entered or left a segment at an instant, for one of its values (in JSON) if it is one of many. `cause`:
    the id of the message that made it so, or in a word what else did. `is_news`: whether it is told as an event; else
    it only puts right who is known to be in. `live`: whether it starts anything."""

    segment: int
    name: str
    value: str
    inside: bool
    at_ms: int
    cause: str
    live: bool
    is_news: bool = True


def leaving(key: str, at_ms: int) -> Crossing:
    """That somebody who became part of another is no longer inside under their own number."""
    number, _, value = key.partition("\t")
    return Crossing(int(number), "", value, False, at_ms, "joined", live=False, is_news=False)


def count_item(mark: Mark, item: Item) -> None:
    """Count one event that need not be kept, unless it is the first."""
    mark.count += 1
    if mark.first is None or _stamp(item) < _stamp(mark.first):
        mark.first = item


def add_item(mark: Mark, item: Item) -> None:
    """Add one event. What is beyond `ITEMS_MAX` is left out from the oldest on."""
    count_item(mark, item)
    items = mark.items
    if not items or items[-1] < item:
        items.append(item)
    else:
        insort(items, item, key=_stamp)
    if len(items) > ITEMS_MAX:
        del items[:-ITEMS_MAX]


def _stamp(item: Item) -> tuple[int, int]:
    return item[0], item[1]


def add_number(mark: Mark, path: str, number: float, micros: int) -> None:
    """Count a number under a path."""
    known = mark.totals.get(path)
    if known is None:
        mark.totals[path] = Total(1, str(micros), number, number)
    else:
        known.count += 1
        known.micros = str(int(known.micros) + micros)
        known.low, known.high = min(known.low, number), max(known.high, number)


def add_different(mark: Mark, path: str, value: str) -> None:
    """Remember a value under a path. The lowest stay when there are too many."""
    known = mark.different.setdefault(path, [])
    if value not in known:
        insort(known, value)
        del known[DIFFERENT_MAX:]


def join_marks(into: dict[str, Mark], other: Mapping[str, Mark]) -> None:
    """Add all that another did, or did before."""
    for number, more in other.items():
        known = into.get(number)
        into[number] = more if known is None else _joined(known, more)


def _joined(a: Mark, b: Mark) -> Mark:
    firsts = [first for first in (a.first, b.first) if first is not None]
    joined = Mark(
        a.count + b.count,
        min(firsts, key=_stamp, default=None),
        sorted([*a.items, *b.items], key=_stamp)[-ITEMS_MAX:],
        dict(a.totals),
        {path: list(values) for path, values in a.different.items()},
    )
    for path, more in b.totals.items():
        known = joined.totals.get(path)
        joined.totals[path] = more if known is None else _sum(known, more)
    for path, values in b.different.items():
        for value in values:
            add_different(joined, path, value)
    return joined


def _sum(a: Total, b: Total) -> Total:
    return Total(a.count + b.count, str(int(a.micros) + int(b.micros)), min(a.low, b.low), max(a.high, b.high))
