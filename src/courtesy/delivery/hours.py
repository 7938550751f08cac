"""Hours at which somebody may be written to: those that laws set, those that they wish, and those of the company."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from courtesy.base.time import SECOND_MS
from courtesy.consent.law import Hours
from courtesy.delivery.contact import QuietHours
from courtesy.person.whereabouts import minute_in

DAY_MINUTES = 24 * 60
ZONE_TURNS = 10
"""How often zones that disagree are asked in turn: hours that they have in common at all are found within two days."""

DAYS_AHEAD = 9
"""Hours that leave any minute of a day open at all are open again within a day; more where clocks change."""


class Open(NamedTuple):
    """Minutes of the day at which it is allowed, and who says so: a law by its source, `wish`, or `policy`."""

    hours: Hours
    by: str

    def has(self, minute: int) -> bool:
        """Whether a minute of the day lies in them. They may go over midnight."""
        first, end = self.hours
        return first <= minute < end if first <= end else minute >= first or minute < end


def without(quiet: QuietHours, by: str) -> Open:
    """The hours that quiet hours leave open; quiet hours that end when they begin are none."""
    begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in (quiet.begin, quiet.end))
    return Open(Hours(0, DAY_MINUTES) if begin == end else Hours(end, begin), by)


def closed_by(opens: Iterable[Open], zone: tzinfo, at_ms: int) -> Open | None:
    """The first that does not allow an instant."""
    minute = minute_in(zone, at_ms)
    return next((each for each in opens if not each.has(minute)), None)


def open_in_all(opens: Sequence[Open], zones: Sequence[tzinfo], at_ms: int) -> int | None:
    """The first instant from `at_ms` on that all allow in each of some zones; None when none is found."""
    found: int | None = at_ms
    for _ in range(ZONE_TURNS):
        for zone in zones:
            found = None if found is None else opens_at(opens, zone, found)
        if found is None or all(closed_by(opens, zone, found) is None for zone in zones):
            return found
    return None


def opens_at(opens: Sequence[Open], zone: tzinfo, at_ms: int) -> int | None:
    """The first instant from `at_ms` on that all allow; None when there is none in the days to come."""
    if closed_by(opens, zone, at_ms) is None:
        return at_ms
    there = datetime.fromtimestamp(at_ms / SECOND_MS, UTC).astimezone(zone)
    for ahead in range(DAYS_AHEAD):
        day = (there + timedelta(days=ahead)).date()
        for first in sorted({each.hours.first % DAY_MINUTES for each in opens}):
            begins = datetime.combine(day, time(first // 60, first % 60), zone)
            # Of a time that the clock leaves out or shows twice, an instant that shows what is allowed.
            found_ms = round(begins.timestamp() * SECOND_MS)
            if found_ms >= at_ms and closed_by(opens, zone, found_ms) is None:
                return found_ms
    return None
