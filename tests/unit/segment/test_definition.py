"""Segments that stand on others: which, in which order, and never in a circle."""

from __future__ import annotations

import pytest

from courtesy.segment.definition import SegmentDefinition, circle, in_order, stands_on
from courtesy.segment.parsing import parse


def defined(number: int, name: str, text: str) -> SegmentDefinition:
    """A segment in force."""
    return SegmentDefinition(number, name, 1, parse(text).segment)


def test_a_segment_stands_on_all_that_it_mentions() -> None:
    """However deep, also where it is denied."""
    text = 'plan is pro and not (in segment "Staff" or not in segment "Family") or in segment "VIP"'
    assert stands_on(parse(text).segment) == {"Staff", "Family", "VIP"}
    assert stands_on(parse("plan is pro").segment) == frozenset()


@pytest.mark.parametrize(
    ("mentions", "found"),
    [
        ({"A": ["B"], "B": ["C"], "C": []}, []),
        ({"A": ["A"]}, ["A", "A"]),
        ({"A": ["B"], "B": ["A"]}, ["A", "B", "A"]),
        ({"A": ["B", "C"], "B": ["D"], "C": ["D"], "D": ["E", "A"]}, ["A", "C", "D", "A"]),
        ({"A": ["B"], "B": ["C"], "C": ["B"]}, []),
        ({"A": ["gone"]}, []),
    ],
)
def test_a_circle_is_told_from_end_to_end(mentions: dict[str, list[str]], found: list[str]) -> None:
    """By the names on the way; a circle that does not lead through the segment is another's."""
    assert circle("A", mentions) == found


def test_each_comes_after_those_that_it_stands_on() -> None:
    """Whatever order they were defined in."""
    some = [defined(1, "A", 'in segment "B"'), defined(2, "B", 'in segment "C"'), defined(3, "C", "plan is pro")]
    assert [each.name for each in in_order(some)] == ["C", "B", "A"]


def test_what_can_never_be_known_is_left_out() -> None:
    """A circle, and what stands on it or on one that is not there; others stay."""
    some = [
        defined(1, "A", 'in segment "B"'),
        defined(2, "B", 'in segment "A"'),
        defined(3, "On a circle", 'in segment "A"'),
        defined(4, "On nothing", 'in segment "Gone"'),
        defined(5, "Fine", "plan is pro"),
    ]
    assert [each.name for each in in_order(some)] == ["Fine"]
