"""A seed is a run: the same number gives the same steps, in this process and in any other."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.sim.run import simulate
from tests.tidy.checkout import ROOT

SEEDS = (2, 3, 4)
SCRIPT = f"from tests.sim.run import simulate; print([simulate(seed).trace for seed in {SEEDS}])"


def _elsewhere(hash_seed: int) -> str:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True, text=True)
    return done.stdout.strip()


def test_a_seed_replays_step_by_step() -> None:
    """What a failing seed did can be looked at again, in a process that hashes otherwise, or in this one."""
    here = str([simulate(seed).trace for seed in SEEDS])
    assert here == str([simulate(seed).trace for seed in SEEDS])
    assert {_elsewhere(1), _elsewhere(2)} == {here}


def test_seeds_differ() -> None:
    """Another number is another run."""
    assert len({simulate(seed).trace for seed in SEEDS}) == len(SEEDS)
