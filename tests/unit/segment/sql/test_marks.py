"""Marks out of SQL are those that the fold makes of the same events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa
from hypothesis import given, settings

from courtesy.base.ids import Position
from courtesy.lake.rows import to_arrow
from courtesy.person.marks import Mark, Marks
from courtesy.person.record import Record, RecordKind, input_of
from courtesy.person.state import PersonState
from courtesy.person.step import Occurred
from courtesy.segment.definition import SegmentDefinition
from courtesy.segment.live.pattern import Keep
from courtesy.segment.live.watch import Tally, keeps_of
from courtesy.segment.sql.marks import mark_of, marks
from tests.unit.segment import histories
from tests.unit.segment.histories import Question
from tests.unit.segment.live import definitions_of
from tests.unit.segment.records import SOURCE_NAMES, log_of

Found = dict[int, dict[str, Mark | None]]
"""Of each person the marks by the keys of patterns."""

Row = tuple[int | None, int | None, int | None]


def kept(definition: SegmentDefinition) -> dict[str, Keep]:
    """What a segment asks for, by the keys of its patterns."""
    return {definition.patterns[keep.digest][0]: keep for keep in keeps_of(definition.tree)}


def by_fold(records: Sequence[Record], definition: SegmentDefinition, now_ms: int) -> Found:
    """What the watch counts."""
    tally = Tally(definition, kept(definition), SOURCE_NAMES)
    states: dict[int, PersonState] = {}
    for record in records:
        if record.kind is RecordKind.EVENT:
            given_ = input_of(record)
            assert isinstance(given_, Occurred)
            state = states.setdefault(record.person, PersonState(record.person, marks=Marks(now=now_ms)))
            tally.count(state, given_.fact, given_.tie)
    return {person: dict(state.marks.marks) for person, state in states.items() if state.marks and state.marks.marks}


def by_sql(
    records: Sequence[Record], keeps: Mapping[str, Keep], now_ms: int, people: Sequence[Row] = (), parts: int = 1
) -> Found:
    """What SQL finds, without marks of nothing."""
    found: Found = {}
    columns = zip(("person_id", "root", "position"), list(zip(*people, strict=True)) or [(), (), ()], strict=True)
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("events", to_arrow(records))
        db.register("people", pa.table({name: pa.array(column, pa.int64()) for name, column in columns}))
        db.register(
            "sources", pa.table({"source_id": list(map(int, SOURCE_NAMES)), "name": list(SOURCE_NAMES.values())})
        )
        for part in range(parts):
            query = marks([*keeps.values()], Position(len(records)), now_ms, (part, parts))
            for row in db.sql(query).to_arrow_table().to_pylist():
                assert row["person"] not in found
                of_person = {
                    key: mark_of(row[f"mark_{place}"], keep)
                    for place, (key, keep) in enumerate(keeps.items())
                    if row[f"mark_{place}"]["count"]
                }
                if of_person:
                    found[row["person"]] = of_person
    return found


@settings(max_examples=30, deadline=None)
@given(histories.questions())
def test_sql_counts_what_the_fold_counts(question: Question) -> None:
    """Whatever is asked for, of whatever happened: how often, first, last, within reach, sums and values."""
    world, segments, at_ms = question
    records = log_of(world).records
    now_ms = max([at_ms, *(each.received_ms for each in world.told)])
    for definition in definitions_of(segments):
        if keeps := kept(definition):
            assert by_sql(records, keeps, now_ms, parts=2) == by_fold(records, definition, now_ms)
