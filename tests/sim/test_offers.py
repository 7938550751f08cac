"""Offers keep their promises whatever goes wrong: never oversold, nothing twice, and told alike by all who know."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.sim.offer_canaries import CANARIES, Canary
from tests.sim.offer_checkers import CHECKS
from tests.sim.offers import simulate_offers

SEEDS = range(4)
SEEDS_MAX = 6


def test_offers_keep_their_promises_through_all_faults() -> None:
    """A good many are granted, redeemed, given back and over, and run out on the way."""
    sizes = Counter[str]()
    for seed in SEEDS:
        outcome = simulate_offers(seed)
        assert outcome.violations == ()
        sizes += outcome.sizes
    assert min(sizes[name] for name in ("Offer Granted", "Offer Redeemed", "Offer Given Back", "Offer Expired")) > 0
    assert sizes["refused used_up"] > len(SEEDS)


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES.keys())
def test_a_broken_part_is_noticed(canary: Canary) -> None:
    """Within a few seeds the checker that watches over it says so."""
    found: set[str] = set()
    for seed in range(SEEDS_MAX):
        found |= {each.checker for each in simulate_offers(seed, canary.ways, canary.weather).violations}
        if canary.checker in found:
            return
    pytest.fail(f"{canary.checker} noticed nothing, only {sorted(found)}")


def test_nothing_is_noticed_where_nothing_is_broken() -> None:
    """In the weather of the canaries the real parts pass: it is not the weather that is noticed."""
    for weather in {canary.weather for canary in CANARIES.values()}:
        assert simulate_offers(0, weather=weather).violations == ()


def test_every_checker_has_a_canary() -> None:
    """No checker is there that never barked."""
    assert {canary.checker for canary in CANARIES.values()} == set(CHECKS)


def test_a_seed_is_one_run() -> None:
    """Played again, it goes the same way."""
    assert simulate_offers(3).trace == simulate_offers(3).trace
