"""What the pages say, in each language that they speak, and how a language is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources

import babel
import msgspec
from babel.dates import format_date

from courtesy.base.time import SECOND_MS

LOCALES = ("en", "de", "gl", "hy", "ka", "mr", "th")
DEFAULT = "en"
ACCEPT_CHARS_MAX = 500

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"

_FILE = msgspec.json.Decoder(dict[str, str | dict[str, str]])


class Texts:
    """The texts of one language."""

    def __init__(self, locale: str, content: Mapping[str, str | dict[str, str]]) -> None:
        self.locale = locale
        self.direction = direction_of(locale)
        self._content = content

    def __getitem__(self, name: str) -> str:
        text = self._content[name]
        assert isinstance(text, str), f"{name} is a list of words"
        return text

    def say(self, name: str, **values: str) -> str:
        """A text with its values filled in. From right to left a value keeps its own direction: `***67` stays so."""
        if self.direction == "rtl":
            values = {name: f"{FIRST_STRONG_ISOLATE}{value}{POP_ISOLATE}" for name, value in values.items()}
        return self[name].format(**values)

    def word(self, kind: str, name: str, labels: Mapping[str, str]) -> str:
        """What a purpose, channel or frequency is called: as the company labels it in this language, or else as we know
        it, or else as `label`."""
        words = self._content.get(kind)
        known = words.get(name) if isinstance(words, dict) else None
        return labels.get(self.locale) or known or self.label(labels, name)

    def label(self, labels: Mapping[str, str], otherwise: str) -> str:
        """A text of the company: in this language, or else in English, or else in its first; with none `otherwise`."""
        return labels.get(self.locale) or labels.get(DEFAULT) or next(iter(labels.values()), otherwise)

    def day(self, at_ms: int) -> str:
        """A day (UTC) as people write it."""
        return format_date(datetime.fromtimestamp(at_ms / SECOND_MS, UTC), "long", locale=self.locale)


def direction_of(locale: str) -> str:
    """`ltr` or `rtl`."""
    return "rtl" if babel.Locale.parse(locale, sep="-").character_order == "right-to-left" else "ltr"


@cache
def texts(locale: str) -> Texts:
    """The texts of one of `LOCALES`."""
    file = resources.files("courtesy.http.centre") / "locales" / f"{locale}.json"
    return Texts(locale, _FILE.decode(file.read_bytes()))


def choose(*wanted: str | None) -> str:
    """The first of some languages (`de`, `de-AT`, `de_AT`) that the pages speak, or else the default."""
    for each in wanted:
        language = (each or "").replace("_", "-").partition("-")[0].strip().lower()
        if language in LOCALES:
            return language
    return DEFAULT


def accepted(header: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first."""
    found: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:ACCEPT_CHARS_MAX].split(",")):
        name, _, quality = part.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        if name.strip() and weight > 0:
            found.append((-weight, place, name.strip()))
    return [name for _, _, name in sorted(found)]
