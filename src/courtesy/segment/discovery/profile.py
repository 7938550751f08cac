"""What a sample of objects shows: which paths there are, and of what type their values are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from courtesy.base.time import from_iso
from courtesy.person.fold import leaves
from courtesy.person.view import split_path
from courtesy.segment.values import lower

MOSTLY = 0.9
FEW_NUMBERS = 3
TEXT_CHARS_MAX = 100
"""Of a value that is worth a condition."""


@dataclass(slots=True)
class Shown:
    """What is under a path: how many numbers, texts (of which so many tell an instant) and truths; arrays count by
    their elements. `spelled`: how a text is spelled, by its lower case.
    `amounts`: the numbers."""

    path: str
    numbers: int = 0
    texts: int = 0
    instants: int = 0
    truths: int = 0
    spelled: dict[str, str] = field(default_factory=dict)
    amounts: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many values."""
        return self.numbers + self.texts + self.truths

    @property
    def is_date(self) -> bool:
        """Nearly all of them tell an instant or a day."""
        return self.instants > MOSTLY * self.count

    @property
    def is_amount(self) -> bool:
        """Its numbers say how much: they name nothing, and are more than a few."""
        return not self.is_label and len(set(self.amounts)) > FEW_NUMBERS

    @property
    def is_label(self) -> bool:
        """It names something, so that its sum means nothing."""
        name = split_path(self.path)[-1]
        return name.lower() == "id" or name.endswith(("_id", "-id", " id", "Id", "ID"))

    def see(self, value: Any) -> None:
        """Count one more value."""
        match value:
            case list():
                for each in value:
                    if not isinstance(each, list | dict):
                        self.see(each)
            case bool():
                self.truths += 1
            case int() | float():
                self.numbers += 1
                self.amounts.append(value)
            case str():
                self.texts += 1
                self.instants += from_iso(value) is not None
                if len(value) <= TEXT_CHARS_MAX:
                    key = lower(value)
                    self.spelled[key] = min(self.spelled.get(key, value), value)
            case _:
                pass


def shown(objects: Iterable[str], most: int) -> list[Shown]:
    """What some objects, in JSON, have in common: up to so many paths, those that most of them have first."""
    found: dict[str, Shown] = {}
    for each in objects:
        for path, value in leaves(_object(each)):
            found.setdefault(path, Shown(path)).see(value)
    seen = Counter({path: each.count for path, each in found.items() if each.count and all(split_path(path))})
    # A path that is also the beginning of another means one thing or the other, by who wrote last: left out.
    parents = {tuple(names[:depth]) for path in found for names in [split_path(path)] for depth in range(1, len(names))}
    fitting = [path for path in seen if tuple(split_path(path)) not in parents]
    return [found[path] for path in sorted(fitting, key=lambda path: (-seen[path], path))[:most]]


def _object(text: str) -> dict[str, Any]:
    """An object; empty for what is none, or can't be read: it shows nothing."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {}


def pointer(path: str) -> str:
    """A dotted path as a JSON pointer (RFC 6901)."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in split_path(path))
