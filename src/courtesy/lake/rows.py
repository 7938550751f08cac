"""What the lake's table looks like, and its rows as they come from the log and go back to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    FixedType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from courtesy.base.ids import PersonId, Position, SourceId, partition_of
from courtesy.person.record import Record, RecordKind

KINDS = {RecordKind.EVENT: "event", RecordKind.GROUP: "group"}
"""The kinds of records that flow to the lake: those which somebody sent or which tell of an outcome."""

_KIND_OF = {name: kind for kind, name in KINDS.items()}

SCHEMA = Schema(
    NestedField(1, "position", LongType(), required=True, doc="Place in the log; unique"),
    NestedField(2, "person_id", LongType(), required=True, doc="Person (or group) at the time of arrival"),
    NestedField(3, "kind", StringType(), required=True, doc="event or group"),
    NestedField(4, "at", TimestamptzType(), required=True, doc="When it happened"),
    NestedField(5, "received", TimestamptzType(), required=True, doc="When it arrived"),
    NestedField(6, "source_id", IntegerType(), required=True, doc="Number of the source, 0 for the system"),
    NestedField(7, "type", StringType(), doc="Call of the tracking protocol, or system"),
    NestedField(8, "name", StringType(), doc="Name of the event"),
    NestedField(9, "message_id", StringType(), doc="Id that the sender gave"),
    NestedField(10, "live", BooleanType(), doc="False for imports and replays"),
    NestedField(11, "ids", ListType(15, StringType(), element_required=True), doc="Identifiers it carried, kind:value"),
    NestedField(12, "key", FixedType(16), required=True, doc="What duplicates are recognised by"),
    NestedField(13, "payload", StringType(), doc="The stored event, JSON"),
    NestedField(14, "raw", BinaryType(), doc="The stored event where it is no UTF-8; payload is null then"),
    identifier_field_ids=[1],
)
POSITION_ID, PERSON_ID, RECEIVED_ID = 1, 2, 5

BY_DAY = PartitionSpec(PartitionField(RECEIVED_ID, 1_000, DayTransform(), "received_day"))

_TEXT = pa.large_string()
_INSTANT = pa.timestamp("us", tz="UTC")
ARROW = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("person_id", pa.int64(), nullable=False),
        pa.field("kind", _TEXT, nullable=False),
        pa.field("at", _INSTANT, nullable=False),
        pa.field("received", _INSTANT, nullable=False),
        pa.field("source_id", pa.int32(), nullable=False),
        pa.field("type", _TEXT),
        pa.field("name", _TEXT),
        pa.field("message_id", _TEXT),
        pa.field("live", pa.bool_()),
        pa.field("ids", pa.large_list(pa.field("element", _TEXT, nullable=False))),
        pa.field("key", pa.binary(16), nullable=False),
        pa.field("payload", _TEXT),
        pa.field("raw", pa.large_binary()),
    ]
)
"""The same in Arrow; 64-bit offsets, so that no amount of text overflows them."""

RECORD_COLUMNS = ("position", "person_id", "kind", "at", "received", "source_id", "key", "payload", "raw")
"""What a record is made of again; the other columns are told by its payload."""


class _Told(msgspec.Struct, gc=False):
    """What a payload tells that has a column of its own."""

    id: str | None = None
    type: str | None = None
    name: str | None = None
    live: bool = True
    ids: tuple[str, ...] = ()


_TOLD = msgspec.json.Decoder(_Told)
_BROKEN = _Told(live=False)


def in_lake(record: Record) -> bool:
    """Whether a record is an event; the others are of no meaning outside of the log."""
    return record.kind in KINDS


def to_arrow(records: Iterable[Record]) -> pa.Table:
    """The events among some records as rows, in the same order. A payload that can't be read is kept as it is."""
    events = [record for record in records if in_lake(record)]
    told = [_told(record.payload) for record in events]
    texts, raws = _texts([record.payload for record in events])
    columns: list[Any] = [
        pa.array([record.position for record in events], pa.int64()),
        pa.array([record.person for record in events], pa.int64()),
        pa.array([KINDS[record.kind] for record in events], _TEXT),
        _instants([record.at for record in events]),
        _instants([record.received for record in events]),
        pa.array([record.source for record in events], pa.int32()),
        pa.array([each.type for each in told], _TEXT),
        pa.array([each.name for each in told], _TEXT),
        pa.array([each.id for each in told], _TEXT),
        pa.array([each.live for each in told], pa.bool_()),
        pa.array([each.ids for each in told], ARROW.field("ids").type),
        pa.array([record.key for record in events], pa.binary(16)),
        texts,
        raws,
    ]
    return pa.table(columns, schema=ARROW)


def _told(payload: bytes) -> _Told:
    try:
        return _TOLD.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _BROKEN


def _instants(times_ms: list[int]) -> pa.Array:
    return pa.array([ms * 1_000 for ms in times_ms], pa.int64()).cast(_INSTANT)


def _texts(payloads: list[bytes]) -> tuple[pa.Array, pa.Array]:
    """The payloads as text, and those which are none as bytes. Senders' objects are kept unread, so some may be."""
    try:
        return pa.array(payloads, pa.large_binary()).cast(_TEXT), pa.nulls(len(payloads), pa.large_binary())
    except pa.ArrowInvalid:
        texts = [_text(payload) for payload in payloads]
        raws = [payload if text is None else None for payload, text in zip(payloads, texts, strict=True)]
        return pa.array(texts, _TEXT), pa.array(raws, pa.large_binary())


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def to_records(rows: pa.Table, partition_count: int) -> list[Record]:
    """The records that rows with RECORD_COLUMNS were made of, in the same order."""
    columns: Sequence[list[Any]] = [_plain(rows.column(name)) for name in RECORD_COLUMNS]
    return [
        Record(
            Position(position),
            partition_of(PersonId(person), partition_count),
            PersonId(person),
            _KIND_OF[kind],
            at // 1_000,
            received // 1_000,
            SourceId(source),
            key,
            payload.encode() if raw is None else raw,
        )
        for position, person, kind, at, received, source, key, payload, raw in zip(*columns, strict=True)
    ]


def _plain(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return values
