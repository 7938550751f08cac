"""The shape of values: what of which type was seen where, how often. Schemas are inferred and drift is seen by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

from courtesy.schema.breach import shown

DEPTH_MAX = 8
FIELDS_MAX = 200
VALUES_MAX = 20
ELEMENTS_MAX = 50
EXAMPLES_MAX = 3
FORMATTED_CHARS_MAX = 300
"""Bounds of one shape: deeper, wider and longer values are counted by their type and no further."""

TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
"""What JSON calls the types that a decoder gives."""

FORMATS = ("date-time", "date", "uuid", "email", "uri")
PLAIN = ""
"""The format of a text that has none."""


class Shape(msgspec.Struct):
    """What was seen at one place: `count` values, by type; texts by format, and by value while those are few.

    `values` is None when there are too many, `elements` when there is none or a list was too long; `low` is the lowest
    number.
    """

    count: int = 0
    types: dict[str, int] = {}
    formats: dict[str, int] = {}
    values: dict[str, int] | None = {}
    low: float | None = None
    fields: dict[str, Shape] = {}
    elements: Shape | None = None
    has_long_lists: bool = False
    examples: list[str] = []

    @property
    def null_count(self) -> int:
        """How many of the values are null."""
        return self.types.get("null", 0)

    @property
    def object_count(self) -> int:
        """How many of the values are objects."""
        return self.types.get("object", 0)


def add(shape: Shape, value: Any, depth: int = 0) -> None:
    """Count one decoded JSON value into the shape of its place."""
    shape.count += 1
    name = TYPES[type(value)]
    shape.types[name] = shape.types.get(name, 0) + 1
    if isinstance(value, dict):
        if depth < DEPTH_MAX:
            _add_fields(shape, value, depth)
        return
    if len(shape.examples) < EXAMPLES_MAX and value is not None and (text := shown(value)) not in shape.examples:
        shape.examples.append(text)
    if isinstance(value, str):
        _add_text(shape, value)
    elif isinstance(value, list):
        _add_elements(shape, value, depth)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        shape.low = value if shape.low is None else min(shape.low, value)


def _add_fields(shape: Shape, value: Mapping[str, Any], depth: int) -> None:
    for name, inner in value.items():
        known = shape.fields.get(name)
        if known is None:
            if len(shape.fields) >= FIELDS_MAX:
                continue
            known = shape.fields[name] = Shape()
        add(known, inner, depth + 1)


def _add_elements(shape: Shape, elements: Sequence[Any], depth: int) -> None:
    if depth >= DEPTH_MAX or len(elements) > ELEMENTS_MAX:
        shape.has_long_lists = True
        shape.elements = None
    if elements and not shape.has_long_lists:
        shape.elements = shape.elements or Shape()
        for element in elements:
            add(shape.elements, element, depth + 1)


def _add_text(shape: Shape, text: str) -> None:
    form = format_of(text)
    shape.formats[form] = shape.formats.get(form, 0) + 1
    if shape.values is None:
        return
    if text not in shape.values and (len(shape.values) >= VALUES_MAX or len(text) > FORMATTED_CHARS_MAX):
        shape.values = None
        return
    shape.values[text] = shape.values.get(text, 0) + 1


@cache
def _validator(form: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"format": form}, offline=True, validate_formats=True)


def format_of(text: str) -> str:
    """The format of a text in the terms of JSON Schema, by the same check that a schema would make."""
    if not 6 <= len(text) <= FORMATTED_CHARS_MAX:
        return PLAIN
    if text[0].isdigit() and text[4:5] == "-":
        candidates: tuple[str, ...] = ("date-time", "date", "uuid")
    elif "@" in text:
        candidates = ("email",)
    elif "://" in text:
        candidates = ("uri",)
    elif len(text) == 36:
        candidates = ("uuid",)
    else:
        return PLAIN
    return next((form for form in candidates if _validator(form).is_valid(text)), PLAIN)


def places(shape: Shape, prefix: str = "") -> Iterator[tuple[str, Shape, int]]:
    """Path, shape and number of surrounding objects of every field, elements of lists included, outermost first."""
    for name, inner in shape.fields.items():
        path = f"{prefix}.{name}" if prefix else name
        yield path, inner, shape.object_count
        yield from places(inner, path)
        if inner.elements is not None:
            yield from places(inner.elements, f"{path}[]")
