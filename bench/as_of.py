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
    with serving("--http-workers", "1", "--fold-workers", "1") as server:
        instants = _tell(Teller(server), people)
        asked = [
            (f"/v1/people/user_id/life-{person}?as_of={to_iso(at_ms)}&knowing={knowing}", known)
            for _ in range(ASKED_TWICE)
            for person in range(people)
            for knowing, at_ms, known in instants
        ]
        answers = ask_all(server, [Request("GET", path) for path, _ in asked])
    for (path, known), (view, _) in zip(asked, answers, strict=True):
        if view["event_count"] != known:
            raise RuntimeError(f"expected {known} events of {path}, got {view['event_count']}")
    took = [ms for _, ms in answers]
    note = f"{people} people of {EVENTS_EACH:,} events, at {ROUNDS} instants, knowing then and today, one at a time"
    return [
        Figure("as_of_person_ms_p50", percentile(took, 0.5), "ms", len(took), note),
        Figure("as_of_person_ms_p99", percentile(took, 0.99), "ms", len(took), note),
    ]


def _tell(teller: Teller, people: int) -> list[tuple[str, int, int]]:
    """Tell everybody's life; what can be asked: by which knowledge, of which instant, and the events known of each."""
    clock = SystemClock()
    start_ms, gap_ms = clock.now_ms() - HOUR_MS - SPAN_MS, SPAN_MS // EVENTS_EACH
    each_round = EVENTS_EACH // ROUNDS
    instants: list[tuple[str, int, int]] = []
    for turn in range(ROUNDS):
        events = range(turn * each_round, (turn + 1) * each_round)
        teller.send(
            [
                teller.message({"userId": f"life-{who}", "anonymousId": f"device-{who}"}, start_ms + number * gap_ms)
                for who in range(people)
                for number in events
            ]
        )
        instants.append(("then", clock.now_ms(), events.stop))
        instants.append(("today", start_ms + events[-1] * gap_ms, events.stop))
        time.sleep(0.01)
    return instants
