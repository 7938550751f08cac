"""What a store keeps of the ledger: its entries as they were sealed, the keys that open them, and the tree over
them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from courtesy.base.ids import Partition, PersonId, Position


class PersonKey(NamedTuple):
    """The key that opens what is sealed about a person, and the random bytes that stand for them in leaves."""

    person: PersonId
    key: bytes
    subject: bytes


class EntryKeys(NamedTuple):
    """The keys that show and open a single entry, of somebody whose own key is gone."""

    commitment: bytes
    encryption: bytes


class Chain(NamedTuple):
    """How many entries a partition has, and the digest of their chain."""

    number: int
    digest: bytes


class LedgerHead(NamedTuple):
    """How many entries there are, and the chains of some partitions."""

    size: int
    chains: Mapping[Partition, Chain]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An entry: its leaf's fields; for whom it was appended, None once they are forgotten; and its place in the log."""

    index: int
    partition: Partition
    number: int
    recorded_ms: int
    subject: bytes
    previous: bytes
    sealed: bytes
    person: PersonId | None
    position: Position


class NewEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry to be appended. `place`: which of the batch's records it comes with."""

    index: int
    partition: Partition
    number: int
    recorded_ms: int
    subject: bytes
    previous: bytes
    sealed: bytes
    person: PersonId
    place: int

    def stored(self, first: Position) -> Entry:
        """The entry, of a batch whose records begin at that position."""
        return Entry(
            self.index,
            self.partition,
            self.number,
            self.recorded_ms,
            self.subject,
            self.previous,
            self.sealed,
            self.person,
            Position(first + self.place),
        )


@dataclass(frozen=True, slots=True)
class LedgerWrite:
    """What an append adds to the ledger: entries, keys of people who had none, and the chains as they are
    afterwards."""

    entries: Sequence[NewEntry] = ()
    keys: Sequence[PersonKey] = ()
    chains: Mapping[Partition, Chain] = field(default_factory=dict)


class Keyring(NamedTuple):
    """What opens entries: by person, and by index for those whose person's key is gone."""

    people: Mapping[PersonId, bytes]
    entries: Mapping[int, EntryKeys]
