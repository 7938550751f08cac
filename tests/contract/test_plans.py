"""What is asked per person goes through an index also in a log that PostgreSQL has no statistics of yet."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from courtesy.base.ids import PARTITION_COUNT
from courtesy.engine_postgres.catalogues import _INTERESTED, _SAVE_SEEN, FORGET_IN_CATALOGUES
from courtesy.engine_postgres.outbox import _CLAIM, IN_ORDER
from courtesy.engine_postgres.permits import _UNCHANGED
from courtesy.engine_postgres.reading import _PERSON_BY_IDENTIFIER, _PERSON_BY_NUMBER
from courtesy.engine_postgres.repairing import _UNFOLDED_KINDS
from tests.contract.conftest import Databases

ROWS = 20_000
DECIDED = {
    "places": [0, 1],
    "identifiers": ["user_id:ann", "person:7"],
    "by_number": [False, True],
    "people": [7, 8],
    "others": ["", "9,10"],
    "read": [0, 0],
    "expires": [1, 1],
    "now": 0,
}
FILL = """
INSERT INTO log (position, partition, kind, person_id, at, received, source_id, key, payload)
SELECT n, n %% 16, 0, n, 0, 0, 1, decode(lpad(to_hex(n), 32, '0'), 'hex'), repeat('x', 500)::bytea
FROM generate_series(1, %s) AS n
"""


@pytest.fixture
def burst(databases: Databases) -> Iterator[psycopg.Connection[tuple[str]]]:
    """A store into which much has just come, before anything was analysed."""
    with databases.fresh() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE log SET (autovacuum_enabled = off)")
        connection.execute(FILL, (ROWS,))
        yield connection


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (_PERSON_BY_IDENTIFIER, ("user_id:ann", PARTITION_COUNT)),
        (_PERSON_BY_NUMBER, (7, 7, PARTITION_COUNT)),
        (_UNFOLDED_KINDS, ([7, 8], PARTITION_COUNT)),
        (_UNCHANGED, DECIDED),
    ],
)
def test_a_person_is_not_looked_for_in_the_whole_log(
    burst: psycopg.Connection[tuple[str]], query: str, values: tuple[object, ...] | dict[str, object]
) -> None:
    """A scan takes 40 ms at 70,000 events, and ten times that at ten times as many."""
    plan = burst.execute(sql.SQL("EXPLAIN ") + sql.SQL(query), values).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "Seq Scan on log " not in text, text
    assert "log_person" in text


INTEREST = """
INSERT INTO catalogue_interest (catalogue, item, person_id, until, position)
SELECT 'products', 'p' || n % 1000, n, 0, n FROM generate_series(1, 20000) AS n
"""
SEEN = {
    "catalogue": "products",
    "items": ["p1"],
    "people": [7],
    "shown_as": [b"ids"],
    "untils": [1],
    "positions": [7],
    "partitions": [7],
}
GONE = {"people": [7, 8], "kept": [9], "others": [7], "appended_for": [7]}


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (_INTERESTED, ("products", "p1", 0, 0, 20_000, 500)),
        (_SAVE_SEEN, SEEN),
        *((query, GONE) for query in FORGET_IN_CATALOGUES[1:]),
    ],
)
def test_interest_is_not_looked_for_in_all_of_it(
    burst: psycopg.Connection[tuple[str]], query: str, values: tuple[object, ...] | dict[str, object]
) -> None:
    """Neither when a change is told, nor when an event comes to it or a person goes."""
    burst.execute("ALTER TABLE catalogue_interest SET (autovacuum_enabled = off)")
    burst.execute(INTEREST)
    plan = burst.execute(sql.SQL("EXPLAIN ") + sql.SQL(query), values).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "Seq Scan on catalogue_interest" not in text, text
    assert "Seq Scan on log " not in text, text


EFFECTS = """
INSERT INTO effect (key, kind, person_id, target, body, created)
SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 'smtp', n, 'letters/shop.example', repeat('x', 350)::bytea, 0
FROM generate_series(1, %s) AS n
"""


def test_what_is_due_is_found_once_for_a_claim(burst: psycopg.Connection[tuple[str]]) -> None:
    """Joined as a subquery it was found anew for each row of a table that was empty when it was planned."""
    burst.execute("ALTER TABLE effect SET (autovacuum_enabled = off)")
    burst.execute(EFFECTS, (ROWS,))
    burst.execute(IN_ORDER.replace("LOCAL", "SESSION"))
    plan = burst.execute(sql.SQL("EXPLAIN ") + sql.SQL(_CLAIM), ("smtp", 1, [], 200, 2)).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "CTE due" in text
    assert "effect_open" in text
    assert "Seq Scan on effect" not in text
    assert "Sort" not in text
