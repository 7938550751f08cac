"""Casting: one text or number into the value that it stands for, for files that come in and events that are mended."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from courtesy.base.time import to_iso
from courtesy.event.accept import text_of
from courtesy.event.cause import Cause

_TRUE = frozenset(("true", "t", "yes", "y", "1", "on"))
_FALSE = frozenset(("false", "f", "no", "n", "0", "off"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_UNITS_MS = {"unix_s": 1e3, "unix_ms": 1.0, "unix_us": 1e-3, "unix_ns": 1e-6}
_SECONDS_MAX = 1e11
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_GROUPED = re.compile(r"[-+]?\d{1,3}([,'\u2019\u00a0\u202f ]\d{3})+(\.\d*)?")
_GROUP_MARK = re.compile(r"[,'\u2019\u00a0\u202f ]")


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands in a column for a value that could not be cast."""

    value: Any
    cause: Cause
    expected: str

    @property
    def detail(self) -> str:
        """What was expected, and what came."""
        return f"expected {self.expected}, got {self.value!r:.60}"


def dates(format: str, timezone: str) -> Callable[[Any], Any]:
    """A function from a date in `format` to ISO 8601 in UTC; where it has no offset, it is local to `timezone`."""
    return partial(_to_date, parse=_parser(format), zone=UTC if timezone == "UTC" else ZoneInfo(timezone))


def to_number(value: Any, decimal: str = ".") -> Any:
    """A whole or a floating number; None for blank text and NaN. Thousands may be marked (`1,234.50`, `1.234,50`)."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    text = str(value).strip()
    if decimal != ".":
        text = text.translate(str.maketrans(decimal + ".", "." + decimal))
    if _GROUPED.fullmatch(text):
        text = _GROUP_MARK.sub("", text)
    if _NUMBER.fullmatch(text) is None:
        return None if text.casefold() in ("", "nan") else Unread(value, Cause.WRONG_TYPE, "a number")
    if text.lstrip("+-").isdigit() and len(text) < 19:
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else Unread(value, Cause.WRONG_TYPE, "a number")


def to_boolean(value: Any) -> Any:
    """True or false; None for blank text."""
    if isinstance(value, bool):
        return value
    word = str(text_of(value) or "").casefold()
    if not word:
        return None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    return Unread(value, Cause.WRONG_TYPE, "true or false")


def to_object(value: Any) -> Any:
    """What JSON text stands for; what is no text is taken to be it already."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Unread(value, Cause.WRONG_TYPE, "JSON")


def _parser(format: str) -> Callable[[Any], datetime]:
    if format == "iso":
        return _from_iso
    if format in _UNITS_MS:
        return partial(_from_count, unit_ms=_UNITS_MS[format])
    return lambda value: datetime.strptime(str(value).strip(), format)  # noqa: DTZ007 -- the caller adds the zone


def _from_iso(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 -- the caller adds the zone
    if not isinstance(value, str):
        return _from_count(value, 1e3 if abs(value) < _SECONDS_MAX else 1.0)
    return datetime.fromisoformat(value.strip().removesuffix(" UTC").replace("/", "-"))


def _from_count(value: Any, unit_ms: float) -> datetime:
    return _EPOCH + timedelta(milliseconds=float(value) * unit_ms)


def _to_date(value: Any, parse: Callable[[Any], datetime], zone: tzinfo) -> Any:
    if isinstance(value, str) and not value.strip():
        return None
    try:
        moment = parse(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return to_iso((moment - _EPOCH) // _MS)
    except (ValueError, TypeError, OverflowError):
        return Unread(value, Cause.TIME_UNREADABLE, "a date")
