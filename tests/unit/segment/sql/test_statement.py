"""Statements as text: what other dialects are told, and what a statement leaves out when nothing needs it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse, parse_one

from courtesy.event.event import EventType
from courtesy.segment.parsing import parse as read
from courtesy.segment.sql.bounds import asks_calendar
from courtesy.segment.sql.scan import Question, Relations
from courtesy.segment.sql.statement import compiled
from courtesy.segment.tree import Field, Present, Segment
from tests.unit.segment import histories, reference
from tests.unit.segment.by_sql import TOLD_ZONES, by_sql
from tests.unit.segment.facts import Told, World

NOW_MS = histories.ANCHORS[0]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(histories.ANCHORS).flatmap(histories.segments))
def test_spark_is_told_what_it_can_read(segments: dict[str, Segment]) -> None:
    """Every kind of condition is one statement in its dialect, which reads and writes the same."""
    statement = compiled(segments, segments, Question(NOW_MS, zones=TOLD_ZONES, dialect="spark"))
    for name in segments:
        (read_once,) = parse(statement.members_of(name), dialect="spark")
        assert isinstance(read_once, exp.Select)
        text = read_once.sql("spark")
        assert parse_one(text, dialect="spark").sql("spark") == text


def test_what_a_marketer_writes_is_never_read_as_sql() -> None:
    """Names, paths and values with quotes and comments in them stay texts."""
    odd = "x' OR 1=1; DROP TABLE events -- \\\" \\\\ $.a[*] {}"
    segment = read(f'did "{odd}" where "{odd}" is "{odd}" and "{odd}" contains "{odd}"').segment
    text = compiled({odd: segment}, [odd], Question(NOW_MS)).members_of(odd)
    statement = parse_one(text, dialect="duckdb")
    assert {table.name for table in statement.find_all(exp.Table)} >= {"events"}
    assert not list(statement.find_all(exp.Drop))
    assert any("DROP TABLE" in literal.this for literal in statement.find_all(exp.Literal))


def test_a_question_reads_no_more_than_it_needs() -> None:
    """No payloads where only names and instants count, nobody's past owner where nobody had one."""
    asked = Question(NOW_MS, zones=TOLD_ZONES, relations=Relations(people=None))
    counts = compiled({"s": read('did "Order" in the last 30 days').segment}, ["s"], asked)
    columns = {each.name for each in parse_one(counts.members_of("s"), dialect="duckdb").find_all(exp.Column)}
    assert "payload" not in columns
    assert not columns & {"key", "root", "source_id"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('did "Order" in the last 30 days', False),
        ('did "Order" in the last 1 months', True),
        ('did "Order" today', True),
        ('did "Order" until 2026-01-01', True),
        ('last "Order" was more than 3 hours ago', False),
        ('did "Order" where ships is in the next 2 days', True),
        ("born comes round today", True),
        ("any of cars has (bought is more than 2 days ago)", True),
        ('did "Order" then not "Order" within 2 days', False),
    ],
)
def test_what_depends_on_where_somebody_is(text: str, expected: bool) -> None:
    """Calendars, months and days do; hours do not."""
    assert asks_calendar(read(text).segment.expression) is expected


OBJECTS: list[list[dict[str, object]]] = [
    [{"o": {"x": 1}}],
    [{"o": {"x": None}}],
    [{"o": {"x": 1}}, {"o": {"x": None}}],
    [{"o": {"x": 1, "y": 2}}, {"o": {"x": None}}],
    [{"o": 5}, {"o": {"x": None}}],
    [{"o": {"x": 1}}, {"o": None}],
    [{"o": {"x": 1}}, {"o": 7}],
    [{"o": None}, {"o": {"x": 1}}],
    [{"o": {"x": {"z": 1}}}, {"o": {"x": {"z": None}}}],
    [{"o": {"x": [1]}}, {"o": {"y": None}}],
]


@pytest.mark.parametrize("said", OBJECTS)
def test_an_object_is_there_while_a_value_is_in_it(said: list[dict[str, object]]) -> None:
    """However its values were set and unset one after the other."""
    world = World(
        tuple(
            Told(number, 1, EventType.IDENTIFY, number, number, number, traits=traits)
            for number, traits in enumerate(said, 1)
        )
    )
    segments = {path: Segment(1, Field(path, Present())) for path in ("o", "o.x")}
    assert by_sql(world, segments, NOW_MS) == reference.members(world, segments, NOW_MS)
