"""The app: every operation at its path, and one way of checking, answering and failing for all of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cache
from typing import Any, cast

import msgspec
from litestar import HttpMethod, Litestar, Request, Response
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as ASGIScope

from courtesy.base.errors import Code, CourtesyError
from courtesy.http import (
    assets,
    browser,
    catalogues,
    consent,
    consent_records,
    content,
    content_drafts,
    content_releases,
    definitions,
    event_schemas,
    events,
    export,
    feedback,
    imports,
    inbox,
    ledger,
    lists,
    messages,
    offers,
    operations,
    people,
    permits,
    placements,
    previews,
    proofs,
    quality,
    quarantine,
    questions,
    recipients,
    redemptions,
    repair,
    requests,
    retention,
    segment_discovery,
    segment_members,
    segments,
    sending,
    standards,
    suppressions,
    tracking,
    warm_up,
    web_views,
)
from courtesy.http.auth import Doorkeeper
from courtesy.http.centre import operations as centre
from courtesy.http.edge import Server
from courtesy.http.errors import answer_to
from courtesy.http.openapi import document
from courtesy.http.operation import Answer, Asked, NoQuery, Operation, read_json, read_query, unquoted
from courtesy.http.sdk import operations as sdk
from courtesy.http.wire import BadBody, read
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope

DEFINITION_BYTES_MAX = 1024 * 1024

Incoming = Request[Any, Any, Any]

_encode = msgspec.json.Encoder().encode


async def describe(asked: Asked[NoQuery, None]) -> Answer:
    """The description of the API."""
    return Answer(_description())


@cache
def _description() -> bytes:
    return _encode(document(OPERATIONS))


OPERATIONS: tuple[Operation, ...] = (
    *tracking.OPERATIONS,
    *browser.OPERATIONS,
    *events.OPERATIONS,
    *people.OPERATIONS,
    *consent.OPERATIONS,
    *consent_records.OPERATIONS,
    *messages.OPERATIONS,
    *ledger.OPERATIONS,
    *permits.OPERATIONS,
    *centre.OPERATIONS,
    *questions.OPERATIONS,
    *offers.OPERATIONS,
    *redemptions.OPERATIONS,
    *repair.OPERATIONS,
    *requests.OPERATIONS,
    *export.OPERATIONS,
    *imports.OPERATIONS,
    *retention.OPERATIONS,
    *standards.OPERATIONS,
    *definitions.OPERATIONS,
    *recipients.OPERATIONS,
    *segments.OPERATIONS,
    *segment_members.OPERATIONS,
    *lists.OPERATIONS,
    *sending.OPERATIONS,
    *suppressions.OPERATIONS,
    *warm_up.OPERATIONS,
    *inbox.OPERATIONS,
    *placements.OPERATIONS,
    *sdk.OPERATIONS,
    *feedback.OPERATIONS,
    *web_views.OPERATIONS,
    *catalogues.OPERATIONS,
    *assets.OPERATIONS,
    *content.OPERATIONS,
    *content_drafts.OPERATIONS,
    *content_releases.OPERATIONS,
    *previews.OPERATIONS,
    *proofs.OPERATIONS,
    *segment_discovery.OPERATIONS,
    *event_schemas.OPERATIONS,
    *quality.OPERATIONS,
    *operations.OPERATIONS,
    *quarantine.OPERATIONS,
    Operation("GET", "/openapi.json", "operations", "The description of this API.", describe, answer=dict[str, Any]),
)
"""Everything that the API can do."""


def create(app: App) -> Litestar:
    """The ASGI app that serves `app`. Whoever runs it starts and stops the parts of `app`."""
    server = Server(
        route_handlers=_handlers(OPERATIONS),
        exception_handlers={Exception: _on_error},
        openapi_config=None,
        logging_config=None,
    )
    open_ = [each for each in OPERATIONS if each.tracking]
    server.cors_routes = frozenset(path for each in open_ for path in (each.path, _template(each)))
    server.state.app = app
    server.state.door = Doorkeeper(app.catalog)
    return server


def _template(operation: Operation) -> str:
    """The path at which Litestar finds an operation. Behind the first name it does not tell paths apart, for it can't
    tell an escaped slash from a plain one."""
    prefix, brace, _ = operation.path.partition("{")
    return f"{prefix}{{rest}}" if brace else operation.path


def _handlers(all_: Iterable[Operation]) -> list[HTTPRouteHandler]:
    """One handler for each path and method that Litestar tells apart, and for each path one that lists its methods."""
    found: dict[str, dict[str, list[Operation]]] = {}
    for operation in all_:
        found.setdefault(_template(operation), {}).setdefault(operation.method, []).append(operation)
    return [
        handler
        for template, methods in found.items()
        for handler in (
            _options(template, sorted({*methods, "OPTIONS", *(("HEAD",) if "GET" in methods else ())})),
            *(_handler(template, method, some) for method, some in methods.items()),
        )
    ]


def _path(template: str) -> str:
    return template.replace("{rest}", "{rest:path}")


def _options(template: str, methods: Sequence[str]) -> HTTPRouteHandler:
    # Litestar would answer too, but names the first method only where a path takes several.
    headers = (("allow", ", ".join(methods)),)

    async def options(request: Incoming) -> ASGIApp:
        return ASGIResponse(status_code=204, headers=headers)

    return HTTPRouteHandler(_path(template), http_method=HttpMethod.OPTIONS, status_code=200)(options)


def _handler(template: str, method: str, some: list[Operation]) -> HTTPRouteHandler:
    # The longest first: `…/{value}/events` before `…/{value}`.
    places = [(_pattern(each.path), each) for each in sorted(some, key=lambda each: -len(each.path))]

    async def handle(request: Incoming) -> ASGIApp:
        answer = await _answer(request, places)
        headers = (("content-type", answer.media_type), *answer.headers)
        if answer.pieces is not None:
            return _in_pieces(answer.status, headers, answer.pieces)
        return ASGIResponse(body=answer.body, status_code=answer.status, headers=headers)

    return HTTPRouteHandler(_path(template), http_method=cast("HttpMethod", method), status_code=200)(handle)


def _in_pieces(status: int, headers: Sequence[tuple[str, str]], pieces: AsyncIterator[bytes]) -> ASGIApp:
    """An answer that is made while it is sent. Should making it fail, the connection ends before the answer does."""

    async def answer(scope: ASGIScope, receive: Receive, send: Send) -> None:
        encoded = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer


def _pattern(path: str) -> re.Pattern[str]:
    """A pattern for the path as it was sent; the last name also takes slashes."""
    parts = re.split(r"\{\w+\}", path)
    names = re.findall(r"\{(\w+)\}", path)
    takes = [*(f"(?P<{name}>[^/]+)" for name in names[:-1]), *(f"(?P<{name}>.+)" for name in names[-1:]), ""]
    return re.compile("".join(re.escape(part) + take for part, take in zip(parts, takes, strict=True)), re.DOTALL)


async def _answer(request: Incoming, places: Sequence[tuple[re.Pattern[str], Operation]]) -> Answer:
    """The outermost edge of every operation: whatever happens, there is an answer in its form."""
    scope = request.scope
    operation: Operation | None = None
    try:
        found = next(((match, each) for pattern, each in places if (match := pattern.fullmatch(scope["path"]))), None)
        if found is None:
            raise NotFoundException
        match, operation = found
        scope["path_template"] = operation.path
        asked = await _asked(request, operation, match.groupdict())
        told = await operation.handle(asked)
    except Exception as error:  # noqa: BLE001 -- the outermost edge
        return answer_to(error, operation)
    return told if isinstance(told, Answer) else Answer(_encode(told), operation.status)


async def _asked(request: Incoming, operation: Operation, path: dict[str, str]) -> Asked[Any, Any]:
    """The request, checked: first who asks, then what."""
    state = request.app.state
    by = ""
    if operation.scope is not None and operation.scope is not Scope.WRITE:
        by = (await state.door.allow(dict(request.scope["headers"]), operation.scope)).name
    names = {name: unquoted(value) for name, value in path.items()}
    query = read_query(operation, request.scope["query_string"])
    body = None if operation.body is None else await _body(request, operation.body)
    return Asked(state.app, state.door, request, operation, names, query, body, by)


async def _body(request: Incoming, type_: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        content = await read(request, DEFINITION_BYTES_MAX)
    except BadBody as bad:
        raise CourtesyError(Code(str(bad.cause)), bad.detail, place="body") from None
    return read_json(content, type_)


def _on_error(request: Incoming, error: Exception) -> Response[bytes]:
    """For what fails before an operation is found: no such path, or no such method there."""
    answer = answer_to(error, None)
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type, headers=dict(answer.headers))
