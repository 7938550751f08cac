"""A small consent ledger with its keys and its export: the world of the tests of tamper evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from courtesy.consent import export
from courtesy.consent.checkpoint import Checkpoint, KeyKind, Note, PublicKey, cosign, sign
from courtesy.consent.leaf import CHAIN_START, Leaf, chain, leaf_hash
from courtesy.consent.sealing import commitment_key, sealed
from courtesy.consent.tree import Frontier, Range, Run, range_root

LOG_NAME = "shop.example/ledger"
START_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Party:
    """Somebody who signs checkpoints."""

    private: Ed25519PrivateKey
    key: PublicKey


def party(name: str, seed: int, kind: KeyKind = KeyKind.TEXT) -> Party:
    """Always the same one for a name and a seed."""
    private = Ed25519PrivateKey.from_private_bytes(Random(f"{name} {seed}").randbytes(32))
    return Party(private, PublicKey(name, private.public_key().public_bytes_raw(), kind))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Ed25519 by a library that others trust."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


LOG = party(LOG_NAME, 1)
WITNESS = party("watch.example/w", 2, KeyKind.COSIGNATURE)


@dataclass
class Ledger:
    """Entries with all their leaves and nodes in memory, which also signs."""

    seed: int = 0
    leaves: list[bytes] = field(default_factory=list)
    opened: dict[int, export.Opened] = field(default_factory=dict)
    chains: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    frontier: Frontier = field(default_factory=Frontier)
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def append(self, content: str, partition: int = 0) -> None:
        """One entry, of a person of its own, sealed as a ledger seals."""
        index = len(self.leaves)
        chance = Random(f"{self.seed} {index}")
        person_key, salt, subject = chance.randbytes(32), chance.randbytes(16), chance.randbytes(16)
        number, previous = self.chains.get(partition, (0, CHAIN_START))
        hidden = sealed(person_key, salt, content.encode(), chance.randbytes(len(content.encode()) + 16))
        leaf = Leaf(index, partition, number, START_MS + index, subject, previous, hidden).to_bytes()
        self.leaves.append(leaf)
        self.opened[index] = export.Opened(commitment_key(person_key, salt), content.encode())
        self.chains[partition] = number + 1, chain(previous, leaf_hash(leaf))
        self.frontier, stored = self.frontier.append([leaf_hash(leaf)])
        self.nodes[0, index] = leaf_hash(leaf)
        self.nodes |= {(node.level, node.index): node.hash for node in stored}

    def read(self, run: Run) -> Sequence[bytes]:
        """Stored nodes."""
        return [self.nodes[run.level, run.first + offset] for offset in range(run.count)]

    def sign(self, *witnesses: Party, size: int | None = None) -> Note:
        """A checkpoint of all entries, or of the first so many, kept with those before."""
        size = len(self.leaves) if size is None else size
        root = range_root(Range(0, size), self) if size else Frontier().root()
        checkpoint = Checkpoint(LOG_NAME, size, root, START_MS + 1_000 * len(self.notes))
        by_witnesses = [cosign(checkpoint, witness.key, witness.private.sign, 1_790_000_000) for witness in witnesses]
        self.notes.append(Note(checkpoint, (sign(checkpoint, LOG.key, LOG.private.sign), *by_witnesses)))
        return self.notes[-1]

    def files(self, opened: Sequence[int] = ()) -> dict[str, bytes]:
        """The export, in which the entries with these numbers are opened."""
        return {
            export.ENTRIES: b"".join(map(export.framed, self.leaves)),
            export.CHECKPOINTS: export.checkpoints_file(self.notes),
            export.OPENED: b"".join(export.opened_line(index, self.opened[index]) for index in sorted(opened)),
            export.README: export.readme(LOG.key, self.notes[-1]),
        }


def history(count: int, seed: int = 0, partitions: int = 3, every: int = 4) -> Ledger:
    """A ledger of so many entries, signed before the first, every few of them and after the last, the last one
    witnessed."""
    ledger = Ledger(seed)
    chance = Random(f"partitions {seed}")
    ledger.sign()
    for index in range(count):
        ledger.append(f"entry {index} of {seed}: naïve yes", chance.randrange(partitions))
        if index % every == every - 1:
            ledger.sign()
    ledger.sign(WITNESS)
    return ledger


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Put the files of an export into a folder."""
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder
