"""The leaf of the ledger's Merkle log: the bytes that an entry is committed to by, and the chain of its partition.

A leaf is, in this order, numbers big-endian:

| bytes | what |
|---|---|
| 1 | layout, always 1 |
| 8 | index: place in the whole ledger, dense from 0, unsigned |
| 2 | partition, unsigned |
| 8 | number: place in the partition, dense from 0, unsigned |
| 8 | recorded: when the ledger took the entry, ms since 1970 UTC, signed |
| 16 | subject: random bytes that stand for the person |
| 32 | previous: the digest of the partition's chain before this entry |
| rest | sealed: the content, which only the key of the person opens (see `sealing.py`) |

Two different entries never have the same bytes, since all before the last part has a fixed length. Nothing in a leaf
tells of a person whose key is gone, so the leaf outlives an erasure, and proofs with it.
"""

from __future__ import annotations

import struct
from hashlib import sha256

import msgspec

from courtesy.base.errors import Code, CourtesyError

CHAIN_START = bytes(32)
"""The digest of the chain of a partition that has no entry yet."""

SUBJECT_BYTES = 16
DIGEST_BYTES = 32
LAYOUT = 1
HEAD = struct.Struct(">BQHQq16s32s")


class Leaf(msgspec.Struct, frozen=True):
    """What an entry is committed to by. The lengths and ranges are those of the layout; `to_bytes` checks them."""

    index: int
    partition: int
    number: int
    recorded_ms: int
    subject: bytes
    previous: bytes
    sealed: bytes

    def to_bytes(self) -> bytes:
        """The canonical bytes. A field that the layout has no room for is a bug of the caller."""
        assert len(self.subject) == SUBJECT_BYTES, "a subject is 16 bytes"
        assert len(self.previous) == DIGEST_BYTES, "a digest is 32 bytes"
        head = HEAD.pack(LAYOUT, self.index, self.partition, self.number, self.recorded_ms, self.subject, self.previous)
        return head + self.sealed


def read_leaf(data: bytes) -> Leaf:
    """The leaf that has these bytes. Raises CourtesyError (UNREADABLE) when there is none."""
    if len(data) < HEAD.size or data[0] != LAYOUT:
        came = f"{len(data)} bytes of layout {data[0]}" if data else "nothing"
        raise CourtesyError(
            Code.UNREADABLE, f"expected a leaf of layout {LAYOUT} with at least {HEAD.size} bytes, got {came}"
        )
    _, index, partition, number, recorded_ms, subject, previous = HEAD.unpack_from(data)
    return Leaf(index, partition, number, recorded_ms, subject, previous, data[HEAD.size :])


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's bytes in the Merkle tree: SHA-256 of 0x00 and the bytes (RFC 6962, section 2.1)."""
    return sha256(b"\x00" + leaf).digest()


def chain(previous: bytes, leaf_hash: bytes) -> bytes:
    """The digest of a partition's chain after an entry: SHA-256 of the digest before it and its leaf hash."""
    return sha256(previous + leaf_hash).digest()
