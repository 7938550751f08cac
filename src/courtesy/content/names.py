"""The names that a template uses: whether it knows them at all, and whether real people have them.

Loops and names that are set are followed, so that `product.prise` within `for product in event.products` is found.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from courtesy.base.errors import nearest
from courtesy.content.language.tokens import failed
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
    Output,
    Place,
    Set,
    Slice,
    Test,
    Unary,
    path_of,
    start_of,
    walk,
)
from courtesy.content.scope import HIDDEN

Path = tuple[str | int, ...]
EACH = "[]"
"""In a path: each element of a list."""

CATALOGUE = "catalogue()"
"""In a path: what the function `catalogue` finds, then the name of the catalogue, then `EACH` of its entries."""

LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


class Use(NamedTuple):
    """A path that a template uses. `needed`: nothing is written in its place where it is missing, or a loop is empty;
    not so where it is only asked for, or has a default."""

    path: Path
    at: Place
    needed: bool

    @property
    def said(self) -> str:
        """As one writes it: `event.products[].name`."""
        return written(self.path)


def written(path: Path) -> str:
    """A path as one writes it: `event.products[].name`."""
    parts = (each if each == EACH else f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return "".join(parts).removeprefix(".")


_Known = ChainMap[str, Path | None]
"""Names of the template itself, with the path for which each stands; None where that can't be told."""


def uses(body: Body) -> list[Use]:
    """Every path that a template uses from its scope, in the order of the text. `loop` is not among them."""
    return list(_Finder().body(body, ChainMap()))


def check_names(body: Body, known: Collection[str]) -> None:
    """Raises CourtesyError(INVALID) with line and column for a name that is neither in scope nor set before, and for
    one that can't be given to anything."""
    for node in walk(body):
        given = node.names if isinstance(node, For) else (node.name,) if isinstance(node, Set | Capture) else ()
        for name in given:
            if name in known or name in HIDDEN:
                raise failed(node.at, f"{name!r} has its meaning already", "choose another name")
    for use in uses(body):
        root = str(use.path[0])
        if root not in known and root != CATALOGUE:
            raise failed(use.at, f"there is no name {root!r} here", nearest(root, known))


@dataclass(slots=True)
class _Finder:
    """Follows a template from top to bottom, as it is rendered."""

    in_loop: int = field(default=0)

    def body(self, body: Body, known: _Known) -> Iterator[Use]:
        for node in body:
            match node:
                case Output(_, value):
                    yield from self._value(value, known, needed=True)
                case If(_, branches, otherwise):
                    for condition, inside in branches:
                        yield from self._value(condition, known, needed=False)
                        yield from self.body(inside, known)
                    yield from self.body(otherwise, known)
                case For():
                    yield from self._for(node, known)
                case Set(_, name, value):
                    yield from self._value(value, known, needed=False)
                    known[name] = self._stands_for(value, known)
                case Capture(_, name, inside):
                    yield from self.body(inside, known.new_child())
                    known[name] = None
                case Fragment(_, _, inside):
                    yield from self.body(inside, known)
                case _:
                    pass

    def _for(self, node: For, known: _Known) -> Iterator[Use]:
        yield from self._value(node.of, known, needed=True)
        element = self._stands_for(node.of, known)
        inside = known.new_child()
        inside["loop"] = None
        single = len(node.names) == 1
        for name in node.names:
            inside[name] = (*element, EACH) if element is not None and single else None
        if node.condition is not None:
            yield from self._value(node.condition, inside, needed=False)
        yield from self.body(node.body, inside)
        yield from self.body(node.otherwise, known)

    def _stands_for(self, value: Expression, known: _Known) -> Path | None:
        """The path that an expression leads to; filters and slices that only choose among elements keep it."""
        match value:
            case Slice(_, of) | Filter(_, of, "sort" | "reverse" | "where" | "unique" | "default"):
                return self._stands_for(of, known)
            case Filter(_, of, "first" | "last"):
                of_list = self._stands_for(of, known)
                return None if of_list is None else (*of_list, EACH)
            case Call() | Attribute() if (entry := entry_path(value)) is not None:
                return entry
            case _:
                return _resolved(path_of(value), known)

    def _value(self, node: Expression | None, known: _Known, *, needed: bool) -> Iterator[Use]:
        if node is None:
            return
        path = path_of(node)
        if path is not None:
            full = _resolved(path, known)
            if full is not None:
                yield Use(full, start_of(node), needed)
            return
        entry = entry_path(node)
        if entry is not None:
            yield Use(entry, start_of(node), needed)
        match node:
            case Filter(_, of, "default", arguments):
                yield from self._value(of, known, needed=False)
                for each in arguments.placed:
                    yield from self._value(each, known, needed=needed)
            case Choice(_, condition, then, otherwise):
                yield from self._value(condition, known, needed=False)
                yield from self._value(then, known, needed=needed)
                yield from self._value(otherwise, known, needed=needed)
            case Test(_, of):
                yield from self._value(of, known, needed=False)
            case Unary(_, "not", of):
                yield from self._value(of, known, needed=False)
            case Binary(_, sign, left, right):
                asked = needed and sign in ("+", "-", "*", "/", "//", "%", "~")
                yield from self._value(left, known, needed=asked)
                yield from self._value(right, known, needed=asked)
            case _:
                for part in _parts(node):
                    yield from self._value(part, known, needed=needed)


