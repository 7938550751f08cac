"""The channel `email`, over any carrier: a message becomes a letter."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any, ClassVar

from courtesy.base.time import Clock
from courtesy.channel.email.carrier import Carrier
from courtesy.channel.email.letter import Letter
from courtesy.channel.message import Answer, Outgoing
from courtesy.component.declaration import Component, Field, FieldType

SENDER = (
    Field(
        "sender",
        FieldType.STRING,
        "Who writes: an address, or a name and an address.",
        example="Shop <hello@shop.example>",
        required=True,
        check=lambda text: "" if _address(text) else "`name@host`, or `Name <name@host>`",
    ),
    Field(
        "reply_to",
        FieldType.STRING,
        "Where answers go, if not to the sender.",
        example="service@shop.example",
        default="",
        check=lambda text: "" if not text or _address(text) else "`name@host`",
    ),
    Field(
        "bounces",
        FieldType.STRING,
        "The domain to which mail servers return what they can't deliver: each letter has an address of its own there. "
        "Empty: they return it to the sender.",
        example="bounces.shop.example",
        default="",
    ),
    Field(
        "list_id",
        FieldType.STRING,
        "The name of the list as mail programs show and filter it; empty for the domain of the sender.",
        example="news.shop.example",
        default="",
    ),
)
"""What each connection for e-mail has beside the fields of its carrier."""


def _address(text: str) -> str:
    address = parseaddr(text)[1]
    name, _, host = address.rpartition("@")
    return address if name and host else ""


def with_sender(carrier: Component) -> Component:
    """A carrier as a connection is configured: it and who writes."""
    return Component(carrier.name, carrier.kind, carrier.summary, carrier.doc, (*SENDER, *carrier.fields))


class Email:
    """The channel `email`. A letter that comes twice is two letters."""

    component: Component
    channel: ClassVar[str] = "email"
    address_kinds: ClassVar[tuple[str, ...]] = ("email",)
    may_repeat: ClassVar[bool] = False

    def __init__(self, carrier: Carrier, clock: Clock) -> None:
        self.component = with_sender(carrier.component)
        self._carrier = carrier
        self._clock = clock

    async def carry(self, outgoing: Outgoing, config: dict[str, Any]) -> Answer:
        own = {each.name for each in SENDER}
        letter = letter_of(outgoing, config, self._clock.now_ms())
        return await self._carrier.carry(letter, {name: value for name, value in config.items() if name not in own})

    async def aclose(self) -> None:
        await self._carrier.aclose()


def letter_of(outgoing: Outgoing, config: dict[str, Any], now_ms: int) -> Letter:
    """The letter that a message is."""
    name, address = parseaddr(config["sender"])
    host = address.rpartition("@")[2]
    bounces = config.get("bounces", "")
    return Letter(
        from_address=address,
        from_name=name,
        to=outgoing.address,
        reply_to=config.get("reply_to", ""),
        subject=outgoing.parts.get("subject", ""),
        text=outgoing.parts.get("text", ""),
        html=outgoing.parts.get("html", ""),
        message_id=f"{outgoing.key.hex()}@{host}",
        date_ms=now_ms,
        locale=outgoing.locale,
        list_id="" if outgoing.is_service else config.get("list_id", "") or host,
        feedback_id=f"{_word(outgoing.campaign)}::{'service' if outgoing.is_service else 'bulk'}:courtesy",
        unsubscribe_url=outgoing.unsubscribe_url,
        return_path=f"b-{outgoing.token}@{bounces}" if bounces else "",
        token=outgoing.token,
        is_automatic=outgoing.is_service,
    )


def _word(text: str) -> str:
    """A part of a `Feedback-ID`: no colons."""
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in text)[:60]
