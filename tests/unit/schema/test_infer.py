"""Inference: whatever came in fits what is inferred from it, and what is clear is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.schema.event_schema import compile_schema
from courtesy.schema.infer import ENUM_SEEN_MIN, REQUIRED_SEEN_MIN, inferred
from courtesy.schema.shape import ELEMENTS_MAX, FIELDS_MAX, Shape, add, format_of, places

TELLING = st.sampled_from(
    [
        "2025-11-22",
        "2025-11-22T03:04:05Z",
        "ann@example.com",
        "https://shop.example/a?b=1",
        "EUR",
        "USD",
        "",
        "2025-13-40",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), TELLING
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
EVENTS = st.lists(st.dictionaries(st.sampled_from("abcd") | st.text(max_size=5), VALUES, max_size=5), min_size=1)


def shape_of(events: Sequence[Any]) -> Shape:
    """The shape of some objects, decoded as they are when they came in."""
    shape = Shape()
    for each in events:
        add(shape, msgspec.json.decode(msgspec.json.encode(each)))
    return shape


@settings(max_examples=200)
@given(EVENTS, st.integers(1, 60))
def test_every_event_is_valid_under_what_is_inferred_from_it(events: list[dict[str, Any]], times: int) -> None:
    """However strange the events are, and however often they came; the schema itself is one, and survives JSON."""
    schema = inferred(shape_of(events * times))
    check = compile_schema(msgspec.json.decode(msgspec.json.encode(schema)))
    assert [each for each in events if not check.is_valid(msgspec.json.decode(msgspec.json.encode(each)))] == []


def test_what_is_wider_deeper_or_longer_than_is_looked_at_still_fits() -> None:
    """The bounds of a shape make its schema say less, not something wrong."""
    deep: Any = "bottom"
    for _ in range(40):
        deep = {"a": deep}
    mixed = [*range(ELEMENTS_MAX), "last"]
    wide = {f"f{n}": n for n in range(FIELDS_MAX + 50)}
    events = [{"deep": deep}, {"list": mixed}, {"list": [1]}, wide, {f"f{FIELDS_MAX + 20}": "text"}] * 30
    check = compile_schema(inferred(shape_of(events)))
    assert all(check.is_valid(each) for each in events)


def test_a_clear_case_is_said_clearly() -> None:
    """Types, required fields, enums, formats, nulls, and no number below zero."""
    events = [
        {
            "order_id": f"o-{n}",
            "total": n / 4,
            "count": n,
            "currency": ("EUR", "USD", "SEK")[n % 3],
            "at": f"2025-11-22T03:04:{n % 60:02}Z",
            "email": None if n % 5 == 0 else f"u{n}@example.com",
            "gift": n % 2 == 0,
            "items": [{"sku": f"s{n}", "price": n}],
            **({"coupon": f"c{n}"} if n % 10 == 0 else {}),
        }
        for n in range(200)
    ]
    assert inferred(shape_of(events)) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "count": {"type": "integer", "minimum": 0},
            "coupon": {"type": "string"},
            "currency": {"type": "string", "enum": ["EUR", "SEK", "USD"]},
            "email": {"type": ["null", "string"], "format": "email"},
            "gift": {"type": "boolean"},
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"price": {"type": "integer", "minimum": 0}, "sku": {"type": "string"}},
                    "required": ["price", "sku"],
                },
            },
            "order_id": {"type": "string"},
            "total": {"type": "number", "minimum": 0},
        },
        "required": ["at", "count", "currency", "email", "gift", "items", "order_id", "total"],
    }


def test_a_few_events_make_no_rules() -> None:
    """What is in each of three events may be missing in the fourth."""
    schema = inferred(shape_of([{"currency": "EUR", "total": 1}] * (REQUIRED_SEEN_MIN - 1)))
    assert schema["properties"] == {"currency": {"type": "string"}, "total": {"type": "integer"}}
    assert "required" not in schema


def test_almost_always_can_be_made_a_rule() -> None:
    """Whoever knows that a field belongs there can ask for it to be required though a few events lack it."""
    events: list[dict[str, Any]] = [{"total": 1}] * 99 + [{}]
    assert "required" not in inferred(shape_of(events))
    assert inferred(shape_of(events), 0.99)["required"] == ["total"]


def test_a_value_seen_once_is_no_closed_list() -> None:
    """Where one value is new, more may come."""
    assert "enum" not in str(inferred(shape_of([{"a": "x"}] * ENUM_SEEN_MIN + [{"a": "y"}])))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2025-11-22T03:04:05+01:00", "date-time"),
        ("2025-11-22", "date"),
        ("2025-11-22 03:04", ""),
        ("123e4567-e89b-12d3-a456-426614174000", "uuid"),
        ("ann@example.com", "email"),
        ("ann at example", ""),
        ("https://example.com/a", "uri"),
        ("", ""),
        ("x" * 10_000, ""),
    ],
)
def test_formats_are_recognised(text: str, form: str) -> None:
    """By the check that a schema would make."""
    assert format_of(text) == form


def test_places_tell_how_often_a_field_was_there() -> None:
    """Of the objects around it, whether those are events or elements of a list."""
    shape = shape_of([{"a": {"b": 1}}, {"a": None}, {"l": [{"x": 1}, {"y": 2}]}])
    found = {path: (each.count, around) for path, each, around in places(shape)}
    assert found == {"a": (2, 3), "a.b": (1, 1), "l": (1, 3), "l[].x": (1, 2), "l[].y": (1, 2)}
