"""What a purchase costs, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.catalogue import CURRENCIES, Catalogue, major
from sim.truth import Line, Money

SHIPPING_EURO, FREE_FROM_EURO, TAX_SHARE = 4.9, 60.0, 0.19


@dataclass(frozen=True, slots=True)
class Bill:
    """All in minor units. `revenue` is what the products cost after the discount; shipping and tax come on top."""

    currency: str
    discount: int
    revenue: int
    shipping: int
    tax: int

    @property
    def total(self) -> int:
        """What the customer pays."""
        return self.revenue + self.shipping + self.tax


def make_bill(catalogue: Catalogue, lines: tuple[Line, ...], currency: str, discount: float, ships: bool) -> Bill:
    """The bill for the lines with a part taken off."""
    full = sum(catalogue.products[line.product].prices[currency] * line.quantity for line in lines)
    taken = round(full * discount)
    revenue, per_euro = full - taken, CURRENCIES[currency].per_euro
    shipping = round(SHIPPING_EURO * per_euro) if ships and revenue < FREE_FROM_EURO * per_euro else 0
    return Bill(currency, taken, revenue, shipping, round(revenue * TAX_SHARE))


def describe_lines(catalogue: Catalogue, lines: tuple[Line, ...], currency: str) -> list[Any]:
    """The `products` of an event."""
    return [catalogue.products[line.product].described_with(currency, quantity=line.quantity) for line in lines]


def describe_order(
    catalogue: Catalogue, order_id: str, lines: tuple[Line, ...], bill: Bill, where: str
) -> dict[str, Any]:
    """The properties of Checkout Started and Order Completed. `where` is the shop or site that sells."""

    def amount(minor: int) -> float | int:
        return major(Money(bill.currency, minor))

    properties: dict[str, Any] = {
        "order_id": order_id,
        "affiliation": where,
        "total": amount(bill.total),
        "subtotal": amount(bill.revenue),
        "revenue": amount(bill.revenue),
        "shipping": amount(bill.shipping),
        "tax": amount(bill.tax),
        "discount": amount(bill.discount),
        "currency": bill.currency,
        "products": describe_lines(catalogue, lines, bill.currency),
    }
    if bill.discount:
        properties["coupon"] = "WELCOME-BACK"
    return properties
