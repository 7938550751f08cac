"""Segments that are defined, edited and archived in the middle of a history have the members of the reference as soon
as they are live, whoever dies while they are made ready."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings

from courtesy.runtime.segment_settling import Settler
from tests.unit.segment import histories, reference
from tests.unit.segment.facts import Script
from tests.unit.segment.handing_over import handed_over
from tests.unit.segment.scripts import killed, overtaken, parted_and_joined

EXAMPLES = int(os.environ.get("SEGMENT_EXAMPLES", "120"))


async def check(script: Script, settle: type[Settler] | None = None) -> None:
    """Whoever is noted is who the reference finds."""
    for noted in await handed_over(script, settle=settle):
        assert noted.members == reference.members(noted.known, noted.segments, noted.at_ms), noted.at_ms


@settings(max_examples=max(EXAMPLES // 3, 1), suppress_health_check=[HealthCheck.too_slow])
@given(histories.scripts())
async def test_what_was_before_is_handed_over_without_a_gap(script: Script) -> None:
    """While events come in, people become one and two again, and the builder dies between any two of its questions."""
    await check(script)


@settings(max_examples=max(EXAMPLES // 20, 1), suppress_health_check=[HealthCheck.too_slow])
@given(histories.scripts(histories.SETTLED_KINDS, 8))
async def test_ranks_and_groups_hold_for_whom_they_do_once_they_are_settled(script: Script) -> None:
    """Ranks and traits of groups, asked by SQL and told to whom they changed for, also of who became one since."""
    await check(script, Settler)


@pytest.mark.parametrize("script", [killed, parted_and_joined])
async def test_it_may_happen_after_any_question(script: Callable[[int], Script]) -> None:
    """However many the builder has asked by then: nothing is missing or counted twice."""
    for asked in range(60):
        await check(script(asked))


async def test_who_is_overtaken_leaves_also_as_one_with_another() -> None:
    """What held for one of two who become one is taken back when it does not hold for the two."""
    await check(overtaken(), Settler)
