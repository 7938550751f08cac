"""A real server on a port of its own: granian in this process, in front of the app over an engine in memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from granian.constants import Interfaces
from granian.server.embed import Server

from courtesy.base.time import SystemClock
from courtesy.engine_memory import MemoryEngine
from courtesy.http.app import create
from courtesy.runtime.app import App, make_app
from courtesy.runtime.catalog import Scope
from courtesy.runtime.settings import Settings

READY_TRIES = 500


@dataclass(frozen=True)
class Served:
    """Where it listens, and its keys."""

    app: App
    port: int
    write: str
    read: str
    admin: str

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def http_server() -> AsyncIterator[Served]:
    """A server that answers; it has stopped on leaving."""
    clock = SystemClock()
    app = make_app(Settings(), MemoryEngine(clock), clock)
    await app.engine.open()
    await app.catalog.start()
    app.ingest.start()
    write = await app.catalog.create_key("shop", Scope.WRITE, "test")
    read = await app.catalog.create_key("reader", Scope.READ, "test")
    admin = await app.catalog.create_key("boss", Scope.ADMIN, "test")
    served = Served(app, _free_port(), write, read, admin)
    server = Server(create(app), port=served.port, interface=Interfaces.ASGI, websockets=False, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    await _ready(served)
    try:
        yield served
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await serving
        await app.ingest.stop()
        await app.catalog.stop()
        await app.engine.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _ready(served: Served) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(READY_TRIES):
            try:
                if (await client.get(f"{served.url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.01)
    raise AssertionError("the server did not come up")
