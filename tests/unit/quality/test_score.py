"""The score of a day: each part alone, its reasons, and what holds of any day."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import HOUR_MS, MINUTE_MS
from courtesy.event.cause import Cause
from courtesy.quality.score import Kept, Part, combined, judge
from courtesy.quality.usage import Usage
from tests.unit.quality.days import ORDER, check, day, judged, reasons, sample, samples, usual

ALWAYS = [frozenset(range(24))] * 7


def without(name: str) -> dict[str, Any]:
    """An order that lacks a field."""
    return {key: value for key, value in ORDER.items() if key != name}


def test_a_good_day_has_the_full_score_and_no_reason() -> None:
    """Nothing is wrong, so nothing is said."""
    judgement = judged(samples(300), usual=usual(), hours=frozenset(range(24)), past_hours=ALWAYS, over_hours=24)
    assert judgement.score == 1
    assert set(judgement.parts.values()) == {1}
    assert judgement.reasons == ()


def test_nothing_can_be_told_of_nothing() -> None:
    """A source that was never heard of has no score, rather than a bad one."""
    judgement = judged([])
    assert judgement.score is None
    assert set(judgement.parts.values()) == {None}


# -- valid


def test_what_is_kept_out_or_warned_of_is_not_valid() -> None:
    """What is only counted is; each cause says what it means, with an example, and whom it touches."""
    kept = [Kept(Cause.NO_IDENTIFIER, "expected a usable identifier", f"q{n}", f"u{n % 2}") for n in range(5)]
    others = {Cause.NO_IDENTIFIER: 20, Cause.SCHEMA_WARNED: 10, Cause.SCHEMA_ALLOWED: 40, Cause.SOURCE_PAUSED: 99}
    judgement = judged(samples(180), others, stored=180, kept=kept)
    assert judgement.parts[Part.VALID] == pytest.approx(170 / 200)
    (first, second) = reasons(judgement, Part.VALID)
    assert (first.event_count, first.people_count, first.message_ids) == (20, 2, ("q0", "q1", "q2"))
    assert "no_identifier" in first.said
    assert "expected a usable identifier" in first.said
    assert second.event_count == 10


def test_a_warning_names_the_field_that_breaks_the_schema() -> None:
    """With the events and people of the sample."""
    wrong = [sample(n, {**ORDER, "total": "ten"}) for n in range(1_000, 1_004)]
    checks = check({"properties": {"total": {"type": "number"}}})
    judgement = judged([*samples(96), *wrong], {Cause.SCHEMA_WARNED: 4}, checks=checks)
    (reason,) = reasons(judgement, Part.VALID)
    assert (reason.event, reason.field, reason.event_count, reason.people_count) == ("Bought", "total", 4, 4)
    assert reason.said == "break the schema of Bought: expected a number in total"
    assert reason.message_ids == ("m1000", "m1001", "m1002")


# -- complete


@pytest.mark.parametrize("missing", [without("total"), {**ORDER, "total": None}])
def test_what_is_usually_there_is_missed(missing: dict[str, Any]) -> None:
    """Absent or null; by field, event, people and examples."""
    judgement = judged([*samples(60), *(sample(n, missing) for n in range(60, 100))], usual=usual())
    assert judgement.parts[Part.COMPLETE] == pytest.approx(1 - 40 / 300)
    (reason,) = reasons(judgement, Part.COMPLETE)
    assert (reason.said, reason.event_count, reason.people_count) == ("Bought without total", 40, 10)


def test_what_a_schema_requires_is_missed_from_the_first_day() -> None:
    """Though nothing is usual yet, and though no event ever had it."""
    judgement = judged(samples(10), checks=check({"required": ["order_id", "currency"]}))
    assert judgement.parts[Part.COMPLETE] == pytest.approx(0.5)


def test_what_was_only_sometimes_there_is_not_expected() -> None:
    """A coupon is not missed where there was none."""
    earlier = usual(100)
    earlier.names["Bought"].fields["coupon"] = earlier.names["Bought"].fields["total"].__class__(50, {"string": 50})
    assert judged(samples(100), usual=earlier).parts[Part.COMPLETE] == 1


# -- fresh


def test_what_is_later_than_usual_is_not_fresh() -> None:
    """A source that always sends at night is not late by that; history is late on purpose."""
    late = samples(10, delay_ms=3 * HOUR_MS)
    assert judged([*samples(30), *late]).parts[Part.FRESH] == pytest.approx(0.75)
    assert judged([*samples(30), *late], usual=usual(delay_ms=2 * HOUR_MS)).parts[Part.FRESH] == 1
    assert judged(samples(30, delay_ms=None)).parts[Part.FRESH] is None
    (reason,) = reasons(judged([*samples(30), *late]), Part.FRESH)
    assert (reason.said, reason.event_count) == (
        f"arrived more than {10 * MINUTE_MS // 60_000} min after they happened",
        10,
    )


def test_hours_without_anything_count_against_the_usual_rhythm() -> None:
    """Of hours that are over, on a source that sends around the clock."""
    heard = frozenset(range(12)) - {5, 6, 7}
    judgement = judged(samples(30), hours=heard, past_hours=ALWAYS, over_hours=12)
    assert judgement.parts[Part.FRESH] == pytest.approx(9 / 12)
    (reason,) = reasons(judgement, Part.FRESH)
    assert reason.said == "silent in 3 of 12 hours in which it usually sends, the last 05:00, 06:00, 07:00 UTC"


def test_a_source_that_fell_silent_is_not_fresh_at_all() -> None:
    """However good the day was before; and it is again once something comes."""
    silent = judged(samples(300), hours=frozenset(range(10)), past_hours=ALWAYS, over_hours=14)
    assert (silent.parts[Part.FRESH], silent.score) == (0, 0)
    back = judged(samples(300), hours=frozenset({*range(10), 14}), past_hours=ALWAYS, over_hours=14)
    assert back.parts[Part.FRESH] == pytest.approx(10 / 14)


@pytest.mark.parametrize(
    ("past", "over"),
    [
        ([frozenset(range(24))] * 2, 24),
        ([frozenset(range(9, 17))] * 7, 9),
        ([frozenset(range(24))] * 5 + [frozenset[int]()] * 2, 24),
        (ALWAYS, 3),
    ],
    ids=["too few days", "before it opens", "closed at weekends", "just after midnight"],
)
def test_silence_that_is_usual_or_too_short_is_none(past: list[frozenset[int]], over: int) -> None:
    """Nothing is said of it."""
    judgement = judged([], hours=frozenset(), past_hours=past, over_hours=over)
    assert judgement.parts[Part.FRESH] is None
    assert judgement.reasons == ()


# -- unique


def test_what_came_before_is_not_unique() -> None:
    """Of all that was looked at for it, what was kept out included."""
    judgement = judged(samples(70), {Cause.DUPLICATE: 20, Cause.NO_IDENTIFIER: 10})
    assert judgement.parts[Part.UNIQUE] == pytest.approx(0.8)
    (reason,) = reasons(judgement, Part.UNIQUE)
    assert (reason.event_count, reason.people_count) == (20, None)


# -- uniform


def test_values_of_another_kind_than_usual_are_not_uniform() -> None:
    """Types and formats, by field; whole and broken numbers are one kind, and null is none."""
    some = [
        *samples(70),
        *(sample(n, {**ORDER, "total": "10"}) for n in range(20)),
        *(sample(n, {**ORDER, "email": "ann at home"}) for n in range(10)),
        *(sample(n, {**ORDER, "total": 9.5, "email": None}) for n in range(10)),
    ]
    judgement = judged(some, usual=usual())
    assert judgement.parts[Part.UNIFORM] == pytest.approx(1 - 30 / 320)
    assert [(each.said, each.event_count) for each in reasons(judgement, Part.UNIFORM)] == [
        ("total of Bought is usually number, came as string", 20),
        ("email of Bought is usually email, came as string", 10),
    ]


def test_a_mix_of_events_that_moves_is_not_uniform() -> None:
    """When half of what usually comes stays away, though each event that comes is fine."""
    earlier = usual(400)
    earlier.names["Seen"] = usual(400, {}, name="Seen").names["Seen"]
    earlier.count = 800
    judgement = judged(samples(300), usual=earlier)
    assert judgement.parts[Part.UNIFORM] == pytest.approx(1 - 0.4 / 0.9)
    assert "Bought is 100% of events, usually 50%" in [each.said for each in reasons(judgement, Part.UNIFORM)]
    steady = [*samples(140), *samples(160, {}, name="Seen")]
    assert judged(steady, usual=earlier).parts[Part.UNIFORM] == 1


# -- any day


VALUES = st.dictionaries(
    st.sampled_from(["total", "email", "coupon", "nested"]),
    st.none() | st.integers() | st.sampled_from(["x", "ann@example.com", "2025-11-22"]) | st.just({"deep": 1}),
    max_size=4,
)
SAMPLES = st.lists(
    st.builds(
        sample,
        st.integers(0, 99),
        VALUES,
        st.sampled_from(["Bought", "Seen", "identify"]),
        st.none() | st.integers(0, 5 * HOUR_MS),
    ),
    max_size=40,
)
COUNTS = st.dictionaries(st.sampled_from(Cause), st.integers(0, 1_000))
HOURS = st.frozensets(st.integers(0, 23))
DAYS = st.builds(
    lambda some, more, others, past, **rest: day(some, others, usual=usual_of(past), stored=len(some) + more, **rest),
    SAMPLES,
    st.integers(0, 50),
    COUNTS,
    SAMPLES,
    hours=HOURS,
    past_hours=st.lists(HOURS, max_size=7),
    over_hours=st.integers(0, 24),
    checks=st.sampled_from([{}, check({"required": ["total"], "properties": {"total": {"type": "integer"}}})]),
)


def usual_of(past: list[Any]) -> Usage:
    """What some earlier events have shown."""
    return judge(day(past)).usage


@given(DAYS)
def test_every_part_and_the_whole_lie_between_zero_and_one(given_day: Any) -> None:
    """And what is below one has a reason that says why, with counts that a day can have."""
    judgement = judge(given_day)
    told = [value for value in [*judgement.parts.values(), judgement.score] if value is not None]
    assert all(0 <= value <= 1 for value in told)
    for part, value in judgement.parts.items():
        own = reasons(judgement, part)
        if value is not None and value < 1:
            assert own
        for each in own:
            assert each.said
            assert each.event_count >= 0
            assert each.people_count is None or each.people_count <= each.event_count
    assert judge(given_day) == judgement


PARTS = st.fixed_dictionaries({part: st.none() | st.floats(0, 1) for part in Part})


@given(PARTS, st.sampled_from(Part), st.floats(0, 1))
def test_the_whole_lies_among_its_parts_and_falls_with_each(
    parts: dict[Part, float | None], part: Part, by: float
) -> None:
    """Between the worst and the best; and a part that gets worse makes nothing better."""
    whole = combined(parts)
    told = [value for value in parts.values() if value is not None]
    if whole is None:
        assert not told
        return
    assert min(told) - 1e-9 <= whole <= max(told)
    value = parts[part]
    if value is not None:
        worse = combined({**parts, part: value * by})
        assert worse is not None
        assert worse <= whole + 1e-9
