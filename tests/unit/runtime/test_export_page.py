"""The readable export: whatever is in it, it is text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.runtime.export_page import page, text_of


def document(**traits: Any) -> dict[str, Any]:
    """An export with these traits and nothing else."""
    person = {
        "person": "1",
        "identifiers": [],
        "traits": traits,
        "trait_origins": {},
        "standard": {},
        "groups": [],
        "events": {},
        "waiting": [],
    }
    lists = (
        "links",
        "merges",
        "refused",
        "corrections",
        "events",
        "effects",
        "permits",
        "grants",
        "redemptions",
        "inbox",
        "sends",
        "recipients",
        "held",
        "choices",
        "requests",
    )
    return {"exported": "2026-05-03T14:05:00.000Z", "person": person, **{name: [] for name in lists}}


class Seen(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


PLAIN = Seen(page(document(a=["x", {"c": "x"}]))).tags


@given(st.text(), st.text())
def test_no_value_makes_an_element(name: str, value: str) -> None:
    """The page of hostile traits has the elements of a harmless one."""
    assert Seen(page(document(**{name or "x": [value, {value or "x": value}]}))).tags <= PLAIN


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "</td><img src=x onerror=alert(1)>", "'\"><!--", "]]>"])
def test_markup_is_shown_as_it_was_sent(value: str) -> None:
    """A customer sees what they are called, tags and all."""
    content = page(document(name=value))
    assert value in Seen(content).text
    assert value not in content


@given(st.text(st.characters(codec=None)))
def test_every_text_can_be_written(value: str) -> None:
    """Controls become signs, and halves of characters the sign of what can't be shown."""
    shown = text_of(value)
    shown.encode()
    assert not any(ord(char) < 0x20 and char not in "\t\n" for char in shown)


def test_controls_have_signs() -> None:
    """Nobody has to guess what was there."""
    assert text_of("a\0b\x1bc\x7f\x85\ud800") == "a␀b␛c␡��"


def test_the_origin_of_a_nested_trait_is_found() -> None:
    """By its path, with the dots in names escaped."""
    given = document(address={"a.b": "Oslo"}, vip=True)
    given["person"]["trait_origins"] = {
        "address.a\\.b": {"source": "broker", "party": "third", "rank": 10, "at": "2026-01-01T00:00:00.000Z"}
    }
    text = Seen(page(given)).text
    assert "address.a\\.bOslowe got it from othersbroker" in text.replace("\n", "")
    assert "vipyes" in text


def test_nothing_known_is_said() -> None:
    """An empty part does not look like a broken page."""
    assert page(document()).count("<p>Nothing.</p>") == 20
