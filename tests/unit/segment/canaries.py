"""Executions with one part broken on purpose, each of which has to be noticed by the properties of agreement."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC
from functools import partial
from itertools import count
from typing import Any as Anything

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from courtesy.base.ids import PersonId, Position
from courtesy.event.event import Fact
from courtesy.person.catalog import Touched
from courtesy.person.marks import Crossing, Mark
from courtesy.person.state import PersonState
from courtesy.runtime.segment_building import SegmentBuilder
from courtesy.runtime.segment_settling import Settler
from courtesy.segment import tree
from courtesy.segment.definition import SegmentDefinition
from courtesy.segment.judge import Happened, Judge, Past
from courtesy.segment.live.watch import Tally, Watch
from courtesy.segment.moment import EXACT_MS, Moment
from courtesy.segment.tree import Duration, Segment, Step, Unit
from tests.unit.segment.executions import Execution, Members, Parts, by_judge
from tests.unit.segment.facts import Arrival, Merged, Parted, Told, World
from tests.unit.segment.histories import ANCHORS, END_OF_MONTH, NAMES, SPANS, Kinds, made_once


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


@made_once
def counts(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Whether somebody did something in a window."""
    windows = st.sampled_from(SPANS).map(tree.Sliding) | st.sampled_from(tree.Period).map(tree.Current)
    names = st.sampled_from((*NAMES, tree.ANYTHING)).map(tree.Event)
    return st.builds(lambda event, window: tree.Did(event, window=window), names, windows)


