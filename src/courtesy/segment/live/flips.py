"""When what a test says of a value changes by itself: the instants at which to look again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any as Anything

from courtesy.segment import tree
from courtesy.segment.moment import Moment, period_begin, period_end
from courtesy.segment.tree import Filter, Window
from courtesy.segment.values import anniversary, day_of, found_at, instant_of


def first_after(now_ms: int, instants: Iterable[int]) -> int | None:
    """The earliest that is yet to come; None when none is."""
    return min((each for each in instants if each > now_ms), default=None)


def of_test(test: tree.Test, value: Anything, moment: Moment) -> Iterator[int]:
    """The instants at which a test may begin or cease to hold for a value, maybe a few more."""
    match test:
        case tree.Anniversary(first, last):
            day = day_of(value, moment)
            if day is not None:
                this = moment.local(moment.now_ms).year
                for year in range(max(this - 2, 3), min(this + 3, 9_998)):
                    round_ = anniversary(day, year)
                    yield moment.day_begins(round_ - timedelta(days=last))
                    yield moment.day_begins(round_ - timedelta(days=first) + timedelta(days=1))
        case tree.Elements(_, filter_):
            for element in value if isinstance(value, list) else ():
                if isinstance(element, dict):
                    yield from of_filter(filter_, element, moment)
        case tree.Within() | tree.Coming() | tree.Ago() | tree.Ahead():
            at_ms = instant_of(value, moment)
            if at_ms is not None:
                yield from of_instant(test, at_ms, moment)
        case _:
            return


def of_instant(test: tree.Test, at_ms: int, moment: Moment) -> Iterator[int]:
    """As `of_test`, for a value that is an instant."""
    match test:
        case tree.Within(window):
            yield from of_window(window, at_ms, moment)
        case tree.Coming(span):
            yield moment.reaches(at_ms, span)
            yield at_ms + 1
        case tree.Ago(span):
            yield moment.moved(at_ms, span)
        case tree.Ahead(span):
            yield moment.reaches(at_ms, span)
        case _:
            return


def of_window(window: Window, at_ms: int, moment: Moment) -> Iterator[int]:
    """The instants at which an instant comes into a window, and leaves it."""
    match window:
        case tree.Sliding(span):
            yield at_ms
            yield moment.moved(at_ms, span)
        case tree.Current(period):
            begin, end = _period_of(at_ms, period, moment)
            yield from (begin, end)
        case tree.Previous(period):
            _, end = _period_of(at_ms, period, moment)
            yield end
            yield _period_of(end, period, moment)[1]
        case tree.Days():
            return


def _period_of(at_ms: int, period: tree.Period, moment: Moment) -> tuple[int, int]:
    """When the period of the calendar begins in which an instant lies, and when the next."""
    first = period_begin(moment.local(at_ms).date(), period)
    return moment.day_begins(first), moment.day_begins(period_end(first, period) + timedelta(days=1))


def of_filter(filter_: Filter, of: dict[str, Anything], moment: Moment) -> Iterator[int]:
    """As `of_test`, for a filter and an element."""
    match filter_:
        case tree.All(parts) | tree.Any(parts):
            for each in parts:
                yield from of_filter(tree.filter_of(each), of, moment)
        case tree.Not(part):
            yield from of_filter(tree.filter_of(part), of, moment)
        case tree.Field(path, test, _):
            yield from of_test(test, found_at(of, path), moment)
