"""What the system itself reports of a source: events in the log, which belong to the source as others to a person.

A source has an entity of its own, read as `event_source/<name>`; it counts as nobody, and no claim can name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import PersonId, message_key
from courtesy.engine.contract import AppendBatch, Engine
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.identity.resolve import Changes, Evidence, Owner
from courtesy.identity.rules import SOURCE_KIND, identifier
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, RecordKind

REPORT_RANK = 30


class SourceReport(NamedTuple):
    """An event about a source. It is stored once, however often it is reported under its message id."""

    source: str
    message_id: str
    name: str
    properties: dict[str, Any]


async def report(engine: Engine, reports: Sequence[SourceReport], now_ms: int) -> int:
    """Put the reports that are new into the log, all or none; how many. Raises Unavailable or StorageFull."""
    if not reports:
        return 0
    by_key = {message_key(SYSTEM_SOURCE, each.message_id): each for each in reports}
    owned = {each.source: identifier(SOURCE_KIND, each.source) for each in reports}
    people = await engine.reserve_people(len(owned))
    async with engine.appending() as append:
        seen = await append.seen(list(by_key))
        fresh = {key: each for key, each in by_key.items() if key not in seen}
        if not fresh:
            return 0
        owners = await append.owners(list(owned.values()))
        changes = Changes()
        for number, source in zip(people, sorted({each.source for each in fresh.values()}), strict=False):
            if owned[source] not in owners:
                evidence = Evidence(SYSTEM_SOURCE, f"source-{source}", now_ms)
                owners[owned[source]] = Owner(PersonId(number))
                changes.owners[owned[source]] = (owners[owned[source]], evidence)
                changes.people[PersonId(number)] = evidence
        records = [_record(owners[owned[each.source]].person, key, each, now_ms) for key, each in fresh.items()]
        await append.write(AppendBatch(records, list(fresh), changes, (), (), now_ms))
    return len(fresh)


def _record(entity: PersonId, key: bytes, told: SourceReport, now_ms: int) -> NewRecord:
    event = Event(
        id=told.message_id,
        type=EventType.SYSTEM,
        at=now_ms,
        received=now_ms,
        source=SYSTEM_SOURCE,
        rank=REPORT_RANK,
        party=Party.FIRST,
        ids=(identifier(SOURCE_KIND, told.source),),
        name=told.name,
        properties=msgspec.Raw(msgspec.json.encode(told.properties)),
    )
    return NewRecord(entity, RecordKind.EVENT, now_ms, now_ms, SYSTEM_SOURCE, key, encode(event))
