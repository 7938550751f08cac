"""Offers that are items of content: the terms of their published versions."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import structlog

from courtesy.base.errors import CourtesyError
from courtesy.content.items import Body, ItemKey
from courtesy.content.kinds import OFFER
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
        self._versions: dict[tuple[str, int], Version | None] = {}
        self._known: dict[str, tuple[Offer, Version]] = {}

    @property
    def now(self) -> Mapping[str, tuple[Offer, Version]]:
        """Each offer that was ever published, by name, with the version that it is made of."""
        return self._known

    async def refresh(self) -> bool:
        """Know everything that was published before the call; whether anything may be new."""
        epoch = await self._engine.content_epoch()
        if epoch == self._epoch:
            return False
        known: dict[str, tuple[Offer, Version]] = {}
        after: ItemKey | None = None
        while items := await self._engine.content_items(ItemFilter(OFFER.name, SHOWN), after, PAGE):
            for item in items:
                found = await self._found(item)
                if found is not None:
                    known[item.key.name] = found
            after = items[-1].key
        self._known, self._epoch = known, epoch
        return True

    async def _found(self, item: Item) -> tuple[Offer, Version] | None:
        """The offer of an item: by what is shown, or what was shown last, which is withdrawn then."""
        number = item.live or item.version_count
        if (item.key.name, number) not in self._versions:
            self._versions[item.key.name, number] = await self._engine.content_version(item.key, number)
        version = self._versions[item.key.name, number]
        if version is None:
            return None
        try:
            terms = terms_of(msgspec.json.decode(version.body, type=Body))
        except CourtesyError as error:
            log.error("offer_unusable", name=item.key.name, version=number, cause=str(error))
            return None
        is_withdrawn = item.live is None
        offer = Offer(item.key.name, number, msgspec.structs.replace(terms, withdrawn=is_withdrawn))
        return offer, version
