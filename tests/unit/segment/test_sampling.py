"""What is said of everybody after a look at one person of several."""

from __future__ import annotations

from random import Random

import duckdb
import pyarrow as pa
import pytest

from courtesy.runtime.segment_query import interval
from courtesy.segment.parsing import parse
from courtesy.segment.sql.scan import Question, Relations
from courtesy.segment.sql.statement import compiled
from courtesy.segment.tree import Segment

WORLDS = 1_000
SURE = 0.95
SPREAD = 0.02
"""Three deviations of how often it holds in so many worlds."""


def events_of(sizes: list[int]) -> tuple[pa.Table, dict[int, int]]:
    """One event for each member of each of some worlds, and in which of them each person is."""
    chance = Random(1)
    people = {chance.getrandbits(62): world for world, size in enumerate(sizes) for _ in range(size)}
    count = len(people)
    at = pa.array([0] * count, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    told = {"position": range(count), "person_id": list(people), "source_id": [1] * count, "key": [bytes(16)] * count}
    texts = {"kind": "event", "type": "track", "name": "Order", "payload": '{"rank":30,"traits":{"plan":"pro"}}'}
    columns = {name: pa.array(values) for name, values in told.items()}
    columns |= {name: pa.array([text] * count) for name, text in texts.items()}
    return pa.table({**columns, "at": at, "received": at, "raw": pa.nulls(count, pa.large_binary())}), people


def looked_at(events: pa.Table, segment: Segment, one_of: int) -> list[int]:
    """The members among those who are looked at."""
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("events", events)
        question = Question(1_000, one_of=one_of, relations=Relations(people=None))
        statement = compiled({"it": segment}, ["it"], question)
        return [person for person, _ in db.execute(statement.members_of("it")).fetchall()]


@pytest.mark.parametrize("size", [5, 40, 400])
def test_the_truth_is_in_the_interval_as_often_as_is_said(size: int) -> None:
    """In a thousand worlds, for few members as for many; and it is not so wide that nobody could use it."""
    one_of = 8
    events, world_of = events_of([size] * WORLDS)
    found = [0] * WORLDS
    for person in looked_at(events, parse('did "Order"').segment, one_of):
        found[world_of[person]] += 1
    bounds = [interval(count, one_of) for count in found]
    held = sum(low <= size <= high for low, high in bounds) / WORLDS
    assert held >= SURE - SPREAD
    if size == 400:
        assert held <= SURE + SPREAD


@pytest.mark.parametrize("text", ['did "Order"', "plan is pro", 'plan is pro and did "Order"', 'not did "Order"'])
def test_the_same_people_are_looked_at_whatever_is_asked(text: str) -> None:
    """Traits are told by the same people's events as behaviour is."""
    events, _ = events_of([100])
    everybody = set(looked_at(events, parse("plan is pro").segment, 1))
    some = set(looked_at(events, parse('did "Order"').segment, 4))
    assert 0 < len(some) < len(everybody) == 100
    assert set(looked_at(events, parse(text).segment, 4)) == (some if "not" not in text else set())
