"""Who is most like the members of a group, by conditions that tell these from everybody else.

As in RuleFit (Friedman and Popescu, "Predictive Learning via Rule Ensembles", 2008), each condition or conjunction that
was found is a feature that holds or not, and a regression says how much each counts. It is logistic with a quadratic
penalty, found by Newton's method (iteratively reweighted least squares), so it comes out the same each time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from courtesy.segment.discovery.chance import Z_95
from courtesy.segment.discovery.people import Numbers, Part, Truths, Words
from courtesy.segment.discovery.search import Rule

PENALTY = 1.0
"""On the square of each weight but the first: as if of each feature one more had been seen that tells nothing."""

STEPS_MAX = 50
CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Model:
    """How much each rule counts for being a member. `weights`: of everybody, then of each rule in order."""

    rules: tuple[Rule, ...]
    weights: Numbers

    def scores(self, part: Part, people: int) -> Numbers:
        """How likely each of the people of a part is a member, from 0 to 1, in their order. `people`: how many."""
        return _likely(_features(part, self.rules, people) @ self.weights)


@dataclass(frozen=True, slots=True)
class Sharpness:
    """How likely a member scores higher than somebody who is none (half for a tie), with its 95 % interval; 0.5 is
    chance."""

    share: float
    low: float
    high: float


def unpacked(members: Words, people: int) -> Truths:
    """Who of so many people is in a set."""
    return np.unpackbits(members.view(np.uint8), count=people).astype(np.bool_)


def fit(part: Part, rules: Sequence[Rule], people: int) -> Model:
    """The model of a part: weights at which it was most likely, under the penalty."""
    features = _features(part, rules, people)
    outcome = unpacked(part.outcome, people).astype(np.float64)
    penalty = np.full(features.shape[1], PENALTY)
    penalty[0] = 0.0
    weights = np.zeros(features.shape[1])
    share = min(max(float(outcome.mean()), 1e-9), 1 - 1e-9) if people else 0.5
    weights[0] = math.log(share / (1 - share))
    for _ in range(STEPS_MAX):
        step = _step(features, outcome, weights, penalty)
        weights += step
        if float(np.abs(step).max()) < CLOSE:
            break
    return Model(tuple(rules), weights)


def _step(features: Numbers, outcome: Numbers, weights: Numbers, penalty: Numbers) -> Numbers:
    """Newton's step, halved until it makes things better: a full one may overshoot where groups are nearly pure."""
    likely = _likely(features @ weights)
    gradient = features.T @ (outcome - likely) - penalty * weights
    curvature = (features * (likely * (1 - likely))[:, None]).T @ features + np.diag(penalty + CLOSE)
    step = np.asarray(np.linalg.solve(curvature, gradient), np.float64)
    before = _gain(features, outcome, weights, penalty)
    while float(np.abs(step).max()) >= CLOSE and _gain(features, outcome, weights + step, penalty) < before:
        step = step / 2
    return step


def _gain(features: Numbers, outcome: Numbers, weights: Numbers, penalty: Numbers) -> float:
    """The logarithm of how likely the outcome is, less the penalty."""
    line = features @ weights
    return float(outcome @ line - np.logaddexp(0, line).sum() - (penalty * weights**2).sum() / 2)


def _features(part: Part, rules: Sequence[Rule], people: int) -> Numbers:
    columns = [np.ones(people), *(unpacked(part.of(each.conditions), people).astype(np.float64) for each in rules)]
    return np.column_stack(columns)


def _likely(line: Numbers) -> Numbers:
    likely: Numbers = 1 / (1 + np.exp(-np.clip(line, -500, 500)))
    return likely


def sharpness(scores: Numbers, members: Truths) -> Sharpness:
    """How well scores tell members: the area under the curve, with the interval of Hanley and McNeil, "The Meaning and
    Use of the Area under a ROC Curve", 1982. From 0 to 1 when there are none on one side."""
    inside, outside = int(members.sum()), int((~members).sum())
    if inside == 0 or outside == 0:
        return Sharpness(0.5, 0.0, 1.0)
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    area = float((ranks[members].sum() - inside * (inside + 1) / 2) / (inside * outside))
    both_inside, both_outside = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (inside - 1) * (both_inside - area**2) + (outside - 1) * (both_outside - area**2)
    half = Z_95 * math.sqrt(max(variance, 0.0) / (inside * outside))
    return Sharpness(area, max(0.0, area - half), min(1.0, area + half))
