"""Real shops as the lake would have them: their rows as events, made by DuckDB from the files of `../shared/data`."""

from __future__ import annotations

import duckdb
from duckdb import DuckDBPyConnection

from tests.tidy.checkout import ROOT
from tests.unit.runtime.discovery.worlds import NO_MOVES

DATA = ROOT.parent / "shared" / "data"

_EVENTS = """
    CREATE TABLE events AS
    SELECT position, person_id, 'event' AS kind,
        told AS "at", told AS received, 1 AS source_id, type, name,
        from_hex(md5(CAST(position AS VARCHAR))) AS key,
        CAST(json_merge_patch(payload, json_object(
            'id', 'm', 'type', type, 'name', name, 'at', epoch_ms(told), 'received', epoch_ms(told), 'source', 1,
            'rank', 30, 'party', 'first', 'ids', [])) AS VARCHAR) AS payload,
        CAST(NULL AS BLOB) AS raw
    FROM (
        SELECT row_number() OVER (ORDER BY told, person_id, name, payload) AS position, person_id,
            CAST(told AS TIMESTAMPTZ) AS told, type, name, payload
        FROM facts
    )
"""

_JOURNEY = """
    CREATE VIEW facts AS
    SELECT household_id AS person_id, told, 'track' AS type, 'Order Completed' AS name, json_object('properties',
        json_object('total', total, 'store_id', store_id, 'departments', departments, 'coupon', coupon)) AS payload
    FROM (
        SELECT household_id, basket_id, max(transaction_timestamp) AS told, any_value(store_id) AS store_id,
            round(sum(sales_value), 2) AS total,
            list(DISTINCT department ORDER BY department) FILTER (department IS NOT NULL) AS departments,
            round(sum(coupon_disc), 2) AS coupon
        FROM read_parquet($data || '/transactions.parquet') AS transactions
        LEFT JOIN read_parquet($data || '/products.parquet') AS products USING (product_id)
        GROUP BY household_id, basket_id
    )
    UNION ALL
    SELECT household_id, redemption_date, 'track', 'Coupon Redeemed',
        json_object('properties', json_object('campaign_id', campaign_id))
    FROM read_parquet($data || '/coupon_redemptions.parquet') AS coupon_redemptions
    UNION ALL
    SELECT household_id, start_date, 'track', 'Campaign Received',
        json_object('properties', json_object('campaign_id', campaign_id, 'type', campaign_type))
    FROM read_parquet($data || '/campaigns.parquet') AS campaigns
    JOIN read_parquet($data || '/campaign_descriptions.parquet') AS campaign_descriptions USING (campaign_id)
    UNION ALL
    SELECT household_id, TIMESTAMP '2017-01-01', 'identify', NULL, json_object('traits', json_object(
        'age', age, 'income', income, 'home', home_ownership, 'household_size', household_size, 'kids', kids_count))
    FROM read_parquet($data || '/demographics.parquet') AS demographics
"""

_RETAIL = """
    CREATE VIEW facts AS
    SELECT person_id, told, 'track' AS type, 'Order Completed' AS name, json_object('properties',
        json_object('total', total, 'items', items)) AS payload
    FROM (
        SELECT CAST(CustomerID AS BIGINT) AS person_id, max(InvoiceDate) AS told, count(*) AS items,
            round(sum(Quantity * UnitPrice), 2) AS total
        FROM read_parquet($data || '/online_retail.parquet') AS online_retail
        WHERE CustomerID IS NOT NULL AND NOT starts_with(InvoiceNo, 'C') GROUP BY CustomerID, InvoiceNo
    )
    UNION ALL
    SELECT CAST(CustomerID AS BIGINT), max(InvoiceDate), 'track', 'Order Returned',
        json_object('properties', json_object('total', round(sum(-Quantity * UnitPrice), 2)))
    FROM read_parquet($data || '/online_retail.parquet') AS online_retail
    WHERE CustomerID IS NOT NULL AND starts_with(InvoiceNo, 'C') GROUP BY CustomerID, InvoiceNo
    UNION ALL
    SELECT CAST(CustomerID AS BIGINT), min(InvoiceDate), 'identify', NULL,
        json_object('traits', json_object('country', min(Country)))
    FROM read_parquet($data || '/online_retail.parquet') AS online_retail
    WHERE CustomerID IS NOT NULL GROUP BY CustomerID
"""


def _lake(folder: str, facts: str) -> DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(facts.replace("$data", f"'{DATA / folder}'"))
    connection.execute(_EVENTS)
    connection.register("people", NO_MOVES)
    return connection


def complete_journey() -> DuckDBPyConnection:
    """A year of a grocer: baskets as orders, coupons that were redeemed, campaigns, who the households are."""
    return _lake("complete_journey", _JOURNEY)


def online_retail() -> DuckDBPyConnection:
    """A year of a web shop: invoices as orders, returns, the country of each customer."""
    return _lake("online_retail_uci", _RETAIL)


def instant(connection: DuckDBPyConnection, day: str) -> int:
    """The beginning of a day of UTC."""
    ((at_ms,),) = connection.execute("SELECT epoch_ms(CAST($day AS TIMESTAMP))", {"day": day}).fetchall()
    return int(at_ms)
