"""What would leave, shown before it does: every channel and locale, whether it would leave, and no trace of it."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pyvips

from courtesy.base.time import ManualClock
from courtesy.engine_memory import Disk, MemoryEngine
from tests.unit.http.test_content import good, publish, refused, write
from tests.unit.http.world import NOW_MS, World, batch, serving

PREVIEWS = "/v1/previews"
SPRING: dict[str, Any] = {
    "subject": {"default": "Spring, {{ person.traits.first_name }}", "de": "Frühling, {{ person.traits.first_name }}"},
    "title": {"default": "Spring"},
    "text": {
        "default": "Hello {{ person.traits.first_name | default('you') }}, {{ person.traits.size }}",
        "de": "Hallo {{ person.traits.first_name }}",
        "@sms": "Hi {{ person.traits.first_name }} " + "x" * 170,
        "@push": "Spring is here",
    },
    "blocks": {
        "default": [
            {"type": "text", "text": "Dear {{ person.traits.first_name }}, {{ offer.code }}"},
            {"type": "button", "text": "Shop", "link": "https://shop.example/p/{{ person.traits.first_name }}"},
            {"type": "footer", "text": "Shop, 1 Road, Town"},
        ]
    },
    "display": {"style": "banner", "button": "Look"},
}
ANN = {"kind": "user_id", "value": "ann"}


@asynccontextmanager
async def shop(disk: Disk | None = None) -> AsyncIterator[World]:
    """A shop with ann, who reads German and allows marketing, and zoe, with content, a mail server and an offer."""
    clock = ManualClock(NOW_MS)
    engine = MemoryEngine(clock, 4, disk or Disk(4))
    async with serving(engine) as world:
        traits = {"first_name": "Ann", "locale": "de_CH", "email": "ann@shop.example"}
        choice = {"action": "grant", "purpose": "marketing"}
        await world.post(
            "/v1/batch",
            batch(
                {"type": "identify", "userId": "ann", "messageId": "1", "traits": traits},
                {"type": "consent", "userId": "ann", "messageId": "2", "choices": [choice]},
                {"type": "identify", "userId": "zoe", "messageId": "3", "traits": {"first_name": "Zoe", "size": 38}},
            ),
        )
        config = {"sender": "Shop <hello@shop.example>", "host": "127.0.0.1", "security": "none"}
        await good(world, "PUT", "/v1/connections/letters", {"component": "smtp", "config": config})
        await good(world, "PUT", "/v1/connections/app", {"component": "in_app"})
        offer = {
            "title": "Ten",
            "value": {"kind": "percent", "percent": 10},
            "codes": {"kind": "minted", "prefix": "S"},
        }
        await good(world, "PUT", "/v1/offers/ten", offer)
        await write(world, "campaign/spring", fields=SPRING)
        yield world


async def look(world: World, **ask: Any) -> dict[str, Any]:
    """A preview."""
    return await good(world, "POST", PREVIEWS, {"content": "campaign/spring", "person": ANN, **ask})


def column(preview: dict[str, Any], channel: str, locale: str = "") -> dict[str, Any]:
    """What is shown of a channel in a locale."""
    (found,) = [each for each in preview["shown"] if (each["channel"], each["locale"]) == (channel, locale)]
    return found  # type: ignore[no-any-return]


async def test_every_channel_and_locale_stands_side_by_side() -> None:
    """Each as its reader gets it, and which of them the person gets."""
    async with shop() as world:
        found = await look(world)
        stand = [(each["channel"], each["locale"], each["theirs"]) for each in found["shown"]]
        assert stand == [
            ("email", "", False), ("email", "de", True),
            ("sms", "", False), ("sms", "de", True),
            ("push", "", False), ("push", "de", True),
            ("in_app", "", False), ("in_app", "de", True),
        ]  # fmt: skip
        assert column(found, "email", "de")["parts"]["subject"] == "Frühling, Ann"
        assert "Dear Ann" in column(found, "email", "de")["parts"]["html"]
        assert "Dear Ann" in column(found, "email", "de")["parts"]["text"]
        card = column(found, "in_app")
        assert card["parts"]["display"] == {"style": "banner", "button": "Look"}
        assert card["parts"]["text"] == "Hello Ann, "
        assert [each["about"] for each in card["lacked"]] == ["person.traits.size"]
        assert found["source"] == "revision 1"


async def test_a_text_message_has_parts_and_a_cost_and_a_push_message_what_is_seen() -> None:
    """By the price of a part that whoever asks names."""
    async with shop() as world:
        found = await look(world, sms_price={"amount": 0.07, "currency": "EUR"})
        sms = column(found, "sms")["sms"]
        assert (len(sms["parts"]), sms["encoding"], sms["cost"]) == (2, "GSM-7", {"amount": 0.14, "currency": "EUR"})
        assert [each["code"] for each in column(found, "sms")["findings"]] == ["parts"]
        assert [each["platform"] for each in column(found, "push")["push"]] == ["android", "ios"]
        assert column(found, "push")["push"][0]["text"] == "Spring is here"


async def test_only_what_is_asked_for_is_shown() -> None:
    """A locale that the item has nothing for falls back; a channel that it says nothing on says so."""
    async with shop() as world:
        found = await look(world, channels=["email", "print"], locales=["de-AT"])
        assert column(found, "email", "de-AT")["parts"]["subject"] == "Frühling, Ann"
        assert column(found, "print", "de-AT")["findings"][0]["message"] == "it says nothing on print in de-AT"


async def test_links_lead_where_they_lead_and_tell_nobody() -> None:
    """No token of a person is in what is shown."""
    async with shop() as world:
        mail = column(await look(world), "email")["parts"]
        html = unescape(mail["html"])
        for address in (
            "https://shop.example/p/Ann",
            "http://127.0.0.1:8080/u/sample",
            "http://127.0.0.1:8080/o/sample",
        ):
            assert f'"{address}"' in html
        assert "/l/" not in html + mail["text"]
        for path in ("/u/sample", "/p/sample", "/v/sample"):
            assert (await world.get(path, key="")).status_code == 404, path
        assert (await world.get("/o/sample", key="")).status_code == 200


async def test_what_would_keep_it_from_leaving_is_told() -> None:
    """By channel, in the order in which the sender finds out: address, consent, budget, hours, dead addresses."""
    async with shop() as world:
        assert await reasons(world) == {"email": "", "sms": "no_connection", "push": "no_connection", "in_app": ""}
        assert await reasons(world, purpose="research") | {"sms": "", "push": ""} == {
            "email": "not_allowed", "sms": "", "push": "", "in_app": "not_allowed",
        }  # fmt: skip
        quiet = {"quiet_hours": {"begin": "00:00", "end": "23:00"}, "quiet_exempt": ["in_app"], "zone": "Etc/UTC"}
        await good(world, "PUT", "/v1/contact-policy", quiet)
        leaving = {each["channel"]: each for each in (await look(world))["leaving"]}
        assert leaving["email"]["reason"] == "quiet_hours"
        assert leaving["email"]["not_before"] == "2025-11-22T23:00:00.000Z"
        assert (await reasons(world, service=True))["email"] == ""
        await good(world, "PUT", "/v1/contact-policy", {"windows": [{"days": 1, "room": 0.5}]})
        assert (await reasons(world))["email"] == "budget"
        await good(world, "PUT", "/v1/contact-policy", {})
        paused = {"component": "in_app", "paused": True}
        await good(world, "PUT", "/v1/connections/app", paused)
        assert (await reasons(world))["in_app"] == "paused"


async def reasons(world: World, **ask: Any) -> dict[str, str]:
    """Why it would not leave, by channel."""
    return {each["channel"]: each["reason"] for each in (await look(world, **ask))["leaving"]}


async def test_a_draft_is_shown_as_if_it_were_published_and_a_version_as_it_was() -> None:
    """Also an item that nobody has saved, and what keeps it from being shown."""
    async with shop() as world:
        await refused(world, 404, "POST", PREVIEWS, {"content": "campaign/spring", "version": "live"})
        await publish(world, "campaign/spring")
        changed = {**SPRING, "title": {"default": "Summer"}}
        await write(world, "campaign/spring", 1, fields=changed)
        assert column(await look(world), "in_app")["parts"]["title"] == "Summer"
        for version in (1, "live"):
            found = await look(world, version=version)
            assert (column(found, "in_app")["parts"]["title"], found["source"]) == ("Spring", "version 1")
        unsaved = {"fields": {"title": {"default": "Autumn"}, "text": {"default": "{{ nobody.name }}"}}}
        found = await look(world, body=unsaved, content="campaign/not-yet")
        assert (found["source"], [each["code"] for each in found["findings"]]) == ("unsaved", ["unknown_name"])
        unsaved["fields"]["text"] = {"default": "{% include 'greeting' %}"}
        await write(world, "fragment/greeting", fields={"text": {"default": "Good day"}})
        assert column(await look(world, body=unsaved), "in_app")["parts"]["text"] == "Good day"


async def test_an_offer_is_shown_as_held_or_by_an_example() -> None:
    """Without being granted; who can't have it sees it too, and why it would not leave."""
    async with shop() as world:
        assert "SEXAMPLE" in column(await look(world, offer="ten"), "email")["parts"]["html"]
        granted = await good(world, "POST", "/v1/offers/ten/grants", ANN)
        code = granted["grant"]["code"]
        assert code in column(await look(world, offer="ten"), "email")["parts"]["html"]
        other = {"title": "VIP", "value": {"kind": "percent", "percent": 20}, "eligibility": "vip is true"}
        await good(world, "PUT", "/v1/offers/vip", other)
        found = await look(world, offer="vip", channels=["in_app"])
        assert (found["leaving"][0]["reason"], found["leaving"][0]["why"]) == ("offer", "not_eligible")


