"""What is made of an item when it is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from courtesy.content.compiling import compile_item
from courtesy.content.findings import Check, Severity, publishable
from courtesy.content.items import Body, ItemKey, checked
from courtesy.content.kinds import KINDS
from courtesy.content.release import Candidate, Compiled
from courtesy.content.scope import Scope
from courtesy.content.wording import Sheet, Wording, sheets_of

FOOTER = ItemKey("fragment", "footer")
WAY_OUT = {"type": "footer"}
HELLO = {"type": "text", "text": "Hello {{ person.traits.first_name | default('you') }}"}


def compiled(kind: str, fields: dict[str, Any], used: Mapping[ItemKey, Body] | None = None, **body: Any) -> Compiled:
    """An item of a kind, compiled."""
    whole = checked(KINDS[kind], Body(fields=fields, **body))
    return compile_item(Candidate(ItemKey(kind, "it"), KINDS[kind], 1, whole), used or {})


def mail(made: Compiled, locale: str = "") -> Sheet:
    """The mail in a locale, or for everybody else."""
    return sheets_of(made.artefacts)[locale, "email"]


def test_a_campaign_becomes_a_mail_for_each_locale_with_its_fragments_in_it() -> None:
    """In the locale of the mail, with tags untouched and links in slots."""
    footer = Body(fields={"text": {"default": "Bye", "de": "Tschüs"}})
    blocks = [
        HELLO,
        {"type": "button", "text": "Shop", "link": "https://shop.example/"},
        {"type": "fragment", "name": "footer"},
        WAY_OUT,
    ]
    made = compiled(
        "campaign", {"subject": {"default": "News", "fr": "Nouvelles"}, "blocks": {"default": blocks}}, {FOOTER: footer}
    )
    assert publishable(list(made.findings))
    assert sorted(made.artefacts) == ["@email", "fr@email"]
    plain, french = mail(made), mail(made, "fr")
    assert (plain.parts["subject"], french.parts["subject"]) == ("News", "Nouvelles")
    assert ('lang="en"' in plain.parts["html"], 'lang="fr"' in french.parts["html"]) == (True, True)
    assert "Bye" in plain.parts["html"]
    assert "{{ person.traits.first_name" in plain.parts["html"]
    assert [slot.pieces for slot in plain.slots] == [("https://shop.example/",)]
    parts, _ = Wording(plain).render(Scope(functions={"link": lambda number: f"<{number}>"}))
    assert "Hello you" in parts["text"]


def test_the_language_of_what_is_for_everybody_is_that_of_the_item() -> None:
    """So that screen readers read it right."""
    made = compiled("campaign", {"subject": {"default": "x"}, "blocks": {"default": [HELLO, WAY_OUT]}}, language="de")
    assert 'lang="de"' in mail(made).parts["html"]


def test_a_layout_has_what_the_campaign_lacks() -> None:
    """And what the campaign has goes before."""
    layout = Body(fields={"subject": {"default": "Layout"}, "blocks": {"default": [HELLO, WAY_OUT]}})
    fields = {"template": "template/layout", "subject": {"default": "Spring"}}
    made = compiled("campaign", fields, {ItemKey("template", "layout"): layout})
    assert (mail(made).parts["subject"], "Hello" in mail(made).parts["html"]) == ("Spring", True)


def test_what_can_not_be_read_is_found_at_its_place() -> None:
    """All of it at once."""
    fields = {
        "subject": {"default": "{{ preson.traits.name }}"},
        "text": {"default": "Hi", "de@sms": "{% if %}"},
        "blocks": {"default": [{"type": "heading", "text": "x"}, {"type": "buton"}]},
    }
    made = compiled("campaign", fields)
    places = {each.place.partition(",")[0]: each.code for each in made.findings if each.severity is Severity.ERROR}
    assert places["fields.subject.default"] is Check.UNKNOWN_NAME
    assert places["fields.text.de@sms"] is Check.TEMPLATE
    assert any(place.startswith("fields.blocks.default/1") for place in places)


def test_a_text_that_is_too_long_for_its_channel_is_found() -> None:
    """As far as it says the same to everybody."""
    made = compiled("fragment", {"text": {"default": "x" * 900, "@sms": "x" * 900, "@push": "y" * 5_000}})
    found = {(each.code, each.severity) for each in made.findings}
    assert (Check.PARTS, Severity.ERROR) in found
    assert (Check.SIZE, Severity.ERROR) in found
    assert compiled("fragment", {"text": {"default": "x" * 900}}).findings == ()


def test_a_version_keeps_the_fragments_that_its_texts_include() -> None:
    """So that it is rendered from itself, whatever becomes of them."""
    footer = Body(fields={"text": {"default": "Bye", "de": "Tschüs", "de@sms": "Ade"}})
    made = compiled(
        "news", {"title": {"default": "N"}, "text": {"default": "{% include 'footer' %}"}}, {FOOTER: footer}
    )
    texts = msgspec.json.decode(made.artefacts["fragments"], type=dict[str, dict[str, str]])
    assert texts == {"footer": {"default": "Bye", "de": "Tschüs", "de@sms": "Ade"}}


def test_a_message_says_its_fragments_in_the_words_for_its_channel() -> None:
    """Rendered from the version alone."""
    footer = Body(fields={"text": {"default": "Bye", "de": "Tschüs", "de@sms": "Ade"}})
    text = {"default": "{% include 'footer' %}", "de@sms": "Hi, {% include 'footer' %}"}
    made = sheets_of(compiled("campaign", {"text": text}, {FOOTER: footer}).artefacts)
    said = {key: Wording(sheet).render(Scope())[0]["text"] for key, sheet in made.items()}
    assert said["", "in_app"] == "Bye"
    assert said["de", "sms"] == "Hi, Ade"


def test_a_message_has_its_picture_with_words_in_each_locale() -> None:
    """By its file, so that a version goes on with the picture that it was published with."""
    boots = Body(fields={"file": {"default": "a" * 64}, "alt": {"default": "Boots", "de": "Stiefel"}})
    fields = {"text": {"default": "Look", "de": "Schau"}, "image": "image/boots"}
    made = sheets_of(compiled("campaign", fields, {ItemKey("image", "boots"): boots}).artefacts)
    assert made["", "in_app"].item["image"] == {"file": "a" * 64, "alt": "Boots"}
    assert made["de", "in_app"].item["image"] == {"file": "a" * 64, "alt": "Stiefel"}
