"""What was seen to happen in one run: sent, acknowledged, filed, committed, delivered. The checkers judge by it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from courtesy.base.ids import Partition, PersonId, Position, SourceId, message_key
from courtesy.engine.contract import EffectState, FoldCommit, Lease, Settlement
from courtesy.event.cause import Cause, Fate
from courtesy.person.record import Record, RecordKind
from courtesy.runtime.ingest import ItemResult


class Violation(Exception):
    """Something that must always hold did not; `checker` names who noticed."""

    def __init__(self, checker: str, message: str) -> None:
        super().__init__(f"{checker}: {message}")
        self.checker = checker


class Message(NamedTuple):
    """One call of a client. `expected`: the cause of its refusal, None for one to be stored."""

    source: str
    message_id: str
    raw: bytes
    expected: Cause | None


class Filed(NamedTuple):
    """A record as it was added to the log. `forwarded`: a copy of an earlier one, for whom its person became part of.
    `rotten`: not as it was meant."""

    record: Record
    forwarded: bool
    rotten: bool


@dataclass(slots=True)
class Standing:
    """What was seen of one effect, beside what its state in the outbox says."""

    created_s: float
    settled: list[tuple[float, Settlement]] = field(default_factory=list)
    """Final settlements that the store took, with the virtual time of each."""


class Trace:
    """A running digest of all that happened; two runs with the same digest went the same way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, verbose: bool = False) -> None:
        self._loop = loop
        self._digest = blake2b(digest_size=16)
        self._verbose = verbose
        self.count = 0

    def note(self, *what: object) -> None:
        """Add one happening, made of plain values that do not depend on the process."""
        line = f"{self._loop.time():.6f} {' '.join(map(str, what))}\n"
        self._digest.update(line.encode())
        self.count += 1
        if self._verbose:
            print(line, end="")

    @property
    def hash(self) -> str:
        """The digest so far."""
        return self._digest.hexdigest()


