"""Where somebody is and what time it is there, by their state; and by what of it that is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from courtesy.base.time import HOUR_MS, SECOND_MS
from courtesy.person.place import place_told_by
from courtesy.person.state import PersonState
from courtesy.person.view import nested_traits
from courtesy.standard.zone import zones_of_phone, zones_of_place

ZONE_TRAIT = "timezone"
PHONE_PREFIX = "phone:"
APART_MS = 3 * HOUR_MS
"""Zones whose clocks are further apart than this tell no hour: somebody is in one of them, and who knows in which."""


class ZoneBy(StrEnum):
    """By what a time zone is known. DECLARED: the trait `timezone`. PHONE: the prefix of a number of theirs. PLACE:
    where they live, as their traits tell."""

    DECLARED = "declared"
    PHONE = "phone"
    PLACE = "place"


class KnownZone(NamedTuple):
    """A time zone in which somebody may be, and by what that is known."""

    name: str
    by: ZoneBy

    @property
    def zone(self) -> tzinfo:
        """The zone itself."""
        found = _zone(self.name)
        assert found is not None, "only zones that there are are known"
        return found


def place_of(state: PersonState) -> str:
    """Where somebody is, by their traits: a country, of the United States with the state; `*` when that is not
    known."""
    return place_told_by(nested_traits(state.traits))


def zones_of(state: PersonState, at_ms: int) -> tuple[KnownZone, ...]:
    """All time zones in which somebody may be, each once, the most telling first; none when that is not known.

    When they disagree, what is to hold where the person is has to hold in each: so nobody is called at night because
    one of two facts is wrong.
    """
    found: dict[str, ZoneBy] = {}
    for by, names in _told(state):
        for name in _told_apart(names, at_ms // HOUR_MS):
            found.setdefault(name, by)
    return tuple(KnownZone(name, by) for name, by in found.items())


def _told(state: PersonState) -> Iterator[tuple[ZoneBy, tuple[str, ...]]]:
    trait = state.traits.get(ZONE_TRAIT)
    if trait is not None and isinstance(trait.value, str):
        yield ZoneBy.DECLARED, (trait.value,)
    for key in sorted(state.identifiers):
        if key.startswith(PHONE_PREFIX):
            yield ZoneBy.PHONE, zones_of_phone(key.removeprefix(PHONE_PREFIX))
    yield ZoneBy.PLACE, zones_of_place(place_of(state))


def minutes_of(zones: tuple[KnownZone, ...], at_ms: int) -> tuple[int | None, ...]:
    """The minute of the day at an instant in each zone; None alone when none is known."""
    return tuple(minute_in(each.zone, at_ms) for each in zones) or (None,)


def minute_in(zone: tzinfo, at_ms: int) -> int:
    """The minute of the day at an instant in a time zone."""
    there = datetime.fromtimestamp(at_ms / SECOND_MS, UTC).astimezone(zone)
    return there.hour * 60 + there.minute


@lru_cache(maxsize=4_096)
def _told_apart(names: tuple[str, ...], hour: int) -> tuple[str, ...]:
    """Of zones one for each time that their clocks show in an hour since 1970; none when they are too far apart."""
    one_each: dict[int, str] = {}
    for name in names:
        zone = _zone(name)
        if zone is not None:
            one_each.setdefault(_offset_ms(zone, hour * HOUR_MS), name)
    is_near = bool(one_each) and max(one_each) - min(one_each) <= APART_MS
    return tuple(one_each.values()) if is_near else ()


@lru_cache(maxsize=1_024)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


def _offset_ms(zone: tzinfo, at_ms: int) -> int:
    offset = datetime.fromtimestamp(at_ms / SECOND_MS, UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds() * SECOND_MS)
