"""Executions with one part broken on purpose, each of which has to be noticed by the properties of agreement."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import Any as Anything

import msgspec

from courtesy.person.catalog import Touched
from courtesy.person.marks import Crossing
from courtesy.person.state import PersonState
from courtesy.segment.judge import Happened, Judge, Past
from courtesy.segment.live.watch import Watch
from courtesy.segment.moment import EXACT_MS, Moment
from courtesy.segment.tree import Duration, Segment, Step, Unit
from tests.unit.segment.executions import Execution, Members, Parts, by_judge
from tests.unit.segment.facts import Arrival, Merged, Parted, Told, World


class OneMsLong(Moment):
    """Windows reach one ms further back."""

    def began(self, span: Duration) -> int:
        return super().began(span) - 1


class ClampsMonths(Moment):
    """A month after the 31st is the last day of a month, and not the day after."""

    def moved(self, at_ms: int, span: Duration) -> int:
        moved = super().moved(at_ms, span)
        day = self.local(at_ms).day
        if span.unit in EXACT_MS or day <= 28 or self.local(moved).day == day:
            return moved
        before = self.local(moved - EXACT_MS[Unit.DAY])
        clamped = self.local(at_ms).replace(year=before.year, month=before.month, day=1)
        return int(clamped.replace(day=monthrange(before.year, before.month)[1]).timestamp() * 1_000)


class SeesNoBarrier(Judge):
    """Nothing that is between two steps is in the way."""

    def _after(self, before: Happened, step: Step) -> Iterator[Happened]:
        return super()._after(before, msgspec.structs.replace(step, without=()))


def turns_ties(past: Past) -> Past:
    """Of two events in one ms the later is taken for the earlier."""
    return replace(past, events=sorted(replace(each, tie=-each.tie) for each in past.events))


def mixes_elements(past: Past) -> Past:
    """A filter holds for an array when each part of it does, for whichever element."""
    events = [replace(each, properties=_mixed(each.properties)) for each in past.events]
    return replace(past, events=events, traits=_mixed(past.traits))


def _mixed(value: Anything) -> Anything:
    """Arrays of objects, each element with one value of the next."""
    if isinstance(value, Mapping):
        return {name: _mixed(each) for name, each in value.items()}
    if isinstance(value, list) and all(isinstance(each, Mapping) and "n" in each for each in value):
        return [{**each, "n": other["n"]} for each, other in zip(value, [*value[1:], *value[:1]], strict=True)]
    return value


def _without(kind: type[Arrival], world: World, segments: Mapping[str, Segment], at_ms: int) -> Members:
    """The judge, in a world in which something never came in."""
    return by_judge(World(tuple(each for each in world.arrivals if not isinstance(each, kind))), segments, at_ms)


def _as_it_came_in(world: World, segments: Mapping[str, Segment], at_ms: int) -> Members:
    """The judge, for whom things happen when they come in."""
    arrivals = (replace(each, at_ms=each.received_ms) if isinstance(each, Told) else each for each in world.arrivals)
    return by_judge(World(tuple(arrivals)), segments, at_ms)


JUDGING: dict[str, Execution] = {
    "windows are a ms too long": partial(by_judge, parts=Parts(moment=OneMsLong)),
    "months end on their last day": partial(by_judge, parts=Parts(moment=ClampsMonths)),
    "everybody is in one time zone": partial(by_judge, parts=Parts(moment=lambda now_ms, _: Moment(now_ms, UTC))),
    "nothing is in the way of a sequence": partial(by_judge, parts=Parts(judge=SeesNoBarrier)),
    "ties are turned round": partial(by_judge, parts=Parts(past=turns_ties)),
    "elements of an array are mixed": partial(by_judge, parts=Parts(past=mixes_elements)),
    "who became one is not": partial(_without, Merged),
    "who became two again is not": partial(_without, Parted),
    "things happen when they come in": _as_it_came_in,
}
"""Broken executions of the judge."""


class LooksLate(Watch):
    """Whoever waits for an instant is looked at a ms later."""

    def turn(
        self, state: PersonState, touched: Touched | None, at_ms: int, cause: str, *, live: bool
    ) -> list[Crossing]:
        found = super().turn(state, touched, at_ms, cause, live=live)
        if state.marks is not None:
            state.marks.due = {key: due_ms + 1 for key, due_ms in state.marks.due.items()}
        return found


class NeverLooksAgain(Watch):
    """Nobody is looked at but when they do something."""

    def turn(
        self, state: PersonState, touched: Touched | None, at_ms: int, cause: str, *, live: bool
    ) -> list[Crossing]:
        found = super().turn(state, touched, at_ms, cause, live=live)
        if state.marks is not None:
            state.marks.due.clear()
        return found


class LosesWhoJoined(Watch):
    """Who becomes one with somebody is not looked at for it."""

    def turn(
        self, state: PersonState, touched: Touched | None, at_ms: int, cause: str, *, live: bool
    ) -> list[Crossing]:
        return [] if touched is None else super().turn(state, touched, at_ms, cause, live=live)


WATCHING: dict[str, type[Watch]] = {
    "timers are a ms late": LooksLate,
    "there are no timers": NeverLooksAgain,
    "joining changes nothing": LosesWhoJoined,
}
"""Broken watches of the fold."""
