"""What the suite of the engine contract is written with: records and batches, a small ingest, a small fold worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import msgspec

from courtesy.base.ids import PARTITION_COUNT, Partition, PersonId, Position, SourceId, message_key, partition_of
from courtesy.base.time import MINUTE_MS
from courtesy.engine.contract import (
    AppendBatch,
    Count,
    Engine,
    FoldCommit,
    Lease,
    PersonReading,
    Quarantined,
    TimerChange,
)
from courtesy.engine.outbox import ClaimedEffect, EffectState, NewEffect, Settlement
from courtesy.event.call import EMPTY
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.identity.resolve import Changes, Evidence, Resolver, View
from courtesy.identity.rules import IdentityRules
from courtesy.person.assemble import assemble
from courtesy.person.catalog import EMPTY_CATALOG
from courtesy.person.record import NewRecord, Record, RecordKind, forwarded, hand_over_payload, input_of
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import step

NOW_MS = 1_763_769_600_000  # 2025-11-22, the start of a day
HOUR = NOW_MS
TTL_MS = MINUTE_MS
SHOP = SourceId(1)
TILL = SourceId(2)
ANN = PersonId(101)
BOB = PersonId(102)
PATIENCE_S = 30
"""How long to wait for what is bound to come. Engines are given longer timeouts, so that running into those shows."""

ODD_TEXTS = [
    "Zoë Ünïcödé",
    "e\u0301 is not é",
    "مرحبا \u202e right to left",
    "👩‍👩‍👧‍👦 \U0010ffff \uffff",
    "tab\tline\nreturn\rescape\x1b\x7f\x01",
    "\\N \\. \\\\ \\x41",
    "'; DROP TABLE log; -- \" {} $1 %s",
    " \u00a0 \u200b ",
    "",
]
"""Texts that quoting, COPY, collation or trimming might not survive. None has a NUL, which no text of ours may have."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Store:
    """A store, and how to make engines over it: each as a process of its own would."""

    make: Callable[[int], Engine]

    def engine(self, partition_count: int = PARTITION_COUNT) -> Engine:
        """Another engine over the store, not open."""
        return self.make(partition_count)

    @asynccontextmanager
    async def another(self) -> AsyncIterator[Engine]:
        """Another engine over the store, open inside."""
        engine = self.engine()
        await engine.open()
        try:
            yield engine
        finally:
            await engine.close()


def person_in(partition: int, nth: int = 0) -> PersonId:
    """The nth person id whose partition that is."""
    found = (PersonId(number) for number in range(1, 100_000) if partition_of(PersonId(number)) == partition)
    for _ in range(nth):
        next(found)
    return next(found)


# -- what is written


def event_payload(message_id: str, ids: Sequence[str] = (), at: int = NOW_MS, traits: object = None) -> bytes:
    """An encoded event."""
    told = EMPTY if traits is None else msgspec.Raw(msgspec.json.encode(traits))
    name = "Product Viewed"
    return encode(
        Event(message_id, EventType.TRACK, at, NOW_MS, SHOP, 30, Party.FIRST, tuple(ids), name=name, traits=told)
    )


def record(
    person: PersonId = ANN,
    message_id: str = "m1",
    *,
    at: int = NOW_MS,
    received: int = NOW_MS,
    source: SourceId = SHOP,
    payload: bytes | None = None,
    kind: RecordKind = RecordKind.EVENT,
) -> NewRecord:
    """A record of an event that happened to a person; real enough to be folded."""
    payload = event_payload(message_id, at=at) if payload is None else payload
    return NewRecord(person, kind, at, received, source, message_key(source, message_id), payload)


def records(count: int, person: PersonId = ANN, prefix: str = "m") -> list[NewRecord]:
    """Records of one person, each a second after the other."""
    return [record(person, f"{prefix}{n}", at=NOW_MS + 1_000 * n) for n in range(count)]


def batch(
    written: Iterable[NewRecord] = (),
    *,
    keys: Sequence[bytes] | None = None,
    changes: Changes | None = None,
    counts: Sequence[Count] = (),
    quarantined: Sequence[Quarantined] = (),
    now_ms: int = NOW_MS,
    keep_keys: Iterable[bytes] = (),
    released: Sequence[int] = (),
    held_again: Sequence[Quarantined] = (),
) -> AppendBatch:
    """A batch with these records, and their keys unless others are given."""
    written = list(written)
    own = list(dict.fromkeys(each.key for each in written))
    return AppendBatch(
        written,
        own if keys is None else keys,
        changes or Changes(),
        counts,
        quarantined,
        now_ms,
        frozenset(keep_keys),
        released,
        held_again,
    )


async def write(engine: Engine, *written: NewRecord, **more: Any) -> Position:
    """Append a batch; `more` as for `batch`."""
    async with engine.appending() as append:
        return await append.write(batch(written, **more))


def evidence(message_id: str = "m1", at: int = NOW_MS, source: SourceId = SHOP) -> Evidence:
    """That a message said so."""
    return Evidence(source, message_id, at)


class Message(NamedTuple):
    """An event as it comes in, before it is known whose it is. With `previous` it is an alias."""

    id: str
    ids: tuple[str, ...]
    previous: tuple[str, ...] = ()
    at: int = NOW_MS
    traits: dict[str, Any] = {}  # noqa: RUF012 -- never changed


async def receive(engine: Engine, *messages: Message) -> Position:
    """Resolve messages to people, and append them with all that this changes, in one append."""
    people = iter(await engine.reserve_people(2 * len(messages)))
    async with engine.appending() as append:
        owners = await append.owners(sorted({key for each in messages for key in (*each.ids, *each.previous)}))
        view = View(owners, await append.held({owner.person for owner in owners.values()}))
        resolver = Resolver(IdentityRules(), view, lambda: PersonId(next(people)))
        written = [each for message in messages for each in _resolved(resolver, view, message)]
        return await append.write(batch(written, changes=view.changes))


