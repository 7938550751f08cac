"""The quarantine's figure: held events mended, judged and stored, over HTTP as an operator would."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import msgspec

from bench.results import Figure
from bench.workload import BATCH, messages
from sim.server import Server, serving

FIX = [{"do": "rename", "from": "kind", "to": "type"}]


def _ask(server: Server, path: str, key: str, body: bytes) -> Any:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310 -- our own server
        return json.load(answer)


def _fill(server: Server, at_most: int) -> int:
    """The simulated shop's messages, with their type in a field that nobody knows; how many."""
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    broken: list[dict[str, msgspec.Raw]] = []
    for raw in messages(at_most, seed=1):
        item = decoder.decode(raw)
        broken.append({"kind": item.pop("type"), **item})
    for first in range(0, len(broken), BATCH):
        _ask(server, "/v1/batch", server.write_key, msgspec.json.encode({"batch": broken[first : first + BATCH]}))
    return len(broken)


def replay(at_most: int) -> list[Figure]:
    """Held events mended, accepted, resolved and stored each second, by one caller in calls of 20,000."""
    with serving("--http-workers", "1", "--fold-workers", "0") as server:
        count = _fill(server, at_most)
        group = server.get("/v1/quarantine/groups")["groups"][0]["group"]
        stored, before = 0, None
        began = time.perf_counter()
        while True:
            body = msgspec.json.encode({"group": group, "fix": FIX, "before": before})
            done = _ask(server, "/v1/quarantine/replay", server.admin_key, body)
            stored += done["totals"]["stored"]
            before = done["next_before"]
            if before is None:
                break
        seconds = time.perf_counter() - began
    if stored != count:
        raise RuntimeError(f"expected {count} events to be stored, got {stored}: {done['totals']}")
    note = "one HTTP worker, one caller, no folding; one field renamed"
    return [Figure("replay_quarantine_per_s", count / seconds, "events/s", count, note)]
