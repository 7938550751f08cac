"""From what a user wrote to a configuration that its component can trust."""

from __future__ import annotations

from collections.abc import Mapping

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.component.declaration import Component, Field, Value, as_type

_SHOWN_CHARS = 60


def validated(component: Component, config: object, place: str = "") -> dict[str, Value]:
    """The value of every declared field, defaults filled in.

    `place` says where the configuration stands, for messages; by default the component's name. Raises
    CourtesyError (INVALID) for the first thing wrong: an unknown field (with the nearest known name), a
    missing one, one of the wrong type, one that its check refuses. The value of a secret is not repeated.
    """
    place = place or component.name
    if not isinstance(config, Mapping):
        raise CourtesyError(Code.INVALID, f"expected an object of settings, got {_shown(config)}", place=place)
    _refuse_unknown(component, config, place)
    return {field.name: _value(field, config, f"{place}.{field.name}") for field in component.fields}


def _refuse_unknown(component: Component, config: Mapping[object, object], place: str) -> None:
    known = [field.name for field in component.fields]
    for name in config:
        if name not in known:
            hint = nearest(str(name), known) or f"the fields are {', '.join(known)}"
            message = f"the {component.kind} {component.name} has no field {_short(repr(name))}"
            raise CourtesyError(Code.INVALID, message, hint=hint, place=place)


def _value(field: Field, config: Mapping[object, object], place: str) -> Value:
    if field.name not in config and field.default is not None:
        return field.default
    if field.name not in config:
        hint = "" if field.secret else f"for example {field.example!r}"
        raise CourtesyError(Code.INVALID, f"expected {field.type.one}, got nothing", hint=hint, place=place)
    given = config[field.name]
    typed = as_type(field.type, given)
    expected = field.type.one if typed is None else field.check(typed)
    if typed is None or expected:
        raise CourtesyError(Code.INVALID, f"expected {expected}, got {_shown(given, field.secret)}", place=place)
    return typed


def _shown(value: object, secret: bool = False) -> str:
    """What came, short enough for a message; of a secret, only what sort of thing it is."""
    match value:
        case None:
            return "null"
        case str():
            return "a string that stays secret" if secret else f"the string {_short(repr(value))}"
        case int() if value.bit_length() > 64:  # Python refuses to print the very long ones
            return "an integer of more than 64 bits"
        case bool() | int() | float():
            return "a value that stays secret" if secret else _short(repr(value).lower())
        case list() | tuple():
            return "a list that stays secret" if secret else f"the list {_short(repr(list(value)))}"
        case Mapping():
            return "an object"
        case _:
            return f"a value of type {type(value).__name__}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
