"""The shop's own systems: the tills, and the CRM that knows accounts and takes things back."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from msgspec import UNSET, Raw

from sim.catalogue import Catalogue, major
from sim.chance import chance
from sim.clock import DAY_MS, HOUR_MS, MINUTE_MS, iso, next_boundary
from sim.config import WorldConfig
from sim.courier import Courier
from sim.life import Life
from sim.order import describe_lines, describe_order
from sim.truth import ORDERED, REFUNDED, Delivery, Expected, Line, Money, Order, Truth
from sim.visit import Purchase, fill_cart, settle, traits_of
from sim.wire import Message, Written, encode, split_by_size

TILL_EVERY_MS = 15 * MINUTE_MS
CRM_HOUR_MS = 3 * HOUR_MS
"""When the CRM sends what changed the day before, after midnight UTC."""

_TILL_CONTEXT = {"library": {"name": "analytics-java", "version": "3.5.2"}, "channel": "server"}
_CRM_CONTEXT = {"library": {"name": "analytics-python", "version": "2.3.4"}, "channel": "server"}
_TIERS = ("guest", "friend", "friend", "family")


def sell_at_till(rng: Random, catalogue: Catalogue, life: Life, order_id: str, at_ms: int) -> Purchase:
    """Fill a basket in the shop and pay, showing the member's card."""
    for _ in range(1 + int(rng.random() * 3)):
        fill_cart(rng, catalogue, life)
    lines, bill = settle(catalogue, life, at_ms, ships=False)
    return Purchase(order_id, at_ms, lines, bill)


class BackOffice:
    """Collects what tills and CRM have to say, and sends it when they do: tills often, the CRM once a night.

    `tell_sale` and `tell_account` answer with the instant at which the queue will be sent, or None when that is known
    already; whoever turns the world calls `send_sales` or `send_accounts` then.
    """

    def __init__(self, config: WorldConfig, catalogue: Catalogue) -> None:
        self._config = config
        self._catalogue = catalogue
        self._tag = config.tag
        self._sales: list[Written] = []
        self._accounts: dict[int, Life] = {}

    def tell_sale(self, life: Life, purchase: Purchase) -> int | None:
        """Note a purchase at a till."""
        shopper = life.shopper
        where = f"Hearth {shopper.city}"
        properties = describe_order(self._catalogue, purchase.order_id, purchase.lines, purchase.bill, where)
        context = _TILL_CONTEXT | {"location": {"city": shopper.city, "country": shopper.culture.country}}
        written = _write(
            "track",
            f"till-{purchase.order_id}",
            purchase.at_ms,
            Truth("", shopper.index, Expected.STORED, ORDERED, purchase.at_ms, purchase.money),
            context,
            user_id=shopper.user_id,
            event=ORDERED,
            properties=properties,
        )
        self._sales.append(written)
        return next_boundary(purchase.at_ms, TILL_EVERY_MS) if len(self._sales) == 1 else None

    def tell_account(self, life: Life, at_ms: int) -> int | None:
        """Note that an account is new or changed."""
        self._accounts[life.shopper.index] = life
        return next_boundary(at_ms, DAY_MS, CRM_HOUR_MS) if len(self._accounts) == 1 else None

    def send_sales(self, at_ms: int) -> Iterator[Delivery]:
        """What the tills have queued, by the clock of `at_ms`."""
        sales, self._sales = self._sales, []
        courier = Courier(self._config, chance(self._config.seed, "till", at_ms), "till", "/v1/batch")
        for batch in split_by_size(sales):
            yield from courier.carry(batch, at_ms)

    def send_accounts(self, at_ms: int) -> Iterator[Delivery]:
        """The accounts that changed, as they are now."""
        accounts, self._accounts = self._accounts, {}
        written = [self._describe_account(life, at_ms) for life in accounts.values()]
        courier = Courier(self._config, chance(self._config.seed, "crm", at_ms), "crm", "/v1/batch")
        for batch in split_by_size(written):
            yield from courier.carry(batch, at_ms)

    def _describe_account(self, life: Life, at_ms: int) -> Written:
        shopper = life.shopper
        traits = traits_of(shopper, life.email) | {
            "orderCount": life.order_count,
            "loyaltyTier": _TIERS[min(life.order_count, len(_TIERS) - 1)],
        }
        truth = Truth("", shopper.index, Expected.STORED, "identify", at_ms)
        key = f"crm-{self._tag}-{shopper.index}-{at_ms // DAY_MS}"
        return _write("identify", key, at_ms, truth, _CRM_CONTEXT, user_id=shopper.user_id, traits=traits)

    def send_refund(
        self, life: Life, order: Order, lines: tuple[Line, ...], money: Money, at_ms: int
    ) -> Iterator[Delivery]:
        """Tell at once that the lines of an order came back and were paid out."""
        shopper = life.shopper
        properties: dict[str, Any] = {
            "order_id": order.order_id,
            "total": major(money),
            "currency": money.currency,
            "products": describe_lines(self._catalogue, lines, money.currency),
        }
        # A guest has no login: the address on the receipt is all that the CRM has.
        context = _CRM_CONTEXT if life.is_member else _CRM_CONTEXT | {"traits": {"email": shopper.emails[0]}}
        written = _write(
            "track",
            f"refund-{order.order_id}",
            at_ms,
            Truth("", shopper.index, Expected.STORED, REFUNDED, at_ms, money),
            context,
            user_id=shopper.user_id if life.is_member else UNSET,
            event=REFUNDED,
            properties=properties,
        )
        courier = Courier(self._config, chance(self._config.seed, "refund", order.order_id, "road"), "crm", "/v1/batch")
        return courier.carry([written], at_ms)


def _write(kind: str, message_id: str, at_ms: int, truth: Truth, context: dict[str, Any], **fields: Any) -> Written:
    """A message of a server's library; `truth` comes without the message's id."""
    raw = encode(
        Message(
            type=kind,
            message_id=message_id,
            timestamp=iso(at_ms),
            integrations={},
            context=Raw(encode(context)),
            **fields,
        )
    )
    return Written(raw, at_ms, kind, truth._replace(message_id=message_id))


def choose_returned(rng: Random, order: Order) -> tuple[Line, ...]:
    """What of an order comes back: all of it, or one of its lines."""
    return order.lines if rng.random() < 0.5 else (rng.choice(order.lines),)


def refund_for(catalogue: Catalogue, order: Order, lines: tuple[Line, ...]) -> Money:
    """What is paid out for the lines: their part of the order's revenue, in minor units, rounded down."""
    currency = order.revenue.currency

    def full(some: tuple[Line, ...]) -> int:
        return sum(catalogue.products[line.product].prices[currency] * line.quantity for line in some)

    return Money(currency, order.revenue.minor * full(lines) // full(order.lines))
