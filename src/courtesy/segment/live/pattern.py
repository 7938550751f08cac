"""What of a person's events has to be kept so that a condition can be judged at any later instant without them.

A condition on events becomes *patterns*: an event, the part of its filter that time can't change, and what is kept of
each event that fits. Conditions that ask for the same share a pattern, and so do windows of about the same length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b

import msgspec

from courtesy.base.time import DAY_MS, LATEST_MS
from courtesy.segment import tree
from courtesy.segment.moment import EXACT_MS, MONTH_UNITS
from courtesy.segment.tree import Event, Field, Filter, Function, Param, Whose, Window

EVER = -1
"""The horizon of what is kept for good."""

HORIZONS_MS = tuple(days * DAY_MS for days in (1, 8, 32, 94, 190, 370, 740, 1_900))
"""How long events are kept: windows of different lengths share a pattern when they share one of these."""

SLACK_MS = 2 * DAY_MS
"""Calendars of different places differ by less."""

PERIOD_DAYS = {
    tree.Period.DAY: 1,
    tree.Period.WEEK: 7,
    tree.Period.MONTH: 31,
    tree.Period.QUARTER: 92,
    tree.Period.YEAR: 366,
}

_IN_TIME = (tree.Within, tree.Coming, tree.Ago, tree.Ahead, tree.Anniversary)

Place = tuple[Whose, str]
"""Where in an event a value is found: whose field, and its path."""


class Keep(msgspec.Struct, frozen=True, array_like=True):
    """A pattern, as it is known again: the event with the `fixed` part of its filter; `values`: of which fields the
    values are kept with each event; for how long events are kept (ms; 0: not at all, EVER: for good), and from which
    day on; of which paths all numbers, and all different values ever; whether the last event is kept anyway; and of
    which paths all different values ever are kept, of arrays those of their elements."""

    name: str
    fixed: Filter | None
    values: tuple[Place, ...] = ()
    horizon_ms: int = 0
    since: date | None = None
    totals: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    has_last: bool = False
    each: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The same for the same pattern, and for no other."""
        return blake2b(msgspec.json.encode(self), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """A pattern that a condition asks for, and the rest of the filter: the part that depends on when it is asked, or
    for which value."""

    keep: Keep
    rest: Filter | None


def is_in_time(filter_: Filter | tree.Test) -> bool:
    """Whether what it says of the same value may change with time, or with the value that a segment is made for."""
    match filter_:
        case tree.All(of) | tree.Any(of):
            return any(is_in_time(tree.filter_of(each)) for each in of)
        case tree.Not(of):
            return is_in_time(tree.filter_of(of))
        case Field(_, test):
            return is_in_time(test)
        case tree.Elements():
            return is_in_time(filter_.filter)
        case tree.Is(values):
            return any(isinstance(each, Param) for each in values)
        case tree.Reads(_, text):
            return isinstance(text, Param)
        case _:
            return isinstance(filter_, _IN_TIME)


def places(filter_: Filter | None) -> Iterator[Place]:
    """Where the fields of a filter are found."""
    match filter_:
        case tree.All(of) | tree.Any(of):
            for each in of:
                yield from places(tree.filter_of(each))
        case tree.Not(of):
            yield from places(tree.filter_of(of))
        case Field(path, _, whose):
            yield whose, path
        case _:
            return


def split(where: Filter | None) -> tuple[Filter | None, Filter | None]:
    """A filter as the part that time can't change, and the rest; both hold where it does."""
    if where is None:
        return None, None
    if not is_in_time(where):
        return where, None
    if not isinstance(where, tree.All):
        return None, where
    parts = [tree.filter_of(each) for each in where.of]
    return _all([each for each in parts if not is_in_time(each)]), _all([each for each in parts if is_in_time(each)])


def _all(parts: list[Filter]) -> Filter | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return tree.All(tuple(parts))


def asked(
    event: Event,
    window: Window | None,
    *,
    is_counted: bool = True,
    also: tuple[Place, ...] = (),
    total: str = "",
    different: str = "",
    spans: int = 1,
) -> Asked:
    """The pattern for events in a window. `is_counted`: without a window their number will do, and none is kept.
    `also`: fields of which the values are asked for. `spans`: how many windows back it is looked."""
    fixed, rest = split(event.where)
    values = tuple(sorted({*places(rest), *also}))
    if window is None:
        horizon = EVER if rest is not None or not is_counted else 0
        return Asked(
            Keep(
                event.name,
                fixed,
                values,
                horizon,
                None,
                (total,) if total and not horizon else (),
                (different,) if different and not horizon else (),
            ),
            rest,
        )
    if isinstance(window, tree.Days):
        return Asked(Keep(event.name, fixed, values, EVER, window.first), rest)
    return Asked(Keep(event.name, fixed, values, _horizon_ms(_length_ms(window) * spans)), rest)


def _length_ms(window: Window) -> int:
    match window:
        case tree.Sliding(span) if span.unit in EXACT_MS:
            return span.count * EXACT_MS[span.unit]
        case tree.Sliding(span):
            return span.count * MONTH_UNITS[span.unit] * 31 * DAY_MS + SLACK_MS
        case tree.Current(period):
            return PERIOD_DAYS[period] * DAY_MS + SLACK_MS
        case tree.Previous(period):
            return 2 * PERIOD_DAYS[period] * DAY_MS + SLACK_MS
        case _:
            raise AssertionError("days are kept for good")


def _horizon_ms(length_ms: int) -> int:
    return next((each for each in HORIZONS_MS if length_ms <= each), EVER)


def kept_from_ms(keep: Keep, now_ms: int) -> int | None:
    """From when on the events of a pattern are kept, when it is `now_ms`; None for all."""
    if keep.horizon_ms != EVER:
        return now_ms - keep.horizon_ms if keep.horizon_ms else LATEST_MS
    if keep.since is None:
        return None
    first = datetime(keep.since.year, keep.since.month, keep.since.day, tzinfo=UTC)
    return int(first.timestamp()) * 1_000 - SLACK_MS


def patterns_of(condition: tree.Expression) -> tuple[Asked, ...]:
    """The patterns that a condition asks for, in the order in which its events stand in it; none of one that is about
    no events."""
    match condition:
        case tree.Did(event, _, _, window):
            return (asked(event, window),)
        case tree.Amount(measure, _):
            return (_measured(measure),)
        case tree.Occurrence(which, event, _, has):
            also = tuple(places(has))
            rest = split(event.where)[1]
            if rest is None:
                found = asked(event, None, also=also)
                keep = msgspec.structs.replace(found.keep, has_last=which is tree.Which.LAST)
                return (Asked(keep, None),)
            return (asked(event, None, is_counted=False, also=also),)
        case tree.Sequence(first, steps, window):
            events = [first, *(event for step in steps for event in (step.event, *step.without))]
            return tuple(asked(event, window, is_counted=False) for event in events)
        case tree.Change(event, _, _, span):
            return (asked(event, tree.Sliding(span), spans=2),)
        case _:
            return ()


def _measured(measure: tree.Measure) -> Asked:
    where = (Whose.PERSON, measure.path)
    if measure.window is not None or split(measure.event.where)[1] is not None:
        return asked(measure.event, measure.window, is_counted=False, also=(where,))
    if measure.function is Function.DIFFERENT:
        return asked(measure.event, None, different=measure.path)
    return asked(measure.event, None, total=measure.path)


def each_pattern(each: tree.Each) -> Asked | None:
    """The pattern that tells for which values of a property somebody may be in a segment of many."""
    if each.event is None:
        return None
    return Asked(Keep(each.event, None, each=(each.path,)), None)
