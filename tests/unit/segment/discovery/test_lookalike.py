"""Scores of look-alikes are those of the regression that they are said to be, and tell members as well as is said."""

from __future__ import annotations

import math

import numpy as np
import pytest

from courtesy.segment.discovery.collecting import Collector
from courtesy.segment.discovery.conditions import valued
from courtesy.segment.discovery.discover import discover
from courtesy.segment.discovery.lookalike import fit, sharpness, unpacked
from courtesy.segment.discovery.people import Counts, Numbers, Part, Truths, is_found, packed
from courtesy.segment.discovery.search import Rule
from courtesy.segment.discovery.wanted import Wanted
from courtesy.segment.tree import Whose


def _part(features: list[Truths], outcome: Truths) -> tuple[Part, list[Rule]]:
    part = Part(np.stack([packed(each) for each in features]), packed(outcome), packed(np.ones(outcome.size, bool)))
    return part, [Rule((number,), Counts(0, 0), 0.0) for number in range(len(features))]


def test_the_weight_of_one_rule_is_its_odds() -> None:
    """With one rule and many people the model says the rates of those inside and outside, but for the small penalty."""
    inside = np.arange(100_000) % 5 == 0
    outcome = np.where(inside, np.arange(100_000) % 2 == 0, np.arange(100_000) % 11 == 0)
    part, rules = _part([inside], outcome)
    model = fit(part, rules, inside.size)
    scores = model.scores(part, inside.size)
    assert scores[inside][0] == pytest.approx(outcome[inside].mean(), abs=1e-3)
    assert scores[~inside][0] == pytest.approx(outcome[~inside].mean(), abs=1e-3)
    odds = outcome[inside].mean() / (1 - outcome[inside].mean())
    other = outcome[~inside].mean() / (1 - outcome[~inside].mean())
    assert model.weights[1] == pytest.approx(math.log(odds / other), abs=0.01)


def test_the_weights_are_where_nothing_can_be_better() -> None:
    """No small step in any direction makes what was seen more likely, less the penalty."""
    chance = np.random.default_rng(3)
    features = [chance.random(500) < share for share in (0.1, 0.5, 0.9, 0.02)]
    outcome = (features[0] | features[3]) ^ (chance.random(500) < 0.05)
    part, rules = _part(features, outcome)
    weights = fit(part, rules, 500).weights
    columns = np.column_stack([np.ones(500), *features]).astype(float)

    def gain(at: Numbers) -> float:
        line = columns @ at
        return float(outcome @ line - np.log1p(np.exp(line)).sum() - (at[1:] ** 2).sum() / 2)

    for place in range(weights.size):
        for step in (-1e-3, 1e-3):
            moved = weights.copy()
            moved[place] += step
            assert gain(moved) < gain(weights)


def test_pure_groups_do_not_drive_it_out_of_bounds() -> None:
    """A rule that all members fit and nobody else does gives high scores, not endless ones."""
    inside = np.arange(1_000) < 100
    part, rules = _part([inside, inside, ~inside], inside)
    scores = fit(part, rules, 1_000).scores(part, 1_000)
    assert 0.9 < scores[0] < 1
    assert 0 < scores[-1] < 0.1


def test_sharpness_counts_pairs() -> None:
    """It is the share of pairs of a member and another in which the member scores higher, ties counting half."""
    chance = np.random.default_rng(5)
    scores = chance.integers(0, 6, 80).astype(float)
    members = chance.random(80) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in scores[members] for b in scores[~members]]
    found = sharpness(scores, members)
    assert found.share == pytest.approx(sum(pairs) / len(pairs))
    assert found.low < found.share < found.high
    assert sharpness(scores, np.ones(80, bool)).low == 0


def test_those_who_are_like_members_score_highest_also_when_held_out() -> None:
    """People who are like members but are none come before all others, and scores tell members not looked at before."""
    chance = np.random.default_rng(8)
    people = np.arange(6_000)
    young, urban = chance.random(6_000) < 0.3, chance.random(6_000) < 0.4
    members = chance.random(6_000) < np.where(young & urban, 0.6, 0.03)
    collector = Collector(people, members, 30, 0)
    collector.add(valued("young", Whose.PERSON, True, young))
    collector.add(valued("urban", Whose.PERSON, True, urban))
    found = collector.done()
    in_found = is_found(people, 0)
    model = fit(found.found, discover(found, Wanted()).rules, int(in_found.sum()))
    held = model.scores(found.held, int((~in_found).sum()))
    outcome = unpacked(found.held.outcome, held.size)
    assert (outcome == members[~in_found]).all()
    assert sharpness(held, outcome).low > 0.8
    others = ~outcome
    alike = (young & urban)[~in_found]
    assert held[others & alike].min() > held[others & ~alike].max()
