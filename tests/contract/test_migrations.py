"""A store of an earlier version becomes one of this, with what it held."""

from __future__ import annotations

import asyncio

import psycopg

from courtesy.base.time import ManualClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.connection import migrate, migrations
from courtesy.person.state import PersonState, encode_state
from tests.contract.builders import ANN, NOW_MS
from tests.contract.conftest import Databases

OLDEST = 6
"""The first at which there is all that is held here."""

RECORDED_SINCE = 9
CHAPTERS_SINCE = 10

HELD = (
    "INSERT INTO log_trimmed DEFAULT VALUES",
    "UPDATE log_head SET position = 41",
)
KNOWN = "INSERT INTO identifier (identifier, person_id, shared, source_id, message_id, since{more}) VALUES {values}"


async def _older(url: str, up_to: int) -> None:
    """A store as it was after some migrations, with somebody in it."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "CREATE TABLE migration (number integer PRIMARY KEY, name text NOT NULL,"
            " applied timestamptz NOT NULL DEFAULT now())"
        )
        for number, name, text in migrations():
            if number <= up_to:
                await connection.execute(text.encode())
                await connection.execute("INSERT INTO migration (number, name) VALUES (%s, %s)", (number, name))
        recorded = ("", "") if up_to < RECORDED_SINCE else (", recorded", f", {NOW_MS}")
        values = f"('user_id:ann', {ANN}, false, 1, 'm1', {NOW_MS}{recorded[1]})"
        for text in (*HELD, KNOWN.format(more=recorded[0], values=values)):
            await connection.execute(text.encode())
        state = encode_state(PersonState(ANN, event_count=3))
        await connection.execute("INSERT INTO person_state (person_id, state) VALUES (%s, %s)", (ANN, state))


def test_from_each_earlier_version(databases: Databases) -> None:
    """Whoever was there is there, and the past begins where the store can tell it."""

    async def run(url: str, up_to: int) -> None:
        await _older(url, up_to)
        engine = PostgresEngine(url, ManualClock(NOW_MS))
        await engine.open()
        try:
            reading = await engine.read_person("user_id:ann")
            assert reading is not None
            assert (reading.person, len(reading.states)) == (ANN, 1)
            assert (await engine.past([ANN])).without_chapters == (41 if up_to < CHAPTERS_SINCE else 0)
            assert await engine.person_at("user_id:ann", NOW_MS) == (ANN, [])
            assert await engine.person_at("user_id:ann", NOW_MS - 1) is None
        finally:
            await engine.close()

    for up_to in range(OLDEST, 1 + max(number for number, _, _ in migrations())):
        with databases.bare() as url:
            asyncio.run(run(url, up_to))


def test_migrating_twice_changes_nothing(databases: Databases) -> None:
    """The second finds nothing to do."""

    async def run(url: str) -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            before = await (await connection.execute("SELECT count(*) FROM migration")).fetchone()
            await migrate(connection, 16)
            assert await (await connection.execute("SELECT count(*) FROM migration")).fetchone() == before

    with databases.fresh() as url:
        asyncio.run(run(url))
