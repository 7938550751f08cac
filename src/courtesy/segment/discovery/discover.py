"""From conditions and an outcome to proposals: searched among some people, checked on people not looked at before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from courtesy.segment import tree
from courtesy.segment.discovery.chance import Draws, adjusted, wilson
from courtesy.segment.discovery.people import FOUND_SHARE, Counts, Part
from courtesy.segment.discovery.search import Bounds, Rule, search
from courtesy.segment.discovery.wanted import Wanted
from courtesy.segment.tree import Expression


@dataclass(frozen=True, slots=True)
class Rate:
    """How many people, how many of them had the outcome, their share, and its 95 % interval."""

    people: int
    positives: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Found:
    """Conditions and the people that they are about: `found` is the part that is searched, `held` is held out."""

    nodes: Sequence[Expression]
    found: Part
    held: Part


@dataclass(frozen=True, slots=True)
class Proposal:
    """A micro-segment in which the outcome is more frequent than among all (`more`), or less.

    `all`, `found`, `held`: its rate among all people, those searched, and those held out. `lift`: the rate of those
    held out by the rate of everybody held out, from `lift_low` to `lift_high` with 95 %. `probability`: how likely
    chance alone makes it look so among those held out; `adjusted`: the same, for as many tests as were made.
    """

    conditions: tuple[int, ...]
    expression: Expression
    more: bool
    all: Rate
    found: Rate
    held: Rate
    lift: float
    lift_low: float
    lift_high: float
    probability: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class Discovery:
    """`proposals`: those that hold, what says most first. `all`, `held`: the rates of everybody. `rules`: what was
    checked, whether it holds or not; `condition_count`: of how many conditions it was made."""

    proposals: tuple[Proposal, ...]
    all: Rate
    held: Rate
    rules: tuple[Rule, ...]
    condition_count: int


def cost(node: Expression) -> int:
    """How hard a condition is to say, beside others of as few words."""
    match node:
        case tree.Field() | tree.Did(window=None):
            return 1
        case tree.Did() | tree.Occurrence() | tree.Amount(tree.Measure(window=None)):
            return 2
        case tree.Amount():
            return 3
        case _:
            return 4


def rate_of(counts: Counts) -> Rate:
    """A rate with its interval."""
    return Rate(counts.people, counts.positives, counts.rate, *wilson(counts.positives, counts.people))


def joined(nodes: Sequence[Expression]) -> Expression:
    """All of some expressions."""
    return nodes[0] if len(nodes) == 1 else tree.All(tuple(nodes))


def discover(among: Found, wanted: Wanted) -> Discovery:
    """Micro-segments whose rate of the outcome differs, and does so on people held out.

    A proposal passes, on the people held out, each of these tests by itself: against everybody, and against those whom
    it selects without one of its conditions, for each (Webb, "Discovering Significant Patterns", 2007). So it counts
    with the worst of them. Of those that pass at the adjusted level, `false_share` are false on average, as tests of
    groups that overlap may be taken for positively dependent (Benjamini and Yekutieli, 2001).
    """
    bounds = Bounds(wanted.depth, max(1, round(wanted.least_people * FOUND_SHARE)), wanted.direction)
    rules = search(among.found, [cost(each) for each in among.nodes], bounds)
    everybody = _sum(among.found.counts(among.found.everybody), among.held.counts(among.held.everybody))
    draws = Draws(among.held.counts(among.held.everybody).people)
    probabilities = [_probability(among.held, rule, draws) for rule in rules]
    proposals = [
        _proposal(among, rule, probability, level)
        for rule, probability, level in zip(rules, probabilities, adjusted(probabilities), strict=True)
    ]
    held = [each for each in proposals if each.adjusted <= wanted.false_share]
    return Discovery(
        tuple(each for each in held if each.all.people >= wanted.least_people)[: wanted.limit],
        rate_of(everybody),
        rate_of(among.held.counts(among.held.everybody)),
        tuple(rules),
        len(among.nodes),
    )


def _sum(counts: Counts, others: Counts) -> Counts:
    return Counts(counts.people + others.people, counts.positives + others.positives)


def _probability(held: Part, rule: Rule, draws: Draws) -> float:
    """How likely chance alone has the outcome as much more (or less) frequent among those held out as it is."""
    counts = held.counts(held.of(rule.conditions))
    wider: list[tuple[int, ...]] = [()]
    if len(rule.conditions) > 1:
        wider += [tuple(each for each in rule.conditions if each != left_out) for left_out in rule.conditions]
    of = [held.counts(held.of(each)) for each in wider]
    return max(draws.tail(*each, *counts, more=rule.quality > 0) for each in of)


def _proposal(among: Found, rule: Rule, probability: float, level: float) -> Proposal:
    found = among.found.counts(among.found.of(rule.conditions))
    held = among.held.counts(among.held.of(rule.conditions))
    usual = among.held.counts(among.held.everybody).rate
    rate = rate_of(held)
    lift, lift_low, lift_high = (each / usual if usual else 0.0 for each in (rate.share, rate.low, rate.high))
    return Proposal(
        rule.conditions,
        joined([among.nodes[each] for each in rule.conditions]),
        rule.quality > 0,
        rate_of(_sum(found, held)),
        rate_of(found),
        rate,
        lift,
        lift_low,
        lift_high,
        probability,
        level,
    )
