"""Locales: the chain in which a field is looked for, and which locale each came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.content.locales import Localized, Picked, chain, coverage, in_locale, locale_name

LOCALES = ["de", "de-CH", "de-AT", "en", "en-GB", "fr", "fr-CA", "zh-Hant-TW", "zh", "pt-AO", "pt", "sr-Latn"]


@pytest.mark.parametrize(
    ("locale", "looked_in"),
    [
        ("de-CH", ("de-CH", "de", "en")),
        ("en-GB", ("en-GB", "en-001", "en")),
        ("pt-AO", ("pt-AO", "pt-PT", "pt", "en")),
        ("zh-Hant-TW", ("zh-Hant-TW", "zh-Hant", "en")),
        ("en", ("en",)),
    ],
)
def test_a_locale_falls_back_as_its_readers_would(locale: str, looked_in: tuple[str, ...]) -> None:
    """By CLDR, then the default; who reads traditional characters is not given simplified ones."""
    assert chain(locale) == looked_in


def test_a_company_may_say_what_stands_in_for_a_locale() -> None:
    """Rumantsch falls back to German where the company says so."""
    assert chain("rm-CH", "en", {"rm": "de-CH"}) == ("rm-CH", "rm", "de-CH", "de", "en")
    assert chain("a", "b", {"a": "b", "b": "a"}) == ("a", "b")


def test_each_field_falls_back_for_itself_and_tells_where_it_came_from() -> None:
    """A missing translation of one field does not take the others with it."""
    fields = {
        "title": Localized({"de-CH": "Grüezi", "de": "Hallo", "en": "Hello"}),
        "text": Localized({"de-CH": "", "de": "Text", "en": "Text."}),
        "legal": Localized({"fr": "Légal"}),
        "price": 5,
    }
    found, lacking = in_locale(fields, chain("de-CH"))
    assert found == {"title": Picked("Grüezi", "de-CH"), "text": Picked("Text", "de"), "price": Picked(5, "")}
    assert lacking == ["legal"]
    assert coverage(fields, ["de-CH", "fr"]) == {
        "de-CH": {"text": "de", "legal": ""},
        "fr": {"title": "en", "text": "en"},
    }


@given(
    st.dictionaries(st.sampled_from(LOCALES), st.text(min_size=1)), st.sampled_from(LOCALES), st.sampled_from(LOCALES)
)
def test_the_first_of_the_chain_that_has_a_value_gives_it(values: dict[str, str], locale: str, default: str) -> None:
    """A value of the locale itself always wins, and one of the default is always found."""
    picked = Localized(values).pick(chain(locale, default))
    if locale in values:
        assert picked == Picked(values[locale], locale)
    if default in values:
        assert picked is not None
    if picked is not None:
        before = chain(locale, default)[: chain(locale, default).index(picked.locale)]
        assert not values.keys() & set(before)


def test_a_locale_is_written_one_way() -> None:
    """What people type is understood, and what is no locale is not taken for one."""
    assert [locale_name(each) for each in ("de_ch", "DE", "zh-hant-tw", "es-419")] == [
        "de-CH",
        "de",
        "zh-Hant-TW",
        "es-419",
    ]
    for odd in ("", "d", "german", "de-", "de-CHE", "../de"):
        with pytest.raises(CourtesyError):
            locale_name(odd)
