"""Canaries: runs in which one part is broken on purpose, each in a way that one of the checkers must notice.

They replace whole parts by subclasses of the real ones; nothing in the product is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.channel.contract import Attempt, FailCause, Failed
from courtesy.engine.contract import (
    Append,
    AppendBatch,
    Count,
    FoldCommit,
    Lease,
    PersonReading,
    Quarantined,
    Unavailable,
)
from courtesy.engine.imported import TakeBack
from courtesy.engine.ledger import LedgerWrite
from courtesy.engine.outbox import ClaimedEffect, Settlement
from courtesy.engine.permit import JudgedSend, NewPermit, Permit, Send, SendFault
from courtesy.engine_memory.folding import Folding
from courtesy.engine_memory.intake import Intake
from courtesy.engine_memory.ledger import Ledger
from courtesy.engine_memory.outbox import Outbox
from courtesy.engine_memory.permits import Permits
from courtesy.event.accept import Accepted, Rejected, SourcePolicy
from courtesy.event.cause import Cause, Fate
from courtesy.identity.repair import Erasure, Move, Note
from courtesy.identity.rules import IdentityRules
from courtesy.person.record import Record
from courtesy.person.state import Stamp, encode_state
from courtesy.runtime.dispatch import Dispatcher
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.ingest import Ingest, Receipt
from courtesy.runtime.repair import Cut, Repairs
from courtesy.runtime.take_back import TakeBacks
from tests.sim.faults import Weather
from tests.sim.process import Parts
from tests.sim.store import WatchedDisk, WatchedGraph, Wire, WiredAppend


class ForgetfulAppend(WiredAppend):
    """Forgets which messages it has seen."""

    async def seen(self, keys: Sequence[bytes]) -> set[bytes]:
        return set()

    async def write(self, batch: AppendBatch) -> Position:
        return await super().write(batch._replace(keys=(), keep_keys=frozenset()))


class StaleAppend(WiredAppend):
    """Never says that an identifier has another owner now."""

    async def owners_changed_since(self, epoch: int) -> tuple[int, Collection[str] | None]:
        now, _ = await super().owners_changed_since(epoch)
        return now, ()


class MiscountingAppend(WiredAppend):
    """Does not count duplicates."""

    async def write(self, batch: AppendBatch) -> Position:
        counts = [each for each in batch.counts if each.fate is not Fate.DUPLICATE]
        return await super().write(batch._replace(counts=counts))


class TakesAgainAppend(WiredAppend):
    """Hands out what another took from quarantine before."""

    async def still_quarantined(self, numbers: Sequence[int]) -> dict[int, Cause]:
        return dict.fromkeys(numbers, Cause.NAME_MISSING) | await super().still_quarantined(numbers)


class TakesAgain(Wire):
    append_type = TakesAgainAppend


class Forgetful(Wire):
    append_type = ForgetfulAppend


class Stale(Wire):
    append_type = StaleAppend


class Miscounting(Wire):
    append_type = MiscountingAppend


class LosingAppend(WiredAppend):
    """Says that it wrote, and now and then did not."""

    async def write(self, batch: AppendBatch) -> Position:
        if len(batch.records) % 3 == 1:
            return Position(1)
        return await super().write(batch)


class Losing(Wire):
    append_type = LosingAppend


class OffsetsFirst(Wire):
    """Commits how far it folded, and what came of it in a transaction of its own."""

    async def commit_fold(self, commit: FoldCommit) -> None:
        first = FoldCommit(leases=commit.leases, folded=commit.folded, now_ms=commit.now_ms)
        await self.call("commit_fold", self.inner.commit_fold, (first,), {})
        leases = [lease._replace(folded=commit.folded[lease.partition]) for lease in commit.leases]
        await self.call("commit_fold", self.inner.commit_fold, (replace(commit, leases=leases),), {})


class Meddling(Wire):
    """Changes what is committed on its way."""

    def meddled(self, commit: FoldCommit) -> FoldCommit:
        """The commit that arrives."""
        raise NotImplementedError

    async def commit_fold(self, commit: FoldCommit) -> None:
        await self.call("commit_fold", self.inner.commit_fold, (self.meddled(commit),), {})


class PutsTwice(Meddling):
    """Has no unique key for effects."""

    def meddled(self, commit: FoldCommit) -> FoldCommit:
        again = [effect._replace(key=effect.key[::-1]) for effect in commit.effects]
        return replace(commit, effects=[*commit.effects, *again])


class ForwardsNothing(Meddling):
    """Loses what belongs to whom a person became part of."""

    def meddled(self, commit: FoldCommit) -> FoldCommit:
        return replace(commit, forwards=())


class SetsNoTimer(Meddling):
    """Loses timers."""

    def meddled(self, commit: FoldCommit) -> FoldCommit:
        return replace(commit, timers=())


class FiresNothing(Wire):
    """Leaves due timers where they are."""

    async def fire_timers(self, leases: Sequence[Lease], now_ms: int, limit: int) -> int:
        return 0


class ReadsNoTail(Wire):
    """Reads people as they are folded, whatever was acknowledged since."""

    async def read_person(self, identifier: str) -> PersonReading | None:
        reading: PersonReading | None = await self.call("read_person", self.inner.read_person, (identifier,), {})
        return None if reading is None else replace(reading, tail=[])


class ReportsNothing(Wire):
    """Settles effects without a word."""

    async def settle(self, settlement: Settlement) -> bool:
        silent = settlement._replace(report=None)
        return bool(await self.call("settle", self.inner.settle, (silent,), {}))


class ArrivalCounts(FoldWorker):
    """Takes what arrived last for what happened last."""

    def _fold(self, record: Record, changes: Any) -> None:
        super()._fold(record, changes)
        state = self._hot[record.person]
        if state.last is not None:
            state.last = Stamp(record.at, state.last.tie)


class BatchCounts(FoldWorker):
    """Keeps more or less of the latest events, depending on how records came together."""

    def _fold_all(self, records: Sequence[Record], fold: Any) -> Any:
        changes = super()._fold_all(records, fold)
        if len(records) > 3:
            for person in changes.touched:
                del self._hot[person].recent[2:]
            changes.states = [(person, encode_state(self._hot[person])) for person in changes.touched]
        return changes


class StopsAtPoison(FoldWorker):
    """Waits for a record that can't be folded to mend itself."""

    def _fold_carefully(self, record: Record, changes: Any) -> None:
        raise Unavailable("there is something odd")


