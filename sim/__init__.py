"""A simulated shop: a seeded, deterministic world of shoppers that knows the truth about itself.

`World(WorldConfig(seed=1)).deliveries()` yields what the shop's sites, apps, tills and CRM would send to a server of
the Segment HTTP spec, in order of arrival, each message with the truth about it: who really made it, and what a
correct server does with it. `World.receive` tells the world that a shopper got a message, which changes what they
buy by a known amount.

Nothing here imports Courtesy, so that the truth never leans on the code that it is there to check.
"""

from sim.catalogue import Catalogue, Product
from sim.config import Mischief, WorldConfig
from sim.device import Device, DeviceKind
from sim.response import MessageKind, TrueEffect
from sim.shopper import Shopper
from sim.truth import Delivery, Expected, Flaw, Money, Order, Summary, Truth
from sim.world import World

__all__ = [
    "Catalogue",
    "Delivery",
    "Device",
    "DeviceKind",
    "Expected",
    "Flaw",
    "MessageKind",
    "Mischief",
    "Money",
    "Order",
    "Product",
    "Shopper",
    "Summary",
    "TrueEffect",
    "Truth",
    "World",
    "WorldConfig",
]
