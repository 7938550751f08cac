"""Fields with a value for each locale, and the chain in which one is looked for: `de-CH`, `de`, then the default.

Each field falls back for itself, so that one missing translation does not take the others with it. Text that is not
found in any locale of the chain is told, never guessed from a language that the person does not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from babel.core import get_global

from courtesy.base.errors import Code, CourtesyError

DEFAULT = "en"
CHAIN_MAX = 10
SCRIPT_CHARS = 4
_SHAPE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?")
_PARENTS: Mapping[str, str] = get_global("parent_exceptions")


def locale_name(text: str) -> str:
    """A locale as it is written here: `de-CH` for `de_ch`. Raises CourtesyError(INVALID) for what is none."""
    language, *rest = text.strip().replace("_", "-").split("-")
    parts = [language.lower(), *(each.title() if len(each) == 4 else each.upper() for each in rest)]
    name = "-".join(parts)
    if not _SHAPE.fullmatch(name):
        raise CourtesyError(Code.INVALID, f"expected a locale such as 'de' or 'de-CH', found {text!r:.50}")
    return name


def parent(locale: str) -> str | None:
    """The locale that stands in for another by CLDR: `de` for `de-CH`, `en-001` for `en-GB`, none for `zh-Hant`, which
    a reader of `zh` may not read."""
    exception = _PARENTS.get(locale.replace("-", "_"))
    if exception is not None:
        return exception.replace("_", "-")
    above, _, part = locale.rpartition("-")
    return above if above and len(part) != SCRIPT_CHARS else None


def chain(locale: str, default: str = DEFAULT, fallbacks: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The locales in which to look, in order, each once. `fallbacks` says what stands in for a locale before CLDR
    does."""
    found: list[str] = []
    for start in (locale, default):
        each: str | None = start
        while each is not None and each not in found and len(found) < CHAIN_MAX:
            found.append(each)
            each = (fallbacks or {}).get(each) or parent(each)
    return tuple(found)


class Picked(NamedTuple):
    """A value and the locale that it came from; empty for a field that is the same in all."""

    value: Any
    locale: str


class Localized(NamedTuple):
    """A field with values by locale. A value that is None or empty text is as if it were not there."""

    values: Mapping[str, Any]

    def pick(self, locales: Iterable[str]) -> Picked | None:
        """The value of the first of the locales that has one; None when none has."""
        for locale in locales:
            value = self.values.get(locale)
            if value is not None and value != "":
                return Picked(value, locale)
        return None


def in_locale(fields: Mapping[str, Any], locales: Iterable[str]) -> tuple[dict[str, Picked], list[str]]:
    """Every field in the first locale that it has, and the names of those that have none. What is no `Localized` is the
    same in all locales."""
    order = tuple(locales)
    found: dict[str, Picked] = {}
    lacking: list[str] = []
    for name, field in fields.items():
        picked = field.pick(order) if isinstance(field, Localized) else Picked(field, "")
        if picked is None:
            lacking.append(name)
        else:
            found[name] = picked
    return found, lacking


def coverage(fields: Mapping[str, Any], locales: Iterable[str], default: str = DEFAULT) -> dict[str, dict[str, str]]:
    """For each locale, the fields that come from another one, with that; empty for one that is nowhere."""
    found: dict[str, dict[str, str]] = {}
    for locale in locales:
        picked, lacking = in_locale(fields, chain(locale, default))
        others = {name: each.locale for name, each in picked.items() if each.locale not in ("", locale)}
        found[locale] = {**others, **dict.fromkeys(lacking, "")}
    return found
