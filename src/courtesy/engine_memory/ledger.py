"""The ledger in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import structs

from courtesy.base.ids import Partition, PersonId, Position
from courtesy.consent.tree import Frontier, Node, Run
from courtesy.engine.ledger import Chain, Entry, EntryKeys, Keyring, LedgerHead, LedgerWrite, PersonKey
from courtesy.identity.repair import Erasure


class Ledger:
    """Entries by index, and the keys that open them."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.keys: dict[PersonId, PersonKey] = {}
        self.entry_keys: dict[int, EntryKeys] = {}
        self.tree = Frontier()
        self.checkpoints: list[str] = []
        self._chains: dict[Partition, Chain] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def grow(self, known: Frontier, grown: Frontier, nodes: Sequence[Node]) -> bool:
        """Go on from what is known of the tree, if that is still all."""
        if known != self.tree:
            return False
        self.tree = grown
        self._nodes.update({(node.level, node.index): node.hash for node in nodes})
        return True

    def nodes(self, runs: Sequence[Run]) -> dict[Run, list[bytes]]:
        """The stored nodes of some runs."""
        return {run: [self._nodes[run.level, run.first + each] for each in range(run.count)] for run in runs}

    def head(self, partitions: Collection[Partition]) -> LedgerHead:
        """How far it is."""
        return LedgerHead(len(self.entries), {each: self._chains[each] for each in partitions if each in self._chains})

    def keys_of(self, people: Collection[PersonId]) -> dict[PersonId, PersonKey]:
        """The keys of those who have one."""
        return {person: self.keys[person] for person in people if person in self.keys}

    def put(self, written: LedgerWrite, first: Position) -> None:
        """Add what an append brings whose records begin at `first`."""
        self.keys.update({each.person: each for each in written.keys})
        self.entries += [each.stored(first) for each in written.entries]
        self._chains.update(written.chains)

    def of(self, people: Collection[PersonId], recorded_until_ms: int | None) -> tuple[list[Entry], Keyring]:
        """The entries of some people, and what opens them."""
        found = [
            each
            for each in self.entries
            if each.person in people and (recorded_until_ms is None or each.recorded_ms <= recorded_until_ms)
        ]
        return found, self.keyring(people)

    def keyring(self, people: Collection[PersonId]) -> Keyring:
        """What opens the entries of some people."""
        keys = {person: known.key for person, known in self.keys_of(people).items()}
        return Keyring(keys, {index: each for index, each in self.entry_keys.items() if self._is_of(index, people)})

    def _is_of(self, index: int, people: Collection[PersonId]) -> bool:
        return self.entries[index].person in people

    def forget(self, erasure: Erasure) -> None:
        """Destroy the keys of people; what is not about them stays readable by keys of its own."""
        people, others, kept = set(erasure.people), set(erasure.others), set(erasure.kept)
        self.entries = [
            structs.replace(each, person=None)
            if (each.position, each.person) in others or (each.person in people and each.position not in kept)
            else each
            for each in self.entries
        ]
        self.entry_keys = {index: EntryKeys(*keys) for index, keys in erasure.entry_keys.items()} | self.entry_keys
        for entry in self.entries:
            if entry.person is None:
                self.entry_keys.pop(entry.index, None)
        for person in {*people, *erasure.rekeyed}:
            self.keys.pop(person, None)
