"""Definitions and their history, and what upkeep drops."""

from __future__ import annotations

from collections.abc import Sequence

from courtesy.base.time import DAY_MS
from courtesy.engine.contract import Definition, Revision
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.person.record import Record

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
