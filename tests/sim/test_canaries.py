"""The checkers bark: each part broken on purpose is noticed, by the checker that is there for it."""

from __future__ import annotations

import pytest

from tests.sim.canaries import CANARIES, Canary
from tests.sim.checkers import CHECKS, WATCHED
from tests.sim.run import simulate

SEEDS_MAX = 12


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES.keys())
def test_a_broken_part_is_noticed(canary: Canary) -> None:
    """Within a dozen seeds the checker that watches over it says so."""
    found: set[str] = set()
    for seed in range(SEEDS_MAX):
        found |= {violation.checker for violation in simulate(seed, canary.parts, canary.weather).violations}
        if canary.checker in found:
            return
    pytest.fail(f"{canary.checker} noticed nothing, only {sorted(found)}")


def test_every_checker_has_a_canary() -> None:
    """No checker is there that never barked."""
    assert {canary.checker for canary in CANARIES.values()} == set(CHECKS) | WATCHED


def test_nothing_is_noticed_where_nothing_is_broken() -> None:
    """In the weather of the canaries the real parts pass: it is not the weather that is noticed."""
    for weather in {canary.weather for canary in CANARIES.values()}:
        assert simulate(0, weather=weather).violations == ()
