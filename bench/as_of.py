"""The past's figure: a person of 5,000 events as they were at instants of the past, over HTTP."""

from __future__ import annotations

import time

from bench.asking import Request, ask_all
from bench.lives import Teller
from bench.load import percentile
from bench.results import Figure
from courtesy.base.time import DAY_MS, HOUR_MS, SystemClock, to_iso
from sim.server import serving

EVENTS_EACH = 5_000
ROUNDS = 4
"""The events come in as many rounds; after each there is an instant to ask about."""
SPAN_MS = 30 * DAY_MS
ASKED_TWICE = 2


def as_of(people: int) -> list[Figure]:
    """Everybody at the end of each round, as known then and as we know today of the instant where its events end."""
    clock = SystemClock()
    end_ms = clock.now_ms() - HOUR_MS
    each_round, gap_ms = EVENTS_EACH // ROUNDS, SPAN_MS // EVENTS_EACH
    then_ms: list[int] = []
    today_ms: list[int] = []
    with serving("--http-workers", "1", "--fold-workers", "1") as server:
        teller = Teller(server)
        for turn in range(ROUNDS):
            start_ms = end_ms - SPAN_MS + turn * each_round * gap_ms
            teller.send(
                [
                    teller.message(
                        {"userId": f"life-{person}", "anonymousId": f"device-{person}"}, start_ms + n * gap_ms
                    )
                    for person in range(people)
                    for n in range(each_round)
                ]
            )
            then_ms.append(clock.now_ms())
            today_ms.append(start_ms + (each_round - 1) * gap_ms)
            time.sleep(0.01)
        asked = [
            (f"/v1/people/user_id/life-{person}?as_of={to_iso(at_ms)}&knowing={knowing}", (turn + 1) * each_round)
            for _ in range(ASKED_TWICE)
            for person in range(people)
            for knowing, instants in (("then", then_ms), ("today", today_ms))
            for turn, at_ms in enumerate(instants)
        ]
        answers = ask_all(server, [Request("GET", path) for path, _ in asked])
    for (path, expected), (view, _) in zip(asked, answers, strict=True):
        if view["event_count"] != expected:
            raise RuntimeError(f"expected {expected} events of {path}, got {view['event_count']}")
    took = [ms for _, ms in answers]
    note = f"{people} people of {EVENTS_EACH:,} events, at {ROUNDS} instants, knowing then and today, one at a time"
    return [
        Figure("as_of_person_ms_p50", percentile(took, 0.5), "ms", len(took), note),
        Figure("as_of_person_ms_p99", percentile(took, 0.99), "ms", len(took), note),
    ]
