"""What must always hold does hold, whatever goes wrong: two hundred seeds. `make sim` runs any number."""

from __future__ import annotations

import pytest

from tests.sim.run import simulate

SEED_COUNT = 200
SEEDS_PER_TEST = 10


@pytest.mark.parametrize("first", range(0, SEED_COUNT, SEEDS_PER_TEST))
def test_everything_holds_through_all_faults(first: int) -> None:
    """Nothing acknowledged is lost or counted twice, effects happen once, reads are whole, and all comes to rest."""
    outcomes = [simulate(seed) for seed in range(first, first + SEEDS_PER_TEST)]
    assert [f"seed {each.seed}: {violation}" for each in outcomes for violation in each.violations] == []
    assert sum(each.sizes["messages"] for each in outcomes) > 0
