"""Erasing a person: from every table, from the archive beyond the log, and from what waits to be mended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position, effect_key, tie_break
from courtesy.base.time import Clock, to_iso
from courtesy.engine.contract import AppendBatch, Engine, PersonReading, Unavailable
from courtesy.event.event import decode_fact
from courtesy.identity.repair import Erasure, Note
from courtesy.identity.resolve import Changes
from courtesy.identity.rules import split_identifier
from courtesy.person.catalog import EMPTY_CATALOG, Catalog
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.record import DERIVED, Record, RecordKind
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import WEBHOOK
from courtesy.runtime.erase_again import Erased, Known, Repeat
from courtesy.runtime.held import HeldEvents
from courtesy.runtime.history import Archive, History
from courtesy.runtime.ledger import content_of, entry_keys
from courtesy.runtime.recipient import Recipient, Told
from courtesy.runtime.register import Entry, Register
from courtesy.runtime.repair import SETTLE_EVERY_S, SETTLE_TRIES, restore
from courtesy.runtime.segment_unready import Unready

RECORDS_PAGE = 1_000
EFFECTS_MAX = 1_000_000
SET_ASIDE_MAX = 1_000_000
Fold = Callable[[], Awaitable[None]]
COPIES = (RecordKind.FORWARDED_EVENT, RecordKind.FORWARDED_GROUP)


class Eraser:
    """Erasures, of one process."""

    def __init__(
        self,
        engine: Engine,
        history: History,
        archive: Archive | None,
        held: HeldEvents,
        clock: Clock,
        register: Register | None = None,
        recipients: Callable[[], Awaitable[Mapping[str, Recipient]]] | None = None,
        catalog: Callable[[], Catalog] = lambda: EMPTY_CATALOG,
        unready: Unready | None = None,
    ) -> None:
        """`recipients`: those that are defined, by name, for them to erase as well. `catalog`: with the segments for
        which is counted what others did who are folded anew. `unready`: counts it for others who stay as they are;
        None where there are no segments."""
        self._engine = engine
        self._history = history
        self._archive = archive
        self._held = held
        self._clock = clock
        self._register = register
        self._unready = unready
        self._repeat = Repeat(engine, history, held, self._with_keys, catalog, self._counted)
        self._recipients = recipients

    async def erase(self, key: str, by: str, reason: str, *, suppress: bool, request: str | None = None) -> Erased:
        """Forget the person who owns an identifier.

        Holds afterwards: none of their traits or events is in log, states, timers, outbox, evidence, quarantine or
        archive, nor any of their identifiers, but where events that are somebody else's carry it. With `suppress`
        salted hashes of their identifiers stay, and what carries one of them is not stored again. Each recipient that
        was told of them is told to erase them; `request` is the occasion by which its receipt is found.

        Raises CourtesyError(NOT_FOUND) when nobody owns it.
        """
        await self._history.prepare()
        for _ in range(SETTLE_TRIES):
            async with self._engine.appending() as append:
                reading = await self._read(key)
                people = {reading.person, *reading.merged}
                former = await self._once_one_with(reading)
                # What is folded already can't come back by a fold that had begun.
                if not await self._engine.unfolded_kinds(people | former):
                    note = Note("erase", reading.person, by, reason, self._clock.now_ms())
                    found = await self._found(reading, former, note, suppress=suppress)
                    told = await self._to_be_told(reading)
                    erasure = await self._entered(replace(found.erasure, recipients=told, request=request or ""))
                    batch = AppendBatch([], [], Changes(), [], [], note.at_ms, erasure=erasure)
                    records = [restore(state, note.at_ms) for state in found.states]
                    position = await append.write(batch._replace(records=records))
                    break
            await asyncio.sleep(SETTLE_EVERY_S)
        else:
            raise Unavailable("the person's latest events are not folded yet")
        archived = await self.erase_archive()
        return Erased(
            reading.person,
            len(reading.identifiers),
            found.event_count,
            len(found.erasure.quarantined),
            archived,
            position,
        )

    async def _to_be_told(self, reading: PersonReading) -> dict[str, list[str]]:
        """The recipients that are told of erasures, with the identifiers that they need to find somebody."""
        known = {} if self._recipients is None else await self._recipients()
        own = [each.identifier for each in reading.identifiers]
        return {
            name: recipient.gets(own) if recipient.needs_identifiers else []
            for name, recipient in known.items()
            if Told.ERASURE in recipient.tells
        }

    async def _entered(self, erasure: Erasure) -> Erasure:
        """Tell the register, before anything is erased: what it has and the store has not is erased again."""
        hashes = await self._engine.suppression_hashes(erasure.identifiers)
        marked = replace(erasure, mark=_mark(erasure, hashes))
        if self._register is not None:
            await self._register.add(Entry.of(marked, hashes))
        return marked

    async def erase_again(self, by: str, fold: Fold) -> list[Erased]:
        """Erase whoever was erased before and is here again, because the store was restored from a backup.

        `fold` is to fold what no worker does: one erasure may build on what another changed. Who came back by themself
        after an erasure without suppression stays: nothing of them is older than it. Safe to repeat; what was found in
        the register once is not made again. Raises Unavailable when it is to be called again.
        """
        entries = [] if self._register is None else await self._register.entries()
        made = await self._engine.erasure_marks()
        known = await self._known([each for entry in entries for each in entry.hashes])
        again: list[Erased] = []
        for entry in entries:
            await fold()
            if not entry.mark:
                again += await self._by_hashes(entry, by, known)
            elif bytes.fromhex(entry.mark) not in made:
                note = Note("erase", PersonId(0), by, _why(entry), self._clock.now_ms())
                done = await self._repeat.make(entry, note, known)
                # The next is made by what is left, in the archive as well.
                if not await self.erase_archive():
                    raise Unavailable("the lake does not answer, and has yet to forget somebody")
                again += () if done is None else (done,)
        await fold()
        return again

    async def _known(self, hashes: Sequence[str]) -> Known:
        """What the store knows before anything is erased again, by these hashes (hex) among other things."""
        head, below = await self._engine.head(), (await self._engine.reserve_people(1)).start
        known = await self._engine.known_as([bytes.fromhex(each) for each in hashes]) if hashes else []
        told = [each.hex() for each in await self._engine.suppression_hashes(known)]
        return Known(head, below, dict(zip(told, known, strict=True)))

    async def _by_hashes(self, entry: Entry, by: str, known: Known) -> list[Erased]:
        """For what registers of earlier versions tell."""
        return [
            await self.erase(key, by, _why(entry), suppress=entry.suppress)
            for key in known.named(entry.hashes)
            if await self._engine.read_person(key) is not None and await self._is_from_before(key, entry)
        ]

    async def _is_from_before(self, key: str, entry: Entry) -> bool:
        if entry.suppress:
            return True
        reading = await self._read(key)
        await self._history.prepare()
        records = await self._history.of([reading.person, *reading.merged])
        return any(record.received <= entry.at_ms for record in records)

    async def erase_archive(self) -> bool:
        """Make the erasures that the archive has not made yet; whether all are. What fails is tried again later."""
        for pending in await self._engine.pending_erasures():
            if self._archive is not None:
                try:
                    await self._archive.erase(pending.people, pending.others, pending.kept)
                except CourtesyError:
                    return False
            await self._engine.archive_erased(pending.number, self._clock.now_ms())
        return True

    async def _read(self, key: str) -> PersonReading:
        reading = await self._engine.read_person(key)
        if reading is None or not (reading.identifiers or reading.states or reading.tail):
            kind, value = split_identifier(key)
            raise CourtesyError(Code.NOT_FOUND, f"nobody has {kind} {value!r:.100}")
        if any(each.identifier.startswith("group:") for each in reading.identifiers):
            raise CourtesyError(Code.INVALID, "a group is no person, and is not erased")
        return reading

    async def _once_one_with(self, reading: PersonReading) -> set[PersonId]:
        """The numbers of others under which something of them may lie, for they were one person once."""
        people = {reading.person, *reading.merged}
        past = await self._engine.identity_history(reading.person)
        passed = {change.person for change in past.owners}
        passed |= {person for move in await self._engine.moves(people) for person in (move.appended_for, move.person)}
        found = set(passed)
        for person in passed - people:
            other = await self._engine.read_person(f"person:{person}")
            if other is not None:
                merges = (await self._engine.identity_history(other.person)).merges
                found |= {other.person, *other.merged}
                found |= {each for merge, _, _ in merges for each in (merge.loser, merge.survivor)}
        return found - people

    async def _found(
        self, reading: PersonReading, former: Collection[PersonId], note: Note, *, suppress: bool
    ) -> _Found:
        people = [reading.person, *reading.merged]
        records = await self._history.of(people)
        moves = {move.position: move for move in await self._engine.moves(people)}
        groups, in_groups = await self._groups(records)
        identifiers = [each.identifier for each in reading.identifiers]
        held = await self._held.mentioning(identifiers, {record.key for record in records})
        copies = await self._copies(former, records, identifiers)
        # Who they are now stands in for what is taken out of their past, so that the log still comes to the same.
        others = await self._counted((await self._engine.states(former)).values()) if copies.emptied else ()
        erasure = Erasure(
            note,
            people,
            identifiers,
            others=[
                *((each.position, each.person) for each in records if each.person not in people),
                *in_groups,
                *copies.places,
            ],
            kept=[move.position for move in moves.values() if move.person not in people],
            emptied=copies.emptied,
            effects=list(await self._effects(former, records)),
            kept_effects=await self._effects(people, await self._history.of(former)) if former else {},
            quarantined=[each.number for each in held],
            suppress=suppress,
        )
        erasure = await self._with_keys(erasure)
        return _Found(erasure, [*map(PersonState, people), *groups, *others], len(records))

    async def _counted(self, states: Iterable[bytes]) -> list[PersonState]:
        told = map(decode_state, states)
        return list(told) if self._unready is None else await self._unready.counted(told)

    async def _with_keys(self, erasure: Erasure) -> Erasure:
        """The same, with what keeps those entries of the ledger readable that are not about them."""
        people, others, kept = set(erasure.people), set(erasure.others), set(erasure.kept)
        entries, keyring = await self._engine.ledger_of(people | {person for _, person in others})
        about = {each.index for each in entries if (each.position, each.person) in others}
        rekeyed = {each.person for each in entries if each.index in about and each.person is not None}
        staying = [
            each
            for each in entries
            if each.index not in about
            and (each.position in kept if each.person in people else each.person in rekeyed)
            and each.index not in keyring.entries
        ]
        keys = {
            each.index: entry_keys(each, keyring.people[each.person])
            for each in staying
            if each.person is not None and each.person in keyring.people
        }
        told = (
            content for each in entries if each.index in about and (content := content_of(each, keyring)) is not None
        )
        choices = sorted({content.id for content in told})
        return replace(erasure, entry_keys=keys, rekeyed=sorted(rekeyed), choices=choices)

    async def _copies(
        self, former: Collection[PersonId], records: Collection[Record], identifiers: Collection[str]
    ) -> _Copies:
        """Where copies of their events, and states with their facts, lie among the records of others, and among what
        was set aside of those."""
        keys = {record.key for record in records}
        stamps = {(record.at, tie_break(record.key)) for record in records}
        found = _Copies()
        async for record in self._all_of(former):
            if record.kind is RecordKind.COUNTED:
                # What was counted was folded long ago, and does not say of whose events.
                found.places.append((record.position, record.person))
            elif record.kind in DERIVED:
                state = decode_state(record.payload)
                if not _has_facts(state, stamps, identifiers):
                    continue
                if record.kind is RecordKind.RESTORE:
                    # That somebody was their own, or whose part, still counts for what came after it.
                    empty = encode_state(PersonState(state.person, state.merged_into))
                    found.emptied[record.position, record.person] = empty
                else:
                    found.places.append((record.position, record.person))
            elif _is_copy(record, keys):
                found.places.append((record.position, record.person))
        # What was set aside outlives the log.
        set_aside = [each.record for each in await self._engine.poisoned(SET_ASIDE_MAX)]
        found.places += [(record.position, record.person) for record in set_aside if _is_copy(record, keys)]
        return found

    async def _all_of(self, people: Collection[PersonId]) -> AsyncIterator[Record]:
        """All records of some people that the log has, newest first."""
        before: Position | None = None
        while people and (page := await self._engine.records_of(people, before, RECORDS_PAGE)):
            for record in page:
                yield record
            before = page[-1].position

    async def _effects(self, people: Collection[PersonId], records: Mapping[Record, PersonId]) -> dict[bytes, PersonId]:
        """The keys of effects of these people that these events started, with whose the event is."""
        known = {each.key: each.target for person in people for each in await self._engine.effects(person, EFFECTS_MAX)}
        targets = set(known.values())
        owners = {
            effect_key(record.key, f"{WEBHOOK}/{target}"): person
            for record, person in records.items()
            for target in targets
        }
        return {key: owners[key] for key in sorted(owners.keys() & known.keys())}

    async def _groups(self, records: Iterable[Record]) -> tuple[list[PersonState], list[tuple[Position, PersonId]]]:
        """The groups that these events were about, as they are without them, and where the events lie there."""
        keys: dict[str, set[bytes]] = {}
        for record in records:
            group = _group_of(record)
            if group is not None:
                keys.setdefault(f"group:{group}", set()).add(record.key)
        states: list[PersonState] = []
        places: list[tuple[Position, PersonId]] = []
        for name, own in keys.items():
            reading = await self._engine.read_person(name)
            if reading is not None:
                history = list(await self._history.of([reading.person, *reading.merged]))
                rest = [record for record in history if record.key not in own]
                states.append(refold(reading.person, rest, NO_CATALOGS, self._clock.now_ms()))
                places += [(record.position, record.person) for record in history if record.key in own]
                # What was found anew before told of all who were members then.
                places += [
                    (each.position, each.person)
                    async for each in self._all_of([reading.person])
                    if each.kind is RecordKind.RESTORE
                ]
        return states, places


@dataclass(slots=True)
class _Copies:
    """What tells of somebody among the records of others: those to be dropped, and those to be emptied, by place."""

    places: list[tuple[Position, PersonId]] = field(default_factory=list)
    emptied: dict[tuple[Position, PersonId], bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be erased, and the states that are left: of the person's numbers empty, of groups without them, of
    others as they were."""

    erasure: Erasure
    states: list[PersonState]
    event_count: int


def _mark(erasure: Erasure, hashes: Sequence[bytes]) -> bytes:
    """16 bytes that stand for an erasure: nobody erases the same people twice in a millisecond."""
    told = msgspec.msgpack.encode((erasure.note.at_ms, list(erasure.people), hashes, list(erasure.others)))
    return blake2b(told, digest_size=16).digest()


def _why(entry: Entry) -> str:
    return f"erased at {to_iso(entry.at_ms)}, and back from a backup"


def _is_copy(record: Record, keys: Collection[bytes]) -> bool:
    return record.kind in COPIES and record.key in keys


def _has_facts(state: PersonState, stamps: Collection[tuple[int, int]], identifiers: Collection[str]) -> bool:
    """Whether a state holds facts of events with these stamps, or one of the identifiers."""
    told = {(each.at, each.tie) for each in state.traits.values()} | {(each.at, each.tie) for each in state.recent}
    return not (told.isdisjoint(stamps) and state.identifiers.keys().isdisjoint(identifiers))


def _group_of(record: Record) -> str | None:
    try:
        return decode_fact(record.payload).group
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
