"""How likely it is that something comes about by chance, and how sure a rate is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""95 % of a normal distribution lie within so many standard deviations."""


def wilson(positives: int, people: int) -> tuple[float, float]:
    """The 95 % interval of a rate: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    1927. From 0 to 1 for nobody."""
    if people == 0:
        return 0.0, 1.0
    rate, square = positives / people, Z_95**2 / people
    centre = (rate + square / 2) / (1 + square)
    half = Z_95 * math.sqrt(rate * (1 - rate) / people + square / (4 * people)) / (1 + square)
    # At the ends it is exact, which the roots are not quite.
    low = 0.0 if positives == 0 else max(0.0, centre - half)
    return low, 1.0 if positives == people else min(1.0, centre + half)


class Draws:
    """Exact probabilities of drawing some of up to `people_max` people by chance."""

    def __init__(self, people_max: int) -> None:
        self._log_factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, people_max + 1)))])

    def tail(self, people: int, positives: int, drawn: int, hits: int, *, more: bool) -> float:
        """How likely it is that of so many drawn from `people`, with `positives` among them, `hits` or more (or less)
        are positive: Fisher's exact test, one-sided. 1 when nobody is drawn."""
        least, most = max(0, drawn + positives - people), min(drawn, positives)
        there = np.arange(hits, most + 1) if more else np.arange(least, hits + 1)
        if there.size == 0 or drawn == 0:
            return 1.0
        logs = (
            self._choices(positives, there)
            + self._choices(people - positives, drawn - there)
            - self._choices(people, np.array([drawn]))
        )
        highest = float(logs.max())
        return min(1.0, math.exp(highest) * float(np.exp(logs - highest).sum()))

    def _choices(self, of: int, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        logs = self._log_factorials
        found: NDArray[np.float64] = logs[of] - logs[chosen] - logs[of - chosen]
        return found


def adjusted(probabilities: list[float]) -> list[float]:
    """For each of several tests at which false discovery rate it still holds: Benjamini and Hochberg, "Controlling the
    False Discovery Rate", 1995."""
    values = np.asarray(probabilities, np.float64)
    order = np.argsort(values, kind="stable")
    ranked = values[order] * len(values) / np.arange(1, len(values) + 1)
    held = np.minimum(1.0, np.minimum.accumulate(ranked[::-1])[::-1])
    found = np.empty_like(held)
    found[order] = held
    return [float(each) for each in found]
