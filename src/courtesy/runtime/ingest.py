"""Ingest: group commit. What many callers hand in at once becomes one append, and each learns what became of its own.

Within the append duplicates are dropped, identifiers resolved to people and counts kept, so that for every source and
hour `received = stored + quarantined + duplicate + suppressed` holds at every instant.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_bytes
from typing import NamedTuple, Protocol

import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import HOUR_MS, Clock
from courtesy.engine.contract import Append, AppendBatch, Count, Engine, Imported, Quarantined, Unavailable
from courtesy.engine.imported import FileKey, runs_of
from courtesy.event.accept import Accepted, Rejected, SourcePolicy, circumstances_of
from courtesy.event.cause import FATE, TOLD_REMARKS, Cause, Fate
from courtesy.event.signature import signature_of
from courtesy.identity.rules import IdentityRules
from courtesy.person.record import NewRecord
from courtesy.runtime.hearing import Hearing
from courtesy.runtime.identities import Fresh, Identities
from courtesy.runtime.item import Item, held_to, prepared
from courtesy.runtime.ledger import Draw, LedgerWriter
from courtesy.runtime.telemetry import APPEND_EVENTS, APPEND_SECONDS, TRACER
from courtesy.schema.event_schema import SchemaBook

COMPANY_MS = 2
"""How long a lone batch waits for company. The contract allows 5; 2 ms already fills batches under load, because
whatever comes in while an append is under way goes with the next one."""

APPEND_ITEMS_MAX = 5_000
TURN_ITEMS = 100
"""How many items are accepted between two turns of the loop: some 2 ms."""

QUEUED_ITEMS_MAX = 50_000
DETAIL_CHARS_MAX = 500

SHOWN_REMEMBERED = 2_000
"""Wordings and consent strings of which this process knows that they are kept."""

log = structlog.get_logger("ingest")

_Bucket = tuple[SourceId, int, Fate, Cause | None]


class ItemResult(NamedTuple):
    """What became of an item that was not stored, or, with the fate `stored`, what its sender is to know of it."""

    place: int
    fate: Fate
    cause: Cause
    detail: str
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one call: a position that covers everything stored, and the items that were not.

    Items that were stored with a warning are among the results, too. Of held items those that somebody else took
    meanwhile are in neither.
    """

    position: Position
    results: tuple[ItemResult, ...]
    stored_count: int


@dataclass(slots=True)
class _Ticket:
    """One call waiting for its append. `held`: from quarantine, one for each item, or none at all."""

    items: list[Item]
    policy: SourcePolicy
    keep_keys: bool
    done: asyncio.Future[Receipt]
    held: Sequence[Quarantined] = ()
    file: str | None = None

    def part(self, first: int, end: int) -> _Ticket:
        """The items from `first` to before `end`, as a ticket with the same answer."""
        held = self.held[first:end]
        return _Ticket(self.items[first:end], self.policy, self.keep_keys, self.done, held, self.file)


class RulesNow(Protocol):
    """Tells the identity rules in force."""

    def __call__(self) -> IdentityRules: ...


class SchemasNow(Protocol):
    """Tells the schemas in force."""

    def __call__(self) -> SchemaBook: ...


NO_SCHEMAS = SchemaBook()


