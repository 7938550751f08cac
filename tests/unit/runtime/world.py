"""A small world for the parts of one process: an engine in memory that can be made to fail, and calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import ManualClock
from courtesy.engine.contract import AppendBatch, Count, FoldCommit, Lease
from courtesy.engine.ledger import Entry, Keyring
from courtesy.engine_memory import Disk, MemoryEngine
from courtesy.engine_memory.append import MemoryAppend
from courtesy.event.accept import Accepted, Draft, Rejected, SourcePolicy, accept
from courtesy.event.cause import Fate
from courtesy.identity.resolve import Owner
from courtesy.identity.rules import IdentityRules
from courtesy.person.record import Record
from courtesy.runtime.ingest import Ingest, Receipt

NOW_MS = 1_763_812_800_000
SHOP, TILL = SourcePolicy(SourceId(1)), SourcePolicy(SourceId(2))
POISON = "poison"
"""An engine that is told to refuses what has this in its payload."""


class Trouble(Exception):
    """A bug of a store: nothing that the contract knows."""


class _Fussy(MemoryAppend):
    """An append that refuses some batches."""

    def __init__(self, append: MemoryAppend, engine: Engine) -> None:
        super().__init__(append._disk)
        self._append = append
        self._engine = engine

    async def write(self, batch: AppendBatch) -> Position:
        if self._engine.refuses(batch):
            raise Trouble("no room for \0 this one \ud800")
        return await self._append.write(batch)

    async def ledger_of(
        self, people: Collection[PersonId], recorded_until_ms: int | None = None
    ) -> tuple[list[Entry], Keyring]:
        self._engine.ledger_looks += 1
        return await super().ledger_of(people, recorded_until_ms)


class Engine(MemoryEngine):
    """An engine in memory that counts its appends and fails as it is told.

    `before` and `after` are raised one by one by its writes (appends, fold commits, timers that fire), before and after
    they are committed. `crash` may do so at any point: it is asked at each, told whether the write is committed.
    """

    def __init__(self, clock: ManualClock | None = None, disk: Disk | None = None) -> None:
        self.clock = clock or ManualClock(NOW_MS)
        self.disk = disk or Disk()
        super().__init__(self.clock, self.disk.partition_count, self.disk)
        self.append_count = 0
        self.ledger_looks = 0
        self.before: list[BaseException] = []
        self.after: list[BaseException] = []
        self.crash: Callable[[bool], bool] = lambda committed: False
        self.people_read: list[set[PersonId]] = []
        self.refuses_poison = False
        self.given_people: list[int] = []

    def refuses(self, batch: AppendBatch) -> bool:
        """Whether a batch has what it was told to refuse."""
        return self.refuses_poison and any(POISON.encode() in record.payload for record in batch.records)

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[MemoryAppend]:
        self.append_count += 1
        async with super().appending() as append:
            yield _Fussy(append, self)
            self._pass(committed=False)
        self._pass(committed=True)

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Inside, another process appends, so that everybody else waits."""
        async with opened(self.clock, self.disk) as other, MemoryEngine.appending(other):
            yield

    async def commit_fold(self, commit: FoldCommit) -> None:
        self._pass(committed=False)
        await super().commit_fold(commit)
        self._pass(committed=True)

    async def fire_timers(self, leases: Sequence[Lease], now_ms: int, limit: int) -> int:
        self._pass(committed=False)
        fired = await super().fire_timers(leases, now_ms, limit)
        self._pass(committed=True)
        return fired

    def _pass(self, *, committed: bool) -> None:
        """A point at which a write may fail."""
        errors = self.after if committed else self.before
        if errors:
            raise errors.pop(0)
        if self.crash(committed):
            raise Trouble("crash")

    async def states(self, people: Collection[PersonId]) -> dict[PersonId, bytes]:
        self.people_read.append(set(people))
        return await super().states(people)

    async def reserve_people(self, count: int) -> range:
        people = await super().reserve_people(count)
        self.given_people.extend(people)
        return people

    def log(self) -> list[Record]:
        """All records, in order."""
        partitions = self.disk.log._partitions
        return sorted(record for partition in partitions for record in partition)

    def owners(self, *identifiers: str) -> list[Owner]:
        """The owners of identifiers that have one."""
        return list(self.disk.identity.owners(identifiers).values())

    def owner(self, identifier: str) -> PersonId:
        """Whom an identifier points to."""
        (owner,) = self.owners(identifier)
        return owner.person

    async def fates(self) -> Counter[Fate]:
        """How many events met each fate, by all sources and in all hours."""
        fates: Counter[Fate] = Counter()
        for each in await self.all_counts():
            fates[each.fate] += each.event_count
        return fates

    async def all_counts(self) -> list[Count]:
        """Every count that there is."""
        return await self.counts(0, NOW_MS * 2)


@asynccontextmanager
async def opened(clock: ManualClock | None = None, disk: Disk | None = None) -> AsyncIterator[Engine]:
    """An engine, open inside."""
    engine = Engine(clock, disk)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def ingesting(engine: Engine, rules: Callable[[], IdentityRules] | None = None) -> AsyncIterator[Ingest]:
    """An ingest, started; stopped on leaving."""
    default = IdentityRules()
    ingest = Ingest(engine, rules or (lambda: default), engine.clock)
    ingest.start()
    try:
        yield ingest
    finally:
        await ingest.stop()


def call(
    message_id: str, *, policy: SourcePolicy = SHOP, at: int = NOW_MS, live: bool = True, **fields: Any
) -> Accepted | Rejected:
    """A judged call; a track call of user `ann` unless the fields, named as on the wire, say otherwise."""
    given: dict[str, Any] = {"type": "track", "event": "Product Viewed", "messageId": message_id, "userId": "ann"}
    raw = msgspec.json.encode(given | fields)
    return accept(Draft(raw, policy, at, None, lambda _: "no id", None, live))


def visit(message_id: str, anonymous_id: str, **fields: Any) -> Accepted | Rejected:
    """A call of an anonymous visitor."""
    return call(message_id, userId=None, anonymousId=anonymous_id, **fields)


async def append_all(ingest: Ingest, calls: Sequence[Accepted | Rejected]) -> Receipt:
    """Hand them in as one call of the shop."""
    return await ingest.append(calls, SHOP)


def message_ids(records: Iterable[Record]) -> list[str]:
    """What the messages of event records are called."""
    return [str(msgspec.json.decode(record.payload)["id"]) for record in records]


async def receive(engine: Engine, *calls: Accepted | Rejected) -> Receipt:
    """Store calls, with an ingest that is there for them alone."""
    async with ingesting(engine) as ingest:
        return await ingest.append(calls, SHOP)
