"""An outcome is asked of the time after the instant, and what it speaks of is known."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from courtesy.segment.discovery.outcome import after_cutoff, spoken_of
from courtesy.segment.parsing import parse
from courtesy.segment.printing import write
from courtesy.segment.tree import Segment


@pytest.mark.parametrize(
    ("outcome", "judged"),
    [
        ('did "Order"', 'did "Order" in the last 90 days'),
        ('did "Order" where total > 50', 'did "Order" in the last 90 days where total > 50'),
        ('did not "Order"', 'did not "Order" in the last 90 days'),
        ('sum of total of "Order" > 100', 'sum of total of "Order" in the last 90 days > 100'),
        ('did "View" then "Order"', 'did "View" in the last 90 days then "Order"'),
        ('did "Order" in the last 7 days', 'did "Order" in the last 7 days'),
        ('not (did "A" or plan is Pro)', 'not (did "A" in the last 90 days or plan is Pro)'),
        ('last "B" was today and did "A"', 'last "B" was today and did "A" in the last 90 days'),
    ],
)  # fmt: skip
def test_behaviour_without_a_time_is_asked_of_the_window(outcome: str, judged: str) -> None:
    """At its end the window is the last so many days; what says its own time keeps it."""
    assert write(Segment(1, after_cutoff(parse(outcome).segment.expression, 90))) == judged


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("lists.VIP is true", {"lists.VIP"}),
        ('did "A" and not (last "B" was today or score churn > 0.5)', {"A", "B", "scores.churn"}),
        ('sum of x of "C" > 1 and did "D" then "E" within 1 day', {"C", "D", "E"}),
        ('in the top 1 % by sum of x of "F" and did "G" at least 9 % more often in the last 7 days than before', "FG"),
        ('in the top 10 by spend and in segment "S"', {"spend", "plan"}),
        ('in segment "Loop" and in segment "Unknown" and allows marketing', {"H"}),
    ],
)  # fmt: skip
def test_what_decides_it_is_told(text: str, names: Iterable[str]) -> None:
    """Each event and trait, through other segments too."""
    texts = {"S": "plan is Pro", "Loop": 'did "H" and in segment "Loop"'}
    segments = {name: parse(each).segment.expression for name, each in texts.items()}
    assert spoken_of(parse(text).segment.expression, segments) == set(names)
