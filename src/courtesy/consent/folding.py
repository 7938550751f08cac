"""Text made plain, so that words are the same however they are written."""

from __future__ import annotations

import re
import unicodedata

CLAUSE = "|"
_ENDS = frozenset(".!?,;:\n…。！？，、；：؟،؛।։")
_APOSTROPHES = frozenset("'’‘`´ʼ՛՜՞")
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0640]")
_SPELLED = re.compile(r"(?<!\S)\w(?:[\s.\-_*]+\w(?!\w)){2,}")
_DRAWN_OUT = re.compile(r"([a-z])\1{2,}")
_LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "æ": "ae"})
"""What no accent can be taken from."""

_DIGITS = str.maketrans("0135", "oies")
_INTRODUCES = re.compile(
    r"^[ \t]*(?:"
    r"-{2,}[ \t]*(?:original message|urspr(?:u|ü)ngliche nachricht|mensaje original|message d.origine)"
    r"|-{3,}[^\n-]{3,60}-{3,}[ \t]*$"
    r"|_{8,}[ \t]*$"
    r"|(?:on|am|le|el|il) [^\n]{5,120}(?:wrote|schrieb|a (?:e|é)crit|escribi(?:o|ó)|ha scritto)[ \t]*:"
    r"|[^\n]{0,160}\d[^\n]{0,160}[:：][ \t]*\n\s*>"
    r"|[^\n:：]{1,20}[:：][^\n]{0,100}@[^\n]{0,100}\n[^\n:：]{1,20}[:：][ \t]"
    r")",
    re.MULTILINE | re.IGNORECASE,
)
"""Where a reply begins to quote: a line that says so in one of five languages, a title between dashes, a rule, a line
with a date before quoted ones, or the first lines of the head of a mail."""

_QUOTED_LINE = re.compile(r"^\s*>.*$", re.MULTILINE)


def own_part(text: str) -> str:
    """Without what a reply quotes: everything from where it begins to quote, and lines that begin with `>`."""
    found = _INTRODUCES.search(text)
    return _QUOTED_LINE.sub("", text if found is None else text[: found.start()])


def folded(text: str) -> str:
    """Case, accents, vowel points, widths and apostrophes taken away."""
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    bare = "".join(each for each in bare if each not in _APOSTROPHES).translate(_LETTERS)
    return unicodedata.normalize("NFC", bare)


def plain(text: str) -> str:
    """Words with single spaces between them, and `|` where a clause ends; spelled out and drawn out words mended."""
    told = _SPELLED.sub(lambda found: re.sub(r"[\s.\-_*]+", "", found.group()), folded(text.replace("🛑", " stop ")))
    told = "".join(CLAUSE if each in _ENDS else each if _is_of_a_word(each) else " " for each in told)
    told = _DRAWN_OUT.sub(r"\1", told.replace(CLAUSE, f" {CLAUSE} "))
    words: list[str] = []
    for word in told.split():
        mended = word.translate(_DIGITS) if word[0].isalpha() and word.isascii() else word
        if not words or mended != words[-1]:
            words.append(mended)
    return " ".join(words)


def _is_of_a_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN"
