"""Checks before publishing: each barks at what it is for, and a good mail has no findings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from courtesy.content.blocks import read_mail
from courtesy.content.checks import check_mail
from courtesy.content.contrast import contrast
from courtesy.content.findings import MEANING, Check, Finding, Severity, publishable
from courtesy.content.links import Slot
from courtesy.content.made_mail import make_mail
from courtesy.content.sampling import Expectations, likeness
from courtesy.content.scope import Scope
from courtesy.content.templates import Language

FOOTER = {"type": "footer", "text": "Shop AG, Bern"}
MESSAGE = {"unsubscribe_url": "https://l.shop.example/u", "preferences_url": "https://l.shop.example/p"}
SAMPLES = [
    Scope(
        person={"traits": {"first_name": "Ann", "city": "Bern"}},
        event={"items_bought": [{"name": "A"}]},
        message=MESSAGE,
    ),
    Scope(person={"traits": {"city": "Basel"}}, event={"items_bought": []}, message=MESSAGE),
]


@dataclass(frozen=True)
class Checked:
    """What was found, and the slots of its links."""

    findings: list[Finding]
    slots: tuple[Slot, ...] = ()


def checked(*blocks: Any, wanted: Expectations | None = None, **fields: Any) -> Checked:
    """The findings of a mail that is fine but for these blocks and fields."""
    mail = {"subject": "Hello", "preheader": "What is new this week in the shop for you", "blocks": [*blocks, FOOTER]}
    return of(mail | fields, wanted or Expectations(hosts=("shop.example",), samples=SAMPLES))


def of(mail: dict[str, Any], wanted: Expectations) -> Checked:
    """The findings of a mail."""
    made = make_mail(read_mail(json.dumps(mail).encode()), "en")
    return Checked(check_mail(made, wanted), made.linked.slots)


def text(value: str, **fields: Any) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": value, **fields}


def button(link: str, **fields: Any) -> dict[str, Any]:
    """A button that leads somewhere."""
    return {"type": "button", "text": "x", "link": link, **fields}


def image(**fields: Any) -> dict[str, Any]:
    """A picture."""
    return {"type": "image", "src": "https://shop.example/a.png", **fields}


def raw(html: str, plain: str = "") -> dict[str, Any]:
    """HTML of one's own."""
    return {"type": "raw", "html": html, "text": plain}


def test_a_good_mail_has_no_findings_and_can_be_published() -> None:
    """Nobody is taught to ignore findings."""
    found = checked(
        text("Hi {{ person.traits.first_name | default('you') }} in {{ person.traits.city }}"),
        {"type": "image", "src": "https://cdn.example.net/a.png", "alt": "A shoe",
         "link": "https://shop.example/a", "width": 500},
        {"type": "button", "text": "Look", "link": "https://www.shop.example/b?c={{ person.traits.city }}"},
        {"type": "loop", "each": "item", "of": "event.items_bought", "blocks": [text("{{ item.name }}")]},
    )  # fmt: skip
    assert found.findings == []
    assert publishable(found.findings)
    assert [each.shown for each in found.slots] == ["https://shop.example/a", "https://www.shop.example/b?c=…"]


def test_colours_for_the_dark_are_judged_too() -> None:
    """Those of the theme, for nobody who makes a mail by day sees them."""
    theme = {"dark_surface": "#202020", "dark_button": "#333333", "dark_button_colour": "#1a1a1a"}
    (found,) = checked(text("Hi"), theme=theme).findings
    assert (found.severity, found.code, found.place) == ("error", Check.CONTRAST, "/theme")
    assert found.message.startswith("a button in the dark #1a1a1a on #333333")


