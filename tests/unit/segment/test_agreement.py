"""All executions find the same members as the reference, in worlds and for segments that nobody thought of."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings

from courtesy.event.event import EventType
from courtesy.segment.parsing import parse
from tests.unit.segment import histories, reference
from tests.unit.segment.by_sql import by_sql
from tests.unit.segment.executions import Execution, by_judge
from tests.unit.segment.facts import Told, World
from tests.unit.segment.histories import Play, Question
from tests.unit.segment.live import played

EXAMPLES = int(os.environ.get("SEGMENT_EXAMPLES", "120"))
"""How many worlds the quickest test looks at, and the others in proportion. `SEGMENT_EXAMPLES=20000` is for a night."""


@settings(max_examples=EXAMPLES)
@given(histories.questions())
def test_whoever_is_judged_is_judged_as_the_reference_does(question: Question) -> None:
    """Execution (c): the judge of one whole history, which tells the reasons."""
    assert by_judge(*question) == reference.members(*question)


@settings(max_examples=max(EXAMPLES // 6, 1))
@given(histories.questions())
def test_whoever_is_asked_for_by_sql_is_who_the_reference_finds(question: Question) -> None:
    """Execution (b): SQL over the lake, which finds the first members of a new segment."""
    assert by_sql(*question) == reference.members(*question)


@settings(max_examples=max(EXAMPLES // 2, 1))
@given(histories.plays())
async def test_whoever_is_in_while_time_passes_is_in_by_the_reference(play: Play) -> None:
    """Execution (a): after each arrival, at each timer and in between, nobody is in a ms too early or too late."""
    segments = play[1]
    for noted in await played(*play):
        assert noted.members == reference.members(noted.known, segments, noted.at_ms), noted.at_ms


@pytest.mark.parametrize("execution", [by_judge, by_sql, reference.members])
def test_a_segment_is_made_for_each_element_of_an_array(execution: Execution) -> None:
    """Of a property as of a trait: SQL left out the arrays of events when the judge did."""
    order = Told(0, 1, EventType.TRACK, 1_000, 1_000, 5, name="Order", properties={"a": ["x", "ΣΑς"]})
    segments = {"one": parse('for each a of "Order": did "Order" where a is that').segment}
    assert execution(World((order,)), segments, 2_000) == {"one": {(1, '"x"'), (1, '"σας"')}}


@pytest.mark.parametrize("execution", [by_judge, by_sql, reference.members])
@pytest.mark.parametrize("huge", [1e300, -1e300, 10**40])
def test_a_number_that_nobody_means_spoils_no_question(execution: Execution, huge: float) -> None:
    """In sums it counts as the most that any does, and elsewhere as what it is."""
    totals = [(1, huge), (1, huge), (1, 3), (2, 3)]
    world = World(
        tuple(
            Told(key, body, EventType.TRACK, 1_000, 1_000, key, name="Order", properties={"a": total})
            for key, (body, total) in enumerate(totals)
        )
    )
    sign = "> 1000" if huge > 0 else "< -1000"
    texts = {
        "sum": f'sum of a of "Order" {sign}',
        "average": f'average a of "Order" {sign}',
        "extreme": f'{"largest" if huge > 0 else "smallest"} a of "Order" {sign}',
        "beyond": f'did "Order" where a {sign}',
    }
    segments = {name: parse(text).segment for name, text in texts.items()}
    assert execution(world, segments, 2_000) == {name: {(1, "")} for name in segments}