def _parts(node: Expression) -> Iterator[Expression | None]:
    """The expressions right below a node that is no path."""
    match node:
        case Attribute(of=of) | Unary(of=of):
            yield of
        case Index(of=of, key=key):
            yield from (of, key)
        case Slice():
            yield from (node.of, node.first, node.last)
        case Filter(of=of, arguments=arguments):
            yield of
            yield from arguments.placed
            yield from (each for _, each in arguments.named)
        case Call(arguments=arguments):
            yield from arguments.placed
        case ListOf(items=items):
            yield from items
        case _:
            pass


def entry_path(node: Expression | None) -> Path | None:
    """The path of an entry that is looked up in a catalogue whose name is written out, or of something in it."""
    match node:
        case Call(_, "catalogue", Arguments(placed=(Literal(_, str() as name), *_))):
            return (CATALOGUE, name, EACH)
        case Attribute(_, of, name):
            above = entry_path(of)
            return None if above is None else (*above, name)
        case _:
            return None


def _resolved(path: Path | None, known: Mapping[str, Path | None]) -> Path | None:
    """A path from the scope; None for one that begins with a name of the template of which nothing is known."""
    if path is None or path[0] not in known:
        return path
    above = known[str(path[0])]
    return None if above is None else (*above, *path[1:])


# -- against samples


@dataclass(frozen=True, slots=True)
class Unknown:
    """A path that no sample has, from the first name on that none has. `hint` names what was probably meant."""

    use: Use
    hint: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """A path that some samples lack, `count` of `of`, where nothing would be written in its place."""

    use: Use
    count: int
    of: int


def against_samples(
    body: Body, samples: Sequence[Mapping[str, Any]], seen: Collection[str] = ()
) -> list[Unknown | Lacking]:
    """What of a template's names no sample or not every sample has, each path once. `samples`: the values of scopes.
    `seen`: paths as they are written, which others were seen to have; nothing of them is unknown.

    Where the object or list itself is missing or empty nothing is said of its parts.
    """
    found: dict[Path, Unknown | Lacking] = {}
    needed: dict[Path, Use] = {}
    for use in uses(body):
        if use.path not in needed or (use.needed and not needed[use.path].needed):
            needed[use.path] = use
    for use in needed.values():
        problem = _problem(use, samples, seen)
        if problem is not None:
            found.setdefault(problem.use.path, problem)
    return list(found.values())


def _problem(use: Use, samples: Sequence[Mapping[str, Any]], seen: Collection[str]) -> Unknown | Lacking | None:
    for length in range(2, len(use.path) + 1):
        unknown = _unknown(use._replace(path=use.path[:length]), samples, seen)
        if unknown is not None:
            return unknown
    if not use.needed or use.path[-1] == EACH:
        return None
    lacking = sum(_lacks(sample, use.path) for sample in samples)
    return Lacking(use, lacking, len(samples)) if lacking else None


def _unknown(use: Use, samples: Sequence[Mapping[str, Any]], seen: Collection[str]) -> Unknown | None:
    """Whether nobody has the last name of a path, though some have what it should be in."""
    *above, name = use.path
    if isinstance(name, int) or name == EACH or use.said in seen:
        return None
    objects = [each for sample in samples for each in _at(sample, tuple(above)) if isinstance(each, Mapping)]
    if not objects or any(each.get(name) is not None for each in objects):
        return None
    beside = {str(key) for each in objects for key in each}
    within = f"{written(tuple(above))}."
    beside.update(each.removeprefix(within) for each in seen if each.startswith(within))
    return Unknown(use, nearest(name, sorted(beside)))


def _lacks(sample: Mapping[str, Any], path: Path) -> bool:
    values = [_child(each, path[-1]) for each in _at(sample, path[:-1])]
    return any(each is None for each in values) or (not values and EACH not in path)


def _at(value: Any, path: Path) -> Iterator[Any]:
    if value is None:
        return
    if not path:
        yield value
    elif path[0] == EACH:
        for each in value if isinstance(value, list | tuple) else ():
            yield from _at(each, path[1:])
    else:
        yield from _at(_child(value, path[0]), path[1:])


def _child(value: Any, name: str | int) -> Any:
    if name == EACH:
        return value if isinstance(value, list | tuple) and value else None
    if isinstance(name, int):
        return value[name] if isinstance(value, list | tuple) and len(value) > name else None
    return value.get(name) if isinstance(value, Mapping) else None
