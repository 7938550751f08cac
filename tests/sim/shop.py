"""Feeds the shoppers' world through the real parts, and keeps the truth about each message beside what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from courtesy.base.ids import PersonId, message_key
from courtesy.base.time import ManualClock
from courtesy.engine_memory import Disk, MemoryEngine
from courtesy.event.cause import Fate
from courtesy.event.event import EventType
from courtesy.http.body import accept_all, open_batch, open_call
from courtesy.http.wire import BadBody
from courtesy.person.record import Record, RecordKind
from courtesy.person.state import PersonState, decode_state
from courtesy.runtime.catalog import CatalogCache, Source
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.ingest import Ingest, Receipt
from sim import Delivery, Truth, World, WorldConfig
from sim.wire import SINGLE_PATHS
from tests.sim.loop import run_virtually

SOURCES = ("web", "app", "till", "crm")
TYPES = {path: EventType(name) for name, path in SINGLE_PATHS.items()}


class _KeptDisk(Disk):
    """A disk whose log can be looked through as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []

    def add_records(self, records: Sequence[Record]) -> None:
        self.records += records
        super().add_records(records)


@dataclass(slots=True)
class Shop:
    """A world after all of it was received and folded.

    `judged` counts what was expected of a message and what became of it; `truths` and `stored` are by message key.
    """

    world: World
    disk: _KeptDisk = field(default_factory=_KeptDisk)
    judged: Counter[tuple[str, str]] = field(default_factory=Counter)
    truths: dict[bytes, Truth] = field(default_factory=dict)
    unreadable_count: int = 0

    def stored(self) -> Iterator[tuple[Truth, PersonId, list[str]]]:
        """The truth about each message that was stored, the person who it was counted for, and its identifiers."""
        first = {each.key: each for each in reversed(self.disk.records) if each.kind is RecordKind.EVENT}
        for key, truth in self.truths.items():
            root = self.disk.identity.person_named(f"person:{first[key].person}")
            assert root is not None
            yield truth, root, msgspec.json.decode(first[key].payload)["ids"]

    def states(self) -> list[PersonState]:
        """Everybody's folded state."""
        return [decode_state(content) for content in self.disk.folding.states.values()]


def fed(config: WorldConfig) -> Shop:
    """The shop of that configuration, received and folded to the end."""
    shop = Shop(World(config))
    run_virtually(_feed(shop))
    return shop


async def _feed(shop: Shop) -> None:
    clock = ManualClock(shop.world.config.start_ms)
    engine = MemoryEngine(clock, shop.disk.partition_count, shop.disk)
    await engine.open()
    catalog = CatalogCache(engine, clock)
    await catalog.refresh()
    for name in SOURCES:
        await catalog.define_source(name, Source(), "sim")
    ingest = Ingest(engine, catalog.rules, clock)
    ingest.start()
    worker = FoldWorker(engine, catalog.catalog, clock, "folder")
    for delivery in shop.world.deliveries():
        clock.set(delivery.arrives_at_ms)
        await _receive(shop, delivery, ingest, catalog, clock)
        if shop.disk.log.head % 7 == 0:
            await worker.claim()
            await worker.fold_once()
    await worker.claim()
    while await worker.fold_once():
        continue
    await ingest.stop()
    await engine.close()


async def _receive(shop: Shop, delivery: Delivery, ingest: Ingest, catalog: CatalogCache, clock: ManualClock) -> None:
    policy = catalog.policy(delivery.source)
    forced_type = TYPES.get(delivery.path)
    try:
        envelope = open_batch(delivery.body) if forced_type is None else open_call(delivery.body)
    except BadBody:
        shop.unreadable_count += 1
        return
    items = accept_all(envelope, policy, clock.now_ms(), forced_type=forced_type)
    receipt = await ingest.append(items, policy)
    for truth, fate in zip(delivery.truth, _fates(receipt, len(items)), strict=True):
        shop.judged[truth.expected, fate] += 1
        if fate is Fate.STORED:
            shop.truths[message_key(policy.source, truth.message_id)] = truth


def _fates(receipt: Receipt, count: int) -> list[Fate]:
    fates = [Fate.STORED] * count
    for result in receipt.results:
        fates[result.place] = result.fate
    return fates
