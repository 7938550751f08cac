"""Equal configurations make equal worlds, byte for byte, wherever and however often they are turned."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sim import MessageKind, World, WorldConfig

_ROOT = Path(__file__).parents[3]
_CONFIG = WorldConfig(seed=5, shopper_count=60, day_count=6)


def _in_a_process(hash_seed: str) -> bytes:
    command = [sys.executable, "-m", "sim", "--shoppers", "80", "--days", "5", "--seed", "9"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(_ROOT)}
    return subprocess.run(command, check=True, capture_output=True, env=environment, cwd=_ROOT).stdout


def test_two_processes_with_different_hash_seeds_write_the_same_bytes() -> None:
    """Nothing in the world depends on the order of a set or on the process."""
    first, second = _in_a_process("1"), _in_a_process("2")
    assert first == second
    assert first.count(b"\n") > 500


def test_two_worlds_of_one_configuration_deliver_the_same() -> None:
    """A world keeps nothing outside itself."""
    assert list(World(_CONFIG).deliveries()) == list(World(_CONFIG).deliveries())


def test_another_seed_makes_another_world_that_shares_no_message_id() -> None:
    """Two worlds can be fed into one server without one's messages passing for copies of the other's."""
    ids = [
        {truth.message_id for delivery in World(config).deliveries() for truth in delivery.truth}
        for config in (_CONFIG, replace(_CONFIG, seed=6), replace(_CONFIG, start_ms=_CONFIG.start_ms + 1))
    ]
    assert not ids[0] & ids[1]
    assert not ids[0] & ids[2]


def test_an_iterator_goes_on_where_another_stopped() -> None:
    """A world is turned once, however many iterators turn it."""
    world, whole = World(_CONFIG), list(World(_CONFIG).deliveries())
    first = list(islice(world.deliveries(), 50))
    assert first == whole[:50]
    assert world.now_ms == first[-1].arrives_at_ms
    assert list(world.deliveries()) == whole[50:]


def test_receiving_in_the_middle_is_as_deterministic() -> None:
    """The same messages at the same moments cause the same deliveries."""

    def told_to_who_signed_in() -> list[bytes]:
        world, bodies = World(_CONFIG), []
        for delivery in world.deliveries():
            bodies.append(delivery.body)
            for truth in delivery.truth:
                if truth.name == "Signed In" and truth.shopper is not None:
                    world.receive(truth.shopper, MessageKind.DISCOUNT, 0.3, delivery.arrives_at_ms)
        return bodies

    assert told_to_who_signed_in() == told_to_who_signed_in()
