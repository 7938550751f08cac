"""Exporting: the log read from end to end, for the lake, and how far the lake has it."""

from __future__ import annotations

from operator import attrgetter

from courtesy.base.ids import Position
from courtesy.engine_postgres.connection import Connected
from courtesy.engine_postgres.records import RECORD_COLUMNS, record_of
from courtesy.person.record import Record

# Positions are dense where nothing was dropped: a range of `limit` positions has at most `limit` records, and each
# partition finds its own by its index. What was dropped lies before the first that is found.
_LOG_AFTER = f"""
WITH start AS (
    SELECT min(first.position) AS position FROM partition_state
    CROSS JOIN LATERAL (
        SELECT position FROM log WHERE log.partition = partition_state.partition AND log.position > %s
        ORDER BY position LIMIT 1
    ) AS first
)
SELECT part.* FROM start CROSS JOIN partition_state
CROSS JOIN LATERAL (
    SELECT {RECORD_COLUMNS} FROM log
    WHERE log.partition = partition_state.partition
      AND log.position >= start.position AND log.position < start.position + %s
    ORDER BY position
) AS part
"""
_POSITION = attrgetter("position")
_SAVE = """
INSERT INTO lake_position (position) VALUES (%s) ON CONFLICT (singleton) DO UPDATE SET position = excluded.position
"""


class Exporting(Connected):
    """The engine's side towards the lake."""

    async def log_after(self, position: Position, limit: int) -> list[Record]:
        records = [record_of(row) for row in await self._rows(_LOG_AFTER, position, limit)]
        # A few runs in order: quicker put together here than there, where rows of this size go through a file.
        records.sort(key=_POSITION)
        return records

    async def lake_position(self) -> Position | None:
        rows = await self._rows("SELECT position FROM lake_position")
        return Position(rows[0][0]) if rows else None

    async def save_lake_position(self, position: Position) -> None:
        async with self._connection() as connection:
            await connection.execute(_SAVE, (position,))
