"""The assets that published content names, looked for where they lie: after a restore, say, for no backup has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from courtesy.content.items import Body, FieldType, ItemKey, values
from courtesy.content.kinds import KINDS
from courtesy.engine.content import ItemFilter, ItemState
from courtesy.engine.contract import Engine

PAGE = 500


async def lacking_assets(engine: Engine, has: Callable[[str], Awaitable[bool]]) -> list[str]:
    """The SHA-256 of each asset that live content names and that is not there, in order. Raises CourtesyError when
    nobody can say."""
    named: set[str] = set()
    for kind in KINDS.values():
        if not any(each.type is FieldType.ASSET for each in kind.fields):
            continue
        after: ItemKey | None = None
        which = ItemFilter(kind.name, frozenset({ItemState.PUBLISHED}))
        while items := await engine.content_items(which, after, PAGE):
            for item in items:
                version = await engine.content_version(item.key, item.live or item.version_count)
                if version is not None:
                    body = msgspec.json.decode(version.body, type=Body)
                    for each in values(kind, body):
                        if each.field.type is FieldType.ASSET:
                            named.update(each.content if each.field.many else [each.content])
            after = items[-1].key
    return [digest for digest in sorted(named) if not await has(digest)]
