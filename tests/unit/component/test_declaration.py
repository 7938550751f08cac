"""Declarations: which values fit a field, and which mistakes of an author are found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from courtesy.component.declaration import Component, Field, FieldType, Kind, as_type, flaws

SIZE = Field("size", FieldType.INTEGER, "How large.", example=3, required=True)
PIGEON = Component("pigeon", Kind.CHANNEL, "Carries a letter.", "Only by day.", (SIZE,))


def short(value: str) -> str:
    """A check as authors write it."""
    return "" if len(value) < 5 else "at most 4 letters"


@pytest.mark.parametrize(
    ("type_", "given", "kept"),
    [
        (FieldType.STRING, "a", "a"),
        (FieldType.STRING, "", ""),
        (FieldType.INTEGER, -5, -5),
        (FieldType.NUMBER, 5, 5),
        (FieldType.NUMBER, 0.5, 0.5),
        (FieldType.BOOLEAN, False, False),
        (FieldType.STRINGS, ["a", "b"], ("a", "b")),
        (FieldType.STRINGS, (), ()),
    ],
)
def test_a_value_of_the_right_type_is_kept(type_: FieldType, given: object, kept: object) -> None:
    """Right values pass unchanged, but a list becomes a tuple."""
    assert as_type(type_, given) == kept


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        (FieldType.STRING, 5),
        (FieldType.STRING, b"bytes"),
        (FieldType.INTEGER, "5"),
        (FieldType.INTEGER, 5.0),
        (FieldType.INTEGER, True),
        (FieldType.INTEGER, 2**63),
        (FieldType.NUMBER, True),
        (FieldType.NUMBER, float("nan")),
        (FieldType.NUMBER, float("inf")),
        (FieldType.NUMBER, 10**400),
        (FieldType.BOOLEAN, 1),
        (FieldType.BOOLEAN, "true"),
        (FieldType.STRINGS, "abc"),
        (FieldType.STRINGS, ["a", 1]),
        (FieldType.STRINGS, None),
    ],
)
def test_nothing_is_converted(type_: FieldType, given: object) -> None:
    """A value of another type is refused, even where Python or JSON would let it pass."""
    assert as_type(type_, given) is None


def test_a_sound_declaration_has_no_flaws() -> None:
    """The examples of the fields make an example of the whole."""
    assert flaws(PIGEON) == []
    assert PIGEON.example == {"size": 3}


@pytest.mark.parametrize(
    ("component", "flaw"),
    [
        (replace(PIGEON, name="Pigeon"), "the name 'Pigeon' is not in lower_snake_case"),
        (replace(PIGEON, summary="No full stop"), "the summary is not one sentence on one line"),
        (replace(PIGEON, doc=" "), "there is no documentation"),
        (replace(PIGEON, fields=(SIZE, SIZE)), "the field size is declared twice"),
    ],
)
def test_flaws_of_the_whole_are_named(component: Component, flaw: str) -> None:
    """Each mistake about the component gives one sentence."""
    assert flaws(component) == [flaw]


@pytest.mark.parametrize(
    ("field", "flaw"),
    [
        (replace(SIZE, name="the-size"), "is not named in lower_snake_case"),
        (replace(SIZE, doc=""), "has no documentation"),
        (replace(SIZE, default=3), "must be either required or have a default"),
        (replace(SIZE, required=False), "must be either required or have a default"),
        (replace(SIZE, required=False, default=3, secret=True), "is a secret that everybody can read in its default"),
        (replace(SIZE, example="3"), "has the example '3', but expects an integer"),
        (
            Field("name", FieldType.STRING, "A name.", example="Bo", default="Amelia", check=short),
            "has the default 'Amelia', but expects at most 4 letters",
        ),
    ],
)
def test_flaws_of_a_field_are_named(field: Field, flaw: str) -> None:
    """Each mistake about a field gives one sentence that names it."""
    assert flaws(replace(PIGEON, fields=(field,))) == [f"the field {field.name} {flaw}"]
