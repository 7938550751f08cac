"""Mails of blocks: read with their faults told, compiled to HTML and text that say the same, tags intact."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.content.blocks import BLOCKS, Theme, read_fragment, read_mail
from courtesy.content.contrast import NORMAL_LEAST, contrast
from courtesy.content.mail import Compiled, FragmentText, compile_mail, tidied
from courtesy.content.marks import Marks
from courtesy.content.rich_text import as_html, as_text
from courtesy.content.scope import Scope
from courtesy.content.templates import compile_template

SCOPE = Scope(
    person={"traits": {"first_name": "Ann & <Bo>", "vip": True}},
    event={"total": 5, "products": [{"name": "Shoe", "price": 9.5, "sku": "s1"}, {"name": "Hat", "price": 1}]},
    placements={"hero": {"title": "Spring", "text": "10 % off", "url": "https://shop.example/o"}},
    message={"unsubscribe_url": "https://l.example/u", "preferences_url": "https://l.example/p"},
    locale="de",
)  # fmt: skip


def compiled(*blocks: Any, locale: str = "de", **fields: Any) -> Compiled:
    """A mail of blocks, compiled."""
    raw = json.dumps({"subject": "Hi", "blocks": blocks, **fields}).encode()
    return compile_mail(read_mail(raw), locale)


def both(mail: Compiled, scope: Scope = SCOPE) -> tuple[str, str]:
    """Both parts for one person."""
    html = compile_template(mail.html, html=True).render(scope).text
    return html, tidied(compile_template(mail.text, html=False).render(scope).text)


class Words(HTMLParser):
    """What a reader of HTML sees, and the tags that are open where it ends."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.tables: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append(dict(attrs))
        if tag == "img":
            self.words += (dict(attrs).get("alt") or "").split()
        if tag not in ("img", "meta", "br", "hr", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self.words += data.split()


def text(value: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": value}


def test_the_two_parts_of_a_mail_say_the_same() -> None:
    """Both are written from the same tree, with the same decisions."""
    mail = compiled(
        {"type": "heading", "text": "Hello {{ person.traits.first_name }}"},
        text("**Bold** and *thin* < 3\n\n- one\n- two"),
        {"type": "image", "src": "https://cdn.example/a.png", "alt": 'A "red" shoe ❤️'},
        {
            "type": "loop",
            "each": "p",
            "of": "event.products",
            "blocks": [text("{{ p.name }} {{ p.price | money }}")],
        },
        {
            "type": "condition",
            "branches": [{"when": "event.total > 3 and event.total < 9", "blocks": [text("between")]}],
            "otherwise": [text("beyond")],
        },
        {"type": "columns", "columns": [{"blocks": [text("left")], "width": 40}, {"blocks": [text("right")]}]},
        {"type": "placement", "name": "nothing", "otherwise": [text("no offer")]},
    )
    html, plain = both(mail)
    sign = re.compile(r"^(-|https?:.*)$")
    assert [each for each in plain.split() if not sign.match(each)] == Words(html).words
    assert "Ann &amp; &lt;Bo&gt;" in html
    assert "between" in html
    assert "beyond" not in html


def test_a_table_stays_a_table_whatever_is_decided_in_it() -> None:
    """Statements stand between rows, where a reader of HTML would throw text out of the table."""
    mail = compiled(
        {
            "type": "section",
            "blocks": [
                {"type": "loop", "each": "p", "of": "event.products", "limit": 1, "blocks": [text("{{ p.name }}")]},
                {"type": "condition", "branches": [{"when": "event.total", "blocks": [text("x")]}]},
            ],
        },
        {"type": "loop", "each": "p", "of": "event.products", "blocks": [{"type": "section", "blocks": [text("in")]}]},
    )
    html, _ = both(mail)
    seen = Words(html)
    assert seen.open == []
    assert seen.words == ["Shoe", "x", "in", "in"]
    assert re.search(r"<tbody>\{% for p in \(event.products\)\[:1\] %\}<tr>", mail.html)


def test_a_mail_can_be_read_by_those_who_do_not_see_it() -> None:
    """Language, direction, layout tables that are not read out, dark colours, preheader."""
    mail = compiled(text("Hi"), locale="ar-EG", preheader="For {{ person.traits.first_name }}")
    html, _ = both(mail)
    assert html.startswith('<!DOCTYPE html><html lang="ar-EG" dir="rtl"')
    assert {each.get("role") for each in Words(html).tables} == {"presentation"}
    assert 'name="color-scheme" content="light dark"' in html
    assert "prefers-color-scheme: dark" in html
    assert "For Ann &amp; &lt;Bo&gt;</div>" in html
    assert "<title>Hi</title>" in html
    assert 'aria-label="Hi"' in html


def test_the_colours_of_a_mail_can_be_read_by_light_and_in_the_dark() -> None:
    """Texts, links and buttons, and the form of a button on what is behind it; the dark ones are in the mail."""
    theme = Theme()
    for ink, behind in (
        (theme.colour, theme.surface), (theme.link, theme.surface), (theme.button_colour, theme.button),
        (theme.button, theme.surface), (theme.dark_colour, theme.dark_surface), (theme.dark_link, theme.dark_surface),
        (theme.dark_button_colour, theme.dark_button), (theme.dark_button, theme.dark_surface),
    ):  # fmt: skip
        assert contrast(ink, behind) >= NORMAL_LEAST, (ink, behind)
    go = {"type": "button", "text": "Go", "link": "https://shop.example"}
    html = compiled(go, {**go, "background": "#7a0000"}).html
    assert html.count('class="press"') == 1, "what is coloured by hand keeps its colours"
    said = f".press a {{ background-color: {theme.dark_button} !important; color: {theme.dark_button_colour} !important"
    assert said in html


def test_a_footer_speaks_the_language_of_the_mail() -> None:
    """Unless the mail has labels of its own."""
    footer = {"type": "footer", "text": "Firma AG\nBern", "preferences": "Mehr"}
    html, plain = both(compiled(footer, locale="de-CH"))
    assert 'href="https://l.example/u"' in html.replace("&#x2f;", "/")
    assert plain.splitlines() == [
        "-- ",
        "Firma AG",
        "Bern",
        "Abmelden: https://l.example/u",
        "Mehr: https://l.example/p",
    ]


def test_an_offer_at_a_placement_has_a_form_of_its_own() -> None:
    """Blocks may say otherwise."""
    _, plain = both(compiled({"type": "placement", "name": "hero"}))
    assert plain == "Spring\n\n10 % off\n\nSpring: https://shop.example/o\n"


def test_fragments_are_put_in_with_the_locale_that_they_are_in() -> None:
    """Also fragments in fragments; one that holds itself is refused."""
    inner = read_fragment(b'[{"type": "text", "text": "inner"}]')
    outer = read_fragment(b'[{"type": "fragment", "name": "inner"}, {"type": "text", "text": "outer"}]')
    endless = read_fragment(b'[{"type": "fragment", "name": "endless"}]')
    fragments = {"inner": FragmentText(inner, "de"), "outer": FragmentText(outer), "endless": FragmentText(endless)}
    mail = read_mail(
        b'{"subject": "x", "blocks": [{"type": "section", "blocks": [{"type": "fragment", "name": "outer"}]}]}'
    )
    made = compile_mail(mail, "de-CH", fragments.get)
    assert (made.text, made.fragments) == ("inner\n\nouter\n", {"outer": "", "inner": "de"})
    for name in ("endless", "none"):
        mail = read_mail(json.dumps({"subject": "x", "blocks": [{"type": "fragment", "name": name}]}).encode())
        with pytest.raises(CourtesyError) as caught:
            compile_mail(mail, "de", fragments.get)
        assert caught.value.place == "/blocks/0"


@pytest.mark.parametrize(
    ("blocks", "place", "said"),
    [
        ([{"type": "txt"}], "/blocks/0/type", "there is no block 'txt'"),
        ([{"type": "text"}], "/blocks/0", "the field 'text' is missing"),
        ([{"type": "text", "text": 3}], "/blocks/0/text", "expected str, found int"),
        ([{"type": "text", "text": "", "x": 1}], "/blocks/0", "there is no field 'x' here"),
        ([{"type": "divider", "colour": "red"}], "/blocks/0/colour", "expected a colour such as '#1a2b3c'"),
        ([{"type": "heading", "text": "", "align": "middle"}], "/blocks/0/align", "expected 'left'"),
        ([{"type": "loop", "each": "A b", "of": "x", "blocks": []}], "/blocks/0/each", "expected a word of"),
        (
            [{"type": "section", "blocks": [{"type": "columns", "columns": [{"blocks": []}]}]}],
            "/blocks/0/blocks/0",
            "columns can't stand in a section",
        ),
        (
            [{"type": "columns", "columns": [{"blocks": [{"type": "loop", "each": "p", "of": "x", "blocks": [
                {"type": "section", "blocks": []}]}]}]}],
            "/blocks/0/columns/0/blocks/0/blocks/0",
            "a section can't stand in a column",
        ),
    ],
)  # fmt: skip
def test_a_fault_in_a_mail_is_told_in_plain_words_with_its_place(blocks: Any, place: str, said: str) -> None:
    """An editor shows it at the block."""
    with pytest.raises(CourtesyError) as caught:
        read_mail(json.dumps({"subject": "x", "blocks": blocks}).encode())
    assert (caught.value.place, caught.value.message[: len(said)]) == (place, said)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"subject": "x", "blocks": ' + b"[" * 100_000])
def test_what_is_no_mail_is_refused(raw: bytes) -> None:
    """Also by a depth that would overflow a stack."""
    with pytest.raises(CourtesyError):
        read_mail(raw)


def test_a_tree_that_is_too_deep_or_too_large_is_refused() -> None:
    """Bounds are on blocks, not on bytes alone."""
    deep: Any = text("x")
    for _ in range(14):
        deep = {"type": "condition", "branches": [{"when": "1", "blocks": [deep]}]}
    for blocks in ([deep], [text("x")] * 1_001):
        with pytest.raises(CourtesyError, match="at most"):
            read_mail(json.dumps({"subject": "x", "blocks": blocks}).encode())


def test_every_kind_of_block_compiles_to_both_parts() -> None:
    """No kind is forgotten: a canary for a new one."""
    examples: dict[str, Any] = {
        "section": {"blocks": [text("a")], "background": "#ffeeaa", "padding": 10},
        "columns": {"columns": [{"blocks": [text("a")]}, {"blocks": []}], "keep": True},
        "text": {"text": "a", "align": "center", "colour": "#112233", "size": 20},
        "heading": {"text": "a", "level": 3},
        "image": {"src": "https://a.example/a.png", "alt": "a", "link": "https://a.example", "width": 200},
        "button": {"text": "a", "link": "https://a.example", "background": "#112233"},
        "divider": {},
        "spacer": {"height": 5},
        "social": {"links": [{"name": "a", "link": "https://a.example", "icon": "https://a.example/i.png"}]},
        "raw": {"html": "<p>a</p>", "text": "a"},
        "footer": {"text": "a", "web_version": True},
        "condition": {"branches": [{"when": "1", "blocks": [text("a")]}]},
        "loop": {"each": "p", "of": "[1]", "blocks": [text("a")]},
        "placement": {"name": "hero"},
        "fragment": {"name": "f"},
    }
    assert list(examples) == [each.__struct_config__.tag for each in BLOCKS]
    fragment = FragmentText(read_fragment(b'[{"type": "text", "text": "a"}]'))
    for kind, fields in examples.items():
        raw = json.dumps({"subject": "x", "blocks": [{"type": kind, **fields}]}).encode()
        html, plain = both(compile_mail(read_mail(raw), "en", lambda _: fragment))
        assert Words(html).open == []
        assert plain.strip() or kind == "spacer"


HOSTILE = st.text(alphabet="ab<>&\"'⟦0⟧*[]()-_\\\n {}%é😀‍️\u200b", max_size=30)


@settings(max_examples=60)
@given(HOSTILE, HOSTILE)
def test_no_text_breaks_the_page_or_is_lost(first: str, second: str) -> None:
    """Signs of HTML, MJML and of our own marks in texts are texts."""
    fields = [each.replace("{", "(").replace("}", ")").replace("%", "") for each in (first, second)]
    mail = compiled(
        text(fields[0]), {"type": "image", "src": "https://a.example/{{ event.total }}", "alt": fields[1] + "."},
        {"type": "button", "text": "{{ event.total }}", "link": "https://a.example/"}, subject=fields[0],
    )  # fmt: skip
    html, plain = both(mail)
    seen = Words(html)
    assert seen.open == []
    assert seen.words[-1] == "5"
    assert [*seen.words[-2 - len((fields[1] + ".").split()) + 1 : -1]] == (fields[1] + ".").split()
    assert plain.endswith("5: https://a.example/\n")


TAGS = st.lists(
    st.sampled_from(
        ["{{ now }}", "{{ 'a}}b' }}", "{% if now %}", '{{ "⟦0⟧" }}', "{# } #}", "{% raw %}", "text ", "⟦7⟧", "{", "%}"]
    )
).map("".join)


@given(TAGS)
def test_tags_come_back_as_they_were(source: str) -> None:
    """Whatever is done to the text around them."""
    marks = Marks()
    assert marks.back(marks.mask(source)) == source
    marks = Marks()
    assert marks.back(marks.mask(source).upper().lower()) == source.lower() or source != source.lower()


@pytest.mark.parametrize(
    ("source", "html", "plain"),
    [
        ("a\nb\n\nc", "<p>a<br/>b</p><p>c</p>", "a\nb\n\nc"),
        ("**a *b* c**", "<p><strong>a <em>b</em> c</strong></p>", "a b c"),
        ("x:\n- a\n- b\ny", "<p>x:</p><ul><li>a</li><li>b</li></ul><p>y</p>", "x:\n\n- a\n- b\n\ny"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ("[a](https://x.example)", '<p><a href="https://x.example">a</a></p>', "a: https://x.example"),
        (r"\*a\* 2*3*4", "<p>*a* 2<em>3</em>4</p>", "*a* 234"),
        ("a < b & c", "<p>a &lt; b &amp; c</p>", "a < b & c"),
        ("{{ now if 1 < 2 }} **{{ now }}**", "<p>{{ now if 1 < 2 }} <strong>{{ now }}</strong></p>",
         "{{ now if 1 < 2 }} {{ now }}"),
    ],
)  # fmt: skip
def test_the_text_of_a_block_is_html_and_plain_text(source: str, html: str, plain: str) -> None:
    """One source, two forms."""
    marks = Marks()
    assert (marks.back(as_html(source, marks)), as_text(source)) == (html, plain)
