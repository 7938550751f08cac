"""Conditions of the language, made of what is known of people: with cuts that are easy to say, and who is in each.

Each function goes over one number or value of all people (arrays as long as there are people, in one order) and gives
the conditions that can be made of it. NaN is of people who have none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from courtesy.base.time import DAY_MS
from courtesy.segment import tree
from courtesy.segment.discovery.people import Numbers, Truths
from courtesy.segment.tree import (
    Ago,
    Amount,
    Change,
    Compare,
    Did,
    Duration,
    Event,
    Expression,
    Field,
    Is,
    Measure,
    Occurrence,
    Sign,
    Sliding,
    Step,
    Trend,
    Unit,
    Value,
    Which,
    Whose,
    Within,
)

SPANS_DAYS = (7, 30, 90, 180, 365)
"""Since when something is asked to be."""

GAPS_DAYS = (1, 7, 30)
"""Within what one thing is asked to follow another."""

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
FEW = (1, 2, 3, 5)
DIGITS = 2
"""Of a cut: 150 is as good as 153.27, and can be said."""

CUT_MAX = 1e12
CHANGE_PERCENT = 50.0


class Condition(NamedTuple):
    """A condition, and who is in it."""

    node: Expression
    inside: Truths


def days(count: int) -> Duration:
    """So many days."""
    return Duration(count, Unit.DAY)


def cuts(values: Numbers) -> list[float]:
    """Numbers of few digits at quantiles of those there are, rising. Zero is left out: it often is what most have."""
    there = values[~np.isnan(values) & (values != 0)]
    if not there.size:
        return []
    found = np.quantile(there, QUANTILES)
    return sorted({_short(float(each)) for each in found if abs(each) <= CUT_MAX})


def _short(number: float) -> float:
    if number == 0:
        return 0.0
    return round(number, DIGITS - 1 - math.floor(math.log10(abs(number))))


def counted(event: Event, window: Sliding | None, counts: NDArray[np.int64]) -> Iterator[Condition]:
    """By how often they did something in a window, or ever."""
    yield Condition(Did(event, 0, 0, window), counts == 0)
    there = counts[counts > 0]
    often = {int(each) for each in cuts(there.astype(np.float64)) if each >= 1}
    for least in sorted({*FEW, *often}):
        yield Condition(Did(event, least, None, window), counts >= least)


def measured(measure: Measure, values: Numbers) -> Iterator[Condition]:
    """By a number that is made of the events of each."""
    for sign, cut, inside in _either_side(values):
        yield Condition(Amount(measure, Compare(sign, cut)), inside)


def numbered(path: str, whose: Whose, values: Numbers) -> Iterator[Condition]:
    """By a trait that is a number."""
    for sign, cut, inside in _either_side(values):
        yield Condition(Field(path, Compare(sign, cut), whose), inside)


def _either_side(values: Numbers) -> Iterator[tuple[Sign, float | int, Truths]]:
    for cut in cuts(values):
        # Who has none is on neither side: NaN is not at least anything, nor less.
        yield Sign.AT_LEAST, whole(cut), values >= cut
        yield Sign.LESS, whole(cut), values < cut


def whole(number: float) -> float | int:
    """The same number, without a fraction if it has none."""
    return int(number) if number == int(number) else number


def valued(path: str, whose: Whose, value: Value, inside: Truths) -> Iterator[Condition]:
    """By a trait that has a value."""
    yield Condition(Field(path, Is((value,)), whose), inside)


def dated(path: str, whose: Whose, instants_ms: Numbers, now_ms: int) -> Iterator[Condition]:
    """By a trait that is a day or an instant: how long ago it is."""
    ago = now_ms - instants_ms
    for span in SPANS_DAYS:
        reached = ago >= span * DAY_MS
        yield Condition(Field(path, Within(Sliding(days(span))), whose), (ago >= 0) & ~reached)
        yield Condition(Field(path, Ago(days(span)), whose), reached)


def began_or_ended(event: Event, which: Which, at_ms: Numbers, now_ms: int) -> Iterator[Condition]:
    """By how long ago somebody's first or last event was."""
    ago = now_ms - at_ms
    for span in SPANS_DAYS:
        reached = ago >= span * DAY_MS
        yield Condition(Occurrence(which, event, Ago(days(span))), reached)
        if which is Which.FIRST:
            # Of the last event it is the same as having done it, and that can be said more simply.
            yield Condition(Occurrence(which, event, Within(Sliding(days(span)))), (ago >= 0) & ~reached)


def changed(event: Event, span_days: int, now: NDArray[np.int64], before: NDArray[np.int64]) -> Iterator[Condition]:
    """By whether they do it much more or less often than in the span before."""
    span, had = days(span_days), before > 0
    less = had & (100 * now <= before * (100 - CHANGE_PERCENT))
    more = had & (100 * now >= before * (100 + CHANGE_PERCENT))
    yield Condition(Change(event, Trend.LESS, CHANGE_PERCENT, span), less)
    yield Condition(Change(event, Trend.MORE, CHANGE_PERCENT, span), more)


def followed(first: Event, then: Event, gap_ms: Numbers) -> Iterator[Condition]:
    """By whether one thing came after another, soon. `gap_ms`: the shortest time there was between the two."""
    for within in GAPS_DAYS:
        step = Step(then, within=days(within))
        yield Condition(tree.Sequence(first, (step,)), gap_ms <= within * DAY_MS)
