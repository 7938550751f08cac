"""What was seen to happen in one run: sent, acknowledged, filed, committed, delivered. The checkers judge by it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import Partition, PersonId, Position, SourceId, message_key
from courtesy.engine.contract import FoldCommit, Lease, Quarantined
from courtesy.engine.imported import FileKey, TakeBack
from courtesy.engine.outbox import EffectState, Settlement
from courtesy.engine.permit import NewPermit, Permit
from courtesy.event.cause import Cause, Fate
from courtesy.identity.repair import Erasure, Repair
from courtesy.identity.resolve import Changes, Owner
from courtesy.identity.rules import IdentityRules, normalise
from courtesy.person.record import FACTS, Record, RecordKind
from courtesy.runtime.ingest import ItemResult
from tests.sim.files import Files
from tests.sim.leaving import Issued, Leaving

COPY_OF = {RecordKind.FORWARDED_EVENT: RecordKind.EVENT, RecordKind.FORWARDED_GROUP: RecordKind.GROUP}
"""What a forwarded record is a copy of."""


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
    `rotten`: not as it was meant; so is the copy of one that is not."""

    record: Record
    forwarded: bool
    rotten: bool


@dataclass(slots=True)
class Standing:
    """What was seen of one effect, beside what its state in the outbox says."""

    created_s: float
    settled: list[tuple[float, Settlement]] = field(default_factory=list)
    """Final settlements that the store took, with the virtual time of each."""


