"""`MemoryEngine`: the engine contract over a `Disk`, put together from its parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PARTITION_COUNT, Partition, PersonId, Position, SourceId
from courtesy.base.time import Clock
from courtesy.consent.tree import Frontier, Node, Run
from courtesy.delivery.warm_up import Counted, Limits
from courtesy.engine.answers import AnswerCount
from courtesy.engine.code import NewCode, Rate, Tried
from courtesy.engine.contract import (
    Alarm,
    Count,
    Definition,
    FoldCommit,
    IdentityHistory,
    IdentityReading,
    ImportProgress,
    Lease,
    PartitionStatus,
    Past,
    PersonReading,
    Poisoned,
    Quarantined,
    QuarantineGroup,
    Revision,
    Unavailable,
)
from courtesy.engine.delivery import CampaignRun, DeadAddress, DeadCount, InboxItem, MessageFate, Room, RunState
from courtesy.engine.imported import FileKey, Span, Spans
from courtesy.engine.ledger import Entry, Keyring, Known
from courtesy.engine.offer import CodePool, Grant, OfferTally, Redemption
from courtesy.engine.outbox import FINAL, ClaimedEffect, EffectReading, NewEffect, Settlement, StoredEffect
from courtesy.engine.ownership import Ownership
from courtesy.engine.permit import (
    JudgedSend,
    NewPermit,
    Permit,
    PermitFilter,
    Place,
    Received,
    Send,
    SendAudit,
    SendFilter,
    SendPlace,
)
from courtesy.engine.propagation import (
    AttemptEnd,
    Change,
    ClaimedSubject,
    Cursor,
    Ended,
    IdentityChange,
    Receipt,
    ReceiptFilter,
    Tally,
)
from courtesy.engine.quality import QualityRow
from courtesy.engine.request import NewRequest, Request, RequestCount, RequestFilter, RequestLine, RequestPlace
from courtesy.engine.segment import HourFlow, Member, SegmentSize, SegmentState, ValueSize
from courtesy.engine_memory.append import MemoryAppend
from courtesy.engine_memory.catalogues import Catalogues
from courtesy.engine_memory.content import Content
from courtesy.engine_memory.disk import Disk, Listener, suppression_hash
from courtesy.engine_memory.folding import copied
from courtesy.event.cause import Cause
from courtesy.identity.repair import Move, Note, PendingErasure
from courtesy.offer.codes import OwnCode
from courtesy.person.chapter import Chapter
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, Record, RecordKind, timer_payload

_NO_KEY = bytes(16)
EVERY_RECORD = 2**62


class MemoryEngine(Content, Catalogues):
    """A store in the memory of one process, deterministic: the same calls in the same order give the same answers.

    Over a `disk` of its own, or over one shared with other engines as processes share a database. What a call changes
    it changes at once: it waits for the append lock at most, and nobody sees half of it. Time is the clock's, except
    that the waits run out by the event loop's. When closed, every call and every append still under way raises
    Unavailable and changes nothing.
    """

    def __init__(self, clock: Clock, partition_count: int = PARTITION_COUNT, disk: Disk | None = None) -> None:
        self.partition_count = partition_count
        self._clock = clock
        self._stored = disk if disk is not None else Disk(partition_count)
        self._listener: Listener | None = None

    async def open(self) -> None:
        if self._stored.partition_count != self.partition_count:
            raise CourtesyError(
                Code.SETUP,
                f"expected {self.partition_count} partitions, the disk was made with {self._stored.partition_count}",
            )
        if self._listener is None:
            self._listener = self._stored.connect()

    async def close(self) -> None:
        if self._listener is not None:
            self._stored.disconnect(self._listener)
            self._listener = None

    @property
    def _disk(self) -> Disk:
        self._heard()
        return self._stored

    def _heard(self) -> Listener:
        if self._listener is None:
            raise Unavailable("the engine is not open")
        return self._listener

    def _check_still_open(self, since: Listener) -> None:
        if self._listener is not since:
            raise Unavailable("the engine was closed meanwhile")

    # -- accepting

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[MemoryAppend]:
        listener = self._heard()
        async with self._turn_to_append() as disk:
            append = MemoryAppend(disk)
            try:
                yield append
            finally:
                append.leave()
            self._check_still_open(listener)
            append.commit()

    @asynccontextmanager
    async def _turn_to_append(self) -> AsyncIterator[Disk]:
        disk, listener = self._disk, self._heard()
        async with disk.turn_to_append(listener):
            self._check_still_open(listener)
            yield disk

    async def reserve_people(self, count: int) -> range:
        return self._disk.reserve_people(count)

    # -- folding

    async def claim(self, worker: str, want: int, ttl_ms: int) -> list[Lease]:
        return self._disk.folding.claim(worker, want, self._clock.now_ms(), ttl_ms)

    async def release(self, worker: str, partitions: Collection[Partition]) -> None:
        self._disk.folding.release(worker, partitions)

    async def workers(self) -> int:
        return self._disk.folding.worker_count(self._clock.now_ms())

    async def unfolded(self, leases: Sequence[Lease], limit: int) -> list[Record]:
        share = max(1, limit // max(1, len(leases)))
        log = self._disk.log
        return [record for lease in leases for record in log.after(lease.partition, lease.folded, share)]

    async def states(self, people: Collection[PersonId]) -> dict[PersonId, bytes]:
        states = self._disk.folding.states
        return {person: states[person] for person in people if person in states}

    async def commit_fold(self, commit: FoldCommit) -> None:
        if not commit.forwards:
            self._commit_fold(commit)
            return
        async with self._turn_to_append():
            self._commit_fold(commit)

    def _commit_fold(self, given: FoldCommit) -> None:
        disk = self._disk
        disk.folding.check_leases(given.leases)
        commit = copied(given, self.partition_count)
        forwards = disk.log.placed(commit.forwards)
        disk.folding.apply(commit)
        disk.outbox.put(commit.effects)
        disk.segments.apply(commit.memberships)
        disk.delivery.counts.update(commit.fates)
        disk.add_records(forwards)
        if commit.effects:
            disk.tell_of_effects()

    async def fire_timers(self, leases: Sequence[Lease], now_ms: int, limit: int) -> int:
        async with self._turn_to_append() as disk:
            disk.folding.check_epochs(leases)
            due = disk.folding.due([lease.partition for lease in leases], now_ms, limit)
            records = disk.log.placed(_timer_record(*each, now_ms) for each in due)
            disk.folding.drop_timers(due)
            disk.add_records(records)
            return len(due)

    async def next_due_ms(self, leases: Sequence[Lease]) -> int | None:
        return self._disk.folding.next_due_ms([lease.partition for lease in leases])

    async def wait_for_records(self, timeout_ms: int) -> None:
        await _wait(self._heard().records, timeout_ms)

    # -- effects

    async def claim_effects(
        self, kind: str, now_ms: int, ttl_ms: int, limit: int, except_targets: Collection[str] = ()
    ) -> list[ClaimedEffect]:
        return self._disk.outbox.claim(kind, now_ms, ttl_ms, limit, except_targets)

    async def settle(self, settlement: Settlement) -> bool:
        return (await self.settle_all([settlement]))[0]

    async def settle_all(self, settlements: Sequence[Settlement]) -> list[bool]:
        if not any(each.report is not None for each in settlements):
            return [self._settle(each) for each in settlements]
        async with self._turn_to_append():
            return [self._settle(each) for each in settlements]

    def _settle(self, settlement: Settlement) -> bool:
        disk = self._disk
        if not disk.outbox.can_settle(settlement):
            return False
        disk.outbox.settle(settlement)
        if settlement.state in FINAL:
            if settlement.report is not None:
                disk.add_records(disk.log.placed((settlement.report,)))
            if settlement.send is not None:
                disk.permits.put(settlement.send)
            if settlement.fate is not None:
                disk.delivery.counts[settlement.fate] += 1
        return True

    async def effects_by_key(self, keys: Collection[bytes]) -> dict[bytes, StoredEffect]:
        return self._disk.outbox.by_key(keys)

    async def effects(self, person: PersonId | None, limit: int) -> list[EffectReading]:
        return self._disk.outbox.latest(person, limit)

    async def due_effects(self, kinds: Collection[str], now_ms: int, limit: int) -> int:
        return min(self._disk.outbox.due(kinds, now_ms), limit)

    async def let_go_of_effects(self, settled_before_ms: int) -> int:
        return self._disk.outbox.let_go(settled_before_ms)

    async def wait_for_effects(self, timeout_ms: int) -> None:
        await _wait(self._heard().effects, timeout_ms)

    # -- reading

    async def head(self) -> Position:
        return self._disk.log.head

    async def ownership(self) -> Ownership:
        return self._disk.identity.ownership(self._disk.log.head)

    async def read_person(self, identifier: str) -> PersonReading | None:
        return self._disk.read_person(identifier)

    async def read_people(self, people: Collection[PersonId]) -> dict[PersonId, PersonReading]:
        found = {person: self._disk.read_person(f"person:{person}") for person in people}
        return {person: reading for person, reading in found.items() if reading is not None}

    async def records_of(self, people: Collection[PersonId], before: Position | None, limit: int) -> list[Record]:
        return self._disk.log.latest_of(people, before, limit)

    async def events_between(
        self, after: Position, upto: Position, source: SourceId | None, limit: int
    ) -> list[Record]:
        return self._disk.log.events_between(after, upto, source, limit)

    async def position_before(self, received_ms: int) -> Position:
        return self._disk.log.position_before(received_ms)

    async def identity_of(self, person: PersonId) -> IdentityReading:
        return self._disk.identity.evidence_of(person)

    async def identity_history(self, person: PersonId) -> IdentityHistory:
        return self._disk.identity.history_of(person)

    async def person_at(self, identifier: str, at_ms: int) -> tuple[PersonId, list[PersonId]] | None:
        return self._disk.identity.person_at(identifier, at_ms)

    async def history(self, people: Collection[PersonId]) -> list[Record]:
        return self._disk.log.history(people)

    async def was_trimmed(self) -> bool:
        return self._disk.log.was_trimmed

    async def past(self, people: Collection[PersonId]) -> Past:
        return Past(self._disk.log.history(people), self._disk.chapters.of(people), Position(0))

    async def moves(self, people: Collection[PersonId]) -> list[Move]:
        return self._disk.identity.moves_of(people)

    async def unfolded_kinds(self, people: Collection[PersonId]) -> set[RecordKind]:
        return self._disk.unfolded_kinds(people)

    async def waiting_effects(self, people: Collection[PersonId]) -> list[NewEffect]:
        return self._disk.outbox.waiting(people)

    async def notes(self, person: PersonId | None, limit: int) -> list[Note]:
        return self._disk.identity.notes(person, limit)

    async def ledger_of(
        self, people: Collection[PersonId], recorded_until_ms: int | None = None
    ) -> tuple[list[Entry], Keyring]:
        return self._disk.ledger.of(people, recorded_until_ms)

    async def known_at(self, identifier: str, at_ms: int) -> Known | None:
        found = self._disk.identity.person_at(identifier, at_ms)
        if found is None:
            return None
        people = [found[0], *found[1]]
        entries, keyring = self._disk.ledger.of(people, at_ms)
        return Known(people, entries, keyring, have_moved=bool(self._disk.identity.moves_of(people)))

    async def ledger_keys(self, people: Collection[PersonId]) -> Keyring:
        return self._disk.ledger.keyring(people)

    async def ledger_from(self, index: int, limit: int) -> list[Entry]:
        return self._disk.ledger.entries[index : index + limit]

    async def tree(self) -> Frontier:
        return self._disk.ledger.tree

    async def grow_tree(self, known: Frontier, grown: Frontier, nodes: Sequence[Node]) -> bool:
        return self._disk.ledger.grow(known, grown, nodes)

    async def tree_nodes(self, runs: Sequence[Run]) -> dict[Run, list[bytes]]:
        return self._disk.ledger.nodes(runs)

    async def add_checkpoint(self, latest: str | None, note: str) -> bool:
        kept = self._disk.ledger.checkpoints
        if (kept[-1] if kept else None) != latest:
            return False
        kept.append(note)
        return True

    async def sign_checkpoint(self, note: str, signed: str) -> bool:
        kept = self._disk.ledger.checkpoints
        if note not in kept:
            return False
        kept[kept.index(note)] = signed
        return True

    async def checkpoints(self, *, latest_only: bool = False) -> list[str]:
        return self._disk.ledger.checkpoints[-1 if latest_only else 0 :]

    async def suppression_hashes(self, identifiers: Collection[str]) -> list[bytes]:
        return [suppression_hash(key) for key in identifiers]

    async def known_as(self, hashes: Collection[bytes]) -> list[str]:
        return sorted(key for key in self._disk.identity.known() if suppression_hash(key) in hashes)

    async def pending_erasures(self) -> list[PendingErasure]:
        return list(self._disk.pending_erasures)

    async def erasure_marks(self) -> set[bytes]:
        return set(self._disk.erasure_marks)

    async def archive_erased(self, number: int, at_ms: int) -> None:
        disk = self._disk
        disk.pending_erasures = [each for each in disk.pending_erasures if each.number != number]

    async def alarms(self, degree: int, limit: int) -> list[Alarm]:
        return self._disk.identity.alarms(degree, limit)

    async def counts(self, from_ms: int, to_ms: int) -> list[Count]:
        return self._disk.intake.counted(from_ms, to_ms)

    async def quarantined(
        self,
        source: SourceId | None,
        cause: Cause | None,
        before: int | None,
        limit: int,
        *,
        signature: str | None = None,
        numbers: Collection[int] | None = None,
    ) -> list[Quarantined]:
        return self._disk.intake.quarantined(source, cause, before, limit, signature, numbers)

    async def quarantine_groups(self, source: SourceId | None, cause: Cause | None) -> list[QuarantineGroup]:
        return self._disk.intake.groups(source, cause)

    async def poisoned(self, limit: int) -> list[Poisoned]:
        return self._disk.folding.poisoned(limit)

    async def status(self) -> list[PartitionStatus]:
        return self._disk.status(self._clock.now_ms())

    async def person_count(self) -> int:
        return self._disk.identity.person_count()

    async def some_people(self, count: int) -> list[PersonId]:
        return self._disk.identity.some_people(count)

    # -- permits

    async def issue_permits(self, asked: Sequence[NewPermit]) -> list[Permit | None]:
        async with self._turn_to_append() as disk:
            return disk.issue_permits(asked, self._clock.now_ms())

    async def permits(self, which: PermitFilter, after: Place | None, limit: int) -> list[Permit]:
        return self._disk.permits.found(which, after, limit)

    async def put_sends(self, sends: Sequence[Send]) -> list[JudgedSend]:
        kept = self._disk.permits
        return [kept.put(each) for each in sends]

    async def sends_of(self, people: Collection[PersonId]) -> list[JudgedSend]:
        return self._disk.permits.sends_of(people)

    async def audit_sends(self, from_ms: int, to_ms: int, limit: int) -> SendAudit:
        return self._disk.permits.audit(from_ms, to_ms, limit)

    async def received(self, which: SendFilter, after: SendPlace | None, limit: int) -> list[Received]:
        return self._disk.permits.received(which, after, limit)

    # -- propagation

    async def start_propagation(self, recipient: str, *, from_start: bool) -> None:
        disk = self._disk
        size = len(disk.ledger.entries)
        cursor = Cursor(0 if from_start else size, disk.identity.change_count, 0, size)
        disk.propagation.cursors.setdefault(recipient, cursor)

    async def stop_propagation(self, recipient: str, now_ms: int) -> list[Ended]:
        kept = self._disk.propagation
        kept.cursors.pop(recipient, None)
        return kept.escalate_overdue(recipient, now_ms, now_ms, None)

    async def propagation_cursor(self, recipient: str) -> Cursor | None:
        return self._disk.propagation.cursors.get(recipient)

    async def identity_changes(self, after: Cursor, limit: int) -> list[IdentityChange]:
        found = self._disk.identity.people_changed(after.merge, limit)
        return [IdentityChange(people, number, 0) for number, people in enumerate(found, after.merge + 1)]

    async def roots(self, people: Collection[PersonId]) -> dict[PersonId, PersonId]:
        identity = self._disk.identity
        return {person: identity.root_of(person) for person in people}

    async def subjects(self, recipient: str, people: Collection[PersonId]) -> dict[PersonId, bytes]:
        return self._disk.propagation.subjects(recipient, people)

    async def queue_changes(
        self, recipient: str, changes: Sequence[Change], now_ms: int, moved: tuple[Cursor, Cursor] | None = None
    ) -> bool:
        disk = self._disk
        cursors = disk.propagation.cursors
        if recipient not in cursors or (moved is not None and cursors[recipient] != moved[0]):
            return False
        if moved is not None:
            cursors[recipient] = moved[1]
        disk.propagation.queue(recipient, changes, now_ms, disk.identity.lives)
        return True

    async def claim_subjects(
        self, recipient: str, now_ms: int, ttl_ms: int, limit: int, *, urgent: bool
    ) -> list[ClaimedSubject]:
        return self._disk.propagation.claim(recipient, now_ms, ttl_ms, limit, urgent=urgent)

    async def end_attempts(self, ended: Sequence[AttemptEnd]) -> list[list[Ended] | None]:
        return [self._disk.propagation.end(each) for each in ended]

    async def escalate_overdue(
        self, recipient: str, queued_before_ms: int, now_ms: int, next_ms: int | None
    ) -> list[Ended]:
        return self._disk.propagation.escalate_overdue(recipient, queued_before_ms, now_ms, next_ms)

    async def retry_receipts(self, recipient: str, numbers: Collection[int] | None, now_ms: int) -> int:
        return self._disk.propagation.retry(recipient, numbers, now_ms)

    async def receipts(self, which: ReceiptFilter, before: int | None, limit: int) -> list[Receipt]:
        return self._disk.propagation.receipts(which, before, limit)

    async def tallies(self) -> list[Tally]:
        return self._disk.propagation.tallies()

    # -- requests

    async def open_request(self, new: NewRequest, line: RequestLine) -> tuple[Request, bool]:
        return self._disk.requests.open(new, line)

    async def request(self, number: int) -> Request | None:
        return self._disk.requests.get(number)

    async def requests(self, which: RequestFilter, after: RequestPlace | None, limit: int) -> list[Request]:
        return self._disk.requests.found(which, after, limit)

    async def change_request(self, known: Request, changed: Request, line: RequestLine) -> bool:
        return self._disk.requests.change(known, changed, line)

    async def add_request_line(self, number: int, line: RequestLine) -> None:
        self._disk.requests.add_line(number, line)

    async def request_log(self, number: int) -> Sequence[RequestLine]:
        return self._disk.requests.log(number)

    async def request_counts(self, now_ms: int) -> list[RequestCount]:
        return self._disk.requests.counts(now_ms)

    # -- definitions

    async def definitions(self) -> tuple[int, list[Definition]]:
        return self._disk.definitions.version, self._disk.definitions.in_force()

    async def catalog_version(self) -> int:
        return self._disk.definitions.version

    async def define(self, kind: str, name: str, body: bytes | None, by: str, now_ms: int) -> Definition | None:
        return self._disk.definitions.define(kind, name, body, by, now_ms)

    async def definition_history(self, kind: str, name: str) -> list[Revision]:
        return self._disk.definitions.history_of(kind, name)

    # -- quality

    async def save_quality(self, rows: Sequence[QualityRow]) -> None:
        self._disk.quality.update({(row.day_ms, row.source): row._replace(body=bytes(row.body)) for row in rows})

    async def quality(self, source: SourceId | None, from_ms: int, to_ms: int) -> list[QualityRow]:
        return [
            row
            for (day_ms, own), row in sorted(self._disk.quality.items())
            if from_ms <= day_ms < to_ms and (source is None or own == source)
        ]

    async def forget_quality(self, before_ms: int) -> int:
        old = [key for key in self._disk.quality if key[0] < before_ms]
        for key in old:
            del self._disk.quality[key]
        return len(old)

    # -- evidence

    async def keep_shown(self, contents: Collection[bytes], now_ms: int) -> None:
        for content in contents:
            self._disk.shown.setdefault(sha256(content).digest(), bytes(content))

    async def shown(self, digest: bytes) -> bytes | None:
        return self._disk.shown.get(digest)

    async def count_answers(self, counts: Sequence[AnswerCount]) -> None:
        for question, what, count in counts:
            self._disk.answers[question, what] += count

    async def answer_counts(self) -> list[AnswerCount]:
        return [AnswerCount(*key, count) for key, count in sorted(self._disk.answers.items())]

    # -- delivery

    async def start_run(self, campaign: str, content: str, start_ms: int) -> CampaignRun:
        return self._disk.delivery.start_run(campaign, content, start_ms)

    async def runs(self, campaign: str | None, *, open_only: bool = False) -> list[CampaignRun]:
        return self._disk.delivery.runs(campaign, open_only=open_only)

    async def set_run(self, number: int, state: RunState, now_ms: int) -> CampaignRun | None:
        return self._disk.delivery.set_run(number, state, now_ms)

    async def ask_for(
        self, run: CampaignRun, records: Sequence[NewRecord], cursor: PersonId, *, is_last: bool
    ) -> CampaignRun | None:
        async with self._turn_to_append() as disk:
            if not disk.delivery.stands(run):
                return None
            disk.add_records(disk.log.placed(records))
            ended_ms = (records[-1].received if records else run.start_ms) if is_last else None
            return disk.delivery.move(run, len(records), cursor, ended_ms)

    async def message_fates(self, campaign: str) -> dict[MessageFate, int]:
        return {fate: count for fate, count in self._disk.delivery.counts.items() if fate.campaign == campaign}

    async def count_fates(self, fates: Collection[MessageFate]) -> None:
        self._disk.delivery.counts.update(fates)

    async def set_dead(self, addresses: Collection[DeadAddress]) -> None:
        self._disk.delivery.set_dead(addresses)

    async def dead(self, channel: str, addresses: Collection[bytes], now_ms: int) -> dict[bytes, DeadAddress]:
        return self._disk.delivery.dead(channel, addresses, now_ms)

    async def count_dead(self, now_ms: int) -> list[DeadCount]:
        return self._disk.delivery.count_dead(now_ms)

    async def revive(self, channel: str, address: bytes) -> bool:
        return self._disk.delivery.revive(channel, address)

    async def take_room(self, connection: str, limits: Limits, wanted: Mapping[str, int]) -> Room:
        return self._disk.delivery.take_room(connection, limits, wanted)

    async def give_room_back(self, connection: str, limits: Limits, counts: Mapping[str, int]) -> None:
        self._disk.delivery.give_room_back(connection, limits, counts)

    async def count_reports(self, connection: str, day: int, bounced_count: int, complained_count: int) -> None:
        self._disk.delivery.count_reports(connection, day, bounced_count, complained_count)

    async def warm_up_days(self, connection: str) -> dict[int, Counted]:
        return self._disk.delivery.warm_up_days(connection)

    async def put_inbox(self, items: Sequence[InboxItem]) -> None:
        self._disk.delivery.put_inbox(items)
        self._disk.tell_of_inbox()

    async def inbox(self, people: Collection[PersonId], channel: str, now_ms: int) -> list[InboxItem]:
        return self._disk.delivery.inbox(people, channel, now_ms)

    async def take_from_inbox(
        self, people: Collection[PersonId], messages: Collection[str], outcome: str, reason: str = ""
    ) -> int:
        count = self._disk.delivery.take(people, messages, outcome, reason)
        self._disk.tell_of_inbox()
        return count

    async def withdraw_stopped(self, stopped: Mapping[str, int], after: PersonId, limit: int) -> PersonId | None:
        last = self._disk.delivery.withdraw_stopped(stopped, after, limit)
        self._disk.tell_of_inbox()
        return last

    async def let_go_of_inbox(self, expired_before_ms: int) -> int:
        return self._disk.delivery.let_go_of_inbox(expired_before_ms)

    async def mark_seen(self, people: Collection[PersonId], messages: Collection[str]) -> int:
        return self._disk.delivery.mark_seen(people, messages)

    async def wait_for_inbox(self, timeout_ms: int) -> None:
        await _wait(self._heard().inbox, timeout_ms)

    # -- codes

    async def add_code(self, code: NewCode, people: Collection[PersonId], rates: Sequence[Rate]) -> bool:
        return self._disk.codes.add(code, people, rates)

    async def try_code(
        self, people: Collection[PersonId], about: bytes, digest: bytes, after_ms: int, tries_max: int
    ) -> Tried:
        return self._disk.codes.try_(people, about, digest, after_ms, tries_max)

    # -- offers

    async def offer_tallies(self) -> list[OfferTally]:
        return self._disk.offers.tallies()

    async def grants_of(self, people: Collection[PersonId]) -> list[Grant]:
        return self._disk.offers.grants_of(people)

    async def redemptions_of(self, people: Collection[PersonId]) -> list[Redemption]:
        return self._disk.offers.redemptions_of(people)

    async def redemption(self, number: int) -> Redemption | None:
        return self._disk.offers.redemption(number)

    async def grants_due(self, now_ms: int, limit: int) -> list[int]:
        return self._disk.offers.due(now_ms, limit)

    async def add_codes(self, pool: str, codes: Sequence[OwnCode]) -> int:
        return self._disk.offers.add_codes(pool, codes)

    async def code_pools(self) -> list[CodePool]:
        return self._disk.offers.pools()

    # -- segments

    async def stored_people(self, after: PersonId | None, limit: int) -> list[PersonId]:
        people = sorted(person for person in self._disk.folding.states if after is None or person > after)
        return people[:limit]

    async def latest_since(self, position: Position, kind: RecordKind) -> dict[PersonId, Position]:
        found = self._disk.log.all_after(position, EVERY_RECORD)
        return {each.person: each.position for each in found if each.kind is kind}

    async def wake(self, people: Collection[PersonId], timer: str, due_ms: int) -> None:
        self._disk.folding.wake(people, timer, due_ms)

    async def waiting_count(self, timer: str) -> int:
        return self._disk.folding.waiting_count(timer)

    async def segments_of(self, people: Collection[PersonId]) -> list[Member]:
        return self._disk.segments.of(people)

    async def segment_sizes(self, segments: Collection[int]) -> dict[int, SegmentSize]:
        return {segment: self._disk.segments.size(segment) for segment in segments}

    async def identifiers_of(self, people: Collection[PersonId]) -> dict[PersonId, list[str]]:
        return {person: sorted(held) for person, held in self._disk.identity.held(people).items() if held}

    async def members(
        self, segment: int, value: str | None, after: tuple[str, PersonId] | None, limit: int
    ) -> list[Member]:
        return self._disk.segments.page(segment, value, after, limit)

    async def members_since(self, segment: int, from_ms: int, limit: int) -> list[Member]:
        return self._disk.segments.since(segment, from_ms, limit)

    async def entered_count(self, segment: int, from_ms: int) -> int:
        return sum(each.entered_ms >= from_ms for each in self._disk.segments.members(segment))

    async def sample_members(self, segment: int, value: str, limit: int) -> list[Member]:
        return self._disk.segments.sample(segment, value, limit)

    async def segment_values(self, segment: int, limit: int) -> list[ValueSize]:
        return self._disk.segments.values(segment, limit)

    async def segment_overlap(self, segments: Collection[int]) -> dict[frozenset[int], int]:
        return self._disk.segments.overlap(segments)

    async def segment_flows(self, segment: int, from_ms: int) -> list[HourFlow]:
        return self._disk.segments.flows(segment, from_ms)

    async def segment_states(self) -> dict[int, SegmentState]:
        return dict(self._disk.segments.states)

    async def set_segment_state(self, state: SegmentState) -> None:
        self._disk.segments.states[state.segment] = state

    async def forget_segment(self, segment: int) -> None:
        self._disk.segments.forget(segment)

    # -- upkeep

    async def trimmable(self, up_to: Position, limit: int) -> list[Record]:
        return self._disk.trimmable(up_to, limit)

    async def trim(
        self, records: Sequence[Record], latest: Mapping[PersonId, Chapter], chapters: Sequence[Chapter]
    ) -> bool:
        return self._disk.trim(records, latest, chapters)

    async def latest_chapters(self, people: Collection[PersonId]) -> dict[PersonId, Chapter]:
        return self._disk.chapters.latest(people)

    async def tear_chapters(self, source: SourceId | None, received_before_ms: int) -> int:
        return self._disk.chapters.tear_before(source, received_before_ms)

    async def drop(self, records: Sequence[Record]) -> int:
        return self._disk.drop(records)

    async def log_after(self, position: Position, limit: int) -> list[Record]:
        return self._disk.log.all_after(position, limit)

    async def lake_position(self) -> Position | None:
        return self._disk.lake_position

    async def save_lake_position(self, position: Position) -> None:
        self._disk.lake_position = position

    async def forget_keys(self, before_ms: int) -> int:
        return self._disk.intake.forget(before_ms)

    async def import_progress(self, fingerprint: str, source: SourceId) -> ImportProgress | None:
        return self._disk.imports.progress.get(FileKey(fingerprint, source))

    async def save_import(self, progress: ImportProgress) -> None:
        self._disk.imports.save(progress)

    async def imports(self) -> list[ImportProgress]:
        return sorted(self._disk.imports.progress.values(), key=lambda each: (each.source, each.name, each.fingerprint))

    async def import_spans(self, file: FileKey) -> list[Span]:
        return self._disk.imports.spans(file)

    async def import_counts(self, file: FileKey) -> list[Count]:
        return self._disk.imports.counts(file)

    async def spans_taken_back(self) -> list[Span]:
        return self._disk.imports.spans_taken_back()

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        return self._disk.log.people_in(Spans(spans))


async def _wait(event: asyncio.Event, timeout_ms: int) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_ms / 1_000):
            await event.wait()
    event.clear()


def _timer_record(due_ms: int, person: PersonId, timer: str, now_ms: int) -> NewRecord:
    payload = timer_payload(timer, due_ms)
    return NewRecord(person, RecordKind.TIMER, due_ms, now_ms, SYSTEM_SOURCE, _NO_KEY, payload)
