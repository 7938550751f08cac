"""The Merkle tree over the leaves of the ledger, as in RFC 6962 (section 2.1) and RFC 9162 (section 2.1).

Nobody ever holds the tree. What appends holds a `Frontier`, a few hashes. What proves reads a few hundred stored ones:

- *Leaf hashes*, level 0, can be had from the entries themselves.
- Of the inner nodes, those are stored that stand for a complete subtree of 16, 256, 4096, … leaves: levels 4, 8, 12, ….
  They never change. That is one node for 15 leaves. Levels in between are hashed from at most 8 nodes below.

A proof is made in three moves, so that reading may be asynchronous, and one query: `inclusion_ranges` or
`consistency_ranges` say of which leaves it takes the roots, `runs_of` what to read for them, and `proof` does the sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Protocol

import msgspec

from courtesy.base.errors import Code, CourtesyError

EMPTY_ROOT = sha256().digest()
"""The root of the tree without leaves."""

LEVEL_STEP = 4
"""Every so many levels the nodes are stored. 3 would store twice as much, 5 would read twice as much."""


class Range(NamedTuple):
    """The leaves from `start` to before `end`, the leaves of a subtree of some tree, so never empty."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring nodes of a stored level: `count` of them from `first` on; a node covers 2**level leaves."""

    level: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Node:
    """A node to be stored: the root of the leaves from index * 2**level to before (index + 1) * 2**level."""

    level: int
    index: int
    hash: bytes


class Nodes(Protocol):
    """What proofs are made from."""

    def read(self, run: Run) -> Sequence[bytes]:
        """The hashes of the run in order; at level 0, leaf hashes. `run` never leaves the tree of the proof's size."""
        ...


@dataclass(frozen=True, slots=True)
class ReadNodes:
    """Nodes that were read beforehand: all that `runs_of` asked for."""

    hashes: Mapping[Run, Sequence[bytes]]

    def read(self, run: Run) -> Sequence[bytes]:
        return self.hashes[run]


class Frontier(msgspec.Struct, frozen=True):
    """All that appending needs to know of the leaves so far. `subtrees`: the roots of the complete subtrees that they
    make up, largest first, one for each 1 in the binary form of `size`."""

    size: int = 0
    subtrees: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """The root of all leaves so far."""
        return _root(self.subtrees)

    def append(self, leaf_hashes: Iterable[bytes]) -> tuple[Frontier, list[Node]]:
        """The frontier after these leaves, and the nodes to be stored with them. As many hashes as leaves, about."""
        size, subtrees, stored = self.size, list(self.subtrees), []
        for node in leaf_hashes:
            level, index = 0, size
            while index & 1:
                node = node_hash(subtrees.pop(), node)
                level, index = level + 1, index >> 1
                if level % LEVEL_STEP == 0:
                    stored.append(Node(level, index, node))
            subtrees.append(node)
            size += 1
        return Frontier(size, tuple(subtrees)), stored


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def _root(subtrees: Sequence[bytes]) -> bytes:
    """The root of leaves that make up these complete subtrees, largest first."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for subtree in reversed(subtrees[:-1]):
        root = node_hash(subtree, root)
    return root


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """What a proof consists of that leaf `index` is in the tree of `size` leaves (RFC 9162, section 2.1.3.1).

    Raises CourtesyError (INVALID) when it is not.
    """
    if not 0 <= index < size:
        raise CourtesyError(Code.INVALID, f"expected an index below the {size} entries of the checkpoint, got {index}")
    start, end, found = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append(Range(middle, end))
            end = middle
        else:
            found.append(Range(start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(older: int, newer: int) -> list[Range]:
    """What a proof consists of that the tree of `newer` leaves begins with that of `older` (section 2.1.4.1).

    Nothing has to be proven, and the proof is empty, when `older` is 0 or both are equal.

    Raises CourtesyError (INVALID) when `older` is larger.
    """
    if not 0 <= older <= newer:
        raise CourtesyError(Code.INVALID, f"expected at most the {newer} entries of the newer checkpoint, got {older}")
    if older == 0:
        return []
    start, end, found = 0, newer, []
    while end != older:
        middle = start + _split(end - start)
        if older <= middle:
            found.append(Range(middle, end))
            end = middle
        else:
            found.append(Range(start, middle))
            start = middle
    # A complete subtree at the very left is the older tree itself, whose root the verifier has.
    return ([Range(start, end)] if start else []) + found[::-1]


def _split(count: int) -> int:
    """The largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def runs_of(ranges: Iterable[Range]) -> list[Run]:
    """All that must be read for the proof of these ranges: for 10 million leaves at most some 300 hashes."""
    return [run for found in ranges for run in _runs(found)]


def _runs(leaves: Range) -> Iterator[Run]:
    """The complete subtrees that the leaves make up, largest first, each as the stored nodes that it is hashed from."""
    start, end = leaves
    while start < end:
        level = (end - start).bit_length() - 1
        stored = level - level % LEVEL_STEP
        yield Run(stored, start >> stored, 1 << (level - stored))
        start += 1 << level


def proof(ranges: Iterable[Range], nodes: Nodes) -> list[bytes]:
    """The proof itself, its hashes in the order in which they are verified."""
    return [range_root(found, nodes) for found in ranges]


def range_root(leaves: Range, nodes: Nodes) -> bytes:
    """The root of a range; of Range(0, size), that of the whole tree."""
    return _root([_complete_root(nodes.read(run)) for run in _runs(leaves)])


def _complete_root(hashes: Sequence[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that the leaf is number `index` of the tree of this size and root (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    here, last, node = index, size - 1, leaf_hash
    for step in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            node = node_hash(step, node)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            node = node_hash(node, step)
        here, last = here >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(older: int, newer: int, older_root: bytes, newer_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the newer tree begins with all leaves of the older (section 2.1.4.2)."""
    if older == 0 or older == newer:
        return not proof and (older_root == newer_root if older == newer else older_root == EMPTY_ROOT)
    if not 0 < older < newer:
        return False
    path = [older_root, *proof] if older & (older - 1) == 0 else list(proof)
    if not path:
        return False
    here, last = older - 1, newer - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    was = now = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            was, now = node_hash(step, was), node_hash(step, now)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            now = node_hash(now, step)
        here, last = here >> 1, last >> 1
    return last == 0 and was == older_root and now == newer_root
