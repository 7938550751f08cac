"""Numbers of a person (or of a person and a value), each an aggregate over the rows that matter."""

from __future__ import annotations

from sqlglot import exp

from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.judge import AMOUNT_MAX
from courtesy.segment.sql.dialects import Path
from courtesy.segment.sql.json_text import comparable, number
from courtesy.segment.sql.phrase import Phrase, call, column, named, relation, sql
from courtesy.segment.sql.rows import Rows
from courtesy.segment.tree import Event, Function, Measure, Which

MICROS = 1_000_000


class Features:
    """A relation of one row for each person, or person and value, made as it is asked for columns. Its columns have
    names that no other relation of the statement has."""

    def __init__(self, name: str, rows: Rows) -> None:
        self.name = name
        self.rows = rows
        self._columns: dict[str, tuple[str, Phrase]] = {}

    @property
    def keys(self) -> tuple[str, ...]:
        """By what there is one row."""
        return ("person", "value") if self.rows.by_value else ("person",)

    @property
    def has_columns(self) -> bool:
        """Whether anything was asked for."""
        return bool(self._columns)

    def _column(self, phrase: Phrase) -> Phrase:
        name, _ = self._columns.setdefault(phrase.sql(), (f"{self.name}_{len(self._columns)}", phrase))
        return column(name)

    def count(self, event: Event, window: tree.Window | None = None) -> Phrase:
        """How many such events there are in a window."""
        return _or_zero(self._column(_counted(self.rows.matches(event, window))))

    def count_in(self, event: Event, window: tree.Window, until_ms: int | None) -> Phrase:
        """How many there are in a window, but only until an instant if given."""
        matches = self.rows.matches(event, window)
        if until_ms is not None:
            matches = self.rows.column(sql(":matches AND at <= :until", matches=matches, until=until_ms))
        return _or_zero(self._column(_counted(matches)))

    def measured(self, measure: Measure) -> Phrase:
        """The number of a measure; NULL when there is none."""
        matches = self.rows.matches(measure.event, measure.window)
        told = self.rows.told(measure.path, measure.event)
        if measure.function is Function.DIFFERENT:
            value = self.rows.column(comparable(told))
            return _or_zero(self._column(sql("count(DISTINCT :it) FILTER (WHERE :matches)", it=value, matches=matches)))
        value = self.rows.column(number(told))
        match measure.function:
            case Function.SMALLEST:
                return self._column(sql("min(:it) FILTER (WHERE :matches)", it=value, matches=matches))
            case Function.LARGEST:
                return self._column(sql("max(:it) FILTER (WHERE :matches)", it=value, matches=matches))
            case Function.SUM:
                return sql("coalesce(:sum, 0)", sum=self._sum(value, matches))
            case Function.AVERAGE:
                count = self._column(sql("count(:it) FILTER (WHERE :matches)", it=value, matches=matches))
                return sql(":sum / nullif(:count, 0)", sum=self._sum(value, matches), count=count)

    def _sum(self, value: Phrase, matches: Phrase) -> Phrase:
        """In millionths, so that the order does not matter; NULL of none."""
        counted = sql("CASE WHEN abs(:it) > :most THEN sign(:it) * :most ELSE :it END", it=value, most=AMOUNT_MAX)
        micros = self.rows.column(sql("CAST(round_even(:it * 1e6, 0) AS INT128)", it=counted))
        whole = self._column(sql("sum(:it) FILTER (WHERE :matches)", it=micros, matches=matches))
        return sql("CAST(:whole AS DOUBLE) / 1e6", whole=whole)

    def instant(self, which: Which, event: Event) -> Phrase:
        """When the first or last such event happened; NULL when none did."""
        template = "min(at) FILTER (WHERE :it)" if which is Which.FIRST else "max(at) FILTER (WHERE :it)"
        return self._column(sql(template, it=self.rows.matches(event)))

    def of_one(self, which: Which, event: Event, has: tree.Filter) -> Phrase:
        """Whether a filter holds for the first or last such event; NULL when there is none."""
        self.rows.scan.reads(event.name)
        template = (
            "arg_min(:has, :order) FILTER (WHERE :it)"
            if which is Which.FIRST
            else ("arg_max(:has, :order) FILTER (WHERE :it)")
        )
        holds = self.rows.column(self.rows.holds(has))
        return self._column(sql(template, has=holds, order=self.rows.order(), it=self.rows.matches(event)))

    def trait(self, path: str | Path, root: str = "traits") -> Phrase:
        """The JSON text of the last value of a trait."""
        names = tuple(split_path(path)) if isinstance(path, str) else path
        claim, order = self.rows.claim(names, root), self.rows.claim_order()
        return self._column(sql("arg_max(:claim, :order)", claim=claim, order=order))

    def whole_trait(self, path: Path) -> Phrase:
        """As `trait`, of which an object counts only when a value is left in it: what was said last of an object may be
        that some of it is unset."""
        claim, order = self.rows.claim(path), self.rows.claim_order()
        claims = self._column(
            sql("list(:claim ORDER BY :order) FILTER (WHERE :claim IS NOT NULL)", claim=claim, order=order)
        )
        merged = exp.Lambda(
            this=sql("CAST(:it AS TEXT)", it=call("json_merge_patch", exp.column("older"), exp.column("newer"))),
            expressions=[exp.to_identifier("older"), exp.to_identifier("newer")],
            colon=True,
        )
        return sql(
            "CASE WHEN starts_with(:last, '{') AND :last <> '{}' AND NOT regexp_matches(:whole, ':[^{n]') THEN 'null'"
            " ELSE :last END",
            last=self.trait(path),
            whole=call("list_reduce", claims, merged, "{}"),
        )

    def select(self) -> exp.Select:
        """The relation."""
        keys = [column(key) for key in self.keys]
        columns = [named(phrase, name) for name, phrase in self._columns.values()]
        return exp.select(*keys, *columns).from_(relation(self.rows.name)).group_by(*keys)


def _counted(matches: Phrase) -> Phrase:
    return sql("count(*) FILTER (WHERE :it)", it=matches)


def _or_zero(count: Phrase) -> Phrase:
    return sql("coalesce(:it, 0)", it=count)
