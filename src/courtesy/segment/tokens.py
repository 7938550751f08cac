"""The text of a segment as words, numbers, days, quoted text and signs, each with where it stands."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from courtesy.base.errors import Code, CourtesyError

TEXT_CHARS_MAX = 20_000


class Kind(StrEnum):
    """Of a token."""

    WORD = "word"
    NUMBER = "number"
    DAY = "day"
    QUOTED = "quoted text"
    SIGN = "sign"
    END = "the end"


class Token(NamedTuple):
    """`text`: as written, but of quoted text without quotes and escapes. `start`, `end`: in characters from the
    beginning of the whole."""

    kind: Kind
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""\s*(?:
    (?P<day>\d{4}-\d{2}-\d{2}(?![\w-]))
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w]))
    |(?P<word>[^\W\d][\w-]*(?:\.[\w-]+)*)
    |"(?P<quoted>(?:[^"\\]|\\.)*)"
    |(?P<sign><=|>=|[(),:<>%=])
    )""",
    re.VERBOSE | re.DOTALL,
)
BARE_WORD = re.compile(r"[^\W\d][\w-]*(?:\.[\w-]+)*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def tokens_of(text: str) -> list[Token]:
    """All tokens, with END as the last. Raises CourtesyError(INVALID), saying where, for what is none."""
    if len(text) > TEXT_CHARS_MAX:
        raise CourtesyError(Code.TOO_LARGE, f"expected at most {TEXT_CHARS_MAX:,} characters, got {len(text):,}")
    text = text.rstrip()
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _unreadable(text, at)
        found.append(_token(text, match, match.lastgroup))
        at = match.end()
    return [*found, Token(Kind.END, "", len(text), len(text))]


def _token(text: str, match: re.Match[str], group: str) -> Token:
    end = match.end()
    content = match[group]
    if group == "quoted":
        return Token(Kind.QUOTED, _ESCAPE.sub(r"\1", content), end - len(content) - 2, end)
    if group == "day":
        try:
            date.fromisoformat(content)
        except ValueError:
            where = place_of(text, match.start(group))
            raise CourtesyError(Code.INVALID, f"there is no day {content}", place=where) from None
    return Token(Kind[group.upper()], content, end - len(content), end)


def _unreadable(text: str, at: int) -> CourtesyError:
    start = at + len(text[at:]) - len(text[at:].lstrip())
    if text[start] == '"':
        return CourtesyError(
            Code.INVALID, 'expected a closing "', hint="every quoted text needs one", place=place_of(text, start)
        )
    return CourtesyError(
        Code.INVALID,
        f"{text[start]!r} has no meaning here",
        hint='put names and values with unusual characters between "quotes"',
        place=place_of(text, start),
    )


def place_of(text: str, at: int) -> str:
    """A place in the text as people count: lines and columns from one."""
    line = text.count("\n", 0, at)
    return f"line {line + 1}, column {at - text.rfind(chr(10), 0, at)}"
