"""What would change it, and when it changes by itself: whatever is named is so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from courtesy.base.time import DAY_MS, HOUR_MS, from_iso, to_iso
from courtesy.consent.law import Laws
from courtesy.segment.judge import Happened, Past
from courtesy.segment.moment import Moment
from courtesy.segment.nearest import nearest_changes
from courtesy.segment.parsing import parse
from courtesy.segment.reasons import Case, holds
from courtesy.segment.turns import next_turn

NOW = from_iso("2026-03-04T12:00:00Z")
assert NOW is not None
LAWS = Laws(())


def happened(number: int, days_ago: float, name: str = "Bought", **properties: object) -> Happened:
    """Something that was done some days ago."""
    assert NOW is not None
    return Happened(NOW - int(days_ago * DAY_MS), number, name, f"m{number}", properties)


def case(*events: Happened, **traits: object) -> Case:
    """Somebody who did that and is like that."""
    assert NOW is not None
    return Case(Past(sorted(events), traits), Moment(NOW, UTC), LAWS, {})


SOMEBODY = case(
    happened(1, 40, total=10),
    happened(2, 8, total=20, item="tea"),
    happened(3, 2, total=5, item="cup"),
    happened(4, 1, "Viewed", item="pot"),
    plan="free",
    age=33,
    born="1990-03-10",
    renewal="2026-04-01",
    tags=["a", "b"],
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('did "Bought" at least 5 times', ['"Bought" 2 times more']),
        ('did not "Bought" in the last 1 day', ['"Bought" once more']),
        ('did "Bought" at most 3 times', ['"Bought" once more']),
        (
            'did "Left" where (reason is price and stars > 3)',
            ['"Left" where (reason is price and stars > 3) once more'],
        ),
        ('sum of total of "Bought" in the last 30 days > 100', ['"Bought" once more, with total 76']),
        ('average total of "Bought" < 10', ['"Bought" once more, with total 4']),
        ('largest total of "Bought" >= 21', ['"Bought" once more, with total 21']),
        ('number of different item of "Bought" >= 3', ['"Bought" once more, with item "something else"']),
        ('last "Bought" was more than 1 day ago', ['"Bought" once more']),
        ('last "Bought" has (item is tea)', ['"Bought" where item is tea once more']),
        ('did "Bought" then "Paid" within 7 days', ['"Paid" once more']),
        ('did "Bought" then not "Paid" within 1 day', []),
        ('did "Bought" at least 100 % more often in the last 7 days than before', ['"Bought" once more']),
        ("plan is pro", ['plan becomes "pro"']),
        ("age > 40", ["age becomes 41"]),
        ("plan is present", ["plan is taken away"]),
        ("tags is c and age < 40", ['tags becomes "c"']),
        ("plan is pro and age > 40", []),
    ],
)
def test_what_is_named_would_change_it(text: str, said: list[str]) -> None:
    """A single change that is enough, the least of its kind; none where it takes two."""
    node = parse(text).segment.expression
    found = nearest_changes(SOMEBODY, node)
    assert [each.said for each in found] == said
    for each in found:
        assert holds(replace(SOMEBODY, past=each.past), node) is not holds(SOMEBODY, node)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ('did "Bought" in the last 7 days', "2026-03-09T12:00:00.000Z"),
        ('did "Bought" at least 2 times in the last 30 days', "2026-03-26T12:00:00.000Z"),
        ('did "Bought" this month', "2026-04-01T00:00:00.000Z"),
        ('did "Viewed" yesterday', "2026-03-05T00:00:00.000Z"),
        ('last "Bought" was more than 3 days ago', "2026-03-05T12:00:00.000Z"),
        ('did "Viewed" then not "Bought" within 2 days', "2026-03-05T12:00:00.001Z"),
        ("born comes round in the next 3 days", "2026-03-07T00:00:00.000Z"),
        ("renewal is in the next 7 days", "2026-03-25T00:00:00.000Z"),
        ("renewal is more than 10 days from now", "2026-03-22T00:00:00.000Z"),
    ],
)
def test_it_turns_at_the_very_instant(text: str, at: str) -> None:
    """Just before that it is as it is now."""
    node = parse(text).segment.expression
    turn = next_turn(SOMEBODY, node)
    assert turn is not None
    assert (to_iso(turn.at_ms), turn.holds) == (at, not holds(SOMEBODY, node))
    before = replace(SOMEBODY, moment=Moment(turn.at_ms - 1, UTC))
    assert holds(before, node) is holds(SOMEBODY, node)


def test_what_does_not_turn_says_so() -> None:
    """What depends on no time, and what is over for good."""
    for text in ("plan is free", 'did "Bought"', 'did "Left" in the last 7 days'):
        assert next_turn(SOMEBODY, parse(text).segment.expression) is None


def test_where_they_rank_is_not_guessed() -> None:
    """As long as nobody says it is taken both ways; where that makes no difference the answer is sure."""
    told = [
        holds(SOMEBODY, parse(text).segment.expression)
        for text in (
            "in the top 1 by age",
            "plan is pro and in the top 1 by age",
            "plan is free or in the top 1 by age",
        )
    ]
    assert told == [None, False, True]


def test_an_hour_counts_as_the_person_does() -> None:
    """Windows shorter than a day turn at their own minute."""
    somebody = case(happened(1, 0.01))
    turn = next_turn(somebody, parse('did "Bought" in the last 1 hour').segment.expression)
    assert turn is not None
    assert turn.at_ms == somebody.past.events[0].at_ms + HOUR_MS
