"""Deadlines: against another calendar, and against the dates that guidelines give as examples."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import DAY_MS, from_iso, to_iso
from courtesy.consent.deadline import DEADLINES, Period, day_ms, deadline_for, end_of
from courtesy.consent.request import RequestKind

WEEKEND = 5


def _ms(text: str) -> int:
    at_ms = from_iso(text)
    assert at_ms is not None
    return at_ms


@pytest.mark.parametrize(
    ("received", "period", "due"),
    [
        ("2026-03-05T09:00:00Z", Period(months=1), "2026-04-05"),
        ("2026-01-31T23:59:59Z", Period(months=1), "2026-02-28"),
        ("2028-01-31", Period(months=1), "2028-02-29"),
        ("2026-01-31", Period(months=3), "2026-04-30"),
        ("2026-12-31", Period(months=1), "2027-01-31"),
        ("2026-11-30", Period(months=3), "2027-02-28"),
        ("2026-08-31", Period(days=45), "2026-10-15"),
        # Friday the 2nd: the fifteenth working day after it is Friday the 23rd.
        ("2026-01-02", Period(working_days=15), "2026-01-23"),
        ("2026-01-03", Period(working_days=15), "2026-01-23"),
        ("2026-01-05", Period(working_days=1), "2026-01-06"),
    ],
)
def test_a_deadline_is_the_first_instant_of_its_last_day(received: str, period: Period, due: str) -> None:
    """Of months without that day it is the last; weekends are no working days."""
    assert to_iso(end_of(period, _ms(received))) == f"{due}T00:00:00.000Z"


INSTANTS = st.integers(DAY_MS, 2**42)


def _day(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).date()


@given(INSTANTS, st.integers(0, 40), st.integers(0, 100))
def test_a_month_ends_on_the_same_day_or_the_last(received_ms: int, months: int, days: int) -> None:
    """By walking through the calendar day by day: also over leap days and turns of the year."""
    first = _day(received_ms)
    wanted = first.year * 12 + first.month + months
    walked = [first + timedelta(days=number) for number in range(32 * (months + 1))]
    in_month = [day for day in walked if day.year * 12 + day.month == wanted]
    last = max(day for day in in_month if day.day <= first.day)
    due_ms = end_of(Period(months, days), received_ms)
    assert due_ms % DAY_MS == 0
    assert _day(due_ms) == last + timedelta(days=days)


@given(INSTANTS, st.integers(1, 60))
def test_between_receipt_and_deadline_lie_as_many_working_days(received_ms: int, count: int) -> None:
    """The deadline is one itself."""
    due_ms = end_of(Period(working_days=count), received_ms)
    days = range(received_ms // DAY_MS + 1, due_ms // DAY_MS + 1)
    working = [day for day in days if _day(day * DAY_MS).weekday() < WEEKEND]
    assert len(working) == count
    assert working[-1] == days[-1]


@given(INSTANTS, st.sampled_from(RequestKind), st.sampled_from(["*", "DE", "GB", "US-CA", "US-VA", "US", "CA", "TH"]))
def test_every_request_has_a_deadline_and_what_puts_it_off_is_later(
    received_ms: int, kind: RequestKind, place: str
) -> None:
    """Whatever is asked, wherever and whenever."""
    law = deadline_for(kind, place, received_ms)
    due_ms = end_of(law.period, received_ms)
    assert received_ms < due_ms <= received_ms + 46 * DAY_MS
    assert law.extended is None or due_ms < end_of(law.extended, received_ms)
    assert law.source


@pytest.mark.parametrize(
    ("kind", "place", "law"),
    [
        (RequestKind.ACCESS, "DE", "gdpr"),
        (RequestKind.OBJECTION, "IS", "gdpr"),
        (RequestKind.ACCESS, "GB", "uk-gdpr"),
        (RequestKind.ERASURE, "US-CA", "ccpa-cpra"),
        (RequestKind.OBJECTION, "US-CA", "ccpa-opt-out"),
        (RequestKind.RESTRICTION, "US-CA", "courtesy"),
        (RequestKind.ACCESS, "US-CT", "privacy-us-ct"),
        (RequestKind.ACCESS, "US-TX", "courtesy"),
        (RequestKind.ACCESS, "CA", "pipeda"),
        (RequestKind.ACCESS, "*", "courtesy"),
    ],
)
def test_the_law_of_the_place_says_by_when(kind: RequestKind, place: str, law: str) -> None:
    """And the general one where none is known."""
    assert deadline_for(kind, place, day_ms("2026-11-22")).name == law


def test_a_law_counts_from_the_day_it_is_in_force() -> None:
    """Before, the general one does; and each names its source."""
    assert deadline_for(RequestKind.ACCESS, "DE", day_ms("2018-05-25") - 1).name == "courtesy"
    assert deadline_for(RequestKind.ACCESS, "DE", day_ms("2018-05-25")).name == "gdpr"
    assert all(each.source for each in DEADLINES)
