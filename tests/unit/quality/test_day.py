"""How a source stands: falls, recoveries, and what lies between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import DAY_MS
from courtesy.quality.day import (
    BACK,
    FALL,
    QualityDay,
    Standing,
    decode_day,
    encode_day,
    standing,
    usual_score,
)
from courtesy.quality.score import Part, Reason
from tests.unit.quality.days import usual

USUAL, DEGRADED = Standing.USUAL, Standing.DEGRADED


def days(*scores: float | None, stands: Standing = USUAL) -> list[QualityDay]:
    """Judged days with these scores."""
    return [QualityDay(n * DAY_MS, 0, 1, 1, score, {}, (), stands) for n, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("score", "before", "after"),
    [
        (0.95, USUAL, USUAL),
        (0.81, USUAL, USUAL),
        (0.79, USUAL, DEGRADED),
        (0.81, DEGRADED, DEGRADED),
        (0.84, DEGRADED, DEGRADED),
        (0.86, DEGRADED, USUAL),
        (0.0, DEGRADED, DEGRADED),
        (None, DEGRADED, DEGRADED),
        (None, USUAL, USUAL),
    ],
)
def test_a_fall_degrades_and_only_a_clear_return_recovers(
    score: float | None, before: Standing, after: Standing
) -> None:
    """Of a source that usually has 0.9; between the two it stands as it stood."""
    assert standing(score, 0.9, before) is after


def test_without_a_usual_score_nothing_changes() -> None:
    """Three good days are needed to know what is usual."""
    assert usual_score(days(0.9, None, 0.8)) is None
    assert standing(0.1, None, USUAL) is USUAL


def test_what_is_usual_is_the_middle_of_the_last_good_days() -> None:
    """One odd day does not move it, a week of others does, and bad days never become usual."""
    assert usual_score(days(0.9, 0.9, 0.2, 0.9, 0.91)) == 0.9
    assert usual_score(days(*[0.9] * 10, *[0.7] * 7)) == 0.7
    assert usual_score([*days(0.9, 0.9, 0.9), *days(*[0.5] * 10, stands=DEGRADED)]) == 0.9


@given(st.floats(0, 1), st.lists(st.floats(0, FALL - BACK - 0.001), max_size=30))
def test_a_score_that_trembles_changes_the_standing_at_most_once(base: float, tremors: list[float]) -> None:
    """Within the gap between falling and recovering, wherever it lies."""
    stands, changes = USUAL, 0
    for tremor in tremors:
        now = standing(base + tremor, 0.9, stands)
        changes += now is not stands
        stands = now
    assert changes <= 1


def test_a_day_is_kept_as_it_was() -> None:
    """With all that it shows."""
    reason = Reason(Part.VALID, "why", 3, None, "Bought", "total", ("m1",))
    whole = QualityDay(DAY_MS, 5, 9, 8, 0.5, {"valid": 0.5, "fresh": None}, (reason,), DEGRADED, 0.9, ("t",), usual(30))
    assert decode_day(encode_day(whole)) == whole
