"""The properties of agreement bark: each part that is broken on purpose is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from courtesy.runtime.segment_building import SegmentBuilder
from courtesy.runtime.segment_settling import Settler
from courtesy.segment.live.watch import Watch
from tests.unit.segment import histories, reference
from tests.unit.segment.canaries import (
    BUILDING,
    JUDGING,
    SETTLING,
    WATCHING,
    Canary,
    CountsWhoIsAnew,
    ForgetsItsPlace,
    totals,
)
from tests.unit.segment.facts import Script
from tests.unit.segment.handing_over import Noted, handed_over
from tests.unit.segment.histories import Kinds, Play
from tests.unit.segment.live import played
from tests.unit.segment.scripts import killed, overtaken, parted_and_joined

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


@pytest.mark.parametrize(("watch", "kinds"), WATCHING.values(), ids=WATCHING.keys())
def test_a_watch_that_is_broken_is_noticed(watch: type[Watch], kinds: Kinds) -> None:
    """Sooner or later somebody is in who should not be, or is not who should."""

    @only_making
    @given(histories.plays(kinds))
    def look(play: Play) -> None:
        for noted in asyncio.run(played(*play, watch)):
            if noted.members != reference.members(noted.known, play[1], noted.at_ms):
                raise Noticed

    with pytest.raises(Noticed):
        look()


@pytest.mark.parametrize("build", BUILDING.values(), ids=BUILDING.keys())
def test_a_builder_that_is_broken_is_noticed(build: type[SegmentBuilder]) -> None:
    """Sooner or later something is missing, or counted twice."""

    @only_making
    @given(histories.scripts((totals,)))
    def make_ready(script: Script) -> None:
        _compare(asyncio.run(handed_over(script, build)))

    with pytest.raises(Noticed):
        make_ready()


@pytest.mark.parametrize(("script", "build"), [(parted_and_joined, CountsWhoIsAnew), (killed, ForgetsItsPlace)])
async def test_a_builder_that_counts_twice_is_noticed(
    script: Callable[[int], Script], build: type[SegmentBuilder]
) -> None:
    """It depends on how many questions it has asked by then."""
    noted = [each for asked in range(60) for each in await handed_over(script(asked), build)]
    with pytest.raises(Noticed):
        _compare(noted)


@pytest.mark.parametrize("settle", SETTLING.values(), ids=SETTLING.keys())
async def test_a_settler_that_is_broken_is_noticed(settle: type[Settler]) -> None:
    """A rank holds for somebody for whom it does not."""
    noted = await handed_over(overtaken(), settle=settle)
    with pytest.raises(Noticed):
        _compare(noted)


def _compare(noted: Sequence[Noted]) -> None:
    for each in noted:
        if each.members != reference.members(each.known, each.segments, each.at_ms):
            raise Noticed
