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
def test_whoever_is_found_by_sql_is_found_as_the_reference_does(
    question: tuple[World, dict[str, Segment], int],
) -> None:
    """Execution (b): one statement over a table like the lake's."""
    assert by_sql(*question) == reference.members(*question)
