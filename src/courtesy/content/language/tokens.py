"""A template cut into text and tags, and each tag into tokens with their places."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.language.tree import Place

TEMPLATE_CHARS_MAX = 500_000
TAG_CHARS_MAX = 4_000

RESERVED = "\ue000-\ue0ff"
"""Characters for private use with which the engine's tags are marked, so no text can be taken for a tag."""

_OPENING = re.compile(r"\{\{-?|\{%-?|\{#-?")
_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}")
_END_RAW = re.compile(r"\{%-?\s*endraw\s*-?%\}")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?(?!\w))
    | (?P<name>[^\W\d]\w*)
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<sign>==|!=|<=|>=|//|[-+*/%~<>()\[\],.:=|])
    )""",
    re.VERBOSE | re.DOTALL,
)
_RESERVED = re.compile(f"[{RESERVED}]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Kind(Enum):
    """Of a token within a tag."""

    NAME = auto()
    NUMBER = auto()
    TEXT = auto()
    SIGN = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a tag; `text` without quotes and escapes where it is text."""

    kind: Kind
    text: str
    at: Place


@dataclass(frozen=True, slots=True)
class Piece:
    """Text as it stands, or a tag: `{{ … }}` is an output, `{% … %}` a statement. Tokens of a tag end with END."""

    at: Place
    text: str = ""
    tokens: tuple[Token, ...] = ()
    output: bool = False


class Source:
    """The text of a template or fragment, which knows line and column of each of its characters."""

    def __init__(self, text: str, name: str = "") -> None:
        self.text = text
        self.name = name
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, offset: int) -> Place:
        """Where a character stands."""
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1, self.name)


def failed(at: Place, message: str, hint: str = "") -> CourtesyError:
    """The error of a template that can't be used as it stands."""
    return CourtesyError(Code.INVALID, message, hint=hint, place=str(at))


def pieces_of(source: Source) -> list[Piece]:
    """All text and tags in order, comments left out and blanks cut where a tag says so by `-`.

    Raises CourtesyError(INVALID) with line and column for what can't be read, TOO_LARGE for a template that is too
    long.
    """
    if len(source.text) > TEMPLATE_CHARS_MAX:
        message = f"a template has at most {TEMPLATE_CHARS_MAX:,} characters; this one has {len(source.text):,}"
        raise CourtesyError(Code.TOO_LARGE, message, place=source.name)
    if found := _RESERVED.search(source.text):
        raise failed(source.place(found.start()), f"the character U+{ord(found[0]):04X} is for private use")
    return list(_cut(source))


def _cut(source: Source) -> Iterator[Piece]:
    text, start, trim = source.text, 0, False
    while found := _OPENING.search(text, start):
        begin = found.start()
        before = text[start:begin].lstrip() if trim else text[start:begin]
        before = before.rstrip() if found[0].endswith("-") else before
        if before:
            yield Piece(source.place(start), before)
        if raw := _RAW.match(text, begin):
            piece, start, trim = _raw_piece(source, raw)
        elif found[0].startswith("{#"):
            piece = None
            start, trim = _comment_end(source, begin)
        else:
            piece, start, trim = _tag_piece(source, begin, found[0])
        if piece is not None:
            yield piece
    rest = text[start:].lstrip() if trim else text[start:]
    if rest:
        yield Piece(source.place(start), rest)


def _raw_piece(source: Source, opening: re.Match[str]) -> tuple[Piece | None, int, bool]:
    end = _END_RAW.search(source.text, opening.end())
    if end is None:
        raise failed(source.place(opening.start()), "this 'raw' is never closed", "close it by {% endraw %}")
    inside = source.text[opening.end() : end.start()]
    piece = Piece(source.place(opening.end()), inside) if inside else None
    return piece, end.end(), end[0].endswith("-%}")


def _comment_end(source: Source, begin: int) -> tuple[int, bool]:
    end = source.text.find("#}", begin)
    if end < 0:
        raise failed(source.place(begin), "this comment is never closed", "close it by #}")
    return end + 2, source.text[end - 1] == "-" and end - 1 > begin + 1


def _tag_piece(source: Source, begin: int, opening: str) -> tuple[Piece, int, bool]:
    output = opening.startswith("{{")
    closing = "}}" if output else "%}"
    tokens: list[Token] = []
    at = begin + len(opening)
    while True:
        at = _after_blanks(source.text, at)
        for ending in (f"-{closing}", closing):
            if source.text.startswith(ending, at):
                tokens.append(Token(Kind.END, "", source.place(at)))
                piece = Piece(source.place(begin), tokens=tuple(tokens), output=output)
                return piece, at + len(ending), ending.startswith("-")
        if at - begin > TAG_CHARS_MAX:
            raise failed(source.place(begin), f"a tag has at most {TAG_CHARS_MAX:,} characters")
        token, at = _token(source, at, begin, closing)
        tokens.append(token)


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _token(source: Source, at: int, begin: int, closing: str) -> tuple[Token, int]:
    found = _TOKEN.match(source.text, at)
    if found is None:
        if at >= len(source.text):
            raise failed(source.place(begin), "this tag is never closed", f"close it by {closing}")
        if source.text[at] in "\"'":
            raise failed(source.place(at), "this text is never closed", f"close it by {source.text[at]}")
        raise failed(source.place(at), f"{source.text[at]!r} is not expected in a tag")
    kind = Kind[str(found.lastgroup).upper()]
    text = found[str(found.lastgroup)]
    if kind is Kind.TEXT:
        text = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1], flags=re.DOTALL)
    return Token(kind, text, source.place(at)), found.end()
