"""Postal addresses: parts from objects and texts, the order of the country, postcodes, and real addresses."""

from __future__ import annotations

import gzip
import json
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import msgspec
import pytest

from courtesy.standard.address import AddressParts, format_address, standard_address
from courtesy.standard.country import country_of
from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.postcode import countries_with_postcodes, standard_postcode
from courtesy.standard.value import Confidence, Mark, Reason

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.mark.parametrize(
    ("raw", "country", "told"),
    [
        (
            "Hauptstraße 5a, 10115 Berlin, Germany",
            "",
            {"street": "Hauptstraße", "number": "5a", "postcode": "10115", "city": "Berlin", "country": "DE"},
        ),
        (
            "221B Baker Street\nLondon NW1 6XE\nUK",
            "",
            {"street": "Baker Street", "number": "221B", "postcode": "NW1 6XE", "city": "London", "country": "GB"},
        ),
        (
            "10 Main St, Apt 4, Springfield, Illinois 62704",
            "US",
            {
                "street": "Main St",
                "number": "10",
                "unit": "Apt 4",
                "city": "Springfield",
                "region": "IL",
                "postcode": "62704",
                "country": "US",
            },
        ),
        (
            "12 rue de la Paix, 75002 Paris",
            "France",
            {"street": "rue de la Paix", "number": "12", "postcode": "75002", "city": "Paris", "country": "FR"},
        ),
        (
            {"street": "Hauptstr. 5", "city": "Bonn", "postalCode": "D-53111", "country": "Deutschland"},
            "",
            {"street": "Hauptstr.", "number": "5", "city": "Bonn", "postcode": "53111", "country": "DE"},
        ),
        (
            {
                "address1": "Herengracht 573",
                "zip": "1017cd",
                "town": "Amsterdam",
                "country_code": "NL",
                "geo": {"x": 1},
            },
            "",
            {"street": "Herengracht", "number": "573", "postcode": "1017 CD", "city": "Amsterdam", "country": "NL"},
        ),
    ],
)
def test_the_parts_of_an_address_are_found(raw: Any, country: str, told: dict[str, str]) -> None:
    """In texts with commas or lines, and in objects with the names that clients use."""
    parts = standard_address(raw, Hints(country=country)).parts
    assert parts is not None
    found = {name: text for name, text in msgspec.structs.asdict(parts).items() if text and name != "lines"}
    assert found == told


@pytest.mark.parametrize(
    ("country", "lines"),
    [
        ("DE", ("Road 5 7", "1234 City")),
        ("FR", ("5 Road 7", "1234 City")),
        ("US", ("5 Road 7", "City, Region 1234")),
        ("HU", ("1234 City", "Road 5. 7")),
        ("BR", ("Road, 5, 7", "City - Region", "1234")),
        ("CN", ("1234", "Region", "City", "Road 5 7")),
    ],
)
def test_an_address_is_written_in_the_order_of_its_country(country: str, lines: tuple[str, ...]) -> None:
    """Lines without what is missing."""
    parts = AddressParts(
        street="Road", number="5", unit="7", postcode="1234", city="City", region="Region", country=country
    )
    assert format_address(parts, "") == lines


# A real postcode of each country, as it is often typed, and as it is written there.
POSTCODES = {
    "AR": ("c1010aaz", "C1010AAZ"), "AT": ("A-1010", "1010"), "AU": ("3000", "3000"),
    "BE": ("B-1000", "1000"), "BG": ("1000", "1000"), "BR": ("22221000", "22221-000"), "CA": ("l6y1z4", "L6Y 1Z4"),
    "CH": ("CH-8001", "8001"), "CL": ("8320000", "8320000"), "CN": ("200120", "200120"), "CO": ("110111", "110111"),
    "CY": ("1010", "1010"), "CZ": ("30100", "301 00"), "DE": ("D-10115", "10115"), "DK": ("DK-1050", "1050"),
    "EE": ("10111", "10111"), "ES": ("08005", "08005"), "FI": ("00140", "00140"), "FR": ("F-75002", "75002"),
    "GB": ("ec1m5rf", "EC1M 5RF"), "GR": ("10673", "106 73"), "HR": ("10000", "10000"), "HU": ("H-1016", "1016"),
    "ID": ("10110", "10110"), "IE": ("d6wxy00", "D6W XY00"), "IL": ("6473921", "6473921"), "IN": ("110 001", "110001"),
    "IS": ("101", "101"), "IT": ("I-00118", "00118"), "JP": ("1500002", "150-0002"), "KR": ("03187", "03187"),
    "LI": ("9490", "9490"), "LT": ("lt01100", "LT-01100"), "LU": ("L-1111", "1111"), "LV": ("LV-1050", "LV-1050"),
    "MA": ("10000", "10000"), "MT": ("vlt1117", "VLT 1117"), "MX": ("06100", "06100"), "MY": ("50000", "50000"),
    "NL": ("1017cd", "1017 CD"), "NO": ("0650", "0650"), "NZ": ("6011", "6011"), "PE": ("15001", "15001"),
    "PH": ("1000", "1000"), "PL": ("59700", "59-700"), "PT": ("1500203", "1500-203"), "RO": ("010011", "010011"),
    "RS": ("11000", "11000"), "RU": ("190000", "190000"), "SE": ("41134", "411 34"), "SG": ("546080", "546080"),
    "SI": ("1000", "1000"), "SK": ("81101", "811 01"), "TH": ("10200", "10200"), "TR": ("34357", "34357"),
    "TW": ("220", "220"), "UA": ("01001", "01001"), "US": ("943031234", "94303-1234"), "VN": ("100000", "100000"),
    "ZA": ("7700", "7700"),
}  # fmt: skip


