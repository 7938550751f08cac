"""Numbers, money, days, lists and plurals as a locale writes them, from CLDR by Babel. What was written is kept for a
while: Babel takes some 50 µs for an amount, and in a campaign the same amounts and days come again and again."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError, dates, lists, numbers

KEPT = 65_536
FALLBACK = "en"
Named = Literal["short", "medium", "long", "full"]


NEAR: dict[str, tuple[str, str, str]] = {
    "cs": ("včera", "dnes", "zítra"),
    "da": ("i går", "i dag", "i morgen"),
    "de": ("gestern", "heute", "morgen"),
    "en": ("yesterday", "today", "tomorrow"),
    "es": ("ayer", "hoy", "mañana"),
    "fi": ("eilen", "tänään", "huomenna"),
    "fr": ("hier", "aujourd’hui", "demain"),
    "it": ("ieri", "oggi", "domani"),
    "ja": ("昨日", "今日", "明日"),
    "nb": ("i går", "i dag", "i morgen"),
    "nl": ("gisteren", "vandaag", "morgen"),
    "pl": ("wczoraj", "dzisiaj", "jutro"),
    "pt": ("ontem", "hoje", "amanhã"),
    "ru": ("вчера", "сегодня", "завтра"),
    "sv": ("i går", "i dag", "i morgon"),
    "tr": ("dün", "bugün", "yarın"),
    "uk": ("вчора", "сьогодні", "завтра"),
    "zh": ("昨天", "今天", "明天"),
}
"""Yesterday, today and tomorrow by language. Babel's extract of CLDR leaves these words out."""


class Instant(NamedTuple):
    """A moment in a time zone; `whole_day` for one that was told as a day without a time."""

    at: dt.datetime
    whole_day: bool


@lru_cache(maxsize=1_024)
def locale_of(name: str) -> Locale:
    """The locale of a name such as `de-CH` or `de_CH`; of its language, or else English, when CLDR has none."""
    parts = name.replace("_", "-").split("-")
    for count in range(len(parts), 0, -1):
        try:
            return Locale.parse("-".join(parts[:count]), sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return Locale.parse(FALLBACK)


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> dt.tzinfo:
    """A time zone by its name; UTC when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return dt.UTC


@lru_cache(maxsize=KEPT)
def money(amount: float | int, currency: str, locale: str, whole: bool) -> str:
    """An amount in a currency. `whole`: without decimals where it has none."""
    exact = Decimal(str(amount))
    plain = whole and exact == exact.to_integral_value()
    known = locale_of(locale)
    if not plain:
        return numbers.format_currency(exact, currency, locale=known)
    pattern = known.currency_formats["standard"].pattern
    short = pattern.replace("0.00", "0")
    return numbers.format_currency(exact, currency, format=short, locale=known, currency_digits=False)


@lru_cache(maxsize=KEPT)
def number(value: float | int, decimals: int | None, locale: str) -> str:
    """A number with so many decimals; None for as many as it has, up to three."""
    if decimals is None:
        return numbers.format_decimal(Decimal(str(value)), locale=locale_of(locale))
    shown = Decimal(str(rounded(value, decimals)))
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    known = locale_of(locale)
    grouped = known.decimal_formats[None].pattern.split(".")[0]
    return numbers.format_decimal(shown, format=grouped + pattern[5:], locale=known)


@lru_cache(maxsize=KEPT)
def percent(share: float | int, decimals: int, locale: str) -> str:
    """A share as a percentage."""
    known = locale_of(locale)
    pattern = known.percent_formats[None].pattern
    exact = pattern.replace("0", "0." + "0" * decimals, 1) if decimals and "#,##0" not in pattern else pattern
    if decimals and "#,##0" in pattern:
        exact = pattern.replace("#,##0", "#,##0." + "0" * decimals)
    return numbers.format_percent(Decimal(str(share)), format=exact, locale=known)


def rounded(value: float | int, decimals: int) -> float | int:
    """Rounded half away from zero, as people do it; a whole number when no decimals are asked for."""
    exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    return float(exact) if decimals else int(exact)


@lru_cache(maxsize=KEPT)
def plural_category(value: float | int, locale: str) -> str:
    """The category of CLDR for a number: zero, one, two, few, many or other."""
    return locale_of(locale).plural_form(Decimal(str(round(value, 6))))


def instant_of(value: Any, zone: str) -> Instant | None:
    """A day or instant in a zone, from text of ISO 8601 or a number: seconds since the epoch, or milliseconds when it
    is over 10^11. None for anything else. What has no zone of its own is in this one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return _instant_of(value, zone)


@lru_cache(maxsize=KEPT)
def _instant_of(value: float | int | str, zone: str) -> Instant | None:
    try:
        if isinstance(value, str):
            return _written(value.strip(), zone)
        seconds = value / 1000 if abs(value) >= 1e11 else value
        return Instant(dt.datetime.fromtimestamp(seconds, zone_of(zone)), whole_day=False)
    except (ValueError, OverflowError, OSError):
        return None


def _written(text: str, zone: str) -> Instant:
    if len(text) == 10:
        day = dt.date.fromisoformat(text)
        return Instant(dt.datetime(day.year, day.month, day.day, tzinfo=zone_of(zone)), whole_day=True)
    at = dt.datetime.fromisoformat(text)
    at = at.replace(tzinfo=zone_of(zone)) if at.tzinfo is None else at.astimezone(zone_of(zone))
    return Instant(at, whole_day=False)


@lru_cache(maxsize=KEPT)
def date(at: Instant, form: str, locale: str) -> str:
    """A day in a named form or by a pattern."""
    return _formed(lambda how: dates.format_date(at.at.date(), how, locale_of(locale)), form)


@lru_cache(maxsize=KEPT)
def time(at: Instant, form: str, locale: str) -> str:
    """A time of day in a named form or by a pattern."""
    return _formed(lambda how: dates.format_time(at.at, how, at.at.tzinfo, locale_of(locale)), form)


@lru_cache(maxsize=KEPT)
def datetime(at: Instant, form: str, locale: str) -> str:
    """Day and time in a named form or by a pattern."""
    return _formed(lambda how: dates.format_datetime(at.at, how, at.at.tzinfo, locale_of(locale)), form)


def _formed(write: Any, form: str) -> str:
    """By a pattern that Babel can't read, in the medium form."""
    try:
        return str(write(form or "medium"))
    except (KeyError, ValueError, AttributeError, TypeError):
        return str(write("medium"))


def relative(at: Instant, now_ms: int, zone: str, locale: str) -> str:
    """How far from now, in words; days are those of the calendar."""
    now = dt.datetime.fromtimestamp(now_ms / 1000, zone_of(zone))
    days = (at.at.date() - now.date()).days
    gap = at.at - now
    if at.whole_day or abs(days) > 1 or abs(gap) >= dt.timedelta(hours=24):
        return _days_apart(days, locale)
    return dates.format_timedelta(gap, add_direction=True, locale=locale_of(locale))


@lru_cache(maxsize=KEPT)
def _days_apart(days: int, locale: str) -> str:
    known = locale_of(locale)
    near = NEAR.get(known.language)
    if near is not None and abs(days) <= 1:
        return near[days + 1]
    if days == 0:
        near = NEAR[FALLBACK]
        return near[1]
    return dates.format_timedelta(dt.timedelta(days=days), granularity="day", add_direction=True, locale=known)


def listed(words: list[str], style: str, locale: str) -> str:
    """`A, B and C` as the locale has it; style `and` or `or`."""
    if not words:
        return ""
    return lists.format_list(words, style="or" if style == "or" else "standard", locale=locale_of(locale))
