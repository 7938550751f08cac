"""What outlives an engine: everything committed, shared by all engines that were opened over it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

from courtesy.base.ids import PARTITION_COUNT, Partition, PersonId, Position, SourceId
from courtesy.engine.contract import PartitionStatus, PersonReading
from courtesy.engine.imported import TakeBack
from courtesy.engine.permit import NewPermit, Permit
from courtesy.engine.quality import QualityRow
from courtesy.engine_memory.catalogues import CatalogueShelf
from courtesy.engine_memory.chapters import Chapters
from courtesy.engine_memory.codes import Codes
from courtesy.engine_memory.content import Shelf
from courtesy.engine_memory.definitions import Definitions
from courtesy.engine_memory.delivery import Delivery
from courtesy.engine_memory.folding import Folding
from courtesy.engine_memory.identity import IdentityGraph
from courtesy.engine_memory.imports import Imports
from courtesy.engine_memory.intake import Intake
from courtesy.engine_memory.ledger import Ledger
from courtesy.engine_memory.log import Log
from courtesy.engine_memory.offers import Offers
from courtesy.engine_memory.outbox import Outbox
from courtesy.engine_memory.permits import Permits
from courtesy.engine_memory.propagation import Propagation
from courtesy.engine_memory.requests import Requests
from courtesy.engine_memory.segments import Segments
from courtesy.identity.repair import Erasure, PendingErasure
from courtesy.person.chapter import Chapter
from courtesy.person.record import DERIVED, FACTS, Record, RecordKind

COPIED = (*FACTS, RecordKind.FORWARDED_EVENT, RecordKind.FORWARDED_GROUP)
"""The kinds in which an event may lie in the log."""


def suppression_hash(identifier: str) -> bytes:
    """What is kept of an identifier whose person is forgotten."""
    return sha256(b"courtesy" + identifier.encode("utf-8", "surrogatepass")).digest()


class Listener:
    """An engine's ear: set when something came that it may want to look at."""

    def __init__(self) -> None:
        self.records = asyncio.Event()
        self.effects = asyncio.Event()
        self.inbox = asyncio.Event()


