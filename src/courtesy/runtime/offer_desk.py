"""What can be done about offers: granting, redeeming, giving back; by any identifier of a person."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import NamedTuple

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine.contract import Engine, Unavailable
from courtesy.engine.offer import CODES_AT_ONCE_MAX, CodePool, OfferTally
from courtesy.identity.rules import SOURCE_KIND, split_identifier
from courtesy.offer.codes import normalised, sorted_out
from courtesy.offer.deciding import (
    NO_CIRCUMSTANCES,
    Circumstances,
    GiveBackAsk,
    GrantAsk,
    Granted,
    NoteAsk,
    RedeemAsk,
    Redeemed,
    Who,
)
from courtesy.offer.low_water import is_low, is_pool_low, pieces
from courtesy.offer.redeeming import Refused
from courtesy.offer.rows import Grant, Redemption
from courtesy.offer.terms import Money
from courtesy.runtime.catalog import CatalogCache, check_name
from courtesy.runtime.eligibility import Eligibility
from courtesy.runtime.offer_ledger import OfferLedger
from courtesy.runtime.offers import Offers
from courtesy.runtime.people import GROUP, PERSON, People
from courtesy.runtime.saying import telling


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody, by any identifier."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A grant that is wanted: of which offer, for whom by which identifier, on which request, and how it came about."""

    offer: str
    identifier: str
    request: str
    circumstances: Circumstances = NO_CIRCUMSTANCES


