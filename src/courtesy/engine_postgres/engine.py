"""`PostgresEngine`: the engine contract on PostgreSQL 15 or later, put together from its parts."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg

from courtesy.base.ids import PARTITION_COUNT
from courtesy.base.time import Clock
from courtesy.engine.tasks import end
from courtesy.engine_postgres.answers import Answers
from courtesy.engine_postgres.appending import Appending
from courtesy.engine_postgres.building import Building
from courtesy.engine_postgres.catalogues import Catalogues
from courtesy.engine_postgres.chapters import Chapters
from courtesy.engine_postgres.codes import Codes
from courtesy.engine_postgres.connection import migrate, translated
from courtesy.engine_postgres.content import Content
from courtesy.engine_postgres.definitions import Definitions
from courtesy.engine_postgres.delivery import Delivery
from courtesy.engine_postgres.erasing import Erasing
from courtesy.engine_postgres.exporting import Exporting
from courtesy.engine_postgres.folding import Folding
from courtesy.engine_postgres.importing import Importing
from courtesy.engine_postgres.ledger import Ledger
from courtesy.engine_postgres.offers import Offers
from courtesy.engine_postgres.outbox import Outbox
from courtesy.engine_postgres.ownership import Owning
from courtesy.engine_postgres.permits import Permits
from courtesy.engine_postgres.propagation import Propagation
from courtesy.engine_postgres.quality import Quality
from courtesy.engine_postgres.reading import Reading
from courtesy.engine_postgres.repairing import Repairing
from courtesy.engine_postgres.requests import Requests
from courtesy.engine_postgres.segments import Segments
from courtesy.engine_postgres.shown import Shown

CONNECTION_COUNT = 8


class PostgresEngine(
    Appending,
    Folding,
    Outbox,
    Reading,
    Repairing,
    Erasing,
    Importing,
    Definitions,
    Quality,
    Exporting,
    Chapters,
    Ledger,
    Permits,
    Propagation,
    Requests,
    Shown,
    Answers,
    Codes,
    Offers,
    Owning,
    Segments,
    Building,
    Content,
    Delivery,
    Catalogues,
):
    """A store in PostgreSQL. `url` is a libpq URL; several processes may use the same database at once."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        partition_count: int = PARTITION_COUNT,
        *,
        connection_count: int = CONNECTION_COUNT,
        restoring: bool = False,
    ) -> None:
        """`restoring`: whether to open a store also while it is restored, which is for who restores it."""
        super().__init__(url, connection_count)
        self._clock = clock
        self._restoring = restoring
        self.partition_count = partition_count
        self._listener: asyncio.Task[None] | None = None
        self._appended = asyncio.Event()
        self._effected = asyncio.Event()
        self._put_in = asyncio.Event()

    async def open(self) -> None:
        with translated():
            async with await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=10) as first:
                await migrate(first, self.partition_count, restoring=self._restoring)
        await self._open_pool()

    async def close(self) -> None:
        if self._listener is not None:
            await end(self._listener)
        await self._drop_append_connection()
        await self._pool.close()

    async def wait_for_records(self, timeout_ms: int) -> None:
        await self._wait(self._appended, timeout_ms)

    async def wait_for_effects(self, timeout_ms: int) -> None:
        await self._wait(self._effected, timeout_ms)

    async def wait_for_inbox(self, timeout_ms: int) -> None:
        await self._wait(self._put_in, timeout_ms)

    async def _wait(self, event: asyncio.Event, timeout_ms: int) -> None:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="listen")
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), timeout_ms / 1_000)
        event.clear()

    async def _listen(self) -> None:
        """Hear what others commit. Ends when the connection breaks; the next wait starts it again."""
        with suppress(psycopg.Error):
            async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                heard = {
                    "courtesy_log": self._appended,
                    "courtesy_effect": self._effected,
                    "courtesy_inbox": self._put_in,
                }
                for channel, event in heard.items():
                    await connection.execute(f"LISTEN {channel}")
                    # What was committed before we listened was not heard: look once.
                    event.set()
                async for note in connection.notifies():
                    heard[note.channel].set()
