"""Whether a value passes a test: the same in the fold, in history and as of any instant."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any as Anything

from courtesy.base.time import from_iso
from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.moment import Moment
from courtesy.segment.tree import Elements, Field, Filter, Match, Param, Quantity, Sign, Test, Value, Whose

EARTH_KM = 6_371.0088
"""Its mean radius (IUGG)."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def lower(text: str) -> str:
    """Each character as its simple lower case (UnicodeData.txt), as databases do it: no character becomes two."""
    if text.isascii():
        return text.lower()
    return "".join(each if len(each) == 1 else each[0] for each in map(str.lower, text))


def plain(value: str | float | bool | Param) -> object:
    """Equal for values that `is` takes for the same, and hashable."""
    if isinstance(value, str):
        return lower(value)
    return (value,) if isinstance(value, bool) else value


class Flat(dict[str, Anything]):
    """An object of which only some values are known, by their whole paths."""


@lru_cache(maxsize=4_096)
def _names(path: str) -> tuple[str, ...]:
    return tuple(split_path(path))


def found_at(root: Mapping[str, Anything], path: str) -> Anything:
    """The value under a dotted path of a nested object; None when there is none."""
    if isinstance(root, Flat):
        return root.get(path)
    node: Anything = root
    for name in _names(path):
        if not isinstance(node, Mapping):
            return None
        node = node.get(name)
    return node


Roots = Mapping[Whose, Mapping[str, Anything]]
"""What the fields of a filter are found in, by whose they are: of an event its properties (PERSON), context and source,
of an element of an array (PERSON) itself."""


def holds(filter_: Filter, of: Roots, moment: Moment, that: Value | None = None) -> bool:
    """Whether a filter holds for an event or an element. `that`: what `Param` stands for."""
    match filter_:
        case tree.All(parts):
            return all(holds(tree.filter_of(each), of, moment, that) for each in parts)
        case tree.Any(parts):
            return any(holds(tree.filter_of(each), of, moment, that) for each in parts)
        case tree.Not(part):
            return not holds(tree.filter_of(part), of, moment, that)
        case Field(path, test, whose):
            return whose in of and passes(test, found_at(of[whose], path), moment, that)


def passes(test: Test, value: Anything, moment: Moment, that: Value | None = None) -> bool:
    """Whether a value passes a test at a moment. What is not there, or of another type, passes none; but of what is not
    there, none of the elements fits."""
    if value is None:
        return isinstance(test, Elements) and test.quantity is Quantity.NONE
    match test:
        case tree.Present():
            return True
        case tree.Is(values):
            return any(_equals(each, wanted) for each in _elements(value) for wanted in _meant(values, that))
        case tree.Reads(match, text):
            wanted = that if isinstance(text, Param) else text
            return isinstance(value, str) and isinstance(wanted, str) and _reads(match, value, wanted)
        case tree.Compare(sign, number):
            return _is_number(value) and _compares(value, sign, number)
        case tree.Range(low, high):
            return _is_number(value) and low <= value <= high
        case Elements():
            return isinstance(value, list) and _has_elements(test, value, moment, that)
        case tree.Near(lat, lon, km):
            place = _place(value)
            return place is not None and distance_km(*place, lat, lon) <= km
        case tree.Anniversary(first, last):
            day = day_of(value, moment)
            return day is not None and comes_round(day, moment.local(moment.now_ms).date(), first, last)
        case _:
            return _passes_in_time(test, value, moment)


def _passes_in_time(test: Test, value: Anything, moment: Moment) -> bool:
    at_ms = instant_of(value, moment)
    if at_ms is None:
        return False
    match test:
        case tree.Within(window):
            return moment.span_of(window).has(at_ms)
        case tree.Coming(span):
            return moment.now_ms <= at_ms <= moment.moved(moment.now_ms, span)
        case tree.Ago(span):
            return at_ms <= moment.began(span)
        case tree.Ahead(span):
            return at_ms > moment.moved(moment.now_ms, span)
        case _:
            raise AssertionError(f"{type(test).__name__} is no test of an instant")


