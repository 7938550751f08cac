"""What changes as the world turns: accounts, carts, logins, and what is on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sim.response import COUPON_MS, Boost
from sim.shopper import Shopper
from sim.wire import Written


class Coupon(NamedTuple):
    """A discount that the shopper holds: the part taken off one order made before it ends."""

    value: float
    ends_ms: int


@dataclass(slots=True)
class Life:
    """One shopper's present. `visits`: when they come by themself; `called_back`: visits that messages caused.

    Both lists hold what is still to come, `visits` with the next at its end.
    """

    shopper: Shopper
    visits: list[int]
    is_member: bool
    email: str
    called_back: list[int] = field(default_factory=list)
    cart: dict[int, int] = field(default_factory=dict)
    boosts: list[Boost] = field(default_factory=list)
    coupon: Coupon | None = None
    visit_count: int = 0
    order_count: int = 0

    @classmethod
    def begin(cls, shopper: Shopper, visits: list[int]) -> Life:
        """The life at the world's start; `visits` ascending."""
        return cls(shopper, visits[::-1], shopper.was_member, shopper.emails[0])

    def take_coupon(self, at_ms: int) -> float:
        """The discount for an order made now, 0 without one. A coupon works once."""
        coupon, self.coupon = self.coupon, None
        return coupon.value if coupon is not None and at_ms < coupon.ends_ms else 0.0

    def give_coupon(self, value: float, at_ms: int) -> None:
        """Hold the discount from now on; one that is better and still valid stays."""
        held = self.coupon
        if held is None or held.ends_ms <= at_ms or held.value < value:
            self.coupon = Coupon(value, at_ms + COUPON_MS)


@dataclass(slots=True)
class DeviceState:
    """One device's present: who is signed in, how often its anonymous id changed, and what waits for a network.

    `flush_ms` is when the network comes back, None while there is one.
    """

    user: int | None = None
    generation: int = 0
    held: list[Written] = field(default_factory=list)
    flush_ms: int | None = None

    def take_held(self) -> list[Written]:
        """What waited, which then waits no more."""
        held, self.held, self.flush_ms = self.held, [], None
        return held
