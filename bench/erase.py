"""Forgetting's figure: people of 200 events erased over HTTP, from the database and from the files of the lake."""

from __future__ import annotations

import re
import time
import urllib.request

from bench.asking import Request, ask_all
from bench.lives import Teller
from bench.load import percentile
from bench.results import Figure
from courtesy.base.time import HOUR_MS, SECOND_MS, SystemClock
from sim.server import Server, serving

EVENTS_EACH = 200
IN_LAKE_S = 120
ONE_IN = 5
"""Of so many people one is erased: the files that are written anew have others in them."""


def erase(people: int) -> list[Figure]:
    """Every fifth of these people, one after the other, once all their events are in the lake."""
    with serving("--http-workers", "1", "--fold-workers", "1") as server:
        _tell(Teller(server), people)
        _wait_in_lake(server, people * EVENTS_EACH)
        erased = range(0, people, ONE_IN)
        answers = ask_all(server, [Request("DELETE", f"/v1/people/user_id/life-{person}") for person in erased])
    for gone, _ in answers:
        if gone["events"] != EVENTS_EACH or not gone["archived"]:
            raise RuntimeError(f"expected {EVENTS_EACH} events to be erased, in the lake too, got {gone}")
    took = [ms for _, ms in answers]
    note = f"{len(took)} of {people} people of {EVENTS_EACH} events, from the lake as well, one at a time, nothing else"
    return [
        Figure("erase_ms_p50", percentile(took, 0.5), "ms", len(took), note),
        Figure("erase_ms_p99", percentile(took, 0.99), "ms", len(took), note),
    ]


def _tell(teller: Teller, people: int) -> None:
    first_ms = SystemClock().now_ms() - HOUR_MS
    teller.send(
        [
            teller.message({"userId": f"life-{who}", "anonymousId": f"device-{who}"}, first_ms + number * SECOND_MS)
            for who in range(people)
            for number in range(EVENTS_EACH)
        ]
    )


def _wait_in_lake(server: Server, count: int) -> None:
    """Return when the lake has so many events. Raises TimeoutError."""
    end = time.monotonic() + IN_LAKE_S
    url = f"http://127.0.0.1:{server.port}/metrics"
    while time.monotonic() < end:
        with urllib.request.urlopen(url, timeout=60) as answer:
            told = re.search(r"^courtesy_lake_rows_total(?:\{.*\})? ([0-9.e+]+)$", answer.read().decode(), re.MULTILINE)
        if told is not None and float(told[1]) >= count:
            return
        time.sleep(0.5)
    raise TimeoutError("the events do not get into the lake")
