"""The channels for messages that there are: the one place that names them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from courtesy.channel import in_app
from courtesy.channel.contract import Outside
from courtesy.channel.email import CARRIERS
from courtesy.channel.email.channel import Email, with_sender
from courtesy.channel.email.provider import Reporter
from courtesy.channel.in_app import InApp
from courtesy.channel.message import MessageChannel
from courtesy.component.declaration import Component
from courtesy.engine.delivery import DeliveryStore


@dataclass(frozen=True, slots=True)
class Declared:
    """What a connection of a component is: over which channel, with which fields, to which kinds of addresses."""

    channel: str
    component: Component
    address_kinds: tuple[str, ...]


DECLARED: Mapping[str, Declared] = {
    in_app.COMPONENT.name: Declared(InApp.channel, in_app.COMPONENT, InApp.address_kinds),
} | {
    each.component.name: Declared(Email.channel, with_sender(each.component), Email.address_kinds) for each in CARRIERS
}
"""By the name of the component."""


def make_reporters(outside: Outside) -> dict[str, Reporter]:
    """Those whose providers report by webhook, by the name of the component."""
    made: dict[str, Any] = {each.component.name: each(outside) for each in CARRIERS}
    return {name: each for name, each in made.items() if hasattr(each, "told")}


def make_channels(outside: Outside, store: DeliveryStore) -> dict[str, MessageChannel]:
    """One of each, by the name of its component."""
    channels: dict[str, MessageChannel] = {in_app.COMPONENT.name: InApp(store)}
    for carrier in CARRIERS:
        channels[carrier.component.name] = Email(carrier(outside), outside.clock)
    return channels
