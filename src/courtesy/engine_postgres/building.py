"""Making segments ready: everybody in turn, and timers for many at once."""

from __future__ import annotations

from collections.abc import Collection

from courtesy.base.ids import PersonId, Position, partition_of
from courtesy.engine_postgres.connection import Connected
from courtesy.person.record import RecordKind

_WAKE = """
INSERT INTO timer (person_id, timer, due, partition)
SELECT person, %s, %s, partition FROM unnest(%b::bigint[], %b::smallint[]) AS woken (person, partition)
ON CONFLICT (person_id, timer) DO NOTHING
"""


class Building(Connected):
    """The engine's side by which segments are made ready."""

    partition_count: int

    async def stored_people(self, after: PersonId | None, limit: int) -> list[PersonId]:
        rows = await self._rows(
            "SELECT person_id FROM person_state WHERE person_id > %s ORDER BY person_id LIMIT %s",
            -1 if after is None else after,
            limit,
        )
        return [PersonId(row[0]) for row in rows]

    async def latest_since(self, position: Position, kind: RecordKind) -> dict[PersonId, Position]:
        rows = await self._rows(
            "SELECT person_id, max(position) FROM log WHERE position > %s AND kind = %s GROUP BY person_id",
            position,
            int(kind),
        )
        return {PersonId(person): Position(last) for person, last in rows}

    async def wake(self, people: Collection[PersonId], timer: str, due_ms: int) -> None:
        ordered = sorted(people)
        partitions = [partition_of(person, self.partition_count) for person in ordered]
        async with self._transaction() as connection:
            await connection.execute(_WAKE, (timer, due_ms, ordered, partitions))

    async def waiting_count(self, timer: str) -> int:
        rows = await self._rows("SELECT count(*) FROM timer WHERE timer = %s", timer)
        return int(rows[0][0])
