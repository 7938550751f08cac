"""Content on a store: edits one at a time, all or nothing; revisions and versions that never change."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.items import Body, ItemKey
from courtesy.content.release import Change, Pin
from courtesy.content.workflow import Approval
from courtesy.engine.content import (
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
from courtesy.engine.contract import Engine
from tests.contract.builders import NOW_MS, Store

FOOTER = ItemKey("fragment", "footer")
WELCOME = ItemKey("template", "welcome")
ALL = ItemFilter()


def body(**fields: Any) -> bytes:
    """What an item says, as it is stored."""
    return msgspec.json.encode(Body(**fields))


def item(key: ItemKey = FOOTER, **fields: Any) -> Item:
    """An item nobody published yet."""
    return replace(Item(key, ItemState.DRAFT, 1, body(title=key.name), NOW_MS, "eve"), **fields)


def version(key: ItemKey = FOOTER, **fields: Any) -> Version:
    """Its first version."""
    made = Version(key, 1, 1, bytes(32), body(title=key.name), b'{"html":"<p>"}', (), NOW_MS, "eve")
    return replace(made, **fields)


async def test_an_item_lies_there_as_it_was_put_with_every_revision(engine: Engine, store: Store) -> None:
    """Also for others over the store; one that is put again without an edit makes no revision."""
    first = item()
    second = item(revision=2, body=body(title="new", tags=("a",)), changed_ms=NOW_MS + 1, changed_by="ada")
    published = replace(second, state=ItemState.PUBLISHED, version_count=1, live=1, live_revision=2)
    for each in (first, second, published):
        async with engine.editing_content() as edit:
            await edit.put_item(each)
            assert await edit.content_item(FOOTER) == each
    async with store.another() as other:
        assert await other.content_item(FOOTER) == published
        assert await other.content_revisions(FOOTER) == [
            ItemRevision(1, first.body, NOW_MS, "eve"),
            ItemRevision(2, second.body, NOW_MS + 1, "ada"),
        ]
        assert await other.content_item(WELCOME) is None
        assert await other.content_revisions(WELCOME) == []


async def test_items_are_listed_in_order_and_page_by_page(engine: Engine) -> None:
    """By kind, state and tag."""
    some = [
        item(ItemKey("fragment", "a"), body=body(tags=("spring", "x"))),
        item(ItemKey("fragment", "b"), state=ItemState.ARCHIVED),
        item(ItemKey("offer", "a"), body=body(tags=("spring",))),
    ]
    async with engine.editing_content() as edit:
        for each in reversed(some):
            await edit.put_item(each)
    assert await engine.content_items(ALL, None, 10) == some
    assert await engine.content_items(ALL, None, 2) == some[:2]
    assert await engine.content_items(ALL, some[0].key, 2) == some[1:]
    assert await engine.content_items(ItemFilter(kind="fragment"), None, 9) == some[:2]
    assert await engine.content_items(ItemFilter(tag="spring"), None, 9) == [some[0], some[2]]
    assert await engine.content_items(ItemFilter(states=frozenset({ItemState.ARCHIVED})), None, 9) == [some[1]]
    assert await engine.content_items(ItemFilter(states=frozenset()), None, 9) == []


async def test_versions_are_kept_until_they_are_dropped(engine: Engine) -> None:
    """With what was made of them and what they stand on."""
    pinned = version(WELCOME, number=2, revision=7, pins=(Pin("fragment", "footer", 1),), release="spring")
    async with engine.editing_content() as edit:
        for each in (version(WELCOME), pinned, version()):
            await edit.put_version(each)
    assert await engine.content_versions(WELCOME) == [version(WELCOME), pinned]
    assert await engine.content_version(WELCOME, 2) == pinned
    async with engine.editing_content() as edit:
        await edit.drop_version(WELCOME, 1)
    assert await engine.content_version(WELCOME, 1) is None
    assert await engine.content_versions(WELCOME) == [pinned]
    assert await engine.content_versions(FOOTER) == [version()]


async def test_an_edit_that_fails_leaves_no_trace(engine: Engine) -> None:
    """Of all that it wrote, nor does the epoch move; one that only read moves it neither."""
    async with engine.editing_content() as edit:
        await edit.put_item(item())
    epoch = await engine.content_epoch()
    with suppress(CourtesyError):
        async with engine.editing_content() as edit:
            await edit.put_item(item(revision=2))
            await edit.put_version(version())
            await edit.put_note(Note(0, FOOTER, NoteKind.COMMENT, "hm", "", "eve", NOW_MS))
            await edit.set_uses(User("campaign", "spring"), [(FOOTER, 1)])
            raise CourtesyError(Code.CONFLICT, "no")
    async with engine.editing_content() as edit:
        assert await edit.content_item(FOOTER) == item()
    assert await engine.content_versions(FOOTER) == []
    assert await engine.content_notes(FOOTER, None, settled=True) == []
    assert await engine.content_uses([FOOTER]) == []
    assert await engine.content_epoch() == epoch
    async with engine.editing_content() as edit:
        await edit.put_item(item(revision=2))
    assert await engine.content_epoch() > epoch


async def test_edits_are_one_at_a_time(engine: Engine, store: Store) -> None:
    """Twenty who count one up, over two engines, count to twenty."""

    async def count_up(by: Engine) -> None:
        async with by.editing_content() as edit:
            known = await edit.content_item(FOOTER)
            await asyncio.sleep(0)
            assert known is not None
            await edit.put_item(replace(known, revision=known.revision + 1))

    async with engine.editing_content() as edit:
        await edit.put_item(item())
    async with store.another() as other:
        await asyncio.gather(*(count_up(by) for by in (engine, other) for _ in range(10)))
        known = await other.content_item(FOOTER)
    assert known is not None
    assert known.revision == 21
    assert len(await engine.content_revisions(FOOTER)) == 21


async def test_approvals_are_kept_and_given_once(engine: Engine) -> None:
    """By each person, of each revision and locale."""
    given = [
        Approval(1, "de", "ada", NOW_MS),
        Approval(1, "fr", "ada", NOW_MS + 1, "très bien"),
        Approval(2, "de", "bob", NOW_MS),
    ]
    async with engine.editing_content() as edit:
        for each in (*given[1:], replace(given[0], at_ms=NOW_MS - 5), given[0]):
            await edit.add_approval(FOOTER, each)
        await edit.add_approval(WELCOME, given[0])
    assert await engine.content_approvals(FOOTER) == given


async def test_notes_are_numbered_listed_and_settled(engine: Engine) -> None:
    """Of one item or of all; open ones alone unless told otherwise."""
    async with engine.editing_content() as edit:
        comment = await edit.put_note(Note(0, FOOTER, NoteKind.COMMENT, "too long", "fields.text.de", "ada", NOW_MS))
        asked = await edit.put_note(Note(0, WELCOME, NoteKind.REQUEST, "French", "", "bob", NOW_MS, due_ms=NOW_MS + 5))
    assert comment.number < asked.number
    done = replace(asked, settled_ms=NOW_MS + 2, settled_by="eve")
    async with engine.editing_content() as edit:
        assert await edit.put_note(done) == done
    assert await engine.content_notes(None, None, settled=True) == [comment, done]
    assert await engine.content_notes(None, None, settled=False) == [comment]
    assert await engine.content_notes(WELCOME, None, settled=True) == [done]
    assert await engine.content_notes(None, NoteKind.REQUEST, settled=True) == [done]


async def test_uses_are_what_a_user_said_last(engine: Engine) -> None:
    """Pinned or not, and found by what is used."""
    spring, summer = User("campaign", "spring"), User("version", "template/welcome@3")
    async with engine.editing_content() as edit:
        await edit.set_uses(spring, [(FOOTER, 1), (FOOTER, 2), (WELCOME, None)])
        await edit.set_uses(summer, [(FOOTER, 1)])
    assert await engine.content_uses([FOOTER, WELCOME]) == [
        Use(spring, FOOTER, 1),
        Use(spring, FOOTER, 2),
        Use(summer, FOOTER, 1),
        Use(spring, WELCOME, None),
    ]
    async with engine.editing_content() as edit:
        await edit.set_uses(spring, [(FOOTER, 2)])
        await edit.set_uses(summer, [])
    assert await engine.content_uses([FOOTER, WELCOME]) == [Use(spring, FOOTER, 2)]
    assert await engine.content_uses([]) == []


async def test_releases_come_in_the_order_in_which_they_are_due(engine: Engine) -> None:
    """In the states that are asked for; those without an instant last."""
    members = (Member("fragment", "footer", revision=3), Member("template", "welcome", Change.WITHDRAW))
    open_ = Release("a", "A", members, ReleaseState.OPEN, NOW_MS, "eve")
    later = replace(open_, name="b", state=ReleaseState.SCHEDULED, due_ms=NOW_MS + 9)
    soon = replace(open_, name="c", state=ReleaseState.SCHEDULED, due_ms=NOW_MS + 3)
    async with engine.editing_content() as edit:
        for each in (open_, later, soon):
            await edit.put_release(each)
    assert await engine.content_releases(set(ReleaseState), None) == [soon, later, open_]
    assert await engine.content_releases({ReleaseState.SCHEDULED}, NOW_MS + 9) == [soon]
    blocked = replace(soon, state=ReleaseState.BLOCKED, settled_ms=NOW_MS + 4, findings=b'[{"code":"circle"}]')
    async with engine.editing_content() as edit:
        await edit.put_release(blocked)
        await edit.drop_release("a")
    assert await engine.content_release("c") == blocked
    assert await engine.content_release("a") is None
