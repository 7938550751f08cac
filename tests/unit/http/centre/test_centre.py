"""The preference centre over HTTP: a link, a page, a form, and what becomes of it in the ledger."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from courtesy.base.time import DAY_MS, HOUR_MS, SECOND_MS
from courtesy.consent.preference_centre import PreferenceCentre
from courtesy.event.event import decode_fact
from courtesy.http.centre.operations import MadeLink
from courtesy.http.centre.texts import LOCALES
from courtesy.person.record import RecordKind
from tests.unit.http.centre.reading import Form, Page
from tests.unit.http.test_export import fold
from tests.unit.http.world import World, batch, serving

ANN = "/v1/people/user_id/ann"
KEY = "a secret that signs links in tests"
SHOP: dict[str, Any] = {
    "brand": "Shoes & More",
    "topics": [{"name": "hats", "labels": {"en": "Hats", "de": "Hüte"}}, {"name": "shoes"}],
    "likes": [{"name": "leather", "labels": {"en": "Leather"}}],
    "uses": [{"name": "personalisation"}],
    "privacy_url": "https://shop.example/privacy",
}


async def known(world: World, **traits: Any) -> str:
    """Ann is known, in Germany unless said otherwise; the path of a link for her."""
    told = {"email": "ann.nowak@example.com", "country": "DE", **traits}
    await world.post("/v1/batch", batch({"type": "identify", "userId": "ann", "messageId": "known", "traits": told}))
    return await link(world)


async def link(world: World, who: str = ANN, **more: Any) -> str:
    """The path of a new link."""
    answer = await world.change("POST", f"{who}/links", more)
    assert answer.status_code == 201, answer.text
    return msgspec.json.decode(answer.content, type=MadeLink).path


async def define(world: World, **more: Any) -> None:
    """A shop's preference centre."""
    answer = await world.change("PUT", "/v1/preference-centre", {**SHOP, **more})
    assert answer.status_code == 200, answer.text


async def look(world: World, path: str, **headers: str) -> Page:
    """The page, as anybody sees it."""
    answer = await world.get(path, "", headers=headers)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


async def send(world: World, form: Form, **changed: Any) -> httpx.Response:
    """The form, sent by a browser that has no key; a second later, as people are."""
    fields = form.sent(**{"press": "save", **changed})
    answer = await world.client.post(form.action, data=fields)
    world.clock.set(world.clock.now_ms() + SECOND_MS)
    return answer


async def choices(world: World) -> list[dict[str, Any]]:
    """What Ann chose, the latest first."""
    found: list[dict[str, Any]] = (await world.get(f"{ANN}/choices")).json()["choices"]
    return found


async def told(world: World) -> list[Any]:
    """The facts of Ann's consent calls, in order."""
    records = await world.app.engine.log_after(0, 500)  # type: ignore[arg-type]
    facts = [decode_fact(each.payload) for each in records if each.kind is RecordKind.EVENT]
    return [each for each in facts if each.choices]


async def may(world: World, channel: str = "email", topic: str = "*") -> bool:
    """Whether Ann may be sent marketing."""
    answer = await world.get(f"{ANN}/allowed?purpose=marketing&channel={channel}&topic={topic}&local_time=12:00")
    return bool(answer.json()["allowed"])


async def test_what_is_ticked_counts_at_once() -> None:
    """Saved, led back to the page, shown there, and obeyed by the next question."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world)
        (form,) = (await look(world, path)).forms
        assert not await may(world)
        answer = await send(world, form, c0__0="on", frequency="weekly", l0="dislike")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?lang=en&done=saved")
        page = await look(world, answer.headers["location"])
        assert page.forms[0].boxes["c0.0"]
        assert dict(page.forms[0].fields)["frequency"] == "weekly"
        assert dict(page.forms[0].fields)["l0"] == "dislike"
        assert "Your choices are saved" in page.text
        assert await may(world)
        assert not await may(world, "sms")


async def test_only_what_was_changed_is_a_choice() -> None:
    """A form sent as it was says nothing."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world)
        answer = await send(world, (await look(world, path)).forms[0])
        assert answer.headers["location"].endswith("done=unchanged")
        assert await choices(world) == []
        await send(world, (await look(world, path)).forms[0], c0__0="on")
        await send(world, (await look(world, path)).forms[0], untick=("t0",))
        assert [(each["action"], each["channel"], each["topic"]) for each in await choices(world)] == [
            ("object", "*", "hats"),
            ("grant", "email", "*"),
        ]
        assert (await may(world, topic="hats"), await may(world, topic="shoes")) == (False, True)


