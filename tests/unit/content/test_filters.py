"""Filters: what they give in several locales, that none raises, and that their examples are true."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.content.filters import FILTERS
from courtesy.content.scope import Scope
from courtesy.content.surroundings import Surroundings
from courtesy.content.templates import compile_template

NOW_MS = 1_772_366_400_000  # 2026-03-01T12:00Z


def said(expression: str, locale: str = "en", zone: str = "UTC", **event: Any) -> str:
    """What an expression gives."""
    scope = Scope(event=event, locale=locale, zone=zone, now_ms=NOW_MS)
    return compile_template(f"{{{{ {expression} }}}}", html=False).render(scope).text.replace("\xa0", " ")


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_the_example_of_a_filter_is_true(name: str) -> None:
    """The docs show what happens."""
    declared = FILTERS[name]
    scope = Scope(event={"name": "Order"}, locale="en", now_ms=NOW_MS)
    if declared.gives != "…":
        shown = compile_template(declared.example, html=False).render(scope)
        assert shown.text.replace("\u202f", " ") == declared.gives
        assert shown.missed == []
    assert declared.meaning.endswith(".")


@pytest.mark.parametrize(
    ("expression", "locale", "shown"),
    [
        ("1234.5 | money", "de", "1.234,50 €"),
        ("1234.5 | money('CHF')", "de-CH", "CHF 1’234.50"),
        ("1234.5 | money('JPY')", "ja", "￥1,234"),
        ("1200 | money('EUR', whole=true)", "de", "1.200 €"),
        ("1200.5 | money('EUR', whole=true)", "de", "1.200,50 €"),
        ("1234567.891 | number", "hi", "12,34,567.891"),
        ("1234567.891 | number(1)", "fr", "1 234 567,9"),
        ("0.256 | percent", "de", "26 %"),
        ("0.256 | percent(1)", "tr", "%25,6"),
        ("2.5 | round", "en", "3"),
        ("['A', 'B', 'C'] | listed", "de", "A, B und C"),
        ("['A', 'B', 'C'] | listed", "en-GB", "A, B and C"),
        ("['A', 'B'] | listed('or')", "es", "A o B"),
        ("5 | plural(one='# plik', few='# pliki', many='# plików', other='# pliku')", "pl", "5 plików"),
        ("22 | plural(one='# plik', few='# pliki', many='# plików', other='# pliku')", "pl", "22 pliki"),
        ("0 | plural(one='# article', other='# articles')", "fr", "0 article"),
        ("[1, 2] | plural(one='# item', other='# items')", "en", "2 items"),
        ("'2026-03-01' | date('full')", "de", "Sonntag, 1. März 2026"),
        ("'2026-03-01' | date('d. MMMM')", "de", "1. März"),
        ("'2026-03-02' | relative", "de", "morgen"),
        ("'2026-02-28' | relative", "fr", "hier"),
        ("'2026-03-01' | relative", "en", "today"),
        ("'2026-03-05' | relative", "en", "in 4 days"),
        ("'2026-03-01T14:00:00Z' | relative", "de", "in 2 Stunden"),
        ("'2026-02-01' | relative", "es", "hace 1 mes"),
        ("'MARIE-LUISE VON ESS' | name", "de", "Marie-Luise Von Ess"),
        ("'Ann McLeod' | name", "en", "Ann McLeod"),
        ("'ann lee' | first_name", "en", "Ann"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_the_locale_has_it(expression: str, locale: str, shown: str) -> None:
    """Numbers, days, lists and plurals are those of CLDR."""
    assert said(expression, locale).replace("\u202f", " ") == shown


def test_times_are_those_of_the_persons_zone_and_days_without_a_time_stay() -> None:
    """Eleven at night in London is tomorrow in Berlin; a birthday is the same everywhere."""
    at = "2026-03-01T23:30:00Z"
    assert said("event.at | date('short')", "de", "Europe/Berlin", at=at) == "02.03.26"
    assert said("event.at | time", "de", "Europe/Berlin", at=at) == "00:30"
    assert said("event.at | datetime('short')", "de", "UTC", at=at) == "01.03.26, 23:30"
    assert said("event.at | date('short')", "de", "Pacific/Auckland", at="2026-03-01") == "01.03.26"
    assert said("event.at | date('short')", "de", "UTC", at=NOW_MS) == said(
        "event.at | date('short')", "de", "UTC", at=NOW_MS // 1000
    )


@pytest.mark.parametrize("locale", ["", "xx", "de_CH", "zh-Hant-TW", "not a locale", "en-US-POSIX"])
def test_an_odd_locale_or_zone_falls_back(locale: str) -> None:
    """What a person's device says can't stop their mail."""
    for expression in ("1.5 | money", "'2026-03-01' | date", "now | relative", "2 | plural(other='#')", "now | time"):
        assert said(expression, locale, "No/Where") != ""


def test_bad_data_is_reported_and_not_raised() -> None:
    """Text in the place of a number stays as it is; what says nothing gives nothing."""
    template = compile_template("{{ event.a | money }}|{{ event.b | date }}|{{ event.b | money }}", html=False)
    rendered = template.render(Scope(event={"a": "on request", "b": {"x": 1}}))
    assert rendered.text == "on request||"
    assert [each.problem for each in rendered.missed] == [
        "money expected a number, found 'on request'",
        "date expected a date such as '2026-01-31', found a object",
        "money expected a number, found a object",
    ]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", sorted(FILTERS))
@settings(max_examples=30)
@given(
    value=ANYTHING, given_values=st.lists(ANYTHING, min_size=3, max_size=3), locale=st.sampled_from(["de", "ar", "x"])
)
def test_no_filter_raises_on_any_data(name: str, value: Any, given_values: list[Any], locale: str) -> None:
    """Values and what stands in parentheses may be anything."""
    function = FILTERS[name].function
    around = Surroundings(locale, "Europe/Berlin", NOW_MS)
    if name == "plural":
        function(value, around, 0, one="1", other=given_values[0])
        return
    parameters = list(signature(function).parameters.values())[3:]
    for count in range(sum(each.default is Parameter.empty for each in parameters), len(parameters) + 1):
        function(value, around, 0, *given_values[:count])
