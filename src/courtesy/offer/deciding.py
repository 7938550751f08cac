"""Deciding what becomes of offers: one act after the other, on what is known and what was decided just before.

A `Book` is opened on everything that some acts can depend on, read under the lock under which it is written, and closed
with what to write. So what it decides holds: no more is promised than there is, and nothing is redeemed twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec.structs import replace

from courtesy.base.ids import PersonId, Position
from courtesy.offer.codes import OwnCode
from courtesy.offer.low_water import CODES_LOW, OFFER_LOW, is_low, is_pool_low, pieces
from courtesy.offer.redeeming import (
    Case,
    OfferCause,
    Redeemable,
    Refused,
    bound_micros,
    budget_left,
    grant_refusal,
    verdict,
)
from courtesy.offer.rows import CodePool, End, Grant, OfferTally, Redemption
from courtesy.offer.standing import DECLINED, EXPIRED, GIVEN_BACK, GRANTED, REDEEMED
from courtesy.offer.terms import MICROS, MintedCode, Money, OfferTerms, PoolCode, Value, micros_of

UNSTORED = Position(0)


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who is meant: by which identifier, and all who are one with them, themselves first."""

    identifier: str
    people: tuple[PersonId, ...]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How something came about, for the event to say; nothing is decided by it."""

    channel: str = ""
    placement: str = ""
    message: str = ""
    by: str = ""
    where: str = ""


NO_CIRCUMSTANCES = Circumstances()


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer as it is defined now."""

    name: str
    version: int
    terms: OfferTerms


@dataclass(frozen=True, slots=True)
class GrantAsk:
    """Let somebody have an offer. `code`: a minted one that nobody has, for an offer that needs one. `again`: also if
    they declined it before."""

    offer: Offer
    who: Who
    request: str
    is_eligible: bool = True
    code: OwnCode | None = None
    again: bool = False
    circumstances: Circumstances = NO_CIRCUMSTANCES


@dataclass(frozen=True, slots=True)
class RedeemAsk:
    """Redeem an offer by its code, by whose it is, or both. `offer`: None when only the code tells. `order_id`: what
    the till calls the order."""

    offer: Offer | None
    code: str
    who: Who | None
    request: str
    is_eligible: bool = True
    order_id: str = ""
    order: Money | None = None
    circumstances: Circumstances = NO_CIRCUMSTANCES


@dataclass(frozen=True, slots=True)
class NoteAsk:
    """Something was done about an offer with somebody: it was chosen, sent, seen, clicked or declined, by the `name` of
    the event that says so."""

    name: str
    offer: Offer
    who: Who
    request: str
    circumstances: Circumstances = NO_CIRCUMSTANCES

    @property
    def key(self) -> str:
        """What no other note of that name has."""
        return f"asked-{self.request}"


@dataclass(frozen=True, slots=True)
class GiveBackAsk:
    """Undo a redemption, as when its order was cancelled."""

    number: int
    circumstances: Circumstances = NO_CIRCUMSTANCES


@dataclass(frozen=True, slots=True)
class ExpireAsk:
    """End a grant whose time is over."""

    number: int


class Granted(NamedTuple):
    """A grant that somebody holds; `is_new`: whether it is this act's."""

    grant: Grant
    is_new: bool


class Redeemed(NamedTuple):
    """A redemption, and the value that the offer had for it, None for one that is gone; `is_new`: whether it is this
    act's."""

    redemption: Redemption
    value: Value | None
    is_new: bool


class Conflict(NamedTuple):
    """A request has the id of another that asked for something else."""

    request: str


@dataclass(frozen=True, slots=True)
class Told:
    """What happened, to be told as an event. `person`: None for nobody who is known."""

    name: str
    key: str
    person: PersonId | None
    identifier: str
    at_ms: int
    properties: Mapping[str, Any]


@dataclass(slots=True)
class Facts:
    """What a store knows that acts depend on. `one_with`: for each person in it all who are one with them, the one whom
    the others are part of first. `free`: codes of pools that nobody has, `pools` how many there are of those
    pools. `in_pools`: those of the codes asked for that are in a pool, given out or not."""

    tallies: dict[str, OfferTally] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    redemptions: list[Redemption] = field(default_factory=list)
    one_with: dict[PersonId, tuple[PersonId, ...]] = field(default_factory=dict)
    free: dict[str, list[OwnCode]] = field(default_factory=dict)
    pools: dict[str, CodePool] = field(default_factory=dict)
    in_pools: set[str] = field(default_factory=set)
    next_grant: int = 1
    next_redemption: int = 1


