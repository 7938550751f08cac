"""The store under faults: a disk that is watched and rots, and the way from a process to its engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, ClassVar, Protocol, cast

import msgspec

from courtesy.base.ids import Partition, PersonId, Position
from courtesy.base.time import DAY_MS
from courtesy.engine.contract import Append, AppendBatch, Engine, FoldCommit, Imported, StorageFull, Unavailable
from courtesy.engine.imported import Span, Spans, TakeBack
from courtesy.engine.ledger import Entry, Keyring, LedgerHead, PersonKey
from courtesy.engine.offer import Facts, OfferQuestion
from courtesy.engine.outbox import Settlement
from courtesy.engine.permit import NewPermit, Permit
from courtesy.engine_memory import Disk
from courtesy.engine_memory.identity import IdentityGraph
from courtesy.engine_memory.imports import Imports
from courtesy.engine_memory.offers import Offers
from courtesy.event.cause import Cause
from courtesy.identity.repair import Erasure, Move, Repair
from courtesy.identity.resolve import Changes, Owner
from courtesy.person.chapter import Chapter
from courtesy.person.record import FACTS, SYSTEM_SOURCE, Record, RecordKind
from courtesy.runtime.catalog import SUBSCRIPTION
from tests.sim.faults import Faults
from tests.sim.history import History

ROTTING = (RecordKind.EVENT, RecordKind.GROUP, RecordKind.HAND_OVER)
"""What may be corrupted. A rotten ABSORB would take a person's facts with it: only a backup helps then."""

READS = frozenset({"unfolded", "states", "next_due_ms", "workers", "head", "read_person", "records_of"}) | frozenset(
    {"definitions", "catalog_version", "status", "effects", "counts", "poisoned"}
    | {"quarantined", "quarantine_groups", "identity_of", "identity_history", "person_at", "history", "moves"}
    | {"unfolded_kinds", "waiting_effects", "notes", "was_trimmed", "past", "pending_erasures"}
    | {"suppression_hashes", "known_as", "erasure_marks", "import_progress", "import_counts", "import_spans", "imports"}
    | {"spans_taken_back", "people_in", "permits", "audit_sends", "sends_of", "ledger_of"}
)
"""Calls that need no room."""

WAITS = frozenset({"wait_for_records", "wait_for_effects", "open", "close"})
"""Calls at which nothing goes wrong: a lost connection shows at the next one."""


APPENDING = frozenset(
    {
        "owners_changed_since",
        "seen",
        "owners",
        "held",
        "parts",
        "bans",
        "suppressed",
        "still_quarantined",
        "write",
        "commit",
    }
)
"""The steps of an append."""


class WatchedGraph(IdentityGraph):
    """An identity graph that tells the history of every change."""

    def __init__(self, history: History, epochs_kept: int) -> None:
        super().__init__(epochs_kept)
        self._history = history

    def apply(self, changes: Changes, repair: Repair | None, now_ms: int) -> None:
        super().apply(changes, repair, now_ms)
        self._history.change(changes, repair, now_ms)
        if repair is not None and (repair.cut or repair.owners):
            self._history.check_parted(repair, self._owners)


