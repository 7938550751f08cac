"""Connections to PostgreSQL: a small pool, migrations, and the translation of its errors into the contract's."""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from typing import Any

import psycopg
from psycopg import AsyncConnection, errors, sql
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine.contract import StorageFull, Unavailable

MIGRATION_LOCK = 0x_C0_07_E5_1
"""The advisory lock under which migrations run; any number that nobody else uses in this database."""

RECONNECT_EVERY_S = 1.0

FLUSH = "SELECT pg_logical_emit_message(true, 'courtesy', '')"
"""Something small to commit: what was committed before it is on the disk when it is."""

Connection = AsyncConnection[tuple[Any, ...]]


@contextmanager
def translated() -> Iterator[None]:
    """Turn what PostgreSQL and its driver raise into Unavailable and StorageFull; bugs stay what they are."""
    try:
        yield
    except (errors.DiskFull, errors.IoError) as error:
        raise StorageFull(f"PostgreSQL can't write: {_first_line(error)}") from error
    except (errors.ProgrammingError, errors.IntegrityError, errors.DataError):
        raise
    except (psycopg.OperationalError, psycopg.InterfaceError, errors.InternalError, PoolTimeout) as error:
        if "No space left" in str(error):
            raise StorageFull(f"PostgreSQL can't write: {_first_line(error)}") from error
        raise Unavailable(f"PostgreSQL does not answer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


async def _configure(connection: Connection) -> None:
    await connection.set_autocommit(True)
    connection.prepare_threshold = 0


async def is_lost(connection: Connection) -> bool:
    """Whether an idle connection has lost its server, as far as this machine was told.

    A server that ends closes its connections, and a closed socket has something to read, as no idle one has otherwise:
    a look costs microseconds, where to ask the server costs a round trip. A server that vanishes with its machine says
    no farewell, and is found out by whoever asks it next.
    """
    if connection.closed:
        return True
    idle = select.poll()
    idle.register(connection.fileno(), select.POLLIN)
    if not idle.poll(0):
        return False
    try:
        # It may have been told something harmless: a notice, or what TLS has to say.
        await AsyncConnectionPool.check_connection(connection)
    except psycopg.Error:
        return True
    return False


async def _try_again(pool: AsyncConnectionPool[Connection]) -> None:
    """Begin anew to connect. The pool's own attempts come ever more rarely: after two minutes without PostgreSQL the
    next would come two minutes later, and until then nobody was served."""
    await pool.check()


def plain_url(url: str) -> str:
    """A URL as libpq takes it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


class Connected:
    """What every part of the engine shares: the pool and how to borrow from it."""

    def __init__(self, url: str, connection_count: int) -> None:
        self._url = plain_url(url)
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._url,
            min_size=1,
            max_size=connection_count,
            open=False,
            timeout=10,
            configure=_configure,
            reconnect_timeout=RECONNECT_EVERY_S,
            reconnect_failed=_try_again,
        )

    async def _open_pool(self) -> None:
        with translated():
            await self._pool.open(wait=True, timeout=30)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A pooled connection in autocommit; given back, or closed when it broke. After a restart of PostgreSQL those
        that went stale are passed over."""
        with translated():
            connection = await self._live_connection()
            try:
                async with connection:
                    yield connection
            finally:
                await self._pool.putconn(connection)

    async def _live_connection(self) -> Connection:
        # Not by the pool's own `check`: between two that fail it waits, for seconds with a few of them.
        while await is_lost(connection := await self._pool.getconn()):
            await connection.close()
            await self._pool.putconn(connection)
        return connection

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        """A pooled connection within one transaction."""
        async with self._connection() as connection, connection.transaction():
            yield connection

    async def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        async with self._connection() as connection:
            cursor = await connection.execute(query, parameters, binary=True)
            return await cursor.fetchall()

    async def _rows_planned(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """As `_rows`, planned for the tables as they are now. A plan that is kept from when a table was empty reads all
        of it, however large it has become since; to plan anew costs less than a millisecond."""
        async with self._connection() as connection:
            cursor = await connection.execute(query, parameters, binary=True, prepare=False)
            return await cursor.fetchall()


def migrations() -> list[tuple[int, str, str]]:
    """All migrations in order: number, name and text."""
    folder = resources.files("courtesy.engine_postgres") / "migrations"
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".sql"))
    return [(int(name[:4]), name, (folder / name).read_text("utf-8")) for name in names]


async def migrate(connection: Connection, partition_count: int, *, restoring: bool = False) -> None:
    """Apply what is missing, in order, all or nothing; a second process waits here and then finds nothing to do.

    Raises CourtesyError(SETUP) when the database is of a later Courtesy, has another number of partitions, or is being
    restored, unless by the caller.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, name text NOT NULL,"
            " applied timestamptz NOT NULL DEFAULT now())"
        )
        cursor = await connection.execute("SELECT coalesce(max(number), 0) FROM migration")
        row = await cursor.fetchone()
        present = row[0] if row else 0
        known = migrations()
        if present > known[-1][0]:
            raise CourtesyError(
                Code.SETUP,
                f"expected a database of migration {known[-1][0]} or earlier, got {present}",
                hint="run the newer Courtesy that wrote it, or restore a backup",
            )
        for number, name, text in known:
            if number > present:
                await connection.execute(sql.SQL(text))
                await connection.execute("INSERT INTO migration (number, name) VALUES (%s, %s)", (number, name))
        await _settle_partitions(connection, partition_count)
        if not restoring:
            await _refuse_restoring(connection)


async def _refuse_restoring(connection: Connection) -> None:
    cursor = await connection.execute("SELECT FROM restoring")
    if await cursor.fetchone() is not None:
        raise CourtesyError(
            Code.SETUP,
            "expected a whole store, got one that is being restored, or whose restoring was cut short",
            hint="wait for `courtesy restore`; if it does not run any more, remove the data folder (or empty the"
            " database and the lake) and restore again",
        )


async def _settle_partitions(connection: Connection, partition_count: int) -> None:
    cursor = await connection.execute("SELECT count(*) FROM partition_state")
    row = await cursor.fetchone()
    present = row[0] if row else 0
    if present == 0:
        await connection.execute(
            "INSERT INTO partition_state (partition) SELECT generate_series(0, %s - 1)", (partition_count,)
        )
    elif present != partition_count:
        raise CourtesyError(
            Code.SETUP,
            f"expected {partition_count} partitions, the database was made with {present}",
            hint=f"start with --partitions {present}",
        )
