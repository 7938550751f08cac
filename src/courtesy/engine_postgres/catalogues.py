"""Catalogues in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.catalogue.entry import VERSIONS_KEPT, Entry, EntryKey, EntryVersion, Was, terms_of
from courtesy.catalogue.interest import Seen
from courtesy.engine.catalogue import (
    CatalogueEdit,
    Change,
    EntryCount,
    EntryFilter,
    Interested,
    InterestState,
    NewChange,
)
from courtesy.engine_postgres.connection import Connected, Connection

_ENTRY = "id, body, version, changed, changed_by, retired, was"
_TURN = """
INSERT INTO catalogue (name) VALUES (%s) ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING watched, position
"""
_PUT = """
INSERT INTO catalogue_entry (catalogue, id, body, version, changed, changed_by, retired, was, terms)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (catalogue, id) DO UPDATE SET body = excluded.body, version = excluded.version, changed = excluded.changed,
    changed_by = excluded.changed_by, retired = excluded.retired, was = excluded.was, terms = excluded.terms
"""
_PUT_VERSION = """
INSERT INTO catalogue_version (catalogue, id, version, body, changed, changed_by, is_retired)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_DROP_OLD = "DELETE FROM catalogue_version WHERE catalogue = %s AND id = %s AND version <= %s"
_PUT_CHANGE = """
INSERT INTO catalogue_change (catalogue, item, name, properties, at, position)
SELECT %s, %s, %s, %s, %s, position FROM log_head
"""
_ENTRIES = f"""
SELECT entry.catalogue, {_ENTRY} FROM catalogue_entry AS entry
JOIN unnest(%b::text[], %b::text[]) AS asked (catalogue, id) USING (catalogue, id)
"""
_PAGE = f"""
SELECT {_ENTRY} FROM catalogue_entry WHERE catalogue = %(catalogue)s AND id > %(after)s
    AND (%(terms)s::text[] IS NULL OR terms && %(terms)s::text[])
    AND (%(since)s::bigint IS NULL OR changed >= %(since)s::bigint) AND (%(retired)s OR retired IS NULL)
ORDER BY id LIMIT %(limit)s
"""
_VERSIONS = """
SELECT version, body, changed, changed_by, is_retired FROM catalogue_version
WHERE catalogue = %s AND id = %s ORDER BY version DESC
"""
_NEXT_CHANGE = """
SELECT number, catalogue, item, name, properties, at, position, told FROM catalogue_change
WHERE catalogue = %s ORDER BY number LIMIT 1
"""
# Under the catalogue's row, which an erasure takes too: what it deletes meanwhile is not put back.
_SAVE_SEEN = """
INSERT INTO catalogue_interest AS known (catalogue, item, person_id, shown_as, until, position)
SELECT %(catalogue)s, seen.item, seen.person_id, seen.shown_as, seen.until, seen.position
FROM unnest(%(items)s::text[], %(people)s::bigint[], %(shown_as)s::bytea[], %(untils)s::bigint[],
    %(positions)s::bigint[], %(partitions)s::smallint[])
    AS seen (item, person_id, shown_as, until, position, partition)
WHERE EXISTS (SELECT FROM log WHERE log.partition = seen.partition AND log.position = seen.position)
ON CONFLICT (catalogue, item, person_id, shown_as) DO UPDATE SET until = excluded.until, position = excluded.position
WHERE excluded.until >= known.until
"""
_INTERESTED = """
SELECT person_id, position FROM catalogue_interest
WHERE catalogue = %s AND item = %s AND person_id > %s AND until > %s AND position <= %s
ORDER BY person_id FETCH FIRST %s ROWS WITH TIES
"""
_FORGET = """
DELETE FROM catalogue_interest WHERE until < least(%s, (SELECT min(at) FROM catalogue_change)) RETURNING 1
"""

TAKE_CATALOGUES = "SELECT FROM catalogue ORDER BY name FOR UPDATE"
"""Before interest is deleted with its events: so none is being added of those."""