@pytest.mark.parametrize("country", sorted(POSTCODES))
def test_a_postcode_is_written_as_in_its_country(country: str) -> None:
    """And one of a form that the country does not have is told from it."""
    typed, written = POSTCODES[country]
    assert standard_postcode(typed, country) == (written, True)
    assert standard_postcode(written, country) == (written, True)
    assert standard_postcode(f"{written}9", country)[1] is False


def test_every_country_with_a_form_is_tried() -> None:
    """A form that is added is tested."""
    assert countries_with_postcodes() == POSTCODES.keys()


def test_what_is_wrong_or_unknown_is_marked() -> None:
    """It is kept all the same."""
    wrong = standard_address({"city": "Bonn", "zip": "1234", "country": "DE"})
    assert (wrong.marks, wrong.form) == ((Mark.POSTCODE_WRONG,), "1234 Bonn, Germany")
    unknown = standard_address({"city": "Bonn", "country": "Nowhere"})
    assert (unknown.marks, unknown.form) == ((Mark.COUNTRY_UNKNOWN,), "Bonn, Nowhere")
    assert standard_address("Bonn").confidence is Confidence.WEAK
    assert standard_address({}).reason is Reason.EMPTY
    assert standard_address({"colour": "red"}, NO_HINTS).reason is Reason.MALFORMED


# -- real addresses

_PLACES = (
    "attention house building bank hotel restaurant supermarket hospital library museum post_office public_building"
    " courthouse school pub doctors bar guest_house pharmacy shop cinema university place_of_worship cafe mall clinic"
    " embassy name"
).split()
# Countries whose own order is known; the cases of others test data of maps, not the form of addresses.
COVERED = (
    "AT DE CH LI DK FI NO SE BE LU NL PT TR IL PL ES IT FR US CA AU NZ GB IE ZA IN SG HK MX BR AR HU RU CZ SK GR JP CN"
).split()


def _cases() -> list[tuple[AddressParts, str, tuple[str, ...]]]:
    """Parts, the country's name as given, and the lines as expected, of addresses of real places with a street."""
    with gzip.open(DATA / "addresses_opencage/testcases.jsonl.gz", "rt", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    return [
        (
            _parts(case["components"]),
            str(case["components"].get("country", "")),
            tuple(case["expected"].split("\n")[:-1]),
        )
        for case in cases
        if str(case["components"].get("country_code")).upper() in COVERED
        and "road" in case["components"]
        and "abbreviations" not in case["file"]
    ]


def _parts(components: dict[str, Any]) -> AddressParts:
    def first(*names: str) -> str:
        return next((str(components[name]) for name in names if components.get(name)), "")

    raw = {
        "recipient": first(*_PLACES),
        "street": first("road"),
        "number": first("house_number"),
        "suburb": first("suburb", "city_district", "neighbourhood"),
        "postcode": first("postcode"),
        "city": first("postal_city", "city", "town", "village", "municipality", "hamlet"),
        "region": first("county_code") if first("country_code") == "it" else first("state_code", "state"),
        "country": country_of(first("country_code")) or "",
    }
    parts = standard_address({name: text for name, text in raw.items() if text}).parts
    assert parts is not None
    # Given apart, they were not to be split.
    return msgspec.structs.replace(parts, street=raw["street"], number=raw["number"])


def test_addresses_of_real_places_are_written_as_their_country_does() -> None:
    """Half of them to the letter, most nearly; the rest names its city or country in a way that no part tells."""
    cases = _cases()
    written = [(format_address(parts, country), lines) for parts, country, lines in cases]
    near = [SequenceMatcher(None, "\n".join(ours), "\n".join(theirs)).ratio() > 0.9 for ours, theirs in written]
    equal = [ours == theirs for ours, theirs in written]
    assert len(cases) > 90
    assert sum(equal) / len(cases) > 0.45
    assert sum(near) / len(cases) > 0.65
