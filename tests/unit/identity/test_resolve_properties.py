"""Resolve under chance: what holds of every graph, that batches do not matter, and when order does not."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.identity.graph import TIGHT, Graph, Told, alias, check

PRIORITY = ("user_id", "loyalty", "email", "device_id", "anonymous_id")
VALUES = ("1", "2", "3", "4", "5")


def _in_order(keys: set[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{kind}:{value}" for kind, value in sorted(keys, key=lambda each: (PRIORITY.index(each[0]), each[1])))


IDS = st.sets(st.tuples(st.sampled_from(PRIORITY), st.sampled_from(VALUES)), min_size=1, max_size=4).map(_in_order)
TOLD = st.one_of(IDS.map(Told), st.builds(alias, IDS, st.sampled_from(VALUES)))
"""Events among so few identifiers that everything happens: logins on shared devices, full people, odd aliases."""


class Stream(RuleBasedStateMachine):
    """One store that is told of events in batches of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph(TIGHT)

    @rule(events=st.lists(TOLD, min_size=1, max_size=5))
    def tell(self, events: list[Told]) -> None:
        """An append; who an event is about holds an identifier of it, as long as nothing else happens."""
        *_, person = self.graph.tell(*events)
        assert person in {self.graph.owners[key].person for key in events[-1].ids if key in self.graph.owners}

    @invariant()
    def everything_that_must_hold_does(self) -> None:
        """One owner each; caps; no two logins without an alias; merges a forest; links hold people together."""
        check(self.graph)


Stream.TestCase.settings = settings(max_examples=40, stateful_step_count=12)
TestStream = Stream.TestCase


@settings(max_examples=100)
@given(st.lists(TOLD, max_size=12), st.data())
def test_how_events_are_cut_into_batches_makes_no_difference(events: list[Told], data: st.DataObject) -> None:
    """One append with all of them, one each, or any cut between gives the same people and the same evidence."""
    at_once, one_by_one, in_parts = Graph(TIGHT), Graph(TIGHT), Graph(TIGHT)
    at_once.tell(*events)
    for each in events:
        one_by_one.tell(each)
    place = 0
    while place < len(events):
        size = data.draw(st.integers(1, len(events) - place))
        in_parts.tell(*events[place : place + size])
        place += size
    assert at_once.everything() == one_by_one.everything() == in_parts.everything()


def _people(kinds_of_each: Sequence[dict[str, int]]) -> list[list[str]]:
    """The identifiers of people who share none, at most as many of each kind as the caps allow."""
    return [
        [f"{kind}:{number}-{nth}" for kind, most in kinds.items() for nth in range(most)]
        for number, kinds in enumerate(kinds_of_each)
    ]


CLEAR = st.lists(
    st.fixed_dictionaries(
        {kind: st.integers(0, 1 if kind == "user_id" else 2) for kind in PRIORITY},
    ).filter(lambda kinds: sum(kinds.values()) > 0),
    min_size=1,
    max_size=4,
).map(_people)


@settings(max_examples=100)
@given(CLEAR, st.data())
def test_where_nothing_is_in_dispute_order_does_not_matter(people: list[list[str]], data: st.DataObject) -> None:
    """People with one login each who share nothing come out the same, however their events are shuffled."""
    subset = st.sampled_from(people).flatmap(
        lambda keys: st.sets(st.sampled_from(keys), min_size=1).map(
            lambda some: Told(tuple(key for key in keys if key in some))
        )
    )
    events = data.draw(st.lists(subset, min_size=1, max_size=12))
    told, shuffled = Graph(TIGHT), Graph(TIGHT)
    for each in events:
        told.tell(each)
    for each in data.draw(st.permutations(events)):
        shuffled.tell(each)
    assert told.grouping() == shuffled.grouping()
    assert told.refusals == shuffled.refusals == []
