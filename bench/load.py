"""A load generator: keep-alive HTTP/1.1 over plain sockets, cheap enough not to be what is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


class Connection:
    """One keep-alive connection; one request at a time."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader is not None
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status = int(answer[9:12])
        length = next(
            (int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        return status, await self._reader.readexactly(length)

    async def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            await self._writer.wait_closed()


@dataclass(slots=True)
class Sent:
    """What a run of requests came to."""

    seconds: float = 0.0
    request_count: int = 0
    bad: list[tuple[int, bytes]] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)


async def send_all(port: int, key: str, bodies: Sequence[bytes], connection_count: int) -> Sent:
    """Send every body once over some connections, as fast as they are answered."""
    sent = Sent()
    waiting = iter(bodies)

    async def one() -> None:
        connection = Connection(port, key)
        for body in waiting:
            began = time.perf_counter()
            status, answer = await connection.request("POST", "/v1/batch", body)
            sent.latencies_ms.append((time.perf_counter() - began) * 1_000)
            sent.request_count += 1
            if status != 200 or b'"results":[]' not in answer.replace(b" ", b""):
                sent.bad.append((status, answer[:300]))
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connection_count)))
    sent.seconds = time.perf_counter() - began
    return sent


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
