"""The quality of sources, day by day."""

from __future__ import annotations

from collections.abc import Sequence

from courtesy.base.ids import SourceId
from courtesy.engine.quality import QualityRow
from courtesy.engine_postgres.connection import Connected

_PUT = """
INSERT INTO quality_day (source_id, day, computed, body) VALUES (%s, %s, %s, %b)
ON CONFLICT (source_id, day) DO UPDATE SET computed = excluded.computed, body = excluded.body
"""
_READ = """
SELECT source_id, day, computed, body FROM quality_day
WHERE day >= %(from)s AND day < %(to)s AND (%(source)s::int IS NULL OR source_id = %(source)s::int)
ORDER BY day, source_id
"""


class Quality(Connected):
    """The engine's memory of quality."""

    async def save_quality(self, rows: Sequence[QualityRow]) -> None:
        # In one order, so that two processes that save the same days do not wait for each other in a circle.
        async with self._transaction() as connection, connection.cursor() as cursor:
            await cursor.executemany(_PUT, sorted(rows))

    async def quality(self, source: SourceId | None, from_ms: int, to_ms: int) -> list[QualityRow]:
        parameters = {"source": source, "from": from_ms, "to": to_ms}
        async with self._connection() as connection:
            rows = await (await connection.execute(_READ, parameters, binary=True)).fetchall()
        return [QualityRow(SourceId(own), *rest) for own, *rest in rows]

    async def forget_quality(self, before_ms: int) -> int:
        return len(await self._rows("DELETE FROM quality_day WHERE day < %s RETURNING 1", before_ms))
