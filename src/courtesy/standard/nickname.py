"""English short forms of given names: Bill and William may be one person.

The table is derived from the `nicknames` collection (Apache-2.0, see NOTICE): a formal name, then its short forms.
"""

from __future__ import annotations

from functools import cache

from anyascii import anyascii

from courtesy.standard.shipped import lines_of


@cache
def _short_forms() -> dict[str, frozenset[str]]:
    return {formal: frozenset(short) for formal, *short in (line.split(",") for line in lines_of("nicknames.csv"))}


@cache
def _formal_names() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for formal, shorts in _short_forms().items():
        for short in shorts:
            found.setdefault(short, set()).add(formal)
    return {short: frozenset(names) for short, names in found.items()}


def _key(given: str) -> str:
    return anyascii(given).strip().lower()


def formal_names(given: str) -> tuple[str, ...]:
    """The formal names for which a given name may be short, sorted, in small letters; empty when there is none."""
    return tuple(sorted(_formal_names().get(_key(given), ())))


def may_be_one_name(one: str, other: str) -> bool:
    """Whether two given names are equal, or one is short for the other, or both for a third."""
    a, b = _key(one), _key(other)
    long_a, long_b = _formal_names().get(a, frozenset()) | {a}, _formal_names().get(b, frozenset()) | {b}
    return bool(a) and bool(b) and not long_a.isdisjoint(long_b)
