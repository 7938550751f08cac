"""Dates as people, spreadsheets and programs write them, as ISO 8601."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.month import field_order, months_named
from courtesy.standard.text import folded_width, one_line, text_or_reason
from courtesy.standard.value import Confidence, Kind, Mark, Reason, Standard, refused

DATE_CHARS_MAX = 80

# Two digits: from 30 on the last century, for most such dates in records of customers are births and purchases.
CENTURY_TURNS = 30
# Spreadsheets count days from 1899-12-30 (a 1900 that had 29 February, and day 1). Five digits: 1927 to 2099.
_SERIAL_ZERO = date(1899, 12, 30)
_SERIALS = range(10_000, 73_051)
# Seconds since 1970, and milliseconds, from 1973 to 2100: the two can't be taken for each other.
_EPOCH_S, _EPOCH_MS = range(10**8, 4_102_444_800), range(10**11, 4_102_444_800_000)
# Nobody's dates lie in these years but those of who counts from the Buddha's death.
_BUDDHIST_YEARS = range(2400, 2700)
_BUDDHIST_OFFSET = 543
# Japanese eras: the year before their first.
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "大正": 1911, "明治": 1867}
_ERA_YEARS_MAX = 100

_TIME = re.compile(
    r"[T\s,]+(?:(?:um|at|a las|à|klo|kl)\s)?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"\s*([AaPp]\.?[Mm]\.?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?$",
)
_DMY = re.compile(r"(\d{1,4})\s*([./\-\s])\s*(\d{1,2})\s*\2\s*(\d{1,4})\.?")
_COMPACT = re.compile(r"([12]\d{3})(\d{2})(\d{2})")
_CJK = re.compile(r"(令和|平成|昭和|大正|明治)?\s*(\d{1,4}|元)\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일号]?")
_NO_YEAR = re.compile(r"--(\d{2})-?(\d{2})")


class DateParts(msgspec.Struct, frozen=True):
    """`year` is None where none was written. `time`: `HH:MM:SS`, in UTC when the form ends in Z."""

    year: int | None
    month: int
    day: int
    time: str | None = None


class _Found(msgspec.Struct, frozen=True):
    """What a way of writing gave."""

    year: int | None
    month: int
    day: int
    marks: tuple[Mark, ...] = ()
    confidence: Confidence = Confidence.CERTAIN


def standard_date(raw: Any, hints: Hints = NO_HINTS) -> Standard[DateParts]:
    """`1984-03-05`; with a time of day `1984-03-05T10:00:00Z`, in UTC where a zone was written; `--03-05` without year.

    Day before month or after is decided by the locale or country; without one, a date that can be both has no form.
    """
    text = text_or_reason(raw, DATE_CHARS_MAX)
    if isinstance(text, Reason):
        return refused(Kind.DATE, raw, text)
    text = one_line(folded_width(text))
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        found = _number(raw, text)
        if found is not None:
            return found
    return _written(raw, text, hints)


def _number(raw: Any, text: str) -> Standard[DateParts] | None:
    """A date that is one number; None for one that says nothing."""
    value = float(text) if len(text) < 20 else -1.0
    whole = int(value)
    if whole in _EPOCH_S or whole in _EPOCH_MS:
        moment = datetime.fromtimestamp(whole if whole in _EPOCH_S else whole // 1_000, UTC)
        parts = DateParts(moment.year, moment.month, moment.day, moment.strftime("%H:%M:%S"))
        return Standard(Kind.DATE, raw, f"{_day_text(parts)}T{parts.time}Z", parts, (Mark.EPOCH,), Confidence.LIKELY)
    if whole in _SERIALS:
        day = _SERIAL_ZERO + timedelta(days=whole)
        parts = DateParts(day.year, day.month, day.day)
        return Standard(Kind.DATE, raw, day.isoformat(), parts, (Mark.SERIAL,), Confidence.LIKELY)
    return None


def _written(raw: Any, text: str, hints: Hints) -> Standard[DateParts]:
    head, clock = text, _TIME.search(text)
    if clock is not None:
        head = text[: clock.start()].strip(" ,")
    found = _day(head, hints)
    if isinstance(found, Reason):
        return refused(Kind.DATE, raw, found)
    if not _exists(found):
        return refused(Kind.DATE, raw, Reason.IMPOSSIBLE)
    if clock is None:
        parts = DateParts(found.year, found.month, found.day)
        return Standard(Kind.DATE, raw, _day_text(parts), parts, found.marks, found.confidence)
    return _with_time(raw, found, clock)


def _exists(found: _Found) -> bool:
    try:
        date(2000 if found.year is None else found.year, found.month, found.day)
    except ValueError:
        return False
    return True


def _day_text(parts: DateParts) -> str:
    day = f"{parts.month:02}-{parts.day:02}"
    return f"--{day}" if parts.year is None else f"{parts.year:04}-{day}"


def _with_time(raw: Any, found: _Found, clock: re.Match[str]) -> Standard[DateParts]:
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    half = (clock[5] or "").lower()[:1]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0) if 1 <= hour <= 12 else 99
    try:
        moment = datetime(found.year or 1, found.month, found.day, hour, minute, min(second, 59), tzinfo=UTC)
        if clock[6] and found.year is not None:
            moment -= _offset(clock[6])
    except (ValueError, OverflowError):
        return refused(Kind.DATE, raw, Reason.IMPOSSIBLE)
    year = None if found.year is None else moment.year
    parts = DateParts(year, moment.month, moment.day, moment.strftime("%H:%M:%S"))
    zone = "Z" if clock[6] else ""
    marks = found.marks if zone else (*found.marks, Mark.NO_ZONE)
    return Standard(Kind.DATE, raw, f"{_day_text(parts)}T{parts.time}{zone}", parts, marks, found.confidence)


def _offset(zone: str) -> timedelta:
    if zone[0] not in "+-":
        return timedelta()
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return offset if zone[0] == "+" else -offset


def _day(text: str, hints: Hints) -> _Found | Reason:
    text, buddhist = _without_era(text, hints)
    if match := _NO_YEAR.fullmatch(text):
        return _Found(None, int(match[1]), int(match[2]), (Mark.NO_YEAR,))
    if match := _COMPACT.fullmatch(text):
        return _of_year(match[1], int(match[2]), int(match[3]), buddhist)
    if match := _CJK.fullmatch(text):
        return _cjk(match, buddhist)
    if match := _DMY.fullmatch(text):
        return _of_numbers(match, hints, buddhist)
    return _of_words(text, hints, buddhist)


def _without_era(text: str, hints: Hints) -> tuple[str, bool]:
    """The text without the name of the Thai era, and whether years are surely counted in it."""
    bare = re.sub(r"(พ\.?\s?ศ\.?|\bB\.?E\.?(?=\s|$))", " ", text)
    return one_line(bare), bare != text or ((re.search(r"\d{4}|^--", bare) is None) and _is_thai(text, hints))


def _is_thai(text: str, hints: Hints) -> bool:
    return bool(re.search("[\u0e00-\u0e7f]", text)) or hints.language == "th" or hints.region == "TH"


def _of_year(
    digits: str,
    month: int,
    day: int,
    buddhist: bool,
    marks: tuple[Mark, ...] = (),
    sure: Confidence = Confidence.CERTAIN,
) -> _Found:
    """A date whose year is written in these digits."""
    year = int(digits)
    if buddhist or year in _BUDDHIST_YEARS:
        if len(digits) <= 2:
            year += 2500
        if year >= _BUDDHIST_YEARS.stop:
            return _Found(0, month, day)
        return _Found(year - _BUDDHIST_OFFSET, month, day, (*marks, Mark.BUDDHIST_ERA), _least(sure, Confidence.LIKELY))
    if len(digits) <= 2:
        year += 1900 if year >= CENTURY_TURNS else 2000
        return _Found(year, month, day, (*marks, Mark.CENTURY_ASSUMED), _least(sure, Confidence.LIKELY))
    return _Found(year, month, day, marks, sure)


def _least(one: Confidence, other: Confidence) -> Confidence:
    order = (Confidence.WEAK, Confidence.LIKELY, Confidence.CERTAIN)
    return min(one, other, key=order.index)


def _cjk(match: re.Match[str], buddhist: bool) -> _Found | Reason:
    era, digits, month, day = match[1], match[2].replace("元", "1"), int(match[3]), int(match[4])
    if era is not None and int(digits) > _ERA_YEARS_MAX:
        return Reason.IMPOSSIBLE
    if era is not None:
        return _Found(_ERAS[era] + int(digits), month, day, (Mark.IMPERIAL_ERA,))
    return _of_year(digits, month, day, buddhist) if len(digits) != 3 else Reason.MALFORMED


def _of_numbers(match: re.Match[str], hints: Hints, buddhist: bool) -> _Found | Reason:
    """Three numbers with one sign between them."""
    first, sign, second, third = match[1], match[2], int(match[3]), match[4]
    if len(first) == 4:
        return _of_year(first, second, int(third), buddhist) if len(third) <= 2 else Reason.MALFORMED
    if len(first) == 3 or len(third) == 3 or len(first) > 2:
        return Reason.MALFORMED
    locale = hints.babel_locale
    order = field_order(locale) if locale is not None else "dmy" if sign == "." else None
    if len(third) <= 2 and order == "ymd":
        return _of_year(first, second, int(third), buddhist, (Mark.AMBIGUOUS,), Confidence.LIKELY)
    return _day_and_month(int(first), second, third, order, sign, buddhist)


def _day_and_month(one: int, two: int, year: str, order: str | None, sign: str, buddhist: bool) -> _Found | Reason:
    if one > 12 or two > 12 or one == two:
        day, month = (one, two) if one > 12 or one == two else (two, one)
        return _of_year(year, month, day, buddhist)
    if order is None:
        return Reason.AMBIGUOUS
    day, month = (two, one) if order == "mdy" else (one, two)
    if sign == "." and order != "mdy":
        # Full stops separate in countries where the day goes first.
        return _of_year(year, month, day, buddhist, (), Confidence.LIKELY)
    return _of_year(year, month, day, buddhist, (Mark.AMBIGUOUS,), Confidence.LIKELY)


def _of_words(text: str, hints: Hints, buddhist: bool) -> _Found | Reason:
    """A month by name among one or two numbers."""
    locale = hints.babel_locale
    language = hints.language or (locale.language if locale is not None else None)
    numbers: list[str] = []
    months: frozenset[int] = frozenset()
    for word in _spelt(text):
        if word[0] in "0123456789":
            numbers.append(word)
        elif not months:
            # Hebrew writes "in" onto the month.
            months = months_named(word, language) or months_named(word.removeprefix("ב"), language)
    if not months or not 1 <= len(numbers) <= 2:
        return Reason.MALFORMED
    if len(months) > 1:
        return Reason.AMBIGUOUS
    return _around_month(min(months), numbers, buddhist)


def _spelt(text: str) -> list[str]:
    """Words and numbers; an Indian or Thai vowel sign belongs to the word it stands in."""
    words: list[str] = []
    previous = " "
    for char in text:
        kind = "d" if char in "0123456789" else "w" if unicodedata.category(char)[0] in "LM" else " "
        if char in "'’." and previous == "w":
            # Full stops stand within the short names of Thai months, and behind those of others.
            words[-1] += char
            continue
        if kind != " ":
            if kind == previous:
                words[-1] += char
            else:
                words.append(char)
        previous = kind
    return words


def _around_month(month: int, numbers: list[str], buddhist: bool) -> _Found | Reason:
    if len(numbers) == 1:
        return _Found(None, month, int(numbers[0]), (Mark.NO_YEAR,)) if len(numbers[0]) <= 2 else Reason.MALFORMED
    day, year = numbers if len(numbers[0]) <= 2 else reversed(numbers)
    if len(day) > 2 or len(year) not in (2, 4):
        return Reason.MALFORMED
    return _of_year(year, month, int(day), buddhist)
