"""Windows as numbers: each is an interval of instants, the same for everybody or one for each time zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta, tzinfo
from typing import Any

from sqlglot import exp

from courtesy.base.time import EARLIEST_MS, LATEST_MS
from courtesy.segment import tree
from courtesy.segment.moment import EXACT_MS, FIRST_DAY, LAST_DAY, Moment, Span
from courtesy.segment.sql.phrase import Phrase, column, sql
from courtesy.segment.values import comes_round

InTime = tree.Within | tree.Coming | tree.Ago | tree.Ahead

LEAP_YEAR = 2000

ZONED = "zoned"
"""The relation of the bounds of each person who told a zone."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Where people are: the zone of those who tell none, and the others by what the trait says."""

    default: tzinfo = UTC
    told: Mapping[str, tzinfo] = field(default_factory=dict)


def asks_calendar(node: object) -> bool:
    """Whether a part of the tree may mean something else elsewhere: by months, by days, or by the calendar."""
    match node:
        case tree.Current() | tree.Previous() | tree.Days() | tree.Anniversary():
            return True
        case tree.Duration(_, unit):
            return unit not in EXACT_MS
        case tree.Field(_, tree.Within() | tree.Coming() | tree.Ago() | tree.Ahead()):
            return True
        case tuple():
            return any(map(asks_calendar, node))
        case _:
            fields = getattr(node, "__struct_fields__", ())
            return any(asks_calendar(getattr(node, name)) for name in fields)


def span_of_test(test: InTime, moment: Moment) -> Span:
    """The instants that pass a test at a moment."""
    match test:
        case tree.Within(window):
            return moment.span_of(window)
        case tree.Coming(span):
            return Span(moment.now_ms - 1, moment.moved(moment.now_ms, span))
        case tree.Ago(span):
            return Span(EARLIEST_MS - 1, moment.began(span))
        case tree.Ahead(span):
            return Span(moment.moved(moment.now_ms, span), LATEST_MS)


def days_within(span: Span, moment: Moment) -> tuple[date, date]:
    """The first and the last day of those that begin within a span; the first is later where there is none."""
    first = _first_day(lambda day: moment.day_begins(day) > span.after_ms)
    beyond = _first_day(lambda day: moment.day_begins(day) > span.until_ms)
    return first, beyond - timedelta(days=1)


def _first_day(holds: Callable[[date], bool]) -> date:
    """The first day for which it holds, and from which on it does; the day after the last one when it never does."""
    low, high = FIRST_DAY.toordinal() - 1, LAST_DAY.toordinal() + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(date.fromordinal(middle)) else (middle, high)
    return date.fromordinal(high)


def days_of_year(test: tree.Anniversary, today: date) -> int:
    """The days of the year that come round, as bits: that of month m and day d is 32 m + d."""
    bits = 0
    for ordinal in range(366):
        day = date(LEAP_YEAR, 1, 1) + timedelta(days=ordinal)
        if comes_round(day, today, test.first, test.last):
            bits |= 1 << (32 * day.month + day.day)
    return bits


class Bounds:
    """The bounds that a statement needs. Those which are the same in all zones are constants; the others are columns of
    a table by zone, `table`."""

    def __init__(self, now_ms: int, zones: Zones) -> None:
        self.now_ms = now_ms
        self._zones = zones
        self._moments = [Moment(now_ms, zone) for zone in (zones.default, *zones.told.values())]
        self._columns: dict[str, tuple[str, list[Any], str]] = {}

    @property
    def are_told(self) -> bool:
        """Whether anything depends on where somebody is."""
        return bool(self._columns)

    def _phrase(self, values: list[Any], kind: str) -> Phrase:
        if len(set(values)) == 1:
            return _constant(values[0], kind)
        name, *_ = self._columns.setdefault(f"{kind}{values}", (f"bound_{len(self._columns)}", values, kind))
        return sql("coalesce(:told, :other)", told=column(name), other=_constant(values[0], kind))

    def spans(self, window: tree.Window | None) -> list[Span]:
        """A window in each zone."""
        return [moment.span_of(window) for moment in self._moments]

    def window(self, window: tree.Window | None) -> tuple[Phrase | None, Phrase | None]:
        """After when (left out) and until when (included) a window of events reaches; None for where nothing bounds
        it but now."""
        if window is None:
            return None, None
        spans = self.spans(window)
        after = self._phrase([span.after_ms for span in spans], "ms")
        is_now = all(span.until_ms >= self.now_ms for span in spans)
        return after, None if is_now else self._phrase([span.until_ms for span in spans], "ms")

    def instants(self, test: InTime) -> tuple[Phrase, Phrase]:
        """After when and until when an instant passes a test."""
        spans = [span_of_test(test, moment) for moment in self._moments]
        return (
            self._phrase([span.after_ms for span in spans], "ms"),
            self._phrase([span.until_ms for span in spans], "ms"),
        )

    def days(self, test: InTime) -> tuple[Phrase, Phrase]:
        """From which to which day, both included, a day passes a test."""
        found = [days_within(span_of_test(test, moment), moment) for moment in self._moments]
        return self._phrase([first for first, _ in found], "day"), self._phrase([last for _, last in found], "day")

    def days_of_year(self, test: tree.Anniversary) -> Phrase:
        """The days of the year that come round, as numbers 32 m + d in an array."""
        found = [days_of_year(test, moment.local(self.now_ms).date()) for moment in self._moments]
        return self._phrase(found, "bits")

    def zone_name(self) -> Phrase:
        """The name of the zone where somebody is."""
        return self._phrase([str(moment.zone) for moment in self._moments], "name")

    def columns(self) -> list[str]:
        """The names of those bounds that differ by zone."""
        return [name for name, _, _ in self._columns.values()]

    def table(self) -> exp.Select:
        """A row for each zone that somebody told: `zone` (as JSON text) and the bounds."""
        names = [name for name, _, _ in self._columns.values()]
        rows = [
            exp.Tuple(
                expressions=[
                    exp.Literal.string(f'"{zone}"'),
                    *(_constant(values[place], kind) for _, values, kind in self._columns.values()),
                ]
            )
            for place, zone in enumerate(self._zones.told, 1)
        ]
        return exp.select("*").from_(exp.values(rows, alias="told", columns=["zone", *names]))


def _constant(value: Any, kind: str) -> Phrase:
    match kind:
        case "ms":
            return sql("CAST(:it AS BIGINT)", it=exp.Literal.string(str(value)))
        case "day":
            return exp.cast(exp.Literal.string(value.isoformat()), "date")
        case "bits":
            places = [exp.Literal.number(place) for place in range(value.bit_length()) if value >> place & 1]
            return exp.Array(expressions=places)
        case _:
            return exp.Literal.string(value)
