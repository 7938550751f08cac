"""Content in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import msgspec

from courtesy.content.items import Body, ItemKey
from courtesy.content.workflow import Approval
from courtesy.engine.content import (
    ContentEdit,
    Item,
    ItemFilter,
    ItemRevision,
    Note,
    NoteKind,
    Release,
    ReleaseState,
    Use,
    User,
    Version,
)

if TYPE_CHECKING:
    from courtesy.engine_memory.disk import Disk

_body = msgspec.json.Decoder(Body)
_NEVER_MS = 2**62


@dataclass(slots=True)
class Shelf:
    """All content. What lies in it never changes, so that a copy of its tables is a copy of all."""

    epoch: int = 0
    note_number: int = 0
    items: dict[ItemKey, Item] = field(default_factory=dict)
    revisions: dict[tuple[ItemKey, int], ItemRevision] = field(default_factory=dict)
    versions: dict[tuple[ItemKey, int], Version] = field(default_factory=dict)
    approvals: dict[tuple[ItemKey, int, str, str], Approval] = field(default_factory=dict)
    notes: dict[int, Note] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)
    uses: dict[User, frozenset[Use]] = field(default_factory=dict)

    async def content_item(self, key: ItemKey) -> Item | None:
        return self.items.get(key)

    async def content_items(self, which: ItemFilter, after: ItemKey | None, limit: int) -> list[Item]:
        found = (each for key, each in sorted(self.items.items()) if after is None or key > after)
        return [each for each in found if _is_in(each, which)][:limit]

    async def content_revisions(self, key: ItemKey) -> list[ItemRevision]:
        return [each for (item, _), each in sorted(self.revisions.items()) if item == key]

    async def content_version(self, key: ItemKey, number: int) -> Version | None:
        return self.versions.get((key, number))

    async def content_versions(self, key: ItemKey) -> list[Version]:
        return [each for (item, _), each in sorted(self.versions.items()) if item == key]

    async def content_approvals(self, key: ItemKey) -> list[Approval]:
        found = [each for (item, *_), each in self.approvals.items() if item == key]
        return sorted(found, key=lambda each: (each.revision, each.at_ms, each.locale, each.by))

    async def content_notes(self, key: ItemKey | None, kind: NoteKind | None, *, settled: bool) -> list[Note]:
        return [
            each
            for each in self.notes.values()
            if key in (None, each.key) and kind in (None, each.kind) and (settled or each.settled_ms is None)
        ]

    async def content_uses(self, keys: Collection[ItemKey]) -> list[Use]:
        found = [use for uses in self.uses.values() for use in uses if use.key in keys]
        return sorted(found, key=lambda use: (use.key, use.user, use.version or 0))

    async def content_release(self, name: str) -> Release | None:
        return self.releases.get(name)

    async def content_releases(self, states: Collection[ReleaseState], due_before_ms: int | None) -> list[Release]:
        found = [
            each
            for each in self.releases.values()
            if each.state in states
            and (due_before_ms is None or (each.due_ms is not None and each.due_ms < due_before_ms))
        ]
        return sorted(found, key=lambda each: (_NEVER_MS if each.due_ms is None else each.due_ms, each.name))


class _Edit(Shelf):
    """A copy of the shelf that is being changed."""

    @staticmethod
    def of(shelf: Shelf) -> _Edit:
        """The same, to be changed apart."""
        return _Edit(**{each.name: copy(getattr(shelf, each.name)) for each in fields(shelf)})

    async def put_item(self, item: Item) -> None:
        self.epoch += 1
        self.items[item.key] = item
        revision = ItemRevision(item.revision, item.body, item.changed_ms, item.changed_by)
        self.revisions.setdefault((item.key, item.revision), revision)

    async def put_version(self, version: Version) -> None:
        assert (version.key, version.number) not in self.versions, "a version is published once"
        self.epoch += 1
        self.versions[version.key, version.number] = version

    async def drop_version(self, key: ItemKey, number: int) -> None:
        self.epoch += 1
        self.versions.pop((key, number), None)

    async def add_approval(self, key: ItemKey, approval: Approval) -> None:
        self.epoch += 1
        self.approvals[key, approval.revision, approval.locale, approval.by] = approval

    async def put_note(self, note: Note) -> Note:
        self.epoch += 1
        if not note.number:
            self.note_number += 1
            note = msgspec.structs.replace(note, number=self.note_number)
        self.notes[note.number] = note
        return note

    async def put_release(self, release: Release) -> None:
        self.epoch += 1
        self.releases[release.name] = release

    async def drop_release(self, name: str) -> None:
        self.epoch += 1
        self.releases.pop(name, None)

    async def set_uses(self, user: User, uses: Sequence[tuple[ItemKey, int | None]]) -> None:
        self.epoch += 1
        self.uses[user] = frozenset(Use(user, *each) for each in uses)


class Content:
    """The engine's side of content."""

    @property
    def _disk(self) -> Disk:
        """The disk, while the engine is open. Raises Unavailable."""
        raise NotImplementedError

    @asynccontextmanager
    async def editing_content(self) -> AsyncIterator[ContentEdit]:
        disk = self._disk
        async with disk.content_lock:
            edit = _Edit.of(self._disk.content)
            yield edit
            self._disk.content = edit

    async def content_epoch(self) -> int:
        return self._disk.content.epoch

    async def content_item(self, key: ItemKey) -> Item | None:
        return await self._disk.content.content_item(key)

    async def content_items(self, which: ItemFilter, after: ItemKey | None, limit: int) -> list[Item]:
        return await self._disk.content.content_items(which, after, limit)

    async def content_revisions(self, key: ItemKey) -> list[ItemRevision]:
        return await self._disk.content.content_revisions(key)

    async def content_version(self, key: ItemKey, number: int) -> Version | None:
        return await self._disk.content.content_version(key, number)

    async def content_versions(self, key: ItemKey) -> list[Version]:
        return await self._disk.content.content_versions(key)

    async def content_approvals(self, key: ItemKey) -> list[Approval]:
        return await self._disk.content.content_approvals(key)

    async def content_notes(self, key: ItemKey | None, kind: NoteKind | None, *, settled: bool) -> list[Note]:
        return await self._disk.content.content_notes(key, kind, settled=settled)

    async def content_uses(self, keys: Collection[ItemKey]) -> list[Use]:
        return await self._disk.content.content_uses(keys)

    async def content_release(self, name: str) -> Release | None:
        return await self._disk.content.content_release(name)

    async def content_releases(self, states: Collection[ReleaseState], due_before_ms: int | None) -> list[Release]:
        return await self._disk.content.content_releases(states, due_before_ms)


def _is_in(item: Item, which: ItemFilter) -> bool:
    return (
        which.kind in (None, item.key.kind)
        and (which.states is None or item.state in which.states)
        and (which.tag is None or which.tag in _body.decode(item.body).tags)
    )
