"""Limits of channels: parts of text messages, bytes of push messages and mails, bleed of prints."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.content.findings import Severity
from courtesy.content.limits import (
    MAIL_BYTES_MAX,
    PUSH_BYTES_MAX,
    Platform,
    PrintFormat,
    SmsTerms,
    check_mail_size,
    check_print,
    check_print_image,
    check_push,
    check_sms,
    payload,
)
from courtesy.content.sms import EXTENSION, ROOM, Encoding, encoding_of, in_gsm7, parts_of, units_of


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("", Encoding.GSM7, 1),
        ("a" * 160, Encoding.GSM7, 1),
        ("a" * 161, Encoding.GSM7, 2),
        ("€" * 80, Encoding.GSM7, 1),
        ("€" * 81, Encoding.GSM7, 2),
        ("€" * 152, Encoding.GSM7, 2),
        ("€" * 153, Encoding.GSM7, 3),
        ("a" * 306, Encoding.GSM7, 2),
        ("a" * 307, Encoding.GSM7, 3),
        ("ż" * 70, Encoding.UCS2, 1),
        ("ż" * 71, Encoding.UCS2, 2),
        ("😀" * 35, Encoding.UCS2, 1),
        ("😀" * 36, Encoding.UCS2, 2),
        ("😀" * 67, Encoding.UCS2, 3),
    ],
)
def test_a_text_message_takes_as_many_parts_as_networks_count(text: str, encoding: Encoding, count: int) -> None:
    """An escaped character that would be cut goes into the next part as a whole, and so does a surrogate pair."""
    parts = parts_of(text)
    assert (parts.encoding, len(parts.texts)) == (encoding, count)


@given(st.text(alphabet=st.sampled_from("aé€[ż😀\n") | st.characters(exclude_categories=["Cs"]), max_size=700))
def test_parts_join_to_the_text_fit_and_cut_no_character(text: str) -> None:
    """Every part can be sent by itself, and none is larger than may be."""
    parts = parts_of(text)
    assert "".join(parts.texts) == text
    room = ROOM[parts.encoding][len(parts.texts) > 1]
    sizes = [sum(units_of(char, parts.encoding) for char in each) for each in parts.texts]
    assert max(sizes) <= room
    assert sum(sizes) == parts.units
    assert room - sizes[-1] == parts.left
    if parts.encoding is Encoding.UCS2:
        assert [len(each.encode("utf-16-be")) // 2 for each in parts.texts] == sizes


def test_what_makes_a_message_dear_is_named() -> None:
    """One typographic quote turns one part into two."""
    report = check_sms("Don’t miss it: " + "a" * 100, SmsTerms(Decimal("0.075")))
    assert (len(report.parts.texts), report.cost) == (2, Decimal("0.150"))
    assert [each.message for each in report.findings] == [
        "the message takes 2 parts and costs 0.150 EUR a person",
        "without ’ it would take 1",
    ]
    assert check_sms("a" * 500, SmsTerms(parts_max=3)).findings[0].severity is Severity.ERROR
    assert check_sms("Hi", SmsTerms()).findings == []


@given(st.text(max_size=50))
def test_what_gsm_7_has_is_left_alone(text: str) -> None:
    """Only what would make a message dear is written otherwise, and what can be is cheap afterwards."""
    changed = in_gsm7(text)
    if encoding_of(text) is Encoding.GSM7:
        assert changed == text
    assert in_gsm7(changed) == changed
    assert encoding_of(in_gsm7("“á”…—ž’ 1\u00a0000")) is Encoding.GSM7
    assert "€" in EXTENSION


@pytest.mark.parametrize("platform", list(Platform))
def test_a_push_message_is_too_large_from_the_byte_at_which_it_is_refused(platform: Platform) -> None:
    """Bytes are counted as sent, so an umlaut counts twice."""
    room = PUSH_BYTES_MAX - len(payload("Hi", "", platform)) - (103 if platform is Platform.BROWSER else 0)
    fits = "ä" * (room // 2) + "a" * (room % 2)
    assert [each for each in check_push("Hi", fits, platform) if each.severity is Severity.ERROR] == []
    assert check_push("Hi", fits + "a", platform)[0].severity is Severity.ERROR


def test_a_push_message_that_says_nothing_or_more_than_is_seen_is_remarked_on() -> None:
    """The place of a finding names the field."""
    assert check_push(" ", "", Platform.IOS)[0].message == "the message says nothing"
    (found,) = check_push("x" * 51, "Hi", Platform.IOS, place="/push")
    assert (found.severity, found.place) == (Severity.WARNING, "/push/title")


def test_a_mail_is_too_large_where_gmail_cuts_it() -> None:
    """102 KB count, not a byte less."""
    assert check_mail_size("a" * 1_000) == []
    assert check_mail_size("a" * (MAIL_BYTES_MAX - 10))[0].severity is Severity.WARNING
    assert check_mail_size("ä" * (MAIL_BYTES_MAX // 2 + 1))[0].severity is Severity.ERROR


def test_a_page_for_print_has_its_bleed_and_its_pictures_enough_pixels() -> None:
    """A postcard of 148 × 105 mm is 154 × 111 mm with 3 mm on each side."""
    card = PrintFormat(148, 105)
    assert check_print(card, (154, 111)) == []
    assert check_print(card, (148, 105))[0].message.startswith("the page has no bleed")
    assert check_print(card, (210, 297))[0].message == "the page is 210 × 297 mm, and 154 × 111 mm are wanted"
    assert check_print_image((1819, 1311), (154, 111)) == []
    assert check_print_image((1200, 900), (154, 111))[0].severity is Severity.WARNING
    found = check_print_image((600, 400), (154, 111))[0]
    assert (found.severity, found.hint) == (Severity.ERROR, "use one of 1819 × 1311 pixels")