class DiesOfPoison(FoldWorker):
    """Falls over a record that can't be folded."""

    def _fold_carefully(self, record: Record, changes: Any) -> None:
        self._fold(record, changes)


class SetsAllAside(FoldWorker):
    """Sets aside whatever comes together with a record that can't be folded."""

    def _fold_carefully(self, record: Record, changes: Any) -> None:
        whole = record._replace(payload=b"")
        super()._fold_carefully(whole, changes)


class GivesUpEarly(Dispatcher):
    """Believes of some targets that they are gone."""

    async def _attempt(self, effect: ClaimedEffect) -> Attempt:
        if effect.key[0] < 40:
            return Failed(FailCause.BAD_CONFIG, "nothing of that name")
        return await super()._attempt(effect)


class BelievesClocks(Ingest):
    """Takes the time of clients as it is."""

    async def append(
        self,
        items: Sequence[Accepted | Rejected],
        policy: SourcePolicy,
        *,
        keep_keys: bool = False,
        held: Sequence[Quarantined] = (),
        file: str | None = None,
    ) -> Receipt:
        taken = [item if isinstance(item, Rejected) else _as_stated(item) for item in items]
        return await super().append(taken, policy, keep_keys=keep_keys, held=held, file=file)


def _as_stated(item: Accepted) -> Accepted:
    event = item.event
    at = event.at if event.original is None else event.original
    return msgspec.structs.replace(item, event=msgspec.structs.replace(event, at=at))


