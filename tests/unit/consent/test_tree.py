"""The Merkle tree against the definition, the known vectors, and histories of any size."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.consent.leaf import leaf_hash
from courtesy.consent.tree import (
    EMPTY_ROOT,
    LEVEL_STEP,
    Frontier,
    Range,
    ReadNodes,
    Run,
    consistency_ranges,
    inclusion_ranges,
    node_hash,
    proof,
    range_root,
    runs_of,
    verify_consistency,
    verify_inclusion,
)

# The inputs and results that the implementers of Certificate Transparency test with.
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CT_CONSISTENCY = {
    (1, 1): [],
    (1, 8): CT_INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
SIZES = range(71)


def _hashes_of(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


HASHES = _hashes_of(max(SIZES))


class Stored:
    """What a ledger stores: the leaves, and the nodes that the frontier gave, and no others."""

    def __init__(self, leaf_hashes: Sequence[bytes], batch: int = 7) -> None:
        self.frontier = Frontier()
        self.nodes = {(0, index): leaf for index, leaf in enumerate(leaf_hashes)}
        for start in range(0, len(leaf_hashes), batch):
            self.frontier, stored = self.frontier.append(leaf_hashes[start : start + batch])
            self.nodes |= {(node.level, node.index): node.hash for node in stored}

    def read(self, run: Run) -> list[bytes]:
        assert run.count <= 1 << (LEVEL_STEP - 1)
        return [self.nodes[run.level, run.first + offset] for offset in range(run.count)]


STORED = Stored(HASHES)


# The definitions of RFC 6962, sections 2.1 to 2.1.2, word for word.


def _split(count: int) -> int:
    return max(1 << power for power in range(count.bit_length()) if 1 << power < count)


def _root_of(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    k = _split(len(leaves))
    return node_hash(_root_of(leaves[:k]), _root_of(leaves[k:]))


def _path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if m < k:
        return [*_path(m, leaves[:k]), _root_of(leaves[k:])]
    return [*_path(m - k, leaves[k:]), _root_of(leaves[:k])]


def _subproof(m: int, leaves: Sequence[bytes], complete: bool = True) -> list[bytes]:
    if m == len(leaves):
        return [] if complete else [_root_of(leaves)]
    k = _split(len(leaves))
    if m <= k:
        return [*_subproof(m, leaves[:k], complete), _root_of(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], False), _root_of(leaves[:k])]


def test_roots_and_proofs_are_those_of_certificate_transparency() -> None:
    """Whoever has another implementation of RFC 6962 can check ours."""
    leaves = [leaf_hash(bytes.fromhex(text)) for text in CT_LEAVES]
    assert [Frontier().append(leaves[:size])[0].root().hex() for size in range(9)] == CT_ROOTS
    stored = Stored(leaves)
    for (index, size), steps in CT_INCLUSION.items():
        assert [step.hex() for step in proof(inclusion_ranges(index, size), stored)] == steps
    for (older, newer), steps in CT_CONSISTENCY.items():
        assert [step.hex() for step in proof(consistency_ranges(older, newer), stored)] == steps


@pytest.mark.parametrize("size", SIZES)
def test_roots_are_the_defined_ones(size: int) -> None:
    """By appending in one go or in batches, and by reading stored nodes."""
    root = _root_of(HASHES[:size])
    assert Frontier().append(HASHES[:size])[0].root() == Stored(HASHES[:size]).frontier.root() == root
    assert size == 0 or range_root(Range(0, size), STORED) == root


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_are_the_defined_ones_and_show_one_leaf_only(size: int) -> None:
    """Each leaf of each tree, and no other leaf in its place, nor it in another place."""
    root = _root_of(HASHES[:size])
    for index in range(size):
        found = proof(inclusion_ranges(index, size), STORED)
        assert found == _path(index, HASHES[:size])
        shown = [
            (place, leaf)
            for place in range(size)
            for leaf in {index, place}
            if verify_inclusion(HASHES[leaf], place, size, found, root)
        ]
        assert shown == [(index, index)]


@pytest.mark.parametrize("newer", SIZES)
def test_consistency_proofs_are_the_defined_ones_and_hold_for_these_trees_only(newer: int) -> None:
    """From each older tree; neither root can be exchanged."""
    now = _root_of(HASHES[:newer])
    for older in range(newer + 1):
        was = _root_of(HASHES[:older])
        found = proof(consistency_ranges(older, newer), STORED)
        assert found == (_subproof(older, HASHES[:newer]) if older else [])
        assert verify_consistency(older, newer, was, now, found)
        assert not verify_consistency(older, newer, bytes(32), now, found)
        assert older in (0, newer) or not verify_consistency(older, newer, was, bytes(32), found)
        assert not verify_consistency(older, newer, was, now, [*found, bytes(32)])
        assert not found or not verify_consistency(older, newer, was, now, found[:-1])
        assert older == newer or not verify_consistency(newer, older, now, was, found)


@given(size=st.integers(1, 5_000), batch=st.integers(1, 5_000), data=st.data())
def test_proofs_hold_in_trees_of_any_size(size: int, batch: int, data: st.DataObject) -> None:
    """Made from stored nodes only, all of which were announced."""
    stored = Stored(_hashes_of(size), batch)
    index, older = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    ranges = inclusion_ranges(index, size)
    read = ReadNodes({run: stored.read(run) for run in runs_of(ranges)})
    assert verify_inclusion(stored.read(Run(0, index, 1))[0], index, size, proof(ranges, read), stored.frontier.root())
    was = range_root(Range(0, older), stored)
    shown = proof(consistency_ranges(older, size), stored)
    assert verify_consistency(older, size, was, stored.frontier.root(), shown)


@given(size=st.integers(2, 300), data=st.data())
def test_a_proof_that_was_altered_shows_nothing(size: int, data: st.DataObject) -> None:
    """One bit of any hash, one hash dropped, one added, or two exchanged."""
    stored = Stored(_hashes_of(size))
    index = data.draw(st.integers(0, size - 1))
    good = proof(inclusion_ranges(index, size), stored)
    place, bit = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(good[place], "big") ^ 1 << bit).to_bytes(32, "big")
    bad = [
        [*good[:place], flipped, *good[place + 1 :]],
        good[:place] + good[place + 1 :],
        [*good[:place], good[place], *good[place:]],
        good[::-1] if len(good) > 1 else [],
    ]
    leaf, root = stored.nodes[0, index], stored.frontier.root()
    assert [verify_inclusion(leaf, index, size, steps, root) for steps in [good, *bad]] == [True, *[False] * 4]


def test_a_proof_in_a_billion_leaves_is_short_and_cheap() -> None:
    """At most 30 hashes of 32 bytes, and a few hundred to read."""
    size = 10**9 - 1
    for index in (0, 1, 12_345_678, size // 2, size - 1):
        ranges = inclusion_ranges(index, size)
        assert len(ranges) <= 30
        assert sum(run.count for run in runs_of(ranges)) < 400
    assert sum(run.count for run in runs_of(consistency_ranges(123_456_789, size))) < 400


def test_few_nodes_are_stored() -> None:
    """One for each 15 leaves, and none twice."""
    nodes = [key for key in Stored(_hashes_of(4_096)).nodes if key[0] > 0]
    assert len(nodes) == 256 + 16 + 1


def test_a_frontier_survives_being_stored() -> None:
    """Appending goes on from what was written down."""
    before = Stored(HASHES[:45]).frontier
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(before), type=Frontier)
    assert again == before
    assert again.append(HASHES[45:])[0].root() == _root_of(HASHES)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_what_is_not_in_the_tree_has_no_proof(index: int, size: int) -> None:
    """And none verifies."""
    with pytest.raises(CourtesyError, match=f"below the {size} entries"):
        inclusion_ranges(index, size)
    assert not verify_inclusion(HASHES[0], index, size, [], EMPTY_ROOT)


@pytest.mark.parametrize(("older", "newer"), [(6, 5), (-1, 5)])
def test_a_larger_tree_is_no_beginning_of_a_smaller(older: int, newer: int) -> None:
    """It is refused, and does not verify."""
    with pytest.raises(CourtesyError, match=f"at most the {newer} entries"):
        consistency_ranges(older, newer)
    assert not verify_consistency(older, newer, HASHES[0], HASHES[0], [])
