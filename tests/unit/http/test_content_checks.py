"""Content tried with real people over HTTP: before it is published, and while it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyvips

from tests.unit.asset.pdfs import CARD, CARD_TRIM, one_page
from tests.unit.http.test_content import ITEMS, good, publish, refused, write
from tests.unit.http.world import World, serving

MAIL = "campaign/hello"
CHECK = "/v1/content/check"


async def people(world: World, count: int = 20, lacking: int = 3) -> None:
    """So many people; the first `lacking` of them have no first name."""
    told = []
    for number in range(count):
        traits = {"city": "Bern", "locale": "de-CH" if number % 2 else "en"}
        if number >= lacking:
            traits["first_name"] = f"Ann{number}"
        told.append({"type": "identify", "userId": f"u{number}", "messageId": f"i{number}", "traits": traits})
    answer = await world.post("/v1/batch", {"batch": told})
    assert answer.status_code == 200, answer.text
    world.clock.advance(60_000)


def mail(text: str, **more: Any) -> dict[str, Any]:
    """The fields of a mail that is fine but for this text."""
    blocks = [{"type": "text", "text": text}, {"type": "footer"}]
    return {"subject": {"default": "Hello"}, "preheader": {"default": "x"}, "blocks": {"default": blocks}, **more}


async def draft(world: World, fields: dict[str, Any], kind: str = "campaign", **more: Any) -> dict[str, Any]:
    """What is told about something that nobody saved."""
    return await good(world, "POST", CHECK, {"kind": kind, "body": {"fields": fields}, **more})


def of(found: list[dict[str, Any]], code: str) -> list[dict[str, Any]]:
    """The findings of a code."""
    return [each for each in found if each["code"] == code]


async def test_a_name_that_nobody_has_blocks_and_one_that_some_lack_is_told_with_how_many() -> None:
    """With its place in the blocks, and what real people have that was probably meant."""
    async with serving() as world:
        await people(world)
        text = "Dear {{ person.traits.first_nam }} of {{ person.traits.city }}"
        saved = await write(world, MAIL, fields=mail(text))
        (unknown,) = of(saved["findings"], "unknown_name")
        assert unknown["severity"] == "error"
        assert unknown["message"] == "no sample has 'person.traits.first_nam'"
        assert unknown["hint"] == "did you mean 'first_name'?"
        assert unknown["place"] == "fields.blocks.default/0/text, line 1, column 9"
        assert (unknown["locale"], unknown["channel"]) == ("default", "email")
        blocked = await refused(world, 409, "POST", f"{ITEMS}/{MAIL}/publish", {})
        assert [each["finding"] for each in blocked["findings"]] == saved["findings"]
        fine = await write(world, MAIL, 1, fields=mail(text.replace("first_nam", "first_name")))
        (lacking,) = of(fine["findings"], "lacking_name")
        assert (lacking["severity"], lacking["message"]) == (
            "warning",
            "3 of 20 samples lack 'person.traits.first_name', and nothing is written in its place",
        )
        assert await publish(world, MAIL) == 1


async def test_a_rare_trait_is_known_when_it_came_lately_or_somebody_who_has_it_is_named() -> None:
    """Twenty of many need not have what few have."""
    async with serving() as world:
        await people(world, 200, 0)
        rare = {"type": "identify", "userId": "rare", "messageId": "r", "traits": {"vip_since": "2020"}}
        assert (await world.post("/v1/identify", rare)).status_code == 200
        world.clock.advance(60_000)
        found = (await draft(world, mail("{{ person.traits.vip_since }}")))["findings"]
        assert of(found, "unknown_name") == []
        assert of(found, "lacking_name")[0]["message"].startswith("20 of 20 samples lack")
        named: dict[str, Any] = {"people": [{"kind": "user_id", "value": "rare"}]}
        found = (await draft(world, mail("{{ person.traits.vip_since }}"), **named))["findings"]
        assert of(found, "lacking_name")[0]["message"].startswith("20 of 21 samples lack")
        nobody = {"kind": "campaign", "body": {}, "people": [{"kind": "user_id", "value": "nobody"}]}
        assert (await refused(world, 404, "POST", CHECK, nobody))["place"] == "people"


async def test_without_people_it_says_so_and_checks_what_can_be() -> None:
    """Names that nobody could have are errors all the same."""
    async with serving() as world:
        found = (await draft(world, mail("{{ person.traits.first_nam }} {{ message.unsubscribe_url }}")))["findings"]
        assert [(each["severity"], each["message"]) for each in found] == [
            ("note", "there is no sample of 'person' yet, so its names are not checked")
        ]
        found = (await draft(world, mail("{{ preson.traits.x }}")))["findings"]
        assert (found[0]["code"], found[0]["hint"]) == ("unknown_name", "did you mean 'person'?")


async def test_names_of_events_are_those_of_late_or_of_what_messages_were_told() -> None:
    """A near miss is an error; what nothing of late has is a warning, as its data come with the message."""
    async with serving() as world:
        await people(world, 3, 0)
        order = {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "o1"}
        await world.post("/v1/track", order | {"properties": {"total": 5, "products": [{"name": "Shoe"}]}})
        world.clock.advance(60_000)
        text = "{{ event.properties.total }}{% for p in event.properties.products %}{{ p.nme }}{% endfor %}"
        found = of((await draft(world, mail(text)))["findings"], "unknown_name")
        assert [(each["severity"], each["hint"]) for each in found] == [("error", "did you mean 'name'?")]
        found = of((await draft(world, mail("{{ event.parcel }}")))["findings"], "unknown_name")
        assert [each["severity"] for each in found] == ["warning"]
        given: dict[str, Any] = {"data": {"parcel": "P1"}}
        assert of((await draft(world, mail("{{ event.parcel }}"), **given))["findings"], "unknown_name") == []
        found = of((await draft(world, mail("{{ event.parcl }}"), **given))["findings"], "unknown_name")
        assert [(each["severity"], each["hint"]) for each in found] == [("error", "did you mean 'parcel'?")]


async def test_entries_of_catalogues_and_offers_are_checked_by_real_ones() -> None:
    """By name of the catalogue as it is written, and by the terms of the offers that the item has."""
    async with serving() as world:
        await people(world, 3, 0)
        await good(world, "PUT", "/v1/catalogues/products", {"fields": {"title": {"type": "text"}}})
        await good(world, "PUT", "/v1/catalogues/products/items/s1", {"fields": {"title": "Shoe", "colour": "red"}})
        world.clock.advance(60_000)
        text = "{% set p = catalogue('products', 's1') %}{{ p.title }} {{ p.colour }} {{ p.pryce }} {{ p.titel }}"
        found = of((await draft(world, mail(text)))["findings"], "unknown_name")
        assert [each["message"] for each in found] == [
            "no sample has 'catalogue().products[].pryce'", "no sample has 'catalogue().products[].titel'"
        ]  # fmt: skip
        found = of((await draft(world, mail("{{ offer.titel }} {{ offer.code }}")))["findings"], "unknown_name")
        assert [each["hint"] for each in found] == ["did you mean 'title'?"]


async def test_a_text_message_is_measured_while_it_is_written() -> None:
    """Parts, encoding, which characters make it dear, and what it costs."""
    async with serving() as world:
        await people(world, 3, 0)
        told = await draft(world, {"text": {"default": "Hi", "@sms": "Hello {{ person.traits.first_name }} – bye ✓"}})
        (sms,) = [each["sms"] for each in told["measures"] if each["channel"] == "sms"]
        assert (sms["encoding"], sms["parts"], sms["odd"], sms["cost"]) == ("UCS-2", 1, ["–", "✓"], None)
        text = {"text": {"default": "x", "@sms": "x" * 200}}
        plain = await draft(world, text, kind="fragment")
        assert plain["measures"][0]["sms"]["parts"] == 2
        config = {"sender": "Shop <a@shop.example>", "bounces": "b.shop.example", "host": "127.0.0.1"}
        body = {"component": "smtp", "config": config, "price": {"amount": 0.07, "currency": "EUR"}}
        await good(world, "PUT", "/v1/connections/texts", body)
        priced = await draft(world, text, connection="texts")
        (sms,) = [each["sms"] for each in priced["measures"] if each["channel"] == "sms"]
        assert (sms["parts"], sms["cost"], sms["currency"]) == (2, 0.14, "EUR")
        (found,) = of(priced["findings"], "parts")
        assert found["message"].startswith("the message takes 2 parts and costs 0.14 EUR a person")
        assert (await refused(world, 404, "POST", CHECK, {"kind": "fragment", "body": {}, "connection": "text"}))[
            "hint"
        ] == "did you mean 'texts'?"


async def test_mails_and_push_messages_are_measured_too() -> None:
    """In bytes, with what is seen."""
    async with serving() as world:
        told = await draft(world, mail("Hi") | {"title": {"@push": "T"}, "text": {"@push": "y" * 300}})
        by_channel = {each["channel"]: each for each in told["measures"]}
        assert by_channel["email"]["mail"]["bytes_max"] == 104_448
        assert by_channel["email"]["mail"]["subject_chars"] == 5
        assert [each["platform"] for each in by_channel["push"]["push"]] == ["android", "ios"]
        assert {each["place"] for each in of(told["findings"], "length")} == {"fields.text.@push"}


async def test_what_somebody_told_of_themselves_is_in_no_finding() -> None:
    """Nor can they keep an item back by it: who is one of many makes a warning."""
    async with serving() as world:
        await people(world, 20, 0)
        traits = {"first_name": "ℵ" * 900 + "\nSecret", "city": "{{ now }}<b>"}
        await world.post("/v1/identify", {"type": "identify", "userId": "u3", "messageId": "h", "traits": traits})
        world.clock.advance(60_000)
        texts = {"@sms": "Hi {{ person.traits.first_name }}", "default": "x"}
        fields = mail("{{ person.traits.city }}") | {"text": texts}
        fields["subject"] = {"default": "Dear {{ person.traits.first_name }}"}
        told = await draft(world, fields)
        assert "ℵ" not in str(told)
        assert "Secret" not in str(told)
        assert {each["severity"] for each in told["findings"]} == {"warning"}
        assert [each["message"].rpartition("(")[2] for each in of(told["findings"], "subject")] == ["1 of 20 samples)"]


async def test_what_is_printed_is_held_against_its_sheet_and_measured(tmp_path: Path) -> None:
    """A draft, what is saved and what is published alike: pixels of pictures, boxes of documents."""
    picture = bytes(pyvips.Image.black(1748, 1240, bands=3).copy(interpretation="srgb").jpegsave_buffer())
    async with serving(data=str(tmp_path)) as world:
        card = (await good(world, "POST", "/v1/assets", picture))["sha256"]
        fields = {"file": {"default": card}, "alt": {"default": "A boot"}, "print": {"format": "din-a5"}}
        told = await draft(world, fields, kind="image")
        (few,) = of(told["findings"], "print")
        assert (few["severity"], few["hint"]) == ("error", "use one of 1819 × 2551 pixels")
        assert told["measures"][0]["print"]["dpi"] == 146
        assert (await write(world, "image/boot", fields=fields))["findings"] == [few]
        blocked = await refused(world, 409, "POST", f"{ITEMS}/image/boot/publish", {})
        assert [each["finding"] for each in blocked["findings"]] == [few]
        fields["print"] = {"format": "din-a6", "landscape": True, "bleed_mm": 0}
        saved = await write(world, "image/boot", 1, fields=fields)
        assert (saved["findings"], saved["measures"][0]["print"]["bleed"]) == ([], [148.0, 105.0])
        assert await publish(world, "image/boot") == 1
        wrong = await refused(world, 400, "POST", CHECK, {"kind": "image", "body": {"fields": {"print": {}}}})
        assert wrong["place"] == "fields.print"


async def test_a_document_is_printed_by_its_boxes(tmp_path: Path) -> None:
    """One that can't be read is warned of."""
    async with serving(data=str(tmp_path)) as world:
        for number, (content, message) in enumerate(
            [
                (one_page(f"/MediaBox {CARD} /TrimBox {CARD_TRIM}"), None),
                (one_page(f"/MediaBox {CARD_TRIM}"), "the page has no bleed: it is 148 × 105 mm"),
                (b"%PDF-1.7 of ours", "the pages of the document can't be read"),
            ]
        ):
            digest = (await good(world, "POST", "/v1/assets", content))["sha256"]
            sheet = {"format": "din-a6", "landscape": True}
            fields = {"file": {"default": digest}, "title": {"default": f"Card {number}"}, "print": sheet}
            told = await draft(world, fields, kind="document")
            found = of(told["findings"], "print")
            assert [each["message"].startswith(message) for each in found] == ([] if message is None else [True])
            assert told["measures"][0]["print"]["pages"] == (None if number == 2 else 1)


