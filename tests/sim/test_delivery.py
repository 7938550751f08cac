"""Messages go out whatever goes wrong: each to one end, with a permit, within the budget, and no letter twice."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.sim.delivery import simulate_delivery
from tests.sim.delivery_canaries import CANARIES, Canary
from tests.sim.delivery_checkers import CHECKS

FIRST, SEED_COUNT = 0, 16
SEEDS_PER_TEST = 4
SEEDS_MAX = 8


@pytest.mark.parametrize("first", range(FIRST, SEED_COUNT, SEEDS_PER_TEST))
def test_messages_keep_their_promises_through_all_faults(first: int) -> None:
    """Of every one that was asked for; and a good many leave, and are refused on the way."""
    sizes = Counter[str]()
    for seed in range(first, first + SEEDS_PER_TEST):
        outcome = simulate_delivery(seed)
        assert outcome.violations == ()
        sizes += outcome.sizes
    assert sizes["taken"] > SEEDS_PER_TEST
    assert sizes["Message Skipped budget"] > 0


FOUND = {25: "of two who were cut apart one kept room for what went to the other"}
"""Further seeds, and what they found."""


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_stays_mended(seed: int) -> None:
    """Seeds that found something."""
    assert simulate_delivery(seed).violations == ()


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES.keys())
def test_a_broken_part_is_noticed(canary: Canary) -> None:
    """Within a few seeds the checker that watches over it says so."""
    found: set[str] = set()
    for seed in range(SEEDS_MAX):
        found |= {each.checker for each in simulate_delivery(seed, canary.ways, canary.weather).violations}
        if canary.checker in found:
            return
    pytest.fail(f"{canary.checker} noticed nothing, only {sorted(found)}")


def test_nothing_is_noticed_where_nothing_is_broken() -> None:
    """In the weather of the canaries the real parts pass: it is not the weather that is noticed."""
    for weather in {canary.weather for canary in CANARIES.values()}:
        assert simulate_delivery(0, weather=weather).violations == ()


def test_every_checker_has_a_canary() -> None:
    """No checker is there that never barked."""
    assert {canary.checker for canary in CANARIES.values()} == set(CHECKS)


def test_a_seed_is_one_run() -> None:
    """Played again, it goes the same way."""
    assert simulate_delivery(3).trace == simulate_delivery(3).trace
