"""The state of one person: bounded, mergeable, the same whatever the order in which its facts arrived.

Every part is a join: a maximum per register, a sum keyed by event, or the k best by an order that does not depend on
arrival. So `merge(a, b)` of two people's states is the state of one person with both their events, and folding is
merging one event at a time. Where something must be left out to stay bounded, what stays is chosen by an order fixed
in advance (highest time, lowest hash), never by who came first.
"""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.base.ids import PersonId, SourceId
from courtesy.consent.standing import Standing
from courtesy.event.event import Party
from courtesy.offer.standing import Mark
from courtesy.person.asking import Asking
from courtesy.person.conversion import Conversions
from courtesy.person.marks import Marks
from courtesy.person.messages import Messages

# `gc=False`: these never refer to themselves, and a worker holds millions of them, which the collector need not visit.

TRAITS_MAX = 500
TRAIT_BYTES_MAX = 4_096
NAMES_MAX = 100
SUMS_MAX = 12
OCCURRENCES_MAX = 16
DAYS_MAX = 60
RECENT_MAX = 30
GROUPS_MAX = 20
MEMBERS_MAX = 100
IDENTIFIERS_MAX = 150
TIMERS_MAX = 200
# Measured: a shopper with 800 events in a year has 14 KB, one with 20,000 events of 25 names on 40 devices 35 KB. With
# every bound reached and values of 30 bytes it is 145 KB; only long values go beyond, 4 KB for each of 500 traits and
# 32 KB (an event) for each of 200 timers, which somebody has to send on purpose.


class Stamp(msgspec.Struct, array_like=True, order=True, gc=False):
    """When a fact happened, and what settles the order of two facts of one millisecond: the tie of their messages."""

    at: int
    tie: int


class Trait(msgspec.Struct, array_like=True, gc=False):
    """A register: the value of one trait, and where it came from. `value` None says that it was unset."""

    value: Any
    rank: int
    at: int
    tie: int
    source: SourceId
    party: Party


class Behaviour(msgspec.Struct, array_like=True, gc=False):
    """What a person did under one name: how often, when first and last, the sums of its numeric properties.

    `sums` are whole units and millionths, so that adding is exact and its order does not matter. `recent` are the
    latest stamps, `days` the latest UTC day numbers with their counts, both newest first.
    """

    count: int
    first: Stamp
    last: Stamp
    sums: dict[str, list[int]]
    recent: list[Stamp]
    days: list[list[int]]


class Recent(msgspec.Struct, array_like=True, gc=False):
    """One of the latest events of a person, enough to name it; the log has the rest."""

    at: int
    tie: int
    type: str
    name: str | None
    source: SourceId
    message_id: str


class Seen(msgspec.Struct, array_like=True, gc=False):
    """When and by which source an identifier was carried first, and when last."""

    first: Stamp
    source: SourceId
    last: Stamp


class Membership(msgspec.Struct, array_like=True, gc=False):
    """That a person belongs to a group: first and last said so."""

    first: Stamp
    last: Stamp


class Pending(msgspec.Struct, array_like=True, gc=False):
    """A timer that was set: when it is due, for which subscription, and the event that set it."""

    due: int
    subscription: str
    at: int
    event: dict[str, Any]


class PersonState(msgspec.Struct, array_like=True):
    """All that is known of one person. Owned by whoever folds it: a step changes it in place.

    `merged_into` is set on what is left of a person who became part of another. `event_count` and `type_counts` count
    every event; `behaviours` details the up to 100 names kept. `standing`: what they allow and refuse, None while they
    have said nothing; `asking`: what they were asked, None while that is nothing; `marks`: what segments go by, None
    while there are none; `offers`: what was done about offers with them; `messages`: what was sent to them, None while
    that is nothing; `conversions`: what they did that messages were to bring about, None while that is nothing.
    """

    person: PersonId
    merged_into: PersonId | None = None
    event_count: int = 0
    first: Stamp | None = None
    last: Stamp | None = None
    type_counts: dict[str, int] = {}
    identifiers: dict[str, Seen] = {}
    traits: dict[str, Trait] = {}
    behaviours: dict[str, Behaviour] = {}
    recent: list[Recent] = []
    groups: dict[str, Membership] = {}
    members: dict[str, Stamp] = {}
    timers: dict[str, Pending] = {}
    standing: Standing | None = None
    asking: Asking | None = None
    marks: Marks | None = None
    offers: dict[str, Mark] = {}
    messages: Messages | None = None
    conversions: Conversions | None = None


_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_DECODER = msgspec.msgpack.Decoder(PersonState)


def encode_state(state: PersonState) -> bytes:
    """The stored form. Two states with the same facts encode to the same bytes."""
    return _ENCODER.encode(state)


def decode_state(content: bytes) -> PersonState:
    """The inverse of `encode_state`."""
    return _DECODER.decode(content)
