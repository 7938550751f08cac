"""The repairs' figure: a person of 1,000 events unmerged over HTTP, and put back by merging."""

from __future__ import annotations

from bench.asking import Request, ask_all
from bench.lives import Teller
from bench.load import percentile
from bench.results import Figure
from courtesy.base.time import HOUR_MS, SECOND_MS, SystemClock
from sim.server import serving

EVENTS_EACH = 1_000
TIMES_EACH = 4


def unmerge(people: int) -> list[Figure]:
    """Each person: half the events of a device, half of a user, and a login in between that made them one."""
    first_ms = SystemClock().now_ms() - HOUR_MS
    took: list[float] = []
    with serving("--http-workers", "1", "--fold-workers", "1") as server:
        teller = Teller(server)
        teller.send([each for person in range(people) for each in _life(teller, person, first_ms)])
        for _ in range(TIMES_EACH):
            for person in range(people):
                path = f"/v1/people/user_id/life-{person}"
                other = {"other": {"kind": "anonymous_id", "value": f"device-{person}"}}
                ((cut, ms),) = ask_all(server, [Request("POST", f"{path}/unmerge", other)])
                if sorted(each["events"] for each in cut["people"]) != [EVENTS_EACH // 2] * 2:
                    raise RuntimeError(f"expected two halves, got {cut}")
                took.append(ms)
                server.wait_folded()
                ask_all(server, [Request("POST", f"{path}/merge", other)])
                server.wait_folded()
    note = f"{people} people of {EVENTS_EACH:,} events, {TIMES_EACH} times each, merged again in between, nothing else"
    return [Figure("unmerge_ms_p99", percentile(took, 0.99), "ms", len(took), note)]


def _life(teller: Teller, person: int, first_ms: int) -> list[bytes]:
    device, user = {"anonymousId": f"device-{person}"}, {"userId": f"life-{person}"}
    half = EVENTS_EACH // 2
    return [
        *(teller.message(device, first_ms + n * SECOND_MS) for n in range(half)),
        teller.message(device | user, first_ms + half * SECOND_MS),
        *(teller.message(user, first_ms + n * SECOND_MS) for n in range(half + 1, EVENTS_EACH)),
    ]
