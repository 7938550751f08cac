"""The filters of templates: one table of plain functions. The reference of filters is derived from it.

Each takes the value, the surroundings and the spot where it stands, then what the template says in parentheses.
None raises: of bad data it reports what it expected, and gives nothing, or the value as it is where that says more.
Nothing (None or an empty text) stays nothing without a report, since whoever missed it has said so already.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any
from urllib.parse import quote

from courtesy.content import localized
from courtesy.content.surroundings import Surroundings

TEXT_CHARS_MAX = 65_536
"""Of what a filter gives; more is cut and reported."""

LIST_MAX = 10_000
SAFE_SCHEMES = ("https://", "http://", "mailto:", "tel:", "sms:")


class Markup(str):
    """Text that is HTML already, and isn't escaped again."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Declared:
    """A filter: the function, and an example with what it gives in English for the docs. Its docstring says what."""

    function: Callable[..., Any]
    example: str
    gives: str

    @property
    def meaning(self) -> str:
        """The first sentence of its docstring."""
        return (self.function.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")

    @property
    def parameters(self) -> list[str]:
        """What may stand in parentheses."""
        return list(signature(self.function).parameters)[3:]


# -- text


def _text(value: Any) -> str:
    """A value as it is written; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def bounded(text: str, around: Surroundings, spot: int) -> str:
    """The text, cut and reported when it is longer than `TEXT_CHARS_MAX`."""
    if len(text) <= TEXT_CHARS_MAX:
        return text
    around.report(spot, f"a text of {len(text):,} characters was cut to {TEXT_CHARS_MAX:,}")
    return text[:TEXT_CHARS_MAX]


def _upper(value: Any, _around: Surroundings, _spot: int) -> str:
    """In capitals."""
    return _text(value).upper()


def _lower(value: Any, _around: Surroundings, _spot: int) -> str:
    """In small letters."""
    return _text(value).lower()


def _capitalize(value: Any, _around: Surroundings, _spot: int) -> str:
    """With a capital first letter, the rest as it is."""
    text = _text(value)
    return text[:1].upper() + text[1:]


def _title(value: Any, _around: Surroundings, _spot: int) -> str:
    """Each word with a capital first letter."""
    return re.sub(r"\w[\w'’]*", lambda word: word[0][:1].upper() + word[0][1:].lower(), _text(value))


def _trim(value: Any, _around: Surroundings, _spot: int) -> str:
    """Without blanks at both ends."""
    return _text(value).strip()


def _truncate(
    value: Any, _around: Surroundings, _spot: int, length: int = 80, end: str = "…", whole_words: bool = True
) -> str:
    """At most so many characters with the end, cut between words where it can be unless told otherwise."""
    text, limit = _text(value), max(0, _whole(length, 80))
    if len(text) <= limit:
        return text
    kept = text[: max(0, limit - len(_text(end)))]
    within_word = bool(whole_words) and not text[len(kept)].isspace() and not kept[-1:].isspace() and " " in kept
    shorter = kept.rsplit(None, 1)[0] if within_word else kept
    return ((shorter.rstrip() if whole_words else shorter) + _text(end))[:limit]


def _replace(value: Any, around: Surroundings, spot: int, old: str, new: str) -> str:
    """With one text in the place of another wherever that stands."""
    text, before, after = _text(value), _text(old), _text(new)
    if not before:
        return text
    growth = text.count(before) * max(0, len(after) - len(before))
    if len(text) + growth > 4 * TEXT_CHARS_MAX:
        around.report(spot, "the replaced text would be too long")
        return text
    return bounded(text.replace(before, after), around, spot)


def _split(value: Any, _around: Surroundings, _spot: int, separator: str = " ") -> list[str]:
    """A list of the parts between separators."""
    return _text(value).split(_text(separator) or None, LIST_MAX)


def _append(value: Any, around: Surroundings, spot: int, text: str) -> str:
    """With a text after it; nothing stays nothing."""
    found = _text(value)
    return bounded(found + _text(text), around, spot) if found else ""


def _prepend(value: Any, around: Surroundings, spot: int, text: str) -> str:
    """With a text before it; nothing stays nothing."""
    found = _text(value)
    return bounded(_text(text) + found, around, spot) if found else ""


def _line_breaks(value: Any, _around: Surroundings, _spot: int) -> str:
    """Escaped for HTML, with a break at the end of each line."""
    return Markup(html.escape(_text(value)).replace("\r\n", "\n").replace("\n", "<br>"))


def _plain(value: Any, _around: Surroundings, _spot: int) -> str:
    """Without HTML tags, entities read."""
    return html.unescape(re.sub(r"<[^<>]*>", "", _text(value)))


def _url_encode(value: Any, _around: Surroundings, _spot: int) -> str:
    """As it may stand in the query of a link."""
    return quote(_text(value).encode("utf-8", "replace"), safe="")


# -- names of people


def _name(value: Any, _around: Surroundings, _spot: int) -> str:
    """A name in its usual letters, when it was typed all in capitals or all in small letters."""
    text = " ".join(_text(value).split())
    if text != text.upper() and text != text.lower():
        return text
    return re.sub(r"[^\W\d_]+", lambda word: word[0][:1].upper() + word[0][1:].lower(), text)


def _first_name(value: Any, around: Surroundings, spot: int) -> str:
    """The first word of a full name, in its usual letters."""
    words = _name(value, around, spot).split()
    return words[0] if words else ""


def _initials(value: Any, _around: Surroundings, _spot: int) -> str:
    """The first letter of each word, in capitals."""
    return "".join(word[0].upper() for word in re.findall(r"[^\W\d_]+", _text(value)))


# -- numbers


def number_of(value: Any) -> float | int | None:
    """The number that a value is or says; None for anything else, and for what is no finite number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value.strip())
        except ValueError:
            return None
        value = int(value) if math.isfinite(value) and value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    return value if isinstance(value, float) and math.isfinite(value) and abs(value) < 1e18 else None


