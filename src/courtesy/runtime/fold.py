"""The fold worker: owns partitions, folds their records into states, and commits the two together.

A crash at any instant loses nothing: what was not committed is folded again from the log, and gives the same states
and the same effect keys. A record that can't be folded is set aside with its cause after `TRIES` and the partition
goes on.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from courtesy.base.ids import Partition, PersonId, Position, partition_of
from courtesy.base.time import SECOND_MS, Clock
from courtesy.engine.contract import (
    Engine,
    FoldCommit,
    Lease,
    LeaseLost,
    Poisoned,
    StorageFull,
    TimerChange,
    Unavailable,
)
from courtesy.engine.delivery import MessageFate
from courtesy.engine.outbox import NewEffect
from courtesy.engine.segment import MembershipChange
from courtesy.person import conversion
from courtesy.person.catalog import Catalog
from courtesy.person.crossing import crossing_record, news_record
from courtesy.person.messages import SKIPPED
from courtesy.person.record import NewRecord, Record, forwarded, input_of
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import Outcome, TimerCancelled, TimerSet, step
from courtesy.runtime.telemetry import FOLD_SECONDS, FOLDED, POISONED, TRACER

LEASE_MS = 6 * SECOND_MS
CLAIM_EVERY_MS = 2 * SECOND_MS
# A dead owner's partitions are free after 6 s and taken at the next claim, 2 s later at most: under the promised 10 s.

FOLD_RECORDS_MAX = 8_000
FIRE_MAX = 2_000
HOT_STATES_MAX = 50_000
HOT_BYTES_MAX = 48 * 1024 * 1024
"""Of hot states, as they are stored; as objects they take about nine times as much, 430 MB."""

TRIES = 3
IDLE_MS_MAX = SECOND_MS
RETRY_MS = 500

log = structlog.get_logger("fold")


@dataclass(slots=True)
class _Changes:
    """What folding a batch asks to be written."""

    touched: set[PersonId] = field(default_factory=set)
    states: list[tuple[PersonId, bytes]] = field(default_factory=list)
    timers: list[TimerChange] = field(default_factory=list)
    effects: list[NewEffect] = field(default_factory=list)
    forwards: list[NewRecord] = field(default_factory=list)
    poisoned: list[Poisoned] = field(default_factory=list)
    memberships: list[MembershipChange] = field(default_factory=list)
    fates: list[MessageFate] = field(default_factory=list)

    def add(self, more: _Changes) -> None:
        """Ask for what `more` asks for as well."""
        self.touched |= more.touched
        self.timers += more.timers
        self.effects += more.effects
        self.forwards += more.forwards
        self.memberships += more.memberships
        self.fates += more.fates


class _HotStates(dict[PersonId, PersonState]):
    """States that need not be read again, within bounds. Those that were written last stay longest."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[PersonId, int] = {}
        self._bytes = 0

    def put(self, state: PersonState, size: int) -> None:
        """Hold a state that takes so many bytes in the store."""
        self.drop(state.person)
        self[state.person] = state
        self._sizes[state.person] = size
        self._bytes += size

    def drop(self, person: PersonId) -> None:
        """Let go of a person's state, if it is held."""
        if self.pop(person, None) is not None:
            self._bytes -= self._sizes.pop(person)

    def drop_all(self) -> None:
        """Let go of every state."""
        self.clear()
        self._sizes.clear()
        self._bytes = 0

    def make_room(self) -> None:
        """When there are too many, let go of the half that was not written for longest."""
        if len(self) > HOT_STATES_MAX or self._bytes > HOT_BYTES_MAX:
            for person in list(self)[: (len(self) + 1) // 2]:
                self.drop(person)


class FoldWorker:
    """One owner of partitions. `run` drives it; the steps it is made of are public for whoever keeps time otherwise."""

    def __init__(
        self,
        engine: Engine,
        catalog_now: Callable[[], Catalog],
        clock: Clock,
        name: str,
        catch_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`catch_up`: have the catalogue as new as the store's."""
        self._catch_up = catch_up or _nothing
        self._engine = engine
        self._catalog_now = catalog_now
        self._clock = clock
        self._name = name
        self._leases: dict[Partition, Lease] = {}
        self._hot = _HotStates()
        self._next_due: int | None = None

    @property
    def partitions(self) -> frozenset[Partition]:
        """Those that it holds."""
        return frozenset(self._leases)

    async def run(self, stop: asyncio.Event) -> None:
        """Fold until `stop` is set, then give the partitions back. A store that does not answer is asked again."""
        next_claim = 0
        while not stop.is_set():
            try:
                now = self._clock.now_ms()
                if now >= next_claim or now < next_claim - CLAIM_EVERY_MS:
                    await self.claim()
                    next_claim = now + CLAIM_EVERY_MS
                busy = await self.fold_once() + await self.fire_due()
                if not busy:
                    await self._idle(next_claim)
            except (Unavailable, StorageFull) as error:
                log.warning("fold_waits", cause=error.message)
                self.forget()
                await asyncio.sleep(RETRY_MS / 1_000)
        with suppress(Unavailable, StorageFull):
            await self.release()

    async def _idle(self, next_claim: int) -> None:
        now = self._clock.now_ms()
        until = min(next_claim, now + IDLE_MS_MAX, self._next_due if self._next_due is not None else next_claim)
        await self._engine.wait_for_records(max(until - now, 1))

    async def claim(self) -> None:
        """Renew what it holds, and take or give back partitions so that all workers hold about as many."""
        leases = await self._engine.claim(self._name, len(self._leases), LEASE_MS)
        want = -(-self._engine.partition_count // await self._engine.workers())
        if len(leases) < want:
            leases = await self._engine.claim(self._name, want, LEASE_MS)
        elif len(leases) > want:
            await self._engine.release(self._name, [lease.partition for lease in leases[want:]])
            leases = leases[:want]
        self._adopt(leases)
        self._next_due = await self._engine.next_due_ms(leases) if leases else None

    def _adopt(self, leases: Sequence[Lease]) -> None:
        """Keep hot states only of partitions that stayed ours all the while."""
        kept = {lease.partition for lease in leases if self._leases.get(lease.partition) == lease}
        if kept != set(self._leases):
            count = self._engine.partition_count
            for person in [person for person in self._hot if partition_of(person, count) not in kept]:
                self._hot.drop(person)
        self._leases = {lease.partition: lease for lease in leases}

    async def release(self) -> None:
        """Give all partitions back."""
        await self._engine.release(self._name, list(self._leases))
        self.forget()

    def forget(self) -> None:
        """Drop what is held in memory; the store's word counts from here. The next claim begins anew."""
        self._leases.clear()
        self._hot.drop_all()
        self._next_due = None

    async def fold_once(self) -> int:
        """Fold one batch of whatever is unfolded in the partitions held; how many records.

        Raises Unavailable or StorageFull with nothing changed. When a partition turns out to be lost, it drops what it
        holds and returns 0.
        """
        leases = list(self._leases.values())
        records = await self._engine.unfolded(leases, FOLD_RECORDS_MAX)
        if not records:
            return 0
        with TRACER.start_as_current_span("fold", attributes={"records": len(records)}), FOLD_SECONDS.time():
            try:
                await self._fold_and_commit(records)
            except LeaseLost as error:
                log.info("lease_lost", cause=error.message)
                self.forget()
                return 0
            except BaseException:
                self._hot.drop_all()
                raise
        FOLDED.inc(len(records))
        return len(records)

    async def _fold_and_commit(self, records: Sequence[Record]) -> None:
        # Who was defined before one of these was appended is asked for, so no event misses a segment.
        await self._catch_up()
        await self._warm(records)
        try:
            changes = self._fold_all(records, self._fold)
        except Exception:  # noqa: BLE001 -- anything that a record makes a step raise; found out one by one
            await self._rewarm(records)
            changes = self._fold_all(records, self._fold_carefully)
        await self._commit(records, changes)

    def _fold_all(self, records: Sequence[Record], fold: Callable[[Record, _Changes], None]) -> _Changes:
        """Fold and encode: what can't be stored must not get as far as the commit."""
        changes = _Changes()
        for record in records:
            fold(record, changes)
        changes.states = [(person, encode_state(self._hot[person])) for person in changes.touched]
        return changes

    async def _warm(self, records: Sequence[Record]) -> None:
        """Have the state of everyone in the batch in memory."""
        self._hot.make_room()
        cold = {record.person for record in records if record.person not in self._hot}
        if cold:
            stored = await self._engine.states(cold)
            for person in cold:
                content = stored.get(person)
                self._hot.put(PersonState(person) if content is None else decode_state(content), len(content or b""))

    async def _rewarm(self, records: Sequence[Record]) -> None:
        for record in records:
            self._hot.drop(record.person)
        await self._warm(records)

    def _fold(self, record: Record, changes: _Changes) -> None:
        state = self._hot[record.person]
        outcome = step(state, input_of(record), self._catalog_now(), self._clock.now_ms())
        changes.touched.add(record.person)
        if outcome.effects or outcome.timers or outcome.forward is not None or outcome.crossings or outcome.news:
            self._collect(record, outcome, changes)

    def _collect(self, record: Record, outcome: Outcome, changes: _Changes) -> None:
        now = self._clock.now_ms()
        for effect in outcome.effects:
            key, kind, target, body, not_before_ms = effect
            changes.effects.append(NewEffect(key, kind, record.person, target, body, now, not_before_ms))
        for news in outcome.news:
            changes.forwards.append(news_record(record, news, now))
            told = news.properties
            if news.name == SKIPPED:
                changes.fates.append(MessageFate(told["campaign"], "", "skipped", told["reason"]))
            elif news.name in conversion.EVENTS:
                how = conversion.ATTRIBUTION if news.name == conversion.CONVERTED else "corrected"
                changes.fates.append(MessageFate(told["campaign"], told["channel"], "converted", how))
        for change in outcome.timers:
            if isinstance(change, TimerSet):
                changes.timers.append(TimerChange(record.person, change.timer, change.due_ms))
            elif isinstance(change, TimerCancelled):
                changes.timers.append(TimerChange(record.person, change.timer, None))
        if outcome.forward is not None:
            changes.forwards.append(forwarded(record, outcome.forward.person, outcome.forward.absorb))
        for number, crossing in enumerate(outcome.crossings):
            changes.memberships.append(
                MembershipChange(record.person, crossing.segment, crossing.value, crossing.inside, crossing.at_ms)
            )
            if crossing.is_news:
                changes.forwards.append(crossing_record(record, number, crossing, now))

    def _fold_carefully(self, record: Record, changes: _Changes) -> None:
        """Fold one record so that a failure leaves no trace of it, and set the record aside if it won't fold."""
        before = encode_state(self._hot[record.person])
        error = ""
        for _ in range(TRIES):
            alone = _Changes()
            try:
                self._fold(record, alone)
                encode_state(self._hot[record.person])
            except Exception:  # noqa: BLE001 -- see _fold_and_commit
                error = traceback.format_exc(limit=-3)
                self._hot.put(decode_state(before), len(before))
            else:
                changes.add(alone)
                return
        POISONED.inc()
        log.error("record_set_aside", position=record.position, kind=int(record.kind))
        storable = error.replace("\0", "\\0").encode(errors="backslashreplace").decode()
        changes.poisoned.append(Poisoned(record, storable, self._clock.now_ms()))

    async def _commit(self, records: Sequence[Record], changes: _Changes) -> None:
        folded: dict[Partition, Position] = {}
        for record in records:
            folded[record.partition] = record.position
        leases = [self._leases[partition] for partition in folded]
        await self._engine.commit_fold(
            FoldCommit(
                leases=leases,
                folded=folded,
                states=changes.states,
                timers=changes.timers,
                effects=changes.effects,
                forwards=changes.forwards,
                poisoned=changes.poisoned,
                memberships=changes.memberships,
                fates=changes.fates,
                now_ms=self._clock.now_ms(),
            )
        )
        for person, content in changes.states:
            self._hot.put(self._hot[person], len(content))
        for lease in leases:
            self._leases[lease.partition] = lease._replace(folded=folded[lease.partition])
        for change in changes.timers:
            if change.due_ms is not None and (self._next_due is None or change.due_ms < self._next_due):
                self._next_due = change.due_ms

    async def fire_due(self) -> int:
        """Put the timers that are due into the log; how many. Costs nothing while none is."""
        if self._next_due is None or self._next_due > self._clock.now_ms():
            return 0
        leases = list(self._leases.values())
        try:
            fired = await self._engine.fire_timers(leases, self._clock.now_ms(), FIRE_MAX)
        except LeaseLost:
            self.forget()
            return 0
        self._next_due = await self._engine.next_due_ms(leases)
        return fired


async def _nothing() -> None:
    """Of who has a catalogue that never changes."""


async def fold_rest(engine: Engine, catalog_now: Callable[[], Catalog], clock: Clock, name: str) -> None:
    """Fold what nobody else folds, for who works on a store while no server runs on it. Fires no timers."""
    worker = FoldWorker(engine, catalog_now, clock, name)
    await worker.claim()
    while await worker.fold_once():
        await worker.claim()
    await worker.release()
