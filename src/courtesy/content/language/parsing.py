"""A template read into its tree. What Jinja has and this language has not is refused by name.

Everything is bounded, nesting too: the engine and this parser call themselves, and a template must not end the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.content.language.expressions import ExpressionParser
from courtesy.content.language.tokens import TEMPLATE_CHARS_MAX, Kind, Piece, Source, failed, pieces_of
from courtesy.content.language.tree import (
    Body,
    Capture,
    Expression,
    For,
    Fragment,
    If,
    Literal,
    Node,
    Output,
    Place,
    Set,
    Text,
)

BLOCK_DEPTH_MAX = 20
FRAGMENT_DEPTH_MAX = 5
TAGS_MAX = 20_000
ELIF_MAX = 50

STATEMENTS = ("if", "elif", "else", "endif", "for", "endfor", "set", "endset", "include", "raw", "endraw")
_WITHOUT = {
    "macro": "repeat what is short, and make a fragment of what is long",
    "call": "there are no macros",
    "import": "there are no macros",
    "from": "there are no macros",
    "extends": "build the frame of a mail of blocks",
    "block": "build the frame of a mail of blocks",
    "autoescape": "what is written into HTML is always escaped; say `| safe` for content of your own",
    "filter": "set a name to the text by {% set name %} and filter that",
    "with": "use {% set %}",
    "do": "use {% set %}",
}

Fragments = Callable[[str], str | None]
"""The source of a fragment by its name; None when there is none."""


def parse(text: str, fragments: Fragments | None = None, name: str = "") -> Body:
    """The tree of a template, its fragments in their places.

    Raises CourtesyError(INVALID) with line and column, or TOO_LARGE.
    """
    return _Parser(Source(text, name), fragments, (name,), _Spent()).parse()


@dataclass(slots=True)
class _Spent:
    """How large a template is by now with its fragments, each as often as it is used."""

    chars: int = 0
    tags: int = 0

    def add(self, source: Source, pieces: Sequence[Piece]) -> None:
        self.chars += len(source.text)
        self.tags += sum(bool(each.tokens) for each in pieces)
        if self.chars > TEMPLATE_CHARS_MAX:
            message = f"a template has at most {TEMPLATE_CHARS_MAX:,} characters with its fragments"
            raise CourtesyError(Code.TOO_LARGE, message, place=source.name)
        if self.tags > TAGS_MAX:
            raise CourtesyError(Code.TOO_LARGE, f"a template has at most {TAGS_MAX:,} tags", place=source.name)


class _Parser:
    """Reads one source. `within`: the fragments that it stands in, to find those that hold themselves."""

    def __init__(self, source: Source, fragments: Fragments | None, within: tuple[str, ...], spent: _Spent) -> None:
        self._fragments = fragments
        self._within = within
        self._spent = spent
        self._pieces = pieces_of(source)
        self._at = 0
        self._depth = 0
        spent.add(source, self._pieces)

    def parse(self) -> Body:
        body = self._body(())
        if self._at < len(self._pieces):
            piece = self._pieces[self._at]
            word = piece.tokens[0].text
            raise failed(piece.at, f"there is nothing here that {word!r} could belong to")
        return body

    def _body(self, ends: Sequence[str], opened: Piece | None = None) -> Body:
        """All up to a statement of `ends`, which is next then."""
        nodes: list[Node] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            if not piece.tokens:
                nodes.append(Text(piece.at, piece.text))
                self._at += 1
            elif piece.output:
                nodes.append(self._output(piece))
            elif (word := _word(piece)) in ends or word in ("elif", "else", "endif", "endfor", "endset"):
                if opened is not None and word not in ends:
                    raise failed(piece.at, f"expected {_said(ends)}, found {word!r}", f"see {opened.at}")
                return tuple(nodes)
            else:
                nodes.append(self._statement(piece, word))
        if opened is not None:
            raise failed(opened.at, f"this {_word(opened)!r} is never closed", f"close it by {{% {ends[-1]} %}}")
        return tuple(nodes)

    def _output(self, piece: Piece) -> Output:
        self._at += 1
        parser = ExpressionParser(piece.tokens)
        if parser.ended():
            raise failed(piece.at, "there is nothing between the braces")
        value = parser.expression()
        parser.end()
        return Output(piece.at, value)

    def _statement(self, piece: Piece, word: str) -> Node:
        self._depth += 1
        if self._depth > BLOCK_DEPTH_MAX:
            raise failed(piece.at, f"blocks are nested at most {BLOCK_DEPTH_MAX} deep")
        match word:
            case "if":
                node: Node = self._if(piece)
            case "for":
                node = self._for(piece)
            case "set":
                node = self._set(piece)
            case "include":
                node = self._include(piece)
            case _ if word in _WITHOUT:
                raise failed(piece.at, f"templates have no {word!r}", _WITHOUT[word])
            case _:
                raise failed(piece.at, f"there is no statement {word!r}", nearest(word, STATEMENTS))
        self._depth -= 1
        return node

    def _opened(self, piece: Piece) -> ExpressionParser:
        """Takes a statement, and gives what comes after its word."""
        self._at += 1
        return ExpressionParser(piece.tokens[1:])

    def _closed(self) -> None:
        self._opened(self._pieces[self._at]).end()

    def _if(self, opened: Piece) -> If:
        branches: list[tuple[Expression, Body]] = []
        piece = opened
        while True:
            if len(branches) == ELIF_MAX:
                raise failed(piece.at, f"an 'if' has at most {ELIF_MAX} branches")
            branches.append(self._branch(piece, opened))
            piece = self._pieces[self._at]
            if _word(piece) != "elif":
                break
        otherwise: Body = ()
        if _word(piece) == "else":
            self._closed()
            otherwise = self._body(("endif",), opened)
        self._closed()
        return If(opened.at, tuple(branches), otherwise)

    def _branch(self, piece: Piece, opened: Piece) -> tuple[Expression, Body]:
        parser = self._opened(piece)
        condition = parser.expression()
        parser.end()
        return condition, self._body(("elif", "else", "endif"), opened)

    def _for(self, opened: Piece) -> For:
        parser = self._opened(opened)
        names = [parser.new_name()]
        if parser.took(","):
            names.append(parser.new_name())
        parser.expect("in")
        of = parser.operand()
        condition = parser.expression() if parser.took("if") else None
        if parser.sees("recursive"):
            raise failed(opened.at, "loops do not call themselves", "write the second loop within the first")
        parser.end()
        body = self._body(("else", "endfor"), opened)
        otherwise: Body = ()
        if _word(self._pieces[self._at]) == "else":
            self._closed()
            otherwise = self._body(("endfor",), opened)
        self._closed()
        return For(opened.at, tuple(names), of, condition, body, otherwise)

    def _set(self, opened: Piece) -> Set | Capture:
        parser = self._opened(opened)
        name = parser.new_name()
        if parser.took("="):
            value = parser.expression()
            parser.end()
            return Set(opened.at, name, value)
        parser.end("'=' and a value")
        body = self._body(("endset",), opened)
        self._closed()
        return Capture(opened.at, name, body)

    def _include(self, piece: Piece) -> Fragment:
        parser = self._opened(piece)
        named = parser.expression()
        parser.end()
        if not isinstance(named, Literal) or not isinstance(named.value, str):
            raise failed(named.at, "a fragment is named by text in quotes, so that it is known where it is used")
        return Fragment(piece.at, named.value, self._fragment(named.value, named.at))

    def _fragment(self, name: str, at: Place) -> Body:
        if name in self._within:
            raise failed(at, f"the fragment {name!r} holds itself: {' → '.join((*self._within[1:], name))}")
        if len(self._within) > FRAGMENT_DEPTH_MAX:
            raise failed(at, f"fragments are nested at most {FRAGMENT_DEPTH_MAX} deep")
        text = None if self._fragments is None else self._fragments(name)
        if text is None:
            raise failed(at, f"there is no fragment {name!r}")
        return _Parser(Source(text, name), self._fragments, (*self._within, name), self._spent).parse()


def _word(piece: Piece) -> str:
    """The first word of a statement."""
    first = piece.tokens[0]
    if first.kind is not Kind.NAME:
        raise failed(piece.at, f"a statement begins with a word, such as {_said(('if', 'for', 'set'))}")
    return first.text


def _said(words: Sequence[str]) -> str:
    return " or ".join(repr(word) for word in words)
