"""Definitions and their history, and what upkeep drops."""

from __future__ import annotations

from collections.abc import Sequence

from courtesy.base.ids import Position
from courtesy.base.time import DAY_MS
from courtesy.engine.contract import Definition, Revision
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.person.record import Record

TRIM_CHUNK = 50_000

_NEXT = "UPDATE catalog SET version = version + 1 RETURNING version, next_number"
_KNOWN = "SELECT number, revision FROM definition WHERE kind = %s AND name = %s"
_PUT = """
INSERT INTO definition (kind, name, number, revision, body, changed, changed_by) VALUES (%s, %s, %s, %s, %b, %s, %s)
ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision, body = excluded.body,
    changed = excluded.changed, changed_by = excluded.changed_by
"""
_REMEMBER = """
INSERT INTO definition_history (version, kind, name, number, revision, body, changed, changed_by)
VALUES (%s, %s, %s, %s, %s, %b, %s, %s)
"""
_TRIM = """
WITH gone AS (
    DELETE FROM log USING (
        SELECT log.partition, log.position FROM log JOIN partition_state AS progress USING (partition)
        WHERE log.position <= least(progress.folded, %s) AND log.received < %s LIMIT %s
    ) AS old WHERE log.partition = old.partition AND log.position = old.position RETURNING 1
),
told AS (INSERT INTO log_trimmed SELECT true WHERE EXISTS (SELECT FROM gone) ON CONFLICT DO NOTHING)
SELECT 1 FROM gone
"""
_DROP = """
DELETE FROM log USING partition_state AS progress, unnest(%b::smallint[], %b::bigint[]) AS gone (partition, position)
WHERE log.partition = gone.partition AND log.position = gone.position
  AND progress.partition = gone.partition AND gone.position <= progress.folded
RETURNING 1
"""


class Definitions(Connected):
    """The engine's definitions and upkeep."""

    async def definitions(self) -> tuple[int, list[Definition]]:
        async with self._transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            version = await (await connection.execute("SELECT version FROM catalog")).fetchone()
            cursor = await connection.execute(
                "SELECT kind, name, number, revision, body, changed, changed_by FROM definition ORDER BY number",
                binary=True,
            )
            assert version is not None
            return int(version[0]), [Definition(*row) for row in await cursor.fetchall()]

    async def catalog_version(self) -> int:
        return int((await self._rows("SELECT version FROM catalog"))[0][0])

    async def define(self, kind: str, name: str, body: bytes | None, by: str, now_ms: int) -> Definition | None:
        async with self._transaction() as connection:
            head = await (await connection.execute(_NEXT)).fetchone()
            assert head is not None
            version, next_number = head
            known = await (await connection.execute(_KNOWN, (kind, name))).fetchone()
            if known is None and body is None:
                await connection.execute("UPDATE catalog SET version = version - 1")
                return None
            number, revision = (
                known if known is not None else (next_number, await _last_revision(connection, kind, name))
            )
            if known is None:
                await connection.execute("UPDATE catalog SET next_number = next_number + 1")
            definition = Definition(kind, name, number, revision + 1, body or b"", now_ms, by)
            if body is None:
                await connection.execute("DELETE FROM definition WHERE kind = %s AND name = %s", (kind, name))
            else:
                await connection.execute(_PUT, definition)
            remembered = (version, kind, name, number, revision + 1, body, now_ms, by)
            await connection.execute(_REMEMBER, remembered)
            return definition if body is not None else None

    async def definition_history(self, kind: str, name: str) -> list[Revision]:
        rows = await self._rows(
            "SELECT number, revision, body, changed, changed_by FROM definition_history"
            " WHERE kind = %s AND name = %s ORDER BY revision",
            kind,
            name,
        )
        return [Revision(*row) for row in rows]

    async def trim(self, received_before_ms: int, up_to: Position | None = None) -> int:
        dropped = 0
        while True:
            chunk = len(await self._rows(_TRIM, up_to, received_before_ms, TRIM_CHUNK))
            dropped += chunk
            if chunk < TRIM_CHUNK:
                return dropped

    async def drop(self, records: Sequence[Record]) -> int:
        places = [record.partition for record in records], [record.position for record in records]
        return len(await self._rows(_DROP, *places))

    async def forget_keys(self, before_ms: int) -> int:
        return len(await self._rows("DELETE FROM seen WHERE day < %s RETURNING 1", before_ms // DAY_MS))


async def _last_revision(connection: Connection, kind: str, name: str) -> int:
    cursor = await connection.execute(
        "SELECT coalesce(max(revision), 0) FROM definition_history WHERE kind = %s AND name = %s", (kind, name)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
