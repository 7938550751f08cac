"""Validation of a configuration: what is kept, and what is said about what is not."""

from __future__ import annotations

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.component.declaration import Component, Field, FieldType, Kind
from courtesy.component.validation import validated


def even(value: int) -> str:
    """A check as authors write it."""
    return "" if value % 2 == 0 else "an even integer"


PIGEON = Component(
    "pigeon",
    Kind.CHANNEL,
    "Carries a letter.",
    "Only by day.",
    (
        Field("loft", FieldType.STRING, "Where it lives.", example="roof", required=True),
        Field("eggs", FieldType.INTEGER, "How many.", example=2, default=0, check=even),
        Field("rings", FieldType.STRINGS, "On its legs.", example=("red",), default=(), secret=True),
    ),
)


def refusal(config: object, place: str = "") -> CourtesyError:
    """How `config` is refused."""
    with pytest.raises(CourtesyError) as caught:
        validated(PIGEON, config, place)
    assert caught.value.code is Code.INVALID
    return caught.value


def test_every_field_has_a_value() -> None:
    """What was given is kept and defaults fill the rest."""
    assert validated(PIGEON, {"loft": "roof", "rings": ["a"]}) == {"loft": "roof", "eggs": 0, "rings": ("a",)}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"lofd": "roof"}, "pigeon: the channel pigeon has no field 'lofd' (did you mean 'loft'?)"),
        ({"loft": "roof", "x": 1}, "pigeon: the channel pigeon has no field 'x' (the fields are loft, eggs, rings)"),
        ({"loft": "roof", 7: 1}, "pigeon: the channel pigeon has no field 7 (the fields are loft, eggs, rings)"),
        ({}, "pigeon.loft: expected a string, got nothing (for example 'roof')"),
        ({"loft": None}, "pigeon.loft: expected a string, got null"),
        ({"loft": ["a"]}, "pigeon.loft: expected a string, got the list ['a']"),
        ({"loft": {"a": 1}}, "pigeon.loft: expected a string, got an object"),
        ({"loft": b"roof"}, "pigeon.loft: expected a string, got a value of type bytes"),
        ({"loft": "roof", "eggs": True}, "pigeon.eggs: expected an integer, got true"),
        ({"loft": "roof", "eggs": "2"}, "pigeon.eggs: expected an integer, got the string '2'"),
        ({"loft": "roof", "eggs": 3}, "pigeon.eggs: expected an even integer, got 3"),
        ({"loft": "roof", "eggs": 10**5000}, "pigeon.eggs: expected an integer, got an integer of more than 64 bits"),
        ("roof", "pigeon: expected an object of settings, got the string 'roof'"),
        (None, "pigeon: expected an object of settings, got null"),
    ],
)
def test_a_refusal_says_what_was_expected_what_came_and_where(config: object, said: str) -> None:
    """The whole message, as a user reads it."""
    assert str(refusal(config)) == said


def test_the_place_is_told_by_the_caller() -> None:
    """A configuration inside a larger document is pointed at from the top of that document."""
    assert refusal({"loft": 1}, "connections[2].config").place == "connections[2].config.loft"


def test_long_values_are_cut() -> None:
    """A message stays readable whatever was sent."""
    assert len(str(refusal({"loft": "roof", "eggs": "x" * 10_000}))) < 200
    assert len(str(refusal({"y" * 10_000: 1}))) < 200


@pytest.mark.parametrize("rings", ["hush", ["hush", 3], {"hush": 1}])
def test_a_secret_is_not_repeated(rings: object) -> None:
    """Messages end in logs and tickets, where a secret must not be."""
    assert "hush" not in str(refusal({"loft": "roof", "rings": rings}))
