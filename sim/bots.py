"""Visitors that are nobody: crawlers that read the shop, and floods from one mad client."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from sim.catalogue import Catalogue
from sim.chance import token
from sim.clock import DAY_MS
from sim.config import WorldConfig
from sim.courier import Courier
from sim.device import Device, DeviceKind, Model
from sim.tracker import Tracker
from sim.truth import Delivery
from sim.wire import split_by_time

CRAWLS_PER_DAY = 4.0

_CRAWLER = Model(
    "Mozilla/5.0 (compatible; Spindlebot/2.1; +https://spindle.example/bot)",
    ("Linux", ""),
    (1024, 768),
    ("analytics.js", "npm:next-1.84.0"),
)
_MAD = Model("python-requests/2.32.3", ("Linux", ""), (0, 0), ("analytics.js", "4.4.7"))


def crawler_count(config: WorldConfig) -> int:
    """How many crawlers there are; one at least if any."""
    share = config.mischief.crawler
    return max(1, round(config.shopper_count * share)) if share > 0 else 0


def next_crawl_ms(rng: Random, after_ms: int) -> int:
    """When a crawler comes again."""
    return after_ms + 1 + int(rng.expovariate(CRAWLS_PER_DAY) * DAY_MS)


def next_flood_ms(config: WorldConfig, rng: Random, after_ms: int) -> int:
    """When the next flood comes."""
    return after_ms + 1 + int(rng.expovariate(config.mischief.floods_per_day) * DAY_MS)


def crawl(config: WorldConfig, catalogue: Catalogue, rng: Random, key: str, at_ms: int) -> Iterator[Delivery]:
    """A crawler reads its way along the shelves, one page a second or so, each time as somebody new."""
    tracker = _tracker(config, _CRAWLER, key, at_ms)
    start = rng.randrange(len(catalogue.products))
    for step in range(rng.randrange(20, 60)):
        product = catalogue.products[(start + step) % len(catalogue.products)]
        tracker.page(product.name, product.path)
        tracker.browse("Product Viewed", product.described["EUR"])
        tracker.now_ms += rng.randrange(900, 1_500)
    return _send(config, rng, tracker)


def flood(config: WorldConfig, catalogue: Catalogue, rng: Random, key: str, at_ms: int) -> Iterator[Delivery]:
    """One client says the same thing hundreds of times within a minute."""
    tracker = _tracker(config, _MAD, key, at_ms)
    product = rng.choice(catalogue.products)
    for _ in range(rng.randrange(400, 900)):
        tracker.browse("Product Viewed", product.described["EUR"])
        tracker.now_ms += rng.randrange(10, 70)
    return _send(config, rng, tracker)


def _tracker(config: WorldConfig, model: Model, key: str, at_ms: int) -> Tracker:
    device = Device(f"bot-{key}", DeviceKind.BROWSER, model, "192.0.2.66")
    anonymous_id = token(config.seed, "bot", key)
    return Tracker(device, None, anonymous_id, key, at_ms, device.context("en-US", "UTC"))


def _send(config: WorldConfig, rng: Random, tracker: Tracker) -> Iterator[Delivery]:
    courier = Courier(config, rng, "web", "/v1/b")
    for batch in split_by_time(tracker.written, 15_000, 100):
        yield from courier.carry(batch, batch[-1].made_ms)
