"""The bounds of each person who told a time zone."""

from __future__ import annotations

from sqlglot import exp

from courtesy.segment.moment import ZONE_TRAIT
from courtesy.segment.sql.bounds import ZONED, Bounds
from courtesy.segment.sql.features import Features
from courtesy.segment.sql.phrase import column, relation
from courtesy.segment.sql.rows import Rows
from courtesy.segment.sql.scan import Question, Scan


def zoned(question: Question, bounds: Bounds) -> list[tuple[str, exp.Select]]:
    """The relations that it takes, by name; none when nothing depends on where somebody is. To be made when all bounds
    were asked for."""
    if not bounds.are_told:
        return []
    scan = Scan(question, "scanned_for_zones")
    features = Features("zones_told", Rows("rows_of_zones", scan, Bounds(question.now_ms, question.zones)))
    zone = features.trait((ZONE_TRAIT,))
    found = exp.select(column("person", features.name), *(column(name, "told") for name in bounds.columns()))
    found = found.from_(relation(features.name))
    found = found.join(bounds.table().subquery("told"), on=exp.EQ(this=zone, expression=column("zone", "told")))
    return [
        (scan.name, scan.select()),
        (features.rows.name, features.rows.select()),
        (features.name, features.select()),
        (ZONED, found),
    ]
