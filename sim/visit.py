"""What a shopper does between arriving and leaving."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from sim.catalogue import Catalogue, Product
from sim.clock import SECOND_MS, iso
from sim.device import Device
from sim.life import DeviceState, Life
from sim.order import Bill, describe_lines, describe_order, make_bill
from sim.shopper import Shopper
from sim.tracker import Tracker
from sim.truth import ORDERED, Line, Money

SITE = "Hearth online"


@dataclass(frozen=True, slots=True)
class Purchase:
    """What was bought."""

    order_id: str
    at_ms: int
    lines: tuple[Line, ...]
    bill: Bill

    @property
    def money(self) -> Money:
        """The revenue."""
        return Money(self.bill.currency, self.bill.revenue)


def traits_of(shopper: Shopper, email: str) -> dict[str, Any]:
    """What the shop knows about an account."""
    return {
        "email": email,
        "name": shopper.name,
        "firstName": shopper.given.native,
        "lastName": shopper.family.native,
        "language": shopper.culture.locale[:2],
        "address": {"city": shopper.city, "country": shopper.culture.country},
    }


def fill_cart(rng: Random, catalogue: Catalogue, life: Life) -> None:
    """Put one more product, mostly of a favourite kind, into the cart."""
    product = pick_product(rng, catalogue, life.shopper)
    life.cart[product.index] = life.cart.get(product.index, 0) + (2 if rng.random() < 0.15 else 1)


def pick_product(rng: Random, catalogue: Catalogue, shopper: Shopper) -> Product:
    """A product to look at; the first of each kind sell best."""
    if rng.random() < 0.8:
        shelf = catalogue.by_category[shopper.favourites[rng.random() < 0.3]]
    else:
        shelf = catalogue.products
    return shelf[int(rng.random() ** 1.7 * len(shelf))]


def settle(catalogue: Catalogue, life: Life, at_ms: int, ships: bool) -> tuple[tuple[Line, ...], Bill]:
    """Take all that is in the cart to the cash desk, with the coupon if there is one; the cart is empty then."""
    lines = tuple(Line(product, quantity) for product, quantity in life.cart.items())
    life.cart.clear()
    life.order_count += 1
    return lines, make_bill(catalogue, lines, life.shopper.culture.currency, life.take_coupon(at_ms), ships)


class Visit:
    """One visit to the site or in the app; `play` goes through it and leaves all messages in the tracker.

    Changes `life` (cart, account, coupon) and `state` (login, anonymous id) as it goes. Afterwards `purchase` is what
    was bought, and `account_changed` says whether the shop's own systems have something to tell of the account.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        life: Life,
        device: Device,
        state: DeviceState,
        tracker: Tracker,
        rng: Random,
        order_id: str,
        buys: bool,
    ) -> None:
        self.purchase: Purchase | None = None
        self.account_changed = False
        self._catalogue = catalogue
        self._life = life
        self._shopper = life.shopper
        self._currency = life.shopper.culture.currency
        self._device = device
        self._state = state
        self._tracker = tracker
        self._rng = rng
        self._order_id = order_id
        self._buys = buys

    def play(self) -> None:
        """Go through the visit."""
        self._arrive()
        if self._tracker.user_id is not None:
            self._mend_email()
        elif self._rng.random() < self._wish_to_sign_in():
            self._sign_in()
        for _ in range(1 + int(self._rng.expovariate(0.6))):
            self._look_around()
        if self._buys:
            self._check_out()
        self._leave()

    def _wait(self) -> None:
        self._tracker.now_ms += 3 * SECOND_MS + int(self._rng.random() ** 3 * 120 * SECOND_MS)

    def _open(self, name: str, path: str) -> None:
        if self._device.is_app:
            self._tracker.screen(name)
        else:
            self._tracker.page(name, path)
        self._wait()

    def _arrive(self) -> None:
        if self._state.user == self._shopper.index:
            self._tracker.user_id = self._shopper.user_id
        if self._device.is_app:
            self._tracker.track("Application Opened", {"from_background": self._rng.random() < 0.5})
        self._open("Home", "/")

    def _wish_to_sign_in(self) -> float:
        """The chance of signing in or up. The app sells only to those who did."""
        if self._buys and self._device.is_app:
            return 1.0
        if self._life.is_member:
            return 0.8 if self._buys or self._device.is_shared else 0.35
        return 0.5 if self._buys else 0.05

    def _sign_in(self) -> None:
        life, tracker, shopper = self._life, self._tracker, self._shopper
        signs_up = not life.is_member
        if signs_up:
            life.is_member = self.account_changed = True
            life.email = shopper.emails[-1]
        tracker.user_id, self._state.user = shopper.user_id, shopper.index
        if self._device.legacy:
            tracker.alias(tracker.anonymous_id if signs_up else shopper.user_id)
        tracker.identify(traits_of(shopper, life.email) | ({"createdAt": iso(tracker.now_ms)} if signs_up else {}))
        if signs_up:
            tracker.track("Signed Up", {"type": "organic", "email": life.email})
        else:
            tracker.track("Signed In", {"username": shopper.user_id})
        if shopper.company is not None:
            tracker.group(shopper.company[0], {"name": shopper.company[1]})
        self._wait()

    def _mend_email(self) -> None:
        """Who mistyped their address may notice, for no receipt came."""
        right = self._shopper.emails[0]
        if self._life.email != right and self._rng.random() < 0.4:
            self._life.email = right
            self.account_changed = True
            self._tracker.identify({"email": right})
            self._wait()

    def _look_around(self) -> None:
        rng = self._rng
        product = pick_product(rng, self._catalogue, self._shopper)
        way = rng.random()
        if way < 0.2:
            self._tracker.browse("Products Searched", {"query": self._catalogue.search_word(product)})
            self._wait()
        if way < 0.6:
            self._list_shelf(product)
        if not self._device.is_app:
            self._open(product.name, product.path)
        self._tracker.browse("Product Viewed", product.described[self._currency])
        self._wait()
        if rng.random() < 0.16:
            self._add_to_cart(product)

    def _list_shelf(self, product: Product) -> None:
        shelf = self._catalogue.by_category[product.category]
        shown = [each.described_with(self._currency, position=i) for i, each in enumerate(shelf[:3], 1)]
        list_id = f"shelf-{product.category.split()[0].lower()}"
        self._tracker.browse(
            "Product List Viewed", {"list_id": list_id, "category": product.category, "products": shown}
        )
        self._wait()

    def _add_to_cart(self, product: Product) -> None:
        self._life.cart[product.index] = self._life.cart.get(product.index, 0) + 1
        added = product.described_with(self._currency, quantity=1, cart_id=f"cart-{self._shopper.index}")
        self._tracker.track("Product Added", added)
        self._wait()

    def _check_out(self) -> None:
        tracker, catalogue, life = self._tracker, self._catalogue, self._life
        for _ in range(1 + int(self._rng.random() * 2) if life.cart else 1 + int(self._rng.random() * 3)):
            self._add_to_cart(pick_product(self._rng, catalogue, self._shopper))
        self._view_cart()
        if tracker.user_id is None:
            tracker.identify({"email": self._shopper.emails[0], "name": self._shopper.name})
        lines, bill = settle(catalogue, life, tracker.now_ms, ships=True)
        properties = describe_order(catalogue, self._order_id, lines, bill, SITE)
        tracker.track("Checkout Started", properties | {"value": properties["total"]})
        self._wait()
        properties["checkout_id"] = f"checkout-{self._order_id}"
        tracker.track("Payment Info Entered", {"checkout_id": properties["checkout_id"], "payment_method": "card"})
        self._wait()
        self.purchase = Purchase(self._order_id, tracker.now_ms, lines, bill)
        tracker.track(ORDERED, properties, self.purchase.money)

    def _view_cart(self) -> None:
        lines = tuple(Line(product, quantity) for product, quantity in self._life.cart.items())
        shown = describe_lines(self._catalogue, lines, self._currency)
        self._tracker.track("Cart Viewed", {"cart_id": f"cart-{self._shopper.index}", "products": shown})
        self._wait()

    def _leave(self) -> None:
        """Shared devices are always signed out of; one's own now and then. A good client takes a new id then."""
        tracker, state = self._tracker, self._state
        if tracker.user_id is None or (not self._device.is_shared and self._rng.random() > 0.06):
            return
        self._wait()
        tracker.track("Signed Out", {"username": tracker.user_id})
        state.user = None
        if not self._device.keeps_id:
            state.generation += 1