@dataclass(slots=True)
class _Draft:
    """What an append will write, and what it will answer."""

    keys: list[bytes] = field(default_factory=list)
    kept: set[bytes] = field(default_factory=set)
    stored_hours: Counter[tuple[SourceId, int]] = field(default_factory=Counter)
    others: Counter[tuple[SourceId, int, Fate, Cause]] = field(default_factory=Counter)
    moved: Counter[tuple[SourceId, int, Fate, Cause | None]] = field(default_factory=Counter)
    quarantined: list[Quarantined] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    held_again: list[Quarantined] = field(default_factory=list)
    results: list[list[ItemResult]] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    files: dict[bytes, FileKey] = field(default_factory=dict)
    file_counts: defaultdict[FileKey, Counter[_Bucket]] = field(default_factory=lambda: defaultdict(Counter))

    def all_counts(self) -> list[Count]:
        """What to add to the store's counts, received included."""
        return [
            *(Count(*key, count) for key, count in _with_received(self.stored_hours, self.others).items()),
            *(Count(*key, count) for key, count in self.moved.items() if count),
        ]

    def all_imported(self, records: Sequence[NewRecord]) -> list[Imported]:
        """What of the records and the counts is a file's."""
        if not self.file_counts:
            return []
        runs = runs_of([record.key for record in records], self.files)
        return [
            Imported(file, runs.get(file, ()), [Count(*key, count) for key, count in counts.items()])
            for file, counts in self.file_counts.items()
        ]

    def move(self, held: Quarantined, cause: Cause, fate: Fate, now_cause: Cause | None) -> None:
        """Count what was held under a cause, in the hour in which it was received, under what it met now."""
        hour = _hour(held.received_ms)
        self.moved[held.source, hour, Fate.QUARANTINED, cause] -= 1
        self.moved[held.source, hour, fate, now_cause] += 1
        if held.file is not None:
            counts = self.file_counts[FileKey(held.file, held.source)]
            counts[held.source, hour, Fate.QUARANTINED, cause] -= 1
            counts[held.source, hour, fate, now_cause] += 1
        if fate is not Fate.QUARANTINED:
            self.released.append(held.number)


