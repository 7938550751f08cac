"""How much a message is like those in which people said that they want no more, in any language.

A linear model over two kinds of features: what a message speaks of (`courtesy.consent.notions`), alone, in pairs, and
in pairs in their order, which holds in all languages; and how it is written, by runs of 2 to 5 characters, words and
pairs of words. Each is hashed to one of the weights, which ship with this package. They were learnt from labelled
messages by `python -m bench.learn_words`, and know nothing of what they were not shown; so all that this may say is
that somebody might want no more.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import combinations, pairwise
from math import sqrt
from typing import NamedTuple
from zlib import crc32

from courtesy.consent.folding import CLAUSE
from courtesy.consent.notions import notions

WRITTEN_BUCKETS, MEANT_BUCKETS = 1 << 17, 1 << 15
BUCKETS = WRITTEN_BUCKETS + MEANT_BUCKETS
RUNS = range(2, 6)
NEAR = 8
"""Within how many places two notions count as one after the other."""

WORDS_PER_LENGTH, LENGTH_MAX = 3, 6
"""How long a message is counts in steps of so many words, up to so many steps."""

STEP = 1 / 1_024
"""What one step of a weight as it is kept is worth."""

FILE = "likeness.bin"
"""The weights in steps, each in two bytes, the lower first."""

_QUESTIONS = frozenset("?？؟՞;")
_QUESTION = "?"


class Features(NamedTuple):
    """The buckets of how a message is written, and of what it speaks of; each once, in order."""

    written: Sequence[int]
    meant: Sequence[int]


class Likeness(NamedTuple):
    """How much a message is like a refusal: log odds, which are 0 when nobody can tell; and whether it speaks of
    anything that is known."""

    odds: float
    is_understood: bool


def features(text: str, told: str) -> Features:
    """The features of a message that is plain as `told`."""
    words = told.replace(CLAUSE, " ").split()
    return Features(
        _buckets(_as_written(words), 0, WRITTEN_BUCKETS),
        _buckets(_as_meant(text, told, len(words)), WRITTEN_BUCKETS, MEANT_BUCKETS),
    )


def _as_written(words: Sequence[str]) -> set[str]:
    told = f" {' '.join(words)} "
    found = {told[at : at + size] for size in RUNS for at in range(len(told) - size + 1)}
    found.update(f"w{word}" for word in words)
    found.update(f"b{first} {second}" for first, second in pairwise(words))
    return found


def _as_meant(text: str, told: str, word_count: int) -> set[str]:
    places = notions(f" {told} ")
    found = {name for place in places for name in place}
    found.update([f"{one}+{other}" for one, other in combinations(sorted(found), 2)])
    for at, place in enumerate(places):
        after = {name for each in places[at + 1 : at + NEAR] for name in each}
        found.update(f"{one}>{other}" for one in place for other in after)
    if not found:
        return found
    if not _QUESTIONS.isdisjoint(text):
        found.add(_QUESTION)
    found.add(str(min(LENGTH_MAX, word_count // WORDS_PER_LENGTH)))
    return found


def _buckets(names: Iterable[str], first: int, count: int) -> list[int]:
    return sorted({first + crc32(each.encode("utf-8", "surrogatepass")) % count for each in names})


def weighed(weights: Sequence[float], found: Features) -> float:
    """What weights come to for a message: above 0 it is more like a refusal than not. What is like nothing has 0."""
    return sum(sum(map(weights.__getitem__, buckets)) / sqrt(len(buckets)) for buckets in found if buckets)


def likeness(text: str, told: str) -> Likeness:
    """How much a message that is plain as `told` is like a refusal, by the weights that ship."""
    found = features(text, told)
    return Likeness(STEP * weighed(_shipped(), found), bool(found.meant))


@cache
def _shipped() -> array[int]:
    """The weights, in steps."""
    weights = array("h")
    weights.frombytes((files("courtesy.consent") / "data" / FILE).read_bytes())
    if sys.byteorder == "big":
        weights.byteswap()
    return weights
