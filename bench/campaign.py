"""A campaign by a running server: everybody in a segment is written to, by mail servers' own protocol, to a sink.

The whole way is measured: people are found, messages are decided in the fold, rendered, composed, signed, permitted,
handed over, and what became of them is recorded and folded. Server, PostgreSQL, mail server and this program share the
machine.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psycopg

from bench.mail import new_pem, sink
from bench.results import Figure
from bench.spine import apart, run
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from sim.client import Connection
from sim.server import Server, serving

CONNECTIONS = 16
PEOPLE_PER_BATCH = 50
HOSTS = 50
FEW = 20_000
"""Enough to tell how much more two processes send than one."""

LOOK_EVERY_S = 0.2
MEMORY_EVERY_S = 2.0
PARAGRAPHS = 34
SENDERS = 2
MIB = 1024 * 1024

_SIZES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


@dataclass(slots=True)
class _Campaign:
    """What a campaign came to: how long it took, how much each table grew, and the most memory of each part."""

    seconds: float = 0.0
    grown: dict[str, int] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)


def campaign(count: int) -> list[Figure]:
    """A campaign to `count` people, and how much slower one to a few is with one process that sends."""
    few = min(count, FEW)
    one = _run(few, senders=1)
    two = _run(few, senders=2)
    big = two if count <= few else _run(count, SENDERS)
    most = sorted(big.grown.items(), key=lambda each: -each[1])[:7]
    growth = ", ".join(f"{name} {bytes_ / count:,.0f}" for name, bytes_ in most)
    memory = ", ".join(f"{name} {bytes_ / MIB:,.0f} MB" for name, bytes_ in sorted(big.peak_bytes.items()))
    whole = f"{count / big.seconds:,.0f} messages/s the whole way, {SENDERS} processes that send; peak memory: {memory}"
    scale = f"{few / one.seconds:,.0f}/s with one process that sends, {few / two.seconds:,.0f}/s with two"
    return [
        Figure("campaign_1m_s", big.seconds * 1_000_000 / count, "s", count, whole),
        Figure("campaign_messages_per_s", count / big.seconds, "messages/s", count, scale),
        Figure("campaign_bytes_per_message", sum(big.grown.values()) / count, "bytes", count, growth),
        Figure("campaign_peak_mb", sum(big.peak_bytes.values()) / MIB, "MB", count, memory),
    ]


def _run(count: int, senders: int) -> _Campaign:
    """One campaign in a store of its own."""
    environment = {
        "COURTESY_LAKE": "off",
        "COURTESY_LINKS_URL": "https://go.shop.example",
        "COURTESY_SENDERS": str(senders),
    }
    arguments = ("--allow-private-webhooks",)
    with sink() as port, serving(*arguments, environment=environment) as server:
        _define(server, port)
        apart(_tell_all, server.port, server.write_key, count)
        server.wait_folded(3_600)
        _settle_store(server)
        before = _sizes(server)
        found = _Campaign()
        with _watching(server, found.peak_bytes):
            began = time.perf_counter()
            server.send("POST", "/v1/campaigns/spring/start", {})
            _wait_over(server, count)
            found.seconds = time.perf_counter() - began
        after = _sizes(server)
        found.grown = {name: size - before.get(name, 0) for name, size in after.items()}
        return found


def _define(server: Server, mail_port: int) -> None:
    """A connection to the sink, what is written, to whom."""
    config = {
        "sender": "Shop <hello@shop.example>",
        "bounces": "bounces.shop.example",
        "host": "127.0.0.1",
        "port": mail_port,
        "security": "none",
        "dkim_domain": "shop.example",
        "dkim_keys": [f"b1:{new_pem()}"],
        "messages_per_connection": 1_000,
    }
    server.send("PUT", "/v1/connections/letters", {"component": "smtp", "config": config})
    server.send("PUT", "/v1/content/items/campaign/spring", {"fields": _content()})
    server.send("POST", "/v1/content/items/campaign/spring/publish", {})
    server.send("PUT", "/v1/segments/everybody", {"text": "campaign_test is true"})
    while {each["stage"]["stage"] for each in server.get("/v1/segments")["segments"]} != {"live"}:
        time.sleep(LOOK_EVERY_S)
    server.send("PUT", "/v1/campaigns/spring", {"audience": "everybody", "content": "campaign/spring"})


def _content() -> dict[str, Any]:
    """A letter of some 18 KB, most of it text, with names in it and a link that is counted."""
    text = "You have {{ person.traits.points | default(0) }} points, and {{ person.traits.city }} has new shoes. " * 3
    blocks = [
        {"type": "text", "text": "Dear {{ person.traits.first_name | default('friend') }},"},
        *({"type": "text", "text": text} for _ in range(PARAGRAPHS)),
        {"type": "button", "text": "To the shop", "link": "https://shop.example/spring"},
        {"type": "footer", "text": "Shop, 1 Road, Town"},
    ]
    return {
        "subject": {"default": "Spring for {{ person.traits.first_name | default('you') }}"},
        "blocks": {"default": blocks},
    }


def _tell_all(port: int, key: str, count: int) -> None:
    run(_tell(port, key, count))


async def _tell(port: int, key: str, count: int) -> None:
    """Everybody as a shop knows them: some traits, an address, and that they may be written to."""
    firsts = iter(range(0, count, PEOPLE_PER_BATCH))

    async def one() -> None:
        connection = Connection(port, key)
        for first in firsts:
            items = [item for number in range(first, min(first + PEOPLE_PER_BATCH, count)) for item in _person(number)]
            status, answer = await connection.request("POST", "/v1/batch", msgspec.json.encode({"batch": items}))
            if status != 200 or b'"results":[]' not in answer.replace(b" ", b""):
                raise RuntimeError(f"people were not taken: {status} {answer[:300]!r}")
        await connection.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


def _person(number: int) -> list[dict[str, Any]]:
    who = f"user-{number}"
    traits = {
        "email": f"ann{number}@home{number % HOSTS}.example",
        "first_name": f"Ann{number}",
        "city": "Köln",
        "points": number % 1_000,
        "campaign_test": True,
    }
    choice = {"action": "grant", "purpose": "marketing", "channel": "email"}
    return [
        {"type": "identify", "userId": who, "messageId": f"i-{number}", "traits": traits},
        {"type": "consent", "userId": who, "messageId": f"c-{number}", "choices": [choice]},
    ]


def _wait_over(server: Server, count: int) -> None:
    """Return when every message has come to an end and that is folded. Each must have been sent."""
    while True:
        told = server.get("/v1/campaigns/spring")
        if told["runs"][0]["state"] == "done" and told["open"] == 0:
            break
        time.sleep(LOOK_EVERY_S)
    server.wait_folded()
    sent = sum(each["messages"] for each in told["fates"] if each["outcome"] == "sent")
    if sent != count:
        raise RuntimeError(f"expected {count} letters sent, got {told['fates']}")


def _settle_store(server: Server) -> None:
    """What the audience left behind must not count for the campaign."""
    with psycopg.connect(EmbeddedPostgres(server.data).url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _sizes(server: Server) -> dict[str, int]:
    with psycopg.connect(EmbeddedPostgres(server.data).url, autocommit=True) as connection:
        return {str(name): int(size) for name, size in connection.execute(_SIZES).fetchall()}


@contextmanager
def _watching(server: Server, peak: dict[str, int]) -> Iterator[None]:
    """Note the most memory that the server and its PostgreSQL have meanwhile."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(MEMORY_EVERY_S):
            for name, size in server.memory_bytes().items():
                peak[name] = max(peak.get(name, 0), size)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