class History:
    """The whole run. What is wrong on its face is noted as a violation at once; the rest is judged at the end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, trace: Trace) -> None:
        self.trace = trace
        self.violations: list[Violation] = []
        self.sources: dict[str, SourceId] = {}
        self.sent: dict[bytes, Message] = {}
        self.acknowledged: dict[bytes, Position] = {}
        self.answered_count: dict[SourceId, int] = defaultdict(int)
        self.unsure_count: dict[SourceId, int] = defaultdict(int)
        self.filed: list[Filed] = []
        self.effects: dict[bytes, Standing] = {}
        self.definitions: list[tuple[float, str, bool]] = []
        self.clock_was_set = False
        self._loop = loop
        self._by_person: dict[PersonId, list[Filed]] = defaultdict(list)
        self._became: dict[PersonId, tuple[PersonId, Position]] = {}
        self._forwarding: set[tuple[PersonId, RecordKind, bytes]] = set()
        self._folded: dict[Partition, Position] = {}
        self._epochs: dict[Partition, int] = {}

    def fail(self, checker: str, message: str) -> None:
        """Note that something is not as it must be."""
        self.violations.append(Violation(checker, f"{message:.500}"))

    # -- clients

    def key_of(self, message: Message) -> bytes:
        """The key under which the system knows a message."""
        return message_key(self.sources[message.source], message.message_id)

    def send(self, message: Message) -> None:
        """A client is about to send it for the first time."""
        self.sent[self.key_of(message)] = message

    def answer(self, message: Message, position: Position, result: ItemResult | None) -> None:
        """A client got an answer that speaks of the message."""
        cause = None if result is None or result.fate is Fate.DUPLICATE else result.cause
        if cause is Cause.UNSTORABLE and "RuntimeError: nobody foresaw" in str(result):
            return
        if cause is not message.expected:
            self.fail("answers", f"{message.message_id}: expected {message.expected}, got {result}")
        elif message.expected is None and result is None:
            self.acknowledged[self.key_of(message)] = position
        elif message.expected is None:
            self.acknowledged.setdefault(self.key_of(message), Position(0))

    # -- the log

    def forwarding(self, commit: FoldCommit) -> None:
        """A commit is under way that forwards records."""
        self._forwarding.update((each.person, each.kind, each.key) for each in commit.forwards)

    def file(self, record: Record, meant: bytes, *, rotten: bool) -> None:
        """A record is added to the log; `meant` is its payload before it rotted."""
        forwarded = (record.person, record.kind, record.key) in self._forwarding
        if record.position != len(self.filed) + 1:
            self.fail("log", f"expected position {len(self.filed) + 1}, got {record.position}")
        if record.kind is RecordKind.HAND_OVER:
            self._became[record.person] = (PersonId(msgspec.msgpack.decode(meant)), record.position)
        self.filed.append(Filed(record, forwarded, rotten))
        self._by_person[record.person].append(self.filed[-1])
        self.trace.note("filed", record.position, record.person, record.kind, record.key.hex(), "rot" * rotten)

    @property
    def head(self) -> Position:
        """The position of the last record."""
        return Position(len(self.filed))

    def root_of(self, person: PersonId, head: Position | None = None) -> PersonId:
        """Whom a person became part of in the end, by all merges up to a position; of a circle, somebody."""
        for _ in self._became:
            if person not in self._became or (head is not None and self._became[person][1] > head):
                break
            person = self._became[person][0]
        return person

    def people(self) -> dict[PersonId, list[PersonId]]:
        """Everybody with records, by whom they became part of."""
        groups: dict[PersonId, list[PersonId]] = defaultdict(list)
        for person in self._by_person:
            groups[self.root_of(person)].append(person)
        return groups

    def filed_of(self, people: Collection[PersonId], head: Position) -> list[Filed]:
        """Everything filed for some people up to a position."""
        return [each for person in people for each in self._by_person.get(person, ()) if each.record.position <= head]

    def part_of(self, root: PersonId, head: Position) -> list[PersonId]:
        """Everybody who was part of a person at a position, they themself included."""
        return [person for person in self._by_person if self.root_of(person, head) == root]

    # -- folding

    def lease(self, leases: Collection[Lease]) -> None:
        """The store gave or renewed leases."""
        for lease in leases:
            self._epochs[lease.partition] = max(self._epochs.get(lease.partition, 0), lease.epoch)

    def fold(self, commit: FoldCommit) -> None:
        """The store took a commit. Only the latest owner may commit, and only what follows on what is folded."""
        for lease in commit.leases:
            partition, after = lease.partition, commit.folded[lease.partition]
            before, epoch = self._folded.get(partition, Position(0)), self._epochs.get(partition, 0)
            if lease.epoch != epoch:
                self.fail("one_owner", f"{partition}: a commit under epoch {lease.epoch}, but {epoch} was given out")
            if lease.folded != before or after < before:
                self.fail(
                    "one_owner", f"{partition}: a commit from {lease.folded} to {after}, but it stood at {before}"
                )
            self._folded[partition] = after
        for effect in commit.effects:
            self.effects.setdefault(effect.key, Standing(self._loop.time()))
        self.trace.note("fold", sorted(commit.folded.items()), len(commit.states), len(commit.effects))

    # -- effects

    def settle(self, settlement: Settlement) -> None:
        """The store took a settlement."""
        if settlement.state in (EffectState.DELIVERED, EffectState.FAILED):
            self.effects[settlement.key].settled.append((self._loop.time(), settlement))
        self.trace.note("settle", settlement.key.hex(), settlement.attempt, settlement.state, settlement.cause)

    def define(self, name: str, *, present: bool) -> None:
        """A subscription was defined or removed."""
        self.definitions.append((self._loop.time(), name, present))
        self.trace.note("define", name, present)

    def was_defined(self, name: str, from_s: float, to_s: float) -> bool:
        """True when a subscription was there all the time between two instants."""
        present = False
        for at_s, each, now_present in self.definitions:
            if each != name or at_s > to_s:
                continue
            if at_s > from_s and not now_present:
                return False
            present = now_present if at_s <= from_s else present
        return present
