"""Reading people: by any identifier, as of everything acknowledged before the call, with where each fact came from."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import to_iso
from courtesy.engine.contract import Engine, HeldIdentifier, IdentityReading, PersonReading
from courtesy.identity.repair import chain_between
from courtesy.identity.resolve import Link
from courtesy.identity.rules import normalise, split_identifier
from courtesy.person.assemble import assemble
from courtesy.person.record import Record, RecordKind
from courtesy.person.state import PersonState
from courtesy.person.view import person_view, sources_of
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.history import History, Told

PERSON = "person"
GROUP = "group"
RECORDS_MAX = 500
CORRECTIONS_MAX = 100
AHEAD_WAIT_MS = 2_000
AHEAD_POLL_MS = 20


class People:
    """The reading side of one process."""

    def __init__(self, engine: Engine, catalog: CatalogCache, history: History) -> None:
        self._engine = engine
        self._catalog = catalog
        self._history = history

    def key_of(self, kind: str, value: str) -> str:
        """The identifier that a reader means. Raises CourtesyError(INVALID) for one that can't identify anybody."""
        if kind == PERSON:
            if not (value.isascii() and value.isdigit() and len(value) < 19):
                raise CourtesyError(Code.INVALID, f"expected a person's number, got {value!r}", place="value")
            return f"{PERSON}:{value}"
        key = normalise(self._catalog.now.rules, kind, value)
        if key is None:
            raise CourtesyError(
                Code.INVALID,
                f"{value!r:.60} can't identify anybody as {kind!r:.40}",
                hint=self._kind_hint(kind),
                place="value",
            )
        return key

    def _kind_hint(self, kind: str) -> str:
        """The kind that was probably meant, when this one is not declared."""
        known = [PERSON, GROUP, *self._catalog.now.rules.by_name]
        return "" if kind in known else nearest(kind, known)

    async def view(self, kind: str, value: str, after: Position | None = None) -> dict[str, Any]:
        """A person, including everything acknowledged before the call.

        `after`: a position that must be included; waited for when it is not there yet, up to `AHEAD_WAIT_MS`.
        Raises CourtesyError(NOT_FOUND), or CONFLICT for a position that this log has not reached.
        """
        reading, state = await self.whole(kind, value, after)
        names = await self._catalog.source_names(_sources(reading.identifiers) | sources_of(state))
        view = person_view(state, names)
        view["position"] = str(reading.head)
        view["merged_people"] = [str(person) for person in reading.merged]
        view["identifiers"] = [_identifier_view(each, names) for each in reading.identifiers]
        if kind == GROUP:
            view["members"] = sorted(state.members)
        return view

    async def state(self, kind: str, value: str, after: Position | None = None) -> PersonState:
        """As `view`, as it is stored."""
        return (await self.whole(kind, value, after))[1]

    async def whole(self, kind: str, value: str, after: Position | None = None) -> tuple[PersonReading, PersonState]:
        """As `view`, as it was read and as it is stored."""
        reading = await self._read(kind, value, after)
        return reading, assemble(reading.person, reading.merged, reading.states, reading.tail)

    async def view_at(self, kind: str, value: str, at_ms: int, *, knowing_today: bool) -> dict[str, Any]:
        """A person at an instant, found anew from their events.

        As known then: by the events received until then, and by who was who as far as it was known. Or `knowing_today`:
        who they are today, by all events that had happened until then, whenever they came in. What was dropped from the
        log and is not in the lake is missing. Raises CourtesyError(NOT_FOUND) for who was not known.
        """
        state, told, merged = await self._whole_at(kind, value, at_ms, knowing_today=knowing_today)
        names = await self._catalog.source_names(sources_of(state))
        view = person_view(state, names)
        view["as_of"] = to_iso(at_ms)
        view["position"] = str(told.position)
        view["merged_people"] = [str(each) for each in merged]
        view["identifiers"] = _carried_view(state, told, names)
        if kind == GROUP:
            view["members"] = sorted(state.members)
        return view

    async def everyone(self, kind: str, value: str) -> list[PersonId]:
        """All who are known to be one with a person, themselves first. Raises CourtesyError(NOT_FOUND)."""
        reading = await self._read(kind, value, None)
        return [reading.person, *reading.merged]

    async def then(self, kind: str, value: str, at_ms: int) -> list[PersonId]:
        """All who were known to be one with a person at an instant, themselves first. Raises
        CourtesyError(NOT_FOUND)."""
        found = await self._engine.person_at(self.key_of(kind, value), at_ms)
        if found is None:
            # Today's error, if nobody is here today either.
            await self._read(kind, value, None)
            raise unknown_then(kind, value, at_ms)
        person, merged = found
        return [person, *merged]

    async def reading(self, kind: str, value: str) -> PersonReading:
        """A person as they were read, with everything acknowledged before the call. Raises CourtesyError(NOT_FOUND)."""
        return await self._read(kind, value, None)

    async def _whole_at(
        self, kind: str, value: str, at_ms: int, *, knowing_today: bool
    ) -> tuple[PersonState, Told, list[PersonId]]:
        key = self.key_of(kind, value)
        if knowing_today:
            reading = await self._read(kind, value, None)
            person, merged = reading.person, reading.merged
            was_told = kind in (PERSON, GROUP) or _was_told(key, reading.identifiers, at_ms)
        else:
            (person, *merged), was_told = await self.then(kind, value, at_ms), True
        told = await self._history.at([person, *merged], at_ms, knowing_today=knowing_today)
        state = told.state(person, at_ms)
        if told.position is None or not (was_told or key in state.identifiers):
            raise unknown_then(kind, value, at_ms)
        return state, told, merged

    async def _read(self, kind: str, value: str, after: Position | None) -> PersonReading:
        key = self.key_of(kind, value)
        waited = 0
        while True:
            reading = await self._engine.read_person(key)
            if reading is None:
                # Nobody is sure to be there only if the head was reached before nobody was found.
                head = await self._engine.head()
                reading = await self._engine.read_person(key)
            if reading is not None:
                head = reading.head
            if after is None or after <= head:
                break
            if waited >= AHEAD_WAIT_MS:
                raise CourtesyError(
                    Code.CONFLICT,
                    f"expected a position up to {head}, got {after}",
                    hint="is the position of another store?",
                    place="after",
                )
            await asyncio.sleep(AHEAD_POLL_MS / 1_000)
            waited += AHEAD_POLL_MS
        if reading is None:
            raise CourtesyError(Code.NOT_FOUND, f"nobody has {kind} {value!r:.100}", hint=self._kind_hint(kind))
        return reading

    async def events(self, kind: str, value: str, before: Position | None, limit: int) -> dict[str, Any]:
        """The latest events of a person that the log still has, newest first, whole as they were accepted."""
        reading = await self._read(kind, value, None)
        people = [reading.person, *reading.merged]
        limit = min(limit, RECORDS_MAX)
        records = await self._records_of(people, before, limit)
        names = await self._catalog.source_names(_sources(records))
        wanted = (RecordKind.EVENT, RecordKind.GROUP)
        return {
            "person": str(reading.person),
            "events": [event_view(record, names) for record in records if record.kind in wanted],
            "next_before": str(records[-1].position) if len(records) == limit else None,
        }

    async def _records_of(self, people: Collection[PersonId], before: Position | None, limit: int) -> list[Record]:
        """The latest records of these people, newest first; those that a repair moved are where they belong."""
        if not await self._engine.moves(people):
            return await self._engine.records_of(people, before, limit)
        records = [each for each in await self._history.of(people) if before is None or each.position < before]
        return records[: -limit - 1 : -1]

    async def why(self, kind: str, value: str, other: tuple[str, str] | None = None) -> dict[str, Any]:
        """Why a person's identifiers are one person; with `other`, the chain of evidence between the two."""
        reading = await self._read(kind, value, None)
        evidence = await self._engine.identity_of(reading.person)
        names = await self._catalog.source_names(_sources(reading.identifiers) | _sources_of_evidence(evidence))
        view: dict[str, Any] = {
            "person": str(reading.person),
            "identifiers": [_identifier_view(each, names) for each in reading.identifiers],
            "links": [link_view(link, names) for link in evidence.links],
            "merges": [
                {
                    "loser": str(each.loser),
                    "survivor": str(each.survivor),
                    **link_view(Link(each.a, each.b, each.evidence, each.reason), names),
                }
                for each in evidence.merges
            ],
            "corrections": [
                {"kind": each.kind, "by": each.by, "reason": each.reason, "at": to_iso(each.at_ms)}
                for each in await self._engine.notes(reading.person, CORRECTIONS_MAX)
            ],
            "refused": [
                {
                    "identifier": each.identifier,
                    "reason": str(each.reason),
                    "source": names.get(each.evidence.source, str(each.evidence.source)),
                    "message_id": each.evidence.message_id,
                    "at": to_iso(each.evidence.at),
                }
                for each in evidence.refusals
            ],
        }
        if other is not None:
            path = chain_between(self.key_of(kind, value), self.key_of(*other), evidence.links)
            view["path"] = None if path is None else [link_view(link, names) for link in path]
            view["same_person"] = any(each.identifier == self.key_of(*other) for each in reading.identifiers)
        return view


