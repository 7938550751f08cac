"""People with known tastes, asked one at a time and by a form."""

from __future__ import annotations

from sim.asked import by_form, one_at_a_time, respondents
from sim.clock import DAY_MS
from sim.config import WorldConfig

WORLD = WorldConfig(shopper_count=60, day_count=120)


def test_equal_worlds_come_to_equal_answers() -> None:
    """Whatever the order of people."""
    people = respondents(WORLD)
    ours = one_at_a_time(WORLD, people)
    assert ours == one_at_a_time(WORLD, people[::-1])
    assert by_form(WORLD, people, 100) == by_form(WORLD, people[::-1], 100)


def test_each_question_that_is_shown_teaches_more_than_one_of_a_form() -> None:
    """Of as many that are shown; and nobody is asked more often than once a week."""
    people = respondents(WORLD)
    ours = one_at_a_time(WORLD, people)
    assert ours.filled_per_shown > 1.4 * by_form(WORLD, people, ours.shown_count).filled_per_shown
    weeks = (WORLD.end_ms - WORLD.start_ms) / (7 * DAY_MS)
    assert 0 < ours.shown_count <= len(people) * (weeks + 1)


def test_a_form_is_shown_to_everybody_who_comes_or_until_there_were_enough() -> None:
    """All of it to each at their first visit."""
    people = respondents(WORLD)
    visiting = sum(bool(each.visits) for each in people)
    assert by_form(WORLD, people, None).shown_count == 12 * visiting
    assert by_form(WORLD, people, 30).shown_count == 30
