"""Questions about segments over all history: who is in them, how many, how many in several, and a sample of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from math import sqrt
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.consent.law import Laws
from courtesy.engine.contract import Engine, Unavailable
from courtesy.person.marks import Mark
from courtesy.runtime.segment_events import Events, Files, Limits, opened
from courtesy.runtime.segment_standing import consents
from courtesy.segment import tree
from courtesy.segment.live.pattern import Keep
from courtesy.segment.moment import zone_of
from courtesy.segment.sql.bounds import Zones, asks_calendar
from courtesy.segment.sql.marks import mark_of, marks, repaired
from courtesy.segment.sql.scan import Question
from courtesy.segment.sql.standing import zones_told
from courtesy.segment.sql.statement import Compiled, compiled
from courtesy.segment.tree import Segment

T = TypeVar("T")

BATCH_ROWS = 50_000
BATCH_MARKS = 5_000
PART_ROWS = 8_000_000
"""For so many events at a time marks are made: unlike other questions these keep single events in memory, about 100
bytes each."""

WHOLE_ROWS = 1_000_000
"""Up to so many events a preview looks at everybody; of more at one person of several."""

PART_OF_WHOLE = 3
"""Then at so few that their events are this part of those: all payloads have to come from the disk, so that the answer
to what they say must come the sooner."""

SAMPLE = 10
VALUES = 50
"""People and values that a preview names, unless told otherwise."""

SURE = 1.96
"""How many deviations an interval reaches to either side: 95 times of 100 the truth is inside."""


@dataclass(frozen=True, slots=True)
class Preview:
    """How many people a segment has, at a position of the log and an instant.

    `count` is exact when `one_of` is 1. Else one of so many people was looked at, and 95 times of 100 the truth lies
    from `count_low` to `count_high`. `sample`: some of them, with the JSON text of the value if there is one for each.
    `by_value`: the values with most people, and how many; `value_count`: how many values have any.
    """

    position: Position
    at_ms: int
    count: int
    count_low: int
    count_high: int
    one_of: int
    sample: Sequence[tuple[PersonId, str]]
    by_value: Sequence[tuple[str, int]] = ()
    value_count: int = 0


class SegmentQueries:
    """Asks the lake and the log. `source_names` and `laws` are those in force; `zone` that of people who tell none."""

    def __init__(
        self,
        engine: Engine,
        files: Files | None,
        source_names: Callable[[], Mapping[SourceId, str]],
        laws: Laws,
        zone: tzinfo = UTC,
        limits: Limits | None = None,
    ) -> None:
        self._engine = engine
        self._files = files
        self._source_names = source_names
        self._laws = laws
        self._zone = zone
        self._limits = limits or Limits()

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Asking]:
        """Questions to all events up to the present head of the log. Raises Unavailable."""
        try:
            async with opened(self._engine, self._files, self._source_names(), self._limits) as events:
                yield Asking(events, self._laws, self._zone)
        except duckdb.IOException as error:
            # An erasure has replaced a file since we planned.
            raise Unavailable(f"the lake has changed meanwhile: {_first_line(error)}") from error

    async def preview(self, segments: Mapping[str, Segment], name: str, at_ms: int) -> Preview:
        """How many people a segment has; all that it mentions is among `segments`. Raises Unavailable."""
        async with self.asking() as asking:
            return await asking.preview(segments, name, at_ms)


class Asking:
    """Questions to events that do not change any more."""

    def __init__(self, events: Events, laws: Laws, zone: tzinfo) -> None:
        self._events = events
        self._laws = laws
        self._zone = zone
        self._zones: Zones | None = None

    @property
    def position(self) -> Position:
        """Up to where in the log the events go."""
        return self._events.head

    async def members(
        self, segments: Mapping[str, Segment], name: str, at_ms: int, known_ms: int | None = None
    ) -> AsyncIterator[pa.RecordBatch]:
        """All members as `person_id` and `value` (JSON text, empty of a segment without values), in no order, by what
        had happened by an instant; `known_ms`: and was known by another."""
        statement = await self._prepared(segments, [name], Question(at_ms, known_ms))
        async for batch in self._events.batches(statement.members_of(name), BATCH_ROWS):
            yield batch

    async def count(self, segments: Mapping[str, Segment], name: str, at_ms: int) -> int:
        """How many people are in a segment."""
        statement = await self._prepared(segments, [name], Question(at_ms))
        ((count,),) = await self._rows(statement.count(name))
        return int(count)

    async def overlaps(
        self, segments: Mapping[str, Segment], names: Sequence[str], at_ms: int
    ) -> dict[frozenset[str], int]:
        """How many people are in exactly these of some segments and in none of the others; of those who are in one."""
        statement = await self._prepared(segments, names, Question(at_ms))
        rows = await self._rows(statement.overlaps(names))
        return {frozenset(names[number] for number in numbers): int(count) for numbers, count in rows}

    async def preview(
        self, segments: Mapping[str, Segment], name: str, at_ms: int, sample: int = SAMPLE, whole_rows: int = WHOLE_ROWS
    ) -> Preview:
        """Count and sample. Of more than `whole_rows` events only one person of several is looked at, unless the
        segment ranks so many people."""
        rows = self._events.row_count
        is_whole = rows <= whole_rows or _ranks_by_count(segments.values())
        one_of = 1 if is_whole else -(-rows * PART_OF_WHOLE // whole_rows)
        statement = await self._prepared(segments, [name], Question(at_ms, one_of=one_of))
        people, picked, by_value, value_count = await self._events.ask(
            lambda db: _previewed(db, statement.members_of(name), sample, has_values=segments[name].each is not None)
        )
        low, high = interval(people, one_of)
        return Preview(self.position, at_ms, people * one_of, low, high, one_of, picked, by_value, value_count)

    async def marks(
        self, keeps: Mapping[str, Keep], up_to: Position, now_ms: int
    ) -> AsyncIterator[Mapping[PersonId, Mapping[str, Mark] | None]]:
        """What everybody did of some patterns up to a position, as `courtesy.segment.sql.marks` has it, by the keys of
        the patterns and some people at a time; None for whom SQL can't tell it to the last digit."""
        of = max(1, -(-self._events.row_count // PART_ROWS))
        for number in range(of):
            query = marks([*keeps.values()], up_to, now_ms, (number, of))
            async for batch in self._events.batches(query, BATCH_MARKS):
                yield await asyncio.to_thread(_marked, batch, keeps)

    async def repaired(self) -> set[PersonId]:
        """Who has, or had, events that were moved."""
        return {PersonId(person) for (person,) in await self._rows(repaired())}

    async def ask(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Do something else with the events, in a thread; they are as `courtesy.segment.sql.scan.Relations` has it."""
        return await self._events.ask(work)

    # -- how

    async def _prepared(self, segments: Mapping[str, Segment], names: Iterable[str], question: Question) -> Compiled:
        wanted = list(names)
        is_zoned = any(asks_calendar(each.expression) for each in segments.values())
        zones = await self._zones_told() if is_zoned else Zones(self._zone)
        told = _with_zones(question, zones)
        statement = compiled(segments, wanted, told)
        await self._events.ask(lambda db: consents(db, statement.stances, told, self._laws))
        return statement

    async def _zones_told(self) -> Zones:
        if self._zones is None:
            rows = await self._rows(zones_told(Question(0), "events"))
            told = {name: zone_of({"timezone": name}, self._zone) for (name,) in rows}
            self._zones = Zones(self._zone, {name: zone for name, zone in sorted(told.items()) if zone != self._zone})
        return self._zones

    async def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return await self._events.ask(lambda db: db.execute(query).fetchall())


def _with_zones(question: Question, zones: Zones) -> Question:
    return Question(question.now_ms, question.known_ms, question.one_of, zones)


def _previewed(
    db: duckdb.DuckDBPyConnection, members: str, sample: int, *, has_values: bool
) -> tuple[int, list[tuple[PersonId, str]], list[tuple[str, int]], int]:
    """People, some of them, the values with most people, and how many values."""
    db.execute(f"CREATE OR REPLACE TEMP TABLE found AS {members}").fetchall()
    ((people,),) = db.execute("SELECT count(DISTINCT person_id) FROM found").fetchall()
    # By a hash of their numbers: the same people whenever nothing has changed, and not the oldest ones.
    picked = db.execute(
        "SELECT person_id, min(value) FROM found GROUP BY person_id ORDER BY hash(person_id) LIMIT ?", [sample]
    ).fetchall()
    if not has_values:
        return people, picked, [], 0
    by_value = db.execute(
        "SELECT value, count(*) FROM found GROUP BY value ORDER BY count(*) DESC, value LIMIT ?", [VALUES]
    ).fetchall()
    ((value_count,),) = db.execute("SELECT count(DISTINCT value) FROM found").fetchall()
    return people, picked, by_value, value_count


def _marked(batch: pa.RecordBatch, keeps: Mapping[str, Keep]) -> dict[PersonId, dict[str, Mark] | None]:
    found: dict[PersonId, dict[str, Mark] | None] = {}
    for row in batch.to_pylist():
        told = [(key, keep, row[f"mark_{place}"]) for place, (key, keep) in enumerate(keeps.items())]
        marked = {key: mark_of(mark, keep) for key, keep, mark in told if mark["count"]}
        known = {key: mark for key, mark in marked.items() if mark is not None}
        found[PersonId(row["person"])] = known if len(known) == len(marked) else None
    return found


def _ranks_by_count(segments: Iterable[Segment]) -> bool:
    return any(
        isinstance(node, tree.Rank) and node.count is not None
        for each in segments
        for node in tree.conditions(each.expression)
    )


def interval(found: int, one_of: int) -> tuple[int, int]:
    """Where the number of people lies of whom each was looked at with the probability 1 / one_of: the score interval
    (Wilson 1927) for so many found, exact when everybody was."""
    if one_of == 1:
        return found, found
    spread = SURE * SURE * (one_of - 1)
    middle = found * one_of + spread / 2
    half = sqrt(spread * (found * one_of + spread / 4))
    return max(found, int(middle - half)), int(middle + half) + 1


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
