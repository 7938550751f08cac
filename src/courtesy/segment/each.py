"""For which values a segment of many is made, of those that one person has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from courtesy.segment.judge import Past
from courtesy.segment.tree import ANYTHING, Each
from courtesy.segment.values import found_at, lower

WHOLE_MAX = 2**53
"""Up to here every whole number is a float."""

One = str | bool | int | float


def values_of(each: Each, past: Past, now_ms: int) -> list[One]:
    """The values for which somebody may be in such a segment at an instant, each once, in its one form, in a fixed
    order. Those of a property are of their events of that name, whenever they happened."""
    found = {key_of(value): value for value in map(one_form, _told(each, past, now_ms)) if value is not None}
    return [found[key] for key in sorted(found)]


def one_form(value: Any) -> One | None:
    """The form in which all values that are equal are written alike: text in lower case, whole numbers as such. None
    for what no segment is made for."""
    if isinstance(value, str):
        return lower(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= WHOLE_MAX:
        return int(value)
    return value if isinstance(value, bool | int | float) else None


def key_of(value: One) -> tuple[str, str]:
    """What two values in their one form have in common if, and only if, they are equal: 1 is not true."""
    return type(value).__name__, str(value)


def elements_of(value: Any) -> list[Any]:
    """The elements of an array; of anything else that alone."""
    return value if isinstance(value, list) else [value]


def _told(each: Each, past: Past, now_ms: int) -> Iterator[Any]:
    if each.event is None:
        yield from elements_of(found_at(past.traits, each.path))
        return
    for event in past.events:
        if each.event in (event.name, ANYTHING) and event.at_ms <= now_ms:
            yield from elements_of(found_at(event.properties, each.path))