@pytest.mark.parametrize(
    ("block", "severity", "code", "place"),
    [
        (image(), "error", Check.ALT_TEXT, "/blocks/0/alt"),
        (image(alt="IMG_1.png"), "warning", Check.ALT_TEXT, "/blocks/0/alt"),
        (image(alt="x", width=900), "warning", Check.IMAGE_SIZE, "/blocks/0/width"),
        (raw("<img src='https://shop.example/a'>", "x"), "error", Check.ALT_TEXT, "/blocks/0/html"),
        (raw("<form></form>", ""), "error", Check.BLOCK, "/blocks/0/html"),
        (raw("<p>only here are these words</p>"), "warning", Check.TEXT_PART, "/blocks/0/text"),
        (text("grey", colour="#999999"), "error", Check.CONTRAST, "/blocks/0"),
        (button("https://shop.example", background="#ffee00"), "error", Check.CONTRAST, "/blocks/0"),
        ({"type": "section", "background": "#222222", "blocks": [text("dark")]}, "error", Check.CONTRAST,
         "/blocks/0/blocks/0"),
        (button("http://shop.example"), "error", Check.LINK, "/blocks/0/link"),
        (button("shop.example/a"), "error", Check.LINK, "/blocks/0/link"),
        (button("#"), "error", Check.LINK, "/blocks/0/link"),
        (button("https://shop"), "error", Check.LINK, "/blocks/0/link"),
        (button("https://other.example/"), "warning", Check.LINK, "/blocks/0/link"),
        (button("https://shop.example@other.example/"), "warning", Check.LINK, "/blocks/0/link"),
        (text("[a](http://shop.example)"), "error", Check.LINK, "/blocks/0/text"),
        (button("https://www.example.com/"), "error", Check.LINK, "/blocks/0/link"),
        (text("Lorem ipsum dolor"), "error", Check.BLOCK, "/blocks/0/text"),
        (text(" "), "warning", Check.BLOCK, "/blocks/0"),
        ({"type": "placement", "name": "hero"}, "error", Check.BLOCK, "/blocks/0"),
        (text("{{ persn.x }}"), "error", Check.UNKNOWN_NAME, "/blocks/0"),
        (text("{{ person.traits.fist_name }}"), "error", Check.UNKNOWN_NAME, "/blocks/0"),
        (text("{% if person.traits.fist_name %}x{% endif %}"), "error", Check.UNKNOWN_NAME, "/blocks/0"),
        (text("{{ person.traits.first_name }}"), "warning", Check.LACKING_NAME, "/blocks/0/text, line 1, column 4"),
        (text("{% for p in event.items_bought %}{{ p.nme }}{% endfor %}"), "error", Check.UNKNOWN_NAME, "/blocks/0"),
        (text("{% for p in event.items_bought %}{% set q = p %}{{ q.nme }}{% endfor %}"), "error",
         Check.UNKNOWN_NAME, "/blocks/0"),
        (text("{{ now | mony }}"), "error", Check.TEMPLATE, "/blocks/0/text, line 1, column 10"),
        (text("x" * 110_000), "error", Check.SIZE, "/html"),
    ],
)  # fmt: skip
def test_a_block_that_is_not_fit_is_found(block: Any, severity: str, code: Check, place: str) -> None:
    """Each with what is wrong and where."""
    if block.get("text") == "x" * 110_000:
        block = {"type": "section", "blocks": [text("x " * 20_000)] * 3}
    found = checked(block).findings
    assert (severity, code) in [(str(each.severity), each.code) for each in found if each.place.startswith(place)]


def test_what_was_probably_meant_is_said() -> None:
    """From the names that real people have."""
    (found,) = checked(text("{{ person.traits.fist_name }}")).findings
    assert (found.message, found.hint) == ("no sample has 'person.traits.fist_name'", "did you mean 'first_name'?")
    assert found.place == "/blocks/0/text, line 1, column 4"


def test_a_name_with_a_default_of_the_language_is_not_lacking() -> None:
    """Defaults may stand in the template or beside it."""
    language = Language(defaults={"person.traits.first_name": "you"})
    wanted = Expectations(hosts=("shop.example",), samples=SAMPLES, language=language)
    assert checked(text("{{ person.traits.first_name }}"), wanted=wanted).findings == []


def test_subject_preheader_and_the_way_out_are_checked() -> None:
    """Service messages need no way to unsubscribe."""
    mail = {"subject": "", "blocks": [text("a")]}
    found = of(mail, Expectations()).findings
    assert {each.code for each in found} == {Check.SUBJECT, Check.PREHEADER, Check.UNSUBSCRIBE}
    service = of(mail, Expectations(marketing=False)).findings
    assert Check.UNSUBSCRIBE not in {each.code for each in service}
    assert checked(subject="BUY NOW AND SAVE").findings[0].message == "the subject is in capitals, as spam is"
    assert checked(subject="x" * 61).findings[0].code is Check.SUBJECT
    assert checked(subject="{{ person.traits.first_name }}").findings[0].severity is Severity.ERROR


def test_a_link_that_differs_as_a_whole_needs_known_domains() -> None:
    """Otherwise it could lead anywhere."""
    sample = Scope(event={"url": "https://shop.example/"}, message=MESSAGE)
    block = button("{{ event.url }}")
    assert checked(block, wanted=Expectations(samples=[sample])).findings[0].code is Check.LINK
    assert checked(block, wanted=Expectations(samples=[sample], hosts=["shop.example"])).findings == []


def test_likeness_is_that_of_words() -> None:
    """Styles, addresses and hidden words do not count; alt texts do."""
    html = "<head><style>p{}</style></head><p>One <b>two</b></p><img alt='three' src='x'><!-- four -->"
    assert likeness(html, "One two\nthree https://a.example/b") == 1.0
    assert likeness(html, "something else") == 0.0
    assert likeness("", "") == 1.0


def test_contrast_is_that_of_the_standard() -> None:
    """The examples of WCAG: black on white 21, #777777 on white just below 4.5."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#ff0000", "#ff0000") == 1


def test_every_check_has_a_meaning() -> None:
    """The docs list them."""
    assert MEANING.keys() == set(Check)
