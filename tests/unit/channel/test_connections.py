"""Connections that are used again: one after the other, several at a time, and never one that is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpcore
import pytest

from courtesy.base.time import SystemClock
from courtesy.channel.address import permitted_networks
from courtesy.channel.connections import Connections
from courtesy.channel.contract import Outside
from courtesy.channel.guard import GuardedNetwork, SystemResolver

OUTSIDE = Outside(SystemClock(), GuardedNetwork(SystemResolver(), permitted_networks(["127.0.0.0/8"])))


@dataclass
class Place:
    """A server that answers everything with `ok`, after the gate opens; `made` counts its connections, `over` those
    that the other side ended. With `closing` it ends each itself after one answer."""

    port: int = 0
    closing: bool = False
    made: int = 0
    over: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.made += 1
        self.writers.append(writer)
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            await self.gate.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            if self.closing:
                break
        else:
            self.over += 1
        writer.close()


@asynccontextmanager
async def place(*, closing: bool = False) -> AsyncIterator[Place]:
    """The server, with its gate open."""
    made = Place(closing=closing)
    made.gate.set()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for each in made.writers:
            each.close()
            with suppress(ConnectionError):
                await each.wait_closed()


async def ask(connections: Connections, there: Place) -> bytes:
    """One call."""
    request = httpcore.Request("GET", f"http://127.0.0.1:{there.port}/", headers=[("Host", "here")])
    async with connections.stream(request) as response:
        return await response.aread()


async def until_over(there: Place, count: int) -> None:
    """Wait until so many connections were ended."""
    while there.over < count:
        await asyncio.sleep(0.005)


async def test_one_call_after_the_other_takes_one_connection() -> None:
    """It is ended with all others."""
    async with place() as there:
        connections = Connections(OUTSIDE, 4, 15.0)
        assert [await ask(connections, there) for _ in range(3)] == [b"ok"] * 3
        assert there.made == 1
        await connections.aclose()
        await until_over(there, 1)


async def test_calls_at_one_time_take_one_each_and_no_more_stay_than_may() -> None:
    """Those that are too many are ended when they come back; the others are used again."""
    async with place() as there:
        connections = Connections(OUTSIDE, 2, 15.0)
        there.gate.clear()
        calls = [asyncio.create_task(ask(connections, there)) for _ in range(3)]
        while there.made < len(calls):
            await asyncio.sleep(0.005)
        there.gate.set()
        assert await asyncio.gather(*calls) == [b"ok"] * 3
        await until_over(there, 1)
        assert await asyncio.gather(*(ask(connections, there) for _ in range(2))) == [b"ok"] * 2
        assert there.made == len(calls)
        await connections.aclose()


@pytest.mark.parametrize(("closing", "idle_s"), [(True, 15.0), (False, -1.0)], ids=["ended there", "idle for too long"])
async def test_what_is_over_is_not_used_again(closing: bool, idle_s: float) -> None:
    """The next call makes a new one."""
    async with place(closing=closing) as there:
        connections = Connections(OUTSIDE, 4, idle_s)
        for count in range(1, 4):
            assert await ask(connections, there) == b"ok"
            await asyncio.sleep(0.02)
            assert there.made == count
        await connections.aclose()


async def test_a_call_that_is_given_up_ends_its_connection() -> None:
    """Its answer would else be taken for that of the next."""
    async with place() as there:
        connections = Connections(OUTSIDE, 4, 15.0)
        there.gate.clear()
        call = asyncio.create_task(ask(connections, there))
        while not there.made:
            await asyncio.sleep(0.005)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        there.gate.set()
        assert await ask(connections, there) == b"ok"
        assert there.made == 2
        await connections.aclose()