class Ingest:
    """The way into the log for one process. Start with `start`, end with `stop`; both may be called once."""

    def __init__(
        self,
        engine: Engine,
        rules_now: RulesNow,
        clock: Clock,
        schemas_now: SchemasNow = lambda: NO_SCHEMAS,
        draw: Draw = token_bytes,
    ) -> None:
        """`draw` gives the keys of the ledger, and must not be foreseen by anybody."""
        self._engine = engine
        self._ledger = LedgerWriter(engine.partition_count, draw)
        self._rules_now = rules_now
        self._schemas_now = schemas_now
        self._clock = clock
        self._waiting: deque[_Ticket] = deque()
        self._waiting_count = 0
        self._arrived = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._stopping = False
        self._identities = Identities(engine)
        self._hearing = Hearing(clock)
        self._shown: set[bytes] = set()
        self._turns = asyncio.Lock()
        self._on_choices: Callable[[Collection[PersonId]], None] = lambda _: None

    def tell_of_choices(self, hear: Callable[[Collection[PersonId]], None]) -> None:
        """Have `hear` told who chose something, once that is durable. It must not wait for anything."""
        self._on_choices = hear

    def start(self) -> None:
        """Begin to append what is handed in."""
        self._runner = asyncio.create_task(self._run(), name="ingest")
        self._runner.add_done_callback(self._abandon)

    async def stop(self) -> None:
        """Append what was handed in before, then end; what is handed in later is answered Unavailable."""
        self._stopping = True
        self._arrived.set()
        if self._runner is None:
            self._abandon(None)
        else:
            await asyncio.wait([self._runner])

    def _abandon(self, _: object) -> None:
        """Nobody appends any more, as planned or because the runner was ended: leave no caller waiting for ever."""
        self._stopping = True
        while self._waiting:
            _fail(self._waiting.popleft(), Unavailable("the server is stopping"))

    async def turn(self) -> None:
        """Come back when an append under way has gone on: call it before each `TURN_ITEMS` items are accepted.

        An append is answered by its store some ten times, under the lock that all others wait for; if each answer lay
        until a dozen bodies were accepted, every process would wait. So one body at a time takes its turn of the loop.
        """
        async with self._turns:
            await asyncio.sleep(0)

    async def append(
        self,
        items: Sequence[Accepted | Rejected],
        policy: SourcePolicy,
        *,
        keep_keys: bool = False,
        held: Sequence[Quarantined] = (),
        file: str | None = None,
    ) -> Receipt:
        """Store the items; durable when it returns. `keep_keys`: recognise them as duplicates for ever. `file`: the
        fingerprint of the file that they are imported from, remembered so that it can be taken back.

        `held`: the items are these from quarantine, judged again. Each leaves it, or stays for the cause that it has
        now, in the transaction that stores it; those that are not there any more are passed over. What was counted
        as quarantined when they came is counted as what became of them.

        Raises Unavailable or StorageFull when nothing is known to be stored (handing in again is safe), and
        CourtesyError(TOO_MANY) when too much is waiting already.
        """
        self._take_room(len(items))
        try:
            ready = await self._prepared(items, policy.source)
            await self._keep_shown(ready)
            if self._stopping:
                raise Unavailable("the server is stopping")
        except BaseException:
            self._waiting_count -= len(items)
            raise
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Ticket(ready, policy, keep_keys, done, held, file))
        self._arrived.set()
        return await done

    def _take_room(self, count: int) -> None:
        if self._stopping:
            raise Unavailable("the server is stopping")
        if self._waiting_count and self._waiting_count + count > QUEUED_ITEMS_MAX:
            raise CourtesyError(
                Code.TOO_MANY, f"{self._waiting_count} events are waiting to be stored", hint="send again in a second"
            )
        self._waiting_count += count

    async def _prepared(self, items: Sequence[Accepted | Rejected], source: SourceId) -> list[Item]:
        rules = self._rules_now()
        checks = self._schemas_now().of(source)
        done: list[Item] = []
        for at in range(0, len(items), TURN_ITEMS):
            if at:
                await self.turn()
            part = items[at : at + TURN_ITEMS]
            if checks:
                done += [held_to(prepared(item, rules), checks) for item in part]
            else:
                done += [prepared(item, rules) for item in part]
        return done

    async def _keep_shown(self, items: Sequence[Item]) -> None:
        """Keep what choices will name by its SHA-256, so that none names what nobody can look up."""
        telling = [
            given
            for item in items
            if isinstance(given := item.given, Accepted) and (given.heard is not None or given.wordings)
        ]
        shown = dict.fromkeys(content for given in telling for content in _shown_by(given))
        if fresh := [content for content in shown if content not in self._shown]:
            await self._engine.keep_shown(fresh, self._clock.now_ms())
            if len(self._shown) + len(fresh) > SHOWN_REMEMBERED:
                self._shown.clear()
            self._shown.update(fresh)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._waiting_count < APPEND_ITEMS_MAX:
                await asyncio.sleep(COMPANY_MS / 1_000)
            while self._waiting:
                await self._append_and_answer(self._take())
            if self._stopping:
                return

    def _take(self) -> list[_Ticket]:
        tickets: list[_Ticket] = []
        count = 0
        while self._waiting and (not tickets or count + len(self._waiting[0].items) <= APPEND_ITEMS_MAX):
            ticket = self._waiting.popleft()
            count += len(ticket.items)
            tickets.append(ticket)
        self._waiting_count -= count
        return tickets

    async def _append_and_answer(self, tickets: list[_Ticket]) -> None:
        try:
            receipts = await self._append(tickets)
        except CourtesyError as error:
            for ticket in tickets:
                _fail(ticket, error)
        except asyncio.CancelledError:
            for ticket in tickets:
                _fail(ticket, Unavailable("the server is stopping"))
            raise
        except Exception:  # noqa: BLE001 -- the outermost edge of an append: find out whose fault it is
            await self._isolate(tickets)
        else:
            for ticket, receipt in zip(tickets, receipts, strict=True):
                if not ticket.done.done():
                    ticket.done.set_result(receipt)

    async def _isolate(self, tickets: list[_Ticket]) -> None:
        """One item made an append fail: halve what is appended at once until that item is alone, and set it aside."""
        if len(tickets) > 1:
            half = len(tickets) // 2
            await self._append_and_answer(tickets[:half])
            await self._append_and_answer(tickets[half:])
            return
        (ticket,) = tickets
        try:
            receipt = await self._append_in_halves(ticket, 0, len(ticket.items))
        except CourtesyError as failure:
            _fail(ticket, failure)
        except Exception as failure:  # noqa: BLE001 -- whoever asked is told; everybody else's appends go on
            # By its kind alone: what a store says of a row may quote the row.
            log.error("append_refused", cause=type(failure).__name__)
            _fail(ticket, Unavailable(f"the store refused the events: {type(failure).__name__}"))
        else:
            if not ticket.done.done():
                ticket.done.set_result(receipt)

    async def _append_in_halves(self, ticket: _Ticket, first: int, end: int) -> Receipt:
        """Append the items from `first` to before `end`, which did not go in together."""
        if end - first <= 1:
            return await self._set_aside(ticket, first, end)
        middle = (first + end) // 2
        receipts = [await self._append_part(ticket, *part) for part in ((first, middle), (middle, end))]
        return Receipt(
            max(each.position for each in receipts),
            tuple(result for each in receipts for result in each.results),
            sum(each.stored_count for each in receipts),
        )

    async def _append_part(self, ticket: _Ticket, first: int, end: int) -> Receipt:
        try:
            (receipt,) = await self._append([ticket.part(first, end)])
        except CourtesyError:
            raise
        except Exception:  # noqa: BLE001 -- see _isolate
            return await self._append_in_halves(ticket, first, end)
        return _moved(receipt, first)

    async def _set_aside(self, ticket: _Ticket, first: int, end: int) -> Receipt:
        """Append one item (or none), or the reason for which the store won't have it."""
        alone = ticket.part(first, end)
        try:
            (receipt,) = await self._append([alone])
        except CourtesyError:
            raise
        except Exception as error:  # noqa: BLE001 -- see _isolate
            detail = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode()[:DETAIL_CHARS_MAX]
            alone.items = [_unstorable(item.given, detail) for item in alone.items]
            (receipt,) = await self._append([alone])
        return _moved(receipt, first)

    async def _append(self, tickets: list[_Ticket]) -> list[Receipt]:
        count = sum(len(ticket.items) for ticket in tickets)
        await self._identities.reserve(item for ticket in tickets for item in ticket.items)
        APPEND_EVENTS.observe(count)
        with TRACER.start_as_current_span("append", attributes={"events": count}), APPEND_SECONDS.time():
            return await self._append_once(tickets)

    async def _append_once(self, tickets: list[_Ticket]) -> list[Receipt]:
        async with self._engine.appending() as append:
            await self._identities.refresh(append)
            tickets = await self._without_forgotten(append, tickets)
            draft = _Draft()
            fresh = await self._drop_duplicates(append, tickets, draft)
            view = await self._identities.view(append, fresh)
            if any(given.heard is not None for _, given in fresh):
                fresh = await self._hearing.with_news(append, view.owners, fresh)
                await self._identities.view_choosing(append, view, fresh)
            records = self._identities.records(view, fresh, self._rules_now())
            choosing = {given.key for item, given in fresh if item.chooses}
            ledger = await self._ledger.written(append, choosing, records)
            position = await append.write(
                AppendBatch(
                    records=records,
                    keys=draft.keys,
                    changes=view.changes,
                    counts=draft.all_counts(),
                    quarantined=draft.quarantined,
                    now_ms=self._clock.now_ms(),
                    keep_keys=frozenset(draft.kept),
                    released=draft.released,
                    held_again=draft.held_again,
                    imported=draft.all_imported(records),
                    ledger=ledger,
                )
            )
        self._identities.remember(view)
        if choosing:
            self._on_choices({record.person for record in records if record.key in choosing})
        return [
            Receipt(position, tuple(sorted(results)), stored)
            for results, stored in zip(draft.results, draft.stored, strict=True)
        ]

    async def _without_forgotten(self, append: Append, tickets: list[_Ticket]) -> list[_Ticket]:
        """The same, with a refusal in the place of each item that carries an identifier of somebody who was erased."""
        if not append.has_suppressed:
            return tickets
        forgotten = await self._identities.forgotten(append, (item for ticket in tickets for item in ticket.items))
        if not forgotten:
            return tickets
        return [replace(ticket, items=[_unless_of(forgotten, item) for item in ticket.items]) for ticket in tickets]

    async def _drop_duplicates(self, append: Append, tickets: list[_Ticket], draft: _Draft) -> list[Fresh]:
        """Judge every item; those to be stored, in order."""
        keys = [item.given.key for ticket in tickets for item in ticket.items if isinstance(item.given, Accepted)]
        seen = await append.seen(keys) if keys else set()
        numbers = [held.number for ticket in tickets for held in ticket.held]
        waiting = await append.still_quarantined(numbers) if numbers else {}
        fresh: list[Fresh] = []
        for ticket in tickets:
            before = len(fresh)
            if ticket.held:
                results = self._judge_held(ticket, seen, waiting, fresh, draft)
            elif ticket.file is not None:
                results = self._judge_file(ticket, FileKey(ticket.file, ticket.policy.source), seen, fresh, draft)
            else:
                results = self._judge(ticket, seen, fresh, draft)
            stored = fresh[before:]
            draft.keys.extend(given.key for _, given in stored)
            if ticket.keep_keys:
                draft.kept.update(given.key for _, given in stored)
            draft.results.append(results)
            draft.stored.append(len(stored))
        return fresh

    def _judge_file(
        self, ticket: _Ticket, file: FileKey, seen: set[bytes], fresh: list[Fresh], draft: _Draft
    ) -> list[ItemResult]:
        """As `_judge`, remembering what is the file's."""
        stored, others, before = Counter(draft.stored_hours), Counter(draft.others), len(fresh)
        results = self._judge(ticket, seen, fresh, draft)
        draft.files.update((given.key, file) for _, given in fresh[before:])
        draft.file_counts[file].update(_with_received(draft.stored_hours - stored, draft.others - others))
        return results

    def _judge(self, ticket: _Ticket, seen: set[bytes], fresh: list[Fresh], draft: _Draft) -> list[ItemResult]:
        """Put the items to be stored into `fresh` and their keys into `seen`; what became of the others."""
        results: list[ItemResult] = []
        for place, item in enumerate(ticket.items):
            given = item.given
            if isinstance(given, Rejected):
                results.append(_refuse(draft, place, given, ticket, self._clock.now_ms()))
            elif given.key in seen:
                results.append(_repeat(draft, place, given))
            else:
                seen.add(given.key)
                fresh.append((item, given))
                _count_stored(draft, item, given)
                if item.remark is not None and item.remark.cause in TOLD_REMARKS:
                    results.append(ItemResult(place, Fate.STORED, *item.remark, given.event.id))
        return results

    def _judge_held(
        self, ticket: _Ticket, seen: set[bytes], waiting: dict[int, Cause], fresh: list[Fresh], draft: _Draft
    ) -> list[ItemResult]:
        """As `_judge`, for items from quarantine: those of `waiting`, which hands each out once."""
        results: list[ItemResult] = []
        for place, (item, held) in enumerate(zip(ticket.items, ticket.held, strict=True)):
            cause, given = waiting.pop(held.number, None), item.given
            if cause is None:
                continue
            if isinstance(given, Rejected):
                results.append(_hold_again(draft, place, given, held, cause))
            elif given.key in seen:
                draft.move(held, cause, Fate.DUPLICATE, Cause.DUPLICATE)
                results.append(_repeated(place, given))
            else:
                seen.add(given.key)
                fresh.append((item, given))
                if held.file is not None:
                    draft.files[given.key] = FileKey(held.file, held.source)
                draft.move(held, cause, Fate.STORED, None if item.remark is None else item.remark.cause)
                if item.remark is not None and item.remark.cause in TOLD_REMARKS:
                    results.append(ItemResult(place, Fate.STORED, *item.remark, given.event.id))
        return results


