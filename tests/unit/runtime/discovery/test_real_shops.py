"""What is proposed of real shops is so by SQL written by hand on their files, and by the judge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from courtesy.base.ids import PARTITION_COUNT
from courtesy.consent.law import Laws
from courtesy.lake.rows import to_records
from courtesy.runtime.segment_discovery import Asked
from courtesy.segment.discovery.discover import Proposal, Rate
from courtesy.segment.discovery.people import Truths, is_found
from courtesy.segment.discovery.wanted import Wanted
from courtesy.segment.judge import Judge
from courtesy.segment.moment import Moment
from courtesy.segment.parsing import parse
from courtesy.segment.printing import write
from courtesy.segment.tree import All, Segment
from tests.unit.runtime.discovery.shops import DATA, complete_journey, instant, online_retail
from tests.unit.runtime.discovery.test_conditions import Nobody
from tests.unit.runtime.discovery.test_segment_discovery import discovered_in, members
from tests.unit.runtime.discovery.worlds import pasts

SEED = 5
WINDOW_DAYS = 90
WANTED = Wanted(least_people=40, limit=100, seed=SEED)
JUDGED_PEOPLE = 40

BASKETS = """
    WITH t AS (FROM read_parquet($data || '/transactions.parquet')),
    p AS (FROM read_parquet($data || '/products.parquet')),
    r AS (FROM read_parquet($data || '/coupon_redemptions.parquet')),
    d AS (FROM read_parquet($data || '/demographics.parquet')),
    seen AS (
        SELECT household_id FROM t WHERE transaction_timestamp <= TIMESTAMP '2017-08-01'
        UNION SELECT household_id FROM d
        UNION SELECT household_id FROM read_parquet($data || '/campaigns.parquet') AS sent
            JOIN read_parquet($data || '/campaign_descriptions.parquet') AS told USING (campaign_id)
            WHERE start_date <= TIMESTAMP '2017-08-01'
        UNION SELECT household_id FROM r WHERE redemption_date <= TIMESTAMP '2017-08-01'
    )
    SELECT household_id AS person, household_id IN (
        SELECT household_id FROM r
        WHERE redemption_date > TIMESTAMP '2017-08-01' AND redemption_date <= TIMESTAMP '2017-10-30'
    ) AS had,
"""

JOURNEY = {
    r'sum of coupon of "Order Completed" >= (?P<least>[\d.]+)': """
        coalesce((SELECT sum(coupon_disc) FROM t
            WHERE t.household_id = seen.household_id AND transaction_timestamp <= TIMESTAMP '2017-08-01'), 0)
        >= {least} - 0.0001
    """,
    r'did "Order Completed" at least (?P<times>\d+) times where departments is (?P<value>\w+)': """
        (SELECT count(*) FROM (
            SELECT basket_id FROM t JOIN p USING (product_id) WHERE t.household_id = seen.household_id
            GROUP BY basket_id
            HAVING max(transaction_timestamp) <= TIMESTAMP '2017-08-01' AND bool_or(department = '{value}')
        )) >= {times}
    """,
    r'did "Order Completed" at least (?P<times>\d+) times where total >= (?P<least>\d+)': """
        (SELECT count(*) FROM (
            SELECT basket_id FROM t WHERE t.household_id = seen.household_id GROUP BY basket_id
            HAVING max(transaction_timestamp) <= TIMESTAMP '2017-08-01' AND round(sum(sales_value), 2) >= {least}
        )) >= {times}
    """,
    r'did "Coupon Redeemed" at least (?P<times>\d+) times': """
        (SELECT count(*) FROM r
            WHERE r.household_id = seen.household_id AND redemption_date <= TIMESTAMP '2017-08-01') >= {times}
    """,
    r"home is (?P<value>\w+)": """
        household_id IN (SELECT household_id FROM d WHERE home_ownership = '{value}')
    """,
}
"""By how a condition reads, the same by the files."""

RETAIL_SEEN = """
    WITH lines AS (FROM read_parquet($data || '/online_retail.parquet') WHERE CustomerID IS NOT NULL),
    orders AS (
        SELECT CustomerID, InvoiceNo, max(InvoiceDate) AS told, sum(Quantity * UnitPrice) AS total FROM lines
        WHERE InvoiceNo NOT LIKE 'C%' GROUP BY ALL
    ),
    seen AS (SELECT CustomerID FROM lines GROUP BY ALL HAVING min(InvoiceDate) <= TIMESTAMP '2011-08-01')
    SELECT CAST(CustomerID AS BIGINT) AS person, CustomerID IN (
        SELECT CustomerID FROM orders WHERE told > TIMESTAMP '2011-08-01' AND told <= TIMESTAMP '2011-10-30'
    ) AS had,
