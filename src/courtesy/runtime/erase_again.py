"""Making an erasure again in a store that was restored from a backup, by what the register has of it.

Of who is erased the backup may still have everything, or nothing, for their keys are gone. Either way other people's
rows tell of them: of groups that they belonged to, of who was one with them for a while. The register says where.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from courtesy.base.ids import PersonId, Position
from courtesy.engine.contract import AppendBatch, Engine, PersonReading, Unavailable
from courtesy.identity.repair import Erasure, Note
from courtesy.identity.resolve import Changes
from courtesy.person.catalog import Catalog
from courtesy.person.history import catalog_history, refold
from courtesy.person.messages import NOBODY
from courtesy.person.record import DERIVED, Record, RecordKind
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.runtime.held import HeldEvents
from courtesy.runtime.history import History
from courtesy.runtime.register import Entry
from courtesy.runtime.repair import SETTLE_EVERY_S, SETTLE_TRIES, keep_room, restore, whole_of

RECORDS_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased. `archived`: whether the archive has forgotten as well; if not, it will be tried again."""

    person: PersonId
    identifier_count: int
    event_count: int
    held_count: int
    archived: bool
    position: Position


@dataclass(frozen=True, slots=True)
class Known:
    """What a store had given before anything was erased again: positions up to `head`, numbers of people below `below`,
    and by their hashes (hex) the `identifiers` that it knew of those that the register tells of.

    All others in the register are of a future that this store has not had. They may be anybody's from now on, so a
    store keeps the mark of an erasure that it made again, and makes it once only.
    """

    head: Position
    below: int
    identifiers: Mapping[str, str]

    def named(self, hashes: Iterable[str]) -> list[str]:
        """The identifiers of which these are the hashes (hex), as far as it knew them."""
        return [self.identifiers[each] for each in hashes if each in self.identifiers]

    def people(self, people: Iterable[PersonId]) -> list[PersonId]:
        """Those whom the store knew."""
        return [person for person in people if person < self.below]

    def places(self, places: Iterable[tuple[Position, PersonId]]) -> list[tuple[Position, PersonId]]:
        """Those at which it had something."""
        return [(position, person) for position, person in places if position <= self.head and person < self.below]


