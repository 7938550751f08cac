"""New segments over a long history: our SQL beside SQL written by hand for the same question, over the same files.

The events are made of a year of a gift shop, copied with other customers as often as it takes. Both read the same
Parquet files, with the payloads as JSON, in a process of their own with the same limits; the better of two runs counts.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles

import duckdb
import pyarrow.dataset as ds

from bench.results import Figure
from courtesy.base.ids import Position
from courtesy.base.time import ManualClock, from_iso
from courtesy.consent.law import Laws
from courtesy.engine_memory import MemoryEngine
from courtesy.lake.rows import ARROW
from courtesy.lake.table import Planned
from courtesy.runtime.segment_query import SegmentQueries
from courtesy.segment.parsing import parse

RETAIL = "../shared/data/online_retail_uci/online_retail.parquet"
COPY_EVENTS = 406_829
"""Lines with a customer in the file."""

NOW = "2011-12-09T13:00:00Z"
MEMORY = "4GB"
THREADS = 2
RUNS = 2
PREVIEW_EVENTS = 3_000_000
PREVIEWS = 5

MAKE = """
COPY (
    SELECT row_number() OVER () + {copy} * 1000000 AS position,
        CAST(CustomerID AS BIGINT) + {copy} * 100000 AS person_id, 'event' AS kind,
        make_timestamptz(epoch_us(InvoiceDate) + line % 60000 * 1000) AS at,
        make_timestamptz(epoch_us(InvoiceDate) + line % 60000 * 1000) AS received, CAST(1 AS INTEGER) AS source_id,
        kind_of AS type, CASE WHEN kind_of = 'track' THEN name END AS name, 'm' || line AS message_id, TRUE AS live,
        ['user_id:' || CustomerID] AS ids, unhex(md5(line || '-{copy}')) AS key,
        '{{"id":"m' || line || '","type":"' || kind_of || '","at":' || epoch_ms(InvoiceDate) + line % 60000
        || ',"received":' || epoch_ms(InvoiceDate) + line % 60000 || ',"source":1,"rank":30,"party":"first","ids":'
        || '["user_id:' || CustomerID || '"]' || CASE WHEN kind_of = 'identify'
            THEN ',"traits":{{"country":"' || Country || '","plan":"' || ['free', 'basic', 'pro'][1 + line % 3] || '"}}'
            ELSE ',"name":"' || name || '","properties":{{"product":"' || StockCode || '","category":"'
                || left(StockCode, 2) || '","price":' || UnitPrice || ',"quantity":' || Quantity || ',"total":'
                || round(UnitPrice * Quantity, 2) || ',"country":"' || Country || '","currency":"GBP"}}' END
        || ',"context":{{"ip":"192.0.2.' || line % 250 || '","locale":"en-GB","page":{{"path":"/p/' || StockCode
        || '","title":"Gifts"}},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0"}}}}' AS payload,
        CAST(NULL AS BLOB) AS raw
    FROM (SELECT *, row_number() OVER () AS line,
        CASE WHEN line % 50 = 0 THEN 'identify' ELSE 'track' END AS kind_of,
        CASE WHEN line % 4 = 0 THEN 'Order Completed' ELSE 'Product Viewed' END AS name
        FROM '{retail}' WHERE CustomerID IS NOT NULL)
    ORDER BY person_id, position
) TO '{path}' (FORMAT PARQUET, COMPRESSION zstd, ROW_GROUP_SIZE 20000)
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in words, and the SQL of somebody who has the files before them as `events`."""

    text: str
    by_hand: str


ORDERS = "name = 'Order Completed' AND type = 'track'"
TOTAL = "CAST(payload ->> '$.properties.total' AS DOUBLE)"
QUESTIONS = (
    Asked(
        'did "Order Completed" at least 2 times in the last 30 days where total > 20',
        f'SELECT person_id FROM events WHERE {ORDERS} AND "at" > now - INTERVAL 30 DAY AND {TOTAL} > 20'
        " GROUP BY person_id HAVING count(*) >= 2",
    ),
    Asked(
        'sum of total of "Order Completed" where (country is Germany) > 500',
        f"SELECT person_id FROM events WHERE {ORDERS} AND payload ->> '$.properties.country' = 'Germany'"
        f" GROUP BY person_id HAVING sum({TOTAL}) > 500",
    ),
    Asked(
        'did "Order Completed" in the last 365 days and did not "Order Completed" in the last 60 days',
        f"SELECT person_id FROM events WHERE {ORDERS} GROUP BY person_id"
        ' HAVING max("at") > now - INTERVAL 365 DAY AND max("at") <= now - INTERVAL 60 DAY',
    ),
    Asked(
        "country is one of Germany, France and plan is pro",
        "SELECT person_id FROM (SELECT person_id, \"at\", payload ->> '$.traits.country' AS country,"
        " payload ->> '$.traits.plan' AS plan FROM events WHERE contains(payload, '\"traits\":')) GROUP BY person_id"
        " HAVING arg_max(country, \"at\") IN ('Germany', 'France') AND arg_max(plan, \"at\") = 'pro'",
    ),
    Asked(
        'did "Product Viewed" where price > 10 then "Order Completed" within 2 minutes',
        'SELECT DISTINCT person_id FROM (SELECT person_id, "at", name,'
        " max(CASE WHEN name = 'Product Viewed' THEN \"at\" END)"
        ' OVER (PARTITION BY person_id ORDER BY "at" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS viewed FROM'
        " events WHERE type = 'track' AND (name = 'Order Completed' OR name = 'Product Viewed' AND"
        " CAST(payload ->> '$.properties.price' AS DOUBLE) > 10)) WHERE name = 'Order Completed'"
        ' AND "at" - viewed <= INTERVAL 2 MINUTE',
    ),
    Asked(
        'in the top 10 % by sum of total of "Order Completed"',
        f"WITH spent AS (SELECT person_id, coalesce(sum({TOTAL}) FILTER (WHERE {ORDERS}), 0) AS amount FROM events"
        " GROUP BY person_id) SELECT person_id FROM spent WHERE amount >= (SELECT min(amount) FROM (SELECT amount,"
        " row_number() OVER (ORDER BY amount DESC) AS place, count(*) OVER () AS people FROM spent)"
        " WHERE place <= ceil(people * 0.1))",
    ),
    Asked(
        'for each category of "Product Viewed": did "Product Viewed" at least 3 times in the last 30 days where'
        " category is that",
        "SELECT person_id, payload ->> '$.properties.category' AS category FROM events WHERE name = 'Product Viewed'"
        " AND type = 'track' AND \"at\" > now - INTERVAL 30 DAY GROUP BY ALL HAVING count(*) >= 3",
    ),
)


@dataclass(frozen=True, slots=True)
class Laid:
    """Files as a lake has them, without a log."""

    paths: tuple[str, ...]

    async def planned(self) -> Planned:
        """All of them."""
        files = ds.dataset(list(self.paths), schema=ARROW, format="parquet")
        return Planned(Position(0), files.count_rows(), self.paths, files)


def segments_sql(event_count: int) -> list[Figure]:
    """Each question by both, and previews over a few million events."""
    with tempfile.TemporaryDirectory() as folder:
        paths = _made(event_count, Path(folder))
        figures = _compared(paths, len(paths) * COPY_EVENTS)
        few = paths[: max(1, PREVIEW_EVENTS // COPY_EVENTS)]
        return [*figures, asyncio.run(_previews(few))]


def _made(event_count: int, folder: Path) -> tuple[str, ...]:
    paths = []
    with duckdb.connect(config={"threads": THREADS}) as db:
        db.execute("SET TimeZone = 'UTC'").fetchall()
        for copy in range(max(1, round(event_count / COPY_EVENTS))):
            paths.append(str(folder / f"{copy}.parquet"))
            db.execute(MAKE.format(copy=copy, retail=RETAIL, path=paths[-1])).fetchall()
    return tuple(paths)


def _compared(paths: tuple[str, ...], count: int) -> list[Figure]:
    ours, by_hand, peak_mb, told = [], [], 0.0, []
    for asked in QUESTIONS:
        best = {"ours": float("inf"), "by hand": float("inf")}
        members = {}
        for _ in range(RUNS):
            for way, how in (("ours", _ask_ours), ("by hand", _ask_by_hand)):
                seconds, found, mb = _alone(how, paths, asked)
                best[way], members[way] = min(best[way], seconds), found
                peak_mb = max(peak_mb, mb) if way == "ours" else peak_mb
        assert members["ours"] == members["by hand"], f"{asked.text}: {members}"
        ours.append(best["ours"])
        by_hand.append(best["by hand"])
        told.append(f"{asked.text}: {best['ours']:.2f} s, by hand {best['by hand']:.2f} s")
        print(f"  {told[-1]}, {members['ours']} members", flush=True)
    worst = max(one / other for one, other in zip(ours, by_hand, strict=True))
    note = f"{len(QUESTIONS)} questions, {sum(ours):.1f} s to {sum(by_hand):.1f} s by hand; at worst {worst:.2f}"
    return [
        Figure("segment_backfill_ratio_to_sql", sum(ours) / sum(by_hand), "times", count, note),
        Figure("segment_backfill_mb", peak_mb, "MB", count, f"peak of the process, DuckDB's limit {MEMORY}"),
    ]


def _alone(
    how: Callable[[tuple[str, ...], Asked], int], paths: tuple[str, ...], asked: Asked
) -> tuple[float, int, float]:
    """In a process of its own: seconds, members, and its peak memory in MB."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_measured, args=(how, paths, asked, there))
    process.start()
    there.close()
    found: tuple[float, int, float] = here.recv()
    process.join()
    return found


