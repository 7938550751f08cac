"""A message that somebody wants sent to a person, and the reasons for which it is not."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.event.choice import ANY

CHANNELS_MAX = 8
DATA_BYTES_MAX = 16 * 1024
CAMPAIGN_END = "/"

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Priority(StrEnum):
    """What a message may pass by. SERVICE: a confirmation, a receipt, a warning; it needs no room in the contact budget
    and waits for no hours but those that a law sets. NORMAL: all else."""

    SERVICE = "service"
    NORMAL = "normal"


class Skip(StrEnum):
    """Why a message is not sent. The list is closed: each that was asked for ends in one of these, or is sent, fails,
    or may have been sent."""

    NO_CONNECTION = "no_connection"
    NO_ADDRESS = "no_address"
    NOT_ALLOWED = "not_allowed"
    NOT_WANTED = "not_wanted"
    SUPPRESSED = "suppressed"
    BUDGET = "budget"
    QUIET_HOURS = "quiet_hours"
    HOUR_UNKNOWN = "hour_unknown"
    EXPIRED = "expired"
    STOPPED = "stopped"
    CONTENT = "content"
    OFFER = "offer"
    NOBODY = "nobody"


SKIP_DOCS: Mapping[Skip, str] = {
    Skip.NO_CONNECTION: "Nothing is connected that sends over the channel.",
    Skip.NO_ADDRESS: "No address of the person is known for the channel.",
    Skip.NOT_ALLOWED: "The law or the person does not allow it; `why` says which.",
    Skip.NOT_WANTED: "It is about something that the person said they do not like.",
    Skip.SUPPRESSED: "The address is dead, or its owner complained.",
    Skip.BUDGET: "The person hears enough from us: there is no room in the contact budget.",
    Skip.QUIET_HOURS: "Their quiet hours last longer than the message is worth sending.",
    Skip.HOUR_UNKNOWN: "A law sets hours, and nobody knows what time it is there.",
    Skip.EXPIRED: "It is too late for it.",
    Skip.STOPPED: "Its campaign was stopped.",
    Skip.CONTENT: "Its content can't be sent: it is not published, its rights have ended, or nothing is left of it.",
    Skip.OFFER: "Its offer can't be made to this person.",
    Skip.NOBODY: "Nobody is left to send it to.",
}
"""What each means, for those who read the reports."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message as it was asked for.

    `message`: its id, unique for ever; what stands before the first slash is the campaign that it is of. `channels`:
    those that may carry it, the best first; what the person prefers goes before that. `content`: what it says, an item
    and its version (`welcome@3`). `data`: what its template reads as `event`. `expires`: from when on it is not worth
    sending (ms UTC).
    """

    message: Name
    purpose: Name
    channels: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=CHANNELS_MAX)]
    content: Name
    expires: int
    topic: str = ANY
    brand: str = ANY
    priority: Priority = Priority.NORMAL
    offer: str = ""
    connection: str = ""
    data: dict[str, Any] = {}

    @property
    def campaign(self) -> str:
        """The campaign that it is of; its own id when it is of none."""
        return self.message.partition(CAMPAIGN_END)[0]


class Admitted(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that was let through: over which channel and connection, at what price of the contact budget, to whom
    at which host it goes (`*` where that means nothing), and when it was asked for (ms UTC)."""

    message: Message
    channel: str
    connection: str
    price: int
    asked: int


_ADMITTED = msgspec.json.Decoder(Admitted)


def message_of(properties: Mapping[str, Any] | None) -> Message:
    """The message that an event asks for. Raises msgspec.ValidationError."""
    return msgspec.convert(properties or {}, Message)


def admitted(body: bytes) -> Admitted:
    """The inverse of encoding one as JSON. Raises msgspec.DecodeError."""
    return _ADMITTED.decode(body)
