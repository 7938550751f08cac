"""Two worlds of the same shoppers, told once for all tests: one as messy as can be, one with no mischief."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from sim import Delivery, Mischief, World, WorldConfig
from tests.unit.sim.told import Told, told

_CONFIG = WorldConfig(
    seed=11,
    shopper_count=300,
    day_count=15,
    orders_per_visit=0.2,
    return_share=0.4,
    mischief=replace(
        Mischief(),
        family_tablet=0.4,
        shop_tablet=0.3,
        typo=0.4,
        placeholder=0.2,
        wrong_clock=0.2,
        missing_id=0.01,
        wrong_type=0.02,
        oversize=0.002,
        retry=0.05,
        unreadable=0.02,
    ),
)


@dataclass(frozen=True, repr=False)
class Story:
    """A world at its end, and all that was delivered."""

    world: World
    deliveries: list[Delivery]
    told: list[Told]


def _story(config: WorldConfig) -> Story:
    world = World(config)
    deliveries = list(world.deliveries())
    return Story(world, deliveries, list(told(deliveries)))


@pytest.fixture(scope="session")
def messy() -> Story:
    """The world with much mischief of every kind."""
    return _story(_CONFIG)


@pytest.fixture(scope="session")
def tidy() -> Story:
    """The world without any."""
    return _story(_CONFIG.tidy())
