"""Offers as they are now: the one place that knows where terms come from. They are published items of content of the
kind `offer`, or definitions; of the same name the item counts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.engine.contract import Engine
from courtesy.offer.deciding import Offer
from courtesy.offer.terms import OfferTerms, currency_of
from courtesy.runtime.catalog import OFFER, CatalogCache, check_name
from courtesy.runtime.offer_items import OfferItems
from courtesy.runtime.segments import Segments
from courtesy.segment import tree
from courtesy.segment.parsing import parse


class Offers:
    """The offers of one process."""

    def __init__(self, engine: Engine, catalog: CatalogCache, segments: Segments) -> None:
        self._engine = engine
        self._catalog = catalog
        self._segments = segments
        self._items = OfferItems(engine)
        self._known: Mapping[str, Offer] = {}
        self._version = -1
        self._asking: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    def now(self) -> Mapping[str, Offer]:
        """All offers by name, as this process knows them."""
        if self._catalog.now.version != self._version:
            self._gather()
        return self._known

    @property
    def marks(self) -> Mapping[str, int]:
        """How few codes may be left of a pool before somebody is told, where its item says so."""
        return self._items.marks

    async def latest(self) -> Mapping[str, Offer]:
        """All offers by name, by all that was defined or published before the call. Those who call while the store is
        asked for others are answered together by the next question, which is asked after they called."""
        if self._next is None:
            self._next = asyncio.create_task(self._ask_after(self._asking), name="offers-latest")
        # Who gives up must not take the answer from the others.
        await asyncio.shield(self._next)
        return self.now()

    async def _ask_after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._asking, self._next = self._next, None
        await self._catalog.refresh()
        if await self._items.refresh():
            self._gather()

    def _gather(self) -> None:
        defined = self._catalog.now
        known = {
            name: Offer(name, defined.revisions[OFFER, name].revision, terms) for name, terms in defined.offers.items()
        }
        self._known = known | {name: offer for name, (offer, _) in self._items.now.items()}
        self._version = defined.version

    def changed(self, name: str) -> tuple[int, str]:
        """When an offer that there is became as it is (ms UTC), and by whom."""
        if name in self._items.now:
            _, version = self._items.now[name]
            return version.published_ms, version.published_by
        definition = self._catalog.now.revisions[OFFER, name]
        return definition.changed_ms, definition.changed_by

    def get(self, name: str) -> Offer:
        """An offer. Raises CourtesyError(NOT_FOUND)."""
        found = self.now().get(name)
        if found is None:
            raise CourtesyError(Code.NOT_FOUND, f"no offer named {name!r:.120}", hint=nearest(name, self.now()))
        return found

    def by_shared_code(self, code: str) -> Offer | None:
        """The offer whose code for everybody this is, as codes are compared."""
        return next((each for each in self.now().values() if code and each.terms.shared_code == code), None)

    async def define(self, name: str, terms: OfferTerms, by: str) -> Offer:
        """Create or change an offer. What is granted keeps the value that it was granted with.

        Raises CourtesyError: INVALID for terms that can't hold; CONFLICT for one that is an item of content, for a
        shared code that another offer has, or another currency than that in which its budget was counted so far.
        """
        check_name(name)
        if "\t" in name:
            raise CourtesyError(Code.INVALID, "expected a name without a tab", place="name")
        terms = terms.checked()
        offers = await self.latest()
        self._refuse_item(name)
        if terms.eligibility:
            self._check_eligibility(terms.eligibility)
        _check_beside(name, terms, offers)
        known = offers.get(name)
        if known is not None and currency_of(known.terms.value) not in (None, currency_of(terms.value)):
            raise CourtesyError(
                Code.CONFLICT,
                f"expected the currency that it has, {currency_of(known.terms.value)}",
                hint="define another offer",
                place="value",
            )
        await self._catalog.define_offer(name, terms, by)
        return self.get(name)

    async def remove(self, name: str, by: str) -> None:
        """Remove an offer. Raises CourtesyError: NOT_FOUND, and CONFLICT for one of which there is anything; withdraw
        that."""
        await self.latest()
        self.get(name)
        self._refuse_item(name)
        if any(each.offer == name for each in await self._engine.offer_tallies()):
            raise CourtesyError(
                Code.CONFLICT, f"the offer {name!r:.120} was granted or redeemed", hint="set `withdrawn` to true"
            )
        users = sorted(each.name for each in self.now().values() if each.terms.fallback == name)
        if users:
            raise CourtesyError(Code.CONFLICT, f"{name!r:.120} is the fallback of {users[0]!r:.120}")
        await self._catalog.remove_offer(name, by)

    def _refuse_item(self, name: str) -> None:
        if name in self._items.now:
            raise CourtesyError(
                Code.CONFLICT,
                f"the offer {name!r:.120} is an item of content",
                hint="change, publish and withdraw it there",
                place="name",
            )

    def _check_eligibility(self, text: str) -> None:
        try:
            segment = parse(text).segment
            if segment.each is not None:
                raise CourtesyError(Code.INVALID, "expected an expression that is for no value in particular")
            if any(isinstance(each, tree.Rank) for each in tree.conditions(segment.expression)):
                raise CourtesyError(
                    Code.INVALID,
                    "a rank among all people can't be told of one person",
                    hint="make a segment of it, and write: in segment ...",
                )
            # By a name that no segment can have: nothing stands on an offer.
            self._segments.check_mentions("\0offer", segment)
        except CourtesyError as error:
            error.place = f"eligibility, {error.place}" if error.place else "eligibility"
            raise


def _check_beside(name: str, terms: OfferTerms, offers: Mapping[str, Offer]) -> None:
    """Raise CourtesyError when an offer does not go with the others."""
    if terms.fallback and (terms.fallback == name or terms.fallback not in offers):
        hint = nearest(terms.fallback, offers.keys() - {name})
        raise CourtesyError(
            Code.INVALID,
            f"expected another offer as a fallback, got {terms.fallback!r:.120}",
            hint=hint,
            place="fallback",
        )
    code = terms.shared_code
    others = [each.name for each in offers.values() if each.name != name and each.terms.shared_code == code]
    if code is not None and others:
        raise CourtesyError(
            Code.CONFLICT, f"the code {code!r} is that of the offer {others[0]!r:.120}", place="codes.code"
        )
