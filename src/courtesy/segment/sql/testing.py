"""Tests on values as SQL: `courtesy.segment.values` again, on JSON text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from sqlglot import exp

from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.sql.bounds import Bounds
from courtesy.segment.sql.dialects import Dialect, Path
from courtesy.segment.sql.json_text import (
    WHOLE_MAX,
    is_array,
    is_object,
    is_text,
    is_there,
    number,
    one_form,
    written,
)
from courtesy.segment.sql.phrase import FALSE, Phrase, both, call, double, either, is_in, negated, sql, truly
from courtesy.segment.tree import Elements, Match, Param, Quantity, Whose
from courtesy.segment.values import EARTH_KM, lower

At = Callable[[Path], Phrase]
"""The JSON text of what is under a path from where a field points; the empty path is the field itself."""

Find = Callable[[Whose, Path], Phrase]
"""The JSON text of a field of an event, or of an element of an array."""

SIGNS = {tree.Sign.LESS: exp.LT, tree.Sign.AT_MOST: exp.LTE, tree.Sign.MORE: exp.GT, tree.Sign.AT_LEAST: exp.GTE}

ISO_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_YEAR, _TWO, _HOUR, _SIXTY, _MS = "[0-9]{4}", "[0-9]{2}", "[01][0-9]|2[0-3]", "[0-5][0-9]", "[0-9]{1,3}"
_CLOCK = rf"^\s*(?:{_YEAR}-?{_TWO}-?{_TWO}).(?:{_HOUR})(?::?{_SIXTY}(?::?{_SIXTY}(?:[.,][0-9]+)?)?)?"
_OFFSET = rf"([+-])({_HOUR})(?::?({_SIXTY})(?::?({_SIXTY})(?:[.,][0-9]+)?)?)?\s*$"

ISO = (
    rf"^\s*({_YEAR})-?({_TWO})-?({_TWO})(?:.({_HOUR})(?::?({_SIXTY})(?::?({_SIXTY})(?:[.,]({_MS})[0-9]*)?)?)?"
    rf"(?:Z|[+-](?:{_HOUR})(?::?{_SIXTY}(?::?{_SIXTY}(?:[.,][0-9]+)?)?)?)?)?\s*$"
)
"""Dates and date-times as `courtesy.base.time.from_iso` takes them, but for those by weeks."""

ISO_PARTS = r"\1-\2-\3,0\4,0\5,0\6,\7"
"""The day, the hour, minute, second and the beginnings of a millisecond."""

ISO_OFFSET = _CLOCK + _OFFSET


@dataclass(frozen=True, slots=True)
class Testing:
    """Writes tests. `that`: the value that `Param` stands for, in its one form. `depth`: of arrays within arrays."""

    dialect: Dialect
    bounds: Bounds
    that: Phrase | None = None
    depth: int = 0

    def holds(self, filter_: tree.Filter, find: Find) -> Phrase:
        """Whether a filter holds for an event or an element; never NULL."""
        match filter_:
            case tree.All(parts):
                return both(self.holds(tree.filter_of(each), find) for each in parts)
            case tree.Any(parts):
                return either(self.holds(tree.filter_of(each), find) for each in parts)
            case tree.Not(part):
                return negated(self.holds(tree.filter_of(part), find))
            case tree.Field(path, test, whose):
                return self.passes(test, lambda under: find(whose, (*split_path(path), *under)))

    def passes(self, test: tree.Test, at: At) -> Phrase:
        """Whether what is at a place passes a test; never NULL."""
        match test:
            case tree.Near():
                return truly(self._near(test, at))
            case Elements(Quantity.NONE):
                return sql(
                    "NOT :there OR coalesce(:fits, FALSE)", there=is_there(at(())), fits=self._fits(test, at(()))
                )
            case _:
                return truly(self._passes(test, at(())))

    def _passes(self, test: tree.Test, value: Phrase) -> Phrase:
        match test:
            case tree.Present():
                return is_there(value)
            case tree.Is(values):
                return self._is(values, value)
            case tree.Reads(match, text):
                return self._reads(match, text, value)
            case tree.Compare(sign, limit):
                return _compares(value, sign, limit)
            case tree.Range(low, high):
                at_least, at_most = tree.Sign.AT_LEAST, tree.Sign.AT_MOST
                return both([_compares(value, at_least, low), _compares(value, at_most, high)])
            case Elements():
                return self._fits(test, value)
            case tree.Anniversary():
                return self._comes_round(test, value)
            case tree.Within() | tree.Coming() | tree.Ago() | tree.Ahead():
                return self._in_time(test, value)
            case _:
                raise AssertionError(f"{type(test).__name__} is written elsewhere")

    def _is(self, values: tuple[tree.Value, ...], value: Phrase) -> Phrase:
        equals = partial(self._equals, values)
        within = self.dialect.any_of(self.dialect.elements(value), f"each_{self.depth}", equals)
        return either([equals(value), both([is_array(value), sql(":count > 0", count=within)])])

    def _equals(self, values: tuple[tree.Value, ...], value: Phrase) -> Phrase:
        texts = [written(each) for each in values if isinstance(each, str | bool)]
        numbers = [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
        parts = []
        if texts:
            parts.append(is_in(sql("lower(:it)", it=value), texts))
        parts += [_equals_number(value, each) for each in numbers if abs(each) > WHOLE_MAX]
        if few := [double(each) for each in numbers if abs(each) <= WHOLE_MAX]:
            parts.append(is_in(number(value), few))
        if any(isinstance(each, Param) for each in values) and self.that is not None:
            parts.append(sql(":form = :that", form=one_form(value), that=self.that))
        return either(parts)

    def _reads(self, match: Match, text: str | Param, value: Phrase) -> Phrase:
        if not isinstance(text, Param):
            return both([is_text(value), self._matches(match, value, exp.Literal.string(lower(text)))])
        if self.that is None:
            return FALSE.copy()
        wanted = self.dialect.text(self.that)
        return both([is_text(value), is_text(self.that), self._matches(match, value, wanted)])

    def _matches(self, match: Match, value: Phrase, wanted: Phrase) -> Phrase:
        said = sql("lower(:it)", it=self.dialect.text(value))
        match match:
            case Match.CONTAINS:
                return call("contains", said, wanted)
            case Match.STARTS:
                return sql("starts_with(:said, :wanted)", said=said, wanted=wanted)
            case Match.ENDS:
                return sql("ends_with(:said, :wanted)", said=said, wanted=wanted)
            case Match.LIKE:
                pattern = wanted
                for char, meant in (("\\", "\\\\"), ("%", "\\%"), ("_", "\\_"), ("*", "%"), ("?", "_")):
                    pattern = call("replace", pattern, char, meant)
                return exp.Escape(this=exp.Like(this=said, expression=pattern), expression=exp.Literal.string("\\"))

    def _fits(self, test: Elements, value: Phrase) -> Phrase:
        """Whether it is an array with so many elements that fit."""
        inner = replace(self, depth=self.depth + 1)
        elements = self.dialect.elements(value)

        def fits(element: Phrase) -> Phrase:
            found = inner.holds(test.filter, lambda _, path: self.dialect.field(element, path))
            return both([is_object(element), found])

        count = self.dialect.any_of(elements, f"each_{self.depth}", fits)
        match test.quantity:
            case Quantity.ANY:
                enough = sql(":count > 0", count=count)
            case Quantity.ALL:
                enough = sql(":count > 0 AND :count = :all", count=count, all=self.dialect.size(elements))
            case Quantity.NONE:
                enough = sql(":count = 0", count=count)
            case Quantity.AT_LEAST:
                enough = sql(":count >= :least", count=count, least=test.count)
        return both([is_array(value), enough])

    def _near(self, test: tree.Near, at: At) -> Phrase:
        """By the haversine formula, as `courtesy.segment.values.distance_km`."""
        lat = sql("coalesce(:a, :b)", a=number(at(("lat",))), b=number(at(("latitude",))))
        lon = sql("coalesce(:a, :b, :c)", **{name: number(at((said,))) for name, said in zip("abc", LON, strict=True)})
        square = sql(
            "power(sin(radians(:to_lat - :lat) / 2), 2)"
            " + cos(radians(:lat)) * cos(radians(:to_lat)) * power(sin(radians(:to_lon - :lon) / 2), 2)",
            lat=lat,
            lon=lon,
            to_lat=double(test.lat),
            to_lon=double(test.lon),
        )
        return sql(
            ":lat BETWEEN -90 AND 90 AND :lon BETWEEN -180 AND 180 AND :twice * asin(sqrt(least(1.0, :square))) <= :km",
            lat=lat,
            lon=lon,
            square=square,
            twice=double(2 * EARTH_KM),
            km=double(test.km),
        )

    def _in_time(self, test: tree.Within | tree.Coming | tree.Ago | tree.Ahead, value: Phrase) -> Phrase:
        after, until = self.bounds.instants(test)
        first, last = self.bounds.days(test)
        text = self.dialect.text(value)
        return sql(
            ":is_text AND CASE WHEN :is_day THEN :day >= :first AND :day <= :last"
            " ELSE :at > :after AND :at <= :until END",
            is_text=is_text(value),
            is_day=sql("regexp_matches(:it, :how)", it=text, how=ISO_DAY),
            day=sql("TRY_CAST(:it AS DATE)", it=text),
            first=first,
            last=last,
            at=instant(text),
            after=after,
            until=until,
        )

    def _comes_round(self, test: tree.Anniversary, value: Phrase) -> Phrase:
        text = self.dialect.text(value)
        there = sql(
            "CAST((make_timestamp(:at * 1000) AT TIME ZONE 'UTC') AT TIME ZONE :zone AS DATE)",
            at=instant(text),
            zone=self.bounds.zone_name(),
        )
        day = sql(
            "CASE WHEN :is_day THEN TRY_CAST(:text AS DATE) ELSE :there END",
            is_day=sql("regexp_matches(:it, :how)", it=text, how=ISO_DAY),
            text=text,
            there=there,
        )
        return sql(
            ":is_text AND list_contains(:days, 32 * month(:day) + day(:day))",
            is_text=is_text(value),
            days=self.bounds.days_of_year(test),
            day=day,
        )


LON = ("lon", "lng", "longitude")


def _compares(value: Phrase, sign: tree.Sign, limit: float) -> Phrase:
    if abs(limit) > WHOLE_MAX:
        return exp.Paren(this=SIGNS[sign](this=_exact(value), expression=_exact_number(limit)))
    return exp.Paren(this=SIGNS[sign](this=number(value), expression=double(limit)))


def _equals_number(value: Phrase, wanted: float) -> Phrase:
    return exp.Paren(this=exp.EQ(this=_exact(value), expression=_exact_number(wanted)))


def _exact(value: Phrase) -> Phrase:
    """A number of which no digit is lost, if it is not larger than anybody writes."""
    return sql(
        "coalesce(TRY_CAST(:whole AS DECIMAL(38, 0)), CAST(:number AS DECIMAL(38, 0)))",
        whole=sql("CASE WHEN regexp_matches(:it, '^-?[0-9]+$') THEN :it END", it=value),
        number=sql("CASE WHEN abs(:it) < 1e37 THEN floor(:it) END", it=number(value)),
    )


def _exact_number(limit: float) -> Phrase:
    return sql("CAST(:it AS DECIMAL(38, 0))", it=exp.Literal.string(str(int(limit))))


def instant(text: Phrase) -> Phrase:
    """The instant that a text tells, in ms; NULL when it tells none. As `courtesy.base.time.from_iso`."""
    sign, *offset = (call("regexp_extract", text, ISO_OFFSET, group) for group in (1, 2, 3, 4))
    hours, minutes, seconds = (sql("CAST('0' || :it AS BIGINT)", it=each) for each in offset)
    return sql(
        "CASE WHEN :is_iso AND :parts[1] >= '0001' THEN"
        " date_diff('day', CAST('1970-01-01' AS DATE), TRY_CAST(:parts[1] AS DATE)) * 86400000"
        " + CAST(:parts[2] AS BIGINT) * 3600000 + CAST(:parts[3] AS BIGINT) * 60000 + CAST(:parts[4] AS BIGINT) * 1000"
        " + CAST(rpad(:parts[5], 3, '0') AS BIGINT)"
        " - CASE WHEN :sign = '-' THEN -1 ELSE 1 END * (:hours * 3600000 + :minutes * 60000 + :seconds * 1000) END",
        is_iso=sql("regexp_matches(:it, :how)", it=text, how=ISO),
        parts=call("string_split", call("regexp_replace", text, ISO, ISO_PARTS), ","),
        sign=sign,
        hours=hours,
        minutes=minutes,
        seconds=seconds,
    )