class Disk:
    """The committed content of a store.

    Any number of MemoryEngines may be open over one disk, as processes share a database; all on one event loop. A
    crash is an engine closed in the middle of things: what it had not committed never was.
    """

    def __init__(self, partition_count: int = PARTITION_COUNT) -> None:
        self.partition_count = partition_count
        self.log = Log(partition_count)
        self.chapters = Chapters()
        self.identity = IdentityGraph()
        self.intake = Intake()
        self.folding = Folding(partition_count)
        self.outbox = Outbox()
        self.ledger = Ledger()
        self.permits = Permits()
        self.codes = Codes()
        self.offers = Offers(self.identity)
        self.propagation = Propagation()
        self.requests = Requests()
        self.segments = Segments(partition_count)
        self.delivery = Delivery()
        self.definitions = Definitions()
        self.content = Shelf()
        self.content_lock = asyncio.Lock()
        self.catalogues = CatalogueShelf(self.log)
        self.catalogue_lock = asyncio.Lock()
        self.imports = Imports()
        self.suppressed: set[bytes] = set()
        self.pending_erasures: list[PendingErasure] = []
        self.erasure_marks: set[bytes] = set()
        self._erasure_count = 0
        self.shown: dict[bytes, bytes] = {}
        self.answers: Counter[tuple[str, str]] = Counter()
        self.quality: dict[tuple[int, SourceId], QualityRow] = {}
        self.lake_position: Position | None = None
        self._append_lock = asyncio.Lock()
        self._appender: Listener | None = None
        self._next_person = 1
        self._listeners: list[Listener] = []

    def connect(self) -> Listener:
        """Hear of what is committed from now on. Who comes first after everybody left may come on another loop."""
        if not self._listeners:
            self._append_lock = asyncio.Lock()
            self.content_lock = asyncio.Lock()
            self.catalogue_lock = asyncio.Lock()
        listener = Listener()
        self._listeners.append(listener)
        return listener

    def disconnect(self, listener: Listener) -> None:
        """Hear no more. Whoever waits is woken; a turn to append is over, though its task may not know it yet."""
        self._listeners.remove(listener)
        self._end_turn(listener)
        listener.records.set()
        listener.effects.set()

    @asynccontextmanager
    async def turn_to_append(self, listener: Listener) -> AsyncIterator[None]:
        """Inside, nobody else appends."""
        await self._append_lock.acquire()
        self._appender = listener
        try:
            yield
        finally:
            self._end_turn(listener)

    def _end_turn(self, listener: Listener) -> None:
        if self._appender is listener:
            self._appender = None
            self._append_lock.release()

    def add_records(self, records: Sequence[Record]) -> None:
        """Add to the log what it placed, and say so."""
        self.log.add(records)
        if records:
            for listener in self._listeners:
                listener.records.set()

    def tell_of_effects(self) -> None:
        """Say that effects came."""
        for listener in self._listeners:
            listener.effects.set()

    def tell_of_inbox(self) -> None:
        """Say that something waits to be shown."""
        for listener in self._listeners:
            listener.inbox.set()

    def reserve_people(self, count: int) -> range:
        """Person ids that were never given before."""
        first = self._next_person
        self._next_person += count
        return range(first, self._next_person)

    def read_person(self, identifier: str) -> PersonReading | None:
        """All that is known of a person and of those who became part of them."""
        person = self.identity.person_named(identifier)
        if person is None:
            return None
        merged = self.identity.merged_into(person)
        people = [person, *merged]
        identifiers = self.identity.held_by(person)
        states = [self.folding.states[each] for each in people if each in self.folding.states]
        tail = sorted(record for each in people for record in self._tail_of(each))
        if not (identifiers or states or tail):
            return None
        return PersonReading(person, self.log.head, identifiers, merged, states, tail)

    def _tail_of(self, person: PersonId) -> list[Record]:
        return self.log.of_person_after(person, self.folding.folded(self.log.partition_of(person)))

    def issue_permits(self, asked: Sequence[NewPermit], now_ms: int) -> list[Permit | None]:
        """Issue those that still hold."""
        return [self.permits.issue(each, self.log.head) if self.holds(each, now_ms) else None for each in asked]

    def holds(self, asked: NewPermit, now_ms: int) -> bool:
        """Whether nothing has come since a permit was decided."""
        known, people = self.identity, {asked.person, *asked.others}
        return (
            now_ms < asked.terms.expires_ms
            and known.person_named(asked.identifier) == asked.person
            and bool(known.held([asked.person])[asked.person])
            and tuple(known.merged_into(asked.person)) == asked.others
            and not any(self.log.of_person_after(person, asked.read) for person in people)
            and not any(entry.person in people and entry.position > asked.read for entry in self.ledger.entries)
        )

    def unfolded_kinds(self, people: Collection[PersonId]) -> set[RecordKind]:
        """Of which kinds these people have records that are not folded."""
        return {record.kind for person in people for record in self._tail_of(person)}

    def erase(self, erasure: Erasure) -> None:
        """Forget people, and keep what keeps them forgotten."""
        people, kept = set(erasure.people), set(erasure.kept)
        others = {position for position, _ in erasure.others}
        self.log.forget(
            lambda record: record.position in others or (record.person in people and record.position not in kept)
        )
        self.log.replace({position: bytes(payload) for (position, _), payload in erasure.emptied.items()})
        self.chapters.forget(people, kept)
        self.chapters.tear_at(erasure.others)
        self.ledger.forget(erasure)
        self.identity.forget(people, set(erasure.identifiers), erasure.note)
        self.folding.forget(people, others)
        self.outbox.hand_over(erasure.kept_effects)
        self.outbox.forget(people, set(erasure.effects))
        self.intake.release(erasure.quarantined)
        self.permits.forget(people, erasure.choices)
        self.codes.forget(people)
        self.offers.forget(erasure)
        self.propagation.forget(erasure)
        self.requests.forget(people, set(erasure.identifiers), self.identity.person_named)
        self.segments.forget_people(people, erasure.note.at_ms)
        self.delivery.forget(people)
        self.catalogues.forget(erasure)
        if erasure.suppress:
            self.suppressed.update(map(suppression_hash, erasure.identifiers))
            self.suppressed.update(erasure.hashes)
        if erasure.mark:
            self.erasure_marks.add(erasure.mark)
        self._erasure_count += 1
        pending = PendingErasure(self._erasure_count, sorted(people), sorted(others), sorted(kept))
        self.pending_erasures.append(pending)

    def take_back(self, gone: TakeBack) -> None:
        """Take back what of a file lies with some people, and with the last of it the file."""
        people, keys, positions = set(gone.people), set(gone.keys), set(gone.positions)

        def is_gone(record: Record) -> bool:
            if record.kind in DERIVED:
                return record.person in gone.restored
            if record.kind in FACTS:
                return record.person in people and record.position in positions
            return record.person in people and record.key in keys and record.kind in COPIED

        self.log.forget(is_gone)
        self.chapters.tear_at({(position, person) for position in positions for person in people})
        self.folding.forget_poisoned(is_gone)
        self.intake.forget_keys(keys)
        self.catalogues.forget_at(positions)
        self.identity.take_back(gone, positions)
        if gone.finished is not None:
            self.intake.uncount(self.imports.counts(gone.finished))
            self.intake.release_file(gone.finished)
            self.imports.forget(gone.finished)

    def status(self, now_ms: int) -> list[PartitionStatus]:
        """How far each partition is folded, and by whom."""
        return [self._status_of(Partition(number), now_ms) for number in range(self.partition_count)]

    def _status_of(self, partition: Partition, now_ms: int) -> PartitionStatus:
        folded = self.folding.folded(partition)
        oldest = self.log.after(partition, folded, 1)
        return PartitionStatus(
            partition,
            folded,
            self.log.count_after(partition, folded),
            oldest[0].received if oldest else None,
            self.folding.owner_of(partition, now_ms),
        )

    def drop(self, records: Sequence[Record]) -> int:
        """Drop those of the records that are folded; how many."""
        gone = {each.position for each in records if each.position <= self.folding.folded(each.partition)}
        return self.log.forget(lambda record: record.position in gone)

    def trimmable(self, up_to: Position, limit: int) -> list[Record]:
        """The oldest folded records of partitions, each partition's in order."""
        found: list[Record] = []
        for partition in map(Partition, range(self.partition_count)):
            end = min(self.folding.folded(partition), up_to)
            oldest = self.log.after(partition, Position(0), limit - len(found))
            found += [record for record in oldest if record.position <= end]
        return found

    def trim(self, records: Sequence[Record], latest: Mapping[PersonId, Chapter], chapters: Sequence[Chapter]) -> bool:
        """Drop records from the log and keep what they come to, unless one of them is gone, or what that goes on from
        is not what it was."""
        if not self.log.has(records) or self.chapters.latest({each.person for each in chapters}) != latest:
            return False
        gone = {each.position for each in records}
        self.log.forget(lambda record: record.position in gone)
        self.log.was_trimmed = True
        self.chapters.put(chapters)
        return True
