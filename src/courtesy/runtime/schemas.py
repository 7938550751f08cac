"""Schemas and what came in: proposing one from the log, holding the log against one, and reading their history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import PersonId, Position
from courtesy.engine.contract import Engine, Revision
from courtesy.event.event import Event
from courtesy.person.record import Record
from courtesy.runtime.catalog import SCHEMA, CatalogCache
from courtesy.schema.breach import detail_of
from courtesy.schema.compare import Change, changes
from courtesy.schema.event_schema import (
    EVERY_SOURCE,
    EventCheck,
    EventSchema,
    Subject,
    checked_object,
    compile_schema,
    event_name,
    subject,
)
from courtesy.schema.infer import inferred
from courtesy.schema.shape import Shape, add, places

WINDOW = 20_000
"""Positions that are searched at a time, from the end of the log backwards."""

SEARCHED_MAX = 500_000
"""Positions that are searched at most for events of a name; further back, what came in tells of other times."""

BREATH_EVENTS = 500
"""Events after which others get their turn on the event loop: about 10 ms of work."""

EXAMPLES_MAX = 5

_EVENT = msgspec.json.Decoder(Event)
_OBJECT = msgspec.json.Decoder(dict[str, Any])


class Came(NamedTuple):
    """An event that came in, and the object of it that a schema is about, empty when it has none."""

    person: PersonId
    event: Event
    root: str
    value: dict[str, Any]


class FieldSeen(NamedTuple):
    """A field of a proposal: the share of surrounding objects that have it, the share of nulls, types and examples."""

    path: str
    types: tuple[str, ...]
    present_share: float
    null_share: float
    examples: tuple[str, ...]


class Proposal(NamedTuple):
    """A schema made from `event_count` events that came in, the earliest of them at `since_ms`."""

    subject: Subject
    event_count: int
    since_ms: int
    schema: dict[str, Any]
    fields: list[FieldSeen]


class Broken(NamedTuple):
    """An event that breaks the schema that it was held against."""

    message_id: str
    person: PersonId
    detail: str


@dataclass(slots=True)
class Trial:
    """What holding `event_count` events against a schema came to; `examples` are the latest that break it."""

    event_count: int
    broken_count: int
    people_count: int
    examples: list[Broken]


class SchemaRevision(NamedTuple):
    """One revision of a schema, and what it changed. `declared` is None where the schema was removed."""

    number: int
    declared: EventSchema | None
    changed: list[Change]
    at_ms: int
    by: str


def came(record: Record) -> Came:
    """What a record of an event says to a schema."""
    event = _EVENT.decode(record.payload)
    root, raw = checked_object(event)
    content = bytes(raw)
    return Came(record.person, event, root, {} if content in (b"", b"null") else _OBJECT.decode(content))


class Schemas:
    """Schemas together with the log."""

    def __init__(self, engine: Engine, catalog: CatalogCache) -> None:
        self._engine = engine
        self._catalog = catalog

    def check(self, name: str) -> EventCheck:
        """The schema in force. Raises CourtesyError(NOT_FOUND)."""
        found = self._catalog.now.schemas.get(name)
        if found is None:
            raise CourtesyError(
                Code.NOT_FOUND, f"no schema named {name!r:.200}", hint=nearest(name, self._catalog.now.schemas)
            )
        return found

    async def history(self, name: str) -> list[SchemaRevision]:
        """Every revision with what it changed, oldest first. Raises CourtesyError(NOT_FOUND)."""
        found = await self._engine.definition_history(SCHEMA, name)
        if not found:
            self.check(name)
        told: list[SchemaRevision] = []
        before: EventSchema | None = None
        for each in found:
            declared = None if each.body is None else msgspec.json.decode(each.body, type=EventSchema)
            changed = changes(before, declared) if before is not None and declared is not None else []
            told.append(_revision(each, declared, changed))
            before = declared
        return told

    async def difference(self, name: str, old: int, new: int) -> list[Change]:
        """How two revisions differ. Raises CourtesyError(NOT_FOUND)."""
        found = {each.number: each.declared for each in await self.history(name)}
        return changes(_existing(found, old), _existing(found, new))

    async def revision(self, name: str, number: int) -> SchemaRevision:
        """One revision. Raises CourtesyError(NOT_FOUND)."""
        history = await self.history(name)
        _existing({each.number: each.declared for each in history}, number)
        return next(each for each in history if each.number == number)

    async def infer(self, name: str, sample: int, required_share: float = 1.0) -> Proposal:
        """Propose a schema from the latest `sample` events of a name that came in.

        Raises CourtesyError: NOT_FOUND for a source that is not there, or when no such event is in the log.
        """
        about = subject(name)
        shape = Shape()
        since_ms = 0
        async for each in self._latest(about, sample):
            add(shape, each.value)
            since_ms = each.event.received
        if not shape.count:
            raise CourtesyError(
                Code.NOT_FOUND,
                f"expected events named {about.event!r:.200} from {about.source!r:.100}, got none lately",
                hint="names are exact; `*` as the source means all",
            )
        return Proposal(about, shape.count, since_ms, inferred(shape, required_share), _fields(shape))

    async def trial(self, name: str, declared: EventSchema, sample: int) -> Trial:
        """Hold the latest `sample` events of a name against a schema, which need not be in force.

        Raises CourtesyError: INVALID for a schema that is none, NOT_FOUND for a source that is not there.
        """
        about = subject(name)
        check = EventCheck(about, 0, declared, compile_schema(declared.schema))
        people: set[PersonId] = set()
        trial = Trial(0, 0, 0, [])
        async for each in self._latest(about, sample):
            trial.event_count += 1
            found = check.breaches(each.value)
            if found:
                trial.broken_count += 1
                people.add(each.person)
                if len(trial.examples) < EXAMPLES_MAX:
                    trial.examples.append(Broken(each.event.id, each.person, detail_of(found, each.root)))
        trial.people_count = len(people)
        return trial

    async def _latest(self, about: Subject, sample: int) -> AsyncIterator[Came]:
        """The latest events that a schema is about, newest first."""
        source = None if about.source == EVERY_SOURCE else self._catalog.policy(about.source).source
        upto = await self._engine.head()
        lowest = max(0, upto - SEARCHED_MAX)
        marks = _marks(about.event)
        found = 0
        while upto > lowest and found < sample:
            after = Position(max(lowest, upto - WINDOW))
            records = await self._engine.events_between(after, upto, source, WINDOW)
            for number, record in enumerate(records):
                if number % BREATH_EVENTS == 0:
                    await asyncio.sleep(0)
                # Most events are others, and to look for the name is 50 times as fast as to decode them.
                if found >= sample or not any(mark in record.payload for mark in marks):
                    continue
                each = came(record)
                if event_name(each.event) == about.event:
                    found += 1
                    yield each
            upto = after


def _marks(name: str) -> tuple[bytes, bytes]:
    """What is in the payload of any event of a name: the name, or its type."""
    encoded = msgspec.json.encode(name)
    return b'"name":' + encoded, b'"type":' + encoded


def _revision(found: Revision, declared: EventSchema | None, changed: Sequence[Change]) -> SchemaRevision:
    return SchemaRevision(found.revision, declared, list(changed), found.changed_ms, found.changed_by)


def _existing(found: dict[int, EventSchema | None], number: int) -> EventSchema:
    declared = found.get(number)
    if declared is None:
        known = ", ".join(str(each) for each, body in found.items() if body is not None)
        raise CourtesyError(Code.NOT_FOUND, f"no revision {number}", hint=f"there are: {known}")
    return declared


def _fields(shape: Shape) -> list[FieldSeen]:
    return [
        FieldSeen(
            path,
            tuple(sorted(each.types)),
            each.count / around if around else 0.0,
            each.null_count / each.count,
            tuple(each.examples),
        )
        for path, each, around in places(shape)
    ]
