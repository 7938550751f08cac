"""How two schemas differ, in plain words: for whoever reads the history of one, and for whoever sends the events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from courtesy.schema.breach import shown, type_words
from courtesy.schema.event_schema import EventSchema

DEPTH_MAX = 32
_STRUCTURE = frozenset({"type", "properties", "required", "items", "enum", "$schema"})
"""Keywords that are compared by their meaning; the others by what they say."""


class Change(NamedTuple):
    """One difference. `path` is dotted, empty for the whole; `narrows`: events that were fine may break it now."""

    path: str
    said: str
    narrows: bool


def changes(old: EventSchema, new: EventSchema) -> list[Change]:
    """What changed from one revision to another; empty when they mean the same."""
    found = list(_changes(old.schema, new.schema, "", 0))
    if old.on_break != new.on_break:
        found.append(Change("", f"what breaks it: {old.on_break} became {new.on_break}", narrows=False))
    return found


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], path: str, depth: int) -> Iterator[Change]:
    yield from _type_changes(old, new, path)
    yield from _value_changes(old, new, path)
    yield from _other_changes(old, new, path)
    if depth < DEPTH_MAX:
        yield from _field_changes(old, new, path, depth)
        yield from _inner(old.get("items"), new.get("items"), f"{path}[]", depth)


def _inner(old: Any, new: Any, path: str, depth: int) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _changes(old, new, path, depth + 1)
    elif old != new:
        yield Change(path, f"the rule changed from {_told(old)} to {_told(new)}", narrows=new is not None)


def _told(value: Any) -> str:
    return "none" if value is None else shown(value)


def _types(schema: Mapping[str, Any]) -> list[str]:
    given = schema.get("type", [])
    return sorted(map(str, given)) if isinstance(given, list) else [str(given)]


def _type_changes(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Change]:
    before, after = _types(old), _types(new)
    if before != after:
        said = f"type changed from {type_words(before) or 'anything'} to {type_words(after) or 'anything'}"
        yield Change(path, said, narrows=bool(after) and not set(before or ["anything"]) <= _covered(after))


def _covered(types: Sequence[str]) -> set[str]:
    """The types whose values have one of `types`: every whole number is a number."""
    return {*types, "integer"} if "number" in types else set(types)


def _value_changes(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Change]:
    before, after = old.get("enum"), new.get("enum")
    if isinstance(before, list) and isinstance(after, list):
        added = [each for each in after if each not in before]
        gone = [each for each in before if each not in after]
        if added:
            yield Change(path, f"also takes {', '.join(map(shown, added))}", narrows=False)
        if gone:
            yield Change(path, f"no longer takes {', '.join(map(shown, gone))}", narrows=True)
    elif before != after:
        closed = isinstance(after, list)
        said = f"only takes {', '.join(map(shown, after))}" if isinstance(after, list) else "takes any value again"
        yield Change(path, said, narrows=closed)


def _other_changes(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Change]:
    for keyword in sorted((old.keys() | new.keys()) - _STRUCTURE):
        if old.get(keyword) != new.get(keyword):
            said = f"{keyword} changed from {_told(old.get(keyword))} to {_told(new.get(keyword))}"
            narrows = keyword not in ("title", "description", "examples", "default") and keyword in new
            yield Change(path, said, narrows=narrows)


def _field_changes(old: Mapping[str, Any], new: Mapping[str, Any], path: str, depth: int) -> Iterator[Change]:
    before, after = _properties(old), _properties(new)
    was_required, is_required = _required(old), _required(new)
    for name in sorted(before.keys() | after.keys() | was_required | is_required):
        place = f"{path}.{name}" if path else name
        if name in after and name not in before:
            yield Change(place, f"field added, {_field_words(after[name])}", narrows=False)
        elif name in before and name not in after:
            yield Change(place, "field removed", narrows=new.get("additionalProperties") is False)
        elif name in before:
            yield from _inner(before[name], after[name], place, depth)
        if name in is_required and name not in was_required:
            yield Change(place, "became required", narrows=True)
        elif name in was_required and name not in is_required:
            yield Change(place, "is no longer required", narrows=False)


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    given = schema.get("properties")
    return given if isinstance(given, dict) else {}


def _required(schema: Mapping[str, Any]) -> set[str]:
    given = schema.get("required")
    return set(given) if isinstance(given, list) else set()


def _field_words(schema: Any) -> str:
    return type_words(_types(schema)) or "of any type" if isinstance(schema, dict) else "of any type"