async def test_other_kinds_are_shown_too() -> None:
    """A fragment alone in a message, an offer at its placements, news by its texts."""
    async with shop() as world:
        await write(
            world, "fragment/footer", fields={"text": {"default": "Bye {{ person.traits.first_name }}", "de": "Tschüs"}}
        )
        fragment = await look(world, content="fragment/footer")
        assert column(fragment, "in_app", "de")["parts"]["text"] == "Tschüs"
        assert "Bye Ann" in column(fragment, "email")["parts"]["html"]
        fields = {
            "title": {"default": "Ten"},
            "value": {"kind": "percent", "percent": 10},
            "placements": {"hero": {"fields": {"heading": "Now"}}},
        }
        await write(world, "offer/spring", fields=fields)
        (hero,) = (await look(world, content="offer/spring"))["shown"]
        assert (hero["placement"], hero["parts"]["look"]) == ("hero", {"heading": "Now"})
        await write(world, "news/shop", fields={"title": {"default": "Open"}, "text": {"default": "For {{ locale }}"}})
        assert column(await look(world, content="news/shop"), "web")["parts"] == {"title": "Open", "text": "For de-CH"}


async def test_a_card_has_its_picture(tmp_path: Path) -> None:
    """In a size that anybody may ask for, with what it shows in words; a mail shows those of its blocks."""
    picture = bytes(pyvips.Image.black(300, 200, bands=3).copy(interpretation="srgb").jpegsave_buffer())
    async with serving(data=str(tmp_path)) as world:
        asset = await good(world, "POST", "/v1/assets", picture)
        fields = {"file": {"default": asset["sha256"]}, "alt": {"default": 'A "red" boot'}}
        await write(world, "image/boot", fields=fields)
        unsaved = {"fields": {"text": {"default": "Look"}, "image": "image/boot"}}
        ask = {"content": "campaign/boot", "body": unsaved}
        image = column(await good(world, "POST", PREVIEWS, ask), "in_app")["parts"]["image"]
        assert image["alt"] == 'A "red" boot'
        shown = await world.get(image["url"].removeprefix("http://127.0.0.1:8080"), key="")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
        page = await world.change("POST", f"{PREVIEWS}?format=html", ask)
        assert f'<img src="{image["url"]}" alt="A &quot;red&quot; boot">' in page.text


