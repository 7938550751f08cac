"""Time zones that other facts tell: a place, or a telephone number.

Some places have several zones. They tell an hour only as far as those are near each other; how far is for whoever asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

import phonenumbers
from phonenumbers import timezone

_EAST, _CENTRE, _MOUNTAIN, _WEST = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
_STATES = {
    (_EAST,): "CT DC DE GA MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
    (_EAST, _CENTRE): "FL IN KY MI TN",
    (_CENTRE,): "AL AR IA IL LA MN MO MS OK WI",
    (_CENTRE, _MOUNTAIN): "KS ND NE SD TX",
    (_MOUNTAIN,): "CO MT NM UT WY",
    ("America/Phoenix", _MOUNTAIN): "AZ",
    (_MOUNTAIN, _WEST): "ID OR NV",
    (_WEST,): "CA WA",
    ("America/Anchorage", "America/Adak"): "AK",
    ("Pacific/Honolulu",): "HI",
}
"""The zones of the states of the United States; the Navajo Nation in Arizona alone has summer time there."""


@cache
def _by_state() -> Mapping[str, tuple[str, ...]]:
    return {f"US-{state}": zones for zones, states in _STATES.items() for state in states.split()}


@cache
def _by_country() -> Mapping[str, tuple[str, ...]]:
    """As the tz database lists them."""
    found = defaultdict[str, list[str]](list)
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found[country].append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


def zones_of_place(place: str) -> tuple[str, ...]:
    """The zones of a country (`DE`), of the United States also of a state (`US-CA`); none for what is no place."""
    return _by_state().get(place) or _by_country().get(place.partition("-")[0], ())


@lru_cache(maxsize=100_000)
def zones_of_phone(number: str) -> tuple[str, ...]:
    """The zones in which a number in E.164 may be, by its prefix; none for what is no number, or of no place."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return ()
    return tuple(zone for zone in timezone.time_zones_for_number(parsed) if zone != timezone.UNKNOWN_TIMEZONE)
