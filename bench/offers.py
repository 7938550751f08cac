"""Grants of an offer with codes of their own, a stock and a budget: all that a campaign asks of the ledger of offers.

Beside it the same rows are put into a table like theirs by bare INSERTs, as many in each transaction: what a table of
codes would take that decides nothing, tells nobody, and lets anything be oversold.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench.results import Figure
from courtesy.base.time import SystemClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.offer.deciding import Circumstances, Granted
from courtesy.offer.terms import AmountOff, Codes, MintedCode, Money, OfferTerms, PoolCode
from courtesy.runtime.app import App, make_app
from courtesy.runtime.offer_desk import Wanted
from courtesy.runtime.settings import Settings

AT_ONCE = 2_000

_PEOPLE = """
INSERT INTO identifier (identifier, person_id, shared, source_id, message_id, since, recorded)
SELECT 'user_id:person-' || n, n, false, 1, 'told', 0, 0 FROM generate_series(1, %(people)s) AS n
"""
_PUT = f"INSERT INTO bare VALUES ({', '.join(['%s'] * 16)})"


def offers(people: int) -> list[Figure]:
    """Grant an offer whose codes are made, and one whose codes come from a pool, to so many people."""
    with tempfile.TemporaryDirectory(prefix="courtesy-") as folder, EmbeddedPostgres(Path(folder) / "data") as postgres:
        minted_per_s, pooled_per_s = asyncio.run(_granted(postgres.url, people, folder))
        bare_per_s = _bare(postgres.url, people)
    note = (
        f"minted codes, stock and budget; from a pool {pooled_per_s:,.0f}; bare INSERTs of the rows {bare_per_s:,.0f}"
    )
    return [
        Figure("offer_grants_per_s", minted_per_s, "grants/s", people, note),
        Figure("offer_grants_ratio_to_inserts", minted_per_s / bare_per_s, "ratio", people, "one client each"),
    ]


async def _granted(url: str, people: int, folder: str) -> tuple[float, float]:
    clock = SystemClock()
    engine = PostgresEngine(url, clock)
    await engine.open()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_PEOPLE, {"people": people})
        connection.execute("VACUUM ANALYZE")
    app = make_app(Settings(data=folder), engine, clock)
    await app.catalog.start()
    try:
        await app.shelf.offer_desk.add_codes("pool", [f"SUN-{number:08}" for number in range(people)])
        return await _rate(app, "minted", MintedCode("TEA"), people), await _rate(app, "pool", PoolCode("pool"), people)
    finally:
        await app.catalog.stop()
        await engine.close()


async def _rate(app: App, name: str, codes: Codes, people: int) -> float:
    """Grants a second, each to somebody else."""
    value, budget = AmountOff(10, "EUR"), Money(10 * people, "EUR")
    terms = OfferTerms("Ten", value, stock=people, budget=budget, codes=codes, valid_days=30)
    await app.shelf.offers.define(name, terms, "bench")
    began = time.perf_counter()
    for batch in _batches(people):
        told = Circumstances("email", message="autumn/1")
        wanted = [Wanted(name, f"user_id:person-{number}", f"{name} {number}", told) for number in batch]
        found = await app.shelf.offer_desk.grant_all(wanted)
        if not all(isinstance(each, Granted) for each in found):
            raise RuntimeError("expected a grant for each")
    return people / (time.perf_counter() - began)


def _bare(url: str, people: int) -> float:
    """Rows a second into a table with the same indexes."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare (LIKE offer_grant INCLUDING ALL)")
        cursor.execute("SELECT * FROM offer_grant WHERE offer = 'minted' ORDER BY number")
        rows = cursor.fetchall()
        connection.commit()
        began = time.perf_counter()
        for batch in _batches(people):
            cursor.executemany(_PUT, rows[batch.start - 1 : batch.stop - 1])
            connection.commit()
        return people / (time.perf_counter() - began)


def _batches(people: int) -> Iterator[range]:
    for first in range(1, people + 1, AT_ONCE):
        yield range(first, min(first + AT_ONCE, people + 1))
