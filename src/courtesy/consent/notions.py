"""What a message speaks of, in any of 32 languages: "not", "send", "list", "consent", "order" and some more.

A notion has stems in each language (`data/notions.txt`), so that what was learnt of "not" with "send" in one language
holds in all. A stem of more than `WHOLE_CHARS_MAX` characters is the beginning of a word, a shorter one a whole word
unless it ends with `-`; `_` stands for a space. In languages that put no spaces between words a stem is found anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from courtesy.consent.folding import folded

FILE = "notions.txt"
WHOLE_CHARS_MAX = 3
GLUED = frozenset({"th", "zh", "ja", "ko"})
"""Languages of which stems are found within words."""

JOINING = frozenset({"fr", "it", "he", "ar"})
"""Languages that write small words together with the one after them."""

NEAR_SHARE = 0.75
"""A language counts beside the one most of whose stems are found when it has this share of its characters."""

SLIP_CHARS_MIN, SLIP_CHARS_MAX = 5, 8
"""How long words and stems are of which a mistyped letter is forgiven, and among how many letters from the first."""

_JOINED = (
    re.compile("(?<= )(?:[והלבמשכ]{1,2}|[وفبلك]?ال|[وفبلك])(?=[^ ]{3})"),
    re.compile("(?<= )(?:qu|[ldmsntjc])(?=[aeiouhy][^ ]{3})"),
)
"""Hebrew and Arabic prefixes, and what French and Italian put an apostrophe after."""

GLUED_FROM = "\u0e00"
"""No script that puts no spaces between words has a character before this one."""

_HEADS = (1, 2)
"""Of how many characters the heads of stems are by which they are looked for."""

Named = tuple[str, str]
"""A language, and a notion that a stem stands for in it."""


@dataclass(frozen=True, slots=True)
class _Stems:
    """What stems stand for: of all, of those that may be joined to a word before them, and of those that are found
    anywhere; and how long stems are that begin with a head."""

    at_begin: Mapping[str, Sequence[Named]]
    joined: Mapping[str, Sequence[Named]]
    anywhere: Mapping[str, Sequence[Named]]
    sizes: Mapping[str, Sequence[int]]


@dataclass(slots=True)
class _Place:
    """What is found of one language at one place: the length of the longest stem, and the notions of all."""

    size: int
    names: set[str]


def notions(told: str) -> list[frozenset[str]]:
    """The notions of folded words with single spaces between and around them, in order; places without any are left
    out. Of several languages that have these words those count of which most is found."""
    found = [place for place in _found(told) if place]
    chars: dict[str, int] = {}
    for place in found:
        for language, of_it in place.items():
            chars[language] = chars.get(language, 0) + of_it.size
    least = NEAR_SHARE * max(chars.values(), default=0)
    meant = (
        frozenset(name for language, of_it in place.items() if chars[language] >= least for name in of_it.names)
        for place in found
    )
    return [each for each in meant if each]


def _found(told: str) -> Iterator[dict[str, _Place]]:
    """What is found at each place of a text where stems may begin, by language."""
    stems = _stems()
    joined = {each.end() for pattern in _JOINED for each in pattern.finditer(told)}
    for at, char in enumerate(told):
        if at and told[at - 1] == " ":
            yield _found_at(told, at, stems.at_begin) or _slipped(told[at : told.index(" ", at)])
        elif at in joined:
            yield _found_at(told, at, stems.joined)
        elif char >= GLUED_FROM:
            yield _found_at(told, at, stems.anywhere)


def _found_at(told: str, at: int, table: Mapping[str, Sequence[Named]]) -> dict[str, _Place]:
    sizes = _stems().sizes
    place: dict[str, _Place] = {}
    for head in _HEADS:
        for size in sizes.get(told[at : at + head], ()):
            for language, name in table.get(told[at : at + size], ()):
                found = place.setdefault(language, _Place(size, set()))
                found.size = max(found.size, size)
                found.names.add(name)
    return place


def _slipped(word: str) -> dict[str, _Place]:
    """What a word that nothing is found in may have been: a stem of which one letter is missing, wrong, doubled or in
    its neighbour's place."""
    if not len(word) >= SLIP_CHARS_MIN or not word.isalpha() or word[0] >= GLUED_FROM:
        return {}
    gaps = _gaps()
    shorter = {word[:at] + word[at + 1 :] for at in range(1, min(len(word), SLIP_CHARS_MAX))}
    place: dict[str, _Place] = {}
    for written in (word, *sorted(shorter)):
        for size in range(SLIP_CHARS_MIN - 1, min(len(written), SLIP_CHARS_MAX) + 1):
            for language, name in gaps.get(written[:size], ()):
                place.setdefault(language, _Place(size, set())).names.add(name)
    return place


@cache
def _gaps() -> dict[str, list[Named]]:
    """What stems stand for that are long enough to be known when a letter is missing, by each that they leave then."""
    found: dict[str, list[Named]] = {}
    for stem, names in _stems().at_begin.items():
        if len(stem) >= SLIP_CHARS_MIN and stem.isalpha() and stem[0] < GLUED_FROM:
            known = stem[:SLIP_CHARS_MAX]
            for gap in {known[:at] + known[at + 1 :] for at in range(1, len(known))}:
                found.setdefault(gap, []).extend(names)
    return found


@cache
def _stems() -> _Stems:
    at_begin: dict[str, list[Named]] = {}
    joined: dict[str, list[Named]] = {}
    anywhere: dict[str, list[Named]] = {}
    for language, name, stem in _listed():
        written = _written(stem, language)
        at_begin.setdefault(written, []).append((language, name))
        if language in GLUED:
            anywhere.setdefault(written, []).append((language, name))
        if language in JOINING and len(written) > WHOLE_CHARS_MAX:
            joined.setdefault(written, []).append((language, name))
    sizes: dict[str, set[int]] = {}
    for written in at_begin:
        sizes.setdefault(written[: _HEADS[-1]], set()).add(len(written))
    return _Stems(at_begin, joined, anywhere, {head: sorted(found) for head, found in sizes.items()})


def _listed() -> Iterator[tuple[str, str, str]]:
    """Language, notion and stem, as they are listed."""
    language = ""
    for line in (files("courtesy.consent") / "data" / FILE).read_text("utf-8").splitlines():
        if line.startswith("["):
            language = line[1:-1]
            continue
        name, _, stems = line.partition(": ")
        for stem in stems.split():
            yield language, name, stem


def _written(stem: str, language: str) -> str:
    """A stem as it is looked for: a whole word ends with a space."""
    bare = folded(stem.replace("_", " ").rstrip("-"))
    is_whole = len(bare) <= WHOLE_CHARS_MAX and not stem.endswith("-") and language not in GLUED
    return f"{bare} " if is_whole else bare
