"""All executions find the same members as the reference, in worlds and for segments that nobody thought of."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from courtesy.segment.tree import Segment
from tests.unit.segment import histories, reference
from tests.unit.segment.by_sql import by_sql
from tests.unit.segment.executions import by_judge
from tests.unit.segment.facts import World
from tests.unit.segment.live import played

EXAMPLES = int(os.environ.get("SEGMENT_EXAMPLES", "300"))
"""How many worlds each test looks at. `SEGMENT_EXAMPLES=20000` is for a night."""


@st.composite
def questions(draw: DrawFn) -> tuple[World, dict[str, Segment], int]:
    """A world, segments, and an instant."""
    anchor = draw(st.sampled_from(histories.ANCHORS))
    world = draw(histories.worlds(anchor))
    return world, draw(histories.segments(anchor)), draw(histories.asked_at(world, anchor))


@settings(max_examples=EXAMPLES)
@given(questions())
def test_whoever_is_judged_is_judged_as_the_reference_does(question: tuple[World, dict[str, Segment], int]) -> None:
    """Execution (c): the judge of one whole history, which tells the reasons."""
    assert by_judge(*question) == reference.members(*question)


@settings(max_examples=max(EXAMPLES // 8, 1))
@given(questions())
def test_whoever_is_asked_for_by_sql_is_who_the_reference_finds(
    question: tuple[World, dict[str, Segment], int],
) -> None:
    """Execution (b): SQL over the lake, which finds the first members of a new segment."""
    assert by_sql(*question) == reference.members(*question)


@st.composite
def plays(draw: DrawFn) -> tuple[World, dict[str, Segment], list[int]]:
    """A world, segments, and instants at which to look although nothing may happen then."""
    anchor = draw(st.sampled_from(histories.ANCHORS))
    world = draw(histories.worlds(anchor))
    looks = st.lists(histories.asked_at(world, anchor), min_size=3, max_size=8)
    return world, draw(histories.segments(anchor, histories.LIVE_KINDS)), draw(looks)


@settings(max_examples=EXAMPLES)
@given(plays())
async def test_whoever_is_in_while_time_passes_is_in_by_the_reference(
    play: tuple[World, dict[str, Segment], list[int]],
) -> None:
    """Execution (a): after each arrival, at each timer and in between, nobody is in a ms too early or too late."""
    segments = play[1]
    for noted in await played(*play):
        assert noted.members == reference.members(noted.known, segments, noted.at_ms), noted.at_ms
