"""The bytes that an entry is committed to by."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.consent.leaf import CHAIN_START, HEAD, Leaf, chain, leaf_hash, read_leaf

LEAVES = st.builds(
    Leaf,
    index=st.integers(0, 2**64 - 1),
    partition=st.integers(0, 2**16 - 1),
    number=st.integers(0, 2**64 - 1),
    recorded_ms=st.integers(-(2**63), 2**63 - 1),
    subject=st.binary(min_size=16, max_size=16),
    previous=st.binary(min_size=32, max_size=32),
    sealed=st.binary(max_size=400),
)


def test_the_layout_is_the_documented_one() -> None:
    """Byte for byte, since every hash ever signed depends on it."""
    leaf = Leaf(1, 2, 3, 1_700_000_000_000, b"s" * 16, b"p" * 32, b"sealed")
    head = "01 0000000000000001 0002 0000000000000003 0000018bcfe56800"
    assert leaf.to_bytes() == bytes.fromhex(head) + b"s" * 16 + b"p" * 32 + b"sealed"


@given(LEAVES)
def test_a_leaf_is_read_as_it_was_written(leaf: Leaf) -> None:
    """So different leaves have different bytes."""
    assert read_leaf(leaf.to_bytes()) == leaf


@pytest.mark.parametrize("data", [b"", b"\x01" * (HEAD.size - 1), b"\x02" * 200])
def test_what_is_no_leaf_is_refused(data: bytes) -> None:
    """Too short, or of a layout that nobody has defined."""
    with pytest.raises(CourtesyError, match="expected a leaf of layout 1"):
        read_leaf(data)


def test_hashes_are_the_documented_ones() -> None:
    """The leaf hash is that of RFC 6962; the chain starts with zeros."""
    assert leaf_hash(b"x") == sha256(b"\x00x").digest()
    assert chain(CHAIN_START, leaf_hash(b"x")) == sha256(bytes(32) + leaf_hash(b"x")).digest()
