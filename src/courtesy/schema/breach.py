"""What about a value breaks a schema, in words: what was expected, where, and what came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec

BREACHES_TOLD = 3
SHOWN_CHARS = 60
DETAIL_CHARS_MAX = 500

_TYPE_WORDS = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object",
}
_LIMIT_WORDS = {
    "minimum": "{} or more",
    "maximum": "{} or less",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} elements",
    "maxItems": "at most {} elements",
    "minProperties": "at least {} fields",
    "maxProperties": "at most {} fields",
}


class Breach(NamedTuple):
    """One rule that a value breaks. `path` is dotted, from the object that was checked; empty for the object itself."""

    path: str
    expected: str
    got: str

    def said(self, root: str) -> str:
        """The breach as one sentence; `root` names the object that was checked."""
        return f"expected {self.expected} at {root}{self.path}, got {self.got}"


def breaches_of(errors: Iterable[jsonschema_rs.ValidationError]) -> list[Breach]:
    """The first few errors in words."""
    return [_breach(error) for error in islice(errors, BREACHES_TOLD)]


def detail_of(breaches: Sequence[Breach], root: str) -> str:
    """Some breaches as one text of bounded length."""
    return "; ".join(each.said(root) for each in breaches)[:DETAIL_CHARS_MAX]


def dotted(steps: Sequence[str | int]) -> str:
    """The steps into a value as a path: `.items[2].price`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def type_words(names: Sequence[str]) -> str:
    """JSON types as people say them."""
    ordered = sorted(names, key=lambda name: name == "null")
    return " or ".join(_TYPE_WORDS.get(name, name) for name in ordered)


def shown(value: Any) -> str:
    """A value as it is told to people: JSON, cut when long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def _breach(error: jsonschema_rs.ValidationError) -> Breach:
    name, told = error.kind.name, error.kind.as_dict()
    path = dotted(error.instance_path)
    if name == "required":
        return Breach(f"{path}.{told['property']}", "a value", "nothing")
    if name == "additionalProperties":
        return Breach(path, "no other fields", ", ".join(map(shown, told["unexpected"][:5])))
    return Breach(path, _expected(name, told), shown(error.instance))


def _expected(name: str, told: dict[str, Any]) -> str:
    if name == "type":
        return type_words(told["types"])
    if name == "enum":
        return f"one of {', '.join(map(shown, told['options'][:12]))}"
    if name == "const":
        return shown(told["expected_value"])
    if name == "format":
        return f"text in the form {told['format']}"
    if name == "pattern":
        return f"text like {told['pattern']}"
    if name == "falseSchema":
        return "nothing"
    if name in _LIMIT_WORDS:
        return _LIMIT_WORDS[name].format(told["limit"])
    return f"what the rule {name} asks for"
