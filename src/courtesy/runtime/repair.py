"""Repairs: people merged, cut apart and put back by hand, from history, with the fold told of it by records in the log.

A repair is an append: under its lock nobody else changes who is who. What it finds anew from history lies in RESTORE
records; the fold puts it in place of what it had.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position, effect_key
from courtesy.base.time import Clock, to_iso
from courtesy.engine.contract import Append, AppendBatch, Engine, PersonReading, Unavailable
from courtesy.identity.repair import (
    Ban,
    CorrectedEffect,
    Known,
    Move,
    Note,
    OwnerChange,
    Part,
    Repair,
    cut_around,
    cut_between,
    origin_of,
    parted,
)
from courtesy.identity.resolve import Changes, Evidence, Link, Merge, Resolver, View
from courtesy.identity.rules import split_identifier
from courtesy.person.assemble import assemble
from courtesy.person.fold import merge
from courtesy.person.history import CatalogHistory, catalog_history, refold
from courtesy.person.messages import NOBODY, Messages, held_for
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, Record, RecordKind, hand_over_payload
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import WEBHOOK
from courtesy.runtime.catalog import SUBSCRIPTION, CatalogCache
from courtesy.runtime.history import History

SETTLE_TRIES = 100
SETTLE_EVERY_S = 0.1
BY_HAND = "by hand"

Choose = Callable[[Sequence[Link], Sequence[str]], list[Link]]


class _Carried(msgspec.Struct):
    """As much of an event as says whose it is."""

    ids: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()


_CARRIED = msgspec.json.Decoder(_Carried)


@dataclass(slots=True)
class Piece:
    """A part of a person who is cut apart, with its events and the state that they make."""

    part: Part
    records: list[Record]
    state: PersonState

    @property
    def person(self) -> PersonId:
        """Whose state it is."""
        return self.state.person


@dataclass(slots=True)
class Cut:
    """What cutting somebody apart comes to. `position` is set once it is done."""

    person: PersonId
    pieces: list[Piece]
    links: list[Link]
    repair: Repair
    tombstones: list[PersonState] = field(default_factory=list)
    position: Position | None = None


class Repairs:
    """Corrections by hand, of one process."""

    def __init__(self, engine: Engine, catalog: CatalogCache, history: History, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._history = history
        self._clock = clock

    # -- cutting apart

    async def unmerge(self, a: str, b: str, by: str, reason: str, *, dry: bool) -> Cut:
        """Make the people of two identifiers two again, as if what linked them had never been believed.

        `dry` changes nothing and says what would be. Raises CourtesyError: NOT_FOUND, or CONFLICT when they are two
        already.
        """

        def between(links: Sequence[Link], _: Sequence[str]) -> list[Link]:
            return cut_between(a, b, links) if a != b else []

        return await self._apart(a, [a, b], between, Note("unmerge", PersonId(0), by, reason, 0), dry=dry)

    async def split(self, key: str, own: Sequence[str], by: str, reason: str, *, dry: bool) -> Cut:
        """Make a person of their own of some of the identifiers that somebody holds; as `unmerge`."""

        def around(links: Sequence[Link], _: Sequence[str]) -> list[Link]:
            return cut_around(set(own), links)

        return await self._apart(key, own, around, Note("split", PersonId(0), by, reason, 0), dry=dry)

    async def _apart(self, key: str, named: Sequence[str], choose: Choose, note: Note, *, dry: bool) -> Cut:
        if dry:
            return await self._plan(await self._read(key), named, choose, note)
        await self._history.prepare()
        for _ in range(SETTLE_TRIES):
            async with self._engine.appending() as append:
                reading = await self._read(key)
                # What is folded already starts no effect of the person who was, and is forwarded to nobody.
                if not await self._engine.unfolded_kinds([reading.person, *reading.merged]):
                    cut = await self._plan(reading, named, choose, note)
                    cut.position = await self._write(append, cut)
                    return cut
            await asyncio.sleep(SETTLE_EVERY_S)
        raise Unavailable("the person's latest events are not folded yet")

    async def _read(self, key: str) -> PersonReading:
        reading = await self._engine.read_person(key)
        if reading is None:
            kind, value = split_identifier(key)
            raise CourtesyError(Code.NOT_FOUND, f"nobody has {kind} {value!r:.100}")
        return reading

    async def _plan(self, reading: PersonReading, named: Sequence[str], choose: Choose, note: Note) -> Cut:
        known = await self.known(reading)
        _check_named(known, named, reading)
        links = (await self._engine.identity_of(reading.person)).links
        cut = choose(links, known.identifiers)
        parts = parted(known, links, cut)
        if len(parts) < 2:
            raise CourtesyError(Code.CONFLICT, "nothing would be cut off: these identifiers are not linked")
        note = note._replace(person=reading.person, at_ms=self._clock.now_ms())
        whole = whole_of(reading)
        assigned = await self._history.of({reading.person, *reading.merged})
        pieces, moves = await self.pieces(parts, assigned, whole, note.at_ms)
        _check_whole(whole, pieces)
        return await self.corrected(reading, pieces, cut, note, moves)

    async def known(self, reading: PersonReading) -> Known:
        """What a person owns alone, and who owned it first."""
        past = await self._engine.identity_history(reading.person)
        rules = self._catalog.now.rules
        own = sorted(
            (each.identifier for each in reading.identifiers if not each.shared),
            key=lambda key: (rules.kind_of(split_identifier(key)[0]).priority, key),
        )
        former: dict[str, list[OwnerChange]] = {}
        for change in past.owners:
            former.setdefault(change.identifier, []).append(change)
        merges = {(merge.loser, recorded_ms) for merge, recorded_ms, _ in past.merges}
        origins = {key: origin_of(reading.person, former.get(key, ()), reading.merged, merges) for key in own}
        heads = {merge.loser: merge.survivor for merge, _, undone_ms in past.merges if undone_ms is None}
        return Known(reading.person, reading.merged, own, origins, heads)

    async def pieces(
        self, parts: Sequence[Part], assigned: Mapping[Record, PersonId], whole: PersonState, now_ms: int
    ) -> tuple[list[Piece], list[Move]]:
        """Each part with its events of those that are `assigned`, and the events that change hands by that.

        A part that was nobody yet gets a number. `whole` is the person as they are.
        """
        fresh = iter(await self._engine.reserve_people(sum(part.person is None for part in parts)))
        for part in parts:
            if part.person is None:
                part.person = PersonId(next(fresh))
                part.people.add(part.person)
        by_part: list[list[Record]] = [[] for _ in parts]
        moves: list[Move] = []
        where = {key: number for number, part in enumerate(parts) for key in part.identifiers}
        home = {person: number for number, part in enumerate(parts) for person in part.people}
        for record, person in assigned.items():
            number = _part_number(record, where, home[person])
            by_part[number].append(record)
            if home[person] != number:
                own = parts[number].person
                assert own is not None
                moves.append(Move(record.position, record.person, own, now_ms))
        catalogs = await self.catalogs()
        pieces = [
            Piece(part, records, _refolded(part, records, catalogs, now_ms, whole))
            for part, records in zip(parts, by_part, strict=True)
        ]
        for piece in pieces:
            keep_room(piece.state, whole, piece.part.people)
        # By whom it was let through is not known of some: it stays with the number.
        keep_room(pieces[0].state, whole, {NOBODY})
        return pieces, moves

    async def catalogs(self) -> CatalogHistory:
        """The subscriptions that are on, each from the instant since which it is as it is, and all segments: those too
        that another process just defined, for nobody else counts for them what is found anew."""
        await self._catalog.refresh()
        now = self._catalog.now
        defined = [
            (now.revisions[SUBSCRIPTION, name].changed_ms, subscription)
            for name, subscription in now.subscriptions.items()
            if name not in now.switched_off
        ]
        return catalog_history(defined, now.catalog.watch, now.catalog.goals)

    async def corrected(
        self, reading: PersonReading, pieces: list[Piece], cut: list[Link], note: Note, moves: Sequence[Move]
    ) -> Cut:
        """What cutting somebody into these pieces comes to. Nothing is written."""
        past = await self._engine.identity_history(reading.person)
        home = {person: piece for piece in pieces for person in piece.part.people}
        held = [each for each, _, undone in past.merges if undone is None]
        undone = [each for each in held if home[each.loser] is not home[each.survivor]]
        rejoined = [_rejoined(each, home[each.loser].person, note) for each in undone]
        repair = Repair(
            note,
            owners={
                key: piece.person
                for piece in pieces
                for key in piece.part.identifiers
                if piece.person != reading.person
            },
            roots={
                person: None if person == piece.person else piece.person
                for person, piece in home.items()
                if person in reading.merged and piece.person != reading.person
            },
            undone=undone,
            rejoined=[each for each in rejoined if each.loser != each.survivor],
            cut=cut,
            bans=[Ban(link.a, link.b) for link in cut],
            moves=moves,
            effects=await self._effects(pieces, {reading.person, *reading.merged}),
        )
        survivors = {each.loser: each.survivor for each in repair.rejoined} | stuck(reading, home)
        tombstones = [PersonState(loser, survivor) for loser, survivor in survivors.items()]
        return Cut(reading.person, pieces, cut, repair, tombstones)

    async def _effects(self, pieces: Sequence[Piece], people: Collection[PersonId]) -> list[CorrectedEffect]:
        """The effects still waiting whose event belongs to another of the pieces than whose they are now."""
        waiting = await self._engine.waiting_effects(people)
        targets = {effect.target for effect in waiting}
        owner = {
            effect_key(record.key, f"{WEBHOOK}/{target}"): piece.person
            for target in targets
            for piece in pieces
            for record in piece.records
        }
        wrong = [(each, owner[each.key]) for each in waiting if owner.get(each.key, each.person) != each.person]
        return [CorrectedEffect(each.key, person, _about(each.body, person)) for each, person in wrong]

    async def _write(self, append: Append, cut: Cut) -> Position:
        now = cut.repair.note.at_ms
        states = [*(piece.state for piece in cut.pieces), *cut.tombstones]
        return await append.write(
            AppendBatch([restore(state, now) for state in states], [], Changes(), [], [], now, repair=cut.repair)
        )

    # -- merging

    async def merge(self, a: str, b: str, by: str, reason: str, *, dry: bool) -> dict[str, Any]:
        """Make one person of the people of two identifiers, whatever the rules say; a ban between them is lifted.

        `dry` changes nothing and says what would be. Raises CourtesyError: NOT_FOUND, CONFLICT when they are one
        already, INVALID for an identifier that is shared.
        """
        async with self._engine.appending() as append:
            one, other = await self._read(a), await self._read(b)
            _check_mergeable(one, other, a, b)
            now = self._clock.now_ms()
            view = View(await append.owners([a, b]), await append.held([one.person, other.person]))
            lifted = await _bans_between(append, view.held[one.person], view.held[other.person])
            resolver = Resolver(self._catalog.now.rules, view, lambda: PersonId(0))
            survivor = resolver.join(a, b, Evidence(SYSTEM_SOURCE, BY_HAND, now), reason or BY_HAND)
            told = _merged_view(*((one, other) if survivor == one.person else (other, one)))
            if dry:
                return {**told, "position": None}
            repair = Repair(Note("merge", survivor, by, reason, now), lifted=lifted)
            records = [_hand_over(each, now) for each in view.changes.merges]
            position = await append.write(AppendBatch(records, [], view.changes, [], [], now, repair=repair))
            return {**told, "position": str(position)}


async def _bans_between(append: Append, one: Collection[str], other: Collection[str]) -> list[Ban]:
    bans = await append.bans(one)
    return [Ban(key, banned) for key in sorted(bans) for banned in sorted(bans[key]) if banned in other]


def _hand_over(merged: Merge, now_ms: int) -> NewRecord:
    payload = hand_over_payload(merged.survivor)
    return NewRecord(merged.loser, RecordKind.HAND_OVER, now_ms, now_ms, SYSTEM_SOURCE, bytes(16), payload)


def _merged_view(survivor: PersonReading, loser: PersonReading) -> dict[str, Any]:
    """Who becomes part of whom, and the traits in which they differ."""
    states = [assemble(each.person, each.merged, each.states, each.tail) for each in (survivor, loser)]
    conflicts = _conflicts(*states)
    merge(*states)
    return {
        "person": str(survivor.person),
        "loser": str(loser.person),
        "identifiers": sorted(each.identifier for reading in (survivor, loser) for each in reading.identifiers),
        "events": states[0].event_count,
        "conflicts": conflicts,
    }


def _check_named(known: Known, named: Sequence[str], reading: PersonReading) -> None:
    shared = {each.identifier for each in reading.identifiers if each.shared}
    for key in named:
        if key in shared:
            raise CourtesyError(Code.INVALID, f"{key!r:.100} is shared by several people, and links none of them")
        if key not in known.identifiers:
            raise CourtesyError(
                Code.CONFLICT, f"{key!r:.100} is no identifier of person {reading.person}", hint="they are two already"
            )


def _check_mergeable(one: PersonReading, other: PersonReading, a: str, b: str) -> None:
    if one.person == other.person:
        raise CourtesyError(Code.CONFLICT, f"both are person {one.person} already")
    for reading, key in ((one, a), (other, b)):
        if key.startswith("group:"):
            raise CourtesyError(Code.INVALID, f"{key!r:.100} is a group: groups are not merged")
        if any(each.shared for each in reading.identifiers if each.identifier == key):
            raise CourtesyError(Code.INVALID, f"{key!r:.100} is shared by several people, and stands for none of them")


def _part_number(record: Record, where: Mapping[str, int], otherwise: int) -> int:
    """The part to which an event belongs: that of the most telling identifier that it carries."""
    try:
        carried = _CARRIED.decode(record.payload)
    except (msgspec.DecodeError, RecursionError):
        return otherwise
    return next((where[key] for key in (*carried.ids, *carried.previous) if key in where), otherwise)


def _refolded(
    part: Part, records: Sequence[Record], catalogs: CatalogHistory, now_ms: int, whole: PersonState
) -> PersonState:
    assert part.person is not None
    # A wait that is over but not fired yet still has its effect to come.
    return refold(part.person, records, catalogs, now_ms, keep=whole.timers.keys())


def keep_room(state: PersonState, whole: PersonState, people: Collection[PersonId]) -> None:
    """Hold room in a state that was found anew for what is on its way to these people, all of whom it is about, as it
    is held in `whole`: what becomes of it will be told to them."""
    held = {} if whole.messages is None else held_for(whole.messages.held, people)
    if held:
        state.messages = state.messages or Messages()
        state.messages.held.update(held)


def _check_whole(whole: PersonState, pieces: Sequence[Piece]) -> None:
    there = Counter[str]()
    for piece in pieces:
        there.update(piece.state.type_counts)
    if there != Counter(whole.type_counts):
        raise CourtesyError(
            Code.CONFLICT,
            f"expected {whole.event_count} events in history, found {there.total()}: the rest was dropped from the log",
            hint="turn the lake on before the log is trimmed; what is gone can't be told apart",
        )


def stuck(reading: PersonReading, home: Mapping[PersonId, Piece]) -> dict[PersonId, PersonId]:
    """Who became part of somebody but never handed over, for that record could not be folded; and whose they are."""
    stored = map(decode_state, reading.states)
    left = [state.person for state in stored if state.merged_into is None]
    return {person: home[person].person for person in left if home[person].person != person}


def _rejoined(each: Merge, survivor: PersonId, note: Note) -> Merge:
    return each._replace(survivor=survivor, evidence=Evidence(SYSTEM_SOURCE, note.kind, note.at_ms), reason=note.kind)


def _about(body: bytes, person: PersonId) -> bytes:
    told = msgspec.json.decode(body)
    told["data"]["person"] = str(person)
    return msgspec.json.encode(told)


def whole_of(reading: PersonReading) -> PersonState:
    """A person as they are read."""
    return assemble(reading.person, reading.merged, reading.states, reading.tail)


def restore(state: PersonState, now_ms: int) -> NewRecord:
    """The record that has the fold put a state in place of what it had."""
    payload = encode_state(state)
    return NewRecord(state.person, RecordKind.RESTORE, now_ms, now_ms, SYSTEM_SOURCE, bytes(16), payload)


def _conflicts(state: PersonState, other: PersonState) -> list[dict[str, Any]]:
    """Traits in which the two differ, with the value that would stay."""
    found = []
    for path in sorted(state.traits.keys() & other.traits.keys()):
        one, two = state.traits[path], other.traits[path]
        if one.value != two.value:
            kept = max(one, two, key=lambda each: (each.rank, each.at, each.tie))
            found.append({"trait": path, "values": [one.value, two.value], "kept": kept.value})
    return found


def cut_view(cut: Cut) -> dict[str, Any]:
    """What became of somebody who was cut apart, or would."""
    return {
        "person": str(cut.person),
        "people": [
            {
                "person": str(piece.person),
                "identifiers": piece.part.identifiers,
                "events": piece.state.event_count,
                "first": to_iso(piece.state.first.at) if piece.state.first else None,
                "last": to_iso(piece.state.last.at) if piece.state.last else None,
            }
            for piece in cut.pieces
        ],
        "cut": [[link.a, link.b] for link in cut.links],
        "events_moved": len(cut.repair.moves),
        "effects_corrected": len(cut.repair.effects),
        "position": None if cut.position is None else str(cut.position),
    }
