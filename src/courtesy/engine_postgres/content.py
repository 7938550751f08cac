"""Content in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from courtesy.content.items import Body, ItemKey
from courtesy.content.release import Pin
from courtesy.content.workflow import Approval
from courtesy.engine.content import (
    ContentEdit,
    Item,
    ItemFilter,
    ItemRevision,
    ItemState,
    Member,
    Note,
    NoteKind,
    Release,
    ReleaseState,
    Use,
    User,
    Version,
)
from courtesy.engine_postgres.connection import Connected, Connection

_ITEM = "kind, name, state, revision, body, changed, changed_by, version_count, live, live_revision"
_ITEMS = f"""
SELECT {_ITEM} FROM content_item WHERE (kind, name) > (%(after_kind)s, %(after_name)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
  AND (%(tag)s::text IS NULL OR %(tag)s = ANY(tags))
ORDER BY kind, name LIMIT %(limit)s
"""
_PUT_ITEM = """
INSERT INTO content_item (kind, name, state, revision, body, changed, changed_by, version_count, live, live_revision,
    tags)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (kind, name) DO UPDATE SET state = excluded.state, revision = excluded.revision, body = excluded.body,
    changed = excluded.changed, changed_by = excluded.changed_by, version_count = excluded.version_count,
    live = excluded.live, live_revision = excluded.live_revision, tags = excluded.tags
"""
_PUT_REVISION = """
INSERT INTO content_revision (kind, name, revision, body, changed, changed_by) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_REVISIONS = """
SELECT revision, body, changed, changed_by FROM content_revision WHERE kind = %s AND name = %s ORDER BY revision
"""
_VERSION = "kind, name, version, revision, digest, body, artefacts, pins, published, published_by, release"
_PUT_VERSION = f"INSERT INTO content_version ({_VERSION}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_APPROVALS = """
SELECT revision, locale, given_by, given, note FROM content_approval WHERE kind = %s AND name = %s
ORDER BY revision, given, locale, given_by
"""
_APPROVE = """
INSERT INTO content_approval (kind, name, revision, locale, given_by, given, note) VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (kind, name, revision, locale, given_by) DO UPDATE SET given = excluded.given, note = excluded.note
"""
_NOTES = """
SELECT number, kind, name, note_kind, said, place, made_by, made, due, settled, settled_by FROM content_note
WHERE (%(kind)s::text IS NULL OR (kind, name) = (%(kind)s, %(name)s))
  AND (%(note_kind)s::text IS NULL OR note_kind = %(note_kind)s)
  AND (%(settled)s OR settled IS NULL)
ORDER BY number
"""
_NEXT_NOTE = "UPDATE content_head SET note_number = note_number + 1 RETURNING note_number"
_PUT_NOTE = """
INSERT INTO content_note (number, kind, name, note_kind, said, place, made_by, made, due, settled, settled_by)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (number) DO UPDATE SET said = excluded.said, due = excluded.due, settled = excluded.settled,
    settled_by = excluded.settled_by
"""
_USES = """
SELECT used.user_kind, used.user_name, used.kind, used.name, used.version
FROM content_use AS used JOIN unnest(%s::text[], %s::text[]) AS asked (kind, name) USING (kind, name)
ORDER BY used.kind, used.name, used.user_kind, used.user_name, used.version
"""
_RELEASE = "name, title, members, state, changed, changed_by, due, settled, findings"
_RELEASES = f"""
SELECT {_RELEASE} FROM content_release WHERE state = ANY(%(states)s)
  AND (%(before)s::bigint IS NULL OR due < %(before)s) ORDER BY due NULLS LAST, name
"""
_PUT_RELEASE = f"""
INSERT INTO content_release ({_RELEASE}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE SET title = excluded.title, members = excluded.members, state = excluded.state,
    changed = excluded.changed, changed_by = excluded.changed_by, due = excluded.due, settled = excluded.settled,
    findings = excluded.findings
"""
_TURN = "SELECT epoch FROM content_head FOR UPDATE"
_NEXT = "UPDATE content_head SET epoch = epoch + 1"

_pins = msgspec.json.Decoder(tuple[Pin, ...])
_members = msgspec.json.Decoder(tuple[Member, ...])
_body = msgspec.json.Decoder(Body)
_encode = msgspec.json.encode

Row = tuple[Any, ...]


class _Edit:
    """Content on one connection: read, and within a transaction written."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.has_written = False

    async def _rows(self, query: str, parameters: Any) -> list[Row]:
        cursor = await self._connection.execute(query, parameters, binary=True)
        return await cursor.fetchall()

    async def _write(self, query: str, *parameters: Any) -> None:
        self.has_written = True
        await self._connection.execute(query, parameters)

    async def content_item(self, key: ItemKey) -> Item | None:
        rows = await self._rows(f"SELECT {_ITEM} FROM content_item WHERE kind = %s AND name = %s", key)
        return _item(rows[0]) if rows else None

    async def content_items(self, which: ItemFilter, after: ItemKey | None, limit: int) -> list[Item]:
        given = {
            "after_kind": after.kind if after else "",
            "after_name": after.name if after else "",
            "kind": which.kind,
            "states": None if which.states is None else sorted(which.states),
            "tag": which.tag,
            "limit": limit,
        }
        return [_item(row) for row in await self._rows(_ITEMS, given)]

    async def content_revisions(self, key: ItemKey) -> list[ItemRevision]:
        return [ItemRevision(row[0], bytes(row[1]), *row[2:]) for row in await self._rows(_REVISIONS, key)]

    async def content_version(self, key: ItemKey, number: int) -> Version | None:
        query = f"SELECT {_VERSION} FROM content_version WHERE kind = %s AND name = %s AND version = %s"
        rows = await self._rows(query, (*key, number))
        return _version(rows[0]) if rows else None

    async def content_versions(self, key: ItemKey) -> list[Version]:
        query = f"SELECT {_VERSION} FROM content_version WHERE kind = %s AND name = %s ORDER BY version"
        return [_version(row) for row in await self._rows(query, key)]

    async def content_approvals(self, key: ItemKey) -> list[Approval]:
        return [Approval(*row) for row in await self._rows(_APPROVALS, key)]

    async def content_notes(self, key: ItemKey | None, kind: NoteKind | None, *, settled: bool) -> list[Note]:
        given = {
            "kind": key.kind if key else None,
            "name": key.name if key else None,
            "note_kind": kind,
            "settled": settled,
        }
        return [_note(row) for row in await self._rows(_NOTES, given)]

    async def content_uses(self, keys: Collection[ItemKey]) -> list[Use]:
        asked = sorted(set(keys))
        rows = await self._rows(_USES, ([each.kind for each in asked], [each.name for each in asked]))
        return [Use(User(*row[:2]), ItemKey(*row[2:4]), row[4] or None) for row in rows]

    async def content_release(self, name: str) -> Release | None:
        rows = await self._rows(f"SELECT {_RELEASE} FROM content_release WHERE name = %s", (name,))
        return _release(rows[0]) if rows else None

    async def content_releases(self, states: Collection[ReleaseState], due_before_ms: int | None) -> list[Release]:
        given = {"states": sorted(states), "before": due_before_ms}
        return [_release(row) for row in await self._rows(_RELEASES, given)]

    async def put_item(self, item: Item) -> None:
        tags = list(_body.decode(item.body).tags)
        row = (*item.key, item.state, item.revision, item.body, item.changed_ms, item.changed_by, item.version_count)
        await self._write(_PUT_ITEM, *row, item.live, item.live_revision, tags)
        await self._write(_PUT_REVISION, *item.key, item.revision, item.body, item.changed_ms, item.changed_by)

    async def put_version(self, version: Version) -> None:
        await self._write(
            _PUT_VERSION, *version.key, version.number, version.revision, version.digest, version.body,
            version.artefacts, _encode(version.pins), version.published_ms, version.published_by, version.release,
        )  # fmt: skip

    async def drop_version(self, key: ItemKey, number: int) -> None:
        await self._write("DELETE FROM content_version WHERE kind = %s AND name = %s AND version = %s", *key, number)

    async def add_approval(self, key: ItemKey, approval: Approval) -> None:
        given = (approval.revision, approval.locale, approval.by, approval.at_ms, approval.note)
        await self._write(_APPROVE, *key, *given)

    async def put_note(self, note: Note) -> Note:
        if not note.number:
            ((number,),) = await self._rows(_NEXT_NOTE, ())
            note = msgspec.structs.replace(note, number=number)
        await self._write(
            _PUT_NOTE, note.number, *note.key, note.kind, note.text, note.place, note.made_by, note.made_ms,
            note.due_ms, note.settled_ms, note.settled_by,
        )  # fmt: skip
        return note

    async def put_release(self, release: Release) -> None:
        await self._write(
            _PUT_RELEASE, release.name, release.title, _encode(release.members), release.state, release.changed_ms,
            release.changed_by, release.due_ms, release.settled_ms, release.findings,
        )  # fmt: skip

    async def drop_release(self, name: str) -> None:
        await self._write("DELETE FROM content_release WHERE name = %s", name)

    async def set_uses(self, user: User, uses: Sequence[tuple[ItemKey, int | None]]) -> None:
        await self._write("DELETE FROM content_use WHERE user_kind = %s AND user_name = %s", *user)
        for key, version in uses:
            await self._write("INSERT INTO content_use VALUES (%s, %s, %s, %s, %s)", *user, *key, version or 0)


class Content(Connected):
    """The engine's side of content."""

    @asynccontextmanager
    async def editing_content(self) -> AsyncIterator[ContentEdit]:
        async with self._transaction() as connection:
            await connection.execute(_TURN)
            edit = _Edit(connection)
            yield edit
            if edit.has_written:
                await connection.execute(_NEXT)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[_Edit]:
        async with self._connection() as connection:
            yield _Edit(connection)

    async def content_epoch(self) -> int:
        return int((await self._rows("SELECT epoch FROM content_head"))[0][0])

    async def content_item(self, key: ItemKey) -> Item | None:
        async with self._reading() as reading:
            return await reading.content_item(key)

    async def content_items(self, which: ItemFilter, after: ItemKey | None, limit: int) -> list[Item]:
        async with self._reading() as reading:
            return await reading.content_items(which, after, limit)

    async def content_revisions(self, key: ItemKey) -> list[ItemRevision]:
        async with self._reading() as reading:
            return await reading.content_revisions(key)

    async def content_version(self, key: ItemKey, number: int) -> Version | None:
        async with self._reading() as reading:
            return await reading.content_version(key, number)

    async def content_versions(self, key: ItemKey) -> list[Version]:
        async with self._reading() as reading:
            return await reading.content_versions(key)

    async def content_approvals(self, key: ItemKey) -> list[Approval]:
        async with self._reading() as reading:
            return await reading.content_approvals(key)

    async def content_notes(self, key: ItemKey | None, kind: NoteKind | None, *, settled: bool) -> list[Note]:
        async with self._reading() as reading:
            return await reading.content_notes(key, kind, settled=settled)

    async def content_uses(self, keys: Collection[ItemKey]) -> list[Use]:
        async with self._reading() as reading:
            return await reading.content_uses(keys)

    async def content_release(self, name: str) -> Release | None:
        async with self._reading() as reading:
            return await reading.content_release(name)

    async def content_releases(self, states: Collection[ReleaseState], due_before_ms: int | None) -> list[Release]:
        async with self._reading() as reading:
            return await reading.content_releases(states, due_before_ms)


def _item(row: Row) -> Item:
    kind, name, state, revision, body, *rest = row
    return Item(ItemKey(kind, name), ItemState(state), revision, bytes(body), *rest)


def _version(row: Row) -> Version:
    kind, name, number, revision, digest, body, artefacts, pins, *rest = row
    key = ItemKey(kind, name)
    return Version(key, number, revision, bytes(digest), bytes(body), bytes(artefacts), _pins.decode(pins), *rest)


def _note(row: Row) -> Note:
    number, kind, name, note_kind, *rest = row
    return Note(number, ItemKey(kind, name), NoteKind(note_kind), *rest)


def _release(row: Row) -> Release:
    name, title, members, state, changed, by, due, settled, findings = row
    made = _members.decode(members)
    return Release(name, title, made, ReleaseState(state), changed, by, due, settled, bytes(findings))
