"""Records of the log: how they are written, and how their rows are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from courtesy.base.ids import Position
from courtesy.engine_postgres.connection import Connection
from courtesy.engine_postgres.copying import LOG_COLUMNS, log_rows
from courtesy.person.record import NewRecord, Record, RecordKind

RECORD_COLUMNS = "position, partition, person_id, kind, at, received, source_id, key, payload"

_MOVE_HEAD = "UPDATE log_head SET position = position + %s RETURNING position"
_KINDS = tuple(RecordKind)


def record_of(row: tuple[Any, ...]) -> Record:
    """A record from a row of RECORD_COLUMNS."""
    return Record._make((*row[:3], _KINDS[row[3]], *row[4:]))


async def put_records(connection: Connection, records: Sequence[NewRecord], partition_count: int) -> Position:
    """Within a transaction: take the append lock if not held, write, and return the position of the last record."""
    cursor = await connection.execute(_MOVE_HEAD, (len(records),))
    row = await cursor.fetchone()
    assert row is not None
    last: int = row[0]
    if records:
        async with connection.cursor().copy(f"COPY log ({LOG_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
            await copy.write(log_rows(records, last - len(records) + 1, partition_count))
    return Position(last)