class Remembered(NamedTuple):
    """What was read of a person: by which identifier, when by the server's clock, and up to which position.

    `carried`: whether any of the person's events carried the identifier.
    """

    kind: str
    value: str
    at_ms: int
    seen: Position
    view: dict[str, Any]
    carried: bool


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
        self.repairs: list[Repair] = []
        self.erasures: list[Erasure] = []
        self.suppressed: set[str] = set()
        self.erased_held: Counter[SourceId] = Counter()
        self._gone: dict[Position, Position] = {}
        self._taken: dict[Position, Position] = {}
        self._taken_from: list[tuple[Position, set[PersonId]]] = []
        self.files = Files(self.fail)
        self.remembered: list[Remembered] = []
        self.leaving = Leaving()
        self._became: dict[PersonId, list[tuple[Position, PersonId | None]]] = defaultdict(list)
        self._moved: dict[Position, list[tuple[Position, PersonId]]] = defaultdict(list)
        self._together: dict[PersonId, PersonId] = {}
        self._cut_s: dict[PersonId, float] = {}
        self._new: dict[str, tuple[Position, int]] = {}
        self.set_apart: set[str] = set()
        """Identifiers that turned out to be shared, and are nobody's any more."""
        self._learnt: list[tuple[Position, int, set[PersonId] | None]] = []
        self._carried: dict[Position, tuple[str, ...]] = {}
        self._groups: dict[Position, tuple[str, ...]] = {}
        self.by_hand: list[tuple[str, ...]] = []
        self._rotten: dict[tuple[RecordKind, bytes, bytes], Filed] = {}
        self._forwarding: set[tuple[PersonId, RecordKind, bytes]] = set()
        self._folded: dict[Partition, Position] = {}
        self._epochs: dict[Partition, int] = {}

    def fail(self, checker: str, message: str) -> None:
        """Note that something is not as it must be."""
        self.violations.append(Violation(checker, f"{message:.3500}"))

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
        if cause is Cause.FORGOTTEN and self.suppressed:
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
            self._join(record.person, PersonId(msgspec.msgpack.decode(meant)), record.position)
        elif record.kind in FACTS:
            event = msgspec.json.decode(meant)
            self._carried[record.position] = (*event["ids"], *event.get("previous", ()))
            group = normalise(IdentityRules(), "group", event.get("group"))
            self._groups[record.position] = () if group is None else (group,)
            if not self.suppressed.isdisjoint(self._carried[record.position]):
                self.fail("forgotten", f"{event['id']} carries what must not be stored again")
        # Only events are forwarded; the hand-overs of merges by hand have all one key.
        key = b"%d" % record.position if record.kind is RecordKind.HAND_OVER else record.key
        what = COPY_OF.get(record.kind, record.kind), key, record.payload
        rotten = rotten or (forwarded and what in self._rotten)
        self.filed.append(Filed(record, forwarded, rotten))
        if rotten:
            self._rotten[what] = self.filed[-1]
        self._by_person[record.person].append(self.filed[-1])
        if not forwarded:
            self.files.check_place(record)
        self.trace.note("filed", record.position, record.person, record.kind, record.key.hex(), "rot" * rotten)

    def rotten(self) -> list[Filed]:
        """Every corrupted record once, where it came to lie: what decodes may be forwarded, and shows what it is only
        to whom it was forwarded at last. Without what was erased."""
        return [each for each in self._rotten.values() if not self.is_gone(each)]

    @property
    def head(self) -> Position:
        """The position of the last record."""
        return Position(len(self.filed))

    def carried_by(self, record: Record) -> tuple[str, ...]:
        """The identifiers with which an event was written, most telling first."""
        return self._carried[record.position]

    def told_by(self, record: Record) -> tuple[str, ...]:
        """The identifiers of which an event tells: those with which it was written, and its group."""
        return (*self._carried[record.position], *self.groups_of(record))

    def groups_of(self, record: Record) -> tuple[str, ...]:
        """The group that an event was about, if any."""
        return self._groups.get(record.position, ())

    # -- who is who

    def _join(self, person: PersonId, survivor: PersonId | None, at: Position) -> None:
        self._became[person].append((at, survivor))
        if survivor is not None:
            self._together[self.ever_with(person)] = self.ever_with(survivor)

    def ever_with(self, person: PersonId) -> PersonId:
        """Somebody who stands for all who were ever one person with this one, or with any of those."""
        while (other := self._together.get(person, person)) != person:
            person = other
        return person

    def change(self, changes: Changes, repair: Repair | None, now_ms: int) -> None:
        """What is known of people changes, just before the records that tell of it are filed."""
        at = Position(self.head + 1)
        people = {person for merge in changes.merges for person in merge[:2]}
        people |= {owner.person for owner, _ in changes.owners.values()}
        if repair is not None:
            people |= {repair.note.person, *repair.owners.values(), *repair.roots}
            now_ms = repair.note.at_ms
        shared = {key for key, (owner, _) in changes.owners.items() if owner.shared}
        self.set_apart |= shared
        if shared:
            # What is set apart may have been anybody's.
            self._learnt.append((at, now_ms, None))
        elif people:
            self._learnt.append((at, now_ms, people))
        for key in changes.owners:
            self._new.setdefault(key, (at, now_ms))
        if repair is None:
            return
        self.repairs.append(repair)
        self.by_hand += [(merge.a, merge.b) for merge in changes.merges]
        for person, root in repair.roots.items():
            self._join(person, root, at)
        for merge in repair.rejoined:
            self._join(merge.loser, merge.survivor, at)
        people = {*repair.owners.values(), *repair.roots, *(move.person for move in repair.moves)}
        for person in people:
            self._together[self.ever_with(person)] = self.ever_with(repair.note.person)
        for move in repair.moves:
            self._moved[move.position].append((at, move.person))
        if repair.cut:
            self._cut_s[repair.note.person] = self._loop.time()
        self.trace.note(repair.note.kind, repair.note.person, len(repair.moves), len(repair.undone), len(repair.cut))

    def erase(self, erasure: Erasure, held: Collection[Quarantined]) -> None:
        """People are forgotten, just before the records that tell of it are filed."""
        at = Position(self.head + 1)
        people, others = set(erasure.people), {position for position, _ in erasure.others}
        for each in self.filed:
            position, person = each.record.position, each.record.person
            if position in others or (person in people and position not in erasure.kept):
                self._gone.setdefault(position, at)
            elif each.record.kind in FACTS and self.owner_of(each, at) in people and not self.is_gone(each):
                self.fail("forgotten", f"{each.record.key.hex()} was not erased with {erasure.note.person}")
        for (position, _), payload in erasure.emptied.items():
            before = self.filed[position - 1]
            self.filed[position - 1] = before._replace(record=before.record._replace(payload=payload))
        self.erasures.append(erasure)
        for key in erasure.identifiers:
            self._new.pop(key, None)
        for person in people:
            self._join(person, None, at)
        for row in held:
            if row.file is None:
                self.erased_held[row.source] += 1
            else:
                self.files.seen[FileKey(row.file, row.source)].erased_held_count += 1
        if erasure.suppress:
            self.suppressed.update(erasure.identifiers)
        self.trace.note("erase", erasure.note.person, len(people), len(others), len(held), erasure.suppress)

    def take_back(self, gone: TakeBack) -> None:
        """Something of a file is taken back, just before the records that tell of it are filed."""
        at, people, keys = Position(self.head + 1), set(gone.people), set(gone.keys)
        taken = [
            each.record
            for each in self.filed
            if each.record.person in people and not self.is_gone(each)
            if each.record.position in gone.positions or (each.record.kind in COPY_OF and each.record.key in keys)
        ]
        self._taken.update((record.position, at) for record in taken)
        self._taken_from.append((at, people))
        for key in gone.identifiers:
            self._new.pop(key, None)
        for person in people:
            self._cut_s[person] = self._loop.time()
        for record in taken:
            self.acknowledged.pop(record.key, None)
        facts = [record.position for record in taken if record.kind in FACTS]
        left = {each.record.position for each in self.left() if each.record.kind in FACTS} if gone.finished else set()
        self.files.take(gone.finished, facts, left)
        self.trace.note("take back", sorted(people), len(taken), len(gone.identifiers), gone.finished is not None)

    def is_gone(self, filed: Filed, head: Position | None = None) -> bool:
        """Whether a record was erased or taken back, up to a position or at all."""
        place = filed.record.position
        at = min((found[place] for found in (self._gone, self._taken) if place in found), default=None)
        return at is not None and (head is None or at <= head)

    def is_erased(self, filed: Filed) -> bool:
        """Whether a record went because its person was erased."""
        return filed.record.position in self._gone

    def was_cut_by_hand(self, person: PersonId) -> bool:
        """Whether anybody who was ever one with this person was cut apart by hand."""
        return self.ever_with(person) in {self.ever_with(each.note.person) for each in self.repairs if each.cut}

    def was_taken_from(self, person: PersonId) -> bool:
        """Whether something was taken back of anybody who was ever one with this person."""
        ever = self.ever_with(person)
        return any(self.ever_with(each) == ever for _, people in self._taken_from for each in people)

    def is_taken_back(self, filed: Filed) -> bool:
        """Whether a record went because its file was taken back."""
        return filed.record.position in self._taken

    def left(self) -> list[Filed]:
        """Every record that was neither erased nor taken back."""
        return [each for each in self.filed if not self.is_gone(each)]

    def check_parted(self, repair: Repair, owners: Mapping[str, Owner]) -> None:
        """Each event of people who were cut apart is with whoever has the most telling of its identifiers."""
        head = Position(self.head + 1)
        people = {repair.note.person, *repair.owners.values(), *repair.roots, *(each.person for each in repair.moves)}
        roots = {self.root_of(person, head) for person in people}
        for each in self.filed:
            root = self.owner_of(each, head)
            if each.record.kind in FACTS and root in roots and not each.rotten and not self.is_gone(each):
                held = (owners.get(key) for key in self._carried[each.record.position])
                person = next((own.person for own in held if own and not own.shared and own.person in roots), root)
                if person != root:
                    self.fail("parted", f"{each.record.key.hex()} is with {root}, but its identifiers with {person}")

    def cut_s(self, person: PersonId) -> float | None:
        """When anybody who was ever one with this person was cut apart last, in virtual time; None for never."""
        ever = self.ever_with(person)
        return max((at_s for each, at_s in self._cut_s.items() if self.ever_with(each) == ever), default=None)

    def root_of(self, person: PersonId, head: Position | None = None) -> PersonId:
        """Whose part a person was at a position, or is in the end; of a circle, somebody."""
        for _ in range(len(self._became) + 1):
            became = [up for at, up in self._became.get(person, ()) if head is None or at <= head]
            if not became or became[-1] is None:
                break
            person = became[-1]
        return person

    def owner_of(self, filed: Filed, head: Position) -> PersonId:
        """Whose a record was at a position, wherever it lies."""
        moved = [person for at, person in self._moved.get(filed.record.position, ()) if at <= head]
        return self.root_of(moved[-1] if moved else filed.record.person, head)

    def facts(self, head: Position) -> dict[PersonId, list[Filed]]:
        """All events up to a position that can be folded, by whose they were then."""
        found: dict[PersonId, list[Filed]] = defaultdict(list)
        for each in self.filed[:head]:
            if each.record.kind in FACTS and not each.rotten and not self.is_gone(each, head):
                found[self.owner_of(each, head)].append(each)
        return found

    def people(self) -> dict[PersonId, list[PersonId]]:
        """Everybody with records, by whom they became part of."""
        groups: dict[PersonId, list[PersonId]] = defaultdict(list)
        for person in self._by_person:
            groups[self.root_of(person)].append(person)
        return groups

    def people_seen(self) -> list[PersonId]:
        """Everybody who has records, or had."""
        return list(self._by_person)

    def part_of(self, root: PersonId, head: Position) -> list[PersonId]:
        """Everybody who was part of a person at a position, they themself included."""
        return [person for person in self._by_person if self.root_of(person, head) == root]

    def is_clear(self, each: Remembered) -> bool:
        """Whether the system's own instants tell what was known of a person when they were read from what came later.

        Where a clock was set, something older may have a later instant than the reading, or something newer an earlier
        one: what is answered about then is neither what was known nor wrong. But only about whom that befell.
        """
        ever = self.ever_with(PersonId(int(each.view["person"])))
        if ever in (self.ever_with(person) for erasure in self.erasures for person in self._touched_by(erasure)):
            return False
        taken_from = [people for at, people in self._taken_from if each.seen < at]
        if ever in (self.ever_with(person) for people in taken_from for person in people):
            return False
        told = [
            (filed.record.position, filed.record.received)
            for filed in self.filed
            if filed.record.kind in FACTS and self.ever_with(filed.record.person) == ever
        ]
        told += [
            (at, now_ms) for at, now_ms, people in self._learnt if people is None or ever in map(self.ever_with, people)
        ]
        # One that was set apart was told when it was somebody else's.
        told += [self._new[key] for key in (f"{each.kind}:{each.value}",) if key in self._new]
        return all((at <= each.seen) == (at_ms <= each.at_ms) for at, at_ms in told)

    @staticmethod
    def _touched_by(erasure: Erasure) -> set[PersonId]:
        return {*erasure.people, *(person for _, person in erasure.others)}

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

    # -- permits

    def issue(self, asked: NewPermit, permit: Permit, owner: PersonId | None, now_ms: int) -> None:
        """The store issued a permit."""
        self.leaving.issued.append(Issued(asked, permit, self.head, now_ms, owner))
        self.trace.note("permit", permit.number, permit.person, permit.terms.message)

    # -- definitions

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
