"""The conditions that are made of the lake are what they say, of each person."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from courtesy.base.time import DAY_MS
from courtesy.consent.law import Laws
from courtesy.event.event import EventType
from courtesy.runtime.discovery_conditions import Source
from courtesy.runtime.discovery_tables import tables
from courtesy.segment import tree
from courtesy.segment.checking import wrong_with
from courtesy.segment.discovery.conditions import Condition
from courtesy.segment.judge import Judge, Past
from courtesy.segment.moment import Moment, zone_of
from courtesy.segment.parsing import parse
from courtesy.segment.printing import write
from courtesy.segment.tree import Segment
from tests.unit.runtime.discovery.worlds import NOW_MS, Log, lake, odd_world, pasts, raw


class Nobody:
    """There are no others."""

    def is_in(self, segment: str) -> bool:
        """Never asked."""
        raise AssertionError(segment)

    def ranks(self, rank: tree.Rank) -> bool:
        """Never asked."""
        raise AssertionError(rank)


def _holds(node: tree.Expression, past: Past) -> bool:
    moment = Moment(NOW_MS, zone_of(past.traits))
    return Judge(past, moment, Laws(()), Nobody()).judge(node).holds


def _conditions(log: Log, least_people: int = 2) -> tuple[list[int], list[Condition]]:
    with lake(log.records) as connection:
        known = tables(connection, NOW_MS, 0)
        return known.people.tolist(), list(Source(known, NOW_MS, least_people).conditions())


@pytest.mark.parametrize("seed", range(4))
def test_every_condition_holds_of_whom_the_judge_says(seed: int) -> None:
    """Whatever came in, who is in a condition is who fits its expression by the judge's reading."""
    log = odd_world(seed)
    people, conditions = _conditions(log)
    known = pasts(log.records, NOW_MS)
    assert people == sorted(known)
    assert len(conditions) > 1_000
    for node, inside in conditions[seed::3]:
        judged = [_holds(node, known[person]) for person in people]
        assert inside.tolist() == judged, write(Segment(1, node))


def test_every_condition_can_be_written_and_read() -> None:
    """Each is a valid segment whose text means the same."""
    _, conditions = _conditions(odd_world(1))
    for node, _ in conditions:
        segment = Segment(1, node)
        assert list(wrong_with(segment)) == []
        assert parse(write(segment)).segment == segment


def test_all_kinds_of_conditions_are_made() -> None:
    """Of what people did, how much, in which order, and of what they, their groups and their scores are."""
    _, conditions = _conditions(odd_world(2))
    nodes = [node for node, _ in conditions]
    assert {type(each) for each in nodes} == {
        tree.Did, tree.Amount, tree.Occurrence, tree.Sequence, tree.Change, tree.Field,
    }  # fmt: skip
    fields = [each for each in nodes if isinstance(each, tree.Field)]
    assert {each.whose for each in fields} == {tree.Whose.PERSON, tree.Whose.GROUP, tree.Whose.SCORE}
    assert {type(each.test) for each in fields} == {tree.Is, tree.Compare, tree.Within, tree.Ago}
    measures = {each.measure.function for each in nodes if isinstance(each, tree.Amount)}
    assert measures == {tree.Function.SUM, tree.Function.AVERAGE, tree.Function.LARGEST, tree.Function.DIFFERENT}


def test_nothing_that_happened_later_is_known() -> None:
    """Events, traits and people of after the instant leave no trace in any condition."""
    log = Log()
    for person in range(1, 21):
        log.did(person, "View", NOW_MS, {"of": "x"})
    before = _conditions(log)
    for person in range(1, 41):
        log.did(person, "View", NOW_MS + 1, {"of": "x", "canary": "y"})
        log.did(person, "Canary", NOW_MS + DAY_MS)
        log.is_so(person, NOW_MS + 1, {"canary": True})
        log.tell(person, EventType.GROUP, NOW_MS + 1, group="group:g1", group_traits=raw({"canary": True}))
    after = _conditions(log)
    assert after[0] == before[0]
    assert [write(Segment(1, each.node)) for each in after[1]] == [write(Segment(1, each.node)) for each in before[1]]
    assert all(np.array_equal(*pair) for pair in zip(
        (each.inside for each in before[1]), (each.inside for each in after[1]), strict=True
    ))  # fmt: skip


@pytest.mark.parametrize(
    "properties",
    [b'{"total": 1e999}', b'{"total": "\\ud800"}', b'{"total": NaN}', b'{"total": ', b"[1]", b'{"": 1, "a": {"": 2}}'],
)
def test_what_can_not_be_read_breaks_nothing(properties: bytes) -> None:
    """Odd content of one event leaves the numbers of all others as they are."""
    log = Log()
    for person in range(1, 31):
        log.did(person, "View", NOW_MS - DAY_MS, {"total": person})
    before = {write(Segment(1, each.node)): each.inside.sum() for each in _conditions(log)[1]}
    log.tell(1, EventType.TRACK, NOW_MS - 2 * DAY_MS, name="Odd", properties=msgspec.Raw(properties))
    log.tell(1, EventType.IDENTIFY, NOW_MS - 2 * DAY_MS, traits=msgspec.Raw(properties))
    after = {write(Segment(1, each.node)): each.inside.sum() for each in _conditions(log)[1]}
    measured = [text for text in before if "total" in text]
    assert len(measured) > 20
    assert [after[text] for text in measured] == [before[text] for text in measured]
