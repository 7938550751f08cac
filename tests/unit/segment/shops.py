"""Real shops as the lake would have them: each data set as events in a Parquet file with the lake's columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.dataset as ds

from courtesy.base.ids import Position
from courtesy.base.time import HOUR_MS
from courtesy.lake.rows import ARROW
from courtesy.lake.table import Planned

DATA = Path("../shared/data")

NUMBERED = 10_000_000
"""People of whom only a session is known have its number and so much more."""

EVENTS = """
SELECT row_number() OVER () AS position, person AS person_id, 'event' AS kind,
    make_timestamptz(ts * 1000) AS "at", make_timestamptz(ts * 1000) AS received, CAST(1 AS INTEGER) AS source_id,
    type, name, 'm' || row_number() OVER () AS message_id, TRUE AS live, CAST([] AS VARCHAR[]) AS ids,
    unhex(md5(CAST(row_number() OVER () AS VARCHAR))) AS key,
    '{"id":"m","type":"' || type || '","at":' || ts || ',"received":' || ts || ',"source":1,"rank":30,"party":"first","ids":[]'
        || coalesce(',"name":"' || name || '"', '') || CASE WHEN type = 'track' THEN ',"properties":' ELSE ',"traits":' END
        || told || '}' AS payload,
    CAST(NULL AS BLOB) AS raw
FROM told ORDER BY person_id, position
"""  # noqa: E501


def told(person: str, at: str, name: str | None, what: dict[str, str], source: str) -> str:
    """A SELECT of events of one name, or of traits when it is None, with what they tell as SQL by name."""
    fields = ", ".join(f"'{name}', {value}" for name, value in what.items())
    kind, said = ("identify", "CAST(NULL AS VARCHAR)") if name is None else ("track", f"'{name}'")
    content = f"CAST(json_object({fields}) AS VARCHAR) AS told"
    return f"SELECT {person} AS person, {at} AS ts, '{kind}' AS type, {said} AS name, {content} FROM {source}"


JOURNEY = DATA / "complete_journey"
BASKETS = f"""(SELECT household_id, basket_id, any_value(store_id) AS store_id, min(transaction_timestamp) AS ts,
    sum(sales_value) AS total, sum(coupon_disc) AS coupons, count(*) AS lines
    FROM '{JOURNEY}/transactions.parquet' GROUP BY household_id, basket_id)"""
CAMPAIGNS = f"""(SELECT * FROM '{JOURNEY}/campaigns.parquet' JOIN '{JOURNEY}/campaign_descriptions.parquet'
    USING (campaign_id))"""

# Days and minutes are all that the files tell of some: so that nothing happens at one instant, redemptions are at noon,
# and cancellations half a minute after the full one.
GROCER = (
    told("household_id", "epoch_ms(ts)", "Order Completed",
         {"total": "round(total, 2)", "store": "store_id", "coupons": "round(coupons, 2)", "lines": "lines"}, BASKETS),
    told("household_id", f"epoch_ms(redemption_date) + {12 * HOUR_MS}", "Coupon Redeemed",
         {"campaign": "campaign_id", "coupon": "CAST(coupon_upc AS VARCHAR)"},
         f"'{JOURNEY}/coupon_redemptions.parquet'"),
    told("household_id", "epoch_ms(start_date)", "Campaign Received",
         {"campaign": "campaign_id", "kind": "campaign_type", "ends": "CAST(CAST(end_date AS DATE) AS VARCHAR)"},
         CAMPAIGNS),
    told("household_id", "1483228800000", None,
         {"age": "age", "income": "income", "home": "home_ownership", "household": "json_object('kids', kids_count,"
          " 'size', household_size)"}, f"'{JOURNEY}/demographics.parquet'"),
)  # fmt: skip

RETAIL = DATA / "online_retail_uci" / "online_retail.parquet"
INVOICES = f"""(SELECT CustomerID, InvoiceNo, any_value(Country) AS country, min(InvoiceDate) AS ts,
    sum(Quantity * UnitPrice) AS total,
    to_json(list({{'sku': StockCode, 'quantity': Quantity, 'price': UnitPrice}})) AS products
    FROM '{RETAIL}' WHERE CustomerID IS NOT NULL GROUP BY CustomerID, InvoiceNo) AS invoices"""
FIRSTS = f"(SELECT CustomerID, min(InvoiceDate) AS ts, arg_min(Country, InvoiceDate) AS country FROM '{RETAIL}'" + (
    " WHERE CustomerID IS NOT NULL GROUP BY CustomerID)"
)

GIFTS = (
    told("CustomerID", "epoch_ms(ts)", "Order Completed",
         {"total": "round(total, 2)", "country": "country", "invoice": "InvoiceNo", "products": "products"},
         f"{INVOICES} WHERE InvoiceNo NOT LIKE 'C%'"),
    told("CustomerID", "epoch_ms(ts) + 30000", "Order Cancelled", {"total": "round(-total, 2)"},
         f"{INVOICES} WHERE InvoiceNo LIKE 'C%'"),
    told("CustomerID", "epoch_ms(ts)", None, {"joined": "CAST(CAST(ts AS DATE) AS VARCHAR)",
         "address": "json_object('country', country)"}, FIRSTS),
)  # fmt: skip

DIGINETICA = DATA / "diginetica"
VIEWS = f"read_csv('{DIGINETICA}/sample_train-item-views.csv.gz', nullstr = 'NA', header = true)"
PURCHASES = f"read_csv('{DIGINETICA}/train-purchases.csv.gz', nullstr = 'NA', header = true)"
CATEGORIES = f"read_csv('{DIGINETICA}/product-categories.csv.gz', header = true)"

SHOP = (
    told(f"coalesce(user_id, {NUMBERED} + session_id)", "epoch_ms(eventdate) + timeframe", "Product Viewed",
         {"product": "item_id", "category": "CAST(categoryId AS VARCHAR)"},
         f"{VIEWS} JOIN {CATEGORIES} ON itemId = item_id"),
    told(f"coalesce(userId, {NUMBERED} + sessionId)", "epoch_ms(eventdate) + timeframe", "Product Bought",
         {"product": "itemId", "order": "ordernumber"}, PURCHASES),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Laid:
    """Files as a lake has them. No log goes with them, so that their position is its beginning."""

    path: str

    async def planned(self) -> Planned:
        """All of them."""
        files = ds.dataset(self.path, schema=ARROW, format="parquet")
        return Planned(Position(0), files.count_rows(), [self.path], files)


def lay(parts: Iterable[str], path: Path) -> Laid:
    """Write the events of a data set."""
    with duckdb.connect(config={"threads": 2}) as db:
        db.execute("SET TimeZone = 'UTC'").fetchall()
        db.execute(f"CREATE TABLE told AS {' UNION ALL '.join(parts)}").fetchall()
        db.execute(f"COPY ({EVENTS}) TO '{path}' (FORMAT PARQUET, ROW_GROUP_SIZE 20000)").fetchall()
    return Laid(str(path))
