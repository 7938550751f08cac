"""What one operation of the API is: a path, whom it answers, what it reads, and what it says.

Each is declared once, next to the function that carries it out; routing, checks and `/openapi.json` follow from it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.http.auth import Doorkeeper
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope

if TYPE_CHECKING:
    from litestar import Request  # commands come here for views, and need not load a framework for them

JSON = "application/json"
HTML = "text/html"


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For an operation without parameters."""


Q = TypeVar("Q")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, encoded; `pieces` after `body`, as they come, when it is too large to be held at once."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    pieces: AsyncIterator[bytes] | None = None

    def with_headers(self, *headers: tuple[str, str]) -> Answer:
        """The same with more headers."""
        return replace(self, headers=(*self.headers, *headers))


@dataclass(frozen=True, slots=True)
class Asked(Generic[Q, B]):
    """One request, checked. `by` is the name of the key it came with, empty where none is needed."""

    app: App
    door: Doorkeeper
    request: Request[Any, Any, Any]
    operation: Operation
    path: Mapping[str, str]
    query: Q
    body: B
    by: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """`handle` returns an `Answer`, or a value of `answer`, which is encoded as JSON and sent with `status`.

    `path` is a template as in OpenAPI; a name in braces takes one segment, the last but also slashes. `scope`: what a
    key must allow; None for everybody. With WRITE, `handle` looks for the key itself, since clients put it in several
    places. `tracking`: it belongs to the tracking protocol, whose clients come from any page and ask for its ways of
    saying no. `codes` are the errors that `handle` itself may raise, beside those that follow from the rest.
    `problem` is the body of its errors when it is not the usual one.
    `web`: people open it in browsers, from links to which others add parameters.
    `page`: it also answers as HTML, when asked. `answered` describes the content of a good answer, by media type, when
    it is not `answer` as JSON. `request` and `response` describe, in the form of OpenAPI, bodies that
    `handle` reads or writes itself.
    """

    method: str
    path: str
    tag: str
    summary: str
    handle: Callable[[Asked[Any, Any]], Awaitable[Any]]
    doc: str = ""
    scope: Scope | None = None
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    codes: Sequence[Code] = ()
    tracking: bool = False
    problem: type[msgspec.Struct] | None = None
    page: bool = False
    web: bool = False
    answered: Mapping[str, Any] | None = None
    request: Mapping[str, Any] | None = None
    response: Mapping[str, Any] | None = None
    path_docs: Mapping[str, str] = field(default_factory=dict)

    @property
    def path_names(self) -> list[str]:
        """The names in braces, in order."""
        return re.findall(r"\{(\w+)\}", self.path)


def read_query(operation: Operation, query_string: bytes) -> Any:
    """The parameters as the operation declares them. Raises CourtesyError(INVALID), with the nearest valid name."""
    given = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    declared = {name: name for name in operation.query.__struct_encode_fields__}
    if operation.tracking or operation.web:
        # Proxies, caches and mailers add parameters of their own, and an event must not be lost for that.
        given = {name: value for name, value in given.items() if name in declared}
    for name in given:
        if name not in declared:
            hint = nearest(name, declared) or f"the parameters are: {', '.join(declared) or 'none'}"
            raise CourtesyError(Code.INVALID, f"there is no parameter {name!r:.60}", hint=hint, place="query")
    try:
        query = msgspec.convert(given, operation.query, strict=False)
    except msgspec.ValidationError as error:
        message, place = split_place(error)
        raise CourtesyError(Code.INVALID, message, place=place or "query") from None
    for own, name in zip(operation.query.__struct_fields__, operation.query.__struct_encode_fields__, strict=True):
        # msgspec reads the word "null" as no value, and whoever sent it would never learn of the mistake.
        if name in given and getattr(query, own) is None:
            raise CourtesyError(Code.INVALID, f"expected a value, got {given[name]!r:.60}", place=name)
    return query


def read_json(content: bytes, type_: type[B]) -> B:
    """A body as a value of a type. Raises CourtesyError (UNREADABLE, INVALID) that says what is wrong and where."""
    try:
        return msgspec.json.decode(content, type=type_)
    except msgspec.ValidationError as error:
        message, place = split_place(error)
        raise CourtesyError(Code.INVALID, message, place=place) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CourtesyError(Code.UNREADABLE, f"expected JSON: {error}", place="body") from None


def split_place(error: msgspec.ValidationError) -> tuple[str, str]:
    """Message and place of msgspec's "message - at `$.place`"."""
    message, _, place = str(error).partition(" - at `")
    return message, place.rstrip("`").removeprefix("$").removeprefix(".")


def unquoted(segment: str) -> str:
    """A segment of a path, one character for each byte that was sent, as text.

    Raises CourtesyError(INVALID) for what is not UTF-8, or has a zero character.
    """
    try:
        text = unquote_to_bytes(segment.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise CourtesyError(Code.INVALID, "expected percent-encoded UTF-8", place="path") from None
    if "\0" in text:
        raise CourtesyError(Code.INVALID, "expected a path without the character U+0000", place="path")
    return text
