"""The workload: the simulated shop's messages, as batches of a hundred, ready to send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from sim.config import WorldConfig
from sim.world import World

BATCH = 100
SHOPPERS_PER_EVENT = 1 / 70
"""A shopper of a simulated month sends about 70 messages."""


def messages(count: int, seed: int) -> Iterator[msgspec.Raw]:
    """`count` valid messages of distinct ids in order of arrival, each as the shop's clients write them."""
    shoppers = max(100, int(count * SHOPPERS_PER_EVENT * 1.2))
    config = replace(WorldConfig(), seed=seed, shopper_count=shoppers, day_count=30).tidy().as_history()
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    given = 0
    for delivery in World(config).deliveries():
        body = decoder.decode(delivery.body)
        for item in msgspec.json.decode(body["batch"], type=list[msgspec.Raw]) if "batch" in body else ():
            if given == count:
                return
            given += 1
            yield item


def batches(count: int, seed: int, size: int = BATCH) -> list[bytes]:
    """Bodies for `POST /v1/batch`, `size` messages each."""
    bodies: list[bytes] = []
    held: list[msgspec.Raw] = []
    for message in messages(count, seed):
        held.append(message)
        if len(held) == size:
            bodies.append(msgspec.json.encode({"batch": held}))
            held = []
    if held:
        bodies.append(msgspec.json.encode({"batch": held}))
    return bodies
