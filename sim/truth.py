"""What is known to be true: of each message, of each order, and of all that was delivered so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Expected(StrEnum):
    """What a correct server does with a message."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


class Flaw(StrEnum):
    """Why a message is not expected to be stored."""

    PLACEHOLDER_ID = "placeholder_id"
    MISSING_ID = "missing_id"
    WRONG_TYPE = "wrong_type"
    OVERSIZE = "oversize"
    SENT_AGAIN = "sent_again"


class Money(NamedTuple):
    """An amount in the currency's smallest unit: cents, but whole yen."""

    currency: str
    minor: int


class Truth(NamedTuple):
    """One message as it really is.

    `shopper`: index of who made it, or whom the shop's own system tells of; None for a bot. `name`: the event's name
    for track calls, else the call's type. `occurred_ms`: when it really happened, whatever the device's clock said.
    `money`: the revenue of an order or the amount of a refund. `flaw` is None exactly when `expected` is stored.
    """

    message_id: str
    shopper: int | None
    expected: Expected
    name: str
    occurred_ms: int
    money: Money | None = None
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request as it arrives. `truth` has one entry per message, in their order in the body.

    `truth` is empty exactly when the body is not readable JSON: a server answers 400 and keeps nothing.
    """

    arrives_at_ms: int
    source: str
    path: str
    body: bytes
    truth: tuple[Truth, ...]


class Line(NamedTuple):
    """One product and how many of it."""

    product: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase. `caused`: it would not have happened without the messages that the shopper received."""

    order_id: str
    shopper: int
    ordered_at_ms: int
    source: str
    revenue: Money
    lines: tuple[Line, ...]
    caused: bool


ORDERED = "Order Completed"
REFUNDED = "Order Refunded"


@dataclass(slots=True)
class Summary:
    """What a correct server should hold after the deliveries added so far.

    `event_counts`, `people`, orders and refunds count stored messages only, each message id once; bots' messages are
    stored too and are in `event_counts` and `bot_count`. Revenue is in minor units per currency; refunds are not
    subtracted from it.
    """

    delivery_count: int = 0
    unreadable_count: int = 0
    stored_count: int = 0
    duplicate_count: int = 0
    quarantined_count: int = 0
    bot_count: int = 0
    order_count: int = 0
    return_count: int = 0
    revenue: Counter[str] = field(default_factory=Counter)
    refunded: Counter[str] = field(default_factory=Counter)
    event_counts: Counter[str] = field(default_factory=Counter)
    flaw_counts: Counter[str] = field(default_factory=Counter)
    stored_by_source: Counter[str] = field(default_factory=Counter)
    people: set[int] = field(default_factory=set)

    @property
    def message_count(self) -> int:
        """All messages in readable bodies."""
        return self.stored_count + self.duplicate_count + self.quarantined_count

    def add(self, delivery: Delivery) -> None:
        """Count one delivery."""
        self.delivery_count += 1
        self.unreadable_count += not delivery.truth
        for truth in delivery.truth:
            if truth.flaw is None:
                self._add_stored(delivery.source, truth)
            else:
                self.flaw_counts[truth.flaw.value] += 1
                self.duplicate_count += truth.expected is Expected.DUPLICATE
                self.quarantined_count += truth.expected is Expected.QUARANTINED

    def _add_stored(self, source: str, truth: Truth) -> None:
        self.stored_count += 1
        self.stored_by_source[source] += 1
        self.event_counts[truth.name] += 1
        if truth.shopper is None:
            self.bot_count += 1
        else:
            self.people.add(truth.shopper)
        if truth.money is not None:
            self._add_money(truth.name, truth.money)

    def _add_money(self, name: str, money: Money) -> None:
        if name == ORDERED:
            self.order_count += 1
            self.revenue[money.currency] += money.minor
        elif name == REFUNDED:
            self.return_count += 1
            self.refunded[money.currency] += money.minor

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; people as a number, names sorted."""
        return {
            "deliveries": self.delivery_count,
            "unreadable_bodies": self.unreadable_count,
            "messages": self.message_count,
            "stored": self.stored_count,
            "duplicate": self.duplicate_count,
            "quarantined": self.quarantined_count,
            "flaws": _sorted(self.flaw_counts),
            "from_bots": self.bot_count,
            "people": len(self.people),
            "orders": self.order_count,
            "revenue_minor": _sorted(self.revenue),
            "returns": self.return_count,
            "refunded_minor": _sorted(self.refunded),
            "stored_by_source": _sorted(self.stored_by_source),
            "events": _sorted(self.event_counts),
        }


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