async def test_each_choice_leads_to_the_bytes_that_were_shown() -> None:
    """The form and the wording by their SHA-256, with the locale, of party zero, by an act of the person's own."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world)
        answer = await world.get(f"{path}?lang=de", "")
        await send(world, Page(answer.text).forms[0], c0__0="on")
        (fact,) = await told(world)
        assert str(fact.party) == "zero"
        (choice,) = fact.choices
        assert choice.method == "preference centre"
        assert (choice.evidence.locale, choice.evidence.affirmative) == ("de", True)
        for digest in (choice.evidence.form, choice.evidence.notice):
            shown = await world.get(f"/v1/shown/{digest}")
            assert sha256(shown.content).hexdigest() == digest
            assert shown.text in answer.text
        assert "Hüte" in (await world.get(f"/v1/shown/{choice.evidence.form}")).text
        assert "nowak" not in (await world.get(f"/v1/shown/{choice.evidence.form}")).text
        assert (await world.get(f"/v1/shown/{choice.evidence.form}", world.read)).status_code == 403


@pytest.mark.parametrize("name", ["0" * 64, "x", "0" * 63 + "g"])
async def test_what_was_never_shown_is_not_found(name: str) -> None:
    """Nor what is no digest."""
    async with serving(link_key=KEY) as world:
        assert (await world.get(f"/v1/shown/{name}")).status_code == 404


async def test_everything_is_refused_with_one_button() -> None:
    """Whatever else the form says of channels."""
    async with serving(link_key=KEY) as world:
        path = await known(world, country="US")
        assert await may(world)
        await send(world, (await look(world, path)).forms[0], press="refuse_all")
        assert not await may(world)
        page = await look(world, path)
        assert not any(page.forms[0].boxes.values())


async def test_a_pause_holds_for_its_time() -> None:
    """The boxes stay ticked; then it is over."""
    async with serving(link_key=KEY) as world:
        path = await known(world, country="US")
        await send(world, (await look(world, path)).forms[0], pause="week")
        assert not await may(world)
        page = await look(world, path)
        assert "Keep the break until" in page.text
        assert page.forms[0].boxes["c0.0"]
        world.clock.set(world.clock.now_ms() + 7 * DAY_MS)
        assert await may(world)
        assert "end" not in (await look(world, path)).forms[0].radios["pause"]


async def test_what_is_known_is_shown_with_where_it_came_from() -> None:
    """Masked where it would tell too much; what a third party told is marked, and gone for good once removed."""
    async with serving(link_key=KEY) as world:
        path = await known(world, plan="gold", phone="+491711234567", address={"city": "Köln"}, birthday="1984-03-05")
        await world.change("PUT", "/v1/sources/broker", {"party": "third"})
        made = await world.change("POST", "/v1/keys", {"name": "broker", "scope": "write"})
        guess = {"userId": "ann", "messageId": "g1", "traits": {"house": {"income.yearly": "high"}, "dog": True}}
        await world.post("/v1/identify", guess, headers={"x-write-key": made.json()["secret"]})
        page = await look(world, path)
        for text in ("gold", "a***@example.com", "***67", "We saw it ourselves (shop)", "high", "guessed", "broker"):
            assert text in page.text
        for text in ("nowak", "1711234567", "Köln", "1984"):
            assert text not in page.text
        answer = await send(world, page.forms[1], press="remove", forget=r"house.income\.yearly")
        assert answer.headers["location"].endswith("done=removed")
        again = {**guess, "messageId": "g2"}
        await world.post("/v1/identify", again, headers={"x-write-key": made.json()["secret"]})
        traits = (await world.get(ANN)).json()["traits"]
        assert "house" not in traits
        assert traits["dog"] is True
        answer = await send(world, (await look(world, path)).forms[1], press="remove", forget="plan")
        assert answer.headers["location"].endswith("done=unchanged")
        assert (await world.get(ANN)).json()["traits"]["plan"] == "gold"


async def test_choices_so_far_are_listed() -> None:
    """In words, whoever told them."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world)
        call = {
            "messageId": "c",
            "userId": "ann",
            "choices": [
                {"action": "grant", "purpose": "marketing", "channel": "email"},
                {"action": "set", "purpose": "*", "topic": "leather", "value": "like"},
                {"action": "withdraw", "purpose": "odd <purpose>", "heldTo": "2030-01-01T00:00:00Z"},
            ],
        }
        await world.post("/v1/consent", call)
        text = (await look(world, path)).text
        assert "You allowed: News and offers · E-mail" in text
        assert "You said: Leather, I like it" in text
        assert "You withdrew: odd <purpose>, until January 1, 2030" in text


