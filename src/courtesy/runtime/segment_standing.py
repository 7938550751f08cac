"""How people stand to consent and what they wish, for a question in SQL: judged by the one implementation of law."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from courtesy.base.ids import Partition, PersonId, Position, SourceId
from courtesy.consent.law import Laws
from courtesy.person.place import place_told_by
from courtesy.person.record import Record, RecordKind
from courtesy.segment import tree
from courtesy.segment.judge import Judge, Past
from courtesy.segment.moment import Moment
from courtesy.segment.past import past_of
from courtesy.segment.sql.scan import Question
from courtesy.segment.sql.standing import choosing, places
from courtesy.segment.sql.statement import Stance

ANYWHERE = (None, None, None)


def consents(db: duckdb.DuckDBPyConnection, stances: Sequence[Stance], question: Question, laws: Laws) -> None:
    """Make the relation `consents` of a question: for each stance who stands so, among those who chose or told where
    they are; and of everybody else, as person NULL, whether they do."""
    told = _rows(db, stances, question, laws) if stances else []
    people, numbers, holds = zip(*told, strict=True) if told else ((), (), ())
    table = pa.table(
        {
            "person_id": pa.array(people, pa.int64()),
            "number": pa.array(numbers, pa.int64()),
            "holds": pa.array(holds, pa.bool_()),
        }
    )
    db.register("consents", table)


def _rows(
    db: duckdb.DuckDBPyConnection, stances: Sequence[Stance], question: Question, laws: Laws
) -> list[tuple[int | None, int, bool]]:
    standing = dict(_standing(db, question))
    # Where they are matters to the law alone, which is asked whether it allows.
    asks_law = any(isinstance(each, tree.Consent) and each.stance is tree.Stance.ALLOWS for each in stances)
    told: Mapping[int, tuple[Any, ...]] = (
        {person: tuple(each) for person, *each in db.execute(places(question)).fetchall()} if asks_law else {}
    )
    place_of = {each: _place(each) for each in {*told.values(), ANYWHERE}}
    of_nobody: dict[tuple[str, int], bool] = {}
    rows: list[tuple[int | None, int, bool]] = []
    for number, stance in enumerate(stances):
        for place in set(place_of.values()):
            of_nobody[place, number] = _holds(stance, Past(place=place), question, laws)
        rows.append((None, number, of_nobody[place_of[ANYWHERE], number]))
        for person in standing.keys() | told.keys():
            place = place_of[told.get(person, ANYWHERE)]
            past = standing.get(person)
            if past is None:
                rows.append((person, number, of_nobody[place, number]))
            else:
                rows.append((person, number, _holds(stance, replace(past, place=place), question, laws)))
    return rows


def _standing(db: duckdb.DuckDBPyConnection, question: Question) -> Iterable[tuple[int, Past]]:
    """Of each person who chose anything, what."""
    found = db.sql(choosing(question)).to_arrow_table()
    assert found is not None, "a SELECT has an answer"
    rows = zip(*(_plain(found.column(name)) for name in found.column_names), strict=True)
    for person, told in groupby(rows, key=lambda row: row[0]):
        records = [
            Record(
                Position(position),
                Partition(0),
                PersonId(person),
                RecordKind.EVENT,
                at // 1_000,
                received // 1_000,
                SourceId(source),
                key,
                payload.encode(),
            )
            for _, position, at, received, source, key, payload in told
        ]
        yield person, past_of(records, question.now_ms, {})


def _plain(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return values


def _place(told: tuple[Any, ...]) -> str:
    country, state, own = (None if each is None else msgspec.json.decode(each) for each in told)
    return place_told_by({"address": {"country": country, "state": state}, "country": own})


class _Nobody:
    """Whom no stance asks about."""

    def is_in(self, segment: str) -> bool:
        raise AssertionError("a stance is of one person alone")

    def ranks(self, rank: tree.Rank) -> bool:
        raise AssertionError("a stance is of one person alone")


def _holds(stance: Stance, past: Past, question: Question, laws: Laws) -> bool:
    return Judge(past, Moment(question.now_ms, question.zones.default), laws, _Nobody()).judge(stance).holds
