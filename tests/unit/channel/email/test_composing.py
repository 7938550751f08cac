"""What is composed is what Python's own parser reads back; and no value becomes a header of its own."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.base.errors import Code, CourtesyError
from courtesy.channel.email.composing import composed
from courtesy.channel.email.letter import Letter
from tests.unit.channel.email.letters import FULL, letter


def parsed(written: Letter) -> EmailMessage:
    """The message of a letter, read by an independent parser."""
    return message_from_bytes(composed(written).content, policy=policy.default)


def body(message: EmailMessage, kind: str) -> str:
    """The text or the HTML of a message."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_letter_has_all_that_mailbox_providers_ask_for() -> None:
    """Date, id, both ways to unsubscribe with one click among them, list and feedback ids, and two parts."""
    message = parsed(FULL)
    assert {name: str(value) for name, value in message.items()} == {
        "From": "Shoes & More <hello@shop.example>",
        "To": "Ann <ann@home.example>",
        "Subject": "Your shoes are waiting",
        "Date": "Sat, 22 Nov 2025 03:04:05 +0000",
        "Message-ID": "<20251122.1@shop.example>",
        "Reply-To": "people@shop.example",
        "List-Id": "<news.shop.example>",
        "List-Unsubscribe": "<https://go.shop.example/u/abc>, <mailto:unsubscribe@shop.example?subject=abc>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Feedback-ID": "autumn:a:marketing:shop",
        "Content-Language": "en",
        "MIME-Version": "1.0",
        "Content-Type": message["content-type"],
    }
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert (body(message, "plain"), body(message, "html")) == (FULL.text, FULL.html)


def test_a_letter_of_text_alone_has_one_part() -> None:
    """And says that a machine wrote it, when it answers something."""
    message = parsed(letter(html="", is_automatic=True))
    assert (message.get_content_type(), message["auto-submitted"]) == ("text/plain", "auto-generated")
    assert body(message, "plain") == FULL.text


def test_the_same_letter_is_the_same_message() -> None:
    """Nothing in it is left to chance, so a letter can be composed again."""
    assert composed(FULL) == composed(FULL)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Co", "Cn")), max_size=300)


def decoded(header: str) -> str:
    """A header as people read it."""
    return str(make_header(decode_header(header)))


def collapsed(text: str) -> str:
    """What may differ without a difference: blanks."""
    return " ".join(text.split())


@settings(max_examples=40)
@given(subject=TEXT, name=TEXT)
def test_any_subject_and_name_come_back_as_they_were(subject: str, name: str) -> None:
    """In whatever script, with quotation marks and what looks like an encoded word."""
    content = composed(letter(subject=subject, from_name=name)).content
    # Python 3.11's newer parser puts a blank between two encoded words of a name, which RFC 2047 forbids.
    message = message_from_bytes(content, policy=policy.compat32)
    assert collapsed(decoded(message["subject"])) == collapsed(subject)
    told, mailbox = parseaddr(" ".join(message["from"].split()))
    assert (collapsed(decoded(told)), mailbox) == (collapsed(name), "hello@shop.example")


@settings(max_examples=40)
@given(text=st.text(min_size=1, max_size=400), html=st.text(min_size=1, max_size=400))
def test_any_content_comes_back_with_the_line_ends_of_mail(text: str, html: str) -> None:
    """Whatever is in it: dots at the beginning, boundaries, very long lines, half a surrogate pair."""
    content = composed(letter(text=text, html=html)).content
    parts = [part.get_payload(decode=True) for part in message_from_bytes(content, policy=policy.default).iter_parts()]
    for part, told in zip(parts, (text, html), strict=True):
        lines = told.replace("\r\n", "\n").replace("\n", "\r\n")
        assert part == lines.encode("utf-8", "replace")


@settings(max_examples=40)
@given(subject=st.text(max_size=400), name=st.text(max_size=300), extra=st.text(max_size=400))
def test_lines_are_short_and_headers_are_only_those_that_were_asked_for(subject: str, name: str, extra: str) -> None:
    """No line break in a value becomes a header; every line keeps to the limit of RFC 5322, most to 78 characters."""
    message = composed(letter(subject=subject, from_name=name, headers=(("X-Shop", extra),)))
    head, _, rest = message.content.partition(b"\r\n\r\n")
    assert all(len(line) <= 78 for line in head.split(b"\r\n"))
    assert b"\n" not in head.replace(b"\r\n", b"")
    names = [line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert names == [line.split(b":")[0] for line in composed(letter(headers=(("X-Shop", "x"),))).headers]
    assert all(len(line) <= 76 for line in rest.split(b"\r\n"))


@settings(max_examples=40)
@given(subject=st.text(max_size=200), text=st.text(min_size=1, max_size=500))
def test_a_body_is_already_as_dkim_reads_it(subject: str, text: str) -> None:
    """Relaxed canonicalisation would change nothing, which is why the signer does without it."""
    content = composed(letter(subject=subject, text=text)).body
    assert content.endswith(b"\r\n")
    assert not content.endswith(b"\r\n\r\n")
    assert re.search(rb"[ \t]{2}|[ \t]\r\n|\t|(?<!\r)\n|\r(?!\n)", content) is None
    assert not any(line.startswith(b".") for line in content.split(b"\r\n"))


def test_international_domains_are_written_in_ascii() -> None:
    """By IDNA 2008, so that ß is not ss; a name before the @ in another script needs a server that takes it."""
    message = composed(letter(from_address="hallo@straße.example", to="ann@bücher.example"))
    assert b"<hallo@xn--strae-oqa.example>" in message.headers[0]
    assert b"<ann@xn--bcher-kva.example>" in message.headers[1]
    assert not message.is_international
    assert composed(letter(to="jörg@shop.example")).is_international


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "ann@shop.example\r\nBcc: eve@shop.example"),
        ("to", "ann@shop.example, eve@shop.example"),
        ("to", "Ann <ann@shop.example>"),
        ("to", "ann@"),
        ("to", ""),
        ("to", "ann@sh op.example"),
        ("to", "ann@-.example"),
        ("to", "a" * 65 + "@shop.example"),
        ("to", "a@" + "b" * 64 + ".example"),
        ("from_address", "hello@shop.example\nX: y"),
        ("reply_to", "a@b@c"),
        ("message_id", "1@shop.example>\r\nX: <y"),
        ("message_id", ""),
        ("list_id", "news shop"),
        ("unsubscribe_url", "https://x.example/>,<https://y.example/"),
        ("unsubscribe_url", "https://x.example/" + "x" * 900),
        ("unsubscribe_mailto", "mailto:a@b.example\r\nX: y"),
        ("feedback_id", "a:b\r\nX: y"),
        ("locale", "de\nX: y"),
        ("text", ""),
        ("headers", (("Subject", "again"),)),
        ("headers", (("X-A", "1"), ("x-a", "2"))),
        ("headers", (("X A", "1"),)),
        ("headers", (("X-A:\r\nBcc", "1"),)),
    ],
)
def test_what_can_not_be_written_is_refused_with_its_place(field: str, value: Any) -> None:
    """No message is made of it, and the error names the field and not the address."""
    with pytest.raises(CourtesyError) as caught:
        composed(letter(**{field: value}))
    assert caught.value.code is Code.INVALID
    assert caught.value.place.startswith(field.removesuffix("_mailto").removesuffix("_url"))
    assert "eve" not in str(caught.value)
