"""A small world: the app over an engine in memory, its keys, and a client that calls it without a network."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx
from litestar import Litestar

from courtesy.base.time import ManualClock
from courtesy.engine.contract import Engine
from courtesy.engine_memory import MemoryEngine
from courtesy.event.cause import Cause, Fate
from courtesy.http.app import create
from courtesy.http.auth import Doorkeeper
from courtesy.runtime.app import App, make_app
from courtesy.runtime.catalog import Scope
from courtesy.runtime.settings import Settings

NOW_MS = 1_763_780_645_000  # 2025-11-22T03:04:05Z


@dataclass(frozen=True)
class World:
    app: App
    clock: ManualClock
    client: httpx.AsyncClient
    write: str
    read: str
    admin: str

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Send JSON, or bytes as they are, with the write key in `X-Write-Key` unless `headers` are given."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = more.pop("headers", {"x-write-key": self.write})
        return await self.client.post(path, content=content, headers=headers, **more)

    async def get(self, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        """Read with the admin key unless told otherwise; with an empty key, without any."""
        key = self.admin if key is None else key
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return await self.client.get(path, headers={**headers, **more.pop("headers", {})}, **more)

    async def change(self, method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        """Change a definition with the admin key."""
        headers = {"authorization": f"Bearer {self.admin if key is None else key}"}
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        return await self.client.request(method, path, content=content, headers=headers)

    async def fates(self) -> dict[str, int]:
        """How many events met which fate so far; received is proven to be the sum of the others."""
        sums = dict.fromkeys(map(str, Fate), 0)
        for each in await self.app.engine.counts(0, 2**60):
            sums[each.fate] += each.event_count
        assert sums["received"] == sum(sums.values()) - sums["received"]
        return {fate: count for fate, count in sums.items() if count}

    async def quarantined(self) -> list[tuple[Cause, bytes]]:
        """Cause and raw content of what is in quarantine, newest first."""
        return [(each.cause, each.raw) for each in await self.app.engine.quarantined(None, None, None, 500)]


@asynccontextmanager
async def serving(engine: Engine | None = None, **settings: Any) -> AsyncIterator[World]:
    """A running world at `NOW_MS`, with a source `shop` and three keys."""
    clock = ManualClock(NOW_MS)
    engine = engine or MemoryEngine(clock)
    await engine.open()
    app = make_app(Settings(**{"spam_filter": "off"} | settings), engine, clock)
    await app.catalog.start()
    app.ingest.start()
    keys = {scope: await app.catalog.create_key(str(scope), scope, "test", source=SOURCE[scope]) for scope in SOURCE}
    transport = httpx.ASGITransport(cast("Any", served(app)))
    async with httpx.AsyncClient(transport=transport, base_url="http://courtesy.test:8080") as client:
        yield World(app, clock, client, keys[Scope.WRITE], keys[Scope.READ], keys[Scope.ADMIN])
    await app.ingest.stop()
    await app.catalog.stop()
    await engine.close()


_made: list[Litestar] = []


def served(app: App) -> Litestar:
    """The ASGI app over `app`: always the same, given new parts, for to make one takes 50 times as long as a world."""
    if not _made:
        _made.append(create(app))
    _made[0].state.app = app
    _made[0].state.door = Doorkeeper(app.catalog)
    return _made[0]


SOURCE = {Scope.WRITE: "shop", Scope.READ: None, Scope.ADMIN: None}


def track(message_id: str = "m1", user: str = "ann", **more: Any) -> dict[str, Any]:
    """A good track call."""
    return {"type": "track", "event": "Bought", "userId": user, "messageId": message_id, **more}


def batch(*items: Any, **more: Any) -> dict[str, Any]:
    """A batch of calls."""
    return {"batch": list(items), **more}


def packed(body: Any) -> bytes:
    """Gzipped JSON."""
    return gzip.compress(json.dumps(body).encode())


def causes(response: httpx.Response) -> list[tuple[int, str]]:
    """Index and cause of each item that was not stored."""
    return [(each["index"], each["cause"]) for each in response.json()["results"]]
