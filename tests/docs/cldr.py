"""The tables of names that ship with `courtesy.standard`: taken from Unicode CLDR, as Babel carries it.

`python -m tests.docs.cldr --write` makes them anew after Babel was updated. They ship because loading sixty languages
takes Babel a second and 70 MB, in the middle of somebody's request.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from babel import Locale
from babel.numbers import get_currency_precision

from courtesy.standard.country import LANGUAGES as COUNTRY_LANGUAGES
from courtesy.standard.country import countries
from courtesy.standard.currency import LANGUAGES as CURRENCY_LANGUAGES
from courtesy.standard.month import LANGUAGES as MONTH_LANGUAGES
from courtesy.standard.text import comparable
from tests.tidy.checkout import ROOT

FOLDER = ROOT / "src/courtesy/standard/data"
HEAD = (
    "# Derived from Unicode CLDR (Unicode License v3, see NOTICE) by tests/docs/cldr.py: language, then name=value.\n"
)


def months(locale: Locale) -> dict[str, str]:
    """Names of months, short and long, alone and within a date."""
    return {
        comparable(name): str(number)
        for context in ("format", "stand-alone")
        for width in ("wide", "abbreviated")
        for number, name in locale.months[context][width].items()
        if not comparable(name).isdigit()
    }


def country_names(locale: Locale) -> dict[str, str]:
    """Names of countries."""
    return {comparable(name): code for code, name in locale.territories.items() if code in countries()}


def currency_names(locale: Locale) -> dict[str, str]:
    """Names of currencies that have a code of three letters."""
    return {comparable(name): code for code, name in locale.currencies.items() if get_currency_precision(code) >= 0}


TABLES: dict[str, tuple[Iterable[str], Callable[[Locale], dict[str, str]]]] = {
    "months.tsv": (MONTH_LANGUAGES, months),
    "country_names.tsv": (COUNTRY_LANGUAGES, country_names),
    "currency_names.tsv": (CURRENCY_LANGUAGES, currency_names),
}


def made(table: str) -> str:
    """The text of a table."""
    languages, names_in = TABLES[table]
    lines = (
        "\t".join([language, *(f"{name}={value}" for name, value in sorted(names_in(Locale.parse(language)).items()))])
        for language in languages
    )
    return HEAD + "".join(f"{line}\n" for line in lines)


def stale() -> list[str]:
    """The tables that do not say what CLDR says."""
    return [table for table in TABLES if not _agrees(FOLDER / table, made(table))]


def _agrees(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    for name in stale():
        print(name)
        if "--write" in sys.argv[1:]:
            (FOLDER / name).write_text(made(name), encoding="utf-8")
