"""Execution (b): the members of segments by SQL over a table like the lake's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from courtesy.lake.rows import to_arrow
from courtesy.segment.past import past_of
from courtesy.segment.sql.bounds import Zones
from courtesy.segment.sql.scan import Question
from courtesy.segment.sql.statement import Compiled, compiled
from courtesy.segment.tree import Segment
from tests.unit.segment.executions import JudgedCrowd, Members
from tests.unit.segment.facts import World
from tests.unit.segment.histories import ZONES
from tests.unit.segment.records import SOURCE_NAMES, Log, log_of

TOLD_ZONES = Zones(UTC, {name: ZoneInfo(name) for name in ZONES})


def by_sql(world: World, segments: Mapping[str, Segment], at_ms: int) -> Members:
    """New segments' first members, counts and previews."""
    log = log_of(world)
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("events", to_arrow(log.records))
        db.register("people", people_of(log, world.roots))
        names = [(int(number), name) for number, name in SOURCE_NAMES.items()]
        db.register("sources", pa.table({"source_id": [n for n, _ in names], "name": [name for _, name in names]}))
        statement = compiled(segments, segments, Question(at_ms, zones=TOLD_ZONES))
        db.register("consents", consents_of(world, log, statement, at_ms))
        return {name: {tuple(row) for row in db.execute(statement.members_of(name)).fetchall()} for name in segments}


def people_of(log: Log, roots: Mapping[int, int]) -> pa.Table:
    """To whom records belong that were appended for somebody else: by the person where all of theirs went to one."""
    belongs: dict[int, set[int]] = {}
    for each in log.records:
        if each.position in log.bodies:
            belongs.setdefault(each.person, set()).add(roots[log.bodies[each.position]])
    whole = {person: next(iter(owners)) for person, owners in belongs.items() if len(owners) == 1}
    rows: list[tuple[int | None, int, int | None]] = [
        (person, root, None) for person, root in whole.items() if root != person
    ]
    rows += [
        (each.person, roots[log.bodies[each.position]], each.position)
        for each in log.records
        if each.position in log.bodies and each.person not in whole
    ]
    return _table(rows, ("person_id", "root", "position"))


def _table(rows: Iterable[tuple[int | None, ...]], names: tuple[str, ...]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(column, pa.int64()) for name, column in zip(names, columns, strict=True)})


def consents_of(world: World, log: Log, statement: Compiled, at_ms: int) -> pa.Table:
    """Who stands how, by the judge."""
    roots, groups = world.roots, log.of_groups()
    records = {person: log.of_person(person, roots) for person in set(roots.values())}
    pasts = {person: past_of(each, at_ms, SOURCE_NAMES, groups) for person, each in records.items()}
    crowd = JudgedCrowd(pasts, {}, at_ms)
    rows = [
        (person, number, crowd.judge(person, None).judge(stance).holds)
        for person in pasts
        for number, stance in enumerate(statement.stances)
    ]
    people, numbers, holds = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "person_id": pa.array(people, pa.int64()),
            "number": pa.array(numbers, pa.int64()),
            "holds": pa.array(holds, pa.bool_()),
        }
    )
