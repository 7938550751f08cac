"""What a channel for messages promises: one attempt to hand over one message, and an answer from a closed list.

Whoever sends decides whether, when and how often; a channel neither waits nor remembers. To add one is to write one
file with a class of this kind, and to name it in `courtesy.channel.carriers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar, Protocol

import msgspec

from courtesy.base.ids import PersonId
from courtesy.component.declaration import Component
from courtesy.delivery.cause import DeliveryCause
from courtesy.event.choice import ANY


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """The other side took the message, and is in charge of it now. `message_id` is its own name for it, if it told
    one."""

    words: str
    message_id: str = ""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The other side refused this message for good; it has not gone out. `status` is an enhanced code, or empty."""

    cause: DeliveryCause
    words: str
    status: str = ""


class Later(msgspec.Struct, frozen=True, tag="later"):
    """The message has certainly not gone out, and may another time: not before `after_ms` from now, if that was said.

    With the cause SET_UP no message will go out in this way until somebody mends it; it is not the message's fault.
    """

    cause: DeliveryCause
    words: str
    status: str = ""
    after_ms: int | None = None


class Unsure(msgspec.Struct, frozen=True, tag="unsure"):
    """All of the message was handed over, and no answer came: it may have gone out, and may not. Later reports of it
    settle it; to send it again may be to send it twice."""

    words: str


Answer = Accepted | Refused | Later | Unsure
"""What became of one attempt. `words` are for people: they may quote the other side, so they are kept, but not
logged."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one person, rendered.

    `key` names it for ever (16 bytes), `message` is its id, `address` where it goes. `parts` are what the channel's
    content has: subject, html and text of an e-mail. `token` is what reports of it bring back. `unsubscribe_url` takes
    a POST (RFC 8058); empty for a service message. `asked_ms`, `expires_ms`: ms UTC.
    `purpose`, `topic`, `brand`: what it is permitted for, asked again while it waits; no purpose where nobody asks.
    """

    key: bytes
    person: PersonId
    message: str
    campaign: str
    address: str
    parts: Mapping[str, str]
    locale: str
    token: str
    asked_ms: int
    expires_ms: int
    is_service: bool = False
    unsubscribe_url: str = ""
    offer: str = ""
    purpose: str = ""
    topic: str = ANY
    brand: str = ANY

    @property
    def content_hash(self) -> bytes:
        """The SHA-256 of what the person is told: the permit is for these words."""
        return sha256(msgspec.json.encode(dict(sorted(self.parts.items())))).digest()

    def __repr__(self) -> str:
        """Without content and address, which are personal data that must not reach a log."""
        return f"Outgoing(message={self.message!r})"


class MessageChannel(Protocol):
    """Hands messages over by one protocol or to one provider.

    `channel` is what consent and contact policy call it. `address_kinds`: the kinds of identifiers that are addresses
    for it, the best first; none when it needs no address. `may_repeat`: whether the other side recognises a message
    that comes twice, by its key, so that to try again is safe whatever became of an attempt before.
    """

    component: Component
    channel: ClassVar[str]
    address_kinds: ClassVar[tuple[str, ...]]
    may_repeat: ClassVar[bool]

    async def carry(self, outgoing: Outgoing, config: dict[str, Any]) -> Answer:
        """Try once, in bounded time. `config` is as written by the user; it may differ from call to call.

        Never raises for what the user configured or the other side does. Many messages may be under way at once, and
        should be. After a cancelled attempt it is unknown whether the message went out.
        """
        ...

    async def aclose(self) -> None:
        """Give back all connections, once nothing is under way. To close twice does no harm."""
        ...
