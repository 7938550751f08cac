"""What the shop sells: products of invented brands, priced in the currencies of its customers."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import msgspec

from sim.chance import chance
from sim.truth import Money

SHOP_URL = "https://shop.example"


@dataclass(frozen=True, slots=True)
class Currency:
    """`per_euro`: minor units for one euro; fixed, for the shop sets prices, not the market. `step`: they end in it."""

    code: str
    per_euro: float
    minor_per_major: int
    step: int


CURRENCIES = {
    each.code: each
    for each in (
        Currency("EUR", 100, 100, 10),
        Currency("GBP", 86, 100, 10),
        Currency("USD", 108, 100, 10),
        Currency("JPY", 160, 1, 10),
    )
}


def major(money: Money) -> float | int:
    """The amount as clients write it: 12.5 for 1,250 cents, 1250 for as many yen."""
    per_major = CURRENCIES[money.currency].minor_per_major
    return money.minor if per_major == 1 else money.minor / per_major


@dataclass(frozen=True, slots=True)
class Product:
    """`described` is its JSON as properties of an event, per currency."""

    index: int
    product_id: str
    sku: str
    name: str
    brand: str
    category: str
    path: str
    prices: dict[str, int]
    described: dict[str, msgspec.Raw]

    def described_with(self, currency: str, **more: str | int) -> msgspec.Raw:
        """Its JSON with more fields, such as `quantity`."""
        return msgspec.Raw(bytes(self.described[currency])[:-1] + b"," + msgspec.json.encode(more)[1:])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All products; those of one category lie side by side."""

    products: tuple[Product, ...]
    by_category: dict[str, tuple[Product, ...]]

    def search_word(self, product: Product) -> str:
        """What somebody who looks for the product would type."""
        return product.name.rpartition(" ")[2].lower()


_CATEGORIES = {
    "Kitchen": ("Kettle", "Skillet", "Grater", "Ladle", "Carafe", "Scale"),
    "Garden": ("Trowel", "Planter", "Secateurs", "Hose", "Lantern", "Trellis"),
    "Tea & Coffee": ("Sencha", "Assam", "Espresso", "Teapot", "Grinder", "Filter"),
    "Bedding": ("Pillow", "Duvet", "Blanket", "Sheet", "Quilt", "Bolster"),
    "Toys": ("Puzzle", "Kite", "Blocks", "Puppet", "Marbles", "Scooter"),
    "Outdoor": ("Tent", "Rucksack", "Lamp", "Flask", "Hammock", "Poncho"),
    "Audio": ("Headphones", "Speaker", "Turntable", "Radio", "Microphone", "Amplifier"),
    "Stationery": ("Notebook", "Pen", "Inkwell", "Folder", "Stapler", "Envelope"),
}
_QUALITIES = ("Alder", "Basalt", "Cobalt", "Dune", "Ember", "Fjord", "Grove", "Heather")
_BRANDS = ("Norrveld", "Tamiko", "Quillon", "Brasswick", "Ozaline", "Verdamar", "Hollin & Rye", "Pikku")
_MEDIAN_EURO = {"Audio": 60.0, "Bedding": 38.0, "Outdoor": 45.0, "Stationery": 9.0, "Tea & Coffee": 14.0}


def make_catalogue(seed: int) -> Catalogue:
    """The catalogue of a seed: 8 categories of 48 products."""
    rng = chance(seed, "catalogue")
    products: list[Product] = []
    by_category: dict[str, tuple[Product, ...]] = {}
    for category, nouns in _CATEGORIES.items():
        names = [f"{quality} {noun}" for noun in nouns for quality in _QUALITIES]
        here = tuple(_product(rng, len(products) + i, category, name) for i, name in enumerate(names))
        products.extend(here)
        by_category[category] = here
    return Catalogue(tuple(products), by_category)


def _product(rng: Random, index: int, category: str, name: str) -> Product:
    euro = _MEDIAN_EURO.get(category, 24.0) * rng.lognormvariate(0, 0.6)
    prices = {each.code: _price(each, euro) for each in CURRENCIES.values()}
    product_id, brand = f"p-{index:04d}", rng.choice(_BRANDS)
    sku = f"{category[:3].upper()}-{index:04d}-{rng.randrange(100):02d}"
    path = f"/products/{name.lower().replace(' ', '-')}"
    described = {
        code: msgspec.Raw(
            msgspec.json.encode(
                {
                    "product_id": product_id,
                    "sku": sku,
                    "category": category,
                    "name": name,
                    "brand": brand,
                    "price": major(Money(code, price)),
                    "currency": code,
                    "url": f"{SHOP_URL}{path}",
                    "image_url": f"{SHOP_URL}/images/{product_id}.jpg",
                }
            )
        )
        for code, price in prices.items()
    }
    return Product(index, product_id, sku, name, brand, category, path, prices, described)


def _price(currency: Currency, euro: float) -> int:
    steps = max(1, round(euro * currency.per_euro / currency.step))
    return steps * currency.step