def _sources(told: Iterable[HeldIdentifier | Record]) -> set[SourceId]:
    return {each.source for each in told}


def _sources_of_evidence(reading: IdentityReading) -> set[SourceId]:
    return {
        *(each.evidence.source for each in reading.links),
        *(each.evidence.source for each in reading.merges),
        *(each.evidence.source for each in reading.refusals),
    }


def unknown_then(kind: str, value: str, at_ms: int) -> CourtesyError:
    """What is raised for an identifier that nobody was known by at an instant."""
    return CourtesyError(Code.NOT_FOUND, f"{kind} {value!r:.100} was not known at {to_iso(at_ms)}")


def _was_told(key: str, held: Iterable[HeldIdentifier], at_ms: int) -> bool:
    """Whether an identifier was told by an instant, though its events may be somebody else's by now."""
    return any(each.since_ms <= at_ms for each in held if each.identifier == key)


def _identifier_view(each: HeldIdentifier, names: Mapping[SourceId, str]) -> dict[str, Any]:
    kind, value = split_identifier(each.identifier)
    return {
        "kind": kind,
        "value": value,
        "shared": each.shared,
        "source": names.get(each.source, str(each.source)),
        "message_id": each.message_id,
        "since": to_iso(each.since_ms),
    }


def _carried_view(state: PersonState, told: Told, names: Mapping[SourceId, str]) -> list[dict[str, Any]]:
    """The identifiers that the events up to an instant carried, each with the one that told it first."""
    message_ids = told.message_ids(state)
    return [
        {
            "kind": kind,
            "value": value,
            "shared": False,
            "source": names.get(seen.source, str(seen.source)),
            "message_id": message_ids[key],
            "since": to_iso(seen.first.at),
        }
        for key, seen in sorted(state.identifiers.items(), key=lambda each: (each[1].first.at, each[0]))
        for kind, value in [split_identifier(key)]
    ]


def event_view(record: Record, names: Mapping[SourceId, str]) -> dict[str, Any]:
    """An event whole, as it was accepted. Raises msgspec.DecodeError for a payload that is none."""
    body: dict[str, Any] = msgspec.json.decode(record.payload)
    return {
        "position": str(record.position),
        "at": to_iso(record.at),
        "received": to_iso(record.received),
        "source": names.get(record.source, str(record.source)),
        "message_id": body.get("id"),
        "type": body.get("type"),
        "name": body.get("name"),
        "group": body.get("group"),
        "identifiers": body.get("ids", []),
        "live": body.get("live", True),
        "properties": body.get("properties", {}),
        "traits": body.get("traits", {}),
        "group_traits": body.get("group_traits", {}),
        "context": body.get("context", {}),
    }


def link_view(link: Link, names: Mapping[SourceId, str]) -> dict[str, Any]:
    """A link with its evidence."""
    return {
        "a": link.a,
        "b": link.b,
        "reason": link.reason,
        "source": names.get(link.evidence.source, str(link.evidence.source)),
        "message_id": link.evidence.message_id,
        "at": to_iso(link.evidence.at),
    }
