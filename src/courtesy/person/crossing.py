"""Records that the fold itself makes: of who entered or left a segment, and of what became of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import PersonId, effect_key
from courtesy.event.event import SEGMENT_ENTERED, SEGMENT_LEFT, Event, EventType, Party, encode
from courtesy.person.marks import Crossing
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, Record, RecordKind
from courtesy.person.step import News

RANK = 30


class Told(NamedTuple):
    """An event of the type `system`: its name and properties, when (ms UTC), and its id."""

    name: str
    properties: Mapping[str, Any]
    at_ms: int
    message_id: str
    live: bool = True


def system_record(person: PersonId, key: bytes, told: Told, now_ms: int) -> NewRecord:
    """The record of an event that the system tells of a person."""
    event = Event(
        id=told.message_id,
        type=EventType.SYSTEM,
        at=told.at_ms,
        received=max(now_ms, told.at_ms),
        source=SYSTEM_SOURCE,
        rank=RANK,
        party=Party.FIRST,
        ids=(),
        name=told.name,
        live=told.live,
        properties=msgspec.Raw(msgspec.json.encode(told.properties)),
    )
    return NewRecord(person, RecordKind.EVENT, event.at, event.received, SYSTEM_SOURCE, key, encode(event))


def news_record(record: Record, news: News, now_ms: int) -> NewRecord:
    """The record of news that a record caused. However often it is made, it is the same but for its time."""
    key = effect_key(record.key, f"news/{news.name}{'/' if news.about else ''}{news.about}")
    return system_record(record.person, key, Told(news.name, news.properties, now_ms, f"news-{key.hex()}"), now_ms)


def crossing_record(record: Record, number: int, crossing: Crossing, now_ms: int) -> NewRecord:
    """The record of a crossing that a record caused, the `number`th of it. However often it is made, it is the same."""
    name = SEGMENT_ENTERED if crossing.inside else SEGMENT_LEFT
    cause = record.position.to_bytes(8, "big") + record.key
    key = effect_key(cause, f"{name}/{crossing.segment}/{crossing.value}/{number}")
    properties: dict[str, Any] = {"segment": crossing.name, "cause": crossing.cause, "position": record.position}
    if crossing.value:
        properties["value"] = msgspec.Raw(crossing.value.encode())
    told = Told(name, properties, crossing.at_ms, f"segment-{key.hex()}", live=crossing.live)
    return system_record(record.person, key, told, now_ms)
