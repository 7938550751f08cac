"""Items of content as people work on them: drafts, approvals, comments and requests."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import msgspec
from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import Clock, to_iso
from courtesy.content.items import Body, ItemKey, checked, differences, key_of, locales, references
from courtesy.content.kinds import kind_of
from courtesy.content.workflow import ALL_LOCALES, Approval
from courtesy.engine.content import (
    DRAFT,
    ContentEdit,
    ContentReading,
    Item,
    ItemFilter,
    ItemRevision,
    ItemState,
    Note,
    NoteKind,
    User,
)
from courtesy.engine.contract import Engine

EVERY_ITEM = ItemFilter()
PAGE = 500
NEAR_MAX = 2_000
"""Among how many items the nearest name is looked for."""

_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Stale(CourtesyError):
    """A change that builds on a revision that somebody changed since: `known` is the item as it stands. `yours` and
    `theirs` are the places that either changed; `yours` is empty where the revision it builds on never was."""

    def __init__(self, known: Item, base: int, yours: Sequence[str], theirs: Sequence[str]) -> None:
        both = sorted({*yours} & {*theirs})
        changed = f"you both changed {', '.join(both[:5])}" if both else "you changed different places"
        super().__init__(
            Code.CONFLICT,
            f"your change builds on revision {base} of {known.key}, and {known.changed_by} made revision"
            f" {known.revision} at {to_iso(known.changed_ms)}",
            hint=f"{changed}; read revision {known.revision} and send yours again on it",
            place="revision",
        )
        self.base = base
        self.known = known
        self.yours = list(yours)
        self.theirs = list(theirs)


def body_of(content: bytes) -> Body:
    """A stored body."""
    return _decode(content)


def encode_body(body: Body) -> bytes:
    """A body as it is stored: the same for bodies that say the same."""
    return _encode(body)


async def item_in(reading: ContentReading, key: ItemKey) -> Item:
    """An item that there is. Raises CourtesyError(NOT_FOUND), with the nearest name of its kind."""
    found = await reading.content_item(key)
    if found is None:
        kind_of(key.kind)
        some = await reading.content_items(ItemFilter(kind=key.kind), None, NEAR_MAX)
        hint = nearest(key.name, [each.key.name for each in some])
        raise CourtesyError(Code.NOT_FOUND, f"there is no {key.kind} named {key.name!r:.120}", hint=hint)
    return found


async def authors_of(reading: ContentReading, item: Item, revision: int) -> set[str]:
    """Who wrote what a revision says that the last published version does not."""
    since = item.live_revision
    if since is None and item.version_count:
        last = await reading.content_version(item.key, item.version_count)
        since = None if last is None else last.revision
    return {
        each.changed_by for each in await reading.content_revisions(item.key) if (since or 0) < each.number <= revision
    }


class Contents:
    """The items of a store."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def editing(self) -> AbstractAsyncContextManager[ContentEdit]:
        """Change several things at once, or none."""
        return self._engine.editing_content()

    async def get(self, key: ItemKey) -> Item:
        """An item. Raises CourtesyError(NOT_FOUND)."""
        return await item_in(self._engine, key)

    async def found(self, which: ItemFilter, after: ItemKey | None, limit: int) -> list[Item]:
        """Items by kind and name, after one if given, at most `limit`."""
        return await self._engine.content_items(which, after, limit)

    async def all(self, which: ItemFilter = EVERY_ITEM) -> list[Item]:
        """Every item, by kind and name."""
        items: list[Item] = []
        while page := await self._engine.content_items(which, items[-1].key if items else None, PAGE):
            items += page
        return items

    async def put(self, key: ItemKey, body: Body, base: int | None, by: str) -> Item:
        """Write an item, and answer how it stands: on its revision `base`, 0 for one that is new, None on whatever it
        says now. What is as it was makes no revision.

        Raises CourtesyError: INVALID for what the kind does not declare, Stale when somebody changed it since `base`,
        CONFLICT for an archived one.
        """
        async with self.editing() as edit:
            return await self.put_in(edit, key, body, base, by)

    async def put_in(self, edit: ContentEdit, key: ItemKey, body: Body, base: int | None, by: str) -> Item:
        """As `put`, with other changes."""
        kind = kind_of(key.kind, "kind")
        checked(kind, body)
        key_of(str(key), "name")
        known = await edit.content_item(key)
        if known is None and base:
            raise CourtesyError(Code.NOT_FOUND, f"there is no {key} to change", hint="revision 0 makes it")
        if known is not None and known.state is ItemState.ARCHIVED:
            raise CourtesyError(Code.CONFLICT, f"{key} is archived", hint="restore it first")
        content = encode_body(body)
        if known is not None and known.body == content:
            return known
        if known is not None and base is not None and base != known.revision:
            raise await _stale(edit, known, base, body)
        now_ms = self._clock.now_ms()
        if known is None:
            item = Item(key, ItemState.DRAFT, 1, content, now_ms, by)
        else:
            item = replace(known, revision=known.revision + 1, body=content, changed_ms=now_ms, changed_by=by)
        await edit.put_item(item)
        await edit.set_uses(User(DRAFT, str(key)), [(each, None) for each in sorted(references(kind, body))])
        return item

    async def revisions(self, key: ItemKey) -> list[ItemRevision]:
        """Every revision, oldest first. Raises CourtesyError(NOT_FOUND)."""
        await self.get(key)
        return await self._engine.content_revisions(key)

    # -- approving

    async def approve(self, key: ItemKey, revision: int, locale: str, by: str, note: str = "") -> Approval:
        """Say yes to the present revision, in a locale or (empty) in all.

        Raises CourtesyError: CONFLICT when it is not the present one or the caller wrote of it, INVALID for a locale
        that it says nothing in.
        """
        async with self.editing() as edit:
            item = await item_in(edit, key)
            if revision != item.revision:
                raise CourtesyError(
                    Code.CONFLICT,
                    f"{key} is at revision {item.revision}, not {revision}",
                    hint="read it again; an edit voids what was approved before",
                    place="revision",
                )
            known = locales(kind_of(key.kind), body_of(item.body))
            if locale not in (ALL_LOCALES, *known):
                hint = nearest(locale, known) or f"it says something in {', '.join(sorted(known))}"
                raise CourtesyError(Code.INVALID, f"{key} says nothing in {locale!r:.60}", hint=hint, place="locale")
            if by in await authors_of(edit, item, revision):
                raise CourtesyError(
                    Code.CONFLICT,
                    f"{by} changed {key} since it was last published, and can't approve it",
                    hint="let somebody else approve it",
                )
            approval = Approval(revision, locale, by, self._clock.now_ms(), note)
            await edit.add_approval(key, approval)
            return approval

    async def approvals(self, key: ItemKey) -> list[Approval]:
        """Every approval that was given, oldest first; those of earlier revisions count no more."""
        return await self._engine.content_approvals(key)

    # -- comments and requests

    async def note(
        self, kind: NoteKind, key: ItemKey, text: str, by: str, place: str = "", due_ms: int | None = None
    ) -> Note:
        """Say something of an item, or ask for something, by an instant if given. Raises CourtesyError(NOT_FOUND)."""
        async with self.editing() as edit:
            await item_in(edit, key)
            return await edit.put_note(Note(0, key, kind, text, place, by, self._clock.now_ms(), due_ms))

    async def settle_note(self, key: ItemKey, number: int, by: str) -> Note:
        """Say that a comment or a request is dealt with; once it is, that stays as it is. Raises
        CourtesyError(NOT_FOUND)."""
        async with self.editing() as edit:
            notes = await edit.content_notes(key, None, settled=True)
            found = next((each for each in notes if each.number == number), None)
            if found is None:
                raise CourtesyError(Code.NOT_FOUND, f"{key} has no comment or request {number}")
            if found.settled_ms is not None:
                return found
            return await edit.put_note(replace(found, settled_ms=self._clock.now_ms(), settled_by=by))

    async def notes(self, key: ItemKey | None, kind: NoteKind | None = None, *, settled: bool = True) -> list[Note]:
        """What was said and asked of an item, or of all, oldest first."""
        return await self._engine.content_notes(key, kind, settled=settled)


async def _stale(edit: ContentEdit, known: Item, base: int, body: Body) -> Stale:
    """Who changed what since a revision."""
    revisions = {each.number: body_of(each.body) for each in await edit.content_revisions(known.key)}
    if base not in revisions:
        return Stale(known, base, [], [])
    theirs = differences(revisions[base], body_of(known.body))
    return Stale(known, base, differences(revisions[base], body), theirs)
