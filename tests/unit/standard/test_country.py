"""Countries: codes, names in many languages, variants."""

from __future__ import annotations

import pytest
from babel import Locale

from courtesy.standard.country import LANGUAGES, countries, country_of, standard_country
from courtesy.standard.value import Confidence, Reason


@pytest.mark.parametrize("code", sorted(countries()))
def test_every_country_is_known_by_its_codes_and_its_english_name(code: str) -> None:
    """ISO 3166-1 alpha-2, alpha-3 and numeric, in any case."""
    parts = countries()[code]
    assert country_of(code.lower()) == country_of(parts.alpha3) == country_of(parts.name) == code
    assert parts.numeric == "" or country_of(parts.numeric) == code


def test_the_codes_are_those_in_force() -> None:
    """Withdrawn ones lead to the country, but are not given out."""
    assert {code: countries()[code].alpha3 for code in ("DE", "CD", "MM", "TL", "FR", "YE")} == {
        "DE": "DEU",
        "CD": "COD",
        "MM": "MMR",
        "TL": "TLS",
        "FR": "FRA",
        "YE": "YEM",
    }
    assert country_of("DDR") == "DE"
    assert len({parts.alpha3 for parts in countries().values()}) == len(countries()) == 250


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("Deutschland", "DE"),
        ("ALLEMAGNE", "DE"),
        ("Côte d’Ivoire", "CI"),
        ("cote d'ivoire", "CI"),
        ("U.S.A.", "US"),
        ("UK", "GB"),
        ("Holland", "NL"),
        ("Viet Nam", "VN"),
        ("🇯🇵", "JP"),
        ("日本", "JP"),
        ("ไทย", "TH"),
        ("საქართველო", "GE"),
        ("Հայաստան", "AM"),
        ("भारत", "IN"),
        ("Россия", "RU"),
        ("المغرب", "MA"),
        ("대한민국", "KR"),
        ("４", "AF"),
    ],
)
def test_names_and_variants_lead_to_the_code(raw: str, code: str) -> None:
    """Whoever writes it, in whatever script."""
    assert standard_country(raw).form == code


def test_nearly_every_name_in_every_language_is_known() -> None:
    """Names that two languages give to two countries are the rest; the language of the hint decides those."""
    named = [
        (name, code, language)
        for language in LANGUAGES
        for code, name in Locale.parse(language).territories.items()
        if code in countries()
    ]
    assert sum(country_of(name) == code for name, code, _ in named) / len(named) > 0.995
    assert sum(country_of(name, language) == code for name, code, language in named) / len(named) > 0.999


def test_what_is_no_country_says_why() -> None:
    """And a code is surer than a name."""
    assert standard_country("Atlantis").reason is Reason.UNKNOWN
    assert standard_country("DE").confidence is Confidence.CERTAIN
    assert standard_country("Germany").confidence is Confidence.LIKELY
