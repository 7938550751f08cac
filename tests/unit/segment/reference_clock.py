"""Time, as the reference of segments reckons it: by looking at the clock on the wall, quarter of an hour by quarter.

Everything follows from two questions: what has that clock shown so far at its highest, and when does it first show a
time or more. A clock that is set back does not undo what it has shown; one that is set forward shows at once what was
left out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from courtesy.segment.tree import Current, Days, Duration, Period, Previous, Sliding, Unit, Window

QUARTER_MS = 15 * 60 * 1_000
"""Clocks are set at quarters of an hour."""

EXACT_MS = {
    Unit.MINUTE: 60 * 1_000,
    Unit.HOUR: 60 * 60 * 1_000,
    Unit.DAY: 24 * 60 * 60 * 1_000,
    Unit.WEEK: 7 * 24 * 60 * 60 * 1_000,
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Shown = tuple[int, int, int, int]
"""What a clock with a calendar shows: year, month, day, and milliseconds since midnight. The later is the larger; there
may be a 31st of February to be waited for, which is over when it is March."""


@lru_cache(maxsize=100_000)
def shown(at_ms: int, zone: tzinfo) -> Shown:
    """What the clock on the wall shows at an instant."""
    there = (EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
    clock_ms = ((there.hour * 60 + there.minute) * 60 + there.second) * 1_000 + there.microsecond // 1_000
    return there.year, there.month, there.day, clock_ms


def today(at_ms: int, zone: tzinfo) -> date:
    """The day there."""
    return date(*shown(at_ms, zone)[:3])


def added(clock: Shown, ms: int) -> Shown:
    """What a clock shows that goes on for so long without being set."""
    clock_ms = clock[3] + ms
    day = date(*clock[:3]) + timedelta(days=clock_ms // EXACT_MS[Unit.DAY])
    return day.year, day.month, day.day, clock_ms % EXACT_MS[Unit.DAY]


@lru_cache(maxsize=100_000)
def highest(at_ms: int, zone: tzinfo) -> Shown:
    """The highest that the clock has shown up to an instant: more than now if it was set back a short while ago."""
    quarter = at_ms // QUARTER_MS * QUARTER_MS
    ends = [added(shown(quarter - (back + 1) * QUARTER_MS, zone), QUARTER_MS) for back in range(12)]
    return max(shown(at_ms, zone), *ends)


@lru_cache(maxsize=100_000)
def first_shown(clock: Shown, zone: tzinfo) -> int:
    """The first instant at which the clock on the wall shows a time, or more."""
    year, month, day, clock_ms = clock
    quarter = (datetime(year, month, min(day, 28), tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1) - EXACT_MS[
        Unit.DAY
    ]
    while True:
        begins = shown(quarter, zone)
        if begins >= clock:
            return quarter
        if begins[:3] == clock[:3] and clock_ms < begins[3] + QUARTER_MS:
            return quarter + clock_ms - begins[3]
        quarter += QUARTER_MS


def later(at_ms: int, span: Duration, zone: tzinfo) -> int:
    """The instant `span` after another: so many milliseconds, or the same time on the wall so many months later."""
    if span.unit in EXACT_MS:
        return at_ms + span.count * EXACT_MS[span.unit]
    year, month, day, clock_ms = highest(at_ms, zone)
    month += span.count * (12 if span.unit is Unit.YEAR else 1)
    while month > 12:
        year, month = year + 1, month - 12
    return first_shown((year, month, day, clock_ms), zone)


def begin_of(day: date, zone: tzinfo) -> int:
    """When a day begins."""
    return first_shown((day.year, day.month, day.day, 0), zone)


def is_in(window: Window | None, at_ms: int, now_ms: int, zone: tzinfo) -> bool:
    """Whether an instant lies in a window around now; None: whether it has been."""
    match window:
        case None:
            return at_ms <= now_ms
        case Sliding(span):
            return at_ms <= now_ms < later(at_ms, span, zone)
        case Current(period):
            return is_in_days(at_ms, *days_of(period, today(now_ms, zone)), zone)
        case Previous(period):
            first, _ = days_of(period, today(now_ms, zone))
            return is_in_days(at_ms, *days_of(period, first - timedelta(days=1)), zone)
        case Days(first, last):
            return is_in_days(at_ms, first, last, zone)


def is_in_days(at_ms: int, first: date | None, last: date | None, zone: tzinfo) -> bool:
    """Whether an instant lies in some days, both included; None is without end."""
    begun = first is None or at_ms >= begin_of(first, zone)
    return begun and (last is None or at_ms < begin_of(last + timedelta(days=1), zone))


def days_of(period: Period, day: date) -> tuple[date, date]:
    """The first and last day of the period in which a day lies: as many days around it as are in the same."""
    first = last = day
    while _name(period, first - timedelta(days=1)) == _name(period, day):
        first -= timedelta(days=1)
    while _name(period, last + timedelta(days=1)) == _name(period, day):
        last += timedelta(days=1)
    return first, last


def _name(period: Period, day: date) -> tuple[int, ...]:
    """What two days have in common if, and only if, they are of one period."""
    match period:
        case Period.DAY:
            return day.year, day.month, day.day
        case Period.WEEK:
            return day.isocalendar()[:2]
        case Period.MONTH:
            return day.year, day.month
        case Period.QUARTER:
            return day.year, (day.month + 2) // 3
        case Period.YEAR:
            return (day.year,)
