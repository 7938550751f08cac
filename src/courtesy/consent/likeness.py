"""How much a message is like those in which people said that they want no more: by runs of letters, in any language.

A linear model over runs of 2 to 4 characters, words and pairs of words, each hashed to one of `BUCKETS` weights, which
ship with this package. It was learnt from labelled messages by `python -m bench.learn_words`, and knows nothing of what
it was not shown; so all that it may say is that somebody might want no more.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import sqrt
from zlib import crc32

BUCKETS = 1 << 16
RUNS = range(2, 5)
STEP = 1 / 1_024
"""What one step of a weight as it is kept is worth."""

FILE = "likeness.bin"
"""The weights in steps, each in two bytes, the lower first."""

_QUESTIONS = frozenset("?？؟՞;")
_QUESTION = "?"


def features(text: str, words: Sequence[str]) -> list[int]:
    """The buckets of a message and its words, folded; each once, in order."""
    told = f" {' '.join(words)} "
    found = {told[at : at + size] for size in RUNS for at in range(len(told) - size + 1)}
    found.update(f"w{word}" for word in words)
    found.update(f"b{first} {second}" for first, second in pairwise(words))
    if not _QUESTIONS.isdisjoint(text):
        found.add(_QUESTION)
    return sorted({crc32(each.encode("utf-8", "surrogatepass")) % BUCKETS for each in found})


def weighed(weights: Sequence[float], buckets: Sequence[int]) -> float:
    """What weights come to for a message: above 0 it is more like a refusal than not. What is like nothing has 0."""
    return sum(weights[each] for each in buckets) / sqrt(len(buckets) or 1)


def likeness(text: str, words: Sequence[str]) -> float:
    """How much a message is like a refusal, by the weights that ship: log odds, which are 0 when nobody can tell."""
    return STEP * weighed(_shipped(), features(text, words))


@cache
def _shipped() -> array[int]:
    """The weights, in steps."""
    weights = array("h")
    weights.frombytes((files("courtesy.consent") / "data" / FILE).read_bytes())
    if sys.byteorder == "big":
        weights.byteswap()
    return weights