FORGET_IN_CATALOGUES = (
    TAKE_CATALOGUES,
    "DELETE FROM catalogue_interest WHERE person_id = ANY(%(people)s::bigint[])"
    " AND position <> ALL(%(kept)s::bigint[])",
    "DELETE FROM catalogue_interest AS own"
    " USING unnest(%(others)s::bigint[], %(appended_for)s::bigint[]) AS other (position, person_id)"
    " WHERE own.position = other.position AND own.person_id = other.person_id",
)
TAKE_BACK_INTEREST = (
    TAKE_CATALOGUES,
    "DELETE FROM catalogue_interest WHERE position = ANY(%(positions)s::bigint[])",
)

_was = msgspec.json.Decoder(dict[str, Was])
_encode = msgspec.json.encode


class _Edit:
    """An edit on one connection, within a transaction that has the catalogue's row."""

    def __init__(self, connection: Connection, catalogue: str) -> None:
        self._connection = connection
        self._catalogue = catalogue

    async def entries(self, ids: Collection[str]) -> dict[str, Entry]:
        found = await _entries(self._connection, [EntryKey(self._catalogue, id_) for id_ in ids])
        return {key.id: entry for key, entry in found.items()}

    async def put(self, entries: Sequence[Entry], changes: Sequence[NewChange], now_ms: int) -> None:
        name = self._catalogue
        rows = [
            (
                name, each.id, each.body, each.version, each.changed_ms, each.changed_by, each.retired_ms,
                _encode(each.was), terms_of(each.values),
            )
            for each in entries
        ]  # fmt: skip
        versions = [
            (name, each.id, each.version, each.body, each.changed_ms, each.changed_by, each.retired_ms is not None)
            for each in entries
        ]
        old = [(name, each.id, each.version - VERSIONS_KEPT) for each in entries if each.version > VERSIONS_KEPT]
        told = [(name, each.item, each.name, each.properties, now_ms) for each in changes]
        async with self._connection.cursor() as cursor:
            for text, given in ((_PUT, rows), (_PUT_VERSION, versions), (_DROP_OLD, old), (_PUT_CHANGE, told)):
                if given:
                    await cursor.executemany(text, given)


