"""One request after the other, timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from sim.client import Connection
from sim.server import Server


class Request(NamedTuple):
    """What an admin asks."""

    method: str
    path: str
    body: Any = None


class Answered(NamedTuple):
    """The JSON answer, and how long it took."""

    body: Any
    ms: float


def ask_all(server: Server, requests: Sequence[Request]) -> list[Answered]:
    """Ask one after the other over one connection. Raises RuntimeError for an answer that is a refusal."""
    return asyncio.run(_ask_all(server, requests))


async def _ask_all(server: Server, requests: Sequence[Request]) -> list[Answered]:
    connection = Connection(server.port, server.admin_key)
    answers = []
    for method, path, body in requests:
        content = b"" if body is None else msgspec.json.encode(body)
        began = time.perf_counter()
        status, answer = await connection.request(method, path, content)
        ms = (time.perf_counter() - began) * 1_000
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {path} was answered {status}: {answer[:300]!r}")
        answers.append(Answered(msgspec.json.decode(answer), ms))
    await connection.close()
    return answers
