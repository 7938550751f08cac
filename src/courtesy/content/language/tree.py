"""The tree of a template. Every node knows its place, so that whoever finds fault can say where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import NamedTuple


class Place(NamedTuple):
    """Line and column count from 1, columns in characters. `source` names a fragment; empty for the template."""

    line: int
    column: int
    source: str = ""

    def __str__(self) -> str:
        of = f" of {self.source}" if self.source else ""
        return f"line {self.line}, column {self.column}{of}"


Constant = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Literal:
    """Text, a number, true, false or none."""

    at: Place
    value: Constant


@dataclass(frozen=True, slots=True)
class Name:
    """What is in scope under a name."""

    at: Place
    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """What something has under a name: `person.traits`."""

    at: Place
    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """What something has at a number or under a computed name: `event.products[0]`."""

    at: Place
    of: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a list or text from `first` up to `last`, which is left out; None is for its end."""

    at: Place
    of: Expression
    first: Expression | None
    last: Expression | None


@dataclass(frozen=True, slots=True)
class Arguments:
    """What stands in parentheses: by place, then by name."""

    placed: tuple[Expression, ...] = ()
    named: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """The answer of a function that is in scope."""

    at: Place
    function: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Filter:
    """A value changed by a filter: `price | money`."""

    at: Place
    of: Expression
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Test:
    """Whether something `is` so, or is not."""

    at: Place
    of: Expression
    name: str
    arguments: Arguments
    negated: bool


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x` or `-x`."""

    at: Place
    sign: str
    of: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """Two values and what stands between them: `and`, `or`, a comparison, `in`, `not in`, arithmetic, `~`."""

    at: Place
    sign: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if condition else otherwise`; None for nothing."""

    at: Place
    condition: Expression
    then: Expression
    otherwise: Expression | None


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    at: Place
    items: tuple[Expression, ...]


Expression = Literal | Name | Attribute | Index | Slice | Call | Filter | Test | Unary | Binary | Choice | ListOf


@dataclass(frozen=True, slots=True)
class Text:
    """What is written as it stands."""

    at: Place
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """`{{ value }}`."""

    at: Place
    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    """The body of the first branch whose condition holds, else `otherwise`."""

    at: Place
    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body


@dataclass(frozen=True, slots=True)
class For:
    """The body once for each element that fulfils the condition; `otherwise` when there is none.

    `names`: one, or two for pairs.
    """

    at: Place
    names: tuple[str, ...]
    of: Expression
    condition: Expression | None
    body: Body
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Set:
    """A name for a value, up to the end of the loop or branch in which it stands, or of the template."""

    at: Place
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Capture:
    """A name for what the body says."""

    at: Place
    name: str
    body: Body


@dataclass(frozen=True, slots=True)
class Fragment:
    """The body of another template that is used here."""

    at: Place
    name: str
    body: Body


Node = Text | Output | If | For | Set | Capture | Fragment
Body = tuple[Node, ...]


def path_of(node: Expression) -> tuple[str | int, ...] | None:
    """`person.traits["city"]` as its names and numbers; None for anything else than a path."""
    match node:
        case Name(_, name):
            return (name,)
        case Attribute(_, of, name):
            above = path_of(of)
            return None if above is None else (*above, name)
        case Index(_, of, Literal(_, str() | int() as key)):
            above = path_of(of)
            return None if above is None else (*above, key)
        case _:
            return None


def start_of(node: Expression) -> Place:
    """Where a path begins; for anything else its own place."""
    while isinstance(node, Attribute | Index):
        node = node.of
    return node.at


def walk(item: object) -> Iterator[Node | Expression]:
    """Every node of a body, node or expression, in the order of the text; a fragment's too."""
    if isinstance(item, tuple) and not isinstance(item, Place):
        for each in item:
            yield from walk(each)
    elif is_dataclass(item):
        if not isinstance(item, Arguments):
            yield item  # type: ignore[misc]
        for field in fields(item):
            yield from walk(getattr(item, field.name))