def _whole(value: Any, otherwise: int) -> int:
    number = number_of(value)
    return otherwise if number is None else int(number)


def _nothing(value: Any) -> bool:
    return value is None or value == ""


def _of_number(
    value: Any, around: Surroundings, spot: int, name: str, write: Callable[[float | int], str]
) -> str:  # fmt: skip
    if _nothing(value):
        return ""
    number = number_of(value)
    if number is None:
        around.report(spot, f"{name} expected a number, found {_shown(value)}")
        return _text(value) if isinstance(value, str) else ""
    return write(number)


def _shown(value: Any) -> str:
    return f"{value!r:.60}" if isinstance(value, str | int | float) else f"a {_kind(value)}"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case Mapping():
            return "object"
        case list() | tuple():
            return "list"
        case _:
            return type(value).__name__


def _money(value: Any, around: Surroundings, spot: int, currency: str = "", whole: bool = False) -> str:
    """An amount in a currency, as one writes it in the locale; the currency of the surroundings unless named.

    `whole`: without cents where there are none.
    """
    unit = (_text(currency) or around.currency).upper()
    if isinstance(value, Mapping) and "amount" in value:
        unit = _text(value.get("currency")).upper() or unit
        value = value["amount"]
    if not re.fullmatch("[A-Z]{3}", unit):
        around.report(spot, f"money expected a currency such as 'EUR', found {_shown(unit)}")
        return _number(value, around, spot)
    return _of_number(
        value, around, spot, "money", lambda number: localized.money(number, unit, around.locale, bool(whole))
    )


def _number(value: Any, around: Surroundings, spot: int, decimals: int | None = None) -> str:
    """A number as one writes it in the locale; with so many decimals, or as many as it has up to three."""
    places = None if decimals is None else min(15, max(0, _whole(decimals, 0)))
    return _of_number(value, around, spot, "number", lambda number: localized.number(number, places, around.locale))


def _percent(value: Any, around: Surroundings, spot: int, decimals: int = 0) -> str:
    """A share as a percentage: 0.25 is 25 %."""
    places = min(15, max(0, _whole(decimals, 0)))
    return _of_number(value, around, spot, "percent", lambda number: localized.percent(number, places, around.locale))


