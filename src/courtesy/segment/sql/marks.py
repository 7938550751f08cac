"""What people did of some patterns, found at once for everybody: the marks that the fold would have made of the same
events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlglot import exp

from courtesy.base.ids import Position
from courtesy.base.time import LATEST_MS
from courtesy.person.fold import kept_value
from courtesy.person.marks import ITEMS_MAX, Item, Mark, Total, add_different
from courtesy.person.view import split_path
from courtesy.segment.each import elements_of, one_form
from courtesy.segment.live.pattern import Keep, kept_from_ms
from courtesy.segment.sql.bounds import Bounds
from courtesy.segment.sql.features import MICROS
from courtesy.segment.sql.json_text import number
from courtesy.segment.sql.phrase import Phrase, column, named, relation, sql
from courtesy.segment.sql.rows import Rows
from courtesy.segment.sql.scan import Question, Relations, Scan
from courtesy.segment.tree import Event

EXACT_MAX = 1e11
"""Below this a number in millionths is the same whole number in SQL as in Python, which counts in whole numbers of any
size: 1e6 is 64 times an odd number, and 64 times 2**53 millionths are more than this."""

COUNTABLE = "countable"

MarkRow = Mapping[str, Any]


def marks(keeps: Sequence[Keep], up_to: Position, now_ms: int, part: tuple[int, int] = (0, 1)) -> str:
    """For each person for whom an event of one of the patterns was appended up to a position, `person` and for each
    pattern, by its place, `mark_<place>` as `mark_of` reads it. Events that were ever moved to somebody else are left
    out, as are those of people who are erased and of nobodies. `now_ms`: at which events are dropped that no window
    reaches any more. `part`: which one of how many parts of all people."""
    question = Question(LATEST_MS, relations=Relations(events=COUNTABLE, people=None))
    scan = Scan(question)
    rows = Rows("matching", scan, Bounds(question.now_ms, question.zones))
    rows.tie()
    columns = [named(_mark(keep, rows, now_ms), f"mark_{place}") for place, keep in enumerate(keeps)]
    query = exp.select(column("person"), *columns).from_(relation(rows.name)).group_by(column("person"))
    relations = ((COUNTABLE, _countable(up_to, part)), (scan.name, scan.select()), (rows.name, rows.select()))
    for name, select in relations:
        query = query.with_(name, as_=select)
    return query.sql(question.dialect)


def repaired() -> str:
    """The people who have, or had, events that were moved: `person`. What is theirs has to be asked of history."""
    events = exp.select("event.person_id AS person").from_("events AS event").join("people", using="position")
    moved = exp.select("root AS person").from_("people").where("position IS NOT NULL AND root IS NOT NULL")
    parts = exp.select("person_id AS person").from_("people").where("position IS NULL")
    parts = parts.where(sql("root IN (SELECT root FROM people WHERE position IS NOT NULL)"))
    return exp.union(exp.union(events, moved), parts).sql("duckdb")


def mark_of(row: MarkRow, keep: Keep) -> Mark | None:
    """The mark of a row; None when there is a number in it that SQL does not count to the last digit."""
    totals: dict[str, Total] = {}
    for path, told in zip(keep.totals, row["totals"] or (), strict=True):
        if told["largest"] is not None and told["largest"] >= EXACT_MAX:
            return None
        if told["count"]:
            totals[path] = Total(told["count"], told["micros"], told["low"], told["high"])
    items = sorted(map(_item, row["items"] or ()), key=lambda item: (item[0], item[1]))[-ITEMS_MAX:]
    mark = Mark(row["count"], _item(row["first"]), items, totals)
    for path, texts in zip((*keep.different, *keep.each), row["texts"] or (), strict=True):
        for text in texts or ():
            told = msgspec.json.decode(text)
            for one in [told] if path in keep.different else elements_of(told):
                form = one_form(one)
                if form is not None:
                    add_different(mark, path, msgspec.json.encode(form).decode())
    return mark


def _item(row: MarkRow) -> Item:
    told = (None if text is None else msgspec.json.decode(text) for text in row["told"])
    return [row["at"], row["tie"], *map(kept_value, told)]


def _countable(up_to: Position, part: tuple[int, int]) -> exp.Select:
    number, of = part
    found = exp.select("*").from_("events").where(
        sql("position <= :it", it=up_to),
        sql("position NOT IN (SELECT position FROM people WHERE position IS NOT NULL)"),
        sql("person_id NOT IN (SELECT person_id FROM people WHERE position IS NULL AND root IS NULL)"),
    )  # fmt: skip
    return found if of == 1 else found.where(sql("hash(person_id) % :of = :number", of=of, number=number))


def _mark(keep: Keep, rows: Rows, now_ms: int) -> Phrase:
    event = Event(keep.name, keep.fixed)
    matches = rows.matches(event)
    if keep.values or keep.totals or keep.different or keep.each:
        rows.scan.reads(event.name)
    told = [rows.column(rows.find(whose, tuple(split_path(path)))) for whose, path in keep.values]
    item = sql("{'at': at, 'tie': tie, 'told': :told}", told=_array(told))
    parts = {
        "count": sql("count(*) FILTER (WHERE :it)", it=matches),
        "first": sql("arg_min(:item, :order) FILTER (WHERE :it)", item=item, order=rows.order(), it=matches),
        "items": _items(keep, item, rows, matches, now_ms),
        "totals": _array([_total(path, event, rows, matches) for path in keep.totals]),
        "texts": _array([_texts(path, event, rows, matches) for path in (*keep.different, *keep.each)]),
    }
    return exp.Struct(
        expressions=[exp.PropertyEQ(this=exp.to_identifier(name), expression=it) for name, it in parts.items()]
    )


def _items(keep: Keep, item: Phrase, rows: Rows, matches: Phrase, now_ms: int) -> Phrase:
    if keep.has_last:
        return sql("[arg_max(:item, :order) FILTER (WHERE :it)]", item=item, order=rows.order(), it=matches)
    if not keep.horizon_ms:
        return exp.null()
    from_ms = kept_from_ms(keep, now_ms)
    kept = matches if from_ms is None else rows.column(sql(":it AND at >= :from_ms", it=matches, from_ms=from_ms))
    return sql("list(:item) FILTER (WHERE :it)", item=item, it=kept)


def _total(path: str, event: Event, rows: Rows, matches: Phrase) -> Phrase:
    value = rows.column(number(rows.told(path, event)))
    exact = sql("CASE WHEN abs(:it) < :most THEN :it END", it=value, most=EXACT_MAX)
    micros = rows.column(sql("CAST(round_even(:it * :micros, 0) AS INT128)", it=exact, micros=float(MICROS)))
    return sql(
        "{'count': count(:it) FILTER (WHERE :matches), 'low': min(:it) FILTER (WHERE :matches),"
        " 'high': max(:it) FILTER (WHERE :matches), 'largest': max(abs(:it)) FILTER (WHERE :matches),"
        " 'micros': CAST(sum(:micros) FILTER (WHERE :matches) AS TEXT)}",
        it=value,
        matches=matches,
        micros=micros,
    )


def _texts(path: str, event: Event, rows: Rows, matches: Phrase) -> Phrase:
    text = rows.column(rows.told(path, event))
    return sql("list(DISTINCT :it) FILTER (WHERE :matches AND :it IS NOT NULL)", it=text, matches=matches)


def _array(parts: Sequence[Phrase]) -> Phrase:
    return exp.Array(expressions=list(parts)) if parts else sql("CAST([] AS TEXT[])")
