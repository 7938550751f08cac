"""Days of the calendar as spans of time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS
from courtesy.event.choice import INSTANT_MAX


def span_of_day(day: str, zone: str, place: str) -> tuple[int, int]:
    """From when until when (ms UTC, the end not included) a day like `2026-05-03` lasts in a time zone; 23 to 25 hours.

    Raises CourtesyError(INVALID) for no such day or zone, or one before 1970 or after 2108; `place` is where both
    stand, as in `query.`.
    """
    try:
        there = ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise CourtesyError(
            Code.INVALID, f"expected a time zone, got {zone!r:.60}", hint="like Europe/Berlin", place=f"{place}zone"
        ) from None
    try:
        first = date.fromisoformat(day)
        ends = [datetime.combine(each, time(), there) for each in (first, first + timedelta(days=1))]
        from_ms, to_ms = (int(each.timestamp()) * SECOND_MS for each in ends)
    except (ValueError, OverflowError):
        from_ms = to_ms = -1
    if not 0 <= from_ms < to_ms < INSTANT_MAX:
        raise CourtesyError(
            Code.INVALID, f"expected a day since 1970, got {day!r:.60}", hint="like 2026-05-03", place=f"{place}day"
        )
    return from_ms, to_ms
