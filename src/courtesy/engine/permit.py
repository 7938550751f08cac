"""What a store keeps of permits: what was allowed to leave, on what; and of what left.

The promises that hold for every engine:

- **A permit is issued on what is true.** `issue_permits` and appends come one at a time. A permit is issued only if
  since the position up to which it was decided nothing was appended for its people, nothing of theirs came into the
  ledger, and they are who they were: the identifier is theirs, or, by number, they have one. So once an append has
  returned, no permit is issued on what was before it.
- A permit that was answered is durable, and stays for good. Of somebody who is erased its people and choices go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.event.choice import Basis, Scope
from courtesy.person.whereabouts import KnownZone


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What a permit says: for what, for which message, why, and from when until when (ms UTC; the end is not included).

    `rule`, `policy` and `source` are those of the law that decided, `choices` the ids of the choices that did, `basis`
    that on which the one that allows rests. `local_minute` is the minute of the day by which quiet hours were kept,
    None when nobody knew what time it was there; `zones` are those in which they may have been, and by what that was
    known, the most telling first: the hour was allowed in each, and the minute is that of the first.
    """

    scope: Scope
    message: str
    message_hash: bytes
    why: str
    basis: Basis | None
    rule: str
    policy: str
    source: str
    choices: tuple[str, ...]
    local_minute: int | None
    issued_ms: int
    expires_ms: int
    zones: tuple[KnownZone, ...] = ()


class NewPermit(msgspec.Struct, frozen=True, gc=False):
    """A permit as it was decided: for whom `identifier` stood and who had become part of them (by number, in order), by
    everything up to the position `read`."""

    identifier: str
    person: PersonId
    others: tuple[PersonId, ...]
    read: Position
    terms: Terms


class Permit(msgspec.Struct, frozen=True, gc=False):
    """A permit that was issued, when the log ended at `position`; numbers rise in the order in which they are issued.

    `person` is None once they are forgotten; `others`, once any of those is who was one with them then.
    """

    number: int
    position: Position
    person: PersonId | None
    others: tuple[PersonId, ...] | None
    terms: Terms


@dataclass(frozen=True, slots=True)
class PermitFilter:
    """Which permits: issued at `from_ms <= issued < to_ms`, and for that channel, purpose, message or any of these
    people, as far as they are given."""

    from_ms: int = 0
    to_ms: int = 2**62
    channel: str | None = None
    purpose: str | None = None
    message: str | None = None
    people: frozenset[PersonId] | None = None


class Place(NamedTuple):
    """Where a permit stands among all, which are in order of when and as what number they were issued."""

    issued_ms: int
    number: int


class SendFault(StrEnum):
    """What is wrong with a send. OTHER_MESSAGE: its permit is for another message, or for other bytes of it. EXPIRED:
    its permit had ended before it left."""

    NO_PERMIT = "no_permit"
    OTHER_MESSAGE = "other_message"
    EXPIRED = "expired"


class Send(msgspec.Struct, frozen=True, gc=False):
    """A message that left, to somebody who had been all of `people`, none when nobody is known by that name.
    `message_hash`: None when it was not told."""

    message: str
    people: tuple[PersonId, ...]
    channel: str
    at_ms: int
    message_hash: bytes | None = None


class JudgedSend(msgspec.Struct, frozen=True, gc=False):
    """A message that left, with the number of the permit that is nearest to being its own, and what is wrong; None for
    either when there is none. `person` is 0 when nobody is known by that name, and None once they are forgotten."""

    message: str
    person: PersonId | None
    channel: str
    at_ms: int
    permit: int | None
    fault: SendFault | None


@dataclass(frozen=True, slots=True)
class SendAudit:
    """How many left in a span, how many of them with which fault, and the first of those, oldest first."""

    send_count: int
    fault_counts: Mapping[SendFault, int]
    faulty: Sequence[JudgedSend]


CAMPAIGN_END = "/"
"""What in the id of a message stands between the campaign that it is of, and which one it is."""


@dataclass(frozen=True, slots=True)
class SendFilter:
    """Which sends: left at `from_ms <= at < to_ms`, and over that channel, of that campaign or in that place, as far as
    they are given.

    Of a campaign are the messages whose id is its own, or begins with it and a slash. In a place (`DE`, `US`) is who
    was there, or in a part of it, by the permit; what left without one may have been anywhere, and is always among
    them.
    """

    from_ms: int = 0
    to_ms: int = 2**62
    channel: str | None = None
    campaign: str | None = None
    place: str | None = None


class SendPlace(NamedTuple):
    """Where a send stands among all: in order of when it left, by its message, channel and person; those who are
    forgotten, of whom nothing tells one from the other, come last and together."""

    at_ms: int
    message: str
    channel: str
    person: PersonId | None


@dataclass(frozen=True, slots=True)
class Received:
    """A message that left, the SHA-256 of its bytes if it was told, and the permit that is nearest to being its own."""

    send: JudgedSend
    message_hash: bytes | None
    permit: Permit | None

    @property
    def place(self) -> SendPlace:
        """Where it stands."""
        return SendPlace(self.send.at_ms, self.send.message, self.send.channel, self.send.person)


class PermitStore(Protocol):
    """The side of an engine that keeps permits and sends."""

    async def issue_permits(self, asked: Sequence[NewPermit]) -> list[Permit | None]:
        """Issue permits, all that still hold in one step; None for each that no longer does: decide it anew."""
        ...

    async def permits(self, which: PermitFilter, after: Place | None, limit: int) -> list[Permit]:
        """Permits in order, after a place if given, at most `limit`."""
        ...

    async def put_sends(self, sends: Sequence[Send]) -> list[JudgedSend]:
        """Keep what left, once each though it be told again, of any of its people: then it is as it was told first; and
        judge it, in the same order.

        The permit of a send is one for any of its people over its channel, issued by then: the latest that was still in
        force of those for its message, else the latest for its message, else the latest in force for another.
        """
        ...

    async def sends_of(self, people: Collection[PersonId]) -> list[JudgedSend]:
        """All that left to these people, as it is kept of them, oldest first."""
        ...

    async def audit_sends(self, from_ms: int, to_ms: int, limit: int) -> SendAudit:
        """Join all that left at `from_ms <= at < to_ms` to its permits anew, and show at most `limit` faulty ones."""
        ...

    async def received(self, which: SendFilter, after: SendPlace | None, limit: int) -> list[Received]:
        """What left, in order, after a place if given, at most `limit`; but all that are in one place come together."""
        ...