class Book:
    """What is known of some offers, and what is decided so far."""

    def __init__(self, facts: Facts, offers: Mapping[str, Offer], now_ms: int) -> None:
        """`offers`: all that are defined, by name."""
        self._facts = facts
        self._offers = offers
        self._now_ms = now_ms
        self._grants: dict[int, Grant] = {}
        self._redemptions: dict[int, Redemption] = {}
        # Some hundred acts are decided on what belongs to as many people: nothing is looked for among all of it.
        self._granted_to: defaultdict[tuple[str, PersonId | None], set[int]] = defaultdict(set)
        self._redeemed_by: defaultdict[tuple[str, PersonId | None], set[int]] = defaultdict(set)
        self._grant_asked: dict[str, int] = {}
        self._redemption_asked: dict[str, int] = {}
        for grant in facts.grants:
            self._index_grant(grant)
        for redemption in facts.redemptions:
            self._index_redemption(redemption)
        self._tallies = dict(facts.tallies)
        self._by_code = {each.code.key: each.number for each in facts.grants if each.code is not None}
        self._shared = {code: each for each in offers.values() if (code := each.terms.shared_code) is not None}
        self.told: list[Told] = []
        self.changed_grants: dict[int, int] = {}
        self.changed_redemptions: dict[int, int] = {}
        self.changed_tallies: set[str] = set()
        self.taken: dict[str, str] = {}

    # -- what is known

    def has_code(self, code: str) -> bool:
        """Whether a code is that of a grant."""
        return code in self._by_code

    def grant_of(self, number: int) -> Grant:
        """A grant as it is now."""
        return self._grants[number]

    def redemption_of(self, number: int) -> Redemption:
        """A redemption as it is now."""
        return self._redemptions[number]

    def tally(self, offer: str) -> OfferTally:
        """How many there are of an offer."""
        return self._tallies.get(offer) or OfferTally(offer)

    def _theirs(self, offer: str, people: Collection[PersonId]) -> list[Grant]:
        numbers = (number for person in people for number in self._granted_to[offer, person])
        return [self._grants[number] for number in sorted(numbers)]

    def _redeemed_count(self, offer: str, people: Collection[PersonId]) -> int:
        numbers = (number for person in people for number in self._redeemed_by[offer, person])
        return sum(self._redemptions[number].given_back_ms is None for number in numbers)

    def _index_grant(self, grant: Grant) -> None:
        self._grants[grant.number] = grant
        self._granted_to[grant.offer, grant.person].add(grant.number)
        if grant.request is not None:
            self._grant_asked[grant.request] = grant.number

    def _index_redemption(self, redemption: Redemption) -> None:
        self._redemptions[redemption.number] = redemption
        self._redeemed_by[redemption.offer, redemption.person].add(redemption.number)
        if redemption.request is not None:
            self._redemption_asked[redemption.request] = redemption.number

    # -- granting

    def grant(self, ask: GrantAsk) -> Granted | Refused | Conflict:
        """Let somebody have an offer. Who holds it already keeps what they hold."""
        known = self._grants.get(self._grant_asked.get(ask.request, 0))
        if known is not None:
            is_same = known.offer == ask.offer.name and known.person in ask.who.people
            return Granted(known, is_new=False) if is_same else Conflict(ask.request)
        offer, people = ask.offer.name, ask.who.people
        theirs = self._theirs(offer, people)
        redeemed_count = self._redeemed_count(offer, people)
        held = next((each for each in theirs if self._is_good(each, redeemed_count)), None)
        if held is not None:
            return Granted(held, is_new=False)
        terms = ask.offer.terms
        cause = grant_refusal(terms, self.tally(offer), theirs, redeemed_count, self._now_ms, again=ask.again)
        if cause is not None and cause is not OfferCause.USED_UP:
            return Refused(cause)
        if not ask.is_eligible:
            return Refused(OfferCause.NOT_ELIGIBLE)
        code = self._code_for(ask)
        if cause is not None or (code is None and terms.needs_grant):
            return Refused(OfferCause.USED_UP)
        if code is not None and isinstance(terms.codes, PoolCode):
            self.taken[code.key] = terms.codes.pool
        return Granted(self._put_grant(ask, code), is_new=True)

    def _is_good(self, grant: Grant, redeemed_count: int) -> bool:
        offer = self._offers.get(grant.offer)
        if offer is None or offer.terms.withdrawn or not grant.is_live(self._now_ms):
            return False
        limit = offer.terms.redemptions_per_person
        return limit is None or redeemed_count < limit

    def _code_for(self, ask: GrantAsk) -> OwnCode | None:
        """A code of their own; None for an offer that needs none, or when there is none left."""
        codes = ask.offer.terms.codes
        if isinstance(codes, PoolCode):
            free = self._facts.free.get(codes.pool, [])
            while free and free[0].key in self.taken:
                free.pop(0)
            return free[0] if free else None
        return ask.code if isinstance(codes, MintedCode) else None

    def _put_grant(self, ask: GrantAsk, code: OwnCode | None) -> Grant:
        terms = ask.offer.terms
        grant = Grant(
            self._facts.next_grant,
            ask.offer.name,
            ask.offer.version,
            ask.who.people[0],
            UNSTORED,
            ask.who.identifier,
            code,
            ask.request,
            terms.value,
            self._now_ms,
            terms.ends_ms(self._now_ms),
            bound_micros(terms.value),
        )
        self._facts.next_grant += 1
        place = self._tell_of_grant(GRANTED, grant, self._now_ms, ask.circumstances)
        self._set_grant(grant, place)
        self._count(grant.offer, granted=1, held=1, held_micros=grant.held_micros)
        if code is not None:
            self._by_code[code.key] = grant.number
        return grant

    # -- redeeming

    def redeem(self, ask: RedeemAsk) -> Redeemed | Refused | Conflict:
        """Redeem, if that is good now."""
        known = self._redemptions.get(self._redemption_asked.get(ask.request, 0))
        if known is not None and known.given_back_ms is not None:
            return Refused(OfferCause.GIVEN_BACK)
        if known is not None:
            is_same = (not ask.code or known.code == ask.code) and (ask.offer is None or known.offer == ask.offer.name)
            is_theirs = ask.who is None or known.person is None or known.person in ask.who.people
            return self._redeemed(known, is_new=False) if is_same and is_theirs else Conflict(ask.request)
        grant = self._grants.get(self._by_code.get(ask.code, 0)) if ask.code else None
        offer = self._meant(ask, grant)
        if not isinstance(offer, Offer):
            return Refused(offer)
        people = ask.who.people if ask.who is not None else ()
        if grant is not None and grant.person is not None:
            owners = self._facts.one_with.get(grant.person, (grant.person,))
            if people and people[0] not in owners:
                return Refused(OfferCause.SOMEBODY_ELSES)
            people = owners
        elif grant is None and people:
            grant = self._best(self._theirs(offer.name, people))
        return self._redeem(ask, offer, grant, people)

    def _redeem(
        self, ask: RedeemAsk, offer: Offer, grant: Grant | None, people: Sequence[PersonId]
    ) -> Redeemed | Refused:
        # Of somebody who is forgotten only what they held is known.
        count = max(self._redeemed_count(offer.name, people), 0 if grant is None else grant.redeemed_count)
        found = verdict(
            Case(
                offer.terms,
                self.tally(offer.name),
                grant,
                count,
                bool(people),
                ask.is_eligible,
                ask.order,
                self._now_ms,
            )
        )
        if isinstance(found, Refused):
            return found
        redemption = self._put_redemption(ask, offer, grant, people, found)
        limit = offer.terms.redemptions_per_person
        if people and limit is not None and count + 1 >= limit:
            for each in self._theirs(offer.name, people):
                if each.is_held:
                    self._end(each, End.SPARE, EXPIRED, ask.circumstances)
        return self._redeemed(redemption, is_new=True)

    def _meant(self, ask: RedeemAsk, grant: Grant | None) -> Offer | OfferCause:
        """The offer that is to be redeemed, or why none is."""
        offer = ask.offer
        if ask.code:
            found = self._shared.get(ask.code)
            if grant is not None:
                found = self._offers.get(grant.offer)
                if found is None:
                    return OfferCause.WITHDRAWN
            if found is None:
                return OfferCause.NOT_GIVEN if ask.code in self._facts.in_pools else OfferCause.UNKNOWN
            if offer is not None and offer.name != found.name:
                return OfferCause.UNKNOWN
            return found
        return OfferCause.UNKNOWN if offer is None else offer

    def _redeemed(self, redemption: Redemption, *, is_new: bool) -> Redeemed:
        grant, offer = self._grants.get(redemption.grant or 0), self._offers.get(redemption.offer)
        value = grant.value if grant is not None else None if offer is None else offer.terms.value
        return Redeemed(redemption, value, is_new)

    def _best(self, theirs: Sequence[Grant]) -> Grant | None:
        """The grant by which somebody redeems who shows no code: a good one that ends first, else the latest."""
        live = [each for each in theirs if each.is_live(self._now_ms)]
        if live:
            return min(live, key=lambda each: (not each.is_held, each.expires_ms or 2**62, each.number))
        return theirs[-1] if theirs else None

    def _put_redemption(
        self, ask: RedeemAsk, offer: Offer, grant: Grant | None, people: Sequence[PersonId], found: Redeemable
    ) -> Redemption:
        asked_by = ask.who.identifier if ask.who is not None else ""
        redemption = Redemption(
            self._facts.next_redemption,
            offer.name,
            None if grant is None else grant.number,
            people[0] if people else None,
            UNSTORED,
            (grant.identifier if grant is not None else "") or asked_by,
            ask.code or (grant.code.key if grant is not None and grant.code is not None else ""),
            ask.request,
            max(self._now_ms, 0 if grant is None else grant.granted_ms),
            0 if found.cost is None else micros_of(found.cost.amount),
            "" if found.cost is None else found.cost.currency,
            ask.order_id,
            ask.circumstances.by,
            ask.circumstances.where,
        )
        self._facts.next_redemption += 1
        self._set_redemption(redemption, self._tell_of_redemption(REDEEMED, redemption, ask.circumstances))
        self._count(offer.name, redeemed=1, spent_micros=redemption.micros)
        if grant is not None:
            if grant.is_held:
                self._count(offer.name, held=-1, held_micros=-grant.held_micros)
            self._set_grant(replace(grant, redeemed_count=grant.redeemed_count + 1))
        return redemption

    # -- undoing and ending

    def give_back(self, ask: GiveBackAsk) -> Redeemed | None:
        """Undo a redemption: what it took may be had again, and its grant holds again if its time is not over. None for
        one that never was."""
        redemption = self._redemptions.get(ask.number)
        if redemption is None or redemption.given_back_ms is not None:
            return None if redemption is None else self._redeemed(redemption, is_new=False)
        undone = replace(redemption, given_back_ms=max(self._now_ms, redemption.at_ms + 1))
        self._set_redemption(undone, self._tell_of_redemption(GIVEN_BACK, undone, ask.circumstances))
        self._count(undone.offer, redeemed=-1, given_back=1, spent_micros=-undone.micros)
        grant = self._grants.get(undone.grant or 0)
        if grant is not None:
            self._hold_again(replace(grant, redeemed_count=grant.redeemed_count - 1))
        return self._redeemed(undone, is_new=True)

    def _hold_again(self, grant: Grant) -> None:
        """Keep for a grant what was kept for it before its redemption was undone: the piece that this has freed, and as
        much of the budget as is left, which others may have had meanwhile."""
        if grant.is_held:
            offer, most = self._offers.get(grant.offer), bound_micros(grant.value)
            left = most if offer is None else budget_left(offer.terms, self.tally(grant.offer), most)
            grant = replace(grant, held_micros=min(most, left))
            self._count(grant.offer, held=1, held_micros=grant.held_micros)
        self._set_grant(grant)

    def note(self, ask: NoteAsk) -> None:
        """Note what was done. What somebody who declines holds of the offer, unredeemed, may be had by others."""
        if ask.name == DECLINED:
            for each in self._theirs(ask.offer.name, ask.who.people):
                if each.is_held:
                    self._end(each, End.DECLINED, DECLINED, ask.circumstances)
        told = {"offer": ask.offer.name, "version": ask.offer.version, **_circumstances(ask.circumstances)}
        self._tell(ask.name, ask.key, ask.who.people[0], ask.who.identifier, self._now_ms, told)

    def expire(self, ask: ExpireAsk) -> bool:
        """End a grant whose time is over; whether that is news."""
        grant = self._grants.get(ask.number)
        if grant is None or not grant.is_held or grant.is_live(self._now_ms):
            return False
        self._end(grant, End.EXPIRED, EXPIRED, NO_CIRCUMSTANCES)
        return True

    def _end(self, grant: Grant, how: End, name: str, circumstances: Circumstances) -> None:
        at_ms = max(self._now_ms, grant.granted_ms + 1)
        ended = replace(grant, ended=how, ended_ms=at_ms)
        self._tell_of_grant(name, ended, at_ms, circumstances)
        self._set_grant(ended)
        counted = {End.EXPIRED: {"expired": 1}, End.DECLINED: {"declined": 1}, End.SPARE: {}}[how]
        self._count(grant.offer, held=-1, held_micros=-grant.held_micros, **counted)

    # -- running low

    def tell_low(self, marks: Mapping[str, int]) -> None:
        """Tell of what has come to run low by all that was decided, and did not before. `marks`: of pools for which
        somebody said how few codes may be left. What is low already is not told again until it was not."""
        key = f"{self._facts.next_grant}-{self._facts.next_redemption}"
        for name in sorted(self.changed_tallies & self._offers.keys()):
            terms, before, now = self._offers[name].terms, self._facts.tallies.get(name), self.tally(name)
            if is_low(terms, now) and not is_low(terms, before or OfferTally(name)):
                told = {"offer": name, "version": self._offers[name].version, "left": pieces(terms, now)}
                self._tell(OFFER_LOW, f"{name}-{key}", None, "", self._now_ms, told)
        for name, count in sorted(Counter(self.taken.values()).items()):
            was = self._facts.pools.get(name)
            if was is None or is_pool_low(was, marks.get(name)):
                continue
            left = was._replace(free_count=was.free_count - count)
            if is_pool_low(left, marks.get(name)):
                self._tell(CODES_LOW, f"{name}-{key}", None, "", self._now_ms, {"pool": name, "left": left.free_count})

    # -- writing it down

    def _set_grant(self, grant: Grant, place: int | None = None) -> None:
        """Keep a grant as it is now. `place`: of the event with which it came, among those told."""
        self._index_grant(grant)
        self.changed_grants.setdefault(grant.number, -1)
        if place is not None:
            self.changed_grants[grant.number] = place

    def _set_redemption(self, redemption: Redemption, place: int) -> None:
        self._index_redemption(redemption)
        if redemption.given_back_ms is not None:
            self.changed_redemptions.setdefault(redemption.number, -1)
        else:
            self.changed_redemptions[redemption.number] = place

    def _count(self, offer: str, **by: int) -> None:
        known = self.tally(offer)
        self._tallies[offer] = replace(known, **{name: getattr(known, name) + count for name, count in by.items()})
        self.changed_tallies.add(offer)

    def _tell_of_grant(self, name: str, grant: Grant, at_ms: int, circumstances: Circumstances) -> int:
        told = {
            "offer": grant.offer,
            "version": grant.version,
            "grant": grant.number,
            "code": "" if grant.code is None else grant.code.shown,
            "until": grant.expires_ms or 0,
            **({"reason": str(grant.ended)} if grant.ended is not None else {}),
            **_circumstances(circumstances),
        }
        return self._tell(name, f"{grant.number}", grant.person, grant.identifier, at_ms, told)

    def _tell_of_redemption(self, name: str, told: Redemption, circumstances: Circumstances) -> int:
        grant, offer = self._grants.get(told.grant or 0), self._offers.get(told.offer)
        properties = {
            "offer": told.offer,
            "version": grant.version if grant is not None else offer.version if offer is not None else 0,
            "redemption": told.number,
            "grant": told.grant or 0,
            "code": told.code if grant is None or grant.code is None else grant.code.shown,
            "until": 0 if grant is None else grant.expires_ms or 0,
            "order": told.order,
            **({"value": told.micros / MICROS, "currency": told.currency} if told.currency else {}),
            **_circumstances(circumstances),
        }
        at_ms = told.at_ms if told.given_back_ms is None else told.given_back_ms
        return self._tell(name, f"{told.number}", told.person, told.identifier, at_ms, properties)

    def _tell(
        self, name: str, key: str, person: PersonId | None, identifier: str, at_ms: int, properties: Mapping[str, Any]
    ) -> int:
        root = None if person is None else self._facts.one_with.get(person, (person,))[0]
        self.told.append(Told(name, key, root, identifier, at_ms, properties))
        return len(self.told) - 1


def _circumstances(told: Circumstances) -> dict[str, str]:
    given = {
        "channel": told.channel,
        "placement": told.placement,
        "message": told.message,
        "by": told.by,
        "where": told.where,
    }
    return {name: value for name, value in given.items() if value}