class SaysYes(Ingest):
    """Tells nobody what was not stored."""

    async def append(
        self,
        items: Sequence[Accepted | Rejected],
        policy: SourcePolicy,
        *,
        keep_keys: bool = False,
        held: Sequence[Quarantined] = (),
        file: str | None = None,
    ) -> Receipt:
        receipt = await super().append(items, policy, keep_keys=keep_keys, held=held, file=file)
        return replace(receipt, results=())


class FiresEarly(Wire):
    """Fires timers five seconds before they are due."""

    async def next_due_ms(self, leases: Sequence[Lease]) -> int | None:
        return 0

    async def fire_timers(self, leases: Sequence[Lease], now_ms: int, limit: int) -> int:
        fired = await self.call("fire_timers", self.inner.fire_timers, (leases, now_ms + 5_000, limit), {})
        return int(fired)


class UnexplainedAppend(WiredAppend):
    """Keeps no evidence for links."""

    async def write(self, batch: AppendBatch) -> Position:
        return await super().write(batch._replace(changes=replace(batch.changes, links=[], merges=[])))


class Unexplained(Wire):
    append_type = UnexplainedAppend


class FallsSilent(Ingest):
    """Ends its work at the first failure that nobody foresaw."""

    async def _isolate(self, *_: Any, **__: Any) -> None:
        await asyncio.Event().wait()


class _Unfenced(Folding):
    def check_epochs(self, leases: Sequence[Lease]) -> None:
        pass

    def check_leases(self, leases: Sequence[Lease]) -> None:
        pass


class Unfenced(WatchedDisk):
    """Lets everybody commit who ever owned a partition."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.folding = _Unfenced(self.partition_count)


class TrimsAll(WatchedDisk):
    """Drops what is old, folded or not."""

    def trimmable(self, up_to: Position, limit: int) -> list[Record]:
        return self.log.all_after(Position(0), limit)


class ReadsOnlyTheRoot(WatchedDisk):
    """Forgets what is stored of somebody when it reads them by their number."""

    def read_person(self, identifier: str) -> PersonReading | None:
        reading = super().read_person(identifier)
        if reading is None or not identifier.startswith("person:"):
            return reading
        return replace(reading, tail=self.log.of_person_after(reading.person, Position(0)))


class Skips(WatchedDisk):
    """Leaves a hole in the log now and then."""

    def add_records(self, records: Sequence[Record]) -> None:
        super().add_records([each._replace(position=Position(each.position + each.position // 40)) for each in records])


class ForgetsMoves(Repairs):
    """Cuts people apart, and leaves their events where they were."""

    async def corrected(self, *args: Any) -> Cut:
        cut = await super().corrected(*args)
        cut.repair = replace(cut.repair, moves=())
        return cut


class LeavesStates(Repairs):
    """Cuts people apart, and finds the state of only one of them anew."""

    async def _write(self, append: Append, cut: Cut) -> Position:
        return await super()._write(append, replace(cut, pieces=cut.pieces[:1], tombstones=[]))


class CutsAll(Repairs):
    """Cuts every link there is, when it was asked to cut two apart."""

    async def unmerge(self, a: str, b: str, by: str, reason: str, *, dry: bool) -> Cut:
        note = Note("unmerge", PersonId(0), by, reason, 0)
        return await self._apart(a, [a, b], lambda links, _: list(links), note, dry=dry)


class KeepsWhatFilesTold(TakeBacks):
    """Leaves the identifiers of which only the file told with whom it gave them."""

    async def _gone(self, *args: Any) -> TakeBack:
        return replace(await super()._gone(*args), identifiers=())


class KeepsWhomFilesJoined(TakeBacks):
    """Leaves people one whom only the file made one."""

    async def _gone(self, *args: Any) -> TakeBack:
        return replace(await super()._gone(*args), cut=(), links=())


class KeepsCounts(WatchedDisk):
    """Counts what was taken back for ever."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.intake = _KeepsCounts()


class _KeepsCounts(Intake):
    def uncount(self, counts: Iterable[Count]) -> None:
        pass


