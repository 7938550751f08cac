"""Inference: the schema that fits every value of a shape, and says no more than what the values make likely."""

from __future__ import annotations

from typing import Any

from courtesy.schema.shape import PLAIN, Shape

DIALECT = "https://json-schema.org/draft/2020-12/schema"

REQUIRED_SEEN_MIN = 20
FORMAT_SEEN_MIN = 10
ENUM_SEEN_MIN = 50
RANGE_SEEN_MIN = 100
ENUM_MAX = 12
ENUM_EACH_MIN = 3
"""How much must be seen before it counts as a rule. By the rule of three, what was never seen in n tries has, with 95 %
confidence, a share below 3/n: of a required field at most 15 % may lack it, of a value outside an enum 6 %. A proposal
says how often a field was present, for its owner to judge."""


def inferred(shape: Shape, required_share: float = 1.0) -> dict[str, Any]:
    """The schema of an object with the shape `shape`.

    A field is required when at least `required_share` of its objects have it; at 1, every value that the shape was
    made from is valid under the schema.
    """
    return {"$schema": DIALECT, "type": "object", **_object_rules(shape, required_share)}


def _rules(shape: Shape, required_share: float) -> dict[str, Any]:
    types = _types(shape)
    rules: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    if "string" in types:
        rules |= _text_rules(shape, types)
    if shape.low is not None and shape.low >= 0 and _number_count(shape) >= RANGE_SEEN_MIN:
        rules["minimum"] = 0
    if "object" in types:
        rules |= _object_rules(shape, required_share)
    if shape.elements is not None:
        rules["items"] = _rules(shape.elements, required_share)
    return rules


def _types(shape: Shape) -> list[str]:
    """The types seen; a field with whole and broken numbers has numbers."""
    names = set(shape.types)
    if "number" in names:
        names.discard("integer")
    return sorted(names)


def _number_count(shape: Shape) -> int:
    return shape.types.get("integer", 0) + shape.types.get("number", 0)


def _text_rules(shape: Shape, types: list[str]) -> dict[str, Any]:
    count = shape.types["string"]
    if shape.values is not None and set(types) <= {"string", "null"} and _is_closed(shape.values, count):
        return {"enum": [*sorted(shape.values), *([None] if "null" in types else [])]}
    if len(shape.formats) == 1 and count >= FORMAT_SEEN_MIN:
        (form,) = shape.formats
        return {"format": form} if form != PLAIN else {}
    return {}


def _is_closed(values: dict[str, int], count: int) -> bool:
    return count >= ENUM_SEEN_MIN and len(values) <= ENUM_MAX and min(values.values()) >= ENUM_EACH_MIN


def _object_rules(shape: Shape, required_share: float) -> dict[str, Any]:
    if not shape.fields:
        return {}
    needed = max(required_share * shape.object_count, 1)
    required = sorted(
        name
        for name, inner in shape.fields.items()
        if inner.count >= needed and shape.object_count >= REQUIRED_SEEN_MIN
    )
    rules: dict[str, Any] = {
        "properties": {name: _rules(inner, required_share) for name, inner in sorted(shape.fields.items())}
    }
    if required:
        rules["required"] = required
    return rules