def _elements(value: Anything) -> list[Anything]:
    return value if isinstance(value, list) else [value]


def _meant(values: tuple[Value, ...], that: Value | None) -> Iterator[Value | None]:
    return (that if isinstance(each, Param) else each for each in values)


def _equals(value: Anything, wanted: Value | None) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return lower(value) == lower(wanted)
    if _is_number(value) and _is_number(wanted):
        return bool(value == wanted)
    return isinstance(value, bool) and value is wanted


def _is_number(value: Anything) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compares(value: float, sign: Sign, number: float) -> bool:
    match sign:
        case Sign.LESS:
            return value < number
        case Sign.AT_MOST:
            return value <= number
        case Sign.MORE:
            return value > number
        case Sign.AT_LEAST:
            return value >= number


def _reads(match: Match, value: str, text: str) -> bool:
    value, wanted = lower(value), lower(text)
    match match:
        case Match.CONTAINS:
            return wanted in value
        case Match.STARTS:
            return value.startswith(wanted)
        case Match.ENDS:
            return value.endswith(wanted)
        case Match.LIKE:
            return _pattern(wanted).fullmatch(value) is not None


@lru_cache(maxsize=1_024)
def _pattern(text: str) -> re.Pattern[str]:
    # Without backtracking from one star into another: each goes on from the first place that fits.
    parts = [re.escape(part).replace(r"\?", ".") for part in re.split(r"\*+", text)]
    if len(parts) == 1:
        return re.compile(parts[0], re.DOTALL)
    first, *middle, last = parts
    found = "".join(f"(?>.*?{part})" for part in middle if part)
    return re.compile(f"{first}{found}.*{last}", re.DOTALL)


def _has_elements(test: Elements, value: list[Anything], moment: Moment, that: Value | None) -> bool:
    fit = sum(isinstance(each, Mapping) and holds(test.filter, {Whose.PERSON: each}, moment, that) for each in value)
    match test.quantity:
        case Quantity.ANY:
            return fit > 0
        case Quantity.ALL:
            return 0 < fit == len(value)
        case Quantity.NONE:
            return fit == 0
        case Quantity.AT_LEAST:
            return fit >= test.count


def instant_of(value: Anything, moment: Moment) -> int | None:
    """The instant that a value tells, the beginning of a day there for a day; None for what tells none."""
    if not isinstance(value, str):
        return None
    if _DAY.fullmatch(value):
        day = day_of(value, moment)
        return None if day is None else moment.day_begins(day)
    return from_iso(value)


def day_of(value: Anything, moment: Moment) -> date | None:
    """The day that a value tells, where an instant is that day there; None for what tells none."""
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value) if _DAY.fullmatch(value) else _local_day(from_iso(value), moment)
    except ValueError:
        return None


def _local_day(at_ms: int | None, moment: Moment) -> date | None:
    return None if at_ms is None else moment.local(at_ms).date()


def comes_round(day: date, today: date, first: int, last: int) -> bool:
    """Whether the month and day of a day come round from `first` to `last` days after today."""
    begin, end = today + timedelta(days=first), today + timedelta(days=last)
    return any(begin <= anniversary(day, year) <= end for year in range(begin.year, end.year + 1))


def anniversary(day: date, year: int) -> date:
    """The same month and day of another year; 28 February for the 29th where there is none."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _place(value: Anything) -> tuple[float, float] | None:
    if not isinstance(value, Mapping):
        return None
    lat = next((value[name] for name in ("lat", "latitude") if _is_number(value.get(name))), None)
    lon = next((value[name] for name in ("lon", "lng", "longitude") if _is_number(value.get(name))), None)
    if lat is None or lon is None or not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return None
    return lat, lon


def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Along a great circle, by the haversine formula (Sinnott, "Virtues of the Haversine", 1984)."""
    phi, other_phi = math.radians(lat), math.radians(other_lat)
    half_phi, half_lambda = (other_phi - phi) / 2, math.radians(other_lon - lon) / 2
    square = math.sin(half_phi) ** 2 + math.cos(phi) * math.cos(other_phi) * math.sin(half_lambda) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, square)))
