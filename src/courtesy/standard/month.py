"""Months by name, in many languages; and in which order a country writes day, month and year."""

from __future__ import annotations

from functools import cache

from babel import Locale

from courtesy.standard.shipped import names_by_language
from courtesy.standard.text import comparable

LANGUAGES = (
    "en de fr es it pt nl sv da nb fi pl cs sk hu ro bg el ru uk tr ar he fa hi th ja ko zh ka hy id vi hr sr sl et lv"
    " lt ca bn ta kk az be mk"
).split()

# Short forms that people write and CLDR does not list.
_MORE = {"sept": 9, "mrz": 3, "maerz": 3, "jaenner": 1, "janner": 1, "feber": 2}


@cache
def _months_anywhere() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {name: {number} for name, number in _MORE.items()}
    for names in names_by_language("months.tsv").values():
        for name, number in names.items():
            found.setdefault(name, set()).add(int(number))
    return {name: frozenset(numbers) for name, numbers in found.items()}


def months_named(name: str, language: str | None) -> frozenset[int]:
    """The months, 1 to 12, that a name may mean; that of the language alone where it has the name.

    Listopad is October in Croatia and November in Poland.
    """
    word = comparable(name)
    known = names_by_language("months.tsv").get(language or "", {}).get(word)
    if known is not None:
        return frozenset({int(known)})
    return _months_anywhere().get(word, frozenset())


@cache
def field_order(locale: Locale) -> str:
    """`dmy`, `mdy` or `ymd`: how a locale writes a short date."""
    pattern = str(locale.date_formats["short"].pattern).lower()
    return "".join(sorted("dmy", key=lambda field: pattern.find(field) if field in pattern else 99))