def _measured(
    how: Callable[[tuple[str, ...], Asked], int], paths: tuple[str, ...], asked: Asked, to: Connection
) -> None:
    how(paths[:1], asked)
    begun = time.perf_counter()
    found = how(paths, asked)
    seconds = time.perf_counter() - begun
    to.send((seconds, found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _ask_by_hand(paths: tuple[str, ...], asked: Asked) -> int:
    with duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY, "preserve_insertion_order": False}) as db:
        db.execute("SET TimeZone = 'UTC'").fetchall()
        db.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet({list(paths)})").fetchall()
        query = asked.by_hand.replace("now", f"TIMESTAMPTZ '{NOW}'")
        ((count,),) = db.execute(f"SELECT count(*) FROM ({query})").fetchall()
        return int(count)


def _ask_ours(paths: tuple[str, ...], asked: Asked) -> int:
    return asyncio.run(_members(paths, asked.text))


async def _members(paths: tuple[str, ...], text: str) -> int:
    queries = await _queries(paths)
    async with queries.asking() as asking:
        batches = asking.members({"it": parse(text).segment}, "it", _now_ms())
        return sum([len(batch) async for batch in batches])


async def _previews(paths: tuple[str, ...]) -> Figure:
    queries = await _queries(paths)
    times_ms = []
    for asked in QUESTIONS * PREVIEWS:
        begun = time.perf_counter()
        await queries.preview({"it": parse(asked.text).segment}, "it", _now_ms())
        times_ms.append((time.perf_counter() - begun) * 1_000)
    note = "count and sample, each over a database opened anew"
    return Figure("segment_preview_ms_p95", quantiles(times_ms, n=20)[-1], "ms", len(paths) * COPY_EVENTS, note)


async def _queries(paths: tuple[str, ...]) -> SegmentQueries:
    engine = MemoryEngine(ManualClock())
    await engine.open()
    return SegmentQueries(engine, Laid(paths), lambda: {}, Laws(()))


def _now_ms() -> int:
    found = from_iso(NOW)
    assert found is not None, "an instant"
    return found
