"""An instant where somebody is, and the windows around it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from courtesy.base.time import DAY_MS, EARLIEST_MS, HOUR_MS, LATEST_MS, MINUTE_MS
from courtesy.segment.tree import Current, Days, Duration, Period, Previous, Sliding, Unit, Window

EXACT_MS = {Unit.MINUTE: MINUTE_MS, Unit.HOUR: HOUR_MS, Unit.DAY: DAY_MS, Unit.WEEK: 7 * DAY_MS}
"""Units that are as long everywhere and always."""

MONTH_UNITS = {Unit.MONTH: 1, Unit.YEAR: 12}
MONTHS_OF_PERIOD = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}

FIRST_DAY, LAST_DAY = date(1, 1, 3), date(9999, 12, 28)
"""Of what can be told in any time zone."""

MIDNIGHT = time()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


ZONE_TRAIT = "timezone"


@lru_cache(maxsize=1_024)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def zone_of(traits: Mapping[str, Any], default: tzinfo = UTC) -> tzinfo:
    """The time zone that somebody's traits tell by its IANA name, or the default when they tell none that there is."""
    name = traits.get(ZONE_TRAIT)
    return (_zone(name) or default) if isinstance(name, str) else default


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
        return self._shows(datetime.combine(day, MIDNIGHT))

    def moved(self, at_ms: int, span: Duration) -> int:
        """The instant `span` later. A later instant is never moved to an earlier one than an earlier instant is.

        A month or year later it is the same day and the same time on the wall clock. Where there is no such day or
        time, it is when the calendar or the clock has moved on: a month after 31 January is the beginning of 1 March.
        """
        if span.unit in EXACT_MS:
            return min(at_ms + span.count * EXACT_MS[span.unit], LATEST_MS)
        local = self._shown_by(at_ms)
        months = local.year * 12 + local.month - 1 + span.count * MONTH_UNITS[span.unit]
        year, month = months // 12, months % 12 + 1
        if year > LAST_DAY.year:
            return LATEST_MS
        if local.day > monthrange(year, month)[1]:
            return self.day_begins(date(year, month, monthrange(year, month)[1]) + timedelta(days=1))
        return self._shows(datetime.combine(date(year, month, local.day), local.time()))

    def began(self, span: Duration) -> int:
        """The last instant at which something that happened then is `span` ago; what came later is not yet."""
        if span.unit in EXACT_MS:
            return max(self.now_ms - span.count * EXACT_MS[span.unit], EARLIEST_MS)
        lowest = self.now_ms - (31 * span.count * MONTH_UNITS[span.unit] + 3) * DAY_MS
        return _first(lambda at_ms: self.moved(at_ms, span) > self.now_ms, lowest, self.now_ms) - 1

    def reaches(self, at_ms: int, span: Duration) -> int:
        """The first instant from which `span` later is at least `at_ms`."""
        if span.unit in EXACT_MS:
            return max(at_ms - span.count * EXACT_MS[span.unit], EARLIEST_MS)
        lowest = at_ms - (31 * span.count * MONTH_UNITS[span.unit] + 3) * DAY_MS
        return _first(lambda now_ms: self.moved(now_ms, span) >= at_ms, lowest, at_ms)

    def _shows(self, clock: datetime) -> int:
        """The first instant at which the clock on the wall shows a time, or has gone beyond it."""
        first, second = ((clock.replace(tzinfo=self.zone, fold=fold) - _EPOCH) // _MS for fold in (0, 1))
        # A time that is left out is told later by the clock from before than by the one from after.
        return first if first <= second else self._turn(second, first)

    def _shown_by(self, at_ms: int) -> datetime:
        """What the clock on the wall has shown by an instant: where it was set back, the end of the first passage."""
        local = self.local(at_ms)
        if not local.fold:
            return local.replace(tzinfo=None)
        first_ms = (local.replace(fold=0) - _EPOCH) // _MS
        turn_ms = self._turn(first_ms, at_ms)
        return local.replace(tzinfo=None) + (turn_ms - first_ms) * _MS

    def _turn(self, before_ms: int, after_ms: int) -> int:
        """The first instant after one and up to another at which the clock is set otherwise than at the first."""
        offset = self.local(before_ms).utcoffset()
        return _first(lambda at_ms: self.local(at_ms).utcoffset() != offset, before_ms, after_ms)

    def span_of(self, window: Window | None) -> Span:
        """From when to when a window reaches; None reaches from ever until now. What lies ahead is in none that is not
        of the calendar."""
        match window:
            case None:
                return Span(EARLIEST_MS - 1, self.now_ms)
            case Sliding(span):
                return Span(self.began(span), self.now_ms)
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


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first number above `low` for which it holds; from there on it does, and at `high` at the latest."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


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
