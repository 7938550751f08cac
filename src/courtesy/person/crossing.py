"""The event that tells that somebody entered or left a segment."""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.base.ids import effect_key
from courtesy.event.event import SEGMENT_ENTERED, SEGMENT_LEFT, Event, EventType, Party, encode
from courtesy.person.marks import Crossing
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, Record, RecordKind

RANK = 30


def crossing_record(record: Record, number: int, crossing: Crossing, now_ms: int) -> NewRecord:
    """The record of a crossing that a record caused, the `number`th of it. However often it is made, it is the same."""
    name = SEGMENT_ENTERED if crossing.inside else SEGMENT_LEFT
    cause = record.position.to_bytes(8, "big") + record.key
    key = effect_key(cause, f"{name}/{crossing.segment}/{crossing.value}/{number}")
    properties: dict[str, Any] = {"segment": crossing.name, "cause": crossing.cause, "position": record.position}
    if crossing.value:
        properties["value"] = msgspec.Raw(crossing.value.encode())
    event = Event(
        id=f"segment-{key.hex()}",
        type=EventType.SYSTEM,
        at=crossing.at_ms,
        received=max(now_ms, crossing.at_ms),
        source=SYSTEM_SOURCE,
        rank=RANK,
        party=Party.FIRST,
        ids=(),
        name=name,
        live=crossing.live,
        properties=msgspec.Raw(msgspec.json.encode(properties)),
    )
    return NewRecord(record.person, RecordKind.EVENT, event.at, event.received, SYSTEM_SOURCE, key, encode(event))
