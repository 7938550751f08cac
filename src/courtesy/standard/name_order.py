"""Which words of a name are the family's: by script, by surnames that are known, and by the order of the country."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from courtesy.standard.name_words import (
    CONJUNCTIONS,
    FAMILY_ENDINGS,
    FAMILY_FIRST,
    GIVEN_PREFIXES,
    PARTICLES,
    PARTICLES_IF_SMALL,
    PATRONYMIC_ENDINGS,
    SECOND_GIVEN,
    TWO_FAMILY_NAMES,
)
from courtesy.standard.shipped import words_of
from courtesy.standard.text import comparable

# Given, middle, family; and whether that is sure.
Split = tuple[str, str, str, bool]

_HAN = re.compile(r"[\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]+")
_DOTS_BETWEEN = re.compile(r"[·・‧•]")


@cache
def _han_singles() -> frozenset[str]:
    return frozenset("".join(words_of("surnames_china.txt")))


@cache
def _latin_surnames(table: str) -> frozenset[str]:
    return frozenset(comparable(word) for word in words_of(table) if not _HAN.search(word) and not _HANGUL.search(word))


# Tables of surnames in Latin letters, by country.
_LATIN_TABLES = {
    **dict.fromkeys(("CN", "TW", "HK", "MO", "SG"), "surnames_china_latin.txt"),
    **dict.fromkeys(("KR", "KP"), "surnames_korea.txt"),
    "JP": "surnames_japan.txt",
    "VN": "surnames_vietnam.txt",
}


def is_east_asian(text: str) -> bool:
    """Whether a name is written in Han characters, kana or Hangul alone."""
    bare = re.sub(r"[\s·・‧•]", "", text)
    return bool(bare) and not re.sub(r"[\u3005\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]", "", bare)


def split_east_asian(text: str, country: str | None) -> Split:
    """The parts of a name in Han characters, kana or Hangul: family first, with or without a blank."""
    words = text.split()
    if _DOTS_BETWEEN.search(text):
        # A name from elsewhere, put into these characters, keeps its own order.
        *given, family = [part.strip() for part in _DOTS_BETWEEN.split(text) if part.strip()] or [text]
        return (" ".join(given), "", family, True) if given else (family, "", "", False)
    if len(words) > 1:
        return " ".join(words[1:]), "", words[0], True
    if _HANGUL.fullmatch(text):
        length = 2 if len(text) > 2 and text[:2] in words_of("surnames_korea.txt") else 1
        return _cut(text, length, sure=text[:length] in words_of("surnames_korea.txt"))
    return _split_japanese(text) if _looks_japanese(text, country) else _split_chinese(text)


def _cut(text: str, length: int, *, sure: bool) -> Split:
    return text[length:], "", text[:length], sure and len(text) > length


def _japanese_length(text: str) -> int:
    """How many characters a common Japanese surname takes at the beginning; 0 when there is none."""
    known = words_of("surnames_japan.txt")
    return next((length for length in (3, 2, 1) if len(text) > length and text[:length] in known), 0)


def _looks_japanese(text: str, country: str | None) -> bool:
    if country is not None:
        return country == "JP" or (country not in ("CN", "TW", "HK", "MO", "SG") and bool(_KANA.search(text)))
    if _KANA.search(text):
        return True
    return text[:2] not in words_of("surnames_china_double.txt") and (
        _japanese_length(text) > 1 or (len(text) > 1 and text in words_of("surnames_japan.txt"))
    )


def _split_japanese(text: str) -> Split:
    if len(text) > 1 and text in words_of("surnames_japan.txt"):
        return "", "", text, False
    length = _japanese_length(text)
    # Most family names have two characters, and so have most given names.
    return _cut(text, length or (1 if len(text) < 3 else 2), sure=length > 0)


def _split_chinese(text: str) -> Split:
    if len(text) > 2 and text[:2] in words_of("surnames_china_double.txt"):
        return _cut(text, 2, sure=True)
    return _cut(text, 1, sure=text[0] in _han_singles())


def split_words(words: list[str], country: str | None) -> Split:
    """The parts of a name in any other script, given as its words without titles and suffixes."""
    if len(words) == 1:
        return words[0], "", "", False
    if words[0].islower() and _is_particle(words[0]):
        return "", "", " ".join(words), False
    words = _joined_given(words)
    if is_vietnamese(words, country) and _family_first(words, "VN"):
        # The last word is the name by which one is called.
        return words[-1], " ".join(words[1:-1]), words[0], _known_surname(words[0], "VN")
    if _family_first(words, country):
        middle, given = _patronymic_last(words[1:])
        sure = _known_surname(words[0], country) != _known_surname(words[-1], country)
        return (
            given,
            middle,
            words[0],
            sure or bool(middle) or (country in FAMILY_FIRST and country not in _LATIN_TABLES),
        )
    return _given_first(words, country)


def is_vietnamese(words: list[str], country: str | None) -> bool:
    """Whether a name is Vietnamese: by its country or, where none is known, by its signs and its first word."""
    if country is not None:
        return country == "VN"
    return _has_signs_of_vietnamese(" ".join(words)) and _known_surname(words[0], "VN")


def _known_surname(word: str, country: str | None) -> bool:
    table = _LATIN_TABLES.get(country or "")
    return table is not None and comparable(word) in _latin_surnames(table)


def _joined_given(words: list[str]) -> list[str]:
    """`Abdul Rahman` is one given name."""
    if len(words) > 2 and comparable(words[0]) in GIVEN_PREFIXES:
        return [f"{words[0]} {words[1]}", *words[2:]]
    return words


def _patronymic_last(words: list[str]) -> tuple[str, str]:
    """Middle and given of what follows a family name."""
    if len(words) > 1 and _is_patronymic(words[-1]):
        return words[-1], " ".join(words[:-1])
    return "", " ".join(words)


def _is_patronymic(word: str) -> bool:
    return len(word) > 5 and word.casefold().endswith(PATRONYMIC_ENDINGS)


def _bare(word: str) -> str:
    """Without signs of stress, which reference books write into names."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", word).replace("\u0301", "")).casefold()


