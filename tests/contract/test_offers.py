"""The ledger of offers over every engine: never oversold, nothing twice, whoever asks; and it follows who is who."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId, Position
from courtesy.base.time import DAY_MS, ManualClock
from courtesy.engine.contract import Engine
from courtesy.engine.offer import CodePool, OfferQuestion, OfferTally, OfferWrite
from courtesy.offer.codes import OwnCode, sorted_out
from courtesy.offer.deciding import Granted, Redeemed
from courtesy.offer.redeeming import OfferCause, Refused
from courtesy.offer.terms import AmountOff, Codes, MintedCode, Money, NoCode, OfferTerms, PoolCode
from courtesy.runtime.app import App, make_app
from courtesy.runtime.offer_desk import Low, Named, Shown, Wanted
from courtesy.runtime.offer_ledger import OfferLedger
from courtesy.runtime.settings import Settings
from tests.contract.builders import NOW_MS, Message, Store, batch, fold_all, receive

ANN, BOB = Named("user_id", "ann"), Named("user_id", "bob")
NONE, MINTED = NoCode(), MintedCode()


class Trouble(Exception):
    """Something goes wrong before an append is left."""


def terms(stock: int | None = None, codes: Codes = NONE, **more: Any) -> OfferTerms:
    """Ten euros off."""
    return OfferTerms("Ten off", AmountOff(10, "EUR"), stock=stock, codes=codes, **more)


@asynccontextmanager
async def working(engine: Engine, data: str = "data") -> AsyncIterator[App]:
    """The parts of a process over an engine; the clock stands at `NOW_MS`. `data`: its folder, where it needs one."""
    app = make_app(Settings(data=data), engine, ManualClock(NOW_MS))
    await app.catalog.start()
    try:
        yield app
    finally:
        await app.catalog.stop()


async def known(engine: Engine, *users: str) -> None:
    """Some people are known."""
    await receive(engine, *(Message(f"known-{user}", (f"user_id:{user}",)) for user in users))


async def tally(engine: Engine) -> OfferTally:
    """How many there are of the only offer."""
    (found,) = await engine.offer_tallies()
    return found


def code_of(found: Granted | Refused | CourtesyError) -> str:
    """The code of a grant."""
    assert isinstance(found, Granted)
    assert found.grant.code is not None
    return found.grant.code.shown


def fates(outcomes: Sequence[Any]) -> Counter[str]:
    """How many went which way."""
    return Counter(str(each.cause) if isinstance(each, Refused) else type(each).__name__ for each in outcomes)


async def test_the_last_piece_is_had_by_one(engine: Engine, store: Store) -> None:
    """Of many people in two processes who ask at once; what is held is what the stock allows."""
    users = [f"u{number}" for number in range(12)]
    await known(engine, *users)
    async with store.another() as other, working(engine) as one, working(other) as two:
        await one.shelf.offers.define("ten", terms(stock=3, codes=MINTED), "test")
        asking = [app.shelf.offer_desk.grant("ten", Named("user_id", user)) for user in users for app in (one, two)]
        found = await asyncio.gather(*asking)
    assert fates(found) == {"Granted": 6, "used_up": 18}, "each of three is told so by both"
    grants = {each.grant.number: each.grant for each in found if isinstance(each, Granted)}
    assert sorted(grants) == [1, 2, 3]
    assert len({each.person for each in grants.values()}) == 3
    assert (await tally(engine)).held == 3


async def test_a_code_is_redeemed_once(engine: Engine, store: Store) -> None:
    """However many tills try it at once, in whatever process; the same request is answered the same."""
    await known(engine, "ann")
    async with store.another() as other, working(engine) as one, working(other) as two:
        await one.shelf.offers.define("ten", terms(codes=MINTED), "test")
        code = code_of(await one.shelf.offer_desk.grant("ten", ANN))
        tills = [app.shelf.offer_desk.redeem(Shown(code=code)) for app in (one, two) * 8]
        assert fates(await asyncio.gather(*tills)) == {"Redeemed": 1, "used": 15}
        await one.shelf.offer_desk.give_back(1)
        same = [app.shelf.offer_desk.redeem(Shown(code=code), "r1") for app in (one, two) * 4]
        found = await asyncio.gather(*same)
    assert {each.redemption.number for each in found if isinstance(each, Redeemed)} == {2}
    assert sorted(each.is_new for each in found if isinstance(each, Redeemed)) == [False] * 7 + [True]
    assert await tally(engine) == OfferTally("ten", 1, 0, 1, 0, 0, 1, 0, 10_000_000)


async def test_many_grants_are_one_act_each(engine: Engine, store: Store) -> None:
    """Asked together, in two processes at once: in order, no more than there is, each answered alone, alike again."""
    users = [f"u{number}" for number in range(30)]
    await known(engine, *users)
    async with store.another() as other, working(engine) as one, working(other) as two:
        await engine.add_codes("p", sorted_out(f"CODE-{number:03}" for number in range(20)))
        await one.shelf.offers.define("ten", terms(stock=18, codes=PoolCode("p")), "test")
        wanted = [Wanted("ten", f"user_id:{user}", f"wanted {user}") for user in users]
        wanted += [Wanted("ten", "user_id:nobody", "n"), Wanted("what", "user_id:u1", "w"), wanted[0]]
        told = await asyncio.gather(*(app.shelf.offer_desk.grant_all(wanted) for app in (one, two)))
        again = await two.shelf.offer_desk.grant_all(wanted)
    for found in (*told, again):
        assert fates(found) == {"Granted": 19, "used_up": 12, "CourtesyError": 2}
        assert [code_of(each) for each in found[:18]] == [f"CODE-{number:03}" for number in range(18)]
        assert [str(getattr(each, "code", "")) for each in found[30:32]] == ["not_found", "not_found"]
        assert code_of(found[32]) == "CODE-000", "the same request is granted once"
    assert (await tally(engine)).held == 18
    assert await engine.code_pools() == [CodePool("p", 20, 2)]


async def low_events(engine: Engine) -> list[tuple[str, str, int]]:
    """What was told of running low: the event, of what, how many are left."""
    told = []
    for record in await engine.log_after(Position(0), 10_000):
        event = msgspec.json.decode(record.payload)
        if event.get("name", "").endswith("Running Low"):
            properties = event["properties"]
            told.append((event["name"], properties.get("offer") or properties["pool"], properties["left"]))
    return told


async def test_what_runs_low_is_told_once_each_time(engine: Engine, store: Store) -> None:
    """Of offers by stock and budget, of pools by what their item says or a twentieth; whoever crosses it, in whatever
    process; and again after there was more in between."""
    users = [f"u{number}" for number in range(30)]
    await known(engine, *users)
    async with store.another() as other, working(engine) as one, working(other) as two:
        await engine.add_codes("p", sorted_out(f"CODE-{number:03}" for number in range(20)))
        budget = Money(205, "EUR")
        await one.shelf.offers.define("ten", terms(stock=30, codes=PoolCode("p"), budget=budget, low_water=5), "test")
        await one.shelf.offer_desk.grant("ten", Named("user_id", users[0]))
        assert await low_events(engine) == []
        desks = [app.shelf.offer_desk for app in (one, two)]
        await asyncio.gather(*(desks[n % 2].grant("ten", Named("user_id", users[n])) for n in range(1, 16)))
        first = await low_events(engine)
        assert [each[:2] for each in first] == [("Offer Running Low", "ten")]
        assert await one.shelf.offer_desk.low() == [Low("offer", "ten", 4)]
        for n in range(16, 20):
            await one.shelf.offer_desk.grant("ten", Named("user_id", users[n]))
        assert (await low_events(engine))[1:] == [("Codes Running Low", "p", 1)], "20 codes: one is a twentieth"
        await engine.add_codes("p", sorted_out(f"MORE-{number:03}" for number in range(20)))
        for n in range(3, 12):
            await one.shelf.offer_desk.note("Offer Declined", "ten", Named("user_id", users[n]), "")
        assert await two.shelf.offer_desk.low() == []
        for n in range(20, 24):
            await two.shelf.offer_desk.grant("ten", Named("user_id", users[n]))
        assert (await low_events(engine))[2:] == [("Offer Running Low", "ten", 5)]


async def test_stock_without_grants_is_not_oversold(engine: Engine) -> None:
    """Neither by people who redeem without one."""
    users = [f"u{number}" for number in range(10)]
    await known(engine, *users)
    async with working(engine) as app:
        await app.shelf.offers.define("ten", terms(stock=4), "test")
        tills = [
            app.shelf.offer_desk.redeem(Shown("ten", who=Named("user_id", user))) for user in users for _ in range(2)
        ]
        found = await asyncio.gather(*tills)
    assert fates(found)["Redeemed"] == 4
    assert (await tally(engine)).redeemed == 4


async def test_an_append_that_breaks_leaves_nothing(engine: Engine) -> None:
    """Neither a grant, nor an event, nor a code that is taken; and it can be done again."""

    async def broken() -> None:
        async with engine.appending() as append:
            facts = await append.offer_facts(OfferQuestion(wanted={"p": 1}))
            taken = {facts.free["p"][0].key: "p"}
            await append.write(batch()._replace(offers=OfferWrite(tallies=[OfferTally("ten", 1, 1)], taken=taken)))
            raise Trouble

    await known(engine, "ann")
    async with working(engine) as app:
        await app.shelf.offers.define("ten", terms(codes=PoolCode("p")), "test")
        assert await engine.add_codes("p", sorted_out(["A-1", "A-2"])) == 2
        with pytest.raises(Trouble):
            await broken()
        assert await engine.offer_tallies() == []
        assert await engine.code_pools() == [CodePool("p", 2, 2)]
        assert code_of(await app.shelf.offer_desk.grant("ten", ANN)) == "A-1"
    assert await engine.code_pools() == [CodePool("p", 2, 1)]


async def test_each_code_of_a_pool_is_given_once(engine: Engine, store: Store) -> None:
    """In order, also when many take them at once and more come in; none is in two pools."""
    users = [f"u{number}" for number in range(9)]
    await known(engine, *users)
    assert await engine.add_codes("p", sorted_out(f"CODE-{number:03}" for number in range(6))) == 6
    async with store.another() as other, working(engine) as one, working(other) as two:
        await one.shelf.offers.define("ten", terms(codes=PoolCode("p")), "test")
        asking = [
            (one, two)[place % 2].shelf.offer_desk.grant("ten", Named("user_id", user))
            for place, user in enumerate(users)
        ]
        found = await asyncio.gather(*asking)
        assert sorted(code_of(each) for each in found if isinstance(each, Granted)) == [
            f"CODE-{number:03}" for number in range(6)
        ]
        assert fates(found)["used_up"] == 3
        assert await engine.add_codes("q", [OwnCode("CODE000", "code 000"), OwnCode("NEW1", "new-1")]) == 1
    assert await engine.code_pools() == [CodePool("p", 6, 0), CodePool("q", 1, 1)]


async def test_a_grant_expires_once_and_frees_its_piece(engine: Engine, store: Store) -> None:
    """Though two processes look for what is over at the same time."""
    await known(engine, "ann", "bob")
    async with store.another() as other, working(engine) as one, working(other) as two:
        await one.shelf.offers.define("ten", terms(stock=1, valid_days=1), "test")
        await one.shelf.offer_desk.grant("ten", ANN)
        late = ManualClock(NOW_MS + DAY_MS)
        ledgers = [OfferLedger(app.engine, app.shelf.offers, late) for app in (one, two)]
        assert sum(await asyncio.gather(*(each.expire() for each in ledgers * 3))) == 1
        assert isinstance(await one.shelf.offer_desk.grant("ten", BOB), Granted)
        names = [each["name"] for each in (await one.people.events("user_id", "ann", None, 9))["events"]]
    assert names.count("Offer Expired") == 1
    assert await engine.grants_due(NOW_MS, 10) == []


async def test_it_follows_who_becomes_one_and_two_again(engine: Engine) -> None:
    """One may redeem once; cut apart, each has what was theirs, and what was done meanwhile goes with its grant."""
    await known(engine, "ann")
    await receive(engine, Message("known-x1", ("anonymous_id:x1",)))
    other = Named("anonymous_id", "x1")
    async with working(engine) as app:
        await app.shelf.offers.define("ten", terms(codes=MINTED), "test")
        await app.shelf.offers.define("tea", terms(), "test")
        ann = code_of(await app.shelf.offer_desk.grant("ten", ANN))
        bob = code_of(await app.shelf.offer_desk.grant("ten", other))
        await receive(engine, Message("same", ("user_id:ann", "anonymous_id:x1")))
        await app.shelf.offer_desk.grant("tea", other)
        assert isinstance(await app.shelf.offer_desk.redeem(Shown(code=bob)), Redeemed)
        assert await app.shelf.offer_desk.redeem(Shown(code=ann)) == Refused(OfferCause.USED)
        assert len((await app.shelf.offer_desk.held(ANN))[0]) == 3
        await fold_all(engine)
        await app.repairs.unmerge("user_id:ann", "anonymous_id:x1", "test", "", dry=False)
        held, redeemed = await app.shelf.offer_desk.held(other)
        assert [each.offer for each in held] == ["ten", "tea"]
        assert [each.code for each in redeemed] == [held[0].code.key if held[0].code is not None else ""]
        assert await app.shelf.offer_desk.redeem(Shown(code=bob)) == Refused(OfferCause.USED)
        held, redeemed = await app.shelf.offer_desk.held(ANN)
        assert ([each.offer for each in held], redeemed) == (["ten"], [])
        state = await app.people.state("anonymous_id", "x1")
        assert {key.partition("\t")[0] for key in state.offers} == {"ten", "tea"}


async def test_of_who_is_erased_the_counts_stay(engine: Engine, tmp_path: Path) -> None:
    """Not whose they were, nor by which request or order; the code stays used, and what is somebody else's stays."""
    await known(engine, "ann", "bob")
    async with working(engine, str(tmp_path)) as app:
        await app.shelf.offers.define("ten", terms(stock=2, codes=MINTED), "test")
        code = code_of(await app.shelf.offer_desk.grant("ten", ANN, "for ann"))
        await app.shelf.offer_desk.redeem(Shown(code=code, order_id="ann's order"))
        await app.shelf.offer_desk.grant("ten", BOB, "for bob")
        before = await tally(engine)
        await fold_all(engine)
        await app.eraser.erase("user_id:ann", "test", "asked", suppress=True)
        assert await tally(engine) == before
        kept = await engine.redemption(1)
        assert kept is not None
        assert (kept.person, kept.identifier, kept.request, kept.order) == (None, "", None, "")
        assert await app.shelf.offer_desk.redeem(Shown(code=code)) == Refused(OfferCause.USED)
        (bobs,) = (await app.shelf.offer_desk.held(BOB))[0]
        assert (bobs.identifier, bobs.request) == ("user_id:bob", "for bob")
        with pytest.raises(CourtesyError, match="nobody has"):
            await app.shelf.offer_desk.grant("ten", ANN)