class Low(NamedTuple):
    """That an offer, or the codes of a pool (`what`), run low, and how many are left."""

    what: str
    name: str
    left: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What a till is shown: an offer by its name, a code, or both, and whose it is if that is known; the order, by what
    the till calls it, and its value before the discount."""

    offer: str = ""
    code: str = ""
    who: Named | None = None
    order_id: str = ""
    order: Money | None = None


class OfferDesk:
    """The acting side of offers in one process."""

    def __init__(
        self,
        engine: Engine,
        catalog: CatalogCache,
        offers: Offers,
        ledger: OfferLedger,
        eligibility: Eligibility,
        people: People,
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._offers = offers
        self._ledger = ledger
        self._eligibility = eligibility
        self._people = people

    async def grant(
        self,
        name: str,
        who: Named,
        request: str = "",
        circumstances: Circumstances = NO_CIRCUMSTANCES,
        *,
        again: bool = False,
    ) -> Granted | Refused:
        """Let a person have an offer; who holds it keeps what they hold. The same `request` is granted once. `again`:
        also if they declined it.

        Raises CourtesyError: NOT_FOUND for an offer or a person that is not known, CONFLICT for a request that had
        asked for something else.
        """
        await self._offers.latest()
        offer = self._offers.get(name)
        one = await self._who(who)
        is_eligible = await self._eligibility.is_for(offer, who.kind, who.value)
        ask = GrantAsk(offer, one, request or _made(), is_eligible, again=again, circumstances=circumstances)
        return await self._ledger.grant(ask)

    async def grant_all(self, wanted: Sequence[Wanted]) -> list[Granted | Refused | CourtesyError]:
        """As `grant` for many, in a few questions to the store; each is answered alone, be it by the error that `grant`
        would raise. Raises Unavailable."""
        await self._offers.latest()
        asks = await asyncio.gather(*(self._asked(each) for each in wanted))
        granted = iter(await self._ledger.grant_all([each for each in asks if isinstance(each, GrantAsk)]))
        return [next(granted) if isinstance(each, GrantAsk) else each for each in asks]

    async def _asked(self, wanted: Wanted) -> GrantAsk | CourtesyError:
        try:
            offer = self._offers.get(wanted.offer)
            is_eligible = not offer.terms.eligibility or await self._eligibility.is_for(
                offer, *split_identifier(wanted.identifier)
            )
        except Unavailable:
            raise
        except CourtesyError as error:
            return error
        who = Who(wanted.identifier, ())
        return GrantAsk(offer, who, wanted.request, is_eligible, circumstances=wanted.circumstances)

    async def redeem(
        self, shown: Shown, request: str = "", circumstances: Circumstances = NO_CIRCUMSTANCES
    ) -> Redeemed | Refused:
        """Redeem an offer, once for each `request`; without one, once for each order.

        Raises CourtesyError: INVALID when neither an offer nor a code is shown, else as `grant`; a code that is not
        known is refused.
        """
        await self._offers.latest()
        code = normalised(shown.code)
        if not (code or shown.offer):
            raise CourtesyError(Code.INVALID, "expected a `code`, or an `offer` and whose it is", place="code")
        offer = self._offers.get(shown.offer) if shown.offer else None
        one = None if shown.who is None else await self._who(shown.who)
        meant = offer or self._offers.by_shared_code(code)
        is_eligible = (
            meant is None
            or meant.terms.needs_grant
            or shown.who is None
            or await self._eligibility.is_for(meant, shown.who.kind, shown.who.value)
        )
        by_order = f"order {shown.order_id}: {code or shown.offer}" if shown.order_id else _made()
        ask = RedeemAsk(offer, code, one, request or by_order, is_eligible, shown.order_id, shown.order, circumstances)
        return await self._ledger.redeem(ask)

    async def give_back(self, number: int, circumstances: Circumstances = NO_CIRCUMSTANCES) -> Redemption:
        """Undo a redemption, once. Raises CourtesyError(NOT_FOUND)."""
        return (await self._ledger.give_back(GiveBackAsk(number, circumstances))).redemption

    async def note(
        self, event: str, name: str, who: Named, request: str, circumstances: Circumstances = NO_CIRCUMSTANCES
    ) -> bool:
        """Note what was done about an offer with a person, by the name of its event, once for each request; whether it
        is news. Who declines gives back what they hold. Raises CourtesyError(NOT_FOUND)."""
        await self._offers.latest()
        ask = NoteAsk(event, self._offers.get(name), await self._who(who), request or _made(), circumstances)
        return await self._ledger.note(ask)

    async def held(self, who: Named) -> tuple[list[Grant], list[Redemption]]:
        """All that a person was granted and redeemed, by number. Raises CourtesyError(NOT_FOUND)."""
        people = await self._people.everyone(who.kind, who.value)
        return await self._engine.grants_of(people), await self._engine.redemptions_of(people)

    async def tallies(self) -> dict[str, OfferTally]:
        """How many there are of each offer of which there is anything."""
        return {each.offer: each for each in await self._engine.offer_tallies()}

    async def low(self) -> list[Low]:
        """What runs low: offers first, each by name."""
        offers, tallies = await self._offers.latest(), await self.tallies()
        found = [
            Low("offer", name, pieces(offers[name].terms, tally) or 0)
            for name, tally in sorted(tallies.items())
            if name in offers and not offers[name].terms.withdrawn and is_low(offers[name].terms, tally)
        ]
        pools = await self.pools()
        marks = self._offers.marks
        return found + [
            Low("codes", each.name, each.free_count) for each in pools if is_pool_low(each, marks.get(each.name))
        ]

    async def add_codes(self, pool: str, lines: Collection[str]) -> int:
        """Add codes to a pool, to be given out in this order; how many are new."""
        check_name(pool)
        codes, added = sorted_out(lines), 0
        for at in range(0, len(codes), CODES_AT_ONCE_MAX):
            added += await self._engine.add_codes(pool, codes[at : at + CODES_AT_ONCE_MAX])
        return added

    async def pools(self) -> Sequence[CodePool]:
        """All pools of codes, by name."""
        return await self._engine.code_pools()

    async def _who(self, named: Named) -> Who:
        """By which identifier somebody is meant; who that is the ledger finds out."""
        if named.kind in (GROUP, SOURCE_KIND):
            raise CourtesyError(Code.INVALID, "an offer is for a person", place="kind")
        if named.kind != PERSON:
            return Who(self._people.key_of(named.kind, named.value), ())
        reading, _ = await self._people.whole(named.kind, named.value)
        return Who(telling(reading, self._catalog.rules()), ())


def _made() -> str:
    """An id for a request that came without one."""
    return f"made {token_hex(16)}"