def _shown_by(given: Accepted) -> Iterable[bytes]:
    strings = () if given.heard is None else given.heard.strings
    return (*given.wordings, *(each.text.encode("utf-8", "surrogatepass") for each in strings))


def _unless_of(forgotten: set[str], item: Item) -> Item:
    given = item.given
    if isinstance(given, Rejected) or forgotten.isdisjoint((*item.ids, *item.previous)):
        return item
    detail = "it carries an identifier of somebody who was erased"
    return Item(Rejected(Cause.FORGOTTEN, detail, given.raw, given.event.id))


def _with_received(
    stored_hours: Counter[tuple[SourceId, int]], others: Counter[tuple[SourceId, int, Fate, Cause]]
) -> Counter[_Bucket]:
    """How many met which fate, and how many were received by that."""
    counts: Counter[_Bucket] = Counter()
    for (source, hour), count in stored_hours.items():
        counts[source, hour, Fate.RECEIVED, None] += count
        counts[source, hour, Fate.STORED, None] += count
    for (source, hour, fate, cause), count in others.items():
        counts[source, hour, Fate.RECEIVED, None] += count
        counts[source, hour, fate, cause] += count
    return counts


def _hour(at_ms: int) -> int:
    return at_ms - at_ms % HOUR_MS


def _refuse(draft: _Draft, place: int, given: Rejected, ticket: _Ticket, now_ms: int) -> ItemResult:
    result, policy = _refused(place, given), ticket.policy
    _, fate, cause, detail, message_id = result
    draft.others[policy.source, _hour(now_ms), fate, cause] += 1
    if fate is Fate.QUARANTINED:
        signature = signature_of(cause, detail)
        draft.quarantined.append(
            Quarantined(
                policy.source,
                cause,
                detail,
                now_ms,
                message_id,
                given.raw,
                signature=signature,
                circumstances=given.circumstances,
                file=ticket.file,
            )
        )
    return result


