"""Rows of the scan that matter, with what is asked of each as a column: does it match, and what does it say."""

from __future__ import annotations

from sqlglot import exp

from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.moment import Span
from courtesy.segment.sql.bounds import ZONED, Bounds
from courtesy.segment.sql.dialects import Path
from courtesy.segment.sql.json_text import is_object, one_form
from courtesy.segment.sql.phrase import TRUE, Phrase, both, column, either, named, negated, relation, sql
from courtesy.segment.sql.scan import Scan, behaves
from courtesy.segment.sql.testing import Testing
from courtesy.segment.tree import Event, Whose

ORDER_OF_ONE = 2**64
"""Ties are signed numbers of 64 bits, so that so many times the instant and the tie are one number in their order."""

INSTANTS = 2**50
"""More than there are milliseconds in 9999 years before and after 1970."""


class Rows:
    """A relation of events by person, or by person and value, made as it is asked for columns.

    With a `key`, the path of a property, there is a row for each value that it has: `value` in its one form. With
    `pairs`, the name of a relation of people and values, there is a row for each value of the person.
    """

    def __init__(
        self, name: str, scan: Scan, bounds: Bounds, key: Path | None = None, pairs: str | None = None
    ) -> None:
        self.name = name
        self.scan = scan
        self._bounds = bounds
        self._key = key
        self._pairs = pairs
        self.by_value = key is not None or pairs is not None
        self.testing = Testing(scan.question.words, bounds, column("value") if self.by_value else None)
        self._flags: dict[Event, str] = {}
        self._columns: dict[str, tuple[str, Phrase]] = {}
        self._claims: dict[Path, str] = {}
        self._has_tie = False
        self._names: set[str] = set()
        if key is not None:
            scan.field("properties", *key)

    # -- asking

    def matches(self, event: Event, window: tree.Window | None = None, span: Span | None = None) -> Phrase:
        """Whether a row is such an event, in a window. `span`: instants beyond which it does not matter."""
        spans = self._bounds.spans(window)
        wide = span or Span(min(each.after_ms for each in spans), max(each.until_ms for each in spans))
        self.scan.wants(event.name, wide, reads=event.where is not None or self._key is not None)
        self._names.add(event.name)
        name = self._flags.setdefault(event, f"is_{len(self._flags)}")
        if event.where is not None:
            # Said now, so that the scan learns of the fields.
            self.holds(event.where)
        after, until = self._bounds.window(window)
        parts = [column(name)]
        if after is not None:
            parts.append(sql("at > :after", after=after))
        if until is not None:
            parts.append(sql("at <= :until", until=until))
        return parts[0] if len(parts) == 1 else self.column(both(parts))

    def holds(self, where: tree.Filter) -> Phrase:
        """Whether a filter holds for a row."""
        return self.testing.holds(where, self.find)

    def find(self, whose: Whose, path: Path) -> Phrase:
        """The JSON text of a field of a row, NULL where it has none."""
        match whose:
            case Whose.CONTEXT:
                return self.scan.field("context", *path)
            case Whose.SOURCE if path == ("name",):
                return self.scan.source()
            case Whose.SOURCE if path == ("party",):
                return self.scan.field("party")
            case Whose.SOURCE:
                return sql("CAST(NULL AS TEXT)")
            case _:
                return self.scan.field("properties", *path)

    def told(self, path: str, event: Event) -> Phrase:
        """The JSON text of a property."""
        self.scan.reads(event.name)
        return self.scan.field("properties", *split_path(path))

    def column(self, phrase: Phrase) -> Phrase:
        """A phrase about a row, as a column of its own."""
        name, _ = self._columns.setdefault(phrase.sql(), (f"of_row_{len(self._columns)}", phrase))
        return column(name)

    def order(self) -> Phrase:
        """A number by which rows are in their order: by their instants, then by their ties."""
        self.scan.tie()
        return self.column(sql(":at * :many + tie", at=_huge(column("at")), many=_number(ORDER_OF_ONE)))

    def tie(self) -> Phrase:
        """What settles the order of rows of one millisecond."""
        self._has_tie = True
        return self.scan.tie()

    def claim(self, path: Path, root: str = "traits") -> Phrase:
        """What a row says of a trait: its JSON text, `null` when it says that there is none, NULL when nothing."""
        self.scan.wants_traits()
        whole = self.scan.field(root, *path)
        above = [self.scan.field(root, *path[:count]) for count in range(1, len(path))]
        # A value where an object would have to be takes the place of all that was in it; an empty object does not.
        ends = either([negated(is_object(each)) for each in above])
        name = self._claims.setdefault((root, *path), f"claim_{len(self._claims)}")
        said = (
            sql("CASE WHEN :whole IS NOT NULL THEN :whole END", whole=whole)
            if not above
            else sql("CASE WHEN :whole IS NOT NULL THEN :whole WHEN :ends THEN 'null' END", whole=whole, ends=ends)
        )
        self._columns.setdefault(f"claim of {root} {path}", (name, said))
        return column(name)

    def claim_order(self) -> Phrase:
        """A number by which claims are in their order: by rank, instant and tie."""
        self.scan.tie()
        rank = sql("CAST(:it AS BIGINT)", it=self.scan.field("rank"))
        stamp = sql(":rank * :instants + at", rank=rank, instants=_number(INSTANTS))
        return self.column(sql(":stamp * :many + tie", stamp=_huge(stamp), many=_number(ORDER_OF_ONE)))

    # -- being

    @property
    def is_asked(self) -> bool:
        """Whether anything was asked for."""
        return bool(self._flags or self._columns)

    def select(self) -> exp.Select:
        """The relation."""
        columns = [sql("person"), sql("at")]
        if self._has_tie:
            columns.append(sql("tie"))
        if self.by_value:
            columns.append(sql("value"))
        flags = {name: self._flag(event) for event, name in self._flags.items()}
        inner = exp.select("*", *(named(phrase, name) for name, phrase in flags.items())).from_(self._source())
        if self._bounds.are_told:
            inner = inner.join(relation(ZONED), using="person", join_type="left")
        columns += [column(name) for name in flags]
        columns += [named(phrase, name) for name, phrase in self._columns.values()]
        matter = either(
            [*(column(name) for name in flags), *(sql(":it IS NOT NULL", it=said) for said in self._said())]
        )
        found = exp.select(*columns).from_(inner.subquery("flagged"))
        return found if matter == TRUE else found.where(matter)

    def _said(self) -> list[Phrase]:
        return [phrase for name, phrase in self._columns.values() if name in self._claims.values()]

    def _flag(self, event: Event) -> Phrase:
        parts = [] if self.scan.is_only(event.name) else [behaves([event.name])]
        if event.where is not None:
            parts.append(self.holds(event.where))
        return both(parts)

    def _source(self) -> exp.Expr:
        scanned = relation(self.scan.name)
        if self._pairs is not None:
            return (
                exp.select("scanned.*", "pairs.value")
                .from_(exp.alias_(scanned, "scanned", table=True))
                .join(exp.alias_(relation(self._pairs), "pairs", table=True), using="person")
                .subquery("scanned")
            )
        if self._key is None:
            return scanned
        values = values_in(self.scan.field("properties", *self._key), self.scan)
        each = (
            exp.select("*", named(self.scan.question.words.unnested(values), "value"))
            .from_(scanned)
            .where(behaves(self._names))
        )
        return exp.select("*").from_(each.subquery("scanned")).where("value IS NOT NULL").subquery("scanned")


def values_in(value: Phrase, scan: Scan) -> Phrase:
    """The different values in their one form that a JSON text has: itself, or its elements."""
    words = scan.question.words
    elements = words.each_of(words.elements(value), "each_one", one_form)
    return sql(
        "CASE WHEN starts_with(:it, '[') THEN list_distinct(:elements) ELSE [:one] END",
        it=value,
        elements=elements,
        one=one_form(value),
    )


def _huge(phrase: Phrase) -> Phrase:
    return exp.cast(phrase.copy(), "int128")


def _number(number: int) -> Phrase:
    return exp.Literal.number(number)
