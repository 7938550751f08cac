"""A beam search for conjunctions in which the rate of an outcome differs most.

It is subgroup discovery as in Klösgen, "Explora", 1996, with these choices. A group counts by the root of its size
times how much its rate differs, his binomial test. (Weighted relative accuracy, as in CN2-SD by Lavrač and others,
2004, takes the size itself, and so likes groups of half of everybody.) A condition is joined to others only where it
adds to each of them: Webb, "Discovering Significant Patterns", 2007, calls such rules productive. Groups of nearly the
same people are one, already in the beam, so that it does not fill with variants of one finding. RuleFit (Friedman and
Popescu, 2008) takes its rules from trees instead; what it does with them is done in `lookalike.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from courtesy.segment.discovery.chance import Z_95
from courtesy.segment.discovery.people import Counts, Numbers, Part, Truths, Words, likeness, size
from courtesy.segment.discovery.wanted import Direction

SAME_LIKENESS = 0.8
"""From here on two groups are nearly the same people, and one of them is enough to go on from."""

PROPOSED_LIKENESS = 0.6
"""From here on one of two groups is enough to be proposed."""

OUTSIDE_SHARE = 0.05
"""A group of which no more lies outside of another is a part of it."""

BEAM_WIDTH = 40
TRIED_MAX = 2_000
"""How many groups of a level are looked at to fill the beam, best first."""

TESTED_MAX = 40
"""How many findings are checked. The more there are, the surer each has to be."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions joined by and, by their numbers, rising; and what they select in the part that was searched."""

    conditions: tuple[int, ...]
    counts: Counts
    quality: float
    """How much it says. Above zero the outcome is more frequent than among all, below zero less."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is looked for: groups of so many people in the part that is searched, of up to `depth` conditions."""

    depth: int
    least_people: int
    direction: Direction


def search(part: Part, costs: Sequence[int], bounds: Bounds) -> list[Rule]:
    """What was found, the best first; of groups of nearly the same people the plainest. `costs`: of each condition, how
    hard it is to say."""
    return _Search(part, costs, bounds).run()


class _Search:
    def __init__(self, part: Part, costs: Sequence[int], bounds: Bounds) -> None:
        self._part = part
        self._costs = costs
        self._bounds = bounds
        self._all = part.counts(part.everybody)
        self._alone = part.with_each(part.everybody)
        # The largest of so many normal numbers of chance is about this far out: what adds less may be chance.
        self._sure = math.sqrt(2 * math.log(max(len(part.inside), 2)))

    def run(self) -> list[Rule]:
        if not 0 < self._all.positives < self._all.people:
            return []
        everybody = Rule((), self._all, 0.0)
        beam = self._distinct(self._grown(everybody), BEAM_WIDTH, proposed=False)
        found = list(beam)
        for _ in range(1, self._bounds.depth):
            grown = {rule.conditions: rule for each in beam for rule in self._grown(each)}
            beam = self._distinct(list(grown.values()), BEAM_WIDTH, proposed=False)
            found += beam
        return self._distinct(found, TESTED_MAX, proposed=True)

    def _grown(self, rule: Rule) -> list[Rule]:
        """A rule with one condition more, for each that adds to it."""
        people, positives = self._part.with_each(self._part.of(rule.conditions))
        quality = self._quality(people, positives)
        least = self._bounds.least_people
        fits = (people >= least) & (people <= self._all.people - least) & self._is_wanted(quality)
        if rule.conditions:
            signs = np.sign(quality)
            with_rule = signs * _z(people, positives, *rule.counts)
            with_other = signs * _z(people, positives, *self._alone)
            fits &= (with_rule >= self._sure) & (with_other >= self._sure)
        return [
            Rule(tuple(sorted((*rule.conditions, number))), Counts(int(people[number]), int(positives[number])),
                 float(quality[number]))
            for number in map(int, np.flatnonzero(fits)) if number not in rule.conditions
        ]  # fmt: skip

    def _quality(self, people: NDArray[np.int64], positives: NDArray[np.int64]) -> Numbers:
        rates = positives / np.maximum(people, 1)
        return np.sqrt(people / self._all.people) * (rates - self._all.rate)

    def _is_wanted(self, quality: Numbers) -> Truths:
        match self._bounds.direction:
            case Direction.MORE:
                wanted: Truths = quality > 0
            case Direction.LESS:
                wanted = quality < 0
            case Direction.BOTH:
                wanted = quality != 0
        return wanted

    def _distinct(self, rules: Sequence[Rule], most: int, *, proposed: bool) -> list[Rule]:
        """The best of some rules, of those that select much the same people one. `proposed`: those that are worth being
        said; what selects whom another leaves out is the same then, and of nearly the same the plainest stays."""
        kept: list[tuple[Rule, Words]] = []
        for rule in sorted(rules, key=lambda each: (-abs(each.quality), each.conditions))[:TRIED_MAX]:
            if len(kept) == most:
                break
            members = self._part.of(rule.conditions)
            same = self._like(members, [other for _, other in kept], mirrored=proposed)
            if same is None:
                if not (proposed and self._is_part_of_one(rule, members, kept)):
                    kept.append((rule, members))
            elif proposed and self._is_plainer(rule, members, *kept[same]):
                kept[same] = (rule, members)
        return [rule for rule, _ in kept]

    def _is_plainer(self, rule: Rule, members: Words, other: Rule, others: Words) -> bool:
        """Whether a rule is easier to say than another, and selects nearly the same people, or those left out."""
        is_same = max(likeness(members, others), likeness(self._part.everybody & ~members, others)) >= SAME_LIKENESS
        return is_same and self._cost(rule) < self._cost(other)

    def _cost(self, rule: Rule) -> tuple[int, int]:
        return len(rule.conditions), sum(self._costs[each] for each in rule.conditions)

    def _like(self, members: Words, others: Sequence[Words], *, mirrored: bool) -> int | None:
        outside = self._part.everybody & ~members
        least = PROPOSED_LIKENESS if mirrored else SAME_LIKENESS
        for number, other in enumerate(others):
            if likeness(members, other) >= least or (mirrored and likeness(outside, other) >= least):
                return number
        return None

    def _is_part_of_one(self, rule: Rule, members: Words, others: Sequence[tuple[Rule, Words]]) -> bool:
        """Whether a group lies within one that says as much: which has the outcome no less often."""
        for other, wider in others:
            if size(members & ~wider) <= OUTSIDE_SHARE * rule.counts.people:
                z = _z(*map(np.asarray, (*rule.counts, *other.counts)))
                if float(z) * np.sign(rule.quality) < Z_95:
                    return True
        return False


def _z(
    people: NDArray[np.int64],
    positives: NDArray[np.int64],
    of_people: int | NDArray[np.int64],
    of_positives: int | NDArray[np.int64],
) -> Numbers:
    """By how many standard deviations groups have more than chance would draw from the larger ones they are part of;
    0 where the larger one is no larger, or all alike."""
    share = people / np.maximum(of_people, 1)
    expected = share * of_positives
    variance = expected * (1 - of_positives / np.maximum(of_people, 1)) * (1 - share)
    return np.where(variance > 0, (positives - expected) / np.sqrt(np.where(variance > 0, variance, 1.0)), 0.0)
