"""Places whose law may count: countries, their parts, and the unions that they are in."""

from __future__ import annotations

from functools import lru_cache

EEA = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split())
"""The European Economic Area, in which the GDPR is in force: the 27 of the EU, Iceland, Liechtenstein and Norway."""

EU = "EU"
"""The name of the area in scopes and policies."""


@lru_cache(maxsize=1_024)
def larger_places(place: str) -> tuple[str, ...]:
    """The places of which this one is a part, the smallest first: `US` for `US-CA`, `EU` for `DE`."""
    country, dash, _ = place.partition("-")
    found = [country] if dash else []
    if country in EEA:
        found.append(EU)
    return tuple(found)
