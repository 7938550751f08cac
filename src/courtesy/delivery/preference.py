"""What a person wishes of messages, as they said it: choices of the kind `set` about a purpose, with values by name."""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.consent.standing import Kept, Standing, scope_key
from courtesy.delivery.contact import QuietHours
from courtesy.event.choice import ANY, Action, Scope

FREQUENCY, CHANNEL, QUIET = "frequency", "channel", "quiet_hours"
DISLIKE = "dislike"


def wish(standing: Standing, purpose: str, brand: str, name: str, now_ms: int) -> Any:
    """The value of one name that was set last about a purpose, for the brand or for all; None when none was."""
    found: Kept | None = None
    for scope in {Scope(purpose, brand=brand), Scope(purpose)}:
        for each in standing.scopes.get(scope_key(scope), ()):
            if _is_in_force(standing, each, now_ms) and isinstance(each.value, dict) and name in each.value:
                found = each if found is None else max(found, each, key=lambda one: (one.held_from, one.id))
    return None if found is None else found.value[name]


def preferred_channel(standing: Standing, purpose: str, brand: str, now_ms: int) -> str:
    """The channel that a person likes best for a purpose; empty when they have not said."""
    told = wish(standing, purpose, brand, CHANNEL, now_ms)
    return told if isinstance(told, str) else ""


def quiet_wish(standing: Standing, purpose: str, brand: str, now_ms: int) -> QuietHours | None:
    """The hours at which a person wants to be left alone."""
    try:
        return msgspec.convert(wish(standing, purpose, brand, QUIET, now_ms), QuietHours | None)
    except msgspec.ValidationError:
        return None


def is_disliked(standing: Standing, topic: str, brand: str, now_ms: int) -> bool:
    """Whether the last that a person said of a topic is that they do not like it."""
    if topic == ANY:
        return False
    said = [
        each
        for scope in {Scope(ANY, topic=topic, brand=brand), Scope(ANY, topic=topic)}
        for each in standing.scopes.get(scope_key(scope), ())
        if _is_in_force(standing, each, now_ms)
    ]
    return bool(said) and max(said, key=lambda each: (each.held_from, each.id)).value == DISLIKE


def _is_in_force(standing: Standing, kept: Kept, now_ms: int) -> bool:
    return (
        kept.action is Action.SET
        and kept.id not in standing.voids
        and kept.held_from <= now_ms
        and (kept.held_to is None or now_ms < kept.held_to)
    )
