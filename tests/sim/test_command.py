"""`python -m tests.sim`: what it prints, and how it ends."""

from __future__ import annotations

from functools import partial

import pytest

from tests.sim.__main__ import main
from tests.sim.canaries import CANARIES
from tests.sim.run import simulate


def test_seeds_that_pass_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """All is well: status 0, and sums of what happened."""
    assert main(["--seeds", "2", "--from", "5"]) == 0
    said = capsys.readouterr().out
    assert "2 of 2 seeds passed." in said
    assert "messages" in said


def test_a_seed_that_fails_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Something broke: status 1, and the number to replay it by."""
    broken = partial(simulate, parts=CANARIES["outcomes are not reported"].parts)
    assert main(["--seed", "7"], broken) == 1
    said = capsys.readouterr().out
    assert "seed 7: effects: " in said
    assert "0 of 1 seeds passed. Failed: [7]" in said


def test_a_replay_can_be_followed_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Verbose prints every step with its virtual time."""
    assert main(["--seed", "3", "--verbose"]) == 0
    assert "fold" in capsys.readouterr().out
