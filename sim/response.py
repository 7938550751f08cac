"""What makes a shopper buy: temper, mood, and the messages they received. This is the world's causal truth.

The chance that a visit at time t ends in a purchase is

    chance(t) = min(MOST, buy_rate x mood(t) x boost(t))
    boost(t)  = clamp(1 + sum over messages received at r <= t of lift x 2^(-(t - r) / half_life), LEAST, GREATEST)

A message also brings some shoppers back at once: one more visit within minutes, with its own chance of a purchase.
`lift` follows from the kind and value of the message and the shopper's temper, less what too many messages cost:
each one beyond the shopper's patience within a week lowers it. It can be negative; some are better left alone.

Whether a visit ends in a purchase is decided by one number per visit that nothing else touches. So a world with a
message and the same world without differ only by what the message caused, and each caused purchase is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp2, pi, sin
from random import Random
from typing import NamedTuple

from sim.clock import DAY_MS, HOUR_MS

MOST = 0.95
LEAST, GREATEST = 0.1, 6.0
WEEK_MS = 7 * DAY_MS
COUPON_MS = WEEK_MS
IRRITATION = 0.15
"""What each message beyond patience takes off the lift."""


class MessageKind(StrEnum):
    """DISCOUNT: value is the part taken off the price. REMINDER and NEWS: value is how apt it is. All from 0 to 1."""

    DISCOUNT = "discount"
    REMINDER = "reminder"
    NEWS = "news"


HALF_LIFE_MS = {MessageKind.DISCOUNT: 3 * DAY_MS, MessageKind.REMINDER: DAY_MS, MessageKind.NEWS: 5 * DAY_MS}
_RETURN_CHANCE = {MessageKind.DISCOUNT: 0.15, MessageKind.REMINDER: 0.12, MessageKind.NEWS: 0.06}


class Boost(NamedTuple):
    """What one received message does to the chance of a purchase."""

    received_ms: int
    lift: float
    half_life_ms: int

    def at(self, at_ms: int) -> float:
        """Its part of the boost; 0 before it was received."""
        if at_ms < self.received_ms:
            return 0.0
        return self.lift * exp2((self.received_ms - at_ms) / self.half_life_ms)


class TrueEffect(NamedTuple):
    """What receiving a message changes, in expectation over the chances of buying, until the world ends.

    `extra_orders` counts purchases with it less those without. It is exact for the visits that the shopper will make
    and the messages received so far. `lift` is the initial change of the purchase rate: 0.2 is a fifth more.
    `brings_back_at_ms`: when it causes a visit, None when it causes none.
    """

    extra_orders: float
    lift: float
    brings_back_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Temper:
    """How a shopper is. `buy_rate`: chance of a purchase per visit in a middling mood.

    `price_sensitivity` from 0 to 1; `attention` from -0.3 (a message annoys) to 1; `patience`: messages per week that
    do no harm. The waves are (weight, period in days, phase) of the mood.
    """

    visits_per_day: float
    buy_rate: float
    price_sensitivity: float
    attention: float
    patience: int
    waves: tuple[tuple[float, float, float], ...]

    def mood(self, at_ms: int) -> float:
        """Around 1; above it the shopper is keener to buy than usual. Between 0.4 and 1.6."""
        days = at_ms / DAY_MS
        return 1.0 + sum(weight * sin(2 * pi * days / period + phase) for weight, period, phase in self.waves)

    def lift(self, kind: MessageKind, value: float, in_last_week_count: int) -> float:
        """By how much a message changes the purchase rate at first, after so many others in the last 7 days."""
        match kind:
            case MessageKind.DISCOUNT:
                lift = 6.0 * self.price_sensitivity * value
            case MessageKind.REMINDER:
                lift = 0.8 * self.attention * value
            case MessageKind.NEWS:
                lift = 0.3 * self.attention * value
        return lift - IRRITATION * max(0, in_last_week_count + 1 - self.patience)

    def return_chance(self, kind: MessageKind, value: float) -> float:
        """The chance that a message brings the shopper back at once."""
        return _RETURN_CHANCE[kind] * max(0.0, self.attention) * (0.5 + 0.5 * value)

    def purchase_chance(self, at_ms: int, boosts: list[Boost]) -> float:
        """The chance that a visit at that time ends in a purchase; see the head of this file."""
        base = self.buy_rate * self.mood(at_ms)
        if not boosts:
            return min(MOST, base)
        boost = 1.0 + sum(each.at(at_ms) for each in boosts)
        return min(MOST, base * min(max(boost, LEAST), GREATEST))


def make_temper(rng: Random, visits_per_day: float, orders_per_visit: float) -> Temper:
    """A temper around the given means. Visits are log-normal with sigma 0.8: its mean is e^(0.32) times its median."""
    return Temper(
        visits_per_day=visits_per_day * rng.lognormvariate(-0.32, 0.8),
        # Beta with a = 1.5 and the mean asked for: many buy seldom, few often.
        buy_rate=rng.betavariate(1.5, 1.5 / orders_per_visit - 1.5) if 0 < orders_per_visit < 1 else orders_per_visit,
        price_sensitivity=rng.betavariate(2, 3),
        attention=rng.triangular(-0.3, 1.0, 0.35),
        patience=rng.randrange(1, 6),
        waves=(
            (rng.uniform(0, 0.35), rng.uniform(5, 9), rng.uniform(0, 2 * pi)),
            (rng.uniform(0, 0.25), rng.uniform(20, 60), rng.uniform(0, 2 * pi)),
        ),
    )


def comes_back(rng: Random, temper: Temper, kind: MessageKind, value: float, received_ms: int) -> int | None:
    """When a message received then brings the shopper back, or None. Half of those who come do so within the hour."""
    delay_ms = int(rng.expovariate(0.7) * HOUR_MS) + 1
    return received_ms + delay_ms if rng.random() < temper.return_chance(kind, value) else None