"""

RETAIL = {
    r'did "Order Completed" at least (?P<times>\d+) times in the last 90 days': """
        (SELECT count(*) FROM orders WHERE orders.CustomerID = seen.CustomerID
            AND told > TIMESTAMP '2011-05-03' AND told <= TIMESTAMP '2011-08-01') >= {times}
    """,
    r'did "Order Completed" at least (?P<times>\d+) times': """
        (SELECT count(*) FROM orders WHERE orders.CustomerID = seen.CustomerID
            AND told <= TIMESTAMP '2011-08-01') >= {times}
    """,
    r'did "Order Completed" at least (?P<times>\d+) times where total >= (?P<least>\d+)': """
        (SELECT count(*) FROM orders WHERE orders.CustomerID = seen.CustomerID
            AND round(total, 2) >= {least} AND told <= TIMESTAMP '2011-08-01') >= {times}
    """,
    r'sum of total of "Order Completed" (?P<sign>>=|<) (?P<least>[\d.]+)': """
        round(coalesce((SELECT sum(round(total, 2)) FROM orders
            WHERE orders.CustomerID = seen.CustomerID AND told <= TIMESTAMP '2011-08-01'), 0), 2) {sign} {least}
    """,
    r'sum of total of "Order Completed" in the last 90 days (?P<sign>>=|<) (?P<least>[\d.]+)': """
        round(coalesce((SELECT sum(round(total, 2)) FROM orders WHERE orders.CustomerID = seen.CustomerID
            AND told > TIMESTAMP '2011-05-03' AND told <= TIMESTAMP '2011-08-01'), 0), 2) {sign} {least}
    """,
}


def _in_sql(proposal: Proposal, patterns: Mapping[str, str]) -> str | None:
    """A proposal by the files; None when there is no SQL for one of its conditions."""
    nodes = proposal.expression.of if isinstance(proposal.expression, All) else (proposal.expression,)
    found = []
    for text in (write(Segment(1, node)) for node in nodes):
        matches = ((re.fullmatch(pattern, text), query) for pattern, query in patterns.items())
        said = next((query.format(**match.groupdict()) for match, query in matches if match), None)
        if said is None:
            return None
        found.append(said)
    return " AND ".join(found)


def _by_hand(folder: str, people: str, condition: str) -> tuple[Rate, Rate]:
    """Size and positives of those in a group, of all and of those held out, by SQL on the files."""
    query = f"{people} {condition} AS inside FROM seen".replace("$data", f"'{DATA / folder}'")
    with duckdb.connect() as connection:
        found = connection.execute(query).fetchnumpy()
    held = ~is_found(found["person"], SEED)
    return _rate(found["inside"], found["had"]), _rate(found["inside"] & held, found["had"])


def _rate(inside: Truths, had: Truths) -> Rate:
    people, positives = int(inside.sum()), int((inside & had).sum())
    return Rate(people, positives, positives / people, 0.0, 1.0)


def _same(rate: Rate, by_hand: Rate) -> bool:
    return (rate.people, rate.positives, rate.share) == (by_hand.people, by_hand.positives, by_hand.share)


_SAMPLE = """
    FROM events WHERE person_id IN (
        SELECT person_id FROM (SELECT DISTINCT person_id FROM events) ORDER BY hash(person_id) LIMIT $most
    )
