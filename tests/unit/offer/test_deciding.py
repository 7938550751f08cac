"""Acts in any order and any company: what the book decides, a plain reckoning of its events finds nothing wrong
with."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from courtesy.base.ids import PersonId
from courtesy.offer import redeeming
from courtesy.offer.codes import OwnCode, minted
from courtesy.offer.deciding import (
    Book,
    Conflict,
    ExpireAsk,
    Facts,
    GiveBackAsk,
    GrantAsk,
    Granted,
    NoteAsk,
    Offer,
    RedeemAsk,
    Redeemed,
    Who,
)
from courtesy.offer.redeeming import OfferCause, Refused
from courtesy.offer.rows import Grant, OfferTally, Redemption
from courtesy.offer.standing import DECLINED
from courtesy.offer.terms import AmountOff, MintedCode, Money, OfferTerms, PercentOff, PoolCode
from tests.unit.offer.model import Bounds, Happened, Joined, Reckoning

START_MS = 1_763_769_600_000
DAY_MS = 86_400_000
PEOPLE = [PersonId(number) for number in range(1, 7)]
OFFERS = {
    name: Offer(name, 1, terms)
    for name, terms in {
        "few": OfferTerms("Few", AmountOff(10, "EUR"), stock=3, valid_days=2),
        "own": OfferTerms("Own", AmountOff(4, "EUR"), stock=5, codes=MintedCode(), redemptions_per_person=2),
        "pool": OfferTerms("Pool", AmountOff(4, "EUR"), codes=PoolCode("p"), valid_days=3),
        "share": OfferTerms(
            "Share",
            PercentOff(50, Money(15, "EUR")),
            budget=Money(40, "EUR"),
            redemptions_per_person=None,
            valid_days=2,
        ),
    }.items()
}
BOUNDS = {
    "few": Bounds(stock=3, bound=10),
    "own": Bounds(stock=5, per_person=2, bound=4),
    "pool": Bounds(bound=4),
    "share": Bounds(budget=40, per_person=None, bound=15),
}


class Store:
    """Rows as a store keeps them, and everything that happened."""

    def __init__(self) -> None:
        self.grants: dict[int, Grant] = {}
        self.redemptions: dict[int, Redemption] = {}
        self.tallies: dict[str, OfferTally] = {}
        self.parts = {person: [person] for person in PEOPLE}
        self.codes = {f"P{number}": False for number in range(8)}
        self.happened: list[Happened | Joined] = []

    def facts(self) -> Facts:
        """All that is known."""
        return Facts(
            dict(self.tallies),
            list(self.grants.values()),
            list(self.redemptions.values()),
            {person: self.everyone(person) for person in PEOPLE},
            {"p": [OwnCode(code, code) for code, is_taken in self.codes.items() if not is_taken]},
            in_pools=set(self.codes),
            next_grant=len(self.grants) + 1,
            next_redemption=len(self.redemptions) + 1,
        )

    def everyone(self, person: PersonId) -> tuple[PersonId, ...]:
        """All who are one with somebody, the one whom the others are part of first."""
        return tuple(next(parts for parts in self.parts.values() if person in parts))

    def join(self, one: PersonId, other: PersonId) -> None:
        """Two people become one."""
        survivor, loser = self.everyone(one)[0], self.everyone(other)[0]
        if survivor != loser:
            self.parts[survivor] += self.parts.pop(loser)
            self.happened.append(Joined(loser, survivor))

    def keep(self, book: Book) -> None:
        """Write what a book has decided."""
        self.happened += [Happened(each.name, each.person, each.at_ms, each.properties) for each in book.told]
        self.grants.update({number: book.grant_of(number) for number in book.changed_grants})
        self.redemptions.update({number: book.redemption_of(number) for number in book.changed_redemptions})
        self.tallies.update({offer: book.tally(offer) for offer in book.changed_tallies})
        self.codes.update(dict.fromkeys(book.taken, True))


def act(chance: Random, store: Store, number: int) -> Callable[[Book], Any]:
    """Something that somebody asks for."""
    offer, person = chance.choice(list(OFFERS.values())), chance.choice(PEOPLE)
    who = Who("user_id:x", store.everyone(person))
    request = f"r{chance.randrange(number + 1)}" if chance.random() < 0.1 else f"new {number}"
    order = Money(chance.choice([5.0, 20.0, 50.0]), "EUR") if chance.random() < 0.8 else None
    code = chance.choice([each.code.key for each in store.grants.values() if each.code is not None] or ["NONE"])
    dice = chance.random()
    if dice < 0.35:
        own = minted("", chance.randbytes) if isinstance(offer.terms.codes, MintedCode) else None
        return lambda book: book.grant(GrantAsk(offer, who, request, code=own, again=chance.random() < 0.3))
    if dice < 0.55:
        return lambda book: book.redeem(RedeemAsk(offer, "", who, request, order=order))
    if dice < 0.75:
        named = who if chance.random() < 0.3 else None
        return lambda book: book.redeem(RedeemAsk(None, code, named, request, order=order))
    if dice < 0.85:
        return lambda book: book.give_back(GiveBackAsk(chance.randrange(1, len(store.redemptions) + 2)))
    if dice < 0.92:
        return lambda book: book.note(NoteAsk(DECLINED, offer, who, f"no {number}"))
    grant = chance.randrange(1, len(store.grants) + 2)
    return lambda book: book.expire(ExpireAsk(grant))


def lived(seed: int, act_count: int = 150) -> Store:
    """A store after many acts, some of them decided together, while people become one and time goes on."""
    chance, store, now_ms = Random(seed), Store(), START_MS
    done = 0
    while done < act_count:
        book = Book(store.facts(), OFFERS, now_ms)
        for _ in range(chance.randrange(1, 6)):
            act(chance, store, done)(book)
            done += 1
        store.keep(book)
        now_ms += chance.choice([0, 1, DAY_MS // 3, -5])
        if chance.random() < 0.04:
            store.join(*chance.sample(PEOPLE, 2))
    return store


def wrong_with(store: Store) -> list[str]:
    """What the reckoning says, and where the tallies of the store differ from it."""
    reckoning = Reckoning(BOUNDS)
    wrong = reckoning.go(store.happened)
    for name, tally in store.tallies.items():
        counted = (reckoning.holding(name), len(reckoning.standing(name)))
        if counted != (tally.held, tally.redeemed):
            wrong.append(f"{name}: counted {counted}, the store says {(tally.held, tally.redeemed)}")
        spent = sum(value for _, _, value, _ in reckoning.standing(name))
        if abs(spent * 1e6 - tally.spent_micros) > 1:
            wrong.append(f"{name}: {spent} spent, the store says {tally.spent_micros}")
        held_micros = round(reckoning.reserved(name) * 1e6)
        if abs(held_micros - tally.held_micros) > 1:
            wrong.append(f"{name}: {held_micros} kept, the store says {tally.held_micros}")
    return wrong


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_oversold_or_redeemed_twice(seed: int) -> None:
    """Whatever is asked for in which order, by whom and with whom."""
    store = lived(seed)
    assert wrong_with(store) == []
    assert {each.name for each in store.happened if isinstance(each, Happened)} > {"Offer Granted", "Offer Redeemed"}


def test_the_reckoning_barks() -> None:
    """Each rule that is left out is found: room, the limit, the time of a grant, what is freed when one ends."""

    def found(broken: Callable[[pytest.MonkeyPatch], None]) -> str:
        with pytest.MonkeyPatch.context() as patch:
            broken(patch)
            return " ".join(word for seed in range(10) for word in wrong_with(lived(seed)))

    def without_room(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(redeeming, "has_room", lambda *_, **__: True)

    def without_limit(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Book, "_redeemed_count", lambda *_: 0)

    def without_time(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Grant, "is_live", lambda grant, _: grant.ended is None)

    def without_freeing(patch: pytest.MonkeyPatch) -> None:
        counting = Book._count
        patch.setattr(Book, "_count", lambda book, offer, **by: counting(book, offer, **{**by, "held_micros": 0}))

    assert found(lambda _: None) == ""
    assert "oversold" in found(without_room)
    assert "costs" in found(without_room)
    assert "times already" in found(without_limit)
    assert "that is over" in found(without_time)
    assert "kept, the store says" in found(without_freeing)


def world(**more: Any) -> tuple[Offer, Store]:
    """An offer, and a store in which there is nothing of it."""
    return Offer("one", 1, replace(OfferTerms("One", AmountOff(10, "EUR")), **more)), Store()


def book_of(offer: Offer, store: Store, now_ms: int = START_MS) -> Book:
    """What is known, to decide on."""
    return Book(store.facts(), {offer.name: offer}, now_ms)


ANN, BOB = Who("user_id:ann", (PEOPLE[0],)), Who("user_id:bob", (PEOPLE[1],))


def test_who_declined_is_granted_again_only_on_purpose() -> None:
    """A no is kept until somebody says that it is none any more."""
    offer, store = world()
    book = book_of(offer, store)
    assert isinstance(book.grant(GrantAsk(offer, ANN, "1")), Granted)
    book.note(NoteAsk(DECLINED, offer, ANN, "2"))
    assert book.redeem(RedeemAsk(offer, "", ANN, "3")) == Refused(OfferCause.DECLINED)
    assert book.grant(GrantAsk(offer, ANN, "4")) == Refused(OfferCause.DECLINED)
    assert isinstance(book.grant(GrantAsk(offer, ANN, "5", again=True)), Granted)
    assert isinstance(book.redeem(RedeemAsk(offer, "", ANN, "6")), Redeemed)


def test_a_request_of_another_is_a_conflict() -> None:
    """Also within one book."""
    offer, store = world()
    book = book_of(offer, store)
    book.grant(GrantAsk(offer, ANN, "1"))
    assert book.grant(GrantAsk(offer, BOB, "1")) == Conflict("1")
    book.redeem(RedeemAsk(offer, "", ANN, "2"))
    assert book.redeem(RedeemAsk(offer, "", BOB, "2")) == Conflict("2")


def test_what_is_given_back_after_its_time_ends_then() -> None:
    """The piece is free when the grant has expired, and not before that is said."""
    offer, store = world(stock=1, valid_days=1)
    book = book_of(offer, store)
    book.grant(GrantAsk(offer, ANN, "1"))
    book.redeem(RedeemAsk(offer, "", ANN, "2"))
    store.keep(book)
    late = book_of(offer, store, START_MS + DAY_MS)
    assert not late.expire(ExpireAsk(1))
    late.give_back(GiveBackAsk(1))
    assert late.grant(GrantAsk(offer, BOB, "3")) == Refused(OfferCause.USED_UP)
    assert late.expire(ExpireAsk(1))
    assert isinstance(late.grant(GrantAsk(offer, BOB, "4")), Granted)


def test_a_clock_that_was_set_back_expires_nothing_before_it_was_granted() -> None:
    """Every event of a grant comes after it, and the one that ends it last."""
    offer, store = world(valid_days=1)
    book = book_of(offer, store)
    book.grant(GrantAsk(offer, ANN, "1"))
    store.keep(book)
    early = book_of(offer, store, START_MS - DAY_MS)
    early.note(NoteAsk(DECLINED, offer, ANN, "2"))
    assert [each.at_ms for each in early.told if each.properties.get("grant")] == [START_MS + 1]


def test_precedence_of_causes() -> None:
    """Of several that hold the first of the list is told."""
    offer, store = world(withdrawn=True, stock=0, valid_to="2020-01-01", codes=MintedCode())
    assert book_of(offer, store).redeem(RedeemAsk(offer, "", ANN, "1")) == Refused(OfferCause.WITHDRAWN)
    offer, store = world(stock=0, valid_to="2020-01-01", codes=MintedCode())
    assert book_of(offer, store).redeem(RedeemAsk(offer, "", ANN, "1")) == Refused(OfferCause.NOT_GIVEN)
    offer, store = world(stock=0, valid_to="2020-01-01")
    assert book_of(offer, store).redeem(RedeemAsk(offer, "", None, "1")) == Refused(OfferCause.WHO)
    assert book_of(offer, store).redeem(RedeemAsk(offer, "", ANN, "1")) == Refused(OfferCause.LATE)
    assert set(OfferCause) == set(redeeming.SAID) == set(redeeming.HINT)
