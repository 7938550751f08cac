"""Requests of people about their data over HTTP: taken in, listed, answered, and what they are answered with."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code
from courtesy.consent.request import NO_DETAILS, PENDING, Details, RequestKind, RequestState, number_of
from courtesy.engine.request import Request, RequestFilter, RequestPlace
from courtesy.http.operation import HTML, JSON, Answer, Asked, NoQuery, Operation
from courtesy.http.people import PERSON_PATH, past_instant
from courtesy.http.permits import Identifying
from courtesy.http.recipients import ReceiptView
from courtesy.runtime.catalog import Scope
from courtesy.runtime.packages import Package, PackageForm
from courtesy.runtime.request_view import Telling, request_view

PAGE_MAX = 500
REQUEST_PATH = {"number": "The request, like `R-7` or `7`."}
ZIP = "application/zip"

Note = Annotated[str, Meta(max_length=2_000, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, Meta(min_length=1, max_length=2_000, pattern=r"^[^\x00]*\S[^\x00]*$")]


class AskedBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks: any identifier of theirs."""

    kind: Identifying
    value: Identifying


class RequestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody asks for. `confirmed`: whether it is sure that they asked it themselves."""

    kind: RequestKind
    person: AskedBy
    details: Details = NO_DETAILS
    confirmed: bool = True


class NoteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A note for the log."""

    note: Note = ""


class ReasonBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why; the person has to be told."""

    reason: Reason


class RequestsQuery(msgspec.Struct, frozen=True):
    """`state`: in this state; `pending` is confirming and open. `kind`: of this kind. `due_before`: due before an
    instant (ISO 8601). `after`: the `next` of the page before."""

    state: Annotated[str, Meta(pattern=f"^(pending|{'|'.join(RequestState)})$")] | None = None
    kind: RequestKind | None = None
    due_before: str | None = None
    after: Annotated[str, Meta(pattern="^[0-9]{1,15}-[0-9]{1,18}$")] | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 100


class PackageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format=zip`: with its tables as CSV, and for access the page, in one file."""

    format: Annotated[str, Meta(pattern="^(json|zip)$")] = "json"


class RequestView(msgspec.Struct, frozen=True):
    """A request. `due`: the first instant of the last day (UTC) on which it can be answered in time, by `law`, which
    says so in `source`. `extendable_to`: until when it can still be put off, null when it can't. `settled`: when it was
    fulfilled or refused, null while it waits.

    Once they are forgotten `person` and `identifier` are null and `details` empty; `hashes` are the salted SHA-256 of
    identifiers by which they are told, when they ask, that it was done.
    """

    number: int
    request: str
    kind: RequestKind
    state: RequestState
    person: str | None
    identifier: str | None
    details: dict[str, Any]
    law: str
    source: str
    received: str
    due: str
    overdue: bool
    extended: bool
    extendable_to: str | None
    settled: str | None
    hashes: list[str]


class RequestLineView(msgspec.Struct, frozen=True):
    """What was done about a request: when, by whom, what, and why or how."""

    at: str
    by: str
    what: str
    note: str


class RequestWithLog(RequestView, frozen=True):
    """A request, with all that was done about it, and what recipients were told because of it: `told` sums that up."""

    log: list[RequestLineView]
    told: Telling
    receipts: list[ReceiptView]


class RequestPage(msgspec.Struct, frozen=True):
    """Requests in order of when they are due. `next` leads to more; null at the end."""

    requests: list[RequestView]
    next: str | None


class RequestsView(msgspec.Struct, frozen=True):
    """All that somebody asked for, in order of when it was due."""

    requests: list[RequestView]


async def _shown(asked: Asked[Any, Any], request: Request) -> dict[str, Any]:
    return await asked.app.requests.view(request.number)


async def open_request(asked: Asked[NoQuery, RequestBody]) -> dict[str, Any]:
    """Take in a request."""
    body, app = asked.body, asked.app
    key = app.people.key_of(body.person.kind, body.person.value)
    request = await app.requests.open(body.kind, key, asked.by, body.details, is_confirmed=body.confirmed)
    return await _shown(asked, request)


async def list_requests(asked: Asked[RequestsQuery, None]) -> dict[str, Any]:
    """A page of requests."""
    query = asked.query
    states = None if query.state is None else PENDING if query.state == "pending" else {RequestState(query.state)}
    which = RequestFilter(
        None if states is None else frozenset(states),
        query.kind,
        None if query.due_before is None else past_instant(query.due_before, "query.due_before"),
    )
    after = None if query.after is None else RequestPlace(*map(int, query.after.split("-")))
    found = await asked.app.requests.found(which, after, query.limit)
    has_more = len(found) == query.limit
    now_ms = asked.app.clock.now_ms()
    return {
        "requests": [request_view(each, now_ms) for each in found],
        "next": f"{found[-1].due_ms}-{found[-1].number}" if has_more else None,
    }


async def read_request(asked: Asked[NoQuery, None]) -> dict[str, Any]:
    """One request."""
    return await _shown(asked, await asked.app.requests.get(number_of(asked.path["number"])))