def _resolved(resolver: Resolver, view: View, message: Message) -> list[NewRecord]:
    known = len(view.changes.merges)
    why = evidence(message.id, message.at)
    person = (
        resolver.alias(message.ids, message.previous, why) if message.previous else resolver.resolve(message.ids, why)
    )
    payload = event_payload(message.id, message.ids, message.at, traits=message.traits)
    own = record(person, message.id, at=message.at, payload=payload)
    return [own] + [
        own._replace(person=each.loser, kind=RecordKind.HAND_OVER, payload=hand_over_payload(each.survivor))
        for each in view.changes.merges[known:]
    ]


# -- what is read


async def read(engine: Engine, identifier: str) -> PersonReading:
    """The person who owns an identifier, who must exist."""
    reading = await engine.read_person(identifier)
    assert reading is not None, f"nobody owns {identifier}"
    return reading


async def state_of(engine: Engine, identifier: str) -> bytes:
    """The encoded state of a person, whatever is folded of it."""
    reading = await read(engine, identifier)
    return encode_state(assemble(reading.person, reading.merged, reading.states, reading.tail))


async def log_of(engine: Engine, *people: PersonId) -> list[Record]:
    """All records of some people, in order."""
    return (await engine.records_of(people, None, 100_000))[::-1]


async def everything(engine: Engine, *people: PersonId) -> list[object]:
    """All that can be read of a store, and of some people: what has left no trace leaves this as it was."""
    return [
        await engine.head(),
        [await engine.read_person(f"person:{person}") for person in people],
        [await engine.identity_of(person) for person in people],
        await engine.records_of(people, None, 1_000),
        await engine.states(people),
        await engine.alarms(1, 100),
        await engine.counts(0, 2 * NOW_MS),
        await engine.quarantined(None, None, None, 100),
        await engine.poisoned(100),
        await engine.effects(None, 100),
        await engine.status(),
        await engine.person_count(),
        await engine.some_people(20),
    ]


async def seen(engine: Engine, *keys: bytes) -> set[bytes]:
    """Those of the keys that were appended before."""
    async with engine.appending() as append:
        return await append.seen(keys)


# -- folding


async def claim_all(engine: Engine, worker: str = "folder", ttl_ms: int = TTL_MS) -> list[Lease]:
    """Leases on all partitions, for a worker who has no rival."""
    leases = await engine.claim(worker, engine.partition_count, ttl_ms)
    assert len(leases) == engine.partition_count
    return leases


async def lease_of(engine: Engine, person: PersonId = ANN, worker: str = "folder") -> Lease:
    """The lease on a person's partition, for a worker who has no rival."""
    return (await claim_all(engine, worker))[partition_of(person)]


def commit(lease: Lease, folded: Position | None = None, **more: Any) -> FoldCommit:
    """A fold commit on one partition, by default with nothing folded; `more` as in FoldCommit."""
    return FoldCommit([lease], {lease.partition: lease.folded if folded is None else folded}, **more)


async def fold(engine: Engine, only: Collection[Partition] | None = None, limit: int = 16_000) -> int:
    """Fold one batch as the fold worker does, of some partitions or of all; how many records."""
    leases = [lease for lease in await claim_all(engine) if only is None or lease.partition in only]
    batch = await engine.unfolded(leases, limit)
    stored = await engine.states({each.person for each in batch})
    states = {person: decode_state(content) for person, content in stored.items()}
    forwards: list[NewRecord] = []
    folded = {lease.partition: lease.folded for lease in leases}
    for each in batch:
        state = states.setdefault(each.person, PersonState(each.person))
        outcome = step(state, input_of(each), EMPTY_CATALOG, NOW_MS)
        if outcome.forward is not None:
            forwards.append(forwarded(each, *outcome.forward))
        folded[each.partition] = each.position
    encoded = [(person, encode_state(state)) for person, state in states.items()]
    await engine.commit_fold(FoldCommit(leases, folded, encoded, forwards=forwards, now_ms=NOW_MS))
    return len(batch)


async def fold_all(engine: Engine) -> None:
    """Fold until nothing is unfolded."""
    while await fold(engine):
        pass


async def set_timers(engine: Engine, *changes: TimerChange) -> None:
    """Commit a fold that changes timers, and nothing else."""
    leases = await claim_all(engine)
    await engine.commit_fold(FoldCommit(leases, {lease.partition: lease.folded for lease in leases}, timers=changes))


# -- effects


def effect(
    name: str = "e1",
    *,
    person: PersonId = ANN,
    kind: str = "webhook",
    target: str = "orders",
    body: bytes = b"{}",
    created_ms: int = NOW_MS,
) -> NewEffect:
    """An effect with a key made from its name."""
    return NewEffect(message_key(SHOP, name), kind, person, target, body, created_ms)


async def put(engine: Engine, *effects: NewEffect) -> None:
    """Commit a fold that puts effects into the outbox, and nothing else."""
    await engine.commit_fold(commit(await lease_of(engine), effects=effects))


def settlement(
    claimed: ClaimedEffect,
    state: EffectState,
    *,
    cause: str = "",
    detail: str = "",
    at_ms: int = NOW_MS,
    not_before_ms: int = 0,
    report: NewRecord | None = None,
) -> Settlement:
    """What became of a claimed effect's attempt."""
    return Settlement(claimed.key, claimed.attempt, state, cause, detail, at_ms, not_before_ms, report)


# -- waiting


async def soon(awaitable: Awaitable[T]) -> T:
    """The result of what is bound to come; TimeoutError otherwise."""
    async with asyncio.timeout(PATIENCE_S):
        return await awaitable
