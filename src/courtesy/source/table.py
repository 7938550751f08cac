"""A batch of rows as a mapping sees it: values taken, replaced, cast and conditioned, column by column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from courtesy.event.accept import text_of
from courtesy.event.casting import Unread, to_number
from courtesy.event.cause import Cause
from courtesy.source.casting import Memo, cast_for
from courtesy.source.mapping import Condition, Rule, Value, template_columns
from courtesy.source.rows import Rows

PRODUCT_DECIMALS = 6
"""A product of prices and quantities is rounded here: beyond lies what floating numbers add by themselves."""


class Problem(NamedTuple):
    """Why a row can't become the call that it should."""

    cause: Cause
    detail: str


class Table:
    """Rows on their way to becoming calls of one kind. `problems` has the first one of each row, by its index."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.count = len(rows.numbers)
        self.problems: dict[int, Problem] = {}

    def note(self, index: int, cause: Cause, detail: str) -> None:
        """Remember a problem of a row, unless it has one."""
        self.problems.setdefault(index, Problem(cause, detail))

    def note_unread(self, values: list[Any], path: str, *, keep: bool = True) -> None:
        """Remember the values that could not be cast; in `values`, what the file had takes their place, or nothing."""
        for index, value in enumerate(values):
            if isinstance(value, Unread):
                self.note(index, value.cause, f"{path}: {value.detail}")
                values[index] = value.value if keep else None


class Taking:
    """One value of a mapping, ready to be taken from any number of tables. `path` names it in messages."""

    def __init__(self, value: Value, path: str, rule: Rule) -> None:
        self._value = value
        self._path = path
        self._parts = template_columns(value.template) if value.template is not None else []
        self._factors = [Memo(partial(to_number, decimal=rule.csv.decimal)) for _ in value.product]
        self._replaced = Memo(self._replace) if value.values else None
        self._cast = cast_for(value, rule.csv.decimal, rule.timezone)
        self._when = Holding(value.when) if value.when is not None else None

    def __call__(self, table: Table) -> list[Any]:
        """The value of each row, None where there is none."""
        holds = self._when(table) if self._when is not None else None
        values = _where(self._taken(table), holds)
        if self._replaced is not None:
            values = self._replaced(values)
        if self._cast is not None:
            values = self._cast(values)
            if self._cast.has_failed:
                table.note_unread(values, self._path)
        otherwise = self._value.otherwise
        if otherwise is None:
            return list(values)
        return list(_where([otherwise if value is None else value for value in values], holds))

    def _taken(self, table: Table) -> Sequence[Any]:
        value = self._value
        if value.column is not None:
            return table.rows.column(value.column)
        if value.template is not None:
            return self._filled(table)
        if value.product:
            return self._multiplied(table)
        return [value.constant] * table.count

    def _replace(self, value: Any) -> Any:
        text = value if isinstance(value, str) else text_of(value)
        return self._value.values.get(text or "", value)

    def _filled(self, table: Table) -> list[str | None]:
        columns = [list(map(text_of, table.rows.column(name))) for _, name in self._parts if name is not None]
        if not columns:
            return ["".join(literal for literal, _ in self._parts)] * table.count
        pattern = "".join(
            literal.replace("{", "{{").replace("}", "}}") + ("" if name is None else "{}")
            for literal, name in self._parts
        )
        return [None if None in row else pattern.format(*row) for row in zip(*columns, strict=True)]

    def _multiplied(self, table: Table) -> list[float | None]:
        product: list[Any] = [1] * table.count
        for name, factor in zip(self._value.product, self._factors, strict=True):
            values = factor(table.rows.column(name))
            if factor.has_failed:
                table.note_unread(values, f"{self._path}: {name}", keep=False)
            product = [None if a is None or b is None else a * b for a, b in zip(product, values, strict=True)]
        return [None if value is None else round(value, PRODUCT_DECIMALS) for value in product]


def _where(values: Sequence[Any], holds: list[bool] | None) -> Sequence[Any]:
    if holds is None:
        return values
    return [value if held else None for value, held in zip(values, holds, strict=True)]


class Holding:
    """A condition of a mapping, ready to be asked of any number of tables."""

    def __init__(self, condition: Condition) -> None:
        self._column = condition.column
        self._empty = condition.empty
        self._among = None if condition.among is None else frozenset(condition.among)
        self._pattern = re.compile(condition.matches or "")
        self._memo = Memo(self._test)

    def __call__(self, table: Table) -> list[bool]:
        """Whether it holds, for each row."""
        values = table.rows.column(self._column)
        if self._empty is not None:
            return [(text_of(value) is None) is self._empty for value in values]
        return [value is True for value in self._memo(values)]

    def _test(self, value: Any) -> bool:
        text = text_of(value) or ""
        return text in self._among if self._among is not None else self._pattern.fullmatch(text) is not None
