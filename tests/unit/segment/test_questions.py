"""Questions that a marketer would ask of three real shops, each answered by SQL that somebody wrote by hand for it.

That SQL reads the files as they were published, and knows neither events nor payloads.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from courtesy.base.time import ManualClock
from courtesy.consent.law import Laws
from courtesy.engine_memory import MemoryEngine
from courtesy.runtime.segment_query import SegmentQueries
from courtesy.segment.parsing import parse
from tests.unit.segment import shops
from tests.unit.segment.shops import BASKETS, CAMPAIGNS, CATEGORIES, JOURNEY, NUMBERED, PURCHASES, RETAIL, VIEWS

B = f"(SELECT household_id AS who, ts, round(total, 2) AS total, store_id, round(coupons, 2) AS coupons FROM {BASKETS})"
R = f"""(SELECT household_id AS who, redemption_date + INTERVAL 12 HOUR AS ts, campaign_id
    FROM '{JOURNEY}/coupon_redemptions.parquet')"""
C = f"(SELECT household_id AS who, start_date AS ts, campaign_type, end_date FROM {CAMPAIGNS})"
D = f"(SELECT *, household_id AS who FROM '{JOURNEY}/demographics.parquet')"
H = f"(SELECT who FROM {B} UNION SELECT who FROM {R} UNION SELECT who FROM {C} UNION SELECT who FROM {D})"

GROCER_AT = "2017-12-31T12:00:00"
GROCER = [
    (
        'did "Order Completed" at least 50 times in the last 180 days',
        f"SELECT who FROM {B} WHERE ts > now - INTERVAL 180 DAY AND ts <= now GROUP BY who HAVING count(*) >= 50",
    ),
    (
        'sum of total of "Order Completed" in the last 3 months > 1500 and age is one of "45-54", "55-64"',
        f"SELECT who FROM {B} JOIN {D} USING (who) WHERE ts + INTERVAL 3 MONTH > now AND ts <= now"
        " AND age IN ('45-54', '55-64') GROUP BY who HAVING sum(total) > 1500",
    ),
    (
        'did "Order Completed" in the last 6 months and did not "Order Completed" in the last 30 days',
        f"SELECT who FROM {B} WHERE ts <= now GROUP BY who"
        " HAVING max(ts) + INTERVAL 6 MONTH > now AND max(ts) <= now - INTERVAL 30 DAY",
    ),
    (
        'did not "Coupon Redeemed" and home is present and household.kids is not "0"',
        f"SELECT who FROM {D} WHERE home_ownership IS NOT NULL AND kids_count <> '0'"
        f" AND who NOT IN (SELECT who FROM {R} WHERE ts <= now)",
    ),
    (
        'not (did "Campaign Received" or home is present)',
        f"SELECT who FROM {H} WHERE who NOT IN (SELECT who FROM {C} WHERE ts <= now)"
        f" AND who NOT IN (SELECT who FROM {D} WHERE home_ownership IS NOT NULL)",
    ),
    (
        'did "Order Completed" at least 50 % less often in the last 60 days than before',
        f"SELECT who FROM {B} GROUP BY who HAVING count(*) FILTER (WHERE ts > now - INTERVAL 120 DAY"
        " AND ts <= now - INTERVAL 60 DAY) > 0 AND 2 * count(*) FILTER (WHERE ts > now - INTERVAL 60 DAY AND ts <= now)"
        " <= count(*) FILTER (WHERE ts > now - INTERVAL 120 DAY AND ts <= now - INTERVAL 60 DAY)",
    ),
    (
        'in the top 10 % by sum of total of "Order Completed" in the last 365 days',
        f"WITH spent AS (SELECT who, coalesce(sum(total) FILTER (WHERE ts > now - INTERVAL 365 DAY AND ts <= now), 0)"
        f" AS amount FROM {H} LEFT JOIN {B} USING (who) GROUP BY who),"
        " ranked AS (SELECT who, row_number() OVER (ORDER BY amount DESC) AS place, count(*) OVER () AS all_"
        " FROM spent)"
        " SELECT who FROM ranked WHERE place <= ceil(all_ * 0.1)",
    ),
    (
        'did "Campaign Received" where kind is "Type A" then "Coupon Redeemed" within 30 days',
        f"SELECT DISTINCT c.who FROM {C} AS c JOIN {R} AS r ON r.who = c.who AND r.ts > c.ts"
        " AND r.ts <= c.ts + INTERVAL 30 DAY WHERE campaign_type = 'Type A' AND r.ts <= now",
    ),
    (
        'did "Campaign Received" then not "Coupon Redeemed" within 60 days and did "Coupon Redeemed"',
        f"SELECT DISTINCT c.who FROM {C} AS c WHERE c.ts + INTERVAL 60 DAY < now AND NOT EXISTS (SELECT 1 FROM {R} AS r"
        " WHERE r.who = c.who AND r.ts > c.ts AND r.ts <= c.ts + INTERVAL 60 DAY)"
        f" AND c.who IN (SELECT who FROM {R} WHERE ts <= now)",
    ),
    (
        'number of different store of "Order Completed" this year where (total > 20) >= 8',
        f"SELECT who FROM {B} WHERE total > 20 AND year(ts) = 2017 AND ts <= now GROUP BY who"
        " HAVING count(DISTINCT store_id) >= 8",
    ),
    (
        'last "Order Completed" was more than 14 days ago has (coupons > 0)',
        f"SELECT who FROM {B} WHERE ts <= now GROUP BY who"
        " HAVING max(ts) <= now - INTERVAL 14 DAY AND arg_max(coupons, ts) > 0",
    ),
]

I = f"""(SELECT CustomerID AS who, InvoiceNo AS invoice, any_value(Country) AS country, min(InvoiceDate) AS ts,
    round(sum(Quantity * UnitPrice), 2) AS total FROM '{RETAIL}' WHERE CustomerID IS NOT NULL GROUP BY ALL)"""  # noqa: E741
O = f"(SELECT * FROM {I} WHERE invoice NOT LIKE 'C%')"  # noqa: E741
X = f"(SELECT who, ts + INTERVAL 30 SECOND AS ts, -total AS total FROM {I} WHERE invoice LIKE 'C%')"
L = f"(SELECT *, CustomerID AS who FROM '{RETAIL}' WHERE CustomerID IS NOT NULL AND InvoiceNo NOT LIKE 'C%')"
HOME = (
    f"(SELECT CustomerID AS who, arg_min(Country, InvoiceDate) AS home, min(InvoiceDate) AS joined FROM '{RETAIL}'"
    + (" WHERE CustomerID IS NOT NULL GROUP BY CustomerID)")
)

GIFTS_AT = "2011-12-01T00:00:00"
GIFTS = [
    (
        'did "Order Completed" at least 2 times in the last 30 days where total > 500'
        " and address.country is one of Germany, france, EIRE",
        f"SELECT who FROM {O} JOIN {HOME} USING (who) WHERE ts > now - INTERVAL 30 DAY AND ts <= now AND total > 500"
        " AND home IN ('Germany', 'France', 'EIRE') GROUP BY who HAVING count(*) >= 2",
    ),
    (
        'average total of "Order Completed" is between 100 and 150',
        f"SELECT who FROM {O} WHERE ts <= now GROUP BY who HAVING avg(total) BETWEEN 100 AND 150",
    ),
    (
        'largest total of "Order Cancelled" in the previous quarter > 200',
        f"SELECT who FROM {X} WHERE ts >= '2011-07-01' AND ts < '2011-10-01' GROUP BY who HAVING max(total) > 200",
    ),
    (
        'did "Order Completed" where any of products has (sku is "85123a" and quantity >= 12)',
        f"SELECT DISTINCT who FROM {L} WHERE lower(StockCode) = '85123a' AND Quantity >= 12"
        f" AND InvoiceNo IN (SELECT invoice FROM {O} WHERE ts <= now)",
    ),
    (
        'did "Order Completed" where none of products has (price < 5)',
        f"SELECT DISTINCT who FROM {O} WHERE ts <= now"
        f" AND invoice NOT IN (SELECT InvoiceNo FROM {L} WHERE UnitPrice < 5)",
    ),
    (
        'did "Order Completed" then "Order Cancelled" within 2 days',
        f"SELECT DISTINCT o.who FROM {O} AS o JOIN {X} AS x ON x.who = o.who AND x.ts > o.ts"
        " AND x.ts <= o.ts + INTERVAL 2 DAY WHERE x.ts <= now",
    ),
    (
        'did "Order Completed" then "Order Completed" at least 14 days later within 28 days without "Order Cancelled"',
        f"SELECT DISTINCT o.who FROM {O} AS o JOIN {O} AS p ON p.who = o.who AND p.ts >= o.ts + INTERVAL 14 DAY"
        f" AND p.ts <= o.ts + INTERVAL 28 DAY WHERE p.ts <= now AND NOT EXISTS (SELECT 1 FROM {X} AS x"
        " WHERE x.who = o.who AND x.ts > o.ts AND x.ts < p.ts)",
    ),
    (
        'first "Order Completed" was in the last 3 months and did "Order Completed" exactly 1 times',
        f"SELECT who FROM {O} WHERE ts <= now GROUP BY who HAVING min(ts) + INTERVAL 3 MONTH > now AND count(*) = 1",
    ),
    (
        "joined comes round in the next 7 days and joined is more than 300 days ago",
        f"SELECT who FROM {HOME} WHERE joined <= now - INTERVAL 300 DAY AND strftime(joined, '%m-%d')"
        " BETWEEN '12-01' AND '12-08'",
    ),
    (
        'in the bottom 50 by sum of total of "Order Completed" and did "Order Completed" at least 1 times',
        f"WITH spent AS (SELECT who, coalesce(sum(total), 0) AS amount FROM {HOME} LEFT JOIN"
        f" (SELECT * FROM {O} WHERE ts <= now) USING (who) WHERE joined <= now GROUP BY who)"
        " SELECT who FROM spent WHERE amount <= (SELECT max(amount) FROM (SELECT amount FROM spent ORDER BY amount"
        f" LIMIT 50)) AND who IN (SELECT who FROM {O} WHERE ts <= now)",
    ),
]

V = f"""(SELECT coalesce(user_id, {NUMBERED} + session_id) AS who, epoch_ms(epoch_ms(eventdate) + timeframe) AS ts,
    item_id AS item, CAST(categoryId AS VARCHAR) AS category FROM {VIEWS} JOIN {CATEGORIES} ON itemId = item_id)"""
P = f"""(SELECT coalesce(userId, {NUMBERED} + sessionId) AS who, epoch_ms(epoch_ms(eventdate) + timeframe) AS ts,
    itemId AS item, ordernumber FROM {PURCHASES})"""

SHOP_AT = "2016-05-20T00:00:00"
SHOP = [
    (
        'did "Product Viewed" at least 5 times in the last 14 days and did not "Product Bought"',
        f"SELECT who FROM {V} WHERE ts > now - INTERVAL 14 DAY AND ts <= now AND who NOT IN"
        f" (SELECT who FROM {P} WHERE ts <= now) GROUP BY who HAVING count(*) >= 5",
    ),
    (
        'did "Product Viewed" then "Product Bought"',
        f"SELECT DISTINCT v.who FROM {V} AS v JOIN {P} AS p ON p.who = v.who AND p.ts > v.ts WHERE p.ts <= now",
    ),
    (
        'did "Product Viewed" then "Product Viewed" within 1 minutes then "Product Viewed" within 1 minutes',
        f"WITH v AS (SELECT * FROM {V} WHERE ts <= now) SELECT DISTINCT a.who FROM v AS a"
        " JOIN v AS b ON b.who = a.who AND b.ts > a.ts AND b.ts <= a.ts + INTERVAL 1 MINUTE"
        " JOIN v AS c ON c.who = b.who AND c.ts > b.ts AND c.ts <= b.ts + INTERVAL 1 MINUTE",
    ),
    (
        'number of different category of "Product Viewed" >= 4',
        f"SELECT who FROM {V} WHERE ts <= now GROUP BY who HAVING count(DISTINCT category) >= 4",
    ),
    (
        'did "Product Bought" at least 3 times since 2016-04-01 where product < 50000',
        f"SELECT who FROM {P} WHERE ts >= '2016-04-01' AND ts <= now AND item < 50000 GROUP BY who"
        " HAVING count(*) >= 3",
    ),
    (
        'for each category of "Product Viewed": did "Product Viewed" at least 2 times in the last 7 days where category'
        " is that",
        f"SELECT who, '\"' || category || '\"' FROM {V} WHERE ts > now - INTERVAL 7 DAY AND ts <= now GROUP BY ALL"
        " HAVING count(*) >= 2",
    ),
    (
        'for each product of "Product Viewed": did "Product Viewed" at least 2 times where product is that and did not'
        ' "Product Bought" where product is that',
        f"SELECT who, CAST(item AS VARCHAR) FROM {V} AS v WHERE ts <= now AND NOT EXISTS (SELECT 1 FROM {P} AS p"
        " WHERE p.who = v.who AND p.item = v.item AND p.ts <= now) GROUP BY ALL HAVING count(*) >= 2",
    ),
    (
        'did anything in the last 1 months and last "Product Bought" was more than 1 months ago',
        f"WITH all_ AS (SELECT who, ts FROM {V} UNION ALL SELECT who, ts FROM {P}) SELECT who FROM {P}"
        " WHERE ts <= now GROUP BY who HAVING max(ts) <= now - INTERVAL 1 MONTH"
        " INTERSECT SELECT who FROM all_ WHERE ts > now - INTERVAL 1 MONTH AND ts <= now",
    ),
    (
        'in the top 1 % by number of different product of "Product Bought"',
        f"WITH bought AS (SELECT who, count(DISTINCT item) AS items FROM (SELECT who, item FROM {P} WHERE ts <= now"
        f" UNION ALL SELECT who, NULL FROM {V} WHERE ts <= now) GROUP BY who),"
        " ranked AS (SELECT *, row_number() OVER (ORDER BY items DESC) AS place, count(*) OVER () AS all_ FROM bought)"
        " SELECT who FROM bought WHERE items >= (SELECT min(items) FROM ranked WHERE place <= ceil(all_ * 0.01))",
    ),
]


def answer(query: str, at: str) -> set[tuple[object, ...]]:
    """Of SQL in which `now` is the instant."""
    with duckdb.connect(config={"threads": 2}) as db:
        rows = db.execute(query.replace("now", f"TIMESTAMP '{at}'")).fetchall()
    return {row if len(row) == 2 else (*row, "") for row in rows}


@pytest.mark.parametrize(
    ("shop", "at", "questions"),
    [(shops.GROCER, GROCER_AT, GROCER), (shops.GIFTS, GIFTS_AT, GIFTS), (shops.SHOP, SHOP_AT, SHOP)],
    ids=["grocer", "gifts", "shop"],
)
async def test_questions_have_the_answers_that_sql_by_hand_gives(
    shop: tuple[str, ...], at: str, questions: list[tuple[str, str]], tmp_path: Path
) -> None:
    """Exactly the same people, some but not all."""
    at_ms = int(datetime.fromisoformat(f"{at}Z").timestamp() * 1_000)
    engine = MemoryEngine(ManualClock())
    await engine.open()
    asked = SegmentQueries(engine, shops.lay(shop, tmp_path / "e.parquet"), dict, Laws(()))
    async with asked.asking() as asking:
        for text, query in questions:
            found: set[tuple[object, ...]] = set()
            async for batch in asking.members({"it": parse(text).segment}, "it", at_ms):
                found.update(zip(*(batch.column(name).to_pylist() for name in ("person_id", "value")), strict=True))
            expected = answer(query, at)
            assert found == expected, text
            assert found, text
