"""Ingest: group commit. What many callers hand in at once becomes one append, and each learns what became of its own.

Within the append duplicates are dropped, identifiers resolved to people and counts kept, so that for every source and
hour `received = stored + quarantined + duplicate + suppressed` holds at every instant.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import HOUR_MS, Clock
from courtesy.engine.contract import Append, AppendBatch, Count, Engine, Quarantined, Unavailable
from courtesy.event.accept import Accepted, Rejected, SourcePolicy
from courtesy.event.cause import FATE, Cause, Fate
from courtesy.event.event import Event, EventType, encode
from courtesy.identity.resolve import Changes, Evidence, Owner, Resolver, View
from courtesy.identity.rules import IdentityRules, normalise, usable
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, RecordKind, hand_over_payload
from courtesy.runtime.telemetry import APPEND_EVENTS, APPEND_SECONDS, TRACER

COMPANY_MS = 2
"""How long a lone batch waits for company. The contract allows 5; 2 ms already fills batches under load, because
whatever comes in while an append is under way goes with the next one."""

APPEND_ITEMS_MAX = 5_000
QUEUED_ITEMS_MAX = 50_000
OWNERS_CACHED_MAX = 500_000
PEOPLE_RESERVED = 1_000


class ItemResult(NamedTuple):
    """What became of an item that was not stored."""

    place: int
    fate: Fate
    cause: Cause
    detail: str
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one call: a position that covers everything stored, and the items that were not."""

    position: Position
    results: tuple[ItemResult, ...]
    stored_count: int


@dataclass(slots=True)
class _Ticket:
    """One call waiting for its append."""

    items: list[_Item]
    policy: SourcePolicy
    keep_keys: bool
    done: asyncio.Future[Receipt]


class _Item(NamedTuple):
    """One call of a ticket, with its identifiers in the form in which they are compared."""

    given: Accepted | Rejected
    ids: tuple[str, ...]
    previous: tuple[str, ...]


class RulesNow(Protocol):
    """Tells the identity rules in force."""

    def __call__(self) -> IdentityRules: ...


@dataclass(slots=True)
class _Draft:
    """What an append will write, and what it will answer."""

    records: list[NewRecord] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    kept: set[bytes] = field(default_factory=set)
    counts: Counter[tuple[SourceId, int, Fate, Cause | None]] = field(default_factory=Counter)
    quarantined: list[Quarantined] = field(default_factory=list)
    results: list[list[ItemResult]] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)


