"""What messages speak of: stems of many languages, found at the beginnings of words."""

from __future__ import annotations

from collections import defaultdict

import pytest

from courtesy.consent.folding import plain
from courtesy.consent.notions import GLUED, _listed, notions


def named(text: str) -> set[str]:
    """All notions of a text."""
    return {name for place in notions(f" {plain(text)} ") for name in place}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("please don't send me ads", {"please", "not", "send", "me", "ad"}),
        ("nie chcę reklam", {"not", "want", "ad", "nomore"}),
        ("広告を送らないで", {"ad", "send", "not"}),
        ("Veuillez ne pas m'envoyer de courriel", {"please", "not", "send", "message"}),
    ],
)
def test_notions_are_found_in_any_language(text: str, names: set[str]) -> None:
    """In inflected words, after what is joined to them, and where no spaces are."""
    assert named(text) >= names


@pytest.mark.parametrize("text", ["mesages", "messgaes", "messsages", "messagws"])
def test_a_slip_is_forgiven(text: str) -> None:
    """A letter that is missing, changed places, doubled or wrong."""
    assert "message" in named(text)


def test_nothing_is_found_in_what_says_nothing() -> None:
    """Numbers, signs and unknown scripts."""
    for text in ("", "4471", "ᚠᚢᚦᚨᚱᚲ", "👍"):
        assert notions(f" {plain(text)} ") == []


def test_every_language_has_the_notions_that_refusals_are_made_of() -> None:
    """A language that lacks one would be deaf for a way to refuse."""
    found: dict[str, set[str]] = defaultdict(set)
    for language, name, _ in _listed():
        found[language].add(name)
    assert len(found) == 32
    assert found.keys() >= GLUED
    core = {"not", "nomore", "stop", "remove", "list", "consent", "message", "ad", "send", "contact", "want", "order"}
    assert {language: core - names for language, names in found.items() if core - names} == {}
