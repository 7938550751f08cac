"""The engines under the suite of the engine contract: each test has a store of its own, and its engine is open."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from courtesy.base.time import ManualClock
from courtesy.engine.contract import Engine
from courtesy.engine_memory import Disk, MemoryEngine
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from tests.contract.builders import NOW_MS, Store

_HERE = Path(__file__).parent
_TEMPLATE = "migrated"


def with_engine_open(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    """The test with its `engine` opened before and closed after, on the loop that the test runs on."""

    @functools.wraps(test)
    async def run(*args: object, engine: Engine, **kwargs: object) -> None:
        await engine.open()
        try:
            await test(*args, engine=engine, **kwargs)
        finally:
            await engine.close()

    return run


# Before the hook that makes plain functions out of coroutine functions.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hand the tests of this folder their engine open."""
    for item in items:
        if isinstance(item, pytest.Function) and _HERE in item.path.parents and "engine" in item.fixturenames:
            assert inspect.iscoroutinefunction(item.obj), f"{item.name} takes an engine, so it is to be a coroutine"
            item.obj = with_engine_open(item.obj)


class Databases:
    """Databases of one server, each a copy of one that was migrated once: ten times faster than migrating each."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made_count = 0
        with self._server() as server:
            # No test cuts the power: what the operating system has is safe, and a disk need not be waited for.
            for setting in ("fsync", "full_page_writes"):
                server.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            server.execute("SELECT pg_reload_conf()")
            server.execute(sql.SQL("CREATE DATABASE {} OWNER courtesy").format(sql.Identifier(_TEMPLATE)))
        asyncio.run(self._migrate())

    async def _migrate(self) -> None:
        engine = PostgresEngine(self._url_of(_TEMPLATE), ManualClock())
        await engine.open()
        await engine.close()

    def _server(self) -> psycopg.Connection[Any]:
        return psycopg.connect(make_conninfo(self._url, user="postgres", dbname="postgres"), autocommit=True)

    def _url_of(self, name: str) -> str:
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    @contextmanager
    def fresh(self, of: str | None = None) -> Iterator[str]:
        """The URL of a new, empty, migrated database, gone afterwards. `of`: the URL of another (closed) that it is to
        be a copy of."""
        with self._copy(_TEMPLATE if of is None else urlsplit(of).path[1:]) as url:
            yield url

    @contextmanager
    def bare(self) -> Iterator[str]:
        """The URL of a new database in which there is nothing, gone afterwards."""
        with self._copy("template1") as url:
            yield url

    @contextmanager
    def _copy(self, template: str) -> Iterator[str]:
        self._made_count += 1
        name = f"test_{self._made_count}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER courtesy")
        with self._server() as server:
            server.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
            yield self._url_of(name)
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """A PostgreSQL for all tests of this process."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("engines")) as postgres:
        yield Databases(postgres.url)


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the test's engines."""
    return ManualClock(NOW_MS)


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "memory":
        disk = Disk()
        yield Store(lambda partition_count: MemoryEngine(clock, partition_count, disk))
        return
    databases: Databases = request.getfixturevalue("databases")
    with databases.fresh() as url:
        yield Store(lambda partition_count: PostgresEngine(url, clock, partition_count))


@pytest.fixture
def engine(store: Store) -> Engine:
    """An engine over the test's store, open while the test runs."""
    return store.engine()
