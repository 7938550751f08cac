"""What a store keeps of the ledger: its entries as they were sealed, the keys that open them, and the tree over
them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from courtesy.base.ids import Partition, PersonId, Position
from courtesy.consent.tree import Frontier, Node, Run


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


class LedgerAppending(Protocol):
    """The part of an append that is about the ledger."""

    async def ledger_head(self, partitions: Collection[Partition]) -> LedgerHead:
        """How many entries the ledger has, and the chains of those of the partitions that have any."""
        ...

    async def person_keys(self, people: Collection[PersonId]) -> dict[PersonId, PersonKey]:
        """The keys of those of the people who have one."""
        ...


class LedgerReading(Protocol):
    """The part of an engine that is about the ledger."""

    async def ledger_of(
        self, people: Collection[PersonId], recorded_until_ms: int | None = None
    ) -> tuple[list[Entry], Keyring]:
        """The entries that were appended for these people, up to an instant if given, by index; and what opens them."""
        ...

    async def ledger_keys(self, people: Collection[PersonId]) -> Keyring:
        """What opens the entries that were appended for these people."""
        ...

    async def ledger_from(self, index: int, limit: int) -> list[Entry]:
        """Entries from an index on, in order, at most `limit`."""
        ...

    async def tree(self) -> Frontier:
        """How far the Merkle tree over the ledger is."""
        ...

    async def grow_tree(self, known: Frontier, grown: Frontier, nodes: Sequence[Node]) -> bool:
        """Go on from what is known of the tree. False when somebody else has, and nothing was changed."""
        ...

    async def tree_nodes(self, runs: Sequence[Run]) -> dict[Run, list[bytes]]:
        """The stored nodes of runs above level 0."""
        ...

    async def add_checkpoint(self, latest: str | None, note: str) -> bool:
        """Keep a signed checkpoint after the latest that there is. False when there is a later one already."""
        ...

    async def checkpoints(self, *, latest_only: bool = False) -> list[str]:
        """All signed checkpoints in the order in which they were kept, or the last of them."""
        ...