class WatchedImports(Imports):
    """What is remembered of files, told to the history as it is."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history

    def put(self, imported: Iterable[Imported], first: Position) -> None:
        """As ever, and tell where the records of each file are about to lie."""
        super().put(imported, first)
        self._history.files.place(imported, first)


class Archive:
    """What outlives the log."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def history(self, people: Collection[PersonId], up_to: Position) -> list[Record]:
        """What it has of some people."""
        return [each for each in self.records if each.person in people and each.position <= up_to]

    async def of_chapters(self, chapters: Collection[Chapter]) -> list[Record]:
        """What it has of the chapters' people, of all days on which one of them got any."""
        people, days = {each.person for each in chapters}, {day for each in chapters for day in each.days}
        return [each for each in self.records if each.person in people and each.received // DAY_MS in days]

    async def erase(
        self, people: Collection[PersonId], others: Collection[Position] = (), kept: Collection[Position] = ()
    ) -> int:
        """Forget these people's records but for `kept`, and those at `others`."""
        left = [
            each
            for each in self.records
            if each.position not in others and (each.person not in people or each.position in kept)
        ]
        gone_count = len(self.records) - len(left)
        self.records = left
        return gone_count

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        """For whom the records at these positions were appended."""
        return {each.person for each in self.records if each.position in Spans(spans)}

    async def forget(self, spans: Sequence[Span]) -> int:
        """Forget the records at these positions."""
        return await self.erase((), [each.position for each in self.records if each.position in Spans(spans)])


class WatchedDisk(Disk):
    """A disk that tells the history of every record, and on which some are not what was written."""

    graph: ClassVar[type[WatchedGraph]] = WatchedGraph

    def __init__(self, history: History, faults: Faults, chance: Random, partition_count: int) -> None:
        super().__init__(partition_count)
        self.identity = self.graph(history, chance.choice((1, 3, 1_000)))
        self.offers = Offers(self.identity)
        self.imports = WatchedImports(history)
        self.archive = Archive()
        self._history = history
        self._faults = faults
        self._chance = chance

    def add_records(self, records: Sequence[Record]) -> None:
        written = []
        for record in records:
            rotten = record.kind in ROTTING and self._faults.happens("rot", self._faults.weather.rot)
            stored = record._replace(payload=_rot(record, self._chance)) if rotten else record
            self._history.file(stored, record.payload, rotten=rotten)
            written.append(stored)
            self._check_route(stored)
        self.archive.records += [each for each in written if each.kind in FACTS]
        super().add_records(written)

    def _check_route(self, record: Record) -> None:
        """Whoever an event is put to holds one of its identifiers, or is part of who does."""
        if record.kind is not RecordKind.EVENT or record.source == SYSTEM_SOURCE:
            return
        owners = self.identity.owners(self._history.carried_by(record))
        root = self.identity.person_named(f"person:{record.person}")
        if owners and not any(owner.person == root or owner.shared for owner in owners.values()):
            self._history.fail("cache", f"{record.key.hex()} was put to {record.person}, but its identifiers: {owners}")

    def erase(self, erasure: Erasure) -> None:
        held = self.intake.quarantined(None, None, None, len(erasure.quarantined), None, set(erasure.quarantined))
        super().erase(erasure)
        self._history.erase(erasure, held)

    def issue_permits(self, asked: Sequence[NewPermit], now_ms: int) -> list[Permit | None]:
        issued = super().issue_permits(asked, now_ms)
        for given, permit in zip(asked, issued, strict=True):
            if permit is not None:
                self._history.issue(given, permit, self.identity.person_named(given.identifier), now_ms)
        return issued

    def take_back(self, gone: TakeBack) -> None:
        super().take_back(gone)
        self._history.take_back(gone)


def _rot(record: Record, chance: Random) -> bytes:
    """A payload that can't be decoded, or one that folds but leaves a state that can't be written."""
    kind = chance.randrange(3)
    if record.kind is RecordKind.HAND_OVER or kind == 0:
        return record.payload[: len(record.payload) // 2]
    fields = msgspec.json.decode(record.payload)
    if kind == 1:
        fields["ids"] = 7
    else:
        fields["at"] = 10**30
    return msgspec.json.encode(fields)


class Client(Protocol):
    """A process as its way to the store knows it."""

    name: str

    def crash(self) -> None:
        """Die here and now."""
        ...


class Wire:
    """An engine at the end of a way on which things go wrong: calls that never arrive, answers that never come back.

    `inner` is a real engine over the common disk. All that takes hold there is told to the history.
    """

    append_type: ClassVar[type[WiredAppend]]

    def __init__(self, inner: Engine, client: Client, faults: Faults, history: History) -> None:
        self.partition_count = inner.partition_count
        self.inner = inner
        self._client = client
        self._faults = faults
        self._history = history

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self.inner, name)
        if name in WAITS:
            return cast(Callable[..., Awaitable[Any]], method)

        async def wired(*args: Any, **kwargs: Any) -> Any:
            return await self.call(name, method, args, kwargs)

        self.__dict__[name] = wired
        return wired

    async def issue_permits(self, asked: Sequence[NewPermit]) -> list[Permit | None]:
        """What was decided is issued after a while: a process that asks for many thinks long."""
        await asyncio.sleep(self._faults.thought_s())
        return cast("list[Permit | None]", await self.call("issue_permits", self.inner.issue_permits, (asked,), {}))

    async def call(self, name: str, method: Callable[..., Awaitable[Any]], args: Any, kwargs: Any) -> Any:
        await self.reach(name)
        if name == "commit_fold":
            self._history.forwarding(args[0])
        unfolded_count = await self._unfolded_count() if name == "trim" else 0
        result = await method(*args, **kwargs)
        if name == "trim" and await self._unfolded_count() != unfolded_count:
            self._history.fail("trim", "records were dropped that nobody had folded")
        self._tell(name, args, result)
        await self.hear(name)
        return result

    async def _unfolded_count(self) -> int:
        return sum(each.unfolded_count for each in await self.inner.status())

    async def reach(self, name: str) -> None:
        """The way there: nothing has taken hold yet."""
        faults, weather = self._faults, self._faults.weather
        await asyncio.sleep(faults.latency_s())
        if faults.happens("crash before", weather.crash / 2):
            await self._die()
        if faults.happens("pause", weather.pause):
            await asyncio.sleep(faults.pause_s())
        if faults.is_out or faults.happens("unsure before", weather.unsure / 2):
            raise Unavailable("the store does not answer")
        if faults.is_full and name not in READS:
            raise StorageFull("no room left")
        if name in APPENDING and faults.happens("odd", weather.odd):
            raise RuntimeError("nobody foresaw this")

    async def hear(self, name: str) -> None:
        """The way back: it took hold, which may never be known."""
        faults, weather = self._faults, self._faults.weather
        if faults.happens("crash after", weather.crash / 2):
            await self._die()
        if faults.is_out or faults.happens("unsure after", weather.unsure / 2):
            raise Unavailable("the store's answer did not come")

    async def _die(self) -> None:
        self._client.crash()
        await asyncio.Event().wait()

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[Append]:
        """An append that may fail at each of its steps, and whose commit may be lost or its answer be."""
        await self.reach("appending")
        async with self.inner.appending() as append:
            wired = self.append_type(self, append)
            yield wired
            await self.reach("commit")
        self._history.trace.note(self._client.name, "appended", wired.position)
        await self.hear("commit")

    def _tell(self, name: str, args: Any, result: Any) -> None:
        history = self._history
        if name == "commit_fold":
            history.fold(cast(FoldCommit, args[0]))
        elif name == "claim":
            history.lease(result)
        elif name == "define" and args[0] == SUBSCRIPTION:
            history.define(args[1], present=args[2] is not None)
        elif name == "settle" and result:
            history.settle(cast(Settlement, args[0]))
        history.trace.note(self._client.name, name, _brief(result))


def _brief(result: Any) -> object:
    if isinstance(result, list | dict | set):
        return len(result)
    return result if isinstance(result, int | bool | None) else type(result).__name__


class WiredAppend:
    """One append, each step of which goes over the wire."""

    def __init__(self, wire: Wire, inner: Append) -> None:
        self.position = Position(0)
        self._wire = wire
        self._inner = inner
        self.has_suppressed = inner.has_suppressed

    async def owners_changed_since(self, epoch: int) -> tuple[int, Collection[str] | None]:
        await self._wire.reach("owners_changed_since")
        return await self._inner.owners_changed_since(epoch)

    async def seen(self, keys: Sequence[bytes]) -> set[bytes]:
        await self._wire.reach("seen")
        return await self._inner.seen(keys)

    async def owners(self, identifiers: Sequence[str]) -> dict[str, Owner]:
        await self._wire.reach("owners")
        return await self._inner.owners(identifiers)

    async def held(self, people: Collection[PersonId]) -> dict[PersonId, set[str]]:
        await self._wire.reach("held")
        return await self._inner.held(people)

    async def parts(self, people: Collection[PersonId]) -> dict[PersonId, set[PersonId]]:
        await self._wire.reach("parts")
        return await self._inner.parts(people)

    async def ledger_head(self, partitions: Collection[Partition]) -> LedgerHead:
        await self._wire.reach("ledger_head")
        return await self._inner.ledger_head(partitions)

    async def person_keys(self, people: Collection[PersonId]) -> dict[PersonId, PersonKey]:
        await self._wire.reach("person_keys")
        return await self._inner.person_keys(people)

    async def entered_since(self, index: int) -> tuple[int, Collection[PersonId] | None]:
        await self._wire.reach("entered_since")
        return await self._inner.entered_since(index)

    async def ledger_of(
        self, people: Collection[PersonId], recorded_until_ms: int | None = None
    ) -> tuple[list[Entry], Keyring]:
        await self._wire.reach("ledger_of")
        return await self._inner.ledger_of(people, recorded_until_ms)

    async def moves(self, people: Collection[PersonId]) -> list[Move]:
        await self._wire.reach("moves")
        return await self._inner.moves(people)

    async def offer_facts(self, asked: OfferQuestion) -> Facts:
        await self._wire.reach("offer_facts")
        return await self._inner.offer_facts(asked)

    async def suppressed(self, identifiers: Collection[str]) -> set[str]:
        await self._wire.reach("suppressed")
        return await self._inner.suppressed(identifiers)

    async def bans(self, identifiers: Collection[str]) -> dict[str, set[str]]:
        await self._wire.reach("bans")
        return await self._inner.bans(identifiers)

    async def still_quarantined(self, numbers: Sequence[int]) -> dict[int, Cause]:
        await self._wire.reach("still_quarantined")
        return await self._inner.still_quarantined(numbers)

    async def write(self, batch: AppendBatch) -> Position:
        await self._wire.reach("write")
        self.position = await self._inner.write(batch)
        return self.position


Wire.append_type = WiredAppend
