"""Distinct id types, and how keys are derived from what came in."""

from __future__ import annotations

from hashlib import blake2b
from typing import NewType

PersonId = NewType("PersonId", int)
SourceId = NewType("SourceId", int)
Partition = NewType("Partition", int)
Position = NewType("Position", int)

PARTITION_COUNT = 16
"""Partitions of the log. Fixed when a store is made: it bounds how many fold workers can share the work."""

PARTITION_FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def partition_of(person: PersonId, count: int = PARTITION_COUNT) -> Partition:
    """The partition of a person: multiplicative hashing (Knuth, TAOCP 3, 6.4), so that neighbours spread."""
    return Partition(((person * PARTITION_FACTOR) & _MASK) * count >> 64)


def message_key(source: SourceId, message_id: str) -> bytes:
    """16 bytes that stand for one message of one source; what duplicates are recognised by."""
    return blake2b(f"{source}\0{message_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def effect_key(person_event: bytes, ordinal: str) -> bytes:
    """16 bytes that stand for one effect of one input on one person; the outbox holds each once."""
    return blake2b(person_event + ordinal.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def tie_break(key: bytes) -> int:
    """A signed 64-bit number from a message key: orders two facts of the same millisecond."""
    return int.from_bytes(key[:8], "big", signed=True)