async def confirm_request(asked: Asked[NoQuery, NoteBody]) -> dict[str, Any]:
    """It is them."""
    return await _shown(
        asked, await asked.app.requests.confirm(number_of(asked.path["number"]), asked.by, asked.body.note)
    )


async def fulfil(asked: Asked[NoQuery, None]) -> dict[str, Any]:
    """Do it."""
    return await _shown(asked, await asked.app.requests.fulfil(number_of(asked.path["number"]), asked.by))


async def refuse(asked: Asked[NoQuery, ReasonBody]) -> dict[str, Any]:
    """Do not do it."""
    return await _shown(
        asked, await asked.app.requests.refuse(number_of(asked.path["number"]), asked.by, asked.body.reason)
    )


async def extend(asked: Asked[NoQuery, ReasonBody]) -> dict[str, Any]:
    """Do it later."""
    return await _shown(
        asked, await asked.app.requests.extend(number_of(asked.path["number"]), asked.by, asked.body.reason)
    )


async def read_package(asked: Asked[PackageQuery, None]) -> Answer:
    """What programs read."""
    return _file(
        await asked.app.packages.hand_out(number_of(asked.path["number"]), asked.by, PackageForm(asked.query.format))
    )


async def read_page(asked: Asked[NoQuery, None]) -> Answer:
    """What people read."""
    return _file(await asked.app.packages.hand_out(number_of(asked.path["number"]), asked.by, PackageForm.HTML))


def _file(package: Package) -> Answer:
    headers = (("content-disposition", f'attachment; filename="{package.name}"'), ("cache-control", "no-store"))
    return Answer(package.content, media_type=package.media_type, headers=headers)


async def requests_of(asked: Asked[NoQuery, None]) -> dict[str, Any]:
    """What somebody asked."""
    found = await asked.app.requests.of(asked.path["kind"], asked.path["value"])
    now_ms = asked.app.clock.now_ms()
    return {"requests": [request_view(each, now_ms) for each in found]}


def _step(name: str, summary: str, handle: Any, body: type[msgspec.Struct] | None, doc: str = "") -> Operation:
    return Operation(
        "POST",
        f"/v1/requests/{{number}}/{name}",
        "requests",
        summary,
        handle,
        doc=doc,
        scope=Scope.ADMIN,
        body=body,
        answer=RequestWithLog,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs=REQUEST_PATH,
    )


_ANY_JSON = {"schema": {"type": "object"}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}

OPERATIONS = (
    Operation(
        "POST",
        "/v1/requests",
        "requests",
        "Take in a request of a person about their data.",
        open_request,
        doc="For access, rectification, erasure, portability, restriction or objection. The deadline is that of the law"
        " where they are. Who asks the same twice gets the request that is pending.",
        scope=Scope.ADMIN,
        body=RequestBody,
        answer=RequestWithLog,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
    ),
    Operation(
        "GET",
        "/v1/requests",
        "requests",
        "List requests in order of when they are due.",
        list_requests,
        scope=Scope.ADMIN,
        query=RequestsQuery,
        answer=RequestPage,
    ),
    Operation(
        "GET",
        "/v1/requests/{number}",
        "requests",
        "Read a request, with what was done about it.",
        read_request,
        scope=Scope.ADMIN,
        answer=RequestWithLog,
        codes=(Code.NOT_FOUND,),
        path_docs=REQUEST_PATH,
    ),
    _step("confirm", "Note that it is sure who asked.", confirm_request, NoteBody),
    _step(
        "fulfil",
        "Do what was asked, and note that it is done.",
        fulfil,
        None,
        "Doing it again does it once. Access and portability are handed out by `…/package` and `…/page`.",
    ),
    _step("refuse", "Answer that it is not done, and why.", refuse, ReasonBody),
    _step("extend", "Put the answer off, once, before it is due, as far as the law allows.", extend, ReasonBody),
    Operation(
        "GET",
        "/v1/requests/{number}/package",
        "requests",
        "Hand out what a request for access or portability is answered with.",
        read_package,
        doc="Made of what is held now. That it was handed out is in the request's log.",
        scope=Scope.ADMIN,
        query=PackageQuery,
        answered={JSON: _ANY_JSON, ZIP: _BINARY},
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs=REQUEST_PATH,
    ),
    Operation(
        "GET",
        "/v1/requests/{number}/page",
        "requests",
        "Hand out the answer to a request for access as a page to read or print.",
        read_page,
        doc="That it was handed out is in the request's log.",
        scope=Scope.ADMIN,
        answered={HTML: {"schema": {"type": "string"}}},
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs=REQUEST_PATH,
    ),
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/requests",
        "requests",
        "List what a person asked for, also after they were forgotten.",
        requests_of,
        doc="Who is forgotten is found by the salted hash of an identifier that was theirs when they asked.",
        scope=Scope.ADMIN,
        answer=RequestsView,
        path_docs=PERSON_PATH,
    ),
)
