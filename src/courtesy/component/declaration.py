"""A component's declaration: its name, its kind, what it does, and the fields of its configuration."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

Value = str | int | float | bool | tuple[str, ...]
"""A configured value, after validation. A list of strings is a tuple, so that nobody changes it later."""


class Kind(StrEnum):
    """Which way a component carries: out of Courtesy or into it."""

    CHANNEL = "channel"
    SOURCE = "source"


class FieldType(StrEnum):
    """What a field may hold, in the words that messages and documentation use."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRINGS = "list of strings"

    @property
    def one(self) -> str:
        """The type with its article, as messages say it: "an integer"."""
        return f"an {self}" if self is FieldType.INTEGER else f"a {self}"


def anything(value: Value) -> str:
    """The check of a field that takes every value of its type."""
    return ""


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a component's configuration.

    A field that is not required has a default, so that a validated configuration holds every field.
    `check` sees a value of the right type only, hence its `Any`: it answers with what was expected
    ("an integer from 1 to 9"), or with the empty string when the value is fine. A `secret` is never
    repeated in messages, and forms hide it.
    """

    name: str
    type: FieldType
    doc: str
    example: Value
    required: bool = False
    default: Value | None = None
    secret: bool = False
    check: Callable[[Any], str] = anything


@dataclass(frozen=True, slots=True)
class Component:
    """What an adapter says of itself. `summary` is one sentence, `doc` the paragraphs below it (Markdown)."""

    name: str
    kind: Kind
    summary: str
    doc: str
    fields: tuple[Field, ...]

    @property
    def example(self) -> Mapping[str, Value]:
        """A complete configuration that passes the checks, made of the examples of the fields."""
        return {field.name: field.example for field in self.fields}


def as_type(type_: FieldType, value: object) -> Value | None:
    """`value` as a field of this type holds it, or None when it is of another type.

    Nothing is converted: "5" is no integer, and neither is True. An integer has at most 64 bits; a number is finite.
    """
    match type_:
        case FieldType.STRING:
            return value if isinstance(value, str) else None
        case FieldType.BOOLEAN:
            return value if isinstance(value, bool) else None
        case FieldType.INTEGER:
            return _integer(value)
        case FieldType.NUMBER:
            return value if isinstance(value, float) and isfinite(value) else _integer(value)
        case FieldType.STRINGS:
            return _strings(value)


def _integer(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        return None
    return value


def _strings(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


_NAME = re.compile(r"[a-z][a-z0-9_]*")


def flaws(component: Component) -> list[str]:
    """What is wrong with a declaration itself, one sentence each; empty when it can be published.

    It is for the contract suite: a flaw is its author's mistake, not a user's.
    """
    names = [field.name for field in component.fields]
    found = [*_prose_flaws(component)]
    found += [f"the field {name} is declared twice" for name, count in Counter(names).items() if count > 1]
    for field in component.fields:
        found += [f"the field {field.name} {flaw}" for flaw in _field_flaws(field)]
    return found


def _prose_flaws(component: Component) -> Iterator[str]:
    if not _NAME.fullmatch(component.name):
        yield f"the name {component.name!r} is not in lower_snake_case"
    if not component.summary.endswith(".") or "\n" in component.summary:
        yield "the summary is not one sentence on one line"
    if not component.doc.strip():
        yield "there is no documentation"


def _field_flaws(field: Field) -> Iterator[str]:
    if not _NAME.fullmatch(field.name):
        yield "is not named in lower_snake_case"
    if not field.doc.strip():
        yield "has no documentation"
    if field.required == (field.default is not None):
        yield "must be either required or have a default"
    if field.secret and field.default:
        yield "is a secret that everybody can read in its default"
    for role, value in (("example", field.example), ("default", field.default)):
        if value is not None and _misfit(field, value):
            yield f"has the {role} {value!r}, but expects {_misfit(field, value)}"


def _misfit(field: Field, value: Value) -> str:
    typed = as_type(field.type, value)
    return field.type.one if typed is None else field.check(typed)
