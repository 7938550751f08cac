"""The events of some patterns, as the live evaluation keeps them of each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from courtesy.segment.moment import Span
from courtesy.segment.sql.bounds import Bounds
from courtesy.segment.sql.phrase import named, relation, sql
from courtesy.segment.sql.rows import Rows
from courtesy.segment.sql.scan import Question, Scan
from courtesy.segment.sql.zoned import zoned
from courtesy.segment.tree import Event


@dataclass(frozen=True, slots=True)
class Pattern:
    """Events of a kind, with the properties whose values are wanted. Their filter mentions no value of an `each`."""

    event: Event
    paths: tuple[str, ...] = ()


def marks(patterns: Sequence[Pattern], since_ms: int, question: Question) -> str:
    """For each event and each pattern that it matches a row: `person`, `pattern` (its place), `at` in ms, `tie`, and
    `told`, the values under the pattern's paths as JSON texts (NULL where there is none). Those after `since_ms`, in
    the order of people, patterns and events."""
    bounds, scan = Bounds(question.now_ms, question.zones), Scan(question)
    rows = Rows("matching", scan, bounds)
    span = Span(since_ms, question.now_ms)
    rows.tie()
    parts = []
    for number, pattern in enumerate(patterns):
        matches = rows.matches(pattern.event, None, span)
        values = [rows.column(rows.told(path, pattern.event)) for path in pattern.paths]
        told = exp.cast(exp.Array(expressions=values), "text[]")
        part = exp.select("person", sql(f"{number} AS pattern"), "at", "tie", named(told, "told"))
        parts.append(part.from_(relation(rows.name)).where(matches, sql("at > :since", since=since_ms)))
    union: exp.Query = parts[0]
    for each in parts[1:]:
        union = exp.union(union, each, distinct=False)
    query = exp.select("*").from_(union.subquery("marked")).order_by("person", "pattern", '"at"', "tie")
    for name, select in (*zoned(question, bounds), (scan.name, scan.select()), (rows.name, rows.select())):
        query = query.with_(name, as_=select)
    return query.sql(question.dialect)
