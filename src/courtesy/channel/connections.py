"""Connections that are used again for the next call to the same place, for callers with many calls under way.

httpcore's own pool looks at every connection for every request, three times; with thirty of them that takes longer than
the calls themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore

from courtesy.channel.contract import Outside

_Place = tuple[bytes, bytes, int]


class Connections:
    """HTTP/1.1 connections by origin. Each carries one request at a time; of those idle the latest is used first."""

    def __init__(self, outside: Outside, idle_max: int, idle_s: float) -> None:
        """At most `idle_max` wait for each origin, each for `idle_s` at most."""
        self._outside = outside
        self._idle_max = idle_max
        self._idle_s = idle_s
        self._idle: dict[_Place, list[httpcore.AsyncHTTPConnection]] = {}
        self._is_closed = False

    @asynccontextmanager
    async def stream(self, request: httpcore.Request) -> AsyncIterator[httpcore.Response]:
        """The response to a request, to be read in here. Raises what httpcore raises."""
        connection = await self._take(request.url.origin)
        try:
            response = await connection.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        finally:
            await self._give_back(request.url.origin, connection)

    async def aclose(self) -> None:
        """Close what is idle, and from now on what comes back."""
        self._is_closed = True
        waiting, self._idle = self._idle, {}
        for each in waiting.values():
            for connection in each:
                await connection.aclose()

    async def _take(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        idle = self._idle.get(_key(origin), [])
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=self._outside.tls,
            keepalive_expiry=self._idle_s,
            network_backend=self._outside.network,
        )

    async def _give_back(self, origin: httpcore.Origin, connection: httpcore.AsyncHTTPConnection) -> None:
        idle = self._idle.setdefault(_key(origin), [])
        if connection.is_closed():
            return
        if self._is_closed or not connection.is_idle() or len(idle) >= self._idle_max:
            await connection.aclose()
            return
        idle.append(connection)
        while idle and idle[0].has_expired():
            await idle.pop(0).aclose()


def _key(origin: httpcore.Origin) -> _Place:
    return origin.scheme, origin.host, origin.port