class Catalogues(Connected):
    """The engine's side of catalogues."""

    @asynccontextmanager
    async def editing_catalogue(self, catalogue: str) -> AsyncIterator[CatalogueEdit]:
        async with self._transaction() as connection:
            await connection.execute(_TURN, (catalogue,))
            yield _Edit(connection, catalogue)

    async def catalogue_entries(self, keys: Collection[EntryKey]) -> dict[EntryKey, Entry]:
        async with self._connection() as connection:
            return await _entries(connection, keys)

    async def catalogue_page(self, catalogue: str, which: EntryFilter, after: str, limit: int) -> list[Entry]:
        given = {
            "catalogue": catalogue,
            "after": after,
            "terms": None if which.terms is None else list(which.terms),
            "since": which.since_ms,
            "retired": which.retired,
            "limit": limit,
        }
        async with self._connection() as connection:
            cursor = await connection.execute(_PAGE, given, binary=True)
            return [_entry(row) for row in await cursor.fetchall()]

    async def live_entries(self, catalogue: str, after: str, limit: int) -> list[str]:
        text = (
            "SELECT id FROM catalogue_entry WHERE catalogue = %s AND id > %s AND retired IS NULL ORDER BY id LIMIT %s"
        )
        return [row[0] for row in await self._rows(text, catalogue, after, limit)]

    async def entry_versions(self, key: EntryKey) -> list[EntryVersion]:
        return [EntryVersion(row[0], bytes(row[1]), *row[2:]) for row in await self._rows(_VERSIONS, *key)]

    async def entry_count(self, catalogue: str) -> EntryCount:
        text = "SELECT count(*) - count(retired), count(retired) FROM catalogue_entry WHERE catalogue = %s"
        return EntryCount(*(await self._rows(text, catalogue))[0])

    async def drop_catalogue(self, catalogue: str) -> None:
        async with self._transaction() as connection:
            await connection.execute(_TURN, (catalogue,))
            for table in ("entry", "version", "change", "interest"):
                await connection.execute(f"DELETE FROM catalogue_{table} WHERE catalogue = %s", (catalogue,))
            await connection.execute("DELETE FROM catalogue WHERE name = %s", (catalogue,))

    # -- interest

    async def interest_state(self, catalogue: str) -> InterestState:
        rows = await self._rows("SELECT watched, position FROM catalogue WHERE name = %s", catalogue)
        return _state(rows)

    async def watch_catalogue(self, catalogue: str, watched: str) -> None:
        async with self._transaction() as connection:
            await connection.execute(_TURN, (catalogue,))
            await connection.execute(
                "UPDATE catalogue SET watched = %s, position = 0 WHERE name = %s", (watched, catalogue)
            )
            await connection.execute("DELETE FROM catalogue_interest WHERE catalogue = %s", (catalogue,))
            if not watched:
                await connection.execute("DELETE FROM catalogue_change WHERE catalogue = %s", (catalogue,))

    async def interest_position(self, catalogues: Collection[str]) -> Position | None:
        text = "SELECT min(position) FROM catalogue WHERE name = ANY(%b::text[]) AND watched <> ''"
        rows = await self._rows(text, list(catalogues))
        return None if rows[0][0] is None else Position(rows[0][0])

    async def next_change(self, catalogue: str) -> Change | None:
        rows = await self._rows(_NEXT_CHANGE, catalogue)
        return _change(rows[0]) if rows else None

    async def save_interest(self, catalogue: str, before: InterestState, to: Position, seen: Sequence[Seen]) -> bool:
        async with self._transaction() as connection:
            state = _state(await (await connection.execute(_TURN, (catalogue,), binary=True)).fetchall())
            change = await (await connection.execute(_NEXT_CHANGE, (catalogue,), binary=True)).fetchone()
            if state != before or (change is not None and _change(change).position < to):
                return False
            await connection.execute("UPDATE catalogue SET position = %s WHERE name = %s", (to, catalogue))
            if seen:
                await connection.execute(_SAVE_SEEN, _columns(catalogue, seen))
            return True

    async def interested(self, change: Change, limit: int) -> list[Interested]:
        given = (change.catalogue, change.item, change.told, change.at_ms, change.position, limit)
        return [Interested(PersonId(row[0]), Position(row[1])) for row in await self._rows(_INTERESTED, *given)]

    async def move_change(self, change: Change, told: PersonId) -> None:
        text = "UPDATE catalogue_change SET told = greatest(told, %s) WHERE number = %s RETURNING 1"
        await self._rows(text, told, change.number)

    async def end_change(self, change: Change) -> None:
        await self._rows("DELETE FROM catalogue_change WHERE number = %s RETURNING 1", change.number)

    async def forget_interest(self, before_ms: int) -> int:
        return len(await self._rows(_FORGET, before_ms))


async def _entries(connection: Connection, keys: Collection[EntryKey]) -> dict[EntryKey, Entry]:
    if not keys:
        return {}
    given = ([key.catalogue for key in keys], [key.id for key in keys])
    cursor = await connection.execute(_ENTRIES, given, binary=True)
    return {EntryKey(row[0], row[1]): _entry(row[1:]) for row in await cursor.fetchall()}


def _entry(row: tuple[Any, ...]) -> Entry:
    id_, body, version, changed, by, retired, was = row
    return Entry(id_, bytes(body), version, changed, by, retired, _was.decode(was))


def _state(rows: Sequence[tuple[Any, ...]]) -> InterestState:
    return InterestState(rows[0][0], Position(rows[0][1])) if rows else InterestState("", Position(0))


def _change(row: tuple[Any, ...]) -> Change:
    number, catalogue, item, name, properties, at, position, told = row
    return Change(number, catalogue, item, name, bytes(properties), at, Position(position), PersonId(told))


def _columns(catalogue: str, seen: Iterable[Seen]) -> dict[str, Any]:
    """Of what is one row the interest that lasts longest: a statement changes no row twice."""
    longest: dict[tuple[str, PersonId, bytes], Seen] = {}
    for each in seen:
        known = longest.get((each.item, each.person, each.shown_as))
        if known is None or each.until_ms >= known.until_ms:
            longest[each.item, each.person, each.shown_as] = each
    rows = list(longest.values())
    return {
        "catalogue": catalogue,
        "items": [each.item for each in rows],
        "people": [each.person for each in rows],
        "shown_as": [each.shown_as for each in rows],
        "untils": [each.until_ms for each in rows],
        "positions": [each.position for each in rows],
        "partitions": [each.partition for each in rows],
    }
