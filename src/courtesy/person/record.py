"""What lies in the log: records of a few kinds, and the input that each stands for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

import msgspec

from courtesy.base.ids import Partition, PersonId, Position, SourceId, tie_break
from courtesy.event.event import decode_fact
from courtesy.person.marks import Mark
from courtesy.person.state import decode_state
from courtesy.person.step import Absorb, Counted, GroupOccurred, HandOver, Input, Occurred, Restore, Settled, TimerFired


class RecordKind(IntEnum):
    """What a record's payload is: an event (JSON) for EVENT and GROUP, msgpack for the others.

    Each event lies in the log once as EVENT, and that of a group once more as GROUP. The forwarded ones are copies for
    whom a person became part of; who reads history leaves them out.
    """

    EVENT = 0
    GROUP = 1
    TIMER = 2
    HAND_OVER = 3
    ABSORB = 4
    FORWARDED_EVENT = 5
    FORWARDED_GROUP = 6
    RESTORE = 7
    COUNTED = 8
    SETTLED = 9


FACTS = (RecordKind.EVENT, RecordKind.GROUP)
"""The kinds that history is made of."""

DERIVED = (RecordKind.ABSORB, RecordKind.RESTORE, RecordKind.COUNTED)
"""The kinds that hold what was made of several events: they go, or are emptied, when one of these does."""

_COPIES = (RecordKind.FORWARDED_EVENT, RecordKind.FORWARDED_GROUP)
_FORWARDED = {RecordKind.EVENT: RecordKind.FORWARDED_EVENT, RecordKind.GROUP: RecordKind.FORWARDED_GROUP}


class NewRecord(NamedTuple):
    """A record to be appended. `at` is the event's time, `received` its arrival, both ms UTC; `key` is 16 bytes."""

    person: PersonId
    kind: RecordKind
    at: int
    received: int
    source: SourceId
    key: bytes
    payload: bytes


class Record(NamedTuple):
    """A record of the log with its place. Positions rise within the log; a partition has some of them."""

    position: Position
    partition: Partition
    person: PersonId
    kind: RecordKind
    at: int
    received: int
    source: SourceId
    key: bytes
    payload: bytes


_TIMER = msgspec.msgpack.Decoder(tuple[str, int])
_PERSON = msgspec.msgpack.Decoder(int)
_SETTLED = msgspec.msgpack.Decoder(tuple[str, int, bool])
_COUNTED = msgspec.msgpack.Decoder(dict[str, Mark])

SYSTEM_SOURCE = SourceId(0)
"""The source of what the system itself puts into the log."""


class _Identified(msgspec.Struct):
    id: str


_IDENTIFIED = msgspec.json.Decoder(_Identified)


def message_id(record: Record) -> str:
    """The id that the sender gave to an event. Raises msgspec.DecodeError for a payload that is none."""
    return _IDENTIFIED.decode(record.payload).id


def timer_payload(timer: str, due_ms: int) -> bytes:
    """The payload of a TIMER record."""
    return msgspec.msgpack.encode((timer, due_ms))


def hand_over_payload(survivor: PersonId) -> bytes:
    """The payload of a HAND_OVER record."""
    return msgspec.msgpack.encode(survivor)


_COPY = msgspec.msgpack.Decoder(tuple[int, bytes])


def moved_from(record: Record) -> tuple[Position, bytes]:
    """Where the event of a record was appended first, and the event. For a copy from before that was noted it is 0."""
    if record.kind not in _COPIES:
        return record.position, record.payload
    if record.payload[:1] == b"{":
        return Position(0), record.payload
    position, payload = _COPY.decode(record.payload)
    return Position(position), payload


def counted_payload(marks: Mapping[str, Mark]) -> bytes:
    """The payload of a COUNTED record."""
    return msgspec.msgpack.encode(marks)


def settled_payload(condition: str, number: int, *, holds: bool) -> bytes:
    """The payload of a SETTLED record."""
    return msgspec.msgpack.encode((condition, number, holds))


def input_of(record: Record) -> Input:
    """What a record means to the fold. Raises msgspec.DecodeError, ValueError or RecursionError when it is broken."""
    if record.kind in (RecordKind.EVENT, RecordKind.FORWARDED_EVENT):
        position, payload = moved_from(record)
        return Occurred(decode_fact(payload), tie_break(record.key), record.key, position)
    if record.kind in (RecordKind.GROUP, RecordKind.FORWARDED_GROUP):
        return GroupOccurred(decode_fact(moved_from(record)[1]), tie_break(record.key), record.key)
    if record.kind == RecordKind.TIMER:
        return TimerFired(*_TIMER.decode(record.payload))
    if record.kind == RecordKind.HAND_OVER:
        return HandOver(PersonId(_PERSON.decode(record.payload)))
    if record.kind == RecordKind.RESTORE:
        return Restore(decode_state(record.payload))
    if record.kind == RecordKind.COUNTED:
        return Counted(_COUNTED.decode(record.payload), record.received)
    if record.kind == RecordKind.SETTLED:
        return Settled(*_SETTLED.decode(record.payload), record.received)
    return Absorb(decode_state(record.payload))


def forwarded(record: Record, person: PersonId, absorb: bytes | None) -> NewRecord:
    """The record for the person to whom an input belongs instead; `absorb` replaces the payload by a state."""
    if absorb is None:
        kind = _FORWARDED.get(record.kind, record.kind)
        payload = record.payload
        if kind != record.kind:
            payload = msgspec.msgpack.encode((record.position, payload))
        return NewRecord(person, kind, record.at, record.received, record.source, record.key, payload)
    return NewRecord(person, RecordKind.ABSORB, record.at, record.received, record.source, record.key, absorb)
