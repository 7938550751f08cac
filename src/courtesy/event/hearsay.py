"""What a call says of consent without choosing in so many words: categories, consent strings, the browser's signal.

It is said again with every call, so it becomes choices only where it is news (`courtesy.consent.hearing`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from courtesy.event.choice import ANY, PURPOSE_CHARS_MAX, is_purpose

CONSENT_UPDATED = frozenset({"Segment Consent Preference Updated", "Segment Consent Preference"})
"""Events with which consent managers say that somebody has chosen just now."""

VENDOR_MAX = 65_535

CATEGORY_PURPOSES: Mapping[str, str] = {
    "marketing": "advertising",
    "targeting": "advertising",
    "statistics": "analytics",
    "performance": "analytics",
    "personalization": "personalisation",
}
"""Names of categories that do not mean the purpose of the same name: what the banner of a site calls marketing is
advertising to visitors, and nobody allows a newsletter by it."""


class StringForm(StrEnum):
    """Which framework a consent string is of."""

    TCF = "tcf"
    GPP = "gpp"


class ConsentString(msgspec.Struct, frozen=True, gc=False):
    """A consent string as it came, for which vendor it is to be read (None: for the publisher), and where it stood."""

    form: StringForm
    text: str
    vendor: int | None
    place: str


class Hearsay(msgspec.Struct, frozen=True, gc=False):
    """What one call says. `categories` are purposes with whether they are allowed; `gpc`: the browser asks not to sell
    or share; `on_purpose`: somebody has chosen just now, as opposed to what is said along with everything."""

    categories: tuple[tuple[str, bool], ...] = ()
    strings: tuple[ConsentString, ...] = ()
    gpc: bool = False
    on_purpose: bool = False

    def __bool__(self) -> bool:
        return bool(self.categories or self.strings or self.gpc)


def purpose_of(category: str, declared: Mapping[str, str]) -> str:
    """The purpose that a category means, as its source declares it, or else its name in lower case, words joined by
    underscores; empty when nothing is to be recorded of it."""
    return declared[category] if category in declared else _own_purpose(category)


# The categories of a site are few, and come with every call.
@lru_cache(maxsize=1_024)
def _own_purpose(category: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s\x00_-]+", "_", category[: PURPOSE_CHARS_MAX + 1])
    name = parted.strip("_").lower()
    name = CATEGORY_PURPOSES.get(name, name)
    return name if name != ANY and is_purpose(name) else ""


def categories_of(told: Mapping[str, Any], declared: Mapping[str, str]) -> tuple[tuple[str, bool], ...]:
    """Purposes with whether they are allowed, by name; one that several categories mean, if all of them allow it. What
    is neither true nor false says nothing."""
    found: dict[str, bool] = {}
    for category, allowed in told.items():
        if isinstance(allowed, bool) and (purpose := purpose_of(category, declared)):
            found[purpose] = allowed and found.get(purpose, True)
    return tuple(sorted(found.items()))


def strings_of(told: Mapping[str, Any], vendor: int | None, place: str) -> Iterator[ConsentString]:
    """The consent strings among the members of an object, `vendor` being the one of the source. What is no text is
    absent."""
    own = told.get("vendor")
    is_vendor = isinstance(own, int) and not isinstance(own, bool) and 0 < own <= VENDOR_MAX
    for form in StringForm:
        text = told.get(form)
        if isinstance(text, str) and text.strip():
            yield ConsentString(form, text.strip(), own if is_vendor else vendor, f"{place}.{form}")


def without(heard: Hearsay, bad: Iterable[ConsentString]) -> Hearsay:
    """The same without some of its strings."""
    gone = set(bad)
    return msgspec.structs.replace(heard, strings=tuple(each for each in heard.strings if each not in gone))
