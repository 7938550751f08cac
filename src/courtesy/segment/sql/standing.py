"""What the law of consent is asked with, for it is not written in SQL: what people chose, and where they are."""

from __future__ import annotations

from sqlglot import exp

from courtesy.segment.sql.bounds import Bounds
from courtesy.segment.sql.features import Features
from courtesy.segment.sql.phrase import named, relation, sql
from courtesy.segment.sql.rows import Rows
from courtesy.segment.sql.scan import Question, Scan, owner, until_now, with_owners

RECORD_COLUMNS = ("position", "at", "received", "source_id", "key", "payload")


def choosing(question: Question) -> str:
    """The events with choices: `person` to whom they belong now, and what a record is made of; in the order of both."""
    events = exp.alias_(relation(question.relations.events), "event", table=True)
    columns = [named(owner(question), "person"), *(sql(f"event.{name}") for name in RECORD_COLUMNS)]
    found = (
        exp.select(*columns).from_(events).where(until_now(question), sql("contains(event.payload, '\"choices\":')"))
    )
    return with_owners(found, question).order_by("person", "event.position").sql(question.dialect)


def places(question: Question) -> str:
    """Where people are who tell it, by the traits of `courtesy.person.place`: `person`, and the JSON texts of
    `address.country`, `address.state` and `country`."""
    scan = Scan(question)
    features = Features("told", Rows("rows", scan, Bounds(question.now_ms, question.zones)))
    told = [features.trait(path) for path in (("address", "country"), ("address", "state"), ("country",))]
    query = exp.select("person", *told).from_(relation(features.name))
    query = query.where(sql(":a IS NOT NULL OR :b IS NOT NULL", a=told[0], b=told[2]))
    for name, select in ((scan.name, scan.select()), (features.rows.name, features.rows.select()),
                         (features.name, features.select())):  # fmt: skip
        query = query.with_(name, as_=select)
    return query.sql(question.dialect)


def zones_told(question: Question, events: str) -> str:
    """The time zones that anybody ever told, as texts, in some events."""
    zone = sql("json_extract_string(payload, '$.traits.timezone')")
    told = exp.select(named(zone, "zone")).distinct().from_(relation(events))
    told = told.where(sql("kind = 'event' AND raw IS NULL AND contains(payload, '\"timezone\"')"))
    return exp.select("zone").from_(told.subquery("told")).where("zone IS NOT NULL").sql(question.dialect)
