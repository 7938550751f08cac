"""A load generator: as many requests as are answered, over some connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sim.client import Connection


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