class _Unmoved(WatchedGraph):
    def moves_of(self, people: Collection[PersonId]) -> list[Move]:
        return []


class Unmoved(WatchedDisk):
    """Knows of no events that were given to others."""

    graph = _Unmoved


class _Timeless(WatchedGraph):
    def person_at(self, identifier: str, at_ms: int) -> tuple[PersonId, list[PersonId]] | None:
        person = self.person_named(identifier)
        return None if person is None else (person, self.merged_into(person))


class Timeless(WatchedDisk):
    """Takes who somebody is for who they were."""

    graph = _Timeless


class _KeepsEffects(Outbox):
    def forget(self, people: Collection[PersonId], keys: Collection[bytes]) -> None:
        pass


class KeepsEffects(WatchedDisk):
    """Erases everything but the outbox."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.outbox = _KeepsEffects()


class _LosesEntries(Ledger):
    def put(self, written: LedgerWrite, first: Position) -> None:
        super().put(replace(written, entries=written.entries[:-1]), first)


class LosesEntries(WatchedDisk):
    """Keeps all of what somebody chose at once but the last."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ledger = _LosesEntries()


class _KeepsKeys(Ledger):
    def forget(self, erasure: Erasure) -> None:
        keys = dict(self.keys)
        super().forget(erasure)
        self.keys = keys


class KeepsKeys(WatchedDisk):
    """Erases everything but the key to what somebody chose."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ledger = _KeepsKeys()


class IssuesAnyway(Wire):
    """Takes what was decided for what is true now."""

    async def issue_permits(self, asked: Sequence[NewPermit]) -> list[Permit | None]:
        return await super().issue_permits([msgspec.structs.replace(each, read=Position(2**62)) for each in asked])


class ComparesNothing(WatchedDisk):
    """Issues whatever was decided, to whoever it was."""

    def holds(self, asked: NewPermit, now_ms: int) -> bool:
        return True


class _ForgetsHashes(Permits):
    def put(self, send: Send) -> JudgedSend:
        return super().put(msgspec.structs.replace(send, message_hash=None))


class ForgetsHashes(WatchedDisk):
    """Joins what left to permits without looking at its bytes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.permits = _ForgetsHashes()


class _ForgetsWhen(Permits):
    def put(self, send: Send) -> JudgedSend:
        judged = super().put(send)
        return msgspec.structs.replace(judged, fault=None) if judged.fault is SendFault.EXPIRED else judged


