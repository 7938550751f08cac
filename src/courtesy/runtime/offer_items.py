"""Offers that are items of content, and what items say of pools of codes: by their published versions."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import structlog

from courtesy.base.errors import CourtesyError
from courtesy.content.items import Body, ItemKey, resolved
from courtesy.content.kinds import CODE_POOL, OFFER
from courtesy.content.offers import terms_of
from courtesy.engine.content import Item, ItemFilter, ItemState, Version
from courtesy.engine.contract import Engine
from courtesy.offer.deciding import Offer

PAGE = 500
SHOWN = frozenset({ItemState.PUBLISHED, ItemState.WITHDRAWN, ItemState.ARCHIVED})

log = structlog.get_logger("offers")


class OfferItems:
    """The offers of a store's content, as one process knows them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._epoch = -1
        self._versions: dict[tuple[ItemKey, int], Version | None] = {}
        self._known: dict[str, tuple[Offer, Version]] = {}
        self._marks: dict[str, int] = {}

    @property
    def marks(self) -> Mapping[str, int]:
        """How few codes may be left of a pool before somebody is told, where its item says so."""
        return self._marks

    @property
    def now(self) -> Mapping[str, tuple[Offer, Version]]:
        """Each offer that was ever published, by name, with the version that it is made of."""
        return self._known

    async def refresh(self) -> bool:
        """Know everything that was published before the call; whether anything may be new."""
        epoch = await self._engine.content_epoch()
        if epoch == self._epoch:
            return False
        found = [(item.key.name, await self._found(item)) for item in await self._items(OFFER.name)]
        pools = [(item.key.name, await self._mark(item)) for item in await self._items(CODE_POOL.name)]
        self._known = {name: each for name, each in found if each is not None}
        self._marks = {name: each for name, each in pools if each is not None}
        self._epoch = epoch
        return True

    async def _items(self, kind: str) -> list[Item]:
        """All items of a kind that were ever published."""
        found: list[Item] = []
        after: ItemKey | None = None
        while items := await self._engine.content_items(ItemFilter(kind, SHOWN), after, PAGE):
            found += items
            after = items[-1].key
        return found

    async def _mark(self, item: Item) -> int | None:
        version = await self._version(item)
        if version is None:
            return None
        mark = resolved(CODE_POOL, msgspec.json.decode(version.body, type=Body)).get("low_water")
        return mark if isinstance(mark, int) else None

    async def _found(self, item: Item) -> tuple[Offer, Version] | None:
        """The offer of an item: by what is shown, or what was shown last, which is withdrawn then."""
        version = await self._version(item)
        if version is None:
            return None
        number = version.number
        try:
            terms = terms_of(msgspec.json.decode(version.body, type=Body))
        except CourtesyError as error:
            log.error("offer_unusable", name=item.key.name, version=number, cause=str(error))
            return None
        is_withdrawn = item.live is None
        offer = Offer(item.key.name, number, msgspec.structs.replace(terms, withdrawn=is_withdrawn))
        return offer, version

    async def _version(self, item: Item) -> Version | None:
        """What is shown of an item, or was last."""
        number = item.live or item.version_count
        if (item.key, number) not in self._versions:
            self._versions[item.key, number] = await self._engine.content_version(item.key, number)
        return self._versions[item.key, number]
