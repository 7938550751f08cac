"""Clienteling: the next offers for the customer who stands before somebody, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.base.time import Clock
from courtesy.offer.codes import OwnCode
from courtesy.offer.deciding import Book, Circumstances, Conflict, Facts, GrantAsk, Granted, Offer, Who
from courtesy.offer.redeeming import Refused, grant_refusal
from courtesy.offer.rows import Grant, OfferTally
from courtesy.offer.standing import DECLINED, SEEN, Stage, Standing, standings
from courtesy.offer.terms import MintedCode, PoolCode
from courtesy.runtime.eligibility import Eligibility
from courtesy.runtime.offer_desk import Named, OfferDesk
from courtesy.runtime.offers import Offers
from courtesy.runtime.people import People

FALLBACKS_MAX = 10
FOR_EVER_MS = 2**62
NOBODY = PersonId(0)
EXAMPLE = "EXAMPLE"
"""What stands for a code that nobody was given yet."""


class Reply(StrEnum):
    """What came of an offer that was put to a customer."""

    PRESENTED = "presented"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Next:
    """An offer that a customer can have now, as it looks at the placement; `instead_of` the one whose fallback it is.
    `grant`: the one that they hold."""

    offer: Offer
    look: Mapping[str, Any]
    grant: Grant | None
    stage: Stage | None
    instead_of: str = ""


class Clienteling:
    """The side of offers that people use who serve people."""

    def __init__(self, offers: Offers, desk: OfferDesk, eligibility: Eligibility, people: People, clock: Clock) -> None:
        self.offers = offers
        self._desk = desk
        self._eligibility = eligibility
        self._people = people
        self._clock = clock

    async def next(self, who: Named, placement: str, limit: int) -> list[Next]:
        """The offers for a person at a placement: those that they hold first, then those that end first, then by name.
        In place of one that can't be had stands its fallback. Nothing is changed. Raises CourtesyError(NOT_FOUND)."""
        offers = await self.offers.latest()
        shown = [each for each in offers.values() if placement in each.terms.placements]
        state = await self._people.state(who.kind, who.value)
        grants, redemptions = await self._desk.held(who)
        redeemed = Counter(each.offer for each in redemptions if each.given_back_ms is None)
        case = _Case(
            offers,
            standings(state.offers),
            grants,
            redeemed,
            await self._desk.tallies(),
            await self._eligibility.those_for(shown, who.kind, who.value),
            {each.name: each.free_count for each in await self._desk.pools()},
            self._clock.now_ms(),
        )
        found: dict[str, Next] = {}
        for each in shown:
            for one in case.had(each, placement):
                found.setdefault(one.offer.name, one)
        return sorted(found.values(), key=_order)[:limit]

    async def would_grant(self, name: str, who: Named | None) -> Granted | Refused:
        """What granting an offer would come to now; nothing is changed, and a code that would be new is an example.
        Without `who`: to somebody for whom it is, and of whom nothing else is known. Raises as `OfferDesk.grant`."""
        offers = await self.offers.latest()
        offer = self.offers.get(name)
        facts, people, is_eligible = Facts(tallies=dict(await self._desk.tallies())), [NOBODY], True
        if who is not None:
            people = await self._people.everyone(who.kind, who.value)
            facts.grants, facts.redemptions = await self._desk.held(who)
            is_eligible = await self._eligibility.is_for(offer, who.kind, who.value)
        prefix = offer.terms.codes.prefix if isinstance(offer.terms.codes, MintedCode) else ""
        example = OwnCode(f"{prefix}{EXAMPLE}", f"{prefix}{EXAMPLE}")
        facts.free = {each.name: [example] for each in await self._desk.pools() if each.free_count}
        facts.next_grant = 1 + max((each.number for each in facts.grants), default=0)
        ask = GrantAsk(offer, Who("", tuple(people)), "", is_eligible, example)
        outcome = Book(facts, offers, self._clock.now_ms()).grant(ask)
        assert not isinstance(outcome, Conflict), "no request has an empty id"
        return outcome

    async def answer(
        self, reply: Reply, name: str, who: Named, request: str, circumstances: Circumstances
    ) -> Granted | Refused | None:
        """Note what came of an offer, once for each request. Who accepts is granted it, though they declined it before;
        who declines gives back what they hold. Raises as `OfferDesk.grant`."""
        if reply is Reply.ACCEPTED:
            return await self._desk.grant(name, who, request, circumstances, again=True)
        event = SEEN if reply is Reply.PRESENTED else DECLINED
        await self._desk.note(event, name, who, request, circumstances)
        return None


@dataclass(frozen=True, slots=True)
class _Case:
    """All that decides what a person can have now."""

    offers: Mapping[str, Offer]
    standings: Mapping[str, Standing]
    grants: list[Grant]
    redeemed: Mapping[str, int]
    tallies: Mapping[str, OfferTally]
    eligible: set[str]
    free_codes: Mapping[str, int]
    now_ms: int

    def had(self, offer: Offer, placement: str) -> Iterator[Next]:
        """The offer, or the first of its fallbacks that can be had and has a look there; nothing when none can."""
        meant, passed = offer, {offer.name}
        for _ in range(FALLBACKS_MAX):
            if placement in meant.terms.placements and self._can_be_had(meant):
                stands = self.standings.get(meant.name)
                yield Next(
                    meant,
                    meant.terms.placements[placement],
                    self._held(meant.name),
                    None if stands is None else stands.stage,
                    "" if meant is offer else offer.name,
                )
                return
            fallback = self.offers.get(meant.terms.fallback)
            if fallback is None or fallback.name in passed:
                return
            meant = fallback
            passed.add(meant.name)

    def _can_be_had(self, offer: Offer) -> bool:
        terms, theirs = offer.terms, [each for each in self.grants if each.offer == offer.name]
        count = self.redeemed.get(offer.name, 0)
        is_used = terms.redemptions_per_person is not None and count >= terms.redemptions_per_person
        if self._held(offer.name) is not None:
            return not (terms.withdrawn or is_used)
        stands = self.standings.get(offer.name)
        tally = self.tallies.get(offer.name, OfferTally(offer.name))
        return (
            offer.name in self.eligible
            and (stands is None or stands.stage is not Stage.DECLINED)
            and (terms.from_ms is None or terms.from_ms <= self.now_ms)
            and not (isinstance(terms.codes, PoolCode) and not self.free_codes.get(terms.codes.pool))
            and grant_refusal(terms, tally, theirs, count, self.now_ms, again=False) is None
        )

    def _held(self, name: str) -> Grant | None:
        """The grant of an offer that ends first of those that they hold."""
        live = [each for each in self.grants if each.offer == name and each.is_live(self.now_ms)]
        return min(live, key=lambda each: (each.expires_ms or FOR_EVER_MS, each.number), default=None)


def _order(each: Next) -> tuple[bool, int, str]:
    ends_ms = each.grant.expires_ms if each.grant is not None else each.offer.terms.to_ms
    return each.grant is None, ends_ms or FOR_EVER_MS, each.offer.name
