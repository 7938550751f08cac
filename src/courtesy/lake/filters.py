"""Filters on the lake's rows, said twice: for PyIceberg, which picks the files, and for Arrow, which picks the rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg import expressions
from pyiceberg.expressions import And, BooleanExpression, Or

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import DAY_MS, SECOND_MS
from courtesy.engine.imported import Span, joined
from courtesy.person.chapter import Chapter

# Declared to the type checker as their serialised form, which is not how they are made.
_In: Any = expressions.In
_EqualTo: Any = expressions.EqualTo
_GreaterThanOrEqual: Any = expressions.GreaterThanOrEqual
_LessThan: Any = expressions.LessThan
LessThanOrEqual: Any = expressions.LessThanOrEqual


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows: `plan` finds the files that may hold some, `rows` the rows themselves."""

    plan: BooleanExpression
    rows: pc.Expression


def of_people(people: Collection[PersonId], up_to: Position | None = None) -> Filter:
    """All rows of some people, up to a position if given."""
    plan: BooleanExpression = _In("person_id", set(people))
    rows = pc.field("person_id").isin(list(people))
    if up_to is not None:
        plan = And(plan, LessThanOrEqual("position", up_to))
        rows &= pc.field("position") <= up_to
    return Filter(plan, rows)


DAYS_NAMED_MAX = 64
"""Days that a plan names one by one; of more the first and the last."""


def of_chapters(chapters: Collection[Chapter]) -> Filter:
    """The rows of some chapters, and maybe others of the same people; not for no chapters at all."""
    people = {chapter.person for chapter in chapters}
    first, last = min(each.first for each in chapters), max(each.last for each in chapters)
    plan = And(
        _In("person_id", people),
        _GreaterThanOrEqual("position", first),
        LessThanOrEqual("position", last),
        _arrived_on(sorted({day for chapter in chapters for day in chapter.days})),
    )
    rows = pc.field("person_id").isin(list(people)) & (pc.field("position") >= first) & (pc.field("position") <= last)
    return Filter(plan, rows)


def _arrived_on(days: list[int]) -> BooleanExpression:
    spans = [(day, day) for day in days] if len(days) <= DAYS_NAMED_MAX else [(days[0], days[-1])]
    parts = [And(_GreaterThanOrEqual("received", _day(a)), _LessThan("received", _day(b + 1))) for a, b in spans]
    return Or(*parts) if len(parts) > 1 else parts[0]


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_MS // SECOND_MS, UTC).isoformat()


def about(people: Collection[PersonId], others: Collection[Position], kept: Collection[Position]) -> Filter:
    """The rows of some people but for some positions, and those at other positions."""
    plan: BooleanExpression = _In("person_id", set(people))
    rows = pc.field("person_id").isin(list(people))
    if kept:
        rows &= ~pc.field("position").isin(list(kept))
    if others:
        plan = Or(plan, _In("position", set(others)))
        rows |= pc.field("position").isin(list(others))
    return Filter(plan, rows)


def at_positions(spans: Sequence[Span]) -> Filter:
    """The rows at some positions; not for no spans at all."""
    few = joined(spans)
    plan = And(_GreaterThanOrEqual("position", few[0].first), LessThanOrEqual("position", few[-1].last))
    return Filter(plan, _any_of(few))


def _any_of(spans: Sequence[Span]) -> pc.Expression:
    """Halved again and again, for a chain of thousands would be nested too deep."""
    if len(spans) == 1:
        return (pc.field("position") >= spans[0].first) & (pc.field("position") <= spans[0].last)
    half = len(spans) // 2
    return _any_of(spans[:half]) | _any_of(spans[half:])


def arrived_before(source: SourceId | None, name: str | None, received_before_ms: int) -> Filter:
    """The rows that arrived before an instant, of one source and of one event name if given."""
    moment = datetime.fromtimestamp(received_before_ms / 1_000, UTC)
    plan: BooleanExpression = _LessThan("received", moment.isoformat())
    rows = pc.field("received") < pa.scalar(received_before_ms * 1_000, pa.timestamp("us", tz="UTC"))
    if source is not None:
        plan = And(plan, _EqualTo("source_id", source))
        rows &= pc.field("source_id") == source
    if name is not None:
        rows &= pc.field("name") == name
    return Filter(plan, rows)
