"""The properties of agreement bark: each part that is broken on purpose is noticed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from courtesy.segment.live.watch import Watch
from tests.unit.segment import histories, reference
from tests.unit.segment.canaries import JUDGING, WATCHING, Canary, counts
from tests.unit.segment.histories import Play
from tests.unit.segment.live import played

TRIES_MAX = 2_000

only_making = settings(
    max_examples=TRIES_MAX,
    phases=[Phase.generate],
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
"""The first example that shows a fault will do: it need not be a small one."""


class Noticed(Exception):
    """An execution differs from the reference."""


@pytest.mark.parametrize("canary", JUDGING.values(), ids=JUDGING.keys())
def test_a_judge_that_is_broken_is_noticed(canary: Canary) -> None:
    """Sooner or later it finds other members."""

    @only_making
    @given(histories.plays(canary.kinds, canary.anchors))
    def ask(play: Play) -> None:
        world, segments, instants = play
        for at_ms in instants:
            if canary.execution(world, segments, at_ms) != reference.members(world, segments, at_ms):
                raise Noticed

    with pytest.raises(Noticed):
        ask()


@pytest.mark.parametrize("watch", WATCHING.values(), ids=WATCHING.keys())
def test_a_watch_that_is_broken_is_noticed(watch: type[Watch]) -> None:
    """Sooner or later somebody is in who should not be, or is not who should."""

    @only_making
    @given(histories.plays((counts,)))
    def look(play: Play) -> None:
        for noted in asyncio.run(played(*play, watch)):
            if noted.members != reference.members(noted.known, play[1], noted.at_ms):
                raise Noticed

    with pytest.raises(Noticed):
        look()