class Ingest:
    """The way into the log for one process. Start with `start`, end with `stop`; both may be called once."""

    def __init__(self, engine: Engine, rules_now: RulesNow, clock: Clock) -> None:
        self._engine = engine
        self._rules_now = rules_now
        self._clock = clock
        self._waiting: deque[_Ticket] = deque()
        self._waiting_count = 0
        self._arrived = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._stopping = False
        self._owners: dict[str, Owner] = {}
        self._epoch = 0
        self._people: Iterator[int] = iter(())
        self._people_left = 0

    def start(self) -> None:
        """Begin to append what is handed in."""
        self._runner = asyncio.create_task(self._run(), name="ingest")

    async def stop(self) -> None:
        """Append what was handed in before, then end; what is handed in later is answered Unavailable."""
        self._stopping = True
        self._arrived.set()
        if self._runner is not None:
            await self._runner

    async def append(
        self, items: Sequence[Accepted | Rejected], policy: SourcePolicy, *, keep_keys: bool = False
    ) -> Receipt:
        """Store the items; durable when it returns. `keep_keys`: recognise them as duplicates for ever.

        Raises Unavailable or StorageFull when nothing is known to be stored (handing in again is safe), and
        CourtesyError(TOO_MANY) when too much is waiting already.
        """
        if self._stopping:
            raise Unavailable("the server is stopping")
        if self._waiting_count + len(items) > QUEUED_ITEMS_MAX and self._waiting:
            raise CourtesyError(
                Code.TOO_MANY, f"{self._waiting_count} events are waiting to be stored", hint="send again in a second"
            )
        rules = self._rules_now()
        ticket = _Ticket(
            [_identified(item, rules) for item in items],
            policy,
            keep_keys,
            asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(ticket)
        self._waiting_count += len(items)
        self._arrived.set()
        return await ticket.done

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
                ticket.done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- the outermost edge of an append: find out whose fault it is
            await self._isolate(tickets, error)
        else:
            for ticket, receipt in zip(tickets, receipts, strict=True):
                if not ticket.done.done():
                    ticket.done.set_result(receipt)

    async def _isolate(self, tickets: list[_Ticket], error: Exception) -> None:
        """One item made an append fail: append the tickets, then the items, one by one, and set that item aside."""
        if len(tickets) > 1:
            for ticket in tickets:
                await self._append_and_answer([ticket])
            return
        (ticket,) = tickets
        if len(ticket.items) == 1 and isinstance(ticket.items[0].given, Rejected):
            _fail(ticket, error)
            return
        results: list[ItemResult] = []
        position, stored_count = Position(0), 0
        for index, item in enumerate(ticket.items):
            try:
                receipt = await self._append_one(ticket, item)
            except Exception as failure:  # noqa: BLE001 -- whoever asked is told; everybody else's appends go on
                _fail(ticket, failure)
                return
            position = max(position, receipt.position)
            stored_count += receipt.stored_count
            results.extend(result._replace(place=index) for result in receipt.results)
        if not ticket.done.done():
            ticket.done.set_result(Receipt(position, tuple(results), stored_count))

    async def _append_one(self, ticket: _Ticket, item: _Item) -> Receipt:
        alone = _Ticket([item], ticket.policy, ticket.keep_keys, ticket.done)
        try:
            return (await self._append([alone]))[0]
        except CourtesyError:
            raise
        except Exception as error:  # noqa: BLE001 -- see _isolate
            raw = item.given.raw
            rejected = Rejected(Cause.UNSTORABLE, f"{type(error).__name__}: {error}", raw)
            alone.items = [_Item(rejected, (), ())]
            return (await self._append([alone]))[0]

    async def _append(self, tickets: list[_Ticket]) -> list[Receipt]:
        count = sum(len(ticket.items) for ticket in tickets)
        # An item may make a person, a group, and a person for each identifier that is set apart.
        await self._reserve(sum(len(item.ids) + 2 for ticket in tickets for item in ticket.items))
        APPEND_EVENTS.observe(count)
        with TRACER.start_as_current_span("append", attributes={"events": count}), APPEND_SECONDS.time():
            return await self._append_once(tickets)

    async def _append_once(self, tickets: list[_Ticket]) -> list[Receipt]:
        async with self._engine.appending() as append:
            await self._refresh_owners(append)
            draft = _Draft()
            fresh = await self._drop_duplicates(append, tickets, draft)
            view = await self._view(append, fresh)
            self._resolve(view, fresh, draft)
            position = await append.write(
                AppendBatch(
                    records=draft.records,
                    keys=draft.keys,
                    changes=view.changes,
                    counts=[Count(*key, count) for key, count in draft.counts.items()],
                    quarantined=draft.quarantined,
                    now_ms=self._clock.now_ms(),
                    keep_keys=frozenset(draft.kept),
                )
            )
        self._remember(view)
        return [
            Receipt(position, tuple(sorted(results)), stored)
            for results, stored in zip(draft.results, draft.stored, strict=True)
        ]

    async def _reserve(self, count: int) -> None:
        """Have ids for as many new people as this append could possibly make."""
        if self._people_left < count:
            more = await self._engine.reserve_people(max(count - self._people_left, PEOPLE_RESERVED))
            self._people = iter([*self._people, *more])
            self._people_left += len(more)

    def _new_person(self) -> PersonId:
        self._people_left -= 1
        return PersonId(next(self._people))

    async def _refresh_owners(self, append: Append) -> None:
        self._epoch, changed = await append.owners_changed_since(self._epoch)
        if changed is None:
            self._owners.clear()
        else:
            for key in changed:
                self._owners.pop(key, None)

    async def _drop_duplicates(
        self, append: Append, tickets: list[_Ticket], draft: _Draft
    ) -> list[tuple[_Item, Accepted]]:
        """Judge every item; those to be stored, in order."""
        keys = [item.given.key for ticket in tickets for item in ticket.items if isinstance(item.given, Accepted)]
        seen = await append.seen(keys) if keys else set()
        fresh: list[tuple[_Item, Accepted]] = []
        for ticket in tickets:
            results: list[ItemResult] = []
            stored = 0
            for index, item in enumerate(ticket.items):
                given = item.given
                if isinstance(given, Rejected):
                    results.append(_refuse(draft, index, given, ticket.policy, self._clock.now_ms()))
                elif given.key in seen:
                    results.append(_repeat(draft, index, given))
                else:
                    seen.add(given.key)
                    draft.keys.append(given.key)
                    fresh.append((item, given))
                    stored += 1
                    _count(draft, given.event.source, given.event.received, Fate.STORED, None)
                    if ticket.keep_keys:
                        draft.kept.add(given.key)
            draft.results.append(results)
            draft.stored.append(stored)
        return fresh

    async def _view(self, append: Append, fresh: list[tuple[_Item, Accepted]]) -> View:
        """All that resolving these items may need to know."""
        needed = [_all_ids(item, given) for item, given in fresh]
        cached = self._owners
        owners = {key: cached[key] for keys in needed for key in keys if key in cached}
        missing = list({key: None for keys in needed for key in keys if key not in owners})
        if missing:
            owners.update(await append.owners(missing))
        people = {
            owners[key].person
            for keys, (item, _) in zip(needed, fresh, strict=True)
            if item.previous or not _is_settled(item.ids, owners)
            for key in keys
            if key in owners
        }
        return View(owners, await append.held(people) if people else {})

    def _resolve(self, view: View, fresh: list[tuple[_Item, Accepted]], draft: _Draft) -> None:
        resolver = Resolver(self._rules_now(), view, self._new_person)
        for item, given in fresh:
            event = given.event
            merges = len(view.changes.merges)
            person = _settled(item.ids, view.owners) if not item.previous else None
            if person is None:
                evidence = Evidence(event.source, event.id, event.at)
                person = (
                    resolver.alias(item.ids, item.previous, evidence)
                    if item.previous
                    else resolver.resolve(item.ids, evidence)
                )
            whole = msgspec.structs.replace(event, ids=item.ids, previous=item.previous)
            payload = encode(whole)
            draft.records.append(_record(person, RecordKind.EVENT, event, given.key, payload))
            if event.type is EventType.GROUP and event.group is not None:
                group = resolver.resolve((_group_key(event.group),), Evidence(event.source, event.id, event.at))
                draft.records.append(_record(group, RecordKind.GROUP, event, given.key, payload))
            for merge in view.changes.merges[merges:]:
                draft.records.append(
                    NewRecord(
                        merge.loser,
                        RecordKind.HAND_OVER,
                        event.at,
                        event.received,
                        SYSTEM_SOURCE,
                        given.key,
                        hand_over_payload(merge.survivor),
                    )
                )

    def _remember(self, view: View) -> None:
        """After the commit: keep the owners, and count our own changes as known."""
        self._owners.update(view.owners)
        if moves_epoch(view.changes):
            self._epoch += 1
        if len(self._owners) > OWNERS_CACHED_MAX:
            for key in list(self._owners)[: OWNERS_CACHED_MAX // 2]:
                del self._owners[key]


def moves_epoch(changes: Changes) -> bool:
    """True when the owner of an identifier that was known before changes, so that others' caches are stale."""
    return bool(changes.merges) or any(owner.shared for owner, _ in changes.owners.values())


def _identified(given: Accepted | Rejected, rules: IdentityRules) -> _Item:
    if isinstance(given, Rejected):
        return _Item(given, (), ())
    event = given.event
    ids = usable(rules, given.claims)
    if not ids:
        sent = ", ".join(f"{kind}={value!r:.40}" for kind, value in given.claims) or "none"
        return _Item(
            Rejected(Cause.NO_IDENTIFIER, f"expected a usable identifier, got {sent}", given.raw, event.id), (), ()
        )
    if event.type is EventType.GROUP and normalise(rules, "group", event.group) is None:
        detail = f"expected a usable groupId, got {event.group!r:.40}"
        return _Item(Rejected(Cause.GROUP_ID_MISSING, detail, given.raw, event.id), (), ())
    if event.type is not EventType.ALIAS:
        return _Item(given, ids, ())
    previous = usable(rules, given.previous)
    if not previous:
        detail = "expected a usable previousId, got a placeholder"
        return _Item(Rejected(Cause.PREVIOUS_ID_MISSING, detail, given.raw, event.id), (), ())
    same = {key.partition(":")[2] for key in previous} <= {key.partition(":")[2] for key in ids}
    return _Item(given, ids, () if same else previous)


def _group_key(group: str) -> str:
    return f"group:{group}"


def _all_ids(item: _Item, given: Accepted) -> tuple[str, ...]:
    group = given.event.group
    return (*item.ids, *item.previous, *((_group_key(group),) if group is not None else ()))


def _is_settled(ids: tuple[str, ...], owners: dict[str, Owner]) -> bool:
    return _settled(ids, owners) is not None


def _settled(ids: tuple[str, ...], owners: dict[str, Owner]) -> PersonId | None:
    """The person when all identifiers are known and agree, so that there is nothing to resolve."""
    person: PersonId | None = None
    for key in ids:
        owner = owners.get(key)
        if owner is None:
            return None
        if owner.shared:
            continue
        if person is None:
            person = owner.person
        elif person != owner.person:
            return None
    return owners[ids[0]].person if person is None else person


def _record(person: PersonId, kind: RecordKind, event: Event, key: bytes, payload: bytes) -> NewRecord:
    return NewRecord(person, kind, event.at, event.received, event.source, key, payload)


def _count(draft: _Draft, source: SourceId, received_ms: int, fate: Fate, cause: Cause | None) -> None:
    hour = received_ms - received_ms % HOUR_MS
    draft.counts[source, hour, Fate.RECEIVED, None] += 1
    draft.counts[source, hour, fate, cause] += 1


def _refuse(draft: _Draft, index: int, given: Rejected, policy: SourcePolicy, now_ms: int) -> ItemResult:
    fate = FATE[given.cause]
    detail = given.detail.replace("\0", "\\0")
    message_id = given.message_id.replace("\0", "\\0") if given.message_id else None
    _count(draft, policy.source, now_ms, fate, given.cause)
    if fate is Fate.QUARANTINED:
        draft.quarantined.append(Quarantined(policy.source, given.cause, detail, now_ms, message_id, given.raw))
    return ItemResult(index, fate, given.cause, detail, message_id)


def _repeat(draft: _Draft, index: int, given: Accepted) -> ItemResult:
    _count(draft, given.event.source, given.event.received, Fate.DUPLICATE, Cause.DUPLICATE)
    detail = "the source sent this messageId before"
    return ItemResult(index, Fate.DUPLICATE, Cause.DUPLICATE, detail, given.event.id)


def _fail(ticket: _Ticket, error: Exception) -> None:
    if not ticket.done.done():
        ticket.done.set_exception(error)
