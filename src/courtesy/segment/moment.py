"""An instant where somebody is, and the windows around it."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from courtesy.base.time import EARLIEST_MS, HOUR_MS, LATEST_MS, MINUTE_MS
from courtesy.segment.tree import Current, Days, Duration, Period, Previous, Sliding, Unit, Window

DAY_UNITS = {Unit.DAY: 1, Unit.WEEK: 7}
MONTH_UNITS = {Unit.MONTH: 1, Unit.YEAR: 12}
MONTHS_OF_PERIOD = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}

FIRST_DAY, LAST_DAY = date(1, 1, 3), date(9999, 12, 28)
"""Of what can be told in any time zone."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Span(NamedTuple):
    """From `after_ms`, left out, to `until_ms`, included."""

    after_ms: int
    until_ms: int

    def has(self, at_ms: int) -> bool:
        """Whether an instant lies in it."""
        return self.after_ms < at_ms <= self.until_ms


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and the time zone of whoever is asked about."""

    now_ms: int
    zone: tzinfo

    def local(self, at_ms: int) -> datetime:
        """The wall clock at an instant; what lies beyond the years 1 to 9999 is taken for their ends."""
        at_ms = min(max(at_ms, EARLIEST_MS + 2 * 24 * HOUR_MS), LATEST_MS - 2 * 24 * HOUR_MS)
        return (_EPOCH + at_ms * _MS).astimezone(self.zone)

    def day_begins(self, day: date) -> int:
        """When a day begins. One on which midnight is left out begins when the clock has moved on."""
        return (datetime(day.year, day.month, day.day, tzinfo=self.zone) - _EPOCH) // _MS

    def moved(self, at_ms: int, span: Duration, sign: int = 1) -> int:
        """An instant `span` later, or earlier with a `sign` of -1.

        Minutes and hours are what they are. Days, weeks, months and years keep the time on the wall clock, and a month
        or year that has no such day takes its last.
        """
        if span.unit is Unit.MINUTE:
            return at_ms + sign * span.count * MINUTE_MS
        if span.unit is Unit.HOUR:
            return at_ms + sign * span.count * HOUR_MS
        local = self.local(at_ms)
        try:
            day = self._day_moved(local.date(), span, sign)
        except (OverflowError, ValueError):
            return LATEST_MS if sign > 0 else EARLIEST_MS
        there = datetime.combine(day, local.time(), tzinfo=self.zone).replace(fold=local.fold)
        return (there - _EPOCH) // _MS

    def _day_moved(self, day: date, span: Duration, sign: int) -> date:
        if span.unit in DAY_UNITS:
            return day + timedelta(days=sign * span.count * DAY_UNITS[span.unit])
        months = day.year * 12 + day.month - 1 + sign * span.count * MONTH_UNITS[span.unit]
        year, month = divmod(months, 12)
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))

    def ago(self, span: Duration) -> int:
        """The instant `span` before now."""
        return self.moved(self.now_ms, span, -1)

    def span_of(self, window: Window | None) -> Span:
        """From when to when a window reaches; None reaches from ever until now. What lies ahead is in none that is not
        of the calendar."""
        match window:
            case None:
                return Span(EARLIEST_MS - 1, self.now_ms)
            case Sliding(span):
                return Span(self.ago(span), self.now_ms)
            case Current(period):
                first = period_begin(self.local(self.now_ms).date(), period)
                return self._days(first, period_end(first, period))
            case Previous(period):
                last = period_begin(self.local(self.now_ms).date(), period) - timedelta(days=1)
                return self._days(period_begin(last, period), last)
            case Days(begin, end):
                return self._days(max(begin or FIRST_DAY, FIRST_DAY), min(end or LAST_DAY, LAST_DAY))

    def _days(self, first: date, last: date) -> Span:
        return Span(self.day_begins(first) - 1, self.day_begins(last + timedelta(days=1)) - 1)


def period_begin(day: date, period: Period) -> date:
    """The first day of the period of the calendar in which a day lies."""
    match period:
        case Period.DAY:
            return day
        case Period.WEEK:
            return day - timedelta(days=day.weekday())
        case _:
            months = MONTHS_OF_PERIOD[period]
            return date(day.year, (day.month - 1) // months * months + 1, 1)


def period_end(first: date, period: Period) -> date:
    """The last day of the period of the calendar that begins on a day."""
    match period:
        case Period.DAY:
            return first
        case Period.WEEK:
            return first + timedelta(days=6)
        case _:
            month = first.month + MONTHS_OF_PERIOD[period] - 1
            return date(first.year, month, monthrange(first.year, month)[1])