async def test_a_signal_of_the_browser_is_recorded_once_and_shown() -> None:
    """Refusing sale and sharing in the United States, until the person allows it; never again by itself."""
    async with serving(link_key=KEY) as world:
        path = await known(world, country="US", address={"country": "US", "state": "CA"})
        await define(world, uses=[{"name": "sale"}])
        assert "does not ask us" in (await look(world, path)).text
        page = await look(world, path, **{"sec-gpc": "1"})
        assert "We honour this" in page.text
        assert page.forms[0].boxes["u0"] is False
        world.clock.set(world.clock.now_ms() + SECOND_MS)
        assert "A browser of yours asked" in (await look(world, path)).text
        await look(world, path, **{"sec-gpc": "1"})
        said = [(each["action"], each["purpose"], each["jurisdiction"]) for each in await choices(world)]
        assert sorted(said) == [("signal", "sale", "US"), ("signal", "sharing", "US")]
        await send(world, page.forms[0], u0="on")
        page = await look(world, path, **{"sec-gpc": "1"})
        assert page.forms[0].boxes["u0"] is True
        assert "What you allowed later yourself counts" in page.text
        answer = await world.get("/.well-known/gpc.json", "")
        assert answer.json() == {"gpc": True, "lastUpdate": "2026-11-22"}


async def test_the_same_form_sent_twice_counts_once() -> None:
    """A second click is no second choice."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        (form,) = (await look(world, path)).forms
        for _ in range(2):
            assert (await world.client.post(form.action, data=form.sent(press="save", c0__0="on"))).status_code == 303
        assert len(await choices(world)) == 1


async def test_a_form_that_is_old_tampered_or_not_this_links_saves_nothing() -> None:
    """And says so on a page."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await world.post("/v1/identify", {"userId": "joe", "messageId": "joe", "traits": {"country": "DE"}})
        other = (await look(world, await link(world, "/v1/people/user_id/joe"))).forms[0]
        (form,) = (await look(world, path)).forms
        good = form.sent(press="save", c0__0="on")
        bad: list[dict[str, Any]] = [
            {**good, "form": ""},
            {**good, "form": good["form"][:-2] + "AA"},
            {**good, "form": other.sent(press="save")["form"]},
            {"c0.0": "on"},
        ]
        for fields in bad:
            answer = await world.client.post(path, data=fields)
            assert (answer.status_code, "Nothing was saved" in answer.text) == (400, True)
        assert (await world.client.post(path, content=b"\xff" * 9)).status_code == 400
        assert (await world.client.post(path, content=b"a=" + b"b" * 70_000)).status_code == 400
        world.clock.set(world.clock.now_ms() + 24 * HOUR_MS)
        assert (await world.client.post(path, data=good)).status_code == 400
        assert await choices(world) == []


async def test_a_form_of_an_older_definition_saves_nothing() -> None:
    """Its bytes could not be shown to have been shown any more."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world)
        (form,) = (await look(world, path)).forms
        await define(world, topics=[])
        answer = await send(world, form, c0__0="on")
        assert (answer.status_code, await choices(world)) == (409, [])


async def test_a_link_that_ran_out_or_was_made_up_opens_nothing() -> None:
    """And tells nothing of anybody."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        short = await link(world, days=1)
        unsubscribe = await link(world, kind="unsubscribe", purpose="marketing")
        for wrong in (path[:-1], f"{path}x", "/p/x", "/p/%F0%9F%98%80", unsubscribe.replace("/u/", "/p/"), "/u/x"):
            answer = await world.get(wrong, "")
            assert (answer.status_code, "nowak" in answer.text) == (404, False)
            assert "This link does not work" in Page(answer.text).text
        world.clock.set(world.clock.now_ms() + DAY_MS)
        assert (await world.get(short, "")).status_code == 410
        assert (await world.client.post(short, data={"form": "x"})).status_code == 410
        assert (await world.get(path, "")).status_code == 200


