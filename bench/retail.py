"""The events of a real web shop (UCI Online Retail), and as many segments over them as are wanted."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow.parquet as pq

from courtesy.base.ids import Partition, PersonId, Position, SourceId, message_key
from courtesy.base.time import SECOND_MS
from courtesy.event.call import EMPTY
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.person.record import Record, RecordKind
from courtesy.segment.definition import SegmentDefinition
from courtesy.segment.live.watch import patterns_for
from courtesy.segment.parsing import parse

DATA = Path("../shared/data/online_retail_uci/online_retail.parquet")
SHOP = SourceId(1)
BOUGHT = "Product Bought"


class Retail(NamedTuple):
    """The stream in the order in which it happened, its products (those bought most first), and its countries."""

    records: list[Record]
    products: list[str]
    countries: list[str]


def retail(count: int) -> Retail:
    """The first so many rows of known customers, each as an event; each customer's first tells their country."""
    columns = ["StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
    table = pq.read_table(DATA, columns=columns).sort_by("InvoiceDate")
    rows = [row for row in table.to_pylist() if row["CustomerID"]][:count]
    seen: set[int] = set()
    records: list[Record] = []
    for number, row in enumerate(rows):
        customer = int(row["CustomerID"])
        at = int(row["InvoiceDate"].timestamp()) * SECOND_MS + number % SECOND_MS
        if customer not in seen:
            seen.add(customer)
            records.append(_record(len(records), customer, at, {"country": row["Country"]}, None))
        records.append(_record(len(records), customer, at, None, _bought(row)))
    products = [code for code, _ in Counter(row["StockCode"] for row in rows).most_common()]
    return Retail(records, products, [name for name, _ in Counter(row["Country"] for row in rows).most_common()])


def _bought(row: dict[str, Any]) -> dict[str, Any]:
    total = round(row["Quantity"] * row["UnitPrice"], 2)
    return {"product": row["StockCode"], "quantity": row["Quantity"], "price": row["UnitPrice"], "total": total}


def _record(
    number: int, customer: int, at: int, traits: dict[str, Any] | None, properties: dict[str, Any] | None
) -> Record:
    event = Event(
        id=f"m{number}",
        type=EventType.IDENTIFY if properties is None else EventType.TRACK,
        at=at,
        received=at,
        source=SHOP,
        rank=30,
        party=Party.FIRST,
        ids=(f"user_id:{customer}",),
        name=None if properties is None else BOUGHT,
        traits=EMPTY if traits is None else msgspec.Raw(msgspec.json.encode(traits)),
        properties=EMPTY if properties is None else msgspec.Raw(msgspec.json.encode(properties)),
    )
    key = message_key(SHOP, event.id)
    person = PersonId(customer)
    return Record(Position(number + 1), Partition(0), person, RecordKind.EVENT, at, at, SHOP, key, encode(event))


def texts(shop: Retail, count: int, seed: int = 1) -> list[str]:
    """Segments as a shop would have them: of ten two have windows, one is a sequence, two ask for traits, and five for
    what was ever bought; over products as they are bought, and with amounts of many sizes."""
    chance = random.Random(seed)

    def product() -> str:
        return f'product is "{shop.products[min(int(chance.expovariate(1 / 600)), len(shop.products) - 1)]}"'

    def country() -> str:
        return f'country is "{shop.countries[min(int(chance.expovariate(1 / 4)), len(shop.countries) - 1)]}"'

    kinds = [
        lambda: (
            f'did "{BOUGHT}" at least {chance.randint(1, 3)} times in the last {chance.randint(1, 90)} days'
            f" where {product()}"
        ),
        lambda: (
            f'sum of total of "{BOUGHT}" in the last {chance.choice([7, 30, 90])} days where {product()}'
            f" > {chance.randint(5, 500)}"
        ),
        lambda: (
            f'did "{BOUGHT}" where {product()} then "{BOUGHT}" where {product()} within {chance.randint(1, 60)} days'
        ),
        lambda: f'{country()} and did "{BOUGHT}" where {product()}',
        lambda: (
            f'{country()} and sum of total of "{BOUGHT}" > {chance.randint(1, 50) * 100}'
            if chance.random() < 0.02
            else f"{country()} and plan is {chance.choice(['gold', 'basic'])}"
        ),
        lambda: f'did "{BOUGHT}" at least {chance.randint(1, 5)} times where {product()}',
        lambda: f'did "{BOUGHT}" where ({product()} and total > {chance.randint(1, 200)})',
        lambda: f'sum of quantity of "{BOUGHT}" where {product()} > {chance.randint(1, 200)}',
        lambda: f'did "{BOUGHT}" where {product()} and did not "{BOUGHT}" where {product()}',
        lambda: f'largest price of "{BOUGHT}" where {product()} > {chance.randint(1, 20)}',
    ]
    return [kinds[number % len(kinds)]() for number in range(count)]


def defined(sources: list[str]) -> list[SegmentDefinition]:
    """The segments, ready from the beginning."""
    found: list[SegmentDefinition] = []
    for number, text in enumerate(sources, 1):
        segment = parse(text).segment
        patterns = patterns_for(segment, Position(0), found)
        found.append(SegmentDefinition(number, f"segment {number}", 1, segment, patterns, 1))
    return found