def _round(value: Any, around: Surroundings, spot: int, decimals: int = 0) -> Any:
    """Rounded, halves away from zero."""
    if _nothing(value):
        return ""
    number = number_of(value)
    if number is None:
        around.report(spot, f"round expected a number, found {_shown(value)}")
        return ""
    return localized.rounded(number, min(15, max(0, _whole(decimals, 0))))


def _absolute(value: Any, around: Surroundings, spot: int) -> Any:
    """Without its sign."""
    if _nothing(value):
        return ""
    number = number_of(value)
    if number is None:
        around.report(spot, f"abs expected a number, found {_shown(value)}")
        return ""
    return abs(number)


def _plural(value: Any, around: Surroundings, spot: int, **forms: str) -> str:
    """The form that the locale uses for a number (zero, one, two, few, many, other), `#` standing for the number."""
    if _nothing(value):
        return ""
    number = len(value) if isinstance(value, list | tuple) else number_of(value)
    if number is None:
        around.report(spot, f"plural expected a number, found {_shown(value)}")
        return _text(forms.get("other", "")).replace("#", _text(value))
    form = forms.get(localized.plural_category(number, around.locale), forms["other"])
    return bounded(_text(form).replace("#", localized.number(number, None, around.locale)), around, spot)


# -- days and times


def _of_time(value: Any, around: Surroundings, spot: int, name: str, write: Callable[[localized.Instant], str]) -> str:
    if _nothing(value):
        return ""
    instant = localized.instant_of(value, around.zone)
    if instant is None:
        around.report(spot, f"{name} expected a date such as '2026-01-31', found {_shown(value)}")
        return _text(value) if isinstance(value, str) else ""
    return write(instant)


def _date(value: Any, around: Surroundings, spot: int, format: str = "medium") -> str:
    """A day as one writes it in the locale: short, medium, long or full, or by a pattern of CLDR such as `d. MMMM`.

    An instant is told as a day of the person's time zone.
    """
    return _of_time(value, around, spot, "date", lambda at: localized.date(at, _text(format), around.locale))


def _time(value: Any, around: Surroundings, spot: int, format: str = "short") -> str:
    """The time of day in the person's zone: short, medium, long or full, or by a pattern of CLDR."""
    return _of_time(value, around, spot, "time", lambda at: localized.time(at, _text(format), around.locale))


def _datetime(value: Any, around: Surroundings, spot: int, format: str = "medium") -> str:
    """Day and time in the person's zone: short, medium, long or full, or by a pattern of CLDR."""
    return _of_time(value, around, spot, "datetime", lambda at: localized.datetime(at, _text(format), around.locale))


def _relative(value: Any, around: Surroundings, spot: int) -> str:
    """How long ago, or in how much time: `in 3 days`, `tomorrow`, `5 minutes ago`."""
    return _of_time(
        value, around, spot, "relative", lambda at: localized.relative(at, around.now_ms, around.zone, around.locale)
    )


# -- lists


def _list_of(value: Any, around: Surroundings, spot: int, name: str) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value[:LIST_MAX])
    if not _nothing(value):
        around.report(spot, f"{name} expected a list, found {_shown(value)}")
    return []


def _listed(value: Any, around: Surroundings, spot: int, style: str = "and") -> str:
    """A list as one says it in the locale: `A, B and C`; with `"or"`: `A, B or C`."""
    words = [_text(each) for each in _list_of(value, around, spot, "listed") if not _nothing(each)]
    return bounded(localized.listed(words, "or" if style == "or" else "and", around.locale), around, spot)


def _join(value: Any, around: Surroundings, spot: int, separator: str = "", attribute: str = "") -> str:
    """The elements one after the other, with a separator in between; of objects, what each has under a name."""
    items = _list_of(value, around, spot, "join")
    words = [_text(_part(each, attribute) if attribute else each) for each in items]
    between = _text(separator)
    if sum(map(len, words)) + len(between) * len(words) > 4 * TEXT_CHARS_MAX:
        around.report(spot, "the joined text would be too long")
        return ""
    return bounded(between.join(words), around, spot)