def _has_family_ending(word: str) -> bool:
    return len(word) > 4 and _bare(word).endswith(FAMILY_ENDINGS)


def _family_first(words: list[str], country: str | None) -> bool:
    if country in _LATIN_TABLES:
        first, last = _known_surname(words[0], country), _known_surname(words[-1], country)
        if first != last:
            return first
    if country in FAMILY_FIRST:
        return True
    if len(words) == 3 and _is_patronymic(words[2]) and not _is_patronymic(words[1]):
        return True
    return len(words) == 2 and _has_family_ending(words[0]) and not _has_family_ending(words[1])


def _has_signs_of_vietnamese(text: str) -> bool:
    return bool(re.search("[ơưđăạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", text.casefold()))


def _is_particle(word: str) -> bool:
    bare = word.casefold().strip("'’")
    if bare.endswith("."):
        # O. is an initial, St. is a saint.
        return bare == "st."
    if bare in PARTICLES_IF_SMALL:
        return word.islower()
    return bare in PARTICLES


def _given_first(words: list[str], country: str | None) -> Split:
    """Given names, then the family name with the particles before it."""
    start = len(words) - 1
    if country in TWO_FAMILY_NAMES and _has_two_family_names(words):
        start = _with_particles(words, start) - 1
    start = _with_particles(words, max(start, 1))
    if start > 2 and words[start - 1].casefold() in CONJUNCTIONS:
        start = _with_particles(words, start - 2)
    given, middle = words[0], words[1:start]
    if country in TWO_FAMILY_NAMES:
        given, middle = " ".join([given, *middle]), []
    return given, " ".join(middle), " ".join(words[start:]), True


def _with_particles(words: list[str], start: int) -> int:
    while start > 1 and _is_particle(words[start - 1]):
        start -= 1
    return start


def _has_two_family_names(words: list[str]) -> bool:
    bare = [word for word in words if not _is_particle(word) and word not in CONJUNCTIONS]
    return len(bare) > 3 or (len(bare) == 3 and comparable(bare[1]) not in SECOND_GIVEN)
