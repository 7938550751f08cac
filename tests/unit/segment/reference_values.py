"""Tests of values, as the reference of segments reads them: each by what its docstring in the tree says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from fractions import Fraction
from typing import Any as Anything
from unicodedata import lookup

from courtesy.segment import tree
from courtesy.segment.tree import Match, Param, Quantity, Sign, Whose
from tests.unit.segment import reference_clock as clock

CAPITAL_I_WITH_DOT = lookup("LATIN CAPITAL LETTER I WITH DOT ABOVE")


@dataclass(frozen=True, slots=True)
class Now:
    """When it is asked, where the person is, and what `that` stands for."""

    at_ms: int
    zone: tzinfo
    that: tree.Value | None = None


def at_path(whole: Anything, path: str) -> Anything:
    """What lies under a dotted path; None where nothing does. No name in these tests has a dot in it."""
    for name in path.split("."):
        whole = whole.get(name) if isinstance(whole, Mapping) else None
    return whole


def folded(text: str) -> str:
    """Text without regard to case, each character by itself; Python alone makes two of a capital I with a dot."""
    return "".join("i" if char == CAPITAL_I_WITH_DOT else char.lower() for char in text)


def is_number(value: Anything) -> bool:
    """Whether it is a number, and not true or false."""
    return type(value) in (int, float)


def same(one: Anything, other: Anything) -> bool:
    """Whether two values are equal: of one kind, texts without regard to case."""
    if isinstance(one, str) and isinstance(other, str):
        return folded(one) == folded(other)
    if is_number(one) and is_number(other):
        return exact(one) == exact(other)
    return isinstance(one, bool) and isinstance(other, bool) and one == other


def exact(number: float) -> Fraction:
    """A number as it is written: a tenth is a tenth."""
    return Fraction(repr(number))


def counted(number: Fraction) -> Fraction:
    """What a number counts in sums: nobody has more than a million million millions of anything."""
    most = Fraction(10**18)
    return min(most, max(-most, number))


def filter_holds(filter_: tree.Filter, of: Mapping[Whose, Anything], now: Now) -> bool:
    """Whether a filter holds for what its fields are found in."""
    match filter_:
        case tree.All(parts):
            return all(filter_holds(tree.filter_of(part), of, now) for part in parts)
        case tree.Any(parts):
            return any(filter_holds(tree.filter_of(part), of, now) for part in parts)
        case tree.Not(part):
            return not filter_holds(tree.filter_of(part), of, now)
        case tree.Field(path, test, whose):
            return passes(test, at_path(of[whose], path), now)


def passes(test: tree.Test, value: Anything, now: Now) -> bool:
    """Whether a value passes a test."""
    match test:
        case tree.Elements():
            return elements_fit(test, value, now)
        case tree.Present():
            return value is not None
        case tree.Is(wanted):
            ones = value if isinstance(value, list) else [value]
            return any(same(one, now.that if isinstance(each, Param) else each) for one in ones for each in wanted)
        case tree.Reads(match, text):
            read = now.that if isinstance(text, Param) else text
            return isinstance(value, str) and isinstance(read, str) and reads(match, folded(value), folded(read))
        case tree.Compare() | tree.Range():
            return is_number(value) and compares(test, exact(value))
        case tree.Near(lat, lon, km):
            return is_near(value, lat, lon, km)
        case tree.Anniversary(first, last):
            return comes_round(value, first, last, now)
        case _:
            return passes_in_time(test, value, now)


def compares(test: tree.Compare | tree.Range, value: Fraction) -> bool:
    """Whether a number is so much, or more, or less."""
    match test:
        case tree.Range(low, high):
            return exact(low) <= value <= exact(high)
        case tree.Compare(Sign.LESS, number):
            return value < exact(number)
        case tree.Compare(Sign.AT_MOST, number):
            return value <= exact(number)
        case tree.Compare(Sign.MORE, number):
            return value > exact(number)
        case tree.Compare(_, number):
            return value >= exact(number)


def reads(match: Match, value: str, text: str) -> bool:
    """Whether text matches."""
    match match:
        case Match.CONTAINS:
            return any(value[at : at + len(text)] == text for at in range(len(value) + 1))
        case Match.STARTS:
            return value[: len(text)] == text
        case Match.ENDS:
            return text == "" or value[-len(text) :] == text
        case Match.LIKE:
            return looks_like(value, text)


def looks_like(value: str, text: str) -> bool:
    """Whether the whole of it is like the text: a star is nothing, or any character and a star again."""
    if not text:
        return not value
    if text[0] == "*":
        return looks_like(value, text[1:]) or (value != "" and looks_like(value[1:], text))
    return value != "" and text[0] in ("?", value[0]) and looks_like(value[1:], text[1:])


def elements_fit(test: tree.Elements, value: Anything, now: Now) -> bool:
    """Whether as many elements of an array fit as are asked for. What is not there has none that fits."""
    if value is None:
        return test.quantity is Quantity.NONE
    if not isinstance(value, list):
        return False
    fits = [isinstance(one, Mapping) and filter_holds(test.filter, {Whose.PERSON: one}, now) for one in value]
    match test.quantity:
        case Quantity.ANY:
            return any(fits)
        case Quantity.ALL:
            return bool(fits) and all(fits)
        case Quantity.NONE:
            return not any(fits)
        case Quantity.AT_LEAST:
            return fits.count(True) >= test.count


# -- days and instants


def day_in(value: Anything) -> date | None:
    """The day that text is, if it is one."""
    if not isinstance(value, str) or len(value) != len("2026-01-31"):
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def instant_in(value: Anything, zone: tzinfo) -> int | None:
    """The instant that text tells; of a day, its beginning there. Without a zone of its own it is told in UTC."""
    day = day_in(value)
    if day is not None:
        return clock.begin_of(day, zone)
    if not isinstance(value, str):
        return None
    try:
        told = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    return (told - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def passes_in_time(test: tree.Test, value: Anything, now: Now) -> bool:
    """Whether a day or an instant passes a test of when it is."""
    at_ms = instant_in(value, now.zone)
    if at_ms is None:
        return False
    match test:
        case tree.Within(window):
            return clock.is_in(window, at_ms, now.at_ms, now.zone)
        case tree.Coming(span):
            return now.at_ms <= at_ms <= clock.later(now.at_ms, span, now.zone)
        case tree.Ago(span):
            return clock.later(at_ms, span, now.zone) <= now.at_ms
        case tree.Ahead(span):
            return clock.later(now.at_ms, span, now.zone) < at_ms
        case _:
            raise AssertionError(f"{test} is no test of when something is")


def comes_round(value: Anything, first: int, last: int, now: Now) -> bool:
    """Whether one of the days ahead has the day and month of a day, or is the 28th of February for a 29th."""
    born = day_in(value)
    if born is None:
        at_ms = instant_in(value, now.zone)
        if at_ms is None:
            return False
        born = clock.today(at_ms, now.zone)
    today = clock.today(now.at_ms, now.zone)
    ahead = [today + timedelta(days=days) for days in range(first, last + 1)]
    return any(day_of_year(born, day.year) == (day.month, day.day) for day in ahead)


def day_of_year(born: date, year: int) -> tuple[int, int]:
    """The month and day on which a day comes round in a year."""
    leaps = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (2, 28) if (born.month, born.day) == (2, 29) and not leaps else (born.month, born.day)


# -- places


def is_near(value: Anything, lat: float, lon: float, km: float) -> bool:
    """Whether a place is at most so far away: the angle between two arrows from the middle of the earth."""
    if not isinstance(value, Mapping):
        return False
    told_lat = next((value[name] for name in ("lat", "latitude") if is_number(value.get(name))), None)
    told_lon = next((value[name] for name in ("lon", "lng", "longitude") if is_number(value.get(name))), None)
    if told_lat is None or told_lon is None or abs(told_lat) > 90 or abs(told_lon) > 180:
        return False
    here, there = arrow(told_lat, told_lon), arrow(lat, lon)
    cosine = sum(one * other for one, other in zip(here, there, strict=True))
    return 6_371.0088 * math.acos(max(-1.0, min(1.0, cosine))) <= km


def arrow(lat: float, lon: float) -> tuple[float, float, float]:
    """The direction of a place, seen from the middle of the earth."""
    phi, angle = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(angle), math.cos(phi) * math.sin(angle), math.sin(phi)