async def test_somebody_made_up_reads_it_and_nothing_is_said_of_leaving() -> None:
    """With any traits, nested too."""
    async with shop() as world:
        unsaved = {"fields": {"text": {"default": "{{ person.traits.address.city }}, {{ person.identifiers.email }}"}}}
        person = {"traits": {"address": {"city": "Bern"}}, "identifiers": {"email": "a@b.example"}}
        found = await look(world, body=unsaved, person=person)
        assert column(found, "in_app")["parts"]["text"] == "Bern, a@b.example"
        assert (found["leaving"], found["person"]) == ([], "somebody made up")
        await refused(world, 404, "POST", PREVIEWS, {"content": "campaign/spring", "person": {**ANN, "value": "bob"}})


async def test_a_preview_leaves_no_trace() -> None:
    """The store is the same to the byte, whatever is looked at: nothing is granted, permitted, reserved or counted."""
    disk = Disk(4)
    async with shop(disk) as world:
        await publish(world, "campaign/spring")
        before = pickle.dumps(disk)
        await look(world, offer="ten")
        await look(world, offer="ten", version="live", service=True, data={"order": 1})
        await look(world, body={"fields": {"text": {"default": "x"}}})
        await world.change("POST", f"{PREVIEWS}?format=html", {"content": "campaign/spring", "person": ANN})
        assert pickle.dumps(disk) == before
        await good(world, "POST", "/v1/offers/ten/grants", ANN)
        assert pickle.dumps(disk) != before


async def test_the_page_keeps_hostile_content_in_its_place() -> None:
    """What a person or an author wrote is text there, and a mail stands in a sandbox that allows nothing."""
    evil = '"></iframe><script>alert(1)</script><img src=x onerror=alert(1)>'
    async with shop() as world:
        fields = {
            "subject": {"default": "Hi {{ person.traits.first_name }}"},
            "blocks": {"default": [{"type": "raw", "html": evil, "text": evil}]},
            "text": {"default": "{{ person.traits.first_name }}"},
        }
        ask = {"content": "campaign/evil", "body": {"fields": fields, "title": evil}}
        ask["person"] = {"traits": {"first_name": evil, "locale": evil}}
        answer = await world.change("POST", f"{PREVIEWS}?format=html", ask)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.text
        assert "<script" not in answer.text
        assert "<img" not in answer.text
        assert answer.text.count("<iframe") == answer.text.count('sandbox=""') == 2
