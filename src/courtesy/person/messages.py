"""What the state keeps of messages to a person: what left, and what room is held for what is on its way.

What left is a fact like others, told by events of the type `system`. Room is held live only, as timers are set: it
begins when a message is let through and ends with the event that says what became of it. That event goes to whoever
the message was let through to, and from there to whom they are part of: so where people are cut apart, room goes with
its person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from courtesy.base.ids import PersonId

NOBODY = PersonId(0)
"""To whom a message was let through by a version that did not keep it."""

ASKED = "Message Asked"
"""Somebody wants a message sent: a campaign, a journey, a call."""

SENT, UNSURE = "Message Sent", "Message Unsure"
"""It left; or it may have: the connection broke before the other side had answered."""

SKIPPED, FAILED = "Message Skipped", "Message Failed"
"""It did not leave: because it was not to, or because it could not."""

LEFT = frozenset({SENT, UNSURE})
ENDS = frozenset({SENT, UNSURE, SKIPPED, FAILED})
EVENTS = ENDS | {ASKED}

PRICE_UNIT = 1_000
"""Prices are whole thousandths of what a window has room for."""

SENT_MAX = 200
HELD_MAX = 100
WINDOW_DAYS_MAX = 31


class Sent(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """A message that left, or may have: when (ms UTC), its id, over which channel, and what it cost of the budget."""

    at: int
    message: str
    channel: str
    price: int


class Held(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Room for a message on its way: since when, over which channel, how much, and to whom it was let through."""

    at: int
    channel: str
    price: int
    person: PersonId = NOBODY


class Messages(msgspec.Struct, array_like=True, gc=False):
    """What left, the latest SENT_MAX, latest first; and what room is held, by the id of the message."""

    sent: list[Sent] = []
    held: dict[str, Held] = {}


def note(messages: Messages, name: str, at_ms: int, properties: Mapping[str, Any]) -> None:
    """Note what an event says became of a message. One that names none changes nothing."""
    message = properties.get("message")
    if name not in ENDS or not isinstance(message, str):
        return
    messages.held.pop(message, None)
    channel, price = properties.get("channel"), properties.get("price")
    if name in LEFT and isinstance(channel, str) and isinstance(price, int):
        _add(messages.sent, Sent(at_ms, message, channel, price))


def join(messages: Messages, others: Messages) -> None:
    """Add what is known of messages to somebody who became one with this person."""
    for each in others.sent:
        _add(messages.sent, each)
    messages.held.update(others.held)
    for each in messages.sent:
        messages.held.pop(each.message, None)


def held_for(held: Mapping[str, Held], people: Collection[PersonId]) -> dict[str, Held]:
    """The room for what was let through to any of some people."""
    return {message: each for message, each in held.items() if each.person in people}


def _add(sent: list[Sent], new: Sent) -> None:
    """Keep the latest, latest first, each once. Messages mostly come in order, so the place is nearly always first."""
    place = 0
    while place < len(sent) and sent[place] > new:
        place += 1
    if place < len(sent) and sent[place] == new:
        return
    if place < SENT_MAX:
        sent.insert(place, new)
        del sent[SENT_MAX:]
