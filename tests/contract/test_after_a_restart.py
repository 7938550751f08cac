"""PostgreSQL restarts under an engine with connections open: whoever asks once it is back is answered."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from courtesy.base.time import ManualClock
from courtesy.engine.contract import PersonReading
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.connection import is_lost
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from tests.contract.builders import NOW_MS, PATIENCE_S, Message, receive

CONNECTIONS = 8
_OPEN = "SELECT pid FROM pg_stat_activity WHERE usename = 'courtesy' AND pid <> pg_backend_pid()"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server of these tests' own, for they stop it."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("restarted")) as started:
        yield started


@asynccontextmanager
async def busy_engine(postgres: EmbeddedPostgres) -> AsyncIterator[PostgresEngine]:
    """An open engine that has somebody to read, and every one of its connections open and idle."""
    engine = PostgresEngine(postgres.url, ManualClock(NOW_MS), connection_count=CONNECTIONS)
    await engine.open()
    try:
        await receive(engine, Message(f"m{await engine.head()}", ("user_id:ann",)))
        while len(_servers(postgres)) < CONNECTIONS + 1:  # the one for appends among them
            await asyncio.gather(*(engine.status() for _ in range(4 * CONNECTIONS)))
        yield engine
    finally:
        await engine.close()


def _servers(postgres: EmbeddedPostgres) -> set[int]:
    """The server processes that somebody else's connections have, one each."""
    with psycopg.connect(postgres.url) as connection:
        return {pid for (pid,) in connection.execute(_OPEN).fetchall()}


def _restart(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    postgres.start()


def _kill_and_start(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    while postgres.alive():
        time.sleep(0.002)
    postgres.start()


async def _read(engine: PostgresEngine) -> PersonReading | None:
    return await engine.read_person("user_id:ann")


@pytest.mark.parametrize("restart", [_restart, _kill_and_start], ids=["restarted", "killed"])
async def test_no_read_fails_once_the_server_is_back(
    postgres: EmbeddedPostgres, restart: Callable[[EmbeddedPostgres], None]
) -> None:
    """One after the other and many at once, though every connection that the engine had is dead."""
    async with busy_engine(postgres) as engine:
        before = await _read(engine)
        await asyncio.to_thread(restart, postgres)
        assert [await _read(engine) for _ in range(2 * CONNECTIONS)] == [before] * 2 * CONNECTIONS
        await asyncio.to_thread(restart, postgres)
        assert await asyncio.gather(*(_read(engine) for _ in range(2 * CONNECTIONS))) == [before] * 2 * CONNECTIONS


async def test_no_append_fails_once_the_server_is_back(postgres: EmbeddedPostgres) -> None:
    """The connection of its own that appends have is looked at as well, and so is every other write."""
    async with busy_engine(postgres) as engine:
        head = await engine.head()
        for number in range(2):
            await asyncio.to_thread(_restart, postgres)
            await receive(engine, Message(f"again {number}", (f"user_id:{number}",)))
        assert await engine.head() == head + 2


async def test_a_connection_that_was_told_something_is_not_lost(postgres: EmbeddedPostgres) -> None:
    """What a server may say unasked is no farewell; once heard it is forgotten."""
    async with await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as connection:
        assert not await is_lost(connection)
        await connection.execute("LISTEN news")
        with psycopg.connect(postgres.url, autocommit=True) as other:
            other.execute("NOTIFY news")
        assert select.select([connection], [], [], PATIENCE_S)[0]
        assert not await is_lost(connection)
        assert not select.select([connection], [], [], 0)[0]
