"""Chapters: the log's old end goes, and what it comes to stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.engine.contract import Past
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.engine_postgres.records import RECORD_COLUMNS, record_of
from courtesy.person.chapter import Chapter
from courtesy.person.record import FACTS, Record

# From partition to partition, so that no more than `limit` and one partition's share are read.
_TRIMMABLE = f"""
SELECT part.* FROM partition_state AS progress CROSS JOIN LATERAL (
    SELECT {RECORD_COLUMNS} FROM log
    WHERE log.partition = progress.partition AND position <= least(progress.folded, %s)
    ORDER BY position LIMIT %s
) AS part LIMIT %s
"""
_DROP = """
DELETE FROM log USING unnest(%b::smallint[], %b::bigint[]) AS gone (partition, position)
WHERE log.partition = gone.partition AND log.position = gone.position
"""
_COLUMNS = (
    "person_id, first, last, event_count, first_at, last_at, first_received, last_received, days, sources, state,"
    " message_ids"
)
_PUT = f"""
INSERT INTO chapter ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %b, %b, %b, %b)
ON CONFLICT (person_id, first) DO UPDATE SET last = excluded.last, event_count = excluded.event_count,
    first_at = excluded.first_at, last_at = excluded.last_at, first_received = excluded.first_received,
    last_received = excluded.last_received, days = excluded.days, sources = excluded.sources, state = excluded.state,
    message_ids = excluded.message_ids
"""
_LATEST = f"""
SELECT latest.* FROM unnest(%b::bigint[]) AS one (person_id) CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM chapter WHERE chapter.person_id = one.person_id ORDER BY first DESC LIMIT 1 {{lock}}
) AS latest
"""
_HISTORY = f"""
SELECT {RECORD_COLUMNS} FROM log WHERE person_id = ANY(%b::bigint[]) AND kind = ANY(%b::smallint[]) ORDER BY position
"""
_CHAPTERS = f"SELECT {_COLUMNS} FROM chapter WHERE person_id = ANY(%b::bigint[]) ORDER BY first"
_TEAR = """
UPDATE chapter SET state = NULL, message_ids = ''
WHERE state IS NOT NULL AND first_received < %s AND (%s::int IS NULL OR %s = ANY(sources))
"""
_FACTS = [int(kind) for kind in FACTS]

_NO_IDS = msgspec.msgpack.encode({})
_MESSAGE_IDS = msgspec.msgpack.Decoder(dict[str, str])


class Chapters(Connected):
    """The engine's chapters."""

    async def trimmable(self, up_to: Position, limit: int) -> list[Record]:
        return [record_of(row) for row in await self._rows(_TRIMMABLE, up_to, limit, limit)]

    async def trim(
        self, records: Sequence[Record], latest: Mapping[PersonId, Chapter], chapters: Sequence[Chapter]
    ) -> bool:
        async with self._connection() as connection:
            return await _trim(connection, records, latest, chapters)

    async def latest_chapters(self, people: Collection[PersonId]) -> dict[PersonId, Chapter]:
        async with self._connection() as connection:
            return await _latest(connection, people)

    async def tear_chapters(self, source: SourceId | None, received_before_ms: int) -> int:
        async with self._connection() as connection:
            return (await connection.execute(_TEAR, (received_before_ms, source, source))).rowcount

    async def history(self, people: Collection[PersonId]) -> list[Record]:
        return [record_of(row) for row in await self._rows(_HISTORY, list(people), _FACTS)]

    async def was_trimmed(self) -> bool:
        return bool(await self._rows("SELECT 1 FROM log_trimmed"))

    async def past(self, people: Collection[PersonId]) -> Past:
        numbers = list(people)
        async with self._transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            records = await (await connection.execute(_HISTORY, (numbers, _FACTS), binary=True)).fetchall()
            chapters = await (await connection.execute(_CHAPTERS, (numbers,), binary=True)).fetchall()
            trimmed = await (await connection.execute("SELECT without_chapters FROM log_trimmed")).fetchone()
        without = Position(trimmed[0]) if trimmed is not None else Position(0)
        return Past([record_of(row) for row in records], [_chapter(row) for row in chapters], without)


class _Changed(Exception):
    """Somebody else dropped a record, or changed a chapter."""


async def _latest(connection: Connection, people: Collection[PersonId], lock: str = "") -> dict[PersonId, Chapter]:
    cursor = await connection.execute(_LATEST.format(lock=lock), (list(people),), binary=True)
    return {PersonId(row[0]): _chapter(row) for row in await cursor.fetchall()}


async def _trim(
    connection: Connection,
    records: Sequence[Record],
    latest: Mapping[PersonId, Chapter],
    chapters: Sequence[Chapter],
) -> bool:
    places = [each.partition for each in records], [each.position for each in records]
    try:
        async with connection.transaction():
            gone = await connection.execute(_DROP, places)
            if gone.rowcount != len(records):
                raise _Changed
            # Waits for whoever is changing one of them, and keeps others from it until these are written.
            if await _latest(connection, {each.person for each in chapters}, "FOR UPDATE") != latest:
                raise _Changed
            async with connection.cursor() as cursor:
                await cursor.executemany(_PUT, [_values(each) for each in chapters])
            await connection.execute("INSERT INTO log_trimmed DEFAULT VALUES ON CONFLICT DO NOTHING")
    except _Changed:
        return False
    return True


def _values(chapter: Chapter) -> tuple[Any, ...]:
    return (
        chapter.person,
        chapter.first,
        chapter.last,
        chapter.event_count,
        chapter.first_at,
        chapter.last_at,
        chapter.first_received,
        chapter.last_received,
        list(chapter.days),
        list(chapter.sources),
        chapter.state,
        msgspec.msgpack.encode(chapter.message_ids),
    )


def _chapter(row: tuple[Any, ...]) -> Chapter:
    *plain, days, sources, state, message_ids = row
    parts: list[Any] = [*plain, tuple(days), tuple(sources), state, _MESSAGE_IDS.decode(message_ids or _NO_IDS)]
    return Chapter(*parts)