class ForgetsWhen(WatchedDisk):
    """Tells whoever sends that a permit holds for ever."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.permits = _ForgetsWhen()


def _logins_are_not_unique(rules: IdentityRules) -> IdentityRules:
    kinds = tuple(msgspec.structs.replace(kind, unique=False) for kind in rules.kinds)
    return msgspec.structs.replace(rules, kinds=kinds)


@dataclass(frozen=True, slots=True)
class Canary:
    """A broken part, who must notice, and in what weather."""

    parts: Parts
    checker: str
    weather: Weather | None = None


ROT = Weather(rot=0.05, crash=0.002)
LOSSES = Weather(lose=0.3, repeat=0.3, crash=0.01, unsure=0.02)
REPAIRS = Weather(repairs=40)
FILES = Weather(files=3, crash=0.005)
RUSH = Weather(repairs=8, pause=0.01)
TAKEOVERS = Weather(pause=0.03, clock_jumps=3, joins=2)

CANARIES: dict[str, Canary] = {
    "message keys are forgotten": Canary(Parts(wire=Forgetful), "acknowledged", LOSSES),
    "commits are lost": Canary(Parts(wire=Losing), "acknowledged", Weather(unsure=0.02)),
    "an odd failure ends the appends": Canary(Parts(ingest=FallsSilent), "progress", Weather(odd=0.01)),
    "results are kept back": Canary(Parts(ingest=SaysYes), "answers"),
    "duplicates are not counted": Canary(Parts(wire=Miscounting), "counts", LOSSES),
    "events are taken out of quarantine twice": Canary(
        Parts(wire=TakesAgain), "counts", Weather(mendings=40, repeat=0.2)
    ),
    "offsets before states": Canary(Parts(wire=OffsetsFirst), "facts", LOSSES),
    "the tail is not read": Canary(Parts(wire=ReadsNoTail), "read_your_writes"),
    "caches go stale": Canary(Parts(wire=Stale), "cache", Weather(repeat=0.1)),
    "merges hand nothing over": Canary(Parts(wire=ForwardsNothing), "conservation"),
    "the last to arrive wins": Canary(Parts(worker=ArrivalCounts), "shuffle"),
    "batches show": Canary(Parts(worker=BatchCounts), "refold"),
    "a state is read twice": Canary(Parts(disk=ReadsOnlyTheRoot), "reads"),
    "poison stops a partition": Canary(Parts(worker=StopsAtPoison), "progress", ROT),
    "poison kills a worker": Canary(Parts(worker=DiesOfPoison), "processes", ROT),
    "what is sound is set aside": Canary(Parts(worker=SetsAllAside), "set_aside", ROT),
    "client clocks are believed": Canary(Parts(ingest=BelievesClocks), "times"),
    "effects have no unique key": Canary(Parts(wire=PutsTwice), "effects"),
    "outcomes are not reported": Canary(Parts(wire=ReportsNothing), "effects"),
    "timers are lost": Canary(Parts(wire=SetsNoTimer), "triggers"),
    "timers never fire": Canary(Parts(wire=FiresNothing), "progress"),
    "timers fire early": Canary(Parts(wire=FiresEarly), "waits", Weather()),
    "links leave no evidence": Canary(Parts(wire=Unexplained), "explained"),
    "targets are given up": Canary(Parts(dispatcher=GivesUpEarly), "targets"),
    "logins may be joined": Canary(Parts(rules=_logins_are_not_unique), "identity"),
    "leases fence nobody off": Canary(Parts(disk=Unfenced), "one_owner", TAKEOVERS),
    "trimming takes what is not folded": Canary(Parts(disk=TrimsAll), "trim", Weather(trims=8, outages=2)),
    "events stay where they were": Canary(Parts(repairs=ForgetsMoves), "parted", REPAIRS),
    "states stay as they were": Canary(Parts(repairs=LeavesStates), "restored", REPAIRS),
    "too much is cut": Canary(Parts(repairs=CutsAll), "given_back", REPAIRS),
    "moves are not read": Canary(Parts(disk=Unmoved), "assigned", REPAIRS),
    "the past is forgotten": Canary(Parts(disk=Timeless), "known_then", REPAIRS),
    "the outbox is not erased": Canary(Parts(disk=KeepsEffects), "forgotten", Weather(erasures=3)),
    "choices are lost": Canary(Parts(disk=LosesEntries), "ledger", Weather()),
    "keys outlive their people": Canary(Parts(disk=KeepsKeys), "ledger", Weather(erasures=3)),
    "what a file told stays": Canary(Parts(take_backs=KeepsWhatFilesTold), "taken_back", FILES),
    "whom a file joined stay one": Canary(Parts(take_backs=KeepsWhomFilesJoined), "taken_back", FILES),
    "a file counts for ever": Canary(Parts(disk=KeepsCounts), "counts", FILES),
    "permits are issued on what was true once": Canary(Parts(wire=IssuesAnyway), "permits", RUSH),
    "nothing is compared when permits are issued": Canary(Parts(disk=ComparesNothing), "permits", RUSH),
    "a refusal counts once it is folded": Canary(Parts(wire=ReadsNoTail), "permits", RUSH),
    "audits look at no bytes": Canary(Parts(disk=ForgetsHashes), "sends", RUSH),
    "permits hold for ever": Canary(Parts(disk=ForgetsWhen), "sends", RUSH),
    "the ledger has less than was decided by": Canary(Parts(disk=LosesEntries), "asked_again", RUSH),
    "positions have holes": Canary(Parts(disk=Skips), "log"),
}