def _part(value: Any, path: Any) -> Any:
    for name in _text(path).split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _length(value: Any, _around: Surroundings, _spot: int) -> int:
    """How many elements, or characters; 0 for nothing."""
    return len(value) if isinstance(value, str | list | tuple | Mapping) else 0


def _first(value: Any, _around: Surroundings, _spot: int) -> Any:
    """The first element or character."""
    return value[0] if isinstance(value, str | list | tuple) and value else None


def _last(value: Any, _around: Surroundings, _spot: int) -> Any:
    """The last element or character."""
    return value[-1] if isinstance(value, str | list | tuple) and value else None


def _sort(value: Any, around: Surroundings, spot: int, attribute: str = "", reverse: bool = False) -> list[Any]:
    """Sorted, numbers before text; of objects by what each has under a name."""
    items = _list_of(value, around, spot, "sort")
    return sorted(items, key=lambda each: _rank(_part(each, attribute) if attribute else each), reverse=bool(reverse))


def _rank(value: Any) -> tuple[int, float, str]:
    number = None if isinstance(value, str) else number_of(value)
    return (
        (0, number, "") if number is not None else (1, 0, _text(value).casefold()) if value is not None else (2, 0, "")
    )


def _reverse(value: Any, around: Surroundings, spot: int) -> Any:
    """The other way round."""
    return value[::-1] if isinstance(value, str) else _list_of(value, around, spot, "reverse")[::-1]


def _unique(value: Any, around: Surroundings, spot: int) -> list[Any]:
    """Each element once, in the order of their first."""
    kept: dict[str, Any] = {}
    for each in _list_of(value, around, spot, "unique"):
        kept.setdefault(repr(each), each)
    return list(kept.values())


def _map(value: Any, around: Surroundings, spot: int, attribute: str) -> list[Any]:
    """What each element has under a name."""
    return [_part(each, attribute) for each in _list_of(value, around, spot, "map")]


def _where(value: Any, around: Surroundings, spot: int, attribute: str, equals: Any = True) -> list[Any]:
    """The elements that have a value under a name."""
    return [each for each in _list_of(value, around, spot, "where") if _part(each, attribute) == equals]


def _sum(value: Any, around: Surroundings, spot: int, attribute: str = "") -> float | int:
    """All numbers of a list together; of objects, what each has under a name."""
    items = _list_of(value, around, spot, "sum")
    numbers = [number_of(_part(each, attribute) if attribute else each) for each in items]
    if None in numbers:
        around.report(spot, "sum left out what is no number")
    return sum(each for each in numbers if each is not None)


def _items(value: Any, around: Surroundings, spot: int) -> list[list[Any]]:
    """Pairs of name and value, for `for name, value in`."""
    if isinstance(value, Mapping):
        return [[name, each] for name, each in list(value.items())[:LIST_MAX]]
    if not _nothing(value):
        around.report(spot, f"items expected an object, found {_shown(value)}")
    return []


# -- what the compiler adds


def safe_url(value: Any, around: Surroundings, spot: int) -> str:
    """A link that a person may follow: of a web page, mail, phone or text message; `#` and a report for others."""
    text = _text(value).strip()
    if not text or text.lower().startswith(SAFE_SCHEMES):
        return text
    around.report(spot, f"no link was made of {_shown(text)}")
    return "#"


def url_part(value: Any, _around: Surroundings, _spot: int) -> str:
    """Text as it may stand within the path of a link."""
    return quote(_text(value).encode("utf-8", "replace"), safe="/%:@!$()*,;=~+")


def style_part(value: Any, around: Surroundings, spot: int) -> str:
    """A colour, size or word that can't end a style or load anything."""
    text = _text(value)
    if re.fullmatch(r"[\w#%., -]{0,200}", text):
        return text
    around.report(spot, f"no style was made of {_shown(text)}")
    return ""


