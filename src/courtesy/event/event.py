"""An accepted event, as it lies in the log."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from courtesy.base.ids import PersonId, SourceId
from courtesy.event.call import EMPTY
from courtesy.event.choice import Choice

SEGMENT_ENTERED, SEGMENT_LEFT = "Segment Entered", "Segment Left"
"""Names under which it is told, by events of the type `system`, that somebody entered or left a segment."""


class EventType(StrEnum):
    """The calls of the tracking protocol, and what the system itself reports."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"
    CONSENT = "consent"
    SYSTEM = "system"


class Party(StrEnum):
    """How far a source is from the customer. Zero: told by the customer on purpose; first: seen by us;
    second: told by a partner who saw it; third: bought or inferred elsewhere."""

    ZERO = "zero"
    FIRST = "first"
    SECOND = "second"
    THIRD = "third"


TRUST_RANK: dict[Party, int] = {Party.ZERO: 40, Party.FIRST: 30, Party.SECOND: 20, Party.THIRD: 10}
"""The rank of a source that declares none: what a customer says on purpose beats what was observed, and so on."""

OVERWRITE_RANK = 100
"""The rank of a fact whose sender asked for `context.courtesy.overwrite`; sources declare 0 to 99."""


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One immutable fact about one person.

    `at` is the event's own time after clock correction, `received` its arrival, both in ms UTC. `ids` are the
    normalised identifiers that it carried, `kind:value`, most telling first. `traits` are the person's, `group_traits`
    those of the group named in `group`; `choices` what they allow, refuse or like, and `known_as` the numbers of all
    who were known to be one with them when that came in. `live` is false for imports and replays: they change facts but
    start no action. Encoded as JSON, with nested objects byte for byte as they came.
    """

    id: str
    type: EventType
    at: int
    received: int
    source: SourceId
    rank: int
    party: Party
    ids: tuple[str, ...]
    name: str | None = None
    group: str | None = None
    previous: tuple[str, ...] = ()
    live: bool = True
    sent: int | None = None
    original: int | None = None
    traits: msgspec.Raw = EMPTY
    group_traits: msgspec.Raw = EMPTY
    properties: msgspec.Raw = EMPTY
    context: msgspec.Raw = EMPTY
    choices: tuple[Choice, ...] = ()
    known_as: tuple[PersonId, ...] = ()


class Fact(msgspec.Struct, frozen=True, gc=False):
    """What the fold reads of an `Event`: the same JSON, with the objects decoded, but for the context."""

    id: str
    type: EventType
    at: int
    received: int
    source: SourceId
    rank: int
    party: Party
    ids: tuple[str, ...]
    name: str | None = None
    group: str | None = None
    previous: tuple[str, ...] = ()
    live: bool = True
    traits: dict[str, Any] | None = None
    group_traits: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    context: msgspec.Raw = EMPTY
    choices: tuple[Choice, ...] = ()
    known_as: tuple[PersonId, ...] = ()


_ENCODER = msgspec.json.Encoder()
_FACT = msgspec.json.Decoder(Fact)


def encode(event: Event) -> bytes:
    """The log's form of an event."""
    return _ENCODER.encode(event)


def decode_fact(payload: bytes) -> Fact:
    """The fold's view of `encode(event)`. Raises msgspec.DecodeError or RecursionError on anything else."""
    return _FACT.decode(payload)


def behaviour_name(fact: Fact) -> str | None:
    """The name under which a fact is counted; None for calls that are not behaviour."""
    if fact.type is EventType.TRACK or fact.type is EventType.SYSTEM:
        return fact.name
    if fact.type is EventType.PAGE:
        return "Page Viewed"
    return "Screen Viewed" if fact.type is EventType.SCREEN else None


def done_name(fact: Fact) -> str | None:
    """As `behaviour_name`, without what follows from segments: no segment can ask for that, or one might chase itself
    for ever."""
    name = behaviour_name(fact)
    if fact.type is EventType.SYSTEM and name in (SEGMENT_ENTERED, SEGMENT_LEFT):
        return None
    return name
