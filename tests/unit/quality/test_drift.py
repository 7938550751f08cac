"""Drift: what is noticed about a field, and what is not worth a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings

from courtesy.quality.drift import DriftKind, drifts
from courtesy.quality.usage import Sample, Usage, together, usage_of
from tests.unit.quality.days import ORDER, check, sample, samples, usual
from tests.unit.quality.test_score import SAMPLES


def seen(today: list[Sample], known: Usage | None = None, schema: dict[str, Any] | None = None) -> set[tuple[str, str]]:
    """Field and kind of each drift."""
    checks = {} if schema is None else check(schema)
    found = drifts(usual() if known is None else known, usage_of(today), checks)
    return {(each.field, str(each.kind)) for each in found}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ORDER, set[tuple[str, str]]()),
        ({**ORDER, "coupon": "c"}, {("coupon", "new_field")}),
        ({**ORDER, "shop": {"city": "Bern"}}, {("shop.city", "new_field")}),
        ({"order_id": "o", "total": 1}, {("email", "gone_field")}),
        ({**ORDER, "total": "10"}, {("total", "new_type")}),
        ({**ORDER, "email": "ann at home"}, {("email", "new_type")}),
        ({**ORDER, "total": 10.5}, set[tuple[str, str]]()),
        ({**ORDER, "email": None}, {("email", "more_nulls")}),
        ({**ORDER, "total": {"amount": 1}}, {("total.amount", "new_field")}),
    ],
)
def test_a_field_that_changed_is_noticed(value: Mapping[str, Any], expected: set[tuple[str, str]]) -> None:
    """New, gone, of another type or format, or null."""
    assert seen(samples(100, value)) == expected


def test_what_changed_is_said_in_words() -> None:
    """With the event's name and how many events of the sample show it."""
    (drift,) = drifts(usual(), usage_of([*samples(90), *(sample(n, {**ORDER, "total": "x"}) for n in range(10))]), {})
    assert (drift.event, drift.kind, drift.event_count) == ("Bought", DriftKind.NEW_TYPE, 10)
    assert drift.said == "total of Bought came as string for the first time; it was number"


def test_a_field_that_a_schema_does_not_describe_is_new_from_the_first_day() -> None:
    """And one that it describes is not, though it was never seen."""
    schema: dict[str, Any] = {"properties": {"order_id": {}, "total": {}, "email": {}, "coupon": {}}}
    assert seen(samples(20, {**ORDER, "coupon": "c", "gift": True}), Usage(), schema) == {("gift", "new_field")}


@pytest.mark.parametrize(
    ("today", "known"),
    [
        (samples(100, {"x": 1}), usual(40)),
        (samples(100, {"x": 1}, name="Unheard"), usual()),
        ([*samples(1_000), *samples(4, {**ORDER, "typo": 1})], usual()),
        (samples(20, {"total": 1}), usual()),
    ],
    ids=["known too little", "a new name", "a few among many", "too few today"],
)
def test_what_may_be_chance_is_not_told(today: list[Sample], known: Usage) -> None:
    """Nobody listens to alarms that ring for nothing."""
    assert seen(today, known) == set()


@settings(max_examples=60)
@given(SAMPLES)
def test_a_source_that_does_what_it_did_does_not_drift(some: list[Sample]) -> None:
    """Whatever it does, and however often it did it."""
    usage = usage_of(some)
    assert drifts(together([usage] * 60), usage, {}) == []