FILTERS: dict[str, Declared] = {
    "abs": Declared(_absolute, "{{ -3 | abs }}", "3"),
    "append": Declared(_append, "{{ 'Ann' | append('!') }}", "Ann!"),
    "capitalize": Declared(_capitalize, "{{ 'ann lee' | capitalize }}", "Ann lee"),
    "date": Declared(_date, "{{ '2026-03-01' | date('long') }}", "March 1, 2026"),
    "datetime": Declared(_datetime, "{{ '2026-03-01T09:30:00Z' | datetime('short') }}", "3/1/26, 9:30 AM"),
    "first": Declared(_first, "{{ ['a', 'b'] | first }}", "a"),
    "first_name": Declared(_first_name, "{{ 'ANN LEE' | first_name }}", "Ann"),
    "initials": Declared(_initials, "{{ 'Ann Lee' | initials }}", "AL"),
    "items": Declared(_items, "{% for name, size in sizes | items %}…{% endfor %}", "…"),
    "join": Declared(_join, "{{ ['a', 'b'] | join(' · ') }}", "a · b"),
    "last": Declared(_last, "{{ ['a', 'b'] | last }}", "b"),
    "length": Declared(_length, "{{ ['a', 'b'] | length }}", "2"),
    "line_breaks": Declared(_line_breaks, "{{ 'one\\ntwo' | line_breaks }}", "one<br>two"),
    "listed": Declared(_listed, "{{ ['A', 'B', 'C'] | listed }}", "A, B, and C"),
    "lower": Declared(_lower, "{{ 'ANN' | lower }}", "ann"),
    "map": Declared(_map, "{{ [event, event] | map('name') | join(', ') }}", "Order, Order"),
    "money": Declared(_money, "{{ 1234.5 | money('EUR') }}", "€1,234.50"),
    "name": Declared(_name, "{{ 'ann-marie LEE' | lower | name }}", "Ann-Marie Lee"),
    "number": Declared(_number, "{{ 1234.5 | number }}", "1,234.5"),
    "percent": Declared(_percent, "{{ 0.25 | percent }}", "25%"),
    "plain": Declared(_plain, "{{ '<b>a</b> &amp; b' | plain }}", "a & b"),
    "plural": Declared(_plural, "{{ 3 | plural(one='# item', other='# items') }}", "3 items"),
    "prepend": Declared(_prepend, "{{ 'Ann' | prepend('Dear ') }}", "Dear Ann"),
    "relative": Declared(_relative, "{{ '2026-03-03' | relative }}", "in 2 days"),
    "replace": Declared(_replace, "{{ 'a-b' | replace('-', ' ') }}", "a b"),
    "reverse": Declared(_reverse, "{{ 'abc' | reverse }}", "cba"),
    "round": Declared(_round, "{{ 2.345 | round(2) }}", "2.35"),
    "sort": Declared(_sort, "{{ [3, 1] | sort | join(' ') }}", "1 3"),
    "split": Declared(_split, "{{ 'a,b' | split(',') | last }}", "b"),
    "sum": Declared(_sum, "{{ [1, 2] | sum }}", "3"),
    "time": Declared(_time, "{{ '2026-03-01T09:30:00Z' | time }}", "9:30 AM"),
    "title": Declared(_title, "{{ 'spring sale' | title }}", "Spring Sale"),
    "trim": Declared(_trim, "{{ ' a ' | trim }}", "a"),
    "truncate": Declared(_truncate, "{{ 'a longer text' | truncate(10) }}", "a longer…"),
    "unique": Declared(_unique, "{{ [1, 1, 2] | unique | length }}", "2"),
    "upper": Declared(_upper, "{{ 'ann' | upper }}", "ANN"),
    "url_encode": Declared(_url_encode, "{{ 'a b&c' | url_encode }}", "a%20b%26c"),
    "where": Declared(_where, "{{ [event] | where('name', 'Order') | length }}", "1"),
}
ALIASES = {"urlencode": "url_encode", "nl2br": "line_breaks", "striptags": "plain", "count": "length"}
"""Names that other dialects have for the same."""
