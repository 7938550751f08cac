"""One person at one moment, as conditions look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any as Anything
from typing import NamedTuple

from courtesy.consent.law import Laws
from courtesy.person.marks import Item, Mark, Marks
from courtesy.person.place import place_told_by
from courtesy.person.state import PersonState
from courtesy.person.view import nested_traits
from courtesy.segment.moment import Moment
from courtesy.segment.tree import Filter, Value
from courtesy.segment.values import Flat, Roots, found_at, holds

NOTHING = Mark()
"""The mark of who never did it; never changed."""


class Found(NamedTuple):
    """Whether a condition holds, and the first instant after now at which that may change by itself, if there is
    one."""

    holds: bool
    next_ms: int | None = None


@dataclass(slots=True)
class View:
    """A person at a moment. `that`: what `Param` stands for."""

    state: PersonState
    moment: Moment
    kept: Marks
    laws: Laws
    that: Value | None = None
    _traits: dict[str, Anything] | None = None
    _place: str | None = None

    def mark(self, pattern: str) -> Mark:
        """What they did of a pattern."""
        return self.kept.marks.get(pattern, NOTHING)

    @property
    def traits(self) -> dict[str, Anything]:
        """Their traits as a nested object."""
        if self._traits is None:
            self._traits = nested_traits(self.state.traits)
        return self._traits

    @property
    def place(self) -> str:
        """Where they are."""
        if self._place is None:
            self._place = place_told_by(self.traits)
        return self._place

    def at(self, names: Sequence[str]) -> Anything:
        """The value under the names of a path; None when there is none."""
        node: Anything = self.traits
        for name in names:
            if not isinstance(node, dict):
                return None
            node = node.get(name)
        return node

    def trait(self, path: str) -> Anything:
        """The value under a path; None when there is none."""
        return found_at(self.traits, path)

    def fits(self, rest: Filter | None, kept: Item, shape: Shape) -> bool:
        """Whether the part of a filter holds now that depends on when it is asked, for an event that was kept."""
        return rest is None or holds(rest, shape.roots(kept), self.moment, self.that)


class Shape:
    """What is kept of an event of one pattern, told again as the fields that it was."""

    def __init__(self, values: tuple[tuple[Anything, str], ...]) -> None:
        self._index = {place: 2 + number for number, place in enumerate(values)}

    def value(self, kept: Item, whose: Anything, path: str) -> Anything:
        """What was kept of a field."""
        return kept[self._index[whose, path]]

    def roots(self, kept: Item) -> Roots:
        """The fields as a filter finds them."""
        found: dict[Anything, dict[str, Anything]] = {}
        for (whose, path), index in self._index.items():
            found.setdefault(whose, {})[path] = kept[index]
        return {whose: Flat(fields) for whose, fields in found.items()}
