"""Consent goes its whole way whatever goes wrong: heard once, told to everybody, verified or escalated."""

from __future__ import annotations

import pytest

from tests.sim.canaries import Canary
from tests.sim.consent import CHECKS, simulate_consent
from tests.sim.consent_canaries import CANARIES

SEEDS = range(8)
SEEDS_MAX = 6


@pytest.mark.parametrize("seed", SEEDS)
def test_consent_is_heard_and_told_through_all_faults(seed: int) -> None:
    """What is repeated becomes a choice where it is news alone; every change ends, and who is up has what is so."""
    outcome = simulate_consent(seed)
    assert outcome.violations == ()
    assert outcome.sizes["messages"] > 0


FOUND = {
    15: "in one append, what was chosen in so many words was not known to what was heard after it",
    42: "as 15, of an allowance",
}
"""Further seeds, and what they found."""


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_stays_mended(seed: int) -> None:
    """Seeds that found something."""
    assert simulate_consent(seed).violations == ()


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES.keys())
def test_a_broken_part_is_noticed(canary: Canary) -> None:
    """Within a few seeds the checker that watches over it says so."""
    found: set[str] = set()
    for seed in range(SEEDS_MAX):
        found |= {each.checker for each in simulate_consent(seed, canary.parts, canary.weather).violations}
        if canary.checker in found:
            return
    pytest.fail(f"{canary.checker} noticed nothing, only {sorted(found)}")


def test_every_checker_has_a_canary() -> None:
    """No checker is there that never barked."""
    assert {canary.checker for canary in CANARIES.values()} == set(CHECKS)


def test_a_seed_is_one_run() -> None:
    """Played again, it goes the same way."""
    assert simulate_consent(3).trace == simulate_consent(3).trace
