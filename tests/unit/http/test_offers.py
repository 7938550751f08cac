"""Offers over HTTP: granted, redeemed once, given back; the same on every channel at once; and pools of codes."""

from __future__ import annotations

import asyncio
from typing import Any

from courtesy.base.time import DAY_MS, MINUTE_MS, to_iso
from courtesy.runtime.catalog import Scope
from courtesy.runtime.offer_ledger import OfferLedger
from tests.unit.http.world import NOW_MS, World, batch, serving, track

TEN_OFF: dict[str, Any] = {
    "title": "Ten euros off",
    "value": {"kind": "amount", "amount": 10, "currency": "EUR"},
    "stock": 2,
    "placements": {"till": {"text": "10 € off today"}},
}
ANN, BOB = {"kind": "user_id", "value": "ann"}, {"kind": "user_id", "value": "bob"}


async def define(world: World, name: str, offer: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """An offer in force."""
    return await good(world, "PUT", f"/v1/offers/{name}", {**(TEN_OFF if offer is None else offer), **more})


async def good(world: World, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The answer to a call that goes well."""
    answer = await world.change(method, path, body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def known(world: World, *users: str, **traits: Any) -> None:
    """Some people are known."""
    calls = [
        {"type": "identify", "userId": user, "messageId": f"known-{user}-{len(traits)}", "traits": traits}
        for user in users
    ]
    assert (await world.post("/v1/batch", batch(*calls))).status_code == 200


async def grant(world: World, name: str, who: dict[str, str], **more: Any) -> dict[str, Any]:
    """What asking for a grant comes to."""
    return await good(world, "POST", f"/v1/offers/{name}/grants", {**who, **more})


async def redeem(world: World, **body: Any) -> dict[str, Any]:
    """What a till is told."""
    return await good(world, "POST", "/v1/redemptions", body)


async def standing(world: World, user: str, name: str) -> dict[str, Any]:
    """How every channel sees a person and an offer."""
    person = (await world.get(f"/v1/people/user_id/{user}")).json()
    (found,) = [each for each in person["offers"] if each["offer"] == name]
    return dict(found)


async def test_an_offer_is_granted_shown_and_redeemed_once() -> None:
    """And every reader of the person sees at once how far they are."""
    async with serving() as world:
        await known(world, "ann")
        await define(world, "ten", codes={"kind": "minted", "prefix": "TEN"}, valid_days=30)
        granted = await grant(world, "ten", ANN, request="welcome-1", channel="email", message="m1")
        assert granted["granted"]
        assert granted["is_new"]
        code = granted["grant"]["code"]
        assert granted["grant"]["expires"] == to_iso(NOW_MS + 30 * DAY_MS)
        seen = await standing(world, "ann", "ten")
        assert (seen["stage"], seen["code"], seen["channel"]) == ("granted", code, "email")
        again = await grant(world, "ten", ANN, request="welcome-1")
        assert (again["is_new"], again["grant"]["code"]) == (False, code)
        typed = code.lower().replace("-", " ")
        done = await redeem(world, code=typed, order="o1", order_value={"amount": 8, "currency": "EUR"}, where="Berlin")
        assert done["redeemed"]
        assert done["redemption"]["amount"] == {"amount": 8.0, "currency": "EUR"}
        assert (await standing(world, "ann", "ten"))["stage"] == "redeemed"
        once_more = await redeem(world, code=code, order="o2")
        assert (once_more["redeemed"], once_more["cause"]) == (False, "used")
        told = (await world.get("/v1/people/user_id/ann/events")).json()["events"]
        assert [each["name"] for each in told[:2]] == ["Offer Redeemed", "Offer Granted"]
        assert told[0]["properties"]["where"] == "Berlin"


async def test_a_till_is_told_why_not() -> None:
    """Unknown, somebody else's, not begun, over, withdrawn: each by its own cause, with words for the customer."""
    async with serving() as world:
        await known(world, "ann", "bob")
        await define(world, "ten", codes={"kind": "minted"}, valid_days=1, stock=9)
        code = (await grant(world, "ten", ANN))["grant"]["code"]
        assert (await redeem(world, code="NOSUCHCODE"))["cause"] == "unknown"
        other = await redeem(world, code=code, **BOB)
        assert (other["cause"], other["said"]) == ("somebody_elses", "This code was given to somebody else.")
        assert (await redeem(world, offer="ten", **BOB))["cause"] == "not_given"
        await define(world, "soon", valid_from=to_iso(NOW_MS + DAY_MS))
        assert (await redeem(world, offer="soon", **ANN))["cause"] == "not_yet"
        assert (await redeem(world, offer="soon"))["cause"] == "who"
        world.clock.advance(DAY_MS)
        assert (await redeem(world, code=code))["cause"] == "late"
        await define(world, "soon", withdrawn=True)
        assert (await redeem(world, offer="soon", **ANN))["cause"] == "withdrawn"
        assert (await world.change("POST", "/v1/redemptions", {"offer": "none", **ANN})).status_code == 404
        assert (await world.change("POST", "/v1/redemptions", {**ANN})).status_code == 400
        nobody = {"kind": "user_id", "value": "nobody", "offer": "soon"}
        assert (await world.change("POST", "/v1/redemptions", nobody)).status_code == 404


async def test_no_more_is_granted_than_there_is() -> None:
    """However many ask at once; what expires, is declined or given back may be had by others."""
    users = [f"u{number}" for number in range(8)]
    async with serving() as world:
        await known(world, *users)
        await define(world, "ten", valid_days=1)
        asked = await asyncio.gather(*(grant(world, "ten", {"kind": "user_id", "value": user}) for user in users))
        assert [each["granted"] for each in asked].count(True) == 2
        assert {each["cause"] for each in asked if not each["granted"]} == {"used_up"}
        holders = [user for user, each in zip(users, asked, strict=True) if each["granted"]]
        reply = {"kind": "user_id", "value": holders[0], "offer": "ten", "reply": "declined", "by": "Kim"}
        await good(world, "POST", "/v1/clienteling/answers", reply)
        assert (await standing(world, holders[0], "ten"))["stage"] == "declined"
        assert (await grant(world, "ten", {"kind": "user_id", "value": "u7"}))["granted"]
        world.clock.advance(DAY_MS)
        ledger = OfferLedger(world.app.engine, world.app.shelf.offers, world.clock)
        assert (await ledger.expire(), await ledger.expire()) == (2, 0)
        assert (await standing(world, holders[1], "ten"))["stage"] == "expired"
        offer = (await world.get("/v1/offers/ten")).json()
        assert (offer["held"], offer["expired"], offer["declined"], offer["left"]) == (0, 2, 1, 2)


async def test_a_redemption_is_given_back() -> None:
    """Once: stock, budget and the right to redeem are as before; the same request does not redeem it anew."""
    async with serving() as world:
        await known(world, "ann")
        await define(world, "ten", stock=1, budget={"amount": 10, "currency": "EUR"})
        done = await redeem(world, offer="ten", order="o1", request="r1", **ANN)
        number = done["redemption"]["number"]
        assert (await world.get("/v1/offers/ten")).json()["spent"] == 10
        undone = await good(world, "DELETE", f"/v1/redemptions/{number}")
        assert undone == await good(world, "DELETE", f"/v1/redemptions/{number}")
        assert (await redeem(world, offer="ten", order="o1", request="r1", **ANN))["cause"] == "given_back"
        assert (await redeem(world, offer="ten", order="o2", **ANN))["redeemed"]
        assert (await world.change("DELETE", "/v1/redemptions/77")).status_code == 404
        assert (await world.change("DELETE", "/v1/redemptions/x")).status_code == 400


async def test_a_budget_is_never_exceeded() -> None:
    """What a grant may cost is kept for it; what a redemption saves is there for others."""
    async with serving() as world:
        await known(world, "ann", "bob", "cid")
        value = {"kind": "percent", "percent": 20, "at_most": {"amount": 15, "currency": "EUR"}}
        await define(world, "share", value=value, budget={"amount": 30, "currency": "EUR"}, stock=None)
        assert (await grant(world, "share", ANN))["granted"]
        assert (await grant(world, "share", BOB))["granted"]
        cid = {"kind": "user_id", "value": "cid"}
        assert (await grant(world, "share", cid))["cause"] == "used_up"
        assert (await redeem(world, offer="share", **ANN))["cause"] == "order_needed"
        order = {"amount": 33.33, "currency": "EUR"}
        assert (await redeem(world, offer="share", order_value={"amount": 5, "currency": "USD"}, **ANN))["cause"] == (
            "other_currency"
        )
        done = await redeem(world, offer="share", order_value=order, **ANN)
        assert done["redemption"]["amount"] == {"amount": 6.66, "currency": "EUR"}
        assert (await grant(world, "share", cid))["cause"] == "used_up"  # 6.66 spent, 15 kept for Bob, 8.34 left of 30
        boundless = {"value": {"kind": "percent", "percent": 5}, "budget": {"amount": 5, "currency": "EUR"}}
        unsaid = await world.change("PUT", "/v1/offers/x", {**TEN_OFF, **boundless})
        assert (unsaid.status_code, unsaid.json()["place"]) == (400, "value.at_most")


async def test_people_who_become_one_redeem_once() -> None:
    """The code of either is used when the other's was, and they stand where the stricter of them did."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track("m1", "ann"), track("m2", None, anonymousId="anon-7f3")))  # type: ignore[arg-type]
        await define(world, "ten", codes={"kind": "minted"})
        ann = (await grant(world, "ten", ANN))["grant"]["code"]
        phone = (await grant(world, "ten", {"kind": "anonymous_id", "value": "anon-7f3"}))["grant"]["code"]
        assert (await redeem(world, code=phone))["redeemed"]
        await world.post(
            "/v1/batch", batch({"type": "identify", "userId": "ann", "anonymousId": "anon-7f3", "messageId": "i"})
        )
        assert (await redeem(world, code=ann))["cause"] == "used"
        assert (await standing(world, "ann", "ten"))["stage"] == "redeemed"
        held = (await world.get("/v1/people/user_id/ann/offers")).json()
        assert (len(held["grants"]), len(held["redemptions"])) == (2, 1)


async def test_codes_come_out_of_a_pool_once_each() -> None:
    """In their order and as they were imported; the list says how many are left."""
    async with serving() as world:
        await known(world, "ann", "bob", "cid")
        path, body = "/v1/offer-pools/summer/codes", b"Sun-001\r\nSun-002\n\n sun 001\n"
        assert await good(world, "POST", path, body) == {
            "added": 2,
            "pool": {"name": "summer", "code_count": 2, "free_count": 2, "is_low": False},
        }
        assert (await good(world, "POST", path, body))["added"] == 0
        await define(world, "ten", codes={"kind": "pool", "pool": "summer"}, stock=None)
        assert (await redeem(world, code="SUN001"))["cause"] == "not_given"
        codes = [(await grant(world, "ten", {"kind": "user_id", "value": user}))["grant"] for user in ("ann", "bob")]
        assert [each["code"] for each in codes] == ["Sun-001", "Sun-002"]
        assert (await grant(world, "ten", {"kind": "user_id", "value": "cid"}))["cause"] == "used_up"
        (pool,) = (await world.get("/v1/offer-pools")).json()["pools"]
        assert (pool["free_count"], pool["is_low"]) == (0, True)
        assert (await redeem(world, code="sun002"))["redemption"]["grant"] == 2


async def test_an_offer_is_for_those_whom_its_expression_means() -> None:
    """By what they did a moment ago; who holds one keeps it."""
    async with serving() as world:
        await known(world, "ann", "bob", country="Germany")
        await define(world, "ten", eligibility='did "Order Completed" and country is Germany')
        assert (await grant(world, "ten", ANN))["cause"] == "not_eligible"
        assert (await redeem(world, offer="ten", **ANN))["cause"] == "not_eligible"
        await world.post("/v1/batch", batch(track("o1", "ann", event="Order Completed")))
        assert (await grant(world, "ten", ANN))["granted"]
        bad = await world.change("PUT", "/v1/offers/x", {**TEN_OFF, "eligibility": "in segment Nobody"})
        assert (bad.status_code, bad.json()["place"]) == (400, "eligibility, segment")


async def test_clienteling_knows_the_next_offers_for_a_customer() -> None:
    """Held ones first; none that was declined or is used up; the fallback in its place; a refusal is respected."""
    async with serving() as world:
        await known(world, "ann")
        await define(world, "bag", title="A bag", value={"kind": "gift", "gift": "a tote bag"}, stock=None)
        await define(world, "gone", stock=0, fallback="bag")
        await define(world, "online", placements={})
        await define(world, "ten", stock=5, valid_to=to_iso(NOW_MS + DAY_MS))
        path = "/v1/clienteling/next?kind=user_id&value=ann&placement=till"
        shown = (await world.get(path)).json()["offers"]
        assert [(each["offer"], each["instead_of"]) for each in shown] == [("ten", None), ("bag", None)]
        reply = {**ANN, "placement": "till", "by": "Kim", "where": "Berlin"}
        noted = {**reply, "offer": "ten", "reply": "presented", "request": "p1"}
        await good(world, "POST", "/v1/clienteling/answers", noted)
        await good(world, "POST", "/v1/clienteling/answers", noted)
        assert (await standing(world, "ann", "ten"))["stage"] == "seen"
        accepted = await good(world, "POST", "/v1/clienteling/answers", {**reply, "offer": "bag", "reply": "accepted"})
        assert accepted["granted"]["granted"]
        await good(world, "POST", "/v1/clienteling/answers", {**reply, "offer": "ten", "reply": "declined"})
        shown = (await world.get(path)).json()["offers"]
        assert [(each["offer"], each["stage"]) for each in shown] == [("bag", "granted")]
        assert (await grant(world, "ten", ANN))["granted"]  # never held: a no at the counter does not bind a campaign
        events = (await world.get("/v1/people/user_id/ann/events")).json()["events"]
        assert [each["name"] for each in events].count("Offer Seen") == 1


async def test_anybody_tells_what_was_seen_and_nobody_but_the_ledger_what_was_redeemed() -> None:
    """A page may say that an offer was shown; what it says of redemptions changes nothing."""
    async with serving() as world:
        await define(world, "ten")
        told = {"offer": "ten", "channel": "web", "placement": "home", "redemption": 1, "grant": 1}
        names = ("Offer Seen", "Offer Redeemed", "Offer Granted")
        await world.post("/v1/batch", batch(*(track(name, "ann", event=name, properties=told) for name in names)))
        seen = await standing(world, "ann", "ten")
        assert (seen["stage"], seen["placement"], seen["redeemed_count"]) == ("seen", "home", 0)
        assert (await redeem(world, offer="ten", **ANN))["redeemed"]


async def test_a_code_for_everybody() -> None:
    """Counts for the stock, and for those who are known also by person; its name is nobody else's."""
    async with serving() as world:
        await known(world, "ann")
        await define(world, "tea", codes={"kind": "shared", "code": "Tea-20"}, redemptions_per_person=None)
        assert (await redeem(world, code="tea20"))["redeemed"]
        assert (await redeem(world, code="TEA 20", **ANN))["redeemed"]
        assert (await redeem(world, code="tea20"))["cause"] == "used_up"
        twice = await world.change("PUT", "/v1/offers/x", {**TEN_OFF, "codes": {"kind": "shared", "code": "TEA20"}})
        assert twice.status_code == 409
        nobody = (await world.get("/v1/people/event_source/offers/events")).json()
        assert [each["name"] for each in nobody["events"]] == ["Offer Running Low", "Offer Redeemed"]
        assert (await world.change("DELETE", "/v1/offers/tea")).status_code == 409
        await define(world, "x")
        assert await good(world, "DELETE", "/v1/offers/x") == {"removed": "x"}


async def test_what_was_promised_holds_though_the_offer_changes() -> None:
    """The value of a grant is that with which it was granted; a key that may not decide may not redeem."""
    async with serving() as world:
        await known(world, "ann", "bob")
        await define(world, "ten")
        await grant(world, "ten", ANN)
        await define(world, "ten", value={"kind": "amount", "amount": 5, "currency": "EUR"})
        world.clock.advance(MINUTE_MS)
        assert (await redeem(world, offer="ten", **ANN))["redemption"]["amount"]["amount"] == 10
        assert (await redeem(world, offer="ten", **BOB))["redemption"]["amount"]["amount"] == 5
        other = await world.change(
            "PUT", "/v1/offers/ten", {**TEN_OFF, "value": {"kind": "amount", "amount": 5, "currency": "USD"}}
        )
        assert other.status_code == 409
        assert (await world.change("POST", "/v1/redemptions", {"code": "X"}, world.read)).status_code == 403
        decide = await world.app.catalog.create_key("till", Scope.DECIDE, "test")
        answer = await world.change("POST", "/v1/redemptions", {"offer": "ten", **BOB}, decide)
        assert answer.json()["cause"] == "used"


async def test_a_request_is_what_it_was() -> None:
    """The same id for something else is a conflict, and changes nothing."""
    async with serving() as world:
        await known(world, "ann", "bob")
        await define(world, "ten")
        await grant(world, "ten", ANN, request="r")
        other = await world.change("POST", "/v1/offers/ten/grants", {**BOB, "request": "r"})
        assert (other.status_code, other.json()["place"]) == (409, "request")
        assert (await world.get("/v1/offers/ten")).json()["held"] == 1


async def test_an_item_of_content_is_an_offer_once_it_is_published() -> None:
    """By its live version; withdrawn with it; and changed where it is written, not here."""
    async with serving() as world:
        await known(world, "ann", "bob")
        path = "/v1/content/items/offer/spring"
        fields: dict[str, Any] = {
            "title": {"default": "Ten euros", "de": "Zehn Euro"},
            "value": {"kind": "amount", "amount": 10, "currency": "EUR"},
            "stock": 5,
            "redemptions_per_person": 0,
            "placements": {"till": {"fields": {"text": "10 € off"}}},
        }
        boundless = {**fields, "value": {"kind": "percent", "percent": 5}, "budget": {"amount": 5, "currency": "EUR"}}
        await good(world, "PUT", path, {"revision": 0, "fields": boundless})
        blocked = (await world.change("POST", f"{path}/publish", {})).json()["findings"]
        assert [(each["finding"]["code"], each["finding"]["place"]) for each in blocked] == [
            ("terms", "fields.value.at_most")
        ]
        await good(world, "PUT", path, {"revision": 1, "fields": fields})
        assert (await world.change("POST", "/v1/offers/spring/grants", ANN)).status_code == 404
        await good(world, "POST", f"{path}/publish", {})
        assert (await grant(world, "spring", ANN))["grant"]["version"] == 1
        shown = (await world.get("/v1/clienteling/next?kind=user_id&value=ann&placement=till")).json()["offers"]
        assert [(each["title"], each["look"]) for each in shown] == [("Ten euros", {"text": "10 € off"})]
        fields["value"]["amount"] = 4
        await good(world, "PUT", path, {"revision": 2, "fields": fields})
        await good(world, "POST", f"{path}/publish", {})
        done = [
            (await redeem(world, offer="spring", **who))["redemption"]["amount"]["amount"] for who in (ANN, BOB, BOB)
        ]
        assert done == [10, 4, 4]
        offer = (await world.get("/v1/offers/spring")).json()
        assert (offer["version"], offer["redeemed"], offer["left"]) == (2, 3, 2)
        assert (await world.change("PUT", "/v1/offers/spring", TEN_OFF)).status_code == 409
        await good(world, "POST", f"{path}/withdraw", {})
        assert (await redeem(world, offer="spring", **ANN))["cause"] == "withdrawn"