async def test_a_link_of_somebody_who_is_forgotten_opens_nothing(tmp_path: Path) -> None:
    """Like one that was made up; nor does a form that was open then bring them back."""
    async with serving(link_key=KEY, data=str(tmp_path)) as world:
        path = await known(world)
        one_click = await link(world, kind="unsubscribe", purpose="marketing")
        (form,) = (await look(world, path)).forms
        await fold(world)
        erased = await world.change("DELETE", f"{ANN}?reason=asked")
        assert erased.status_code == 200, erased.text
        assert (await world.get(path, "")).status_code == 404
        assert (await send(world, form, c0__0="on")).status_code == 404
        assert (await world.client.post(one_click, data={"List-Unsubscribe": "One-Click"})).status_code == 404
        assert (await world.get(ANN)).status_code == 404


async def test_who_was_merged_is_found_by_an_older_link() -> None:
    """In whom they became part of; what they save counts there."""
    async with serving(link_key=KEY) as world:
        await world.post("/v1/track", {"anonymousId": "d1", "event": "Seen", "messageId": "d"})
        path = await link(world, "/v1/people/anonymous_id/d1")
        await known(world)
        merged = {"userId": "ann", "anonymousId": "d1", "event": "Seen", "messageId": "m"}
        await world.post("/v1/track", merged)
        await send(world, (await look(world, path)).forms[0], c0__0="on")
        assert await may(world)


async def test_a_link_is_made_by_an_admin_only() -> None:
    """For whoever is known, for a while that makes sense, about what can be withdrawn."""
    async with serving(link_key=KEY) as world:
        await known(world)
        assert (await world.change("POST", f"{ANN}/links", {}, world.read)).status_code == 403
        assert (await world.post(f"{ANN}/links", {})).status_code == 401
        assert (await world.change("POST", "/v1/people/user_id/joe/links", {})).status_code == 404
        for bad in (
            {"days": 0},
            {"days": 99_999},
            {"purpose": "marketing"},
            {"kind": "unsubscribe"},
            {"kind": "login"},
            {"for": "ann"},
        ):
            assert (await world.change("POST", f"{ANN}/links", bad)).status_code == 400


async def test_a_link_opens_no_api() -> None:
    """Its token is no key."""
    async with serving(link_key=KEY) as world:
        token = (await known(world)).removeprefix("/p/")
        assert (await world.get(ANN, token)).status_code == 401
        answer = await world.post("/v1/track", {"userId": "x", "event": "e"}, headers={"x-write-key": token})
        assert answer.status_code == 401


async def test_pages_are_private_and_load_nothing() -> None:
    """Not kept, not framed, no address passed on, no script, nothing from elsewhere."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        answer = await world.get(path, "")
        headers = answer.headers
        assert headers.get_list("cache-control") == ["no-store"]
        assert headers["referrer-policy"] == "no-referrer"
        (policy,) = headers.get_list("content-security-policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "set-cookie" not in headers
        page = Page(answer.text)
        assert {name for name, _ in page.elements}.isdisjoint({"script", "img", "iframe", "link"})
        assert not any("style" in own or any(name.startswith("on") for name in own) for _, own in page.elements)
        assert all(each.startswith("/p/") for each in page.links)
        await define(world, embedded_by=["https://shop.example"])
        assert "frame-ancestors https://shop.example" in (await world.get(path, "")).headers["content-security-policy"]


@pytest.mark.parametrize("locale", LOCALES)
async def test_every_language_has_a_whole_page(locale: str) -> None:
    """With every label in place and every field as in English."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world)
        english, own = await look(world, f"{path}?lang=en"), await look(world, f"{path}?lang={locale}")
        assert own.attributes == {"lang": locale, "dir": "ltr"}
        assert own.forms[0].boxes == english.forms[0].boxes
        assert own.forms[0].radios == english.forms[0].radios
        assert "{" not in own.text


