"""Sizes back in time, and how the values of a segment are written."""

from __future__ import annotations

import pytest

from courtesy.base.time import HOUR_MS
from courtesy.engine.segment import HourFlow, sizes_back
from courtesy.runtime.memberships import value_key, value_of


def test_sizes_are_told_back_from_the_present_one() -> None:
    """At the beginning of each hour, whatever the hours between counted; never below none."""
    flows = [HourFlow(1, 1 * HOUR_MS, 5, 1), HourFlow(1, 3 * HOUR_MS, 2, 3)]
    hours = [hour * HOUR_MS for hour in range(5)]
    assert sizes_back(10, flows, hours) == [7, 7, 11, 11, 10]
    assert sizes_back(1, flows, hours) == [0, 0, 2, 2, 1]
    assert sizes_back(4, [], hours[:2]) == [4, 4]


@pytest.mark.parametrize(
    ("written", "key", "value"),
    [
        ("Tea", '"tea"', "tea"),
        ('"12"', '"12"', "12"),
        ("12", "12", 12),
        ("12.0", "12", 12),
        ("1.5", "1.5", 1.5),
        ("true", "true", True),
        ("null", '"null"', "null"),
        ('{"a": 1}', '"{\\"a\\": 1}"', '{"a": 1}'),
        ("Größe", '"größe"', "größe"),
    ],
)
def test_a_value_is_found_however_it_is_written(written: str, key: str, value: object) -> None:
    """In quotes it is text; without, a number is a number."""
    assert value_key(written) == key
    assert value_of(key) == value
    assert value_of("") is None
