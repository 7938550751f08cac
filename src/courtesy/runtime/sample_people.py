"""Real people to try content on: a few, spread over all there are, and those whom somebody names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import SECOND_MS, Clock
from courtesy.content.scope import Scope
from courtesy.engine.contract import Engine, PersonReading
from courtesy.identity.rules import IdentityRules, normalise
from courtesy.person.assemble import assemble
from courtesy.person.state import PersonState
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.writing import locale_of, person_told, zone_told

COUNT = 20
NAMED_MAX = 20
FRESH_MS = 10 * SECOND_MS
PERSON = "person"


class NamedPerson(NamedTuple):
    """Somebody by an identifier, as people are read: `email` and `ann@shop.example`."""

    kind: str
    value: str


class SamplePeople:
    """The samples of one process, looked up again after `FRESH_MS`."""

    def __init__(self, engine: Engine, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._clock = clock
        self._picked: list[PersonState] = []
        self._picked_ms: int | None = None

    async def pick(self) -> list[PersonState]:
        """Up to `COUNT` people as they are, the same ones each time as long as nobody comes or goes."""
        now_ms = self._clock.now_ms()
        if self._picked_ms is None or not 0 <= now_ms - self._picked_ms < FRESH_MS:
            self._picked = await self._read(await self._engine.some_people(COUNT))
            self._picked_ms = now_ms
        return self._picked

    async def named(self, people: Collection[NamedPerson]) -> list[PersonState]:
        """Those people as they are now. Raises CourtesyError: NOT_FOUND, INVALID for what names nobody, TOO_MANY."""
        if len(people) > NAMED_MAX:
            raise CourtesyError(
                Code.TOO_MANY, f"expected at most {NAMED_MAX} people, got {len(people)}", place="people"
            )
        return [_state(await self._one(each)) for each in dict.fromkeys(people)]

    async def _one(self, named: NamedPerson) -> PersonReading:
        key = _key(self._catalog.now.rules, named)
        found = None if key is None else await self._engine.read_person(key)
        if found is None:
            raise CourtesyError(Code.NOT_FOUND, f"nobody has {named.kind} {named.value!r:.100}", place="people")
        return found

    async def _read(self, people: Iterable[PersonId]) -> list[PersonState]:
        readings = await self._engine.read_people(list(people))
        return [_state(readings[person]) for person in sorted(readings)]


def _key(rules: IdentityRules, named: NamedPerson) -> str | None:
    return f"{PERSON}:{named.value}" if named.kind == PERSON else normalise(rules, named.kind, named.value)


def _state(reading: PersonReading) -> PersonState:
    return assemble(reading.person, reading.merged, reading.states, reading.tail)


def sample_scope(state: PersonState, now_ms: int, message: Mapping[str, Any]) -> Scope:
    """Somebody as messages speak of them, with what `message` holds for everybody alike."""
    person = person_told(state)
    return Scope(
        person=person,
        message=message,
        locale=locale_of(state) or "en",
        zone=zone_told(person),
        now_ms=now_ms,
    )
