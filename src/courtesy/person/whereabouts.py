"""Where somebody is and what time it is there, by their state."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from courtesy.base.time import SECOND_MS
from courtesy.person.place import place_told_by
from courtesy.person.state import PersonState
from courtesy.person.view import nested_traits

ZONE_TRAIT = "timezone"


def place_of(state: PersonState) -> str:
    """Where somebody is, by their traits: a country, of the United States with the state; `*` when that is not
    known."""
    return place_told_by(nested_traits(state.traits))


def zone_of(state: PersonState) -> tzinfo | None:
    """The time zone where somebody is, by the trait `timezone`; None when that is not known."""
    trait = state.traits.get(ZONE_TRAIT)
    if trait is None or not isinstance(trait.value, str):
        return None
    try:
        return ZoneInfo(trait.value)
    except (ValueError, OSError, KeyError):
        return None


def local_minute_of(state: PersonState, at_ms: int) -> int | None:
    """The minute of the day at an instant where somebody is; None when it is not known which time zone that is."""
    zone = zone_of(state)
    return None if zone is None else minute_in(zone, at_ms)


def minute_in(zone: tzinfo, at_ms: int) -> int:
    """The minute of the day at an instant in a time zone."""
    there = datetime.fromtimestamp(at_ms / SECOND_MS, UTC).astimezone(zone)
    return there.hour * 60 + there.minute
