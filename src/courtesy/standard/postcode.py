"""Postcodes: the form of each country, and how it is written there."""

from __future__ import annotations

import re
from functools import cache

from courtesy.standard.shipped import lines_of
from courtesy.standard.text import folded_width, one_line

_CLASSES = {"9": r"\d", "A": "[A-Z]", "X": r"[A-Z\d]"}
_LITERALS = ("LT", "LV", "D6W")
_COUNTRY_BEFORE = re.compile(r"[A-Z]{1,3}\s?-\s?(?=\d)")


@cache
def _forms() -> dict[str, tuple[str, ...]]:
    return {country: tuple(forms) for country, *forms in (line.split() for line in lines_of("postcodes.txt"))}


def countries_with_postcodes() -> frozenset[str]:
    """The countries whose forms are known, as alpha-2."""
    return frozenset(_forms())


def _literal(form: str) -> str:
    """The letters with which every postcode of a form begins, as in `LT-99999`."""
    return next((literal for literal in _LITERALS if form.startswith(literal)), "")


@cache
def _pattern(form: str) -> re.Pattern[str]:
    """Letters and digits of a form, without what separates them."""
    literal = _literal(form)
    return re.compile(literal + "".join(_CLASSES[char] for char in form.removeprefix(literal) if char not in "_-"))


def _bare(text: str) -> str:
    return re.sub(r"[^A-Z\d]", "", text)


def standard_postcode(text: str, country: str | None) -> tuple[str, bool]:
    """The postcode as its country writes it, and whether it has a form that is known there.

    Of a country without known forms (or of none) it is only tidied up, and right.
    """
    # Folded again, for capitals can be written in more than one way, too.
    tidy = one_line(folded_width(folded_width(text).upper()))
    forms = _forms().get(country or "")
    if forms is None:
        return tidy, True
    for candidate in (tidy, _COUNTRY_BEFORE.sub("", tidy)):
        bare = _bare(candidate)
        for form in forms:
            if _pattern(form).fullmatch(bare):
                return _spaced(bare, form), True
    return tidy, False


def _spaced(bare: str, form: str) -> str:
    chars = iter(bare)
    return "".join(" " if sign == "_" else "-" if sign == "-" else next(chars) for sign in form)


@cache
def _finder(country: str) -> re.Pattern[str] | None:
    forms = _forms().get(country)
    if forms is None:
        return None
    # Longest first, so that a long form is not taken for a short one with something behind it.
    written = sorted((_written(form) for form in forms), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:[A-Z]{{1,3}}-)?({'|'.join(written)})(?![\w-])", re.IGNORECASE)


def _written(form: str) -> str:
    signs = {"_": r"[\s-]?", "-": r"[\s-]?", **_CLASSES}
    literal = _literal(form)
    return literal + "".join(signs[char] for char in form.removeprefix(literal))


def find_postcode(text: str, country: str) -> re.Match[str] | None:
    """Where a postcode of the country stands in a text, the last where there are several; group 1 is it."""
    finder = _finder(country)
    found = None
    for found in finder.finditer(text) if finder is not None else ():  # noqa: B007 - the last one counts
        pass
    return found
