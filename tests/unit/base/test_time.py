"""Time as numbers and as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import DAY_MS, EARLIEST_MS, LATEST_MS, ManualClock, SystemClock, from_iso, to_iso

NOON_MS = 1_763_812_800_000


@given(st.integers(EARLIEST_MS, LATEST_MS))
def test_an_instant_survives_as_text(at_ms: int) -> None:
    """Whatever year it lies in."""
    assert from_iso(to_iso(at_ms)) == at_ms


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2025-11-22T12:00:00Z", NOON_MS),
        ("2025-11-22T12:00:00.000+00:00", NOON_MS),
        ("2025-11-22T13:00:00+01:00", NOON_MS),
        (" 2025-11-22 12:00:00 ", NOON_MS),
        ("2025-11-22T12:00:00.0019999Z", NOON_MS + 1),
        ("2025-11-22", NOON_MS - DAY_MS // 2),
        ("1969-12-31T23:59:59.9995Z", -1),
        ("0001-01-01T00:00:00+14:00", EARLIEST_MS - 14 * 3_600_000),
    ],
)
def test_the_usual_ways_to_write_an_instant_are_read(text: str, at_ms: int) -> None:
    """With and without offset (UTC then), T and fractions; what is finer than a millisecond is cut off."""
    assert from_iso(text) == at_ms


@pytest.mark.parametrize("text", ["", "now", "2025-13-01", "2025-02-30", "12:00", "1763812800000", "2025-11-22T25:00Z"])
def test_what_is_no_instant_is_none(text: str) -> None:
    """Nothing is guessed."""
    assert from_iso(text) is None


def test_instants_that_no_calendar_has_are_shown_as_the_nearest() -> None:
    """A broken clock must not break whoever looks."""
    assert to_iso(10**18) == "9999-12-31T23:59:59.999Z"
    assert to_iso(-(10**18)) == "0001-01-01T00:00:00.000Z"


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    """Forwards, backwards, or to an instant."""
    clock = ManualClock(NOON_MS)
    assert clock.now_ms() == clock.now_ms() == NOON_MS
    clock.advance(-1)
    assert clock.now_ms() == NOON_MS - 1
    clock.set(7)
    assert clock.now_ms() == 7


def test_the_machines_clock_tells_milliseconds() -> None:
    """Not seconds, nor nanoseconds."""
    assert NOON_MS - 2 * 365 * DAY_MS < SystemClock().now_ms() < LATEST_MS
