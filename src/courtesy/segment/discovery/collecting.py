"""Keeps the conditions that may be of use, with who is in each, within a bound."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from courtesy.segment import tree
from courtesy.segment.discovery.conditions import Condition
from courtesy.segment.discovery.discover import Found, cost
from courtesy.segment.discovery.people import FOUND_SHARE, WORD_BITS, Part, Truths, Words, is_found, packed
from courtesy.segment.printing import write
from courtesy.segment.tree import Expression, Segment

CONDITIONS_MAX = 3_000
"""Conditions that are joined with each other. Of more, those are kept that say most alone, of the people searched."""


class Collector:
    """Conditions about some people, split by a seed into those searched and those held out.

    Of conditions that select the same people the plainest is kept. Those of too few people, or
    of almost everybody, are not kept.
    """

    def __init__(self, people: NDArray[np.int64], outcome: Truths, least_people: int, seed: int) -> None:
        """`people`: their numbers, in the order of all arrays that are given."""
        self._in_found = is_found(people, seed)
        self._least = max(1, round(least_people * FOUND_SHARE))
        self._outcome = outcome[self._in_found]
        self._held_outcome = outcome[~self._in_found]
        self._kept: dict[bytes, tuple[float, str, Expression, Words, Words]] = {}
        self.seen_count = 0

    def add(self, conditions: Iterable[Condition]) -> None:
        """Look at some conditions."""
        for node, inside in conditions:
            self.seen_count += 1
            self._add(node, inside)
        if len(self._kept) > 2 * CONDITIONS_MAX:
            self._forget_least()

    def _add(self, node: Expression, inside: Truths) -> None:
        found = inside[self._in_found]
        people = int(found.sum())
        if not self._least <= people <= found.size - self._least:
            return
        bits, held = packed(found), packed(inside[~self._in_found])
        key, text = bits.tobytes() + held.tobytes(), write(Segment(1, node))
        known = self._kept.get(key)
        if known is None or _plainness(node, text) < _plainness(known[2], known[1]):
            self._kept[key] = (self._weight(found, people), text, node, bits, held)

    def _weight(self, found: Truths, people: int) -> float:
        difference = float(self._outcome[found].mean() - self._outcome.mean())
        return float(np.sqrt(people / found.size)) * abs(difference)

    def _forget_least(self) -> None:
        best = sorted(self._kept.items(), key=lambda item: (-item[1][0], item[1][1]))
        self._kept = dict(best[:CONDITIONS_MAX])

    def done(self) -> Found:
        """What was kept, by its text, so that the order in which it came does not matter."""
        self._forget_least()
        kept = sorted(self._kept.values(), key=lambda each: each[1])
        return Found(
            [node for _, _, node, _, _ in kept],
            _part([bits for *_, bits, _ in kept], self._outcome),
            _part([held for *_, held in kept], self._held_outcome),
        )


def _plainness(node: Expression, text: str) -> tuple[bool, int, int, str]:
    """Rises with how hard it is to say; what names an event is plainer than what speaks of anything."""
    is_vague = isinstance(node, tree.Did | tree.Occurrence | tree.Change) and node.event.name == tree.ANYTHING
    return is_vague, cost(node), len(text), text


def _part(rows: list[Words], outcome: Truths) -> Part:
    words = -(-outcome.size // WORD_BITS)
    inside = np.stack(rows) if rows else np.empty((0, words), np.uint64)
    return Part(inside, packed(outcome), packed(np.ones(outcome.size, np.bool_)))
