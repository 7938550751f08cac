"""The preference centre's figures: how long a customer waits for their page, and for it to be saved."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from bench.load import percentile
from bench.results import Figure
from sim.client import Connection
from sim.server import LEARN_S, Server, serving

CONNECTIONS = 8
"""Customers who are on their page at once; one who is done makes room for the next, without a rest."""
BATCH = 200
TOPICS = 6

_FORM = re.compile(rb'name="form" value="([^"]*)"')
_DEFINITION = {
    "brand": "Shoes & More",
    "uses": [{"name": "personalisation"}],
    "topics": [{"name": f"topic_{number}"} for number in range(TOPICS)],
    "likes": [{"name": "boots"}, {"name": "sandals"}],
}


@dataclass(slots=True)
class _Took:
    """How long answers took, in ms."""

    shown: list[float] = field(default_factory=list)
    saved: list[float] = field(default_factory=list)


def preferences(people: int) -> list[Figure]:
    """Everybody opens their page, changes it, saves it and sees it again; twice."""
    with serving("--http-workers", "1", "--fold-workers", "1") as server:
        took = asyncio.run(_visit_all(server, people))
    note = f"{people} people, {CONNECTIONS} at once without a rest, over HTTP, 3 or 4 choices each, 1 HTTP worker"
    return [
        Figure("preference_save_ms_p50", percentile(took.saved, 0.5), "ms", len(took.saved), note),
        Figure("preference_save_ms_p95", percentile(took.saved, 0.95), "ms", len(took.saved), note),
        Figure("preference_page_ms_p95", percentile(took.shown, 0.95), "ms", len(took.shown), note),
    ]


async def _visit_all(server: Server, people: int) -> _Took:
    admin = Connection(server.port, server.admin_key)
    await _asked(admin, "PUT", "/v1/preference-centre", _DEFINITION)
    writer = Connection(server.port, server.write_key)
    for batch in _known(people):
        await _asked(writer, "POST", "/v1/batch", {"batch": batch})
    await asyncio.sleep(LEARN_S)
    paths = [(await _asked(admin, "POST", f"/v1/people/user_id/p-{n}/links", {}))["path"] for n in range(people)]
    await admin.close()
    await writer.close()
    took = _Took()
    for choices in (_fields("c0.0", "c0.1", "u0", "t1"), _fields("c0.0", "u0", frequency="weekly", l0="like")):
        waiting = iter(paths)
        await asyncio.gather(*(_visit(server.port, waiting, choices, took) for _ in range(CONNECTIONS)))
    return took


def _known(people: int) -> Iterator[list[dict[str, Any]]]:
    """Calls that tell who everybody is."""
    for at in range(0, people, BATCH):
        yield [
            {
                "type": "identify",
                "userId": f"p-{number}",
                "messageId": f"p-{number}",
                "traits": {"email": f"p-{number}@shop.example", "country": "DE", "size": 41, "plan": "gold"},
            }
            for number in range(at, min(at + BATCH, people))
        ]


def _fields(*ticked: str, **chosen: str) -> dict[str, str]:
    """What a browser sends: all topics but the second, and what else is ticked and chosen."""
    topics = [f"t{number}" for number in range(TOPICS) if number != 1]
    return {**dict.fromkeys((*topics, *ticked), "on"), **chosen}


async def _visit(port: int, paths: Iterator[str], choices: dict[str, str], took: _Took) -> None:
    """One customer after the other over one connection."""
    connection = Connection(port, "")
    for path in paths:
        page = await _timed(connection, "GET", path, b"", 200, took.shown)
        found = _FORM.search(page)
        if found is None:
            raise RuntimeError(f"expected a form, got {page[:300]!r}")
        body = urlencode({**choices, "form": found[1].decode(), "save": "yes"}).encode()
        await _timed(connection, "POST", path, body, 303, took.saved)
    await connection.close()


async def _timed(connection: Connection, method: str, path: str, body: bytes, expected: int, ms: list[float]) -> bytes:
    began = time.perf_counter()
    status, answer = await connection.request(method, path, body)
    ms.append((time.perf_counter() - began) * 1_000)
    if status != expected:
        raise RuntimeError(f"{method} was answered {status}: {answer[:300]!r}")
    return answer


async def _asked(connection: Connection, method: str, path: str, body: Any) -> Any:
    status, answer = await connection.request(method, path, msgspec.json.encode(body))
    if status not in (200, 201):
        raise RuntimeError(f"{method} {path} was answered {status}: {answer[:300]!r}")
    return msgspec.json.decode(answer)
