"""Casting: numbers, truth and dates as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import from_iso
from courtesy.event.casting import Unread, dates, to_boolean, to_number, to_object
from courtesy.event.cause import Cause
from courtesy.source.casting import MEMO_MAX, Memo


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        (" -7 ", -7),
        ("33.20", 33.2),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1,234.50", 1234.5),
        ("1 234", 1234),
        ("1'234'567", 1234567),
        ("007", 7),
        ("", None),
        ("  ", None),
        ("nan", None),
        (3, 3),
        (0.5, 0.5),
        (True, 1),
    ],
)
def test_numbers_are_read(text: Any, number: float | None) -> None:
    """Whole ones stay whole; marks between thousands pass; blank text and NaN are no values."""
    found = to_number(text)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize("text", ["12,50", "1,2,3", "abc", "1_000", "0x1f", "inf", "1e999", "12 EUR", "1.2.3", "--1"])
def test_what_only_looks_like_a_number_is_refused(text: str) -> None:
    """Above all a decimal comma, which would make a price a hundred times as high."""
    found = to_number(text)
    assert isinstance(found, Unread)
    assert found.detail == f"expected a number, got {text!r}"


@pytest.mark.parametrize(("text", "number"), [("12,50", 12.5), ("1.234,50", 1234.5), ("1.234", 1234), ("7", 7)])
def test_numbers_with_a_decimal_comma_are_read_when_told_so(text: str, number: float) -> None:
    """The point is the mark between thousands then."""
    assert to_number(text, ",") == number


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**17), 10**17))
def test_what_python_writes_is_read_back(number: float) -> None:
    """To the last digit."""
    assert to_number(str(number)) == number


@given(st.text(max_size=8))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    """Nothing raises."""
    assert isinstance(to_number(text), int | float | Unread | None)


@pytest.mark.parametrize(
    ("value", "expected"), [("TRUE", True), ("no", False), ("1", True), (0, False), (True, True), ("", None)]
)
def test_truth_is_read(value: Any, expected: bool | None) -> None:
    """In the words and numbers that are usual."""
    assert to_boolean(value) is expected


def test_doubtful_truth_is_refused() -> None:
    """Rather than taken as false."""
    assert isinstance(to_boolean("maybe"), Unread)


def test_json_inside_a_cell_is_read() -> None:
    """Exports put whole objects into cells."""
    assert to_object('{"a":[1]}') == {"a": [1]}
    assert to_object([1]) == [1]
    assert isinstance(to_object("{"), Unread)


@pytest.mark.parametrize(
    ("value", "form", "zone", "expected"),
    [
        ("2019-10-01 00:00:00 UTC", "iso", "UTC", "2019-10-01T00:00:00.000Z"),
        ("2019-10-01", "iso", "UTC", "2019-10-01T00:00:00.000Z"),
        ("2019/10/01 07:05", "iso", "UTC", "2019-10-01T07:05:00.000Z"),
        ("2019-10-01T02:00:00+02:00", "iso", "UTC", "2019-10-01T00:00:00.000Z"),
        ("2019-07-01 02:00", "iso", "Europe/Berlin", "2019-07-01T00:00:00.000Z"),
        ("2019-07-01T02:00:00Z", "iso", "Europe/Berlin", "2019-07-01T02:00:00.000Z"),
        ("01/10/2019 08:26", "%d/%m/%Y %H:%M", "UTC", "2019-10-01T08:26:00.000Z"),
        ("12/1/2010 8:26", "%m/%d/%Y %H:%M", "Europe/London", "2010-12-01T08:26:00.000Z"),
        (19970101, "%Y%m%d", "UTC", "1997-01-01T00:00:00.000Z"),
        (1569888000, "unix_s", "UTC", "2019-10-01T00:00:00.000Z"),
        ("1569888000.5", "unix_s", "UTC", "2019-10-01T00:00:00.500Z"),
        (1569888000123, "unix_ms", "UTC", "2019-10-01T00:00:00.123Z"),
        (1569888000123, "iso", "UTC", "2019-10-01T00:00:00.123Z"),
        (" ", "iso", "UTC", None),
    ],
)
def test_dates_are_read(value: Any, form: str, zone: str, expected: str | None) -> None:
    """In the mapping's format; local to its time zone when they state none."""
    assert dates(form, zone)(value) == expected


@pytest.mark.parametrize("value", ["2019-02-30", "yesterday", "10/1/2019", "1e999", [1], {"a": 1}])
def test_what_is_no_date_is_refused_as_such(value: Any) -> None:
    """With the cause that stands for times."""
    found = dates("iso", "UTC")(value)
    assert isinstance(found, Unread)
    assert found.cause is Cause.TIME_UNREADABLE


@given(st.datetimes())
def test_any_iso_time_is_the_instant_that_it_says(moment: datetime) -> None:
    """Down to the millisecond."""
    text = dates("iso", "UTC")(moment.isoformat())
    assert from_iso(text) == from_iso(moment.replace(tzinfo=UTC).isoformat())


def test_a_memo_asks_for_each_value_once() -> None:
    """Until it has too many of them, when it starts anew."""
    asked: list[Any] = []

    def double(value: int) -> int:
        asked.append(value)
        return 2 * value

    memo = Memo(double)
    assert memo([1, 1, None, 2]) == [2, 2, None, 4]
    assert memo([2, 1]) == [4, 2]
    assert asked == [1, 2]
    memo(list(range(MEMO_MAX + 1)))
    memo([1])
    assert len(memo) == 1


def test_a_memo_takes_lists_and_objects_too() -> None:
    """Which can't be remembered; failures among them are noticed."""
    memo = Memo(to_number)
    assert memo([[1], "3"])[1] == 3
    assert memo.has_failed
