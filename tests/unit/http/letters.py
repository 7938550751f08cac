"""A mailbox for small worlds: what is asked for is folded, sent by the real sender, and lies there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from courtesy.channel.message import Accepted, Answer, MessageChannel, Outgoing
from courtesy.component.declaration import Component, Kind
from courtesy.runtime.connections import DefinedConnections
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.message_offers import MessageOffers
from courtesy.runtime.sending import Sender
from tests.unit.http.test_content import good
from tests.unit.http.world import World

CONFIG = {"sender": "Shop <hello@shop.example>", "host": "127.0.0.1", "security": "none"}
KEEPS = Component("smtp", Kind.CHANNEL, "Keeps letters.", "It does.", ())


@dataclass
class Mailbox:
    """A channel that takes every letter."""

    letters: list[Outgoing] = field(default_factory=list)
    component: Component = KEEPS
    channel: ClassVar[str] = "email"
    address_kinds: ClassVar[tuple[str, ...]] = ("email",)
    may_repeat: ClassVar[bool] = False

    async def carry(self, outgoing: Outgoing, config: dict[str, Any]) -> Answer:
        self.letters.append(outgoing)
        return Accepted("kept")

    async def aclose(self) -> None:
        """Nothing to give back."""


async def connect(world: World) -> None:
    """A connection over which letters leave."""
    await good(world, "PUT", "/v1/connections/letters", {"component": "smtp", "config": CONFIG})


async def letters(world: World) -> list[Outgoing]:
    """All that leaves now, in the order in which it was asked for."""
    app, box = world.app, Mailbox()
    worker = FoldWorker(app.engine, app.catalog.catalog, world.clock, "folder")
    channels: dict[str, MessageChannel] = {"smtp": box}
    connections = DefinedConnections(app.engine, app.catalog, world.clock)
    giving = MessageOffers(app.shelf.offers, app.shelf.offer_desk, app.catalog)
    sender = Sender(
        app.engine, channels, connections, app.post.wording, giving, app.post.tokens, world.clock
    )  # fmt: skip
    await worker.claim()
    while await worker.fold_once() + await worker.fire_due() + await sender.send_once("smtp"):
        pass
    await worker.release()
    return box.letters
