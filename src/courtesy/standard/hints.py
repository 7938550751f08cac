"""What is known around a value that says where it is from, and which country follows, in the order of trust."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache

import msgspec
from babel import Locale, UnknownLocaleError

from courtesy.standard.country import country_of, is_country

HINT_CHARS_MAX = 100


class Hint(StrEnum):
    """What said which country it is, the most trusted first."""

    COUNTRY = "country"
    ADDRESS = "address_country"
    LOCATION = "location_country"
    LOCALE = "locale"
    EMAIL = "email"
    SOURCE = "source_country"


class Hints(msgspec.Struct, frozen=True):
    """Raw texts; empty where nothing is known. Each may be a code or a name, as it was sent.

    `country`: of the value itself, or of its person. `address_country`: where they live. `location_country`: where
    they were, by their IP address. `locale`: of their app or browser, `de-AT`. `email`: whose domain may end in a
    country. `source_country`: where most people of a source are. None of it raises, whatever stands in it.
    """

    country: str = ""
    address_country: str = ""
    location_country: str = ""
    locale: str = ""
    email: str = ""
    source_country: str = ""

    @property
    def language(self) -> str | None:
        """The language of the locale, `de`; None when there is none."""
        word = self.locale.replace("-", "_").split("_", 1)[0].lower()
        return word if word.isascii() and word.isalpha() and 2 <= len(word) <= 3 else None

    @property
    def region(self) -> str | None:
        """The country that the most trusted hint names; None when none does."""
        return next((code for _, code in hinted_countries(self)), None)

    @property
    def babel_locale(self) -> Locale | None:
        """The locale in which dates and numbers were probably written; None when nothing says."""
        language, region = self.language, _region_of(self.locale) or self.region
        if language is None:
            return None if region is None else locale_of_country(region)
        return _locale(language, region)


NO_HINTS = Hints()

# Domains of countries that are sold to everybody: a name under them says nothing of where its owner lives.
_SOLD_TO_ALL = frozenset(
    "ac ai ag am as bz cc cd co dj fm ga gd gg gl gq io is la li ly me ml ms mu nu pm pn pw re sc sh st sx tf tk tl tm"
    " to tv vc vg ws cf cx".split()
)


def _region_of(locale: str) -> str | None:
    """The country in `de-AT` or `zh_Hant_TW`; None when there is none, for a language has no country."""
    parts = locale.replace("-", "_").split("_")[1:4]
    found = next((part.upper() for part in parts if len(part) == 2), None)
    return found if found is not None and is_country(found) else None


def _domain_country(email: str) -> str | None:
    ending = email.rpartition(".")[2].strip().lower()
    if len(ending) != 2 or ending in _SOLD_TO_ALL:
        return None
    code = "GB" if ending == "uk" else ending.upper()
    return code if is_country(code) else None


def hinted_countries(hints: Hints) -> Iterator[tuple[Hint, str]]:
    """What each hint says, as alpha-2, the most trusted first; hints that say nothing are left out."""
    for hint in Hint:
        told = getattr(hints, hint.value)
        if not told or len(told) > HINT_CHARS_MAX:
            continue
        if hint is Hint.LOCALE:
            code = _region_of(told)
        elif hint is Hint.EMAIL:
            code = _domain_country(told)
        else:
            code = country_of(told, hints.language)
        if code is not None:
            yield hint, code


@cache
def _locale(language: str, region: str | None) -> Locale | None:
    for name in (f"{language}_{region}", language):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return None


@cache
def locale_of_country(country: str) -> Locale | None:
    """The locale of the main language of a country; None when CLDR knows none."""
    try:
        return Locale.parse(f"und_{country}")
    except (UnknownLocaleError, ValueError):
        return None