"""


class Shop:
    """A shop in which an outcome was looked for, and what a sample of its people did."""

    def __init__(self, folder: str, cutoff: str, outcome: str) -> None:
        self.folder = folder
        with self.lake() as connection:
            self.cutoff_ms = instant(connection, cutoff)
            asked = Asked(self.cutoff_ms, frozenset(), WANTED)
            self.found = discovered_in(connection, outcome, asked, WINDOW_DAYS)
            rows = connection.sql(_SAMPLE, params={"most": JUDGED_PEOPLE}).to_arrow_table()
        self.records = to_records(rows, PARTITION_COUNT)

    def lake(self) -> DuckDBPyConnection:
        """Its events."""
        return complete_journey() if self.folder == "complete_journey" else online_retail()

    @property
    def texts(self) -> list[str]:
        """What is proposed."""
        return [write(Segment(1, each.expression)) for each in self.found.discovery.proposals]


SHOPS = {
    "complete_journey": ("2017-08-01", 'did "Coupon Redeemed"', BASKETS, JOURNEY),
    "online_retail_uci": ("2011-08-01", 'did "Order Completed"', RETAIL_SEEN, RETAIL),
}


@pytest.fixture(scope="module", params=SHOPS)
def shop(request: pytest.FixtureRequest) -> Shop:
    """Who redeems coupons, and who buys again, in the next 90 days."""
    cutoff, outcome, _, _ = SHOPS[request.param]
    return Shop(request.param, cutoff, outcome)


def test_the_numbers_are_those_of_sql_written_by_hand(shop: Shop) -> None:
    """Sizes and rates of proposals, among all and among those held out, come out the same from the files themselves."""
    _, _, people, patterns = SHOPS[shop.folder]
    by_hand = [(each, _in_sql(each, patterns)) for each in shop.found.discovery.proposals]
    told = [(each, query) for each, query in by_hand if query is not None]
    assert len(told) >= 5
    for proposal, query in told:
        everybody, held = _by_hand(shop.folder, people, query)
        assert _same(proposal.all, everybody), query
        assert _same(proposal.held, held), query


def test_everybody_is_counted(shop: Shop) -> None:
    """The rate that proposals are compared to is that of all who were seen by the cut-off."""
    _, _, people, _ = SHOPS[shop.folder]
    everybody, held = _by_hand(shop.folder, people, "true")
    assert _same(shop.found.discovery.all, everybody)
    assert _same(shop.found.discovery.held, held)


def test_every_proposal_means_the_same_when_it_is_read_again_and_judged(shop: Shop) -> None:
    """The text of each parses to its expression, and its people are those whom the judge finds, in a sample of them."""
    known = pasts(shop.records, shop.cutoff_ms)
    moment = Moment(shop.cutoff_ms, UTC)
    assert len(shop.texts) >= 8
    with shop.lake() as connection:
        for text, proposal in zip(shop.texts, shop.found.discovery.proposals, strict=True):
            expression = parse(text).segment.expression
            assert expression == proposal.expression
            inside = members(connection, expression, shop.cutoff_ms)
            assert inside.size == proposal.all.people
            judged = {
                who for who, past in known.items() if Judge(past, moment, Laws(()), Nobody()).judge(expression).holds
            }
            assert judged == set(inside.tolist()) & set(known)


def test_what_is_proposed_differs_as_promised(shop: Shop) -> None:
    """Each is large enough, differs from everybody on the people held out, and is surer than the level asked for."""
    usual = shop.found.discovery.held.share
    for each in shop.found.discovery.proposals:
        assert each.all.people >= WANTED.least_people
        assert each.adjusted <= WANTED.false_share
        assert (each.held.share > usual) == each.more == (each.lift > 1)
        assert each.lift_low <= each.lift <= each.lift_high
