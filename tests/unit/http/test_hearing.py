"""Consent in tracking calls over HTTP: categories, consent strings and the browser's signal, in the ledger once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courtesy.base.time import DAY_MS, to_iso
from courtesy.consent.signals import DISCLOSURE_REQUIRED_FROM_MS, TCF_PURPOSES
from courtesy.consent.tcf import PublisherTc, encode_tcf
from courtesy.consent.vendors import Vendors
from courtesy.http.consent import ChoicesView
from courtesy.runtime.catalog import Source
from tests.unit.consent.test_tcf import EMPTY, MALFORMED
from tests.unit.consent.vectors import GPP, TCF
from tests.unit.http.world import NOW_MS, World, batch, causes, serving, track

ANN = "/v1/people/user_id/ann"
BANNER = {"Advertising": True, "Analytics": False}


def with_consent(message_id: str, *, user: str = "ann", **consent: Any) -> dict[str, Any]:
    """A track call whose page says what its visitor allows."""
    return track(message_id, user, context={"consent": consent})


async def choices(world: World, who: str = ANN) -> list[tuple[str, str]]:
    """What somebody chose, the earliest first."""
    answer = await world.get(f"{who}/choices")
    found = msgspec.json.decode(answer.content, type=ChoicesView).choices
    return [(str(each.action), each.purpose) for each in reversed(found)]


async def entry_count(world: World) -> int:
    """How many entries the ledger has."""
    return len(await world.app.engine.ledger_from(0, 10_000))


async def test_ten_thousand_calls_that_say_the_same_are_one_entry_for_each_category() -> None:
    """In one batch or many, with the same identifiers or more of them; the events stay as they were sent."""
    async with serving() as world:
        for first in range(0, 10_000, 2_500):
            calls = [with_consent(f"m{first + at}", categoryPreferences=BANNER) for at in range(2_500)]
            answer = await world.post("/v1/batch", batch(*({**each, "event": "A"} for each in calls)))
            assert answer.json()["results"] == []
        more = with_consent("more", categoryPreferences=BANNER)
        await world.post("/v1/track", {**more, "anonymousId": "a-1"})
        assert await entry_count(world) == 2
        assert set(await choices(world)) == {("grant", "advertising"), ("withdraw", "analytics")}
        (latest, *_) = (await world.get(f"{ANN}/events?limit=1")).json()["events"]
        assert latest["context"] == {"consent": {"categoryPreferences": BANNER}}


async def test_a_changed_mind_is_heard_each_time() -> None:
    """There and back, in calls of their own and in one batch."""
    async with serving() as world:
        for number, allowed in enumerate((True, False, True)):
            world.clock.set(NOW_MS + number)
            await world.post("/v1/track", with_consent(f"a{number}", categoryPreferences={"Ads": allowed}))
        assert await choices(world) == [("grant", "ads"), ("withdraw", "ads"), ("grant", "ads")]
        calls = [
            {**with_consent(f"b{number}", user="bob", categoryPreferences={"Ads": allowed}), "timestamp": to_iso(at)}
            for number, allowed, at in ((0, False, NOW_MS - 2), (1, True, NOW_MS - 1), (2, True, NOW_MS))
        ]
        await world.post("/v1/batch", batch(*calls))
        assert await choices(world, "/v1/people/user_id/bob") == [("withdraw", "ads"), ("grant", "ads")]


async def test_what_was_chosen_elsewhere_stands_until_it_is_chosen_anew() -> None:
    """A page goes on saying what it was told; the event of a consent manager says that somebody chose just now."""
    async with serving() as world:
        await world.post("/v1/track", with_consent("m1", categoryPreferences={"Ads": True}))
        world.clock.set(NOW_MS + 1)
        await world.post(
            "/v1/consent", {"userId": "ann", "messageId": "c", "choices": [{"action": "withdraw", "purpose": "ads"}]}
        )
        world.clock.set(NOW_MS + 2)
        await world.post("/v1/track", with_consent("m2", categoryPreferences={"Ads": True}))
        ask = f"{ANN}/allowed?purpose=ads&channel=web"
        assert (await world.get(ask)).json()["why"] == "refused"
        world.clock.set(NOW_MS + 3)
        event = {"event": "Segment Consent Preference Updated"}
        await world.post("/v1/track", {**with_consent("m3", categoryPreferences={"Ads": True}), **event})
        assert (await world.get(ask)).json()["why"] == "granted"


async def test_a_source_says_what_its_categories_mean() -> None:
    """And a refusal is heard though the source takes nothing else of who refuses."""
    async with serving() as world:
        source = Source(consent_purposes={"C0004": "advertising", "C0001": ""}, consent_categories=("C0004",))
        await world.app.catalog.define_source("shop", source, "test")
        told = {"C0004": False, "C0001": True, "C0002": True}
        answer = await world.post("/v1/track", with_consent("m1", categoryPreferences=told))
        assert causes(answer) == [(0, "consent_refused")]
        event = {"event": "Segment Consent Preference Updated"}
        await world.post("/v1/track", {**with_consent("m2", categoryPreferences=told), **event})
        assert sorted(await choices(world)) == [("grant", "c0002"), ("withdraw", "advertising")]
        bad = await world.change("PUT", "/v1/sources/shop", {"consent_purposes": {"C9": "health"}})
        assert (bad.status_code, bad.json()["place"]) == (400, "consent_purposes")


def tc_string(updated_ms: int, *, disclosed: bool = True, publisher: tuple[int, ...] | None = None) -> str:
    """A string that allows everything to vendor 21, and some purposes to the publisher."""
    everything = tuple(TCF_PURPOSES)
    tc = msgspec.structs.replace(
        EMPTY,
        created_ms=updated_ms,
        updated_ms=updated_ms,
        purpose_consents=everything,
        purpose_interests=everything,
        vendor_consents=Vendors.of([21]),
        vendor_interests=Vendors.of([21]),
        disclosed_vendors=Vendors.of([21]) if disclosed else None,
        publisher=None if publisher is None else PublisherTc(publisher, everything),
    )
    return encode_tcf(tc)


DAY = NOW_MS - NOW_MS % DAY_MS - DAY_MS


async def test_a_string_told_on_purpose_becomes_choices_with_the_string_as_evidence() -> None:
    """For the publisher, or for the vendor that is named or that the source sets; once, whoever repeats it."""
    async with serving() as world:
        text = tc_string(DAY, publisher=(1, 9))
        for message_id in ("c1", "c2"):
            call = {"userId": "ann", "messageId": message_id, "choices": [{"tcf": text}]}
            assert (await world.post("/v1/consent", call)).json()["results"] == []
        found = await choices(world)
        assert {each for each in found if each[0] == "grant"} == {("grant", "storage"), ("grant", "analytics")}
        assert len(found) == len(TCF_PURPOSES) == await entry_count(world)
        asked = "purpose=analytics&channel=web&jurisdiction=DE"
        assert (await world.get(f"{ANN}/allowed?{asked}")).json()["allowed"] is True
        _, told = await world.app.consents.told("user_id", "ann")
        granted = next(each.choice for each in told if each.choice.purpose == "analytics")
        assert (granted.method, granted.jurisdiction, granted.held_from) == ("TCF 2.3", "EU", DAY)
        assert granted.evidence is not None
        kept = await world.get(f"/v1/shown/{granted.evidence.signal}")
        assert kept.text == text


async def test_a_source_has_a_vendor_for_whom_strings_are_read() -> None:
    """Unless the call names another."""
    async with serving() as world:
        await world.app.catalog.define_source("shop", Source(consent_vendor=21), "test")
        await world.post("/v1/track", with_consent("m1", tcf=tc_string(DAY)))
        assert {action for action, _ in await choices(world)} == {"grant"}
        await world.post("/v1/track", with_consent("m2", user="bob", tcf=tc_string(DAY), vendor=22))
        assert {action for action, _ in await choices(world, "/v1/people/user_id/bob")} == {"withdraw", "object"}


async def test_without_disclosed_vendors_a_string_of_tcf_2_3_allows_nothing() -> None:
    """From 2026-02-28 on (L16)."""
    async with serving() as world:
        world.clock.set(DISCLOSURE_REQUIRED_FROM_MS + 9 * DAY_MS)
        for user, updated_ms in (("ann", DISCLOSURE_REQUIRED_FROM_MS), ("bob", DISCLOSURE_REQUIRED_FROM_MS - DAY_MS)):
            text = tc_string(updated_ms, disclosed=False)
            await world.post("/v1/track", with_consent(f"m-{user}", user=user, tcf=text, vendor=21))
        assert "grant" not in {action for action, _ in await choices(world)}
        assert {action for action, _ in await choices(world, "/v1/people/user_id/bob")} == {"grant"}


@pytest.mark.parametrize("vector", MALFORMED, ids=lambda each: each["tc"][:16])
async def test_a_string_that_cannot_be_read_costs_a_call_nothing_but_itself(vector: dict[str, Any]) -> None:
    """The event is stored with a remark that says what is wrong; a consent call waits in the quarantine."""
    async with serving() as world:
        answer = await world.post("/v1/track", with_consent("m1", tcf=vector["tc"], categoryPreferences={"Ads": True}))
        (said,) = answer.json()["results"]
        assert (said["fate"], said["cause"]) == ("stored", "consent_unreadable")
        assert said["detail"].startswith("$.context.consent.tcf: ")
        assert await choices(world) == [("grant", "ads")]
        call = {"userId": "ann", "messageId": "c1", "choices": [{"tcf": vector["tc"]}]}
        (refused,) = (await world.post("/v1/consent", call)).json()["results"]
        assert (refused["fate"], refused["cause"]) == ("quarantined", "choice_unreadable")
        assert refused["detail"].startswith("$.choices[0].tcf: ")


async def test_a_gpp_string_of_a_state_takes_sale_and_sharing_back_there() -> None:
    """In a context or as a choice."""
    async with serving() as world:
        text = next(
            each["gpp"]
            for each in GPP
            if (each.get("sections") or {}).get("usca", {}).get("SaleOptOut") == 1
            and each["sections"]["usca"].get("SharingOptOut") == 1
        )
        await world.post("/v1/track", with_consent("m1", gpp=text))
        call = {"userId": "bob", "messageId": "c1", "choices": [{"gpp": text}]}
        assert (await world.post("/v1/consent", call)).json()["results"] == []
        for who in (ANN, "/v1/people/user_id/bob"):
            assert {("withdraw", "sale"), ("withdraw", "sharing")} <= set(await choices(world, who))


GPC = {"sec-gpc": "1"}


async def test_a_browser_that_asks_not_to_be_sold_is_heard_once_also_from_nobody_known() -> None:
    """On each of the calls of a page (L7); it stands when the visitor logs in, and a later consent overrides it."""
    async with serving() as world:
        headers = {"x-write-key": world.write, **GPC}
        visitor = {"type": "page", "anonymousId": "v-1"}
        for number in range(3):
            await world.post("/v1/batch", batch({**visitor, "messageId": f"p{number}"}), headers=headers)
        pixel = '{"anonymousId":"v-1","messageId":"px","event":"Seen"}'
        await world.client.get("/v1/pixel/track", params={"data": pixel, "writeKey": world.write}, headers=GPC)
        assert await entry_count(world) == 2
        ask = "allowed?purpose=sale&channel=web&jurisdiction=US-CA"
        assert (await world.get(f"/v1/people/anonymous_id/v-1/{ask}")).json()["why"] == "refused"
        login = {"type": "identify", "messageId": "l1", "anonymousId": "v-1", "userId": "ann"}
        await world.post("/v1/batch", batch(login), headers=headers)
        assert (await world.get(f"{ANN}/choices")).json()["gpc"] == {"recorded": True, "honoured": True}
        world.clock.set(NOW_MS + 1)
        grant = {"action": "grant", "purpose": "sale", "jurisdiction": "US-CA"}
        await world.post("/v1/consent", {"userId": "ann", "messageId": "c1", "choices": [grant]}, headers=headers)
        assert (await world.get(f"{ANN}/{ask}")).json()["why"] == "granted"
        await world.post("/v1/batch", batch(track("t9")), headers=headers)
        assert await entry_count(world) == 3
        gpc = (await world.get(f"{ANN}/choices?")).json()["gpc"]
        assert gpc["recorded"] is True


async def test_without_the_signal_nothing_is_recorded() -> None:
    """A server sends none, and 0 is none."""
    async with serving() as world:
        await world.post("/v1/track", track("t1"))
        await world.post("/v1/track", track("t2"), headers={"x-write-key": world.write, "sec-gpc": "0"})
        assert await entry_count(world) == 0
        assert (await world.get(f"{ANN}/choices")).json()["gpc"] == {"recorded": False, "honoured": False}


async def test_the_signal_of_a_call_that_waited_in_quarantine_is_heard_when_it_is_mended() -> None:
    """What came beside a call is kept with it."""
    async with serving() as world:
        call = {"type": "track", "userId": "ann", "messageId": "m1"}
        await world.post("/v1/batch", batch(call), headers={"x-write-key": world.write, **GPC})
        fix = [{"do": "default", "path": "event", "value": "Bought"}]
        answer = await world.change("POST", "/v1/quarantine/replay", {"numbers": [1], "fix": fix})
        assert answer.status_code == 200, answer.text
        assert (await world.get(f"{ANN}/choices")).json()["gpc"]["recorded"] is True


async def test_a_wording_is_kept_and_named_by_the_choice() -> None:
    """So that each consent leads to the bytes that were shown (G8); change a comma, and it is another."""
    async with serving() as world:
        for number, wording in enumerate(("Yes, write to me", "Yes write to me")):
            grant = {"action": "grant", "purpose": "marketing", "channel": "email", "wording": wording}
            await world.post("/v1/consent", {"userId": "ann", "messageId": f"c{number}", "choices": [grant]})
        _, told = await world.app.consents.told("user_id", "ann")
        notices = [each.choice.evidence.notice for each in told if each.choice.evidence is not None]
        shown = [(await world.get(f"/v1/shown/{each}")).text for each in notices]
        assert shown == ["Yes, write to me", "Yes write to me"]


async def test_every_reference_string_is_stored_or_refused_with_a_reason() -> None:
    """Whatever the reference libraries read or refuse, told by somebody of their own."""
    async with serving() as world:
        for number, vector in enumerate((*TCF, *GPP)):
            form = "tcf" if "tc" in vector else "gpp"
            told = {form: vector["tc" if form == "tcf" else "gpp"], "vendor": 21}
            call = {"userId": f"u{number}", "messageId": f"c{number}", "choices": [told]}
            for refused in (await world.post("/v1/consent", call)).json()["results"]:
                assert (refused["fate"], refused["cause"]) == ("quarantined", "choice_unreadable")
                assert refused["detail"].startswith(f"$.choices[0].{form}: ")
        fates = await world.fates()
        assert fates["received"] == len(TCF) + len(GPP) == fates["stored"] + fates["quarantined"]
        assert fates["stored"] > fates["quarantined"] > 0
