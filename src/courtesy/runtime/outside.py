"""The world as the settings let channels touch it."""

from __future__ import annotations

from courtesy.base.time import Clock
from courtesy.channel.address import permitted_networks
from courtesy.channel.contract import Outside
from courtesy.channel.guard import GuardedNetwork, SystemResolver
from courtesy.runtime.settings import Settings


def outside_of(settings: Settings, clock: Clock) -> Outside:
    """All that a channel may touch: private addresses only where the operator permits them."""
    permitted = permitted_networks(settings.allow_private_webhooks)
    return Outside(clock, GuardedNetwork(SystemResolver(), permitted))