async def test_the_language_is_asked_for_known_or_the_browsers() -> None:
    """In this order."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        assert (await look(world, path, **{"accept-language": "fr,th;q=0.8"})).attributes["lang"] == "th"
        await known(world)
        told_locale = {"userId": "ann", "messageId": "l", "traits": {"locale": "ka-GE"}}
        await world.post("/v1/identify", told_locale)
        assert (await look(world, path, **{"accept-language": "th"})).attributes["lang"] == "ka"
        assert (await look(world, f"{path}?lang=hy&utm_source=mail")).attributes["lang"] == "hy"


async def test_whatever_a_value_holds_it_is_text() -> None:
    """No markup of a trait, a brand or a label does anything."""
    async with serving(link_key=KEY) as world:
        hostile = '"><script>alert(1)</script>'
        path = await known(world, **{"plan": hostile, hostile: "x", "locale": hostile})
        await define(world, brand=hostile, notice={"en": hostile}, topics=[{"name": hostile}])
        page = await look(world, f"{path}?done={hostile}")
        assert "script" not in {name for name, _ in page.elements}
        assert page.text.count("<script>") >= 5


async def test_one_click_withdraws_without_login_or_redirect() -> None:
    """The purpose and channel of the link and nothing else; once, however often it is clicked."""
    async with serving(link_key=KEY) as world:
        path = await known(world, country="US")
        await send(world, (await look(world, path)).forms[0], c0__1="on")
        one_click = await link(world, kind="unsubscribe", purpose="marketing", channel="email")
        for _ in range(2):
            answer = await world.client.post(one_click, data={"List-Unsubscribe": "One-Click"})
            assert answer.status_code == 200
            assert "You are unsubscribed" in answer.text
        assert (await may(world), await may(world, "sms")) == (False, True)
        assert [each["action"] for each in await choices(world)] == ["withdraw", "grant"]
        assert (await told(world))[-1].choices[0].method == "one-click unsubscribe"
        world.clock.set(world.clock.now_ms() + SECOND_MS)
        await send(world, (await look(world, path)).forms[0], c0__0="on")
        assert await may(world)
        await world.client.post(one_click, files={"List-Unsubscribe": (None, "One-Click")})
        assert not await may(world)


async def test_opening_an_unsubscribe_link_changes_nothing() -> None:
    """Mail scanners do so; the page has a button that sends what a mail program would."""
    async with serving(link_key=KEY) as world:
        await known(world, country="US")
        one_click = await link(world, kind="unsubscribe", purpose="marketing", channel="email", topic="hats")
        answer = await world.get(f"{one_click}?lang=de", "")
        assert "Neuigkeiten und Angebote · E-Mail · hats" in answer.text
        (form,) = Page(answer.text).forms
        assert form.fields == [("List-Unsubscribe", "One-Click")]
        assert (await world.client.head(one_click)).status_code == 200
        for wrong in ({}, {"List-Unsubscribe": "Yes"}, {"x": "List-Unsubscribe=One-Click"}):
            assert (await world.client.post(one_click, data=wrong)).status_code == 400
        assert await choices(world) == []
        assert (await world.client.post(form.action, data=dict(form.fields))).status_code == 200
        assert (await may(world, topic="hats"), await may(world)) == (False, True)


async def test_a_refusal_that_ends_by_itself_does_not_stand_for_unsubscribing() -> None:
    """During a pause it is withdrawn for good."""
    async with serving(link_key=KEY) as world:
        path = await known(world, country="US")
        await send(world, (await look(world, path)).forms[0], pause="week")
        one_click = await link(world, kind="unsubscribe", purpose="marketing")
        await world.client.post(one_click, data={"List-Unsubscribe": "One-Click"})
        world.clock.set(world.clock.now_ms() + 30 * DAY_MS)
        assert not await may(world)


async def test_a_source_that_takes_nothing_is_told_on_the_page() -> None:
    """Nobody is told that their choice is saved when it is not."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await send(world, (await look(world, path)).forms[0], c0__0="on")
        await world.change("PUT", "/v1/sources/preference-centre", {"party": "zero", "paused": True})
        answer = await send(world, (await look(world, path)).forms[0], untick=("c0.0",))
        assert (answer.status_code, "Nothing was saved" in answer.text) == (503, True)
        assert answer.headers["retry-after"]


async def test_a_definition_is_read_as_it_was_put() -> None:
    """And refused with the reason where it could not work."""
    async with serving(link_key=KEY) as world:
        assert (await world.get("/v1/preference-centre")).json()["purposes"][0]["name"] == "marketing"
        await define(world)
        read = msgspec.json.decode((await world.get("/v1/preference-centre")).content, type=PreferenceCentre)
        assert read == msgspec.convert(SHOP, PreferenceCentre)
        answer = await world.change("PUT", "/v1/preference-centre", {"colour": "#ffff00"})
        assert (answer.status_code, answer.json()["place"]) == (400, "colour")
        assert (await world.get("/v1/preference-centre", world.read)).status_code == 403
