"""Probabilities and intervals agree with what is computed in other ways."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.segment.discovery.chance import Draws, adjusted, wilson


def _by_counting(people: int, positives: int, drawn: int, hits: range) -> float:
    ways = sum(comb(positives, each) * comb(people - positives, drawn - each) for each in hits)
    return ways / comb(people, drawn)


@given(st.data())
def test_the_tails_are_those_of_counting(data: st.DataObject) -> None:
    """Each probability is the number of ways in which it may come out so, by the number of all ways."""
    people = data.draw(st.integers(1, 60))
    positives, drawn = data.draw(st.integers(0, people)), data.draw(st.integers(1, people))
    least, most = max(0, drawn + positives - people), min(drawn, positives)
    hits = data.draw(st.integers(least, most))
    draws = Draws(60)
    more = draws.tail(people, positives, drawn, hits, more=True)
    less = draws.tail(people, positives, drawn, hits, more=False)
    assert more == pytest.approx(_by_counting(people, positives, drawn, range(hits, most + 1)), rel=1e-9)
    assert less == pytest.approx(_by_counting(people, positives, drawn, range(least, hits + 1)), rel=1e-9)


def test_nobody_drawn_proves_nothing() -> None:
    """A group of nobody has the probability of certainty."""
    assert Draws(10).tail(10, 5, 0, 0, more=True) == 1


def test_wilson_is_as_published() -> None:
    """The interval agrees with tables (Newcombe 1998, table I), and has ends at nobody and everybody."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson(0, 0) == (0, 1)
    assert wilson(7, 7)[1] == 1


def test_adjustment_is_as_published() -> None:
    """Of the 15 tests of Benjamini and Hochberg's own example, four hold at 0.05."""
    published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
                 0.6528, 0.7590, 1.0]  # fmt: skip
    found = adjusted(published[::-1])[::-1]
    assert sum(each <= 0.05 for each in found) == 4
    assert found[:3] == pytest.approx([0.0015, 0.003, 0.0095])
    assert found == sorted(found)
    assert adjusted([]) == []