class Repeat:
    """Erasures that are made again. `with_keys`: adds to an erasure the keys of what stays readable in the ledger.
    `counted`: reads states, with all that segments count which are not ready."""

    def __init__(
        self,
        engine: Engine,
        history: History,
        held: HeldEvents,
        with_keys: Callable[[Erasure], Awaitable[Erasure]],
        catalog: Callable[[], Catalog],
        counted: Callable[[Iterable[bytes]], Awaitable[list[PersonState]]],
    ) -> None:
        self._catalog = catalog
        self._counted = counted
        self._engine = engine
        self._history = history
        self._held = held
        self._with_keys = with_keys

    async def make(self, entry: Entry, note: Note, known: Known) -> Erased | None:
        """Make an erasure again, but for the archive; None when nothing of it was left."""
        await self._history.prepare()
        for _ in range(SETTLE_TRIES):
            async with self._engine.appending() as append:
                found = await self._found(entry, note, known)
                if not await self._engine.unfolded_kinds(found.read):
                    batch = AppendBatch([], [], Changes(), [], [], note.at_ms, erasure=found.erasure)
                    records = [restore(state, note.at_ms) for state in found.states]
                    position = await append.write(batch._replace(records=records))
                    break
            await asyncio.sleep(SETTLE_EVERY_S)
        else:
            raise Unavailable("the latest events of who is erased again are not folded yet")
        if not found.has_something:
            return None
        erasure = found.erasure
        person = next(iter(entry.people), PersonId(0))
        counts = len(erasure.identifiers), found.event_count, len(erasure.quarantined)
        return Erased(person, *counts, archived=True, position=position)

    async def _found(self, entry: Entry, note: Note, known: Known) -> _Found:
        people = known.people(entry.people)
        others = known.places(entry.others)
        emptied = await self._emptied(known.places(entry.emptied))
        identifiers = known.named(entry.hashes)
        records = await self._history.of(people)
        held = await self._held.mentioning(identifiers, {record.key for record in records}) if identifiers else []
        erasure = Erasure(
            note._replace(person=next(iter(people), note.person)),
            people,
            identifiers,
            others=others,
            kept=[position for position in entry.kept if position <= known.head],
            emptied=emptied,
            effects=[bytes.fromhex(each) for each in entry.effects],
            kept_effects={
                bytes.fromhex(key): person for key, person in entry.kept_effects.items() if person < known.below
            },
            quarantined=sorted({*entry.quarantined, *(each.number for each in held)}),
            suppress=entry.suppress,
            hashes=[bytes.fromhex(each) for each in entry.hashes],
            mark=bytes.fromhex(entry.mark),
        )
        own = await self._engine.states(people)
        has_something = bool(identifiers or records or own or others or emptied)
        touched = await self._touched(erasure)
        erasure = await self._cleansed(erasure, [reading for reading in touched if _is_refolded(reading, erasure)])
        left = [state for reading in touched for state in await self._without(reading, erasure)]
        states = [*(PersonState(person) for person in people if person in own), *left]
        return _Found(await self._with_keys(erasure), states, len(records), has_something)

    async def _emptied(self, places: Collection[tuple[Position, PersonId]]) -> dict[tuple[Position, PersonId], bytes]:
        """What is to stand in the RESTORE records of others at these places."""
        found = {}
        for position, person in places:
            for record in await self._engine.records_of([person], Position(position + 1), 1):
                if record.position == position and record.kind is RecordKind.RESTORE:
                    state = decode_state(record.payload)
                    found[position, person] = encode_state(PersonState(state.person, state.merged_into))
        return found

    async def _touched(self, erasure: Erasure) -> list[PersonReading]:
        """The others under whose numbers, or among whose identifiers, there is something of the erased."""
        named = {f"person:{person}" for _, person in (*erasure.others, *erasure.emptied)} | set(erasure.identifiers)
        readings: dict[PersonId, PersonReading] = {}
        for name in sorted(named):
            reading = await self._engine.read_person(name)
            if reading is not None and reading.person not in erasure.people:
                readings[reading.person] = reading
        return list(readings.values())

    async def _cleansed(self, erasure: Erasure, refolded: Collection[PersonReading]) -> Erasure:
        """The same, with the states in the log of those who are folded anew that the erased may be in."""
        others, emptied = list(erasure.others), dict(erasure.emptied)
        for reading in refolded:
            for record in await self._states_in_log([reading.person, *reading.merged]):
                place = record.position, record.person
                if record.kind is not RecordKind.RESTORE or _is_group(reading):
                    others.append(place)
                else:
                    state = decode_state(record.payload)
                    emptied.setdefault(place, encode_state(PersonState(state.person, state.merged_into)))
        return replace(erasure, others=sorted(set(others)), emptied=emptied)

    async def _states_in_log(self, people: Collection[PersonId]) -> list[Record]:
        found: list[Record] = []
        before: Position | None = None
        while page := await self._engine.records_of(people, before, RECORDS_PAGE):
            found += [record for record in page if record.kind in DERIVED]
            before = page[-1].position
        return found

    async def _without(self, reading: PersonReading, erasure: Erasure) -> Sequence[PersonState]:
        """One of the others without the erased: folded anew, or as they are where that has to stand in for what is
        taken out of their past."""
        if not _is_refolded(reading, erasure):
            people = {reading.person, *reading.merged} & _emptied_people(erasure)
            return await self._counted((await self._engine.states(people)).values())
        places, erased = set(erasure.others), set(erasure.people)
        history = await self._history.of([reading.person, *reading.merged])
        rest = [
            record
            for record, owner in history.items()
            if (record.position, record.person) not in places and owner not in erased
        ]
        catalogs = catalog_history((), self._catalog().watch, self._catalog().goals)
        state = refold(reading.person, rest, catalogs, erasure.note.at_ms)
        keep_room(state, whole_of(reading), {NOBODY, reading.person, *reading.merged} - erased)
        return [state]


def _is_group(reading: PersonReading) -> bool:
    return any(each.identifier.startswith("group:") for each in reading.identifiers)


def _is_refolded(reading: PersonReading, erasure: Erasure) -> bool:
    """Whether somebody is to be folded anew: a group, and who was one with the erased when the backup was made."""
    own = {each.identifier for each in reading.identifiers}
    return _is_group(reading) or not own.isdisjoint(erasure.identifiers)


def _emptied_people(erasure: Erasure) -> set[PersonId]:
    return {person for _, person in erasure.emptied}


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be erased again, the states that are told anew, and whether there was anything."""

    erasure: Erasure
    states: Sequence[PersonState]
    event_count: int
    has_something: bool

    @property
    def read(self) -> set[PersonId]:
        """Whose states it builds on."""
        return {*self.erasure.people, *_emptied_people(self.erasure)}