async def test_a_locale_that_is_missing_is_warned_of_and_an_error_where_it_is_asked_for() -> None:
    """By the workflow."""
    async with serving() as world:
        fields = {"title": {"default": "We open", "de": "Wir öffnen"}, "summary": {"default": "Soon"}}
        found = of((await draft(world, fields, kind="news"))["findings"], "locale")
        assert [(each["severity"], each["place"]) for each in found] == [("warning", "fields.summary")]
        assert found[0]["message"] == "summary is not said in de; who reads that gets it in en"
        rule = {"kinds": ["news"], "locales": ["de", "fr"]}
        await good(world, "PUT", "/v1/content/workflow", {"translations": [rule]})
        found = of((await draft(world, fields, kind="news"))["findings"], "locale")
        assert [(each["severity"], each["place"]) for each in found] == [
            ("error", "fields.summary"), ("error", "fields.summary"), ("error", "fields.title"),
        ]  # fmt: skip


async def test_two_hundred_findings_are_told_and_no_more_and_a_service_mail_needs_no_way_out() -> None:
    """The errors first."""
    async with serving() as world:
        await people(world)
        blocks = [{"type": "image", "src": "http://shop.example/a.png"} for _ in range(300)]
        fields = {"subject": {"default": "x"}, "blocks": {"default": blocks, "de": blocks}, "purpose": "service"}
        found = (await draft(world, fields))["findings"]
        assert len(found) == 201
        assert {each["severity"] for each in found[:200]} == {"error"}
        assert (found[-1]["code"], of(found, "unsubscribe")) == ("more", [])


async def test_templates_of_other_systems_are_translated() -> None:
    """With what could not be, its place and why; what comes out can be read, or it is said where not."""
    async with serving() as world:
        asked = {"original": "liquid", "text": "Hi {{ ${first_name} | default: 'you' }}!\n{% connected_content x %}"}
        told = await good(world, "POST", "/v1/content/translate", asked)
        assert told["text"].startswith("Hi {{ (person.traits.first_name | default('you', true)) }}!")
        assert [(each["severity"], each["place"]) for each in told["findings"]] == [("error", "line 2, column 1")]
        asked = {"original": "handlebars", "text": "{{#each items}}{{this.name}}{{/each}}"}
        told = await good(world, "POST", "/v1/content/translate", asked)
        assert "{% for " in told["text"]
        assert (await refused(world, 400, "POST", "/v1/content/translate", {"original": "erb", "text": ""}))["place"]
        long = {"original": "liquid", "text": "x" * 200_001}
        assert (await refused(world, 413, "POST", "/v1/content/translate", long))["place"] == "text"
