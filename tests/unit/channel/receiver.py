"""A real HTTP server on a loopback address that answers as a test tells it to, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What the server does once a request has arrived whole. The connection is closed afterwards."""


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`lost` counts the clients that went away before the script was done."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    lost: int = 0


@asynccontextmanager
async def receiving(
    script: Script, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None, greeting: bytes = b""
) -> AsyncIterator[Receiver]:
    """A running server; it sends `greeting` before anything was asked.

    Leaving waits until every client has gone, so a connection left behind never goes unseen; after a failure it
    does not wait.
    """
    receiver = Receiver()
    open_: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_.add(task)
        writer.write(greeting)
        task.add_done_callback(open_.discard)
        await _converse(receiver, script, reader, writer)

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    except BaseException:
        for task in open_:
            task.cancel()
        raise
    finally:
        server.close()
        while open_:
            await asyncio.wait(set(open_))


async def _converse(
    receiver: Receiver, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        receiver.requests.append(await _request(reader))
        await script(reader, writer)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        receiver.lost += 1
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *pairs = head.rstrip().split("\r\n")
    headers = {name.lower(): value for name, value in (pair.split(": ", 1) for pair in pairs)}
    return Request(line, headers, await reader.readexactly(int(headers["content-length"])))


def saying(raw: bytes) -> Script:
    """Sends these bytes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return script


def answering(status: int, *headers: str, body: bytes = b"") -> Script:
    """Sends a well-formed answer."""
    lines = [f"HTTP/1.1 {status} Any", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return saying("\r\n".join(lines).encode() + body)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing until the client goes away."""
    await reader.read()


def dripping(head: bytes) -> Script:
    """Sends `head`, then a byte now and then for as long as the client listens."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not reader.at_eof():
            writer.write(b"x")
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.01)

    return script
