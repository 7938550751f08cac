"""SQL phrases: templates with places for values and other phrases, kept as SQLGlot expressions from the beginning.

A text that is put into a place becomes a literal, whatever it says: nothing that a marketer writes is read as SQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlglot import exp, parse_one

TRUE, FALSE = exp.true(), exp.false()

Phrase = exp.Expr

_TIGHT = (exp.Literal, exp.Column, exp.Func, exp.Paren, exp.Bracket, exp.Boolean, exp.Null, exp.Subquery, exp.Query,
          exp.Array, exp.Filter, exp.Window, exp.Lambda, exp.Identifier, exp.Neg)  # fmt: skip


def sql(template: str, **parts: Phrase | str | float) -> Phrase:
    """A phrase in DuckDB's SQL with `:name` where the part of that name goes."""
    placed = {name: _placed(part) for name, part in parts.items()}
    found: Phrase = exp.replace_placeholders(_parsed(template).copy(), **placed)
    return found


@lru_cache(maxsize=512)
def _parsed(template: str) -> Phrase:
    return parse_one(template, dialect="duckdb")


def _placed(part: Phrase | str | float) -> Phrase:
    if isinstance(part, float):
        return double(part)
    if not isinstance(part, exp.Expr):
        return exp.convert(part)
    # SQLGlot calls AND and OR functions.
    is_tight = isinstance(part, _TIGHT) and not isinstance(part, exp.Connector)
    return part.copy() if is_tight else exp.Paren(this=part.copy())


def call(name: str, *arguments: Phrase | str | int) -> Phrase:
    """A function by the name that the dialect has for it."""
    return exp.Anonymous(this=name, expressions=[_placed(each) for each in arguments])


def double(number: float) -> Phrase:
    """A number to compare with."""
    return exp.cast(exp.Literal.string(repr(float(number))), "double")


def column(name: str, table: str | None = None) -> Phrase:
    """A column by its name."""
    return exp.column(exp.to_identifier(name, quoted=True), exp.to_identifier(table, quoted=True) if table else None)


def truly(phrase: Phrase) -> Phrase:
    """The same, and false where nothing is known."""
    return phrase if isinstance(phrase, exp.Boolean) else sql("coalesce(:it, FALSE)", it=phrase)


def both(parts: Iterable[Phrase]) -> Phrase:
    """Whether each holds; true of none at all."""
    kept = [each for each in parts if each != TRUE]
    return _joined(exp.And, kept) if kept else TRUE.copy()


def either(parts: Iterable[Phrase]) -> Phrase:
    """Whether one of them holds; false of none at all."""
    kept = [each for each in parts if each != FALSE]
    if any(each == TRUE for each in kept):
        return TRUE.copy()
    return _joined(exp.Or, kept) if kept else FALSE.copy()


def _joined(how: type[exp.Connector], parts: list[Phrase]) -> Phrase:
    placed = [_placed(each) for each in parts]
    whole, others = placed[0], placed[1:]
    for each in others:
        whole = how(this=whole, expression=each)
    return whole


def negated(phrase: Phrase) -> Phrase:
    """Whether it does not hold."""
    return exp.Not(this=_placed(phrase))


def listed(values: Iterable[Phrase | str | float]) -> list[Phrase]:
    """Values for `is_in`."""
    return [_placed(each) for each in values]


def is_in(phrase: Phrase, values: Iterable[Phrase | str | float]) -> Phrase:
    """Whether it equals one of some values, of which there is one at least."""
    found = listed(values)
    if len(found) == 1:
        return exp.EQ(this=_placed(phrase), expression=found[0])
    return exp.In(this=_placed(phrase), expressions=found)


def named(phrase: Phrase, name: str) -> Phrase:
    """With a name, as a column of a SELECT."""
    return exp.alias_(phrase.copy(), name, quoted=True)


def select(columns: Iterable[Phrase], source: Any, where: Phrase | None = None) -> exp.Select:
    """A SELECT of columns from a relation, by its name, or from a subquery."""
    found = exp.select(*(each.copy() for each in columns)).from_(
        relation(source) if isinstance(source, str) else source
    )
    return found if where is None or where == TRUE else found.where(where.copy())


def relation(name: str) -> exp.Table:
    """A relation by its name."""
    return exp.Table(this=exp.to_identifier(name, quoted=True))
