"""Senders are killed at random instants under load: nobody gets a letter twice, and each is accounted for."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.runtime.sending import IN_FLIGHT_MAX, LANES
from sim.server import Server
from tests.e2e.asking import tell, until
from tests.e2e.processes import Running, running
from tests.e2e.test_sending import CONTENT, is_over

PEOPLE = 900
KILLS = 3
SLOW_S = 0.01
"""How long the mail server takes for a letter, so that some are always half handed over."""

_OVER = "UPDATE effect SET next_at = 0 WHERE state = 'claimed' RETURNING 1"


class CountingOffice:
    """A mail server that is slow, and counts each letter by its `Message-ID` before it says that it took it."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def handle_DATA(self, *args: Any) -> str:  # noqa: N802 -- the library's name
        """Take a letter."""
        envelope: Envelope = args[2]
        assert isinstance(envelope.content, bytes)
        (found,) = re.findall(rb"^Message-ID: <([^>]+)>", envelope.content, re.MULTILINE)
        self.taken[found.decode()] += 1
        await asyncio.sleep(SLOW_S)
        return "250 OK"


@contextmanager
def counting_office() -> Iterator[tuple[CountingOffice, int]]:
    """One on a port of its own."""
    office = CountingOffice()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    controller = Controller(office, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield office, port
    finally:
        controller.stop()


def test_nobody_gets_a_letter_twice_when_senders_are_killed(tmp_path: Path) -> None:
    """Of a letter that may have left when its sender died is told that nobody knows, and it is not sent again."""
    chance = Random()
    with counting_office() as (office, port), running(tmp_path / "data", "--allow-private-webhooks") as whole:
        server = whole.with_keys("shop")
        _start_campaign(server, port)
        broken_off = 0
        for kill in range(KILLS):
            _wait_for_letters(office, office.taken.total() + chance.randrange(1, IN_FLIGHT_MAX))
            time.sleep(chance.random() * 0.05)
            broken_off += _kill_sender(whole)
            assert not is_over(server), f"everybody was told before kill {kill + 1}"
        until(lambda: is_over(server), "everybody to be told")
        fates = {each["outcome"]: each["messages"] for each in server.get("/v1/campaigns/spring")["fates"]}
    assert broken_off, "no sender was killed while it had something in hand"
    assert [name for name, count in office.taken.items() if count > 1] == []
    assert fates.keys() <= {"sent", "unsure"}
    assert sum(fates.values()) == PEOPLE
    assert fates["sent"] <= len(office.taken) <= PEOPLE
    assert fates.get("unsure", 0) <= KILLS * LANES * IN_FLIGHT_MAX


def _start_campaign(server: Server, port: int) -> None:
    config = {"sender": "Shop <hello@shop.example>", "host": "127.0.0.1", "port": port, "security": "none"}
    server.send("PUT", "/v1/connections/letters", {"component": "smtp", "config": config})
    server.send("PUT", "/v1/content/items/campaign/spring", CONTENT)
    server.send("POST", "/v1/content/items/campaign/spring/publish", {})
    server.send("PUT", "/v1/segments/everybody", {"text": "campaign_test is true"})
    until(lambda: server.get("/v1/segments")["segments"][0]["stage"]["stage"] == "live", "the segment")
    server.send("PUT", "/v1/campaigns/spring", {"audience": "everybody", "content": "campaign/spring"})
    for first in range(0, PEOPLE, 100):
        tell(server, [item for number in range(first, first + 100) for item in _person(number)])
    server.wait_folded()
    server.send("POST", "/v1/campaigns/spring/start", {})


def _person(number: int) -> list[dict[str, Any]]:
    who = f"user-{number}"
    traits = {"email": f"{who}@shop.example", "campaign_test": True}
    choice = {"action": "grant", "purpose": "marketing"}
    return [
        {"type": "identify", "userId": who, "traits": traits},
        {"type": "consent", "userId": who, "choices": [choice]},
    ]


def _wait_for_letters(office: CountingOffice, count: int) -> None:
    until(lambda: office.taken.total() >= count, "some letters")


def _kill_sender(whole: Running) -> int:
    """Kill it, and let its claims run out, as if minutes had gone, before there is another; how many it had."""
    assert whole.process is not None
    whole.process.send_signal(signal.SIGSTOP)
    try:
        whole.kill(whole.pids_of("courtesy.runtime.process", "send"))
        with psycopg.connect(EmbeddedPostgres(whole.data).url, autocommit=True) as connection:
            return len(connection.execute(_OVER).fetchall())
    finally:
        whole.process.send_signal(signal.SIGCONT)