async def test_everything_is_asked_in_one_answer(engine: Engine) -> None:
    """By person, code, request and number; nothing for what is not there."""
    await known(engine, "ann")
    async with working(engine) as app:
        await app.shelf.offers.define("ten", terms(codes=MINTED), "test")
        found = await app.shelf.offer_desk.grant("ten", ANN, "g1")
        assert isinstance(found, Granted)
        assert found.grant.code is not None
        await app.shelf.offer_desk.redeem(Shown(code=found.grant.code.shown), "r1")
    async with engine.appending() as append:
        for asked in (
            OfferQuestion(codes=[found.grant.code.key]),
            OfferQuestion(requests=["r1"]),
            OfferQuestion(redemptions=[1]),
            OfferQuestion(people=[PersonId(found.grant.person or 0)], offers=["ten"]),
        ):
            facts = await append.offer_facts(asked)
            assert ([each.number for each in facts.grants], [each.number for each in facts.redemptions]) == ([1], [1])
            assert facts.tallies["ten"].redeemed == 1
            assert (facts.next_grant, facts.next_redemption) == (2, 2)
        nothing = await append.offer_facts(OfferQuestion(codes=["X"], requests=["x"], redemptions=[9], offers=["none"]))
        assert (nothing.grants, nothing.redemptions, nothing.tallies, nothing.in_pools) == ([], [], {}, set())