@made_once
def totals(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Whether somebody did something so often, ever."""
    return st.integers(1, 4).map(lambda times: tree.Did(tree.Event(tree.ANYTHING), times, times))


@made_once
def stances(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Whether somebody refused, or wished for something."""
    refused = tree.Consent(tree.Stance.REFUSED, "marketing", "email")
    return st.sampled_from((refused, tree.Preference("marketing", tree.Present(), "email")))


@made_once
def months(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Whether somebody did something in the last month, or two."""
    window = st.integers(1, 2).map(lambda count: tree.Sliding(tree.Duration(count, Unit.MONTH)))
    return window.map(lambda window: tree.Did(tree.Event(tree.ANYTHING), window=window))


@made_once
def courses(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Whether somebody did one thing, then another, without a third between."""
    event = st.sampled_from((*NAMES, "Page Viewed", "Screen Viewed")).map(tree.Event)
    step = st.builds(lambda event, other: tree.Step(event, without=(other,)), event, event)
    return st.builds(lambda first, step: tree.Sequence(first, (step,)), event, step)


@made_once
def lasts(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Whether the first or last thing that somebody did was a certain one."""
    has = tree.Field("b", tree.Compare(tree.Sign.MORE, 1))
    names = st.sampled_from((*NAMES, tree.ANYTHING)).map(tree.Event)
    return st.builds(lambda which, event: tree.Occurrence(which, event, has=has), st.sampled_from(tree.Which), names)


@made_once
def lines(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Whether a line of an order is of one kind and of one number."""
    of = st.builds(
        lambda kind, number: tree.All((tree.Field("k", tree.Is((kind,))), tree.Field("n", tree.Is((number,))))),
        st.sampled_from(("x", "y")),
        st.sampled_from((1, 2, 5)),
    )
    found = of.map(lambda both: tree.Field("lines", tree.Elements(tree.Quantity.ANY, both)))
    return found | found.map(lambda where: tree.Did(tree.Event(tree.ANYTHING, where)))


@dataclass(frozen=True, slots=True)
class Canary:
    """A broken execution, with the kinds of conditions in which it shows soon, and around which instants."""

    execution: Execution
    kinds: Kinds
    anchors: Sequence[int] = ANCHORS


JUDGING = {
    "windows are a ms too long": Canary(partial(by_judge, parts=Parts(moment=OneMsLong)), (counts,)),
    "months end on their last day": Canary(
        partial(by_judge, parts=Parts(moment=ClampsMonths)), (months,), (END_OF_MONTH,)
    ),
    "everybody is in one time zone": Canary(
        partial(by_judge, parts=Parts(moment=lambda now_ms, _: Moment(now_ms, UTC))), (counts,)
    ),
    "nothing is in the way of a sequence": Canary(partial(by_judge, parts=Parts(judge=SeesNoBarrier)), (courses,)),
    "ties are turned round": Canary(partial(by_judge, parts=Parts(past=turns_ties)), (lasts,)),
    "elements of an array are mixed": Canary(partial(by_judge, parts=Parts(past=mixes_elements)), (lines,)),
    "who became one is not": Canary(partial(_without, Merged), (counts,)),
    "who became two again is not": Canary(partial(_without, Parted), (counts,)),
    "things happen when they come in": Canary(_as_it_came_in, (counts,)),
}
"""Broken executions of the judge."""


class LooksLate(Watch):
    """Whoever waits for an instant is looked at a ms later."""

    def turn(
        self, state: PersonState, touched: Touched | None, at_ms: int, cause: str, *, live: bool
    ) -> list[Crossing]:
        before = {} if state.marks is None else dict(state.marks.due)
        found = super().turn(state, touched, at_ms, cause, live=live)
        if state.marks is not None:
            for key, due_ms in state.marks.due.items():
                if before.get(key) not in (due_ms, due_ms + 1):
                    state.marks.due[key] = due_ms + 1
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


class HearsNoChoice(Watch):
    """What people allow, refuse and wish has nobody looked at."""

    def count(self, state: PersonState, fact: Fact, tie: int, position: Position | None) -> Touched:
        return replace(super().count(state, fact, tie, position), choices=False)


class StandsOnNothing(Watch):
    """Who enters or leaves a segment is not looked at for those that stand on it."""

    def __init__(self, *given: Anything, **named: Anything) -> None:
        super().__init__(*given, **named)
        self._of_segment = {}


WATCHING: dict[str, tuple[type[Watch], Kinds]] = {
    "timers are a ms late": (LooksLate, (counts,)),
    "there are no timers": (NeverLooksAgain, (counts,)),
    "joining changes nothing": (LosesWhoJoined, (counts,)),
    "choices change nothing": (HearsNoChoice, (stances,)),
    "segments stand on nothing": (StandsOnNothing, (counts,)),
}
"""Broken watches of the fold."""


class CountsOn(SegmentBuilder):
    """What came in since a segment was defined is counted as if it had been before."""

    async def _count_up_to(self, since: Position, tally: Tally) -> None:
        await super()._count_up_to(await self._engine.head(), tally)


class CountsNothing(SegmentBuilder):
    """Nothing that was before a segment counts for it."""

    async def _count(self, segment: SegmentDefinition) -> None:
        return


class WakesNobody(SegmentBuilder):
    """Whoever does nothing is not looked at for a new segment."""

    async def _wake_all(self) -> None:
        return


class CountsWhoIsAnew(SegmentBuilder):
    """Whoever was found anew meanwhile is counted all the same."""

    async def _found_anew(self, people: Collection[PersonId], since: Position) -> set[PersonId]:
        return set()


class ForgetsItsPlace(SegmentBuilder):
    """What another appended before it died is appended again."""

    _appends = count()

    async def _append(self, counted: Mapping[PersonId, Mapping[str, Mark]], since: Position, tally: Tally) -> None:
        other = copy(tally)
        other.keys = frozenset({str(next(self._appends)), *tally.keys})
        await super()._append(counted, since, other)


BUILDING: dict[str, type[SegmentBuilder]] = {
    "what comes counts as what was": CountsOn,
    "what was counts for nothing": CountsNothing,
    "nobody is woken": WakesNobody,
}
"""Broken builders of new segments."""


class TakesNothingBack(Settler):
    """For whom a rank or a group's trait held, it holds for ever."""

    async def _known(self, number: int) -> set[PersonId]:
        return set()


class ToldNobody(Settler):
    """Nobody is told."""

    async def settle(self, conditions: Mapping[str, tree.Expression]) -> int:
        return 0


SETTLING: dict[str, type[Settler]] = {"nothing is taken back": TakesNothingBack, "nobody is told": ToldNobody}
"""Broken settlers of ranks and groups."""
