"""Names of people: title, given, middle and family name, suffix and nickname, in any script, with an ASCII form beside.

Word order and compound names can't be known for certain; marks and confidence say what was assumed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from anyascii import anyascii

from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.name_order import Split, is_east_asian, is_vietnamese, split_east_asian, split_words
from courtesy.standard.name_words import (
    FAMILY_FIRST,
    HONORIFICS,
    ORGANISATIONS,
    PARTICLES,
    SUFFIX_FORMS,
    SUFFIXES,
    TITLES,
    TITLES_OR_NAMES,
    TITLES_THAI,
)
from courtesy.standard.nickname import formal_names
from courtesy.standard.placeholder import is_placeholder
from courtesy.standard.text import comparable, folded_width, one_line, text_or_reason
from courtesy.standard.value import Confidence, Kind, Mark, Reason, Standard, refused

NAME_CHARS_MAX = 200

_NICKNAME = re.compile(
    r"[“”„\"«»]([^“”„\"«»]{1,40})[“”\"«»]|(?<!\S)['‘]([^'‘’]{1,40})['’](?!\S)|[(（]([^()（）]{1,40})[)）]"
)
_DOTS = re.compile(r"[·・‧•]")
_CASED_SCRIPTS = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u058f\u1e00-\u1fff]")


class Whole(StrEnum):
    """Which part of a name a value is."""

    FULL = "full"
    GIVEN = "given"
    FAMILY = "family"


class NameParts(msgspec.Struct, frozen=True):
    """Empty where a name has no such part. `ascii`: the form in ASCII. `formal`: names for which `given` may be short.

    `family_first`: the order in which the form is written. `initials`: of given, middle and family name, in ASCII. Han
    characters are folded in their Chinese reading, also those of Japanese names.
    """

    title: str
    given: str
    middle: str
    family: str
    suffix: str
    nicknames: tuple[str, ...]
    initials: str
    family_first: bool
    ascii: str
    formal: tuple[str, ...]


def standard_name(raw: Any, hints: Hints = NO_HINTS, whole: Whole = Whole.FULL) -> Standard[NameParts]:
    """The name in its natural order, without title and nickname, in its own script.

    `Lee, Ann` is turned round. A name all in capitals or all in small letters is written as names are; others keep
    their case. `whole`: for a field that holds only the given or only the family name.
    """
    text = text_or_reason(raw, NAME_CHARS_MAX)
    if isinstance(text, Reason):
        return refused(Kind.NAME, raw, text)
    if is_placeholder(text):
        return refused(Kind.NAME, raw, Reason.PLACEHOLDER)
    if not any(unicodedata.category(char)[0] == "L" for char in text):
        return refused(Kind.NAME, raw, Reason.MALFORMED)
    text, nicknames = _without_nicknames(one_line(text))
    if whole is not Whole.FULL:
        return _one_part(raw, text, nicknames, whole)
    if _is_organisation(text):
        return Standard(Kind.NAME, raw, text, None, (Mark.ORGANISATION,), Confidence.LIKELY)
    return _full(raw, text, nicknames, hints)


def _without_nicknames(text: str) -> tuple[str, tuple[str, ...]]:
    """The name without what stands in quotes or parentheses, unless that is all there is."""
    found = tuple(next(filter(None, match)).strip() for match in _NICKNAME.findall(text))
    rest = one_line(_NICKNAME.sub(" ", text)).strip(" ,")
    if not found or not any(char.isalpha() for char in rest):
        return text, ()
    return rest, found


def _is_organisation(text: str) -> bool:
    words = text.casefold().replace(",", " ").split()
    return len(words) > 1 and words[-1].strip(".") in ORGANISATIONS and not text.isupper()


def _one_part(raw: Any, text: str, nicknames: tuple[str, ...], whole: Whole) -> Standard[NameParts]:
    title, words = _without_titles(text.split()) if whole is Whole.GIVEN else ("", text.split())
    form = _cased(" ".join(words))
    given, family = (form, "") if whole is Whole.GIVEN else ("", form)
    parts = _parts(title, given, "", family, "", nicknames, False, form)
    return Standard(Kind.NAME, raw, form, parts, (), Confidence.CERTAIN)


@dataclass(frozen=True, slots=True)
class _Understood:
    """A name taken apart. `sure`: the order does not follow from what is usual alone. `joined`: with blanks between."""

    title: str
    given: str
    middle: str
    family: str
    suffix: str
    sure: bool
    family_first: bool
    form: str
    joined: str


def _full(raw: Any, text: str, nicknames: tuple[str, ...], hints: Hints) -> Standard[NameParts]:
    country = hints.region
    found = _understood(_cased(text), country)
    if not any(unicodedata.category(char)[0] == "L" for char in found.form):
        return refused(Kind.NAME, raw, Reason.MALFORMED)
    form = found.form
    if is_placeholder(form):
        return refused(Kind.NAME, raw, Reason.PLACEHOLDER)
    if form != text and (_NICKNAME.search(form) or _understood(_cased(form), country).form != form):
        # Turned round it would be read as another name.
        form = _cased(text)
    parts = _parts(
        found.title,
        found.given,
        found.middle,
        found.family,
        found.suffix,
        nicknames,
        found.family_first,
        found.joined,
    )
    marks = () if found.sure else (Mark.ORDER_ASSUMED,)
    return Standard(Kind.NAME, raw, form, parts, marks, Confidence.LIKELY if found.sure else Confidence.WEAK)


def _understood(text: str, country: str | None) -> _Understood:
    title, suffix, split = _split(text, country)
    given, middle, family, sure = split
    east_asian = is_east_asian(given + middle + family)
    # Catalan has a dot within words: Gal·la.
    dots = _DOTS.search(text) if east_asian else None
    family_first = bool(family) and dots is None
    if not east_asian:
        vietnamese = country is None and is_vietnamese([family, *middle.split(), given], None)
        family_first = family_first and (vietnamese or country in FAMILY_FIRST)
    names = list(filter(None, [family, middle, given] if family_first else [given, middle, family]))
    joined = _cased(" ".join(names))
    if joined != " ".join(names):
        given, middle, family = (_cased_as(part, joined) for part in (given, middle, family))
    behind = f", {suffix}" if suffix else ""
    unspaced = east_asian and dots is None and re.search("[ ,،，]", text) is None
    glue = dots[0] if dots is not None else "" if unspaced else " "
    form = joined.replace(" ", glue) + behind
    return _Understood(title, given, middle, family, suffix, sure, family_first, form, joined + behind)


def _cased_as(part: str, joined: str) -> str:
    """A part in the case that it has within the whole name."""
    start = joined.casefold().find(part.casefold())
    return joined[start : start + len(part)] if start >= 0 else part


def _split(text: str, country: str | None) -> tuple[str, str, Split]:
    """Title, suffix and the names."""
    before, suffix = _without_suffix_segments([one_line(part) for part in re.split("[,،，]", text) if part.strip()])
    if len(before) > 1:
        of_family, family = _without_titles(before[0].split())
        of_given, words = _without_titles(" ".join(before[1:]).split())
        title = " ".join(filter(None, (of_family, of_given)))
        return title, suffix, ("".join(words[:1]), " ".join(words[1:]), " ".join(family), True)
    title, words = _without_titles((before or [text])[0].split())
    words, more = _without_suffixes(words)
    suffix = " ".join(filter(None, (more, suffix)))
    name = " ".join(words)
    if is_east_asian(name):
        return title, suffix, split_east_asian(_without_honorific(name), country)
    return title, suffix, split_words(words, country)


def _without_suffix_segments(segments: list[str]) -> tuple[list[str], str]:
    """What stands between commas, without those at the end that are suffixes; and these."""
    suffixes: list[str] = []
    # In `Vance, J. D.` the last segment is the given name: before a suffix stands a whole name.
    while (
        len(segments) > 1
        and all(_is_suffix(word) for word in segments[-1].split())
        and (len(segments) > 2 or " " in segments[0])
    ):
        suffixes[:0] = [_suffix_form(word) for word in segments.pop().split()]
    return segments, " ".join(suffixes)


def _is_suffix(word: str) -> bool:
    return word.casefold().replace(".", "") in SUFFIXES


def _suffix_form(word: str) -> str:
    bare = word.casefold().replace(".", "")
    return SUFFIX_FORMS.get(bare) or (bare.upper() if set(bare) <= set("iv") else word)


def _without_suffixes(words: list[str]) -> tuple[list[str], str]:
    suffixes: list[str] = []
    while len(words) > 2 and _is_suffix(words[-1]):
        suffixes.insert(0, _suffix_form(words[-1]))
        words = words[:-1]
    return words, " ".join(suffixes)


def _without_titles(words: list[str]) -> tuple[str, list[str]]:
    titles: list[str] = []
    if words and words[0].startswith(TITLES_THAI):
        title = next(title for title in TITLES_THAI if words[0].startswith(title))
        rest = words[0].removeprefix(title)
        if rest or len(words) > 1:
            titles.append(title)
            words = [rest, *words[1:]] if rest else words[1:]
    while len(words) > 1 and _is_title(words[0], len(words)):
        titles.append(words[0])
        words = words[1:]
    return " ".join(titles), words


def _is_title(word: str, words_left: int) -> bool:
    bare = comparable(word).replace(" ", "")
    if bare not in TITLES and word.casefold() not in TITLES:
        return False
    return bare not in TITLES_OR_NAMES or word.endswith(".")


def _without_honorific(text: str) -> str:
    honorific = next((each for each in HONORIFICS if text.endswith(each) and len(text) > len(each) + 1), "")
    return text.removesuffix(honorific).strip()


def _parts(
    title: str,
    given: str,
    middle: str,
    family: str,
    suffix: str,
    nicknames: tuple[str, ...],
    family_first: bool,
    form: str,
) -> NameParts:
    # Of the form with a blank between the names, also where it has none.
    initials = "".join(anyascii(part)[:1].upper() for part in (given, *middle.split(), family) if part)
    return NameParts(
        title, given, middle, family, suffix, nicknames, initials, family_first, folded(form), formal_names(given)
    )


def folded(name: str) -> str:
    """The name in ASCII, in small letters, for comparing across scripts."""
    return one_line(anyascii(folded_width(name)).lower())


def _cased(text: str) -> str:
    """Names all in capitals or all in small letters as names are written; others as they are."""
    # Not Georgian: it has capitals in Unicode, but does not begin names with them.
    if (
        len(_CASED_SCRIPTS.findall(text)) < 3
        or not (text.isupper() or text.islower())
        or len(text.lower()) != len(text)
    ):
        return text
    words = text.split(" ")
    return " ".join(_cased_word(word, first=place == 0) for place, word in enumerate(words))


def _cased_word(word: str, *, first: bool) -> str:
    small = word.lower()
    if not first and small in PARTICLES:
        return small
    if _is_suffix(word.strip(",")) and set(small.strip(",.")) <= set("iv"):
        return small.upper()
    return re.sub(r"(^|[-'’.])(\w)", lambda match: match[1] + match[2].upper(), small)
