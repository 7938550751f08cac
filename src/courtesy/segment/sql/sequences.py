"""Sequences: level by level, which events can be the step, found by windows over the rows of the names concerned.

Of the events that can be the step before, the last one that is not too late is the best for any later event: whatever
else is asked of the two, that they are close enough and that nothing is between them, holds for it if for any.
"""

from __future__ import annotations

from sqlglot import exp

from courtesy.segment import tree
from courtesy.segment.moment import EXACT_MS, Span
from courtesy.segment.sql.phrase import Phrase, both, column, either, named, relation, sql
from courtesy.segment.sql.rows import Rows
from courtesy.segment.tree import Step

BEFORE = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
AFTER = "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING"

ALONG = '"at", tie'
"""The order of rows. All windows have the same one, so that rows are sorted once for each step."""


def sequence(node: tree.Sequence, rows: Rows, now_ms: int, spans: list[Span]) -> exp.Select:
    """Those who did it: the keys of `rows`, each once. `spans`: the window of its first event in each zone."""
    wide = Span(min(span.after_ms for span in spans), now_ms)
    keys = ["person", "value"] if rows.by_value else ["person"]
    first = rows.matches(node.first, node.window, wide)
    steps = [(step, _flags(step, rows, wide)) for step in node.steps]
    flags = [first, *(flag for _, (event, barriers) in steps for flag in (event, *barriers))]
    tie = rows.tie()
    told = [*(column(key) for key in keys), column("at"), tie, *dict.fromkeys(flags)]
    if any(step.without for step in node.steps):
        told.append(named(_over("row_number()", keys, ""), "place"))
    level = exp.select(*told).from_(relation(rows.name)).where(either(dict.fromkeys(flags)))
    level = exp.select("*", named(first, "reached_0")).from_(level.subquery("level"))
    for number, (step, (event, barriers)) in enumerate(steps):
        level = _next(level, keys, number, step, event, either(barriers) if barriers else None, now_ms)
    reached = column(f"reached_{len(steps)}")
    return exp.select(*(column(key) for key in keys)).distinct().from_(level.subquery("level")).where(reached)


def _flags(step: Step, rows: Rows, wide: Span) -> tuple[Phrase, list[Phrase]]:
    return rows.matches(step.event, None, wide), [rows.matches(each, None, wide) for each in step.without]


def _next(
    level: exp.Select, keys: list[str], number: int, step: Step, event: Phrase, barrier: Phrase | None, now_ms: int
) -> exp.Select:
    """The level of a step, made of that before it: `reached_<number + 1>` is whether a row can be it."""
    reached = column(f"reached_{number}")
    said = _absent_columns if step.absent else _present_columns
    columns = said(keys, reached, event, step)
    if barrier is not None:
        function = "min" if step.absent else "max"
        columns["barrier"] = _over(_only(function, "place", barrier), keys, AFTER if step.absent else BEFORE)
    looked = exp.select("*", *(named(phrase, f"{name}_{number}") for name, phrase in columns.items()))
    holds = _is_absent if step.absent else _is_present
    named_columns = {name: column(f"{name}_{number}") for name in columns}
    found = both([reached if step.absent else event, *holds(step, named_columns, now_ms)])
    inner = looked.from_(level.subquery("level"))
    return exp.select("*", named(found, f"reached_{number + 1}")).from_(inner.subquery("level"))


def _present_columns(keys: list[str], reached: Phrase, event: Phrase, step: Step) -> dict[str, Phrase]:
    frame = BEFORE if step.after is None else f"RANGE BETWEEN UNBOUNDED PRECEDING AND {ms_of(step.after)} PRECEDING"
    return {name: _over(_only("max", name, reached), keys, frame) for name in _asked_of_other(step)}


def _is_present(step: Step, columns: dict[str, Phrase], now_ms: int) -> list[Phrase]:
    parts = [sql(":at IS NOT NULL", at=columns["at"])]
    if step.within is not None:
        parts.append(sql(":at >= at - :within", at=columns["at"], within=ms_of(step.within)))
    if "barrier" in columns:
        parts.append(sql(":place >= coalesce(:barrier, 0)", place=columns["place"], barrier=columns["barrier"]))
    return parts


def _absent_columns(keys: list[str], reached: Phrase, event: Phrase, step: Step) -> dict[str, Phrase]:
    frame = AFTER if step.after is None else f"RANGE BETWEEN {ms_of(step.after)} FOLLOWING AND UNBOUNDED FOLLOWING"
    return {name: _over(_only("min", name, event), keys, frame) for name in _asked_of_other(step)}


def _asked_of_other(step: Step) -> tuple[str, ...]:
    """What has to be known of the event before it, or of that which should not be: its place too, if something may not
    lie between."""
    return ("place", "at") if step.without else ("at",)


def _is_absent(step: Step, columns: dict[str, Phrase], now_ms: int) -> list[Phrase]:
    assert step.within is not None, "checked: an absent step says within what"
    within = ms_of(step.within)
    there = [sql(":at <= at + :within", at=columns["at"], within=within)]
    if "barrier" in columns:
        there.append(sql(":place <= coalesce(:barrier, :place)", place=columns["place"], barrier=columns["barrier"]))
    return [
        sql("at + :within < :now", within=within, now=now_ms),
        sql("NOT coalesce(:there, FALSE)", there=both(there)),
    ]


def ms_of(span: tree.Duration) -> int:
    """A duration of exact units in ms."""
    return span.count * EXACT_MS[span.unit]


def _only(function: str, name: str, flag: Phrase) -> str:
    # Not by FILTER, which Spark does not know in windows.
    return f"{function}(CASE WHEN {flag.sql('duckdb')} THEN {column(name).sql('duckdb')} END)"


def _over(function: str, keys: list[str], frame: str) -> Phrase:
    along = "at" if "RANGE" in frame else ALONG
    return sql(f"{function} OVER (PARTITION BY {', '.join(keys)} ORDER BY {along} {frame})")
