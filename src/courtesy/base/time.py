"""Time is integer milliseconds since 1970 in UTC; who tells it is an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# Years 1 to 9999, which is what ISO 8601 with four digits and Python's datetime can write.
EARLIEST_MS = -62_135_596_800_000
LATEST_MS = 253_402_300_799_999


class Clock(Protocol):
    """Tells the time. `now_ms` may jump in either direction; nothing durable may depend on it being monotonic."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved, for tests and simulation."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, by_ms: int) -> None:
        """Move the clock; a negative `by_ms` is a clock set back."""
        self._now_ms += by_ms

    def set(self, now_ms: int) -> None:
        """Put the clock at an instant."""
        self._now_ms = now_ms


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_iso(at_ms: int) -> str:
    """`2026-11-22T03:04:05.678Z`; instants outside the years 1 to 9999 are clamped."""
    day, rest_ms = divmod(min(max(at_ms, EARLIEST_MS), LATEST_MS), DAY_MS)
    seconds, millis = divmod(rest_ms, SECOND_MS)
    minutes, second = divmod(seconds, 60)
    return f"{_date_of(day)}T{minutes // 60:02}:{minutes % 60:02}:{second:02}.{millis:03}Z"


@lru_cache(maxsize=4_096)
def _date_of(day: int) -> str:
    """The date of a day since 1970. Most instants that are written fall on few days."""
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def from_iso(text: str) -> int | None:
    """Milliseconds of an ISO 8601 date or date-time, None when it is not one.

    A value without an offset is UTC. Sub-millisecond digits are cut off.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
