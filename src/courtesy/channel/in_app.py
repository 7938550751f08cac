"""The channel `in_app`: messages that wait until the person is there, in an application or on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from courtesy.channel.message import Accepted, Answer, Outgoing
from courtesy.component.declaration import Component, Kind
from courtesy.engine.delivery import IN_APP, DeliveryStore, InboxItem
from courtesy.event.choice import ANY

COMPONENT = Component(
    name="in_app",
    kind=Kind.CHANNEL,
    summary="Shows a message in your application or on your pages.",
    doc="""
The message waits for the person. Whoever of their devices asks first gets it (`GET /v1/inbox`), and those that listen
(`GET /v1/inbox/live`) within a second, until it was clicked or dismissed, is not worth showing any more, or is
not welcome any more: whether it is, is asked again each time. The JavaScript SDK does both.
""",
    fields=(),
)

OBJECTS = ("display", "image")
"""Parts that are objects, as JSON."""


class Permitted(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a message was permitted for, kept with it to be asked again; no purpose when nobody asked."""

    purpose: str = ""
    topic: str = ANY
    brand: str = ANY


def shown_fields(parts: Mapping[str, str]) -> dict[str, Any]:
    """The parts of a message as pages get them."""
    return {**parts, **{name: msgspec.json.decode(parts[name]) for name in OBJECTS if name in parts}}


class InApp:
    """The channel `in_app`. A message that comes twice is one."""

    channel: ClassVar[str] = IN_APP
    component: Component = COMPONENT
    address_kinds: ClassVar[tuple[str, ...]] = ()
    may_repeat: ClassVar[bool] = True

    def __init__(self, store: DeliveryStore) -> None:
        self._store = store

    async def carry(self, outgoing: Outgoing, config: dict[str, Any]) -> Answer:
        """Have it wait. Raises Unavailable or StorageFull."""
        body = msgspec.json.encode(
            {
                "message": outgoing.message,
                "campaign": outgoing.campaign,
                "locale": outgoing.locale,
                "offer": outgoing.offer,
                "token": outgoing.token,
                **shown_fields(outgoing.parts),
                "permitted": Permitted(outgoing.purpose, outgoing.topic, outgoing.brand),
            }
        )
        item = InboxItem(outgoing.person, outgoing.message, self.channel, body, outgoing.asked_ms, outgoing.expires_ms)
        await self._store.put_inbox([item])
        return Accepted("waits to be shown")

    async def aclose(self) -> None:
        """Nothing to give back."""
