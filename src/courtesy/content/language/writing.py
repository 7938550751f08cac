"""The tree of a template, written for the engine.

The engine renders leniently and in Rust. So that nothing is lost by that, what it gets is not what was written: each
name that is output asks first whether it is there and calls back when it isn't; arithmetic, slices and loops, which
could raise or explode, go through our own functions; and tags are marked by characters that no text may have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from courtesy.content.language.contexts import Safety
from courtesy.content.language.expressions import WORDS
from courtesy.content.language.tokens import RESERVED
from courtesy.content.language.tree import (
    Arguments,
    Attribute,
    Binary,
    Body,
    Call,
    Capture,
    Choice,
    Expression,
    Filter,
    For,
    Fragment,
    If,
    Index,
    ListOf,
    Literal,
    Name,
    Node,
    Output,
    Place,
    Set,
    Slice,
    Test,
    Text,
    Unary,
    path_of,
    start_of,
    walk,
)

BLOCK = ("\ue000", "\ue001")
VALUE = ("\ue002", "\ue003")
COMMENT = ("\ue004", "\ue005")
"""What begins and ends a tag for the engine."""

assert RESERVED[0] == BLOCK[0]

COUNTED_FROM_CHARS = 4_000
"""Of the text in one turn of a loop: 1,000 turns of that are some megabytes, which are thrown away at the end."""

SAFE_BY: Mapping[Safety, str] = {
    Safety.LINK: "_link",
    Safety.LINK_PATH: "_link_path",
    Safety.LINK_QUERY: "urlencode",
    Safety.STYLE: "_style",
}
_AS_FUNCTION = {"+": "_plus", "-": "_minus", "*": "_times", "/": "_over", "//": "_whole_over", "%": "_rest"}
_ASCII_NAME = re.compile("[a-zA-Z][a-zA-Z0-9_]*")
METHODS = frozenset(name for kind in (dict, list, str, tuple, int, float) for name in dir(kind))
"""Names that values of Python have besides what is in them."""

_ENGINE_TESTS = {"number", "string", "sequence", "mapping", "true", "false"}


@dataclass(slots=True)
class Written:
    """A template for the engine. `places`: where each spot stands, and the name or function that it is about."""

    source: str = ""
    places: list[tuple[Place, str]] = field(default_factory=list)


class Writer:
    """Writes one template. `metered`: each output is counted, for templates that nobody has rendered yet."""

    def __init__(self, safe: Mapping[Place, Safety], aliases: Mapping[str, str], metered: bool) -> None:
        self._safe = safe
        self._aliases = aliases
        self._metered = metered
        self._loops = 0
        self._written = Written()

    def write(self, body: Body) -> Written:
        """The whole template."""
        self._written.source = self._body(body)
        return self._written

    def _spot(self, at: Place, about: str) -> int:
        self._written.places.append((at, about))
        return len(self._written.places) - 1

    # -- statements

    def _body(self, body: Body) -> str:
        return "".join(map(self._node, body))

    def _node(self, node: Node) -> str:
        match node:
            case Text(_, text):
                return text
            case Output():
                return self._output(node)
            case If(_, branches, otherwise):
                parts = [
                    _block(f"{'elif' if n else 'if'} {self._tested(condition)}") + self._body(body)
                    for n, (condition, body) in enumerate(branches)
                ]
                return "".join(parts) + self._otherwise(otherwise) + _block("endif")
            case For():
                return self._for(node)
            case Set(at, name, value):
                return _block(f"set {name} = {self._kept(value, at)}")
            case Capture(at, name, body):
                inside = _block(f"set {name}") + self._body(body) + _block("endset")
                return inside + _block(f"set {name} = _kept({name}, _around, {self._spot(at, name)})")
            case Fragment(_, _, body):
                return self._body(body)

    def _otherwise(self, body: Body) -> str:
        return _block("else") + self._body(body) if body else ""

    def _output(self, node: Output) -> str:
        before, value = self._looked_up(node.value)
        by = self._safe.get(node.at, Safety.PLAIN)
        trusted = _trusted(node.value)
        if by is Safety.LINK_QUERY and not trusted:
            value = f"{value}|urlencode"
        elif by is not Safety.PLAIN and not trusted:
            value = f"{value}|{SAFE_BY[by]}(_around, {self._spot(node.at, _about(node.value))})"
        if self._metered:
            value = f"_counted({value}, _around)"
        return f"{before}{VALUE[0]}{value}{VALUE[1]}"

    def _looked_up(self, node: Expression) -> tuple[str, str]:
        """An output as what comes before it and its value. What is looked up in a value of Python takes most of the
        time of a rendering, so a plain path is looked up once, and kept under a name to ask whether it is there."""
        if path_of(node) is None or isinstance(node, Name):
            return "", self._value(node)
        spot = self._spot(start_of(node), _about(node))
        value = f"(_found if _found is defined and _found is not none else _missing({spot}, _around))"
        return _block(f"set _found = {self._plain(node)}"), value

    def _for(self, node: For) -> str:
        spot = self._spot(node.at, _about(node.of))
        of = f"_list({self._value(node.of, '_missing_list')}, {len(node.names)}, _around, {spot})"
        when = "" if node.condition is None else f" if {self._tested(node.condition)}"
        self._loops += 1
        inside = sum(len(each.text) for each in walk(node.body) if isinstance(each, Text))
        counted = f"{VALUE[0]}_turn({inside}, _around){VALUE[1]}" if self._worth_counting(inside) else ""
        opening = _block(f"for {', '.join(node.names)} in {of}{when}")
        body = self._body(node.body)
        self._loops -= 1
        return opening + counted + body + self._otherwise(node.otherwise) + _block("endfor")

    def _worth_counting(self, chars: int) -> bool:
        """Whether a loop could write so much that it must be stopped before its end; a call a turn is not for
        nothing."""
        return self._metered or self._loops > 1 or chars > COUNTED_FROM_CHARS

    def _kept(self, value: Expression, at: Place) -> str:
        if path_of(value) is not None or isinstance(value, Literal):
            return self._plain(value)
        return f"_kept({self._value(value)}, _around, {self._spot(at, _about(value))})"

    # -- expressions

    def _value(self, node: Expression, missing: str = "_missing") -> str:
        """An expression of which something is made: what is missing is reported, and replaced by its default."""
        if isinstance(node, Index | Attribute) and path_of(node) is None:
            return f"_there({self._plain(node)}, {self._spot(start_of(node), _about(node))}, _around)"
        if path_of(node) is None:
            return self._plain(node, missing)
        path = self._plain(node)
        spot = self._spot(start_of(node), _about(node))
        return f"({path} if {path} is defined and {path} is not none else {missing}({spot}, _around))"

    def _tested(self, node: Expression) -> str:
        """An expression as a condition: what is missing is false, and nobody has to hear of it."""
        match node:
            case Binary(_, "and" | "or" as sign, left, right):
                return f"({self._tested(left)} {sign} {self._tested(right)})"
            case Unary(_, "not", of):
                return f"(not {self._tested(of)})"
            case _:
                return self._plain(node)

    def _plain(self, node: Expression, missing: str = "_missing") -> str:  # one case for each kind of node
        match node:
            case Literal(_, value):
                return _literal(value)
            case Name(_, name):
                return name
            case Attribute(_, of, name):
                return _within(self._plain(of), _literal(name))
            case Index(_, of, key):
                return _within(self._plain(of), self._plain(key))
            case Slice(at, of):
                ends = ", ".join("none" if each is None else self._plain(each) for each in (node.first, node.last))
                return f"_slice({self._value(of, missing)}, {ends}, _around, {self._spot(at, _about(of))})"
            case Call(at, function, arguments):
                return f"_call({_literal(function)}, _around, {self._spot(at, function)}{self._given(arguments)})"
            case Filter():
                return self._filter(node)
            case Test():
                return self._test(node)
            case Unary(at, sign, of):
                if sign == "not":
                    return f"(not {self._tested(of)})"
                return f"_minus(0, {self._value(of)}, _around, {self._spot(at, '-')})"
            case Binary():
                return self._binary(node)
            case Choice(_, condition, then, otherwise):
                last = "''" if otherwise is None else self._value(otherwise)
                return f"({self._value(then)} if {self._tested(condition)} else {last})"
            case ListOf(_, items):
                return f"[{', '.join(map(self._value, items))}]"

    def _binary(self, node: Binary) -> str:
        sign = node.sign
        if sign in _AS_FUNCTION:
            spot = self._spot(node.at, sign)
            return f"{_AS_FUNCTION[sign]}({self._value(node.left)}, {self._value(node.right)}, _around, {spot})"
        if sign == "~":
            return f"({self._value(node.left)} ~ {self._value(node.right)})"
        if sign in ("in", "not in"):
            within = f"_within({self._plain(node.left)}, {self._plain(node.right)})"
            return within if sign == "in" else f"(not {within})"
        if sign in ("and", "or"):
            return f"({self._plain(node.left)} {sign} {self._plain(node.right)})"
        return f"({self._plain(node.left)} {sign} {self._plain(node.right)})"

    def _filter(self, node: Filter) -> str:
        name = self._aliases.get(node.name, node.name)
        if name == "default":
            return self._default(node)
        if name == "safe":
            return f"({self._value(node.of)}|safe)"
        of = self._value(node.of)
        return f"({of}|{name}(_around, {self._spot(start_of(node), _about(node))}{self._given(node.arguments)}))"

    def _default(self, node: Filter) -> str:
        """Missing is what is not there or null; with `true` also what is empty, zero or false."""
        placed = node.arguments.placed
        otherwise = self._value(placed[0]) if placed else "''"
        of = self._plain(node.of)
        empty = len(placed) > 1 and isinstance(placed[1], Literal) and placed[1].value is True
        if path_of(node.of) is None:
            return f"_default({of}, {otherwise}, {'true' if empty else 'false'})"
        there = of if empty else f"{of} is defined and {of} is not none"
        return f"({of} if {there} else {otherwise})"

    def _test(self, node: Test) -> str:
        of = self._plain(node.of)
        if node.name in ("defined", "undefined", "none"):
            there = f"({of} is defined and {of} is not none)"
            return there if (node.name == "defined") is not node.negated else f"(not {there})"
        if node.name in _ENGINE_TESTS:
            return f"({of} is {'not ' if node.negated else ''}{node.name})"
        asked = f"_is({_literal(node.name)}, {of}{self._given(node.arguments)})"
        return f"(not {asked})" if node.negated else asked

    def _given(self, arguments: Arguments) -> str:
        placed = [self._plain(each) for each in arguments.placed]
        named = [f"{name}={self._plain(each)}" for name, each in arguments.named]
        return "".join(f", {each}" for each in (*placed, *named))


def _trusted(node: Expression) -> bool:
    """Whether an address is our own, or the author has encoded it."""
    match node:
        case Filter(_, _, "url_encode" | "urlencode" | "safe") | Call(_, "link"):
            return True
        case _:
            path = path_of(node)
            return path is not None and path[0] == "message"


def _within(of: str, key: str) -> str:
    """What `of` has under a key. The engine would look among the methods of Python as well; a call of ours doesn't."""
    name = key.strip('"')
    if key.isdigit():
        return f"{of}[{key}]"
    if key.startswith('"') and _ASCII_NAME.fullmatch(name) and name not in METHODS and name not in WORDS:
        return f"{of}.{name}"
    return f"_item({of}, {key})"


def _block(inside: str) -> str:
    return f"{BLOCK[0]} {inside} {BLOCK[1]}"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _about(node: Expression) -> str:
    """What a spot is about, as it was written: a path, a filter of something, a function."""
    path = path_of(node)
    if path is not None:
        return str(path[0]) + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path[1:])
    match node:
        case Filter(_, of, name):
            return f"{_about(of)} | {name}"
        case Attribute(_, of, name):
            return f"{_about(of)}.{name}"
        case Index(_, of) | Slice(_, of):
            return f"{_about(of)}[…]"
        case Unary(_, _, of) | Test(_, of):
            return _about(of)
        case Call(_, function):
            return f"{function}()"
        case Binary(_, _, left):
            return _about(left)
        case _:
            return ""
