"""Sets of people as bits: who of a part of them is in which condition, and who had the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Truths = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Words = NDArray[np.uint64]

WORD_BITS = 64
FOUND_SHARE = 0.6
"""Of the people among whom is searched. The others say whether what was found is so."""

_CHUNK_ROWS = 256
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(people: NDArray[np.int64], seed: int) -> Words:
    """A number for each person that looks like chance and is the same for the same seed: splitmix64 (Steele, Lea and
    Flood, "Fast Splittable Pseudorandom Number Generators", 2014)."""
    with np.errstate(over="ignore"):
        z = people.astype(np.uint64) + _GOLDEN * np.uint64((2 * seed + 1) % (1 << 64))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def is_found(people: NDArray[np.int64], seed: int) -> Truths:
    """Who is among those in whom is searched, by a hash of the person's number and the seed."""
    return mixed(people, seed) < np.uint64(int(FOUND_SHARE * (1 << 64)))


def packed(inside: Truths) -> Words:
    """Truths as bits, along the last axis, filled up with zeros to whole words."""
    count = -(-inside.shape[-1] // WORD_BITS) * 8
    octets = np.packbits(inside, axis=-1)
    padding = [(0, 0)] * (octets.ndim - 1) + [(0, count - octets.shape[-1])]
    return np.ascontiguousarray(np.pad(octets, padding)).view(np.uint64)


class Counts(NamedTuple):
    """How many people, and how many of them had the outcome."""

    people: int
    positives: int

    @property
    def rate(self) -> float:
        """The share that had the outcome; 0 of nobody."""
        return self.positives / self.people if self.people else 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the people. `inside`: n_conditions × n_words; `outcome` and `everybody`: n_words."""

    inside: Words
    outcome: Words
    everybody: Words

    def of(self, conditions: Sequence[int]) -> Words:
        """Who is in each of some conditions; everybody if there is none."""
        if not conditions:
            return self.everybody
        members: Words = np.bitwise_and.reduce(self.inside[list(conditions)], axis=0)
        return members

    def counts(self, members: Words) -> Counts:
        """How many people a set has, and how many of them had the outcome."""
        return Counts(size(members), size(members & self.outcome))

    def with_each(self, members: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each condition: how many of a set are in it, and how many of these had the outcome."""
        people = np.empty(len(self.inside), np.int64)
        positives = np.empty(len(self.inside), np.int64)
        # In chunks, so that what is made in between stays small.
        for start in range(0, len(self.inside), _CHUNK_ROWS):
            both = self.inside[start : start + _CHUNK_ROWS] & members
            people[start : start + _CHUNK_ROWS] = np.bitwise_count(both).sum(axis=1)
            positives[start : start + _CHUNK_ROWS] = np.bitwise_count(both & self.outcome).sum(axis=1)
        return people, positives


def size(members: Words) -> int:
    """How many people a set has."""
    return int(np.bitwise_count(members).sum())


def likeness(members: Words, others: Words) -> float:
    """What two sets share, of what is in either (Jaccard); 1 for two that are empty."""
    either = size(members | others)
    return size(members & others) / either if either else 1.0
