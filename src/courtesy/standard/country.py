"""Countries: codes, names in many languages and common variants as ISO 3166-1 alpha-2."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
from babel import Locale
from babel.core import get_global

from courtesy.standard.shipped import names_by_language
from courtesy.standard.text import comparable, folded_width, text_or_reason
from courtesy.standard.value import Confidence, Kind, Reason, Standard, refused

# In the order in which they are searched: the first that knows a name decides. Names that two languages give to two
# countries are next to none, and the language of the hint goes first.
LANGUAGES = (
    "en de fr es it pt nl sv da nb fi pl cs sk hu ro bg el ru uk tr ar he fa hi th ja ko zh zh_Hant ka hy id ms vi hr"
    " sr sl et lv lt is ga ca eu bn ta ur sw sq mk az kk mn ne si lo km my am be bs gl af cy"
).split()

# What stands in address books and no CLDR list.
VARIANTS = {
    "uk": "GB",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "united kingdom of great britain and northern ireland": "GB",
    "britain": "GB",
    "us of a": "US",
    "u s": "US",
    "u s a": "US",
    "america": "US",
    "united states of america": "US",
    "the united states": "US",
    "estados unidos de america": "US",
    "etats-unis d'amerique": "US",
    "vereinigte staaten von amerika": "US",
    "the netherlands": "NL",
    "holland": "NL",
    "brd": "DE",
    "bundesrepublik deutschland": "DE",
    "federal republic of germany": "DE",
    "russian federation": "RU",
    "rossija": "RU",
    "republic of korea": "KR",
    "korea": "KR",
    "korea, republic of": "KR",
    "korea (south)": "KR",
    "dprk": "KP",
    "peoples republic of china": "CN",
    "people's republic of china": "CN",
    "prc": "CN",
    "p r china": "CN",
    "mainland china": "CN",
    "roc": "TW",
    "taiwan, province of china": "TW",
    "hong kong sar": "HK",
    "macao": "MO",
    "macau": "MO",
    "viet nam": "VN",
    "iran, islamic republic of": "IR",
    "islamic republic of iran": "IR",
    "syrian arab republic": "SY",
    "czech republic": "CZ",
    "slovak republic": "SK",
    "macedonia": "MK",
    "fyrom": "MK",
    "burma": "MM",
    "swaziland": "SZ",
    "ivory coast": "CI",
    "cape verde": "CV",
    "east timor": "TL",
    "uae": "AE",
    "u a e": "AE",
    "emirates": "AE",
    "ksa": "SA",
    "kingdom of saudi arabia": "SA",
    "rsa": "ZA",
    "republic of south africa": "ZA",
    "eire": "IE",
    "republic of ireland": "IE",
    "turkey": "TR",
    "republic of turkey": "TR",
    "moldova, republic of": "MD",
    "republic of moldova": "MD",
    "tanzania, united republic of": "TZ",
    "bolivia, plurinational state of": "BO",
    "venezuela, bolivarian republic of": "VE",
    "brunei darussalam": "BN",
    "lao people's democratic republic": "LA",
    "vatican": "VA",
    "holy see": "VA",
    "palestine": "PS",
    "brasil": "BR",
    "schweiz": "CH",
    "suisse": "CH",
    "svizzera": "CH",
    "drc": "CD",
    "congo, democratic republic of the": "CD",
}

# Territories of CLDR that are no countries of ISO 3166-1. Kosovo has a code that users may assign, and addresses use.
_NOT_COUNTRIES = frozenset("EU EZ UN ZZ XA XB QO CP AC DG EA IC TA CQ".split())
# CLDR also knows codes that were withdrawn; where it gives several for one country, these are in force.
_IN_FORCE = {
    "CD": ("COD", "180"),
    "DE": ("DEU", "276"),
    "ET": ("ETH", "231"),
    "FR": ("FRA", "250"),
    "MM": ("MMR", "104"),
    "SD": ("SDN", "729"),
    "TL": ("TLS", "626"),
    "XK": ("XKX", ""),
    "YE": ("YEM", "887"),
}
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")


class CountryParts(msgspec.Struct, frozen=True):
    """The codes of ISO 3166-1 and the English name. `numeric` has three digits, or none for Kosovo."""

    alpha2: str
    alpha3: str
    numeric: str
    name: str


@cache
def countries() -> dict[str, CountryParts]:
    """Every country by its alpha-2 code."""
    alpha3: dict[str, str] = {}
    numeric: dict[str, str] = {}
    for alias, codes in get_global("territory_aliases").items():
        if len(codes) == 1:
            (numeric if alias.isdigit() else alpha3 if len(alias) == 3 else {})[codes[0]] = alias
    names = Locale("en").territories
    found = {}
    for code, name in names.items():
        if len(code) == 2 and code.isalpha() and code not in _NOT_COUNTRIES:
            three, number = _IN_FORCE.get(code) or (alpha3[code], numeric[code])
            found[code] = CountryParts(code, three, number, name)
    return found


@cache
def _by_code() -> dict[str, str]:
    """Alpha-2, alpha-3 and numeric codes, withdrawn ones too, that lead to one country."""
    known = countries()
    aliases = get_global("territory_aliases")
    found = {alias: codes[0] for alias, codes in aliases.items() if len(codes) == 1 and codes[0] in known}
    for code, parts in known.items():
        found |= {code: code, parts.alpha3: code}
        if parts.numeric:
            found |= {parts.numeric: code, parts.numeric.lstrip("0"): code}
    return found


def is_country(code: str) -> bool:
    """Whether this is an alpha-2 code, in capitals."""
    return code in countries()


def country_of(text: str, language: str | None = None) -> str | None:
    """The alpha-2 code for a code or a name in any of `LANGUAGES`; None when it is unknown."""
    word = folded_width(text).strip()
    if _FLAG.fullmatch(word):
        word = "".join(chr(ord(char) - 0x1F1E6 + ord("A")) for char in word)
    code = _by_code().get(word.upper()) if len(word) <= 3 else None
    return code or _country_named(comparable(word), language)


def _country_named(name: str, language: str | None) -> str | None:
    if not name:
        return None
    if name in VARIANTS:
        return VARIANTS[name]
    tables = names_by_language("country_names.tsv")
    ordered = LANGUAGES if language is None or language not in tables else [language, *LANGUAGES]
    return next((tables[each][name] for each in ordered if name in tables[each]), None)


def standard_country(raw: Any, language: str | None = None) -> Standard[CountryParts]:
    """The alpha-2 code of a country. Codes are certain, names likely."""
    text = text_or_reason(raw, 100)
    if isinstance(text, Reason):
        return refused(Kind.COUNTRY, raw, text)
    code = country_of(text, language)
    if code is None:
        return refused(Kind.COUNTRY, raw, Reason.UNKNOWN)
    sure = Confidence.CERTAIN if len(text) <= 3 else Confidence.LIKELY
    return Standard(Kind.COUNTRY, raw, code, countries()[code], (), sure)
