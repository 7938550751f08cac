"""The differences of two schemas in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from courtesy.schema.compare import changes
from courtesy.schema.event_schema import EventSchema, OnBreak
from courtesy.schema.infer import inferred
from tests.unit.schema.test_infer import EVENTS, shape_of


def said(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Each change with its place; a star marks one that narrows."""
    found = changes(EventSchema(old), EventSchema(new))
    return [f"{each.path}: {each.said}{' *' if each.narrows else ''}" for each in found]


def of(**fields: Any) -> dict[str, Any]:
    """A schema with these fields."""
    return {"type": "object", "properties": fields}


TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (of(a=TEXT), of(a=TEXT, b=NUMBER), ["b: field added, a number"]),
        (of(a=TEXT, b=NUMBER), of(a=TEXT), ["b: field removed"]),
        (of(a=TEXT, b=NUMBER), {**of(a=TEXT), "additionalProperties": False}, [
            ": additionalProperties changed from none to false *", "b: field removed *"]),
        (of(a=TEXT), of(a=NUMBER), ["a: type changed from text to a number *"]),
        (of(a=WHOLE), of(a=NUMBER), ["a: type changed from a whole number to a number"]),
        (of(a=NUMBER), of(a=WHOLE), ["a: type changed from a number to a whole number *"]),
        (of(a=TEXT), of(a={"type": ["string", "null"]}), ["a: type changed from text to text or null"]),
        (of(a={}), of(a=TEXT), ["a: type changed from anything to text *"]),
        (of(a=TEXT), of(a={}), ["a: type changed from text to anything"]),
        (of(a=TEXT), {**of(a=TEXT), "required": ["a"]}, ["a: became required *"]),
        ({**of(a=TEXT), "required": ["a"]}, of(a=TEXT), ["a: is no longer required"]),
        ({}, {"required": ["z"]}, ["z: became required *"]),
        (of(a={"enum": ["x", "y"]}), of(a={"enum": ["x", "z"]}), ['a: also takes "z"', 'a: no longer takes "y" *']),
        (of(a={}), of(a={"enum": ["x"]}), ['a: only takes "x" *']),
        (of(a={"enum": ["x"]}), of(a={}), ["a: takes any value again"]),
        (of(a={"minimum": 0}), of(a={"minimum": 1}), ["a: minimum changed from 0 to 1 *"]),
        (of(a={"format": "email"}), of(a={}), ['a: format changed from "email" to none']),
        (of(a=of(b=TEXT)), of(a=of(b=NUMBER)), ["a.b: type changed from text to a number *"]),
        (of(a={"items": of(b=TEXT)}), of(a={"items": of()}), ["a[].b: field removed"]),
        (of(a={}), of(a={"title": "A"}), ['a: title changed from none to "A"']),
        (of(a=True), of(a=False), ["a: the rule changed from true to false *"]),
    ],
)  # fmt: skip
def test_a_change_is_said_in_words(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    """With its place, and with whether events that were fine may break it now."""
    assert said(old, new) == expected


def test_what_becomes_of_breaches_is_part_of_it() -> None:
    """From a warning to quarantine, say."""
    (change,) = changes(EventSchema({}), EventSchema({}, OnBreak.QUARANTINE))
    assert change.said == "what breaks it: warn became quarantine"


@given(EVENTS, EVENTS)
def test_only_a_schema_that_differs_has_changes(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """Of any two schemas, whichever way round."""
    one, other = inferred(shape_of(first)), inferred(shape_of(second))
    assert said(one, one) == []
    assert bool(said(one, other)) is (one != other)
    assert bool(said(other, one)) is (one != other)