def _hold_again(draft: _Draft, place: int, given: Rejected, held: Quarantined, cause: Cause) -> ItemResult:
    """It leaves the quarantine for a fate that ends it, or stays under its number, mended so far, for the cause that it
    has now."""
    result = _refused(place, given)
    signature = signature_of(result.cause, result.detail)
    if (result.cause, signature) == (cause, held.signature):
        return result  # Nothing was gained: it stays as it was.
    draft.move(held, cause, result.fate, result.cause)
    if result.fate is Fate.QUARANTINED:
        mended = None if given.raw == held.raw else given.raw
        again = held._replace(cause=result.cause, detail=result.detail, signature=signature, mended=mended)
        draft.held_again.append(again)
    return result


def _refused(place: int, given: Rejected) -> ItemResult:
    detail = given.detail.replace("\0", "\\0")
    message_id = given.message_id.replace("\0", "\\0") if given.message_id else None
    return ItemResult(place, FATE[given.cause], given.cause, detail, message_id)


def _unstorable(given: Accepted | Rejected, detail: str) -> Item:
    beside = circumstances_of(given) if isinstance(given, Accepted) else given.circumstances
    return Item(Rejected(Cause.UNSTORABLE, detail, given.raw, circumstances=beside))


def _count_stored(draft: _Draft, item: Item, given: Accepted) -> None:
    source, hour = given.event.source, _hour(given.event.received)
    if item.remark is None:
        draft.stored_hours[source, hour] += 1
    else:
        draft.others[source, hour, Fate.STORED, item.remark.cause] += 1


def _repeat(draft: _Draft, place: int, given: Accepted) -> ItemResult:
    draft.others[given.event.source, _hour(given.event.received), Fate.DUPLICATE, Cause.DUPLICATE] += 1
    return _repeated(place, given)


def _repeated(place: int, given: Accepted) -> ItemResult:
    detail = "the source sent this messageId before"
    return ItemResult(place, Fate.DUPLICATE, Cause.DUPLICATE, detail, given.event.id)


def _moved(receipt: Receipt, by: int) -> Receipt:
    """The receipt of a part of a ticket, with the places that its items have in the whole."""
    results = tuple(result._replace(place=result.place + by) for result in receipt.results)
    return Receipt(receipt.position, results, receipt.stored_count)


def _fail(ticket: _Ticket, error: Exception) -> None:
    if not ticket.done.done():
        ticket.done.set_exception(error)
