"""What comes back about messages, over HTTP: tracked links and pictures, returned mail, providers' reports."""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.channel.email.provider import Received
from courtesy.content.links import Ticket, Use, destination
from courtesy.delivery.bot_verdict import Seen
from courtesy.delivery.outcome import OutcomeKind
from courtesy.delivery.returned import Returned, outcomes_of
from courtesy.http.operation import HTML, Answer, Asked, Operation
from courtesy.http.tracking import headers_of
from courtesy.http.wire import BadBody, read
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope

MAIL_BYTES_MAX = 2 * 1024 * 1024
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b")
"""A transparent GIF of one point."""

PREFETCH_HEADERS = (b"purpose", b"sec-purpose", b"x-purpose", b"x-moz")
NEVER_KEPT = (("cache-control", "no-store, private"), ("x-robots-tag", "noindex, nofollow"))


class AnyQuery(msgspec.Struct, frozen=True):
    """Parameters that others add to links; none of them means anything here."""


class MailQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`to`: the address of the envelope, if your mail server tells it: it says which message came back."""

    to: str = ""


class ReportTakenView(msgspec.Struct, frozen=True):
    """How many reports were in it, and how many of them are news about messages of ours."""

    reports: int
    news: int


def _seen(asked: Asked[Any, Any], *, is_click: bool) -> Seen:
    headers = headers_of(asked)
    told = [headers.get(name, b"").lower() for name in PREFETCH_HEADERS]
    return Seen(
        is_click=is_click,
        at_ms=asked.app.clock.now_ms(),
        method=asked.request.method,
        user_agent=headers.get(b"user-agent", b"").decode("latin-1"),
        ip=asked.request.client.host if asked.request.client is not None else "",
        is_prefetch=any(b"prefetch" in each or b"preview" in each for each in told),
    )


async def follow_link(asked: Asked[AnyQuery, None]) -> Answer:
    """Lead to where a link of a message leads, and note that it was followed."""
    app = asked.app
    ticket = app.post.tokens.link_keys.ticket(Use.LINK, asked.path["token"])
    address = None if ticket is None else await _destination(app, ticket)
    if ticket is None or address is None:
        return not_found()
    await app.post.feedback.read(OutcomeKind.CLICKED, ticket, _seen(asked, is_click=True), address)
    return Answer(b"", 302, HTML, (("location", address), *NEVER_KEPT))


def not_found() -> Answer:
    """A page for links that lead nowhere."""
    return Answer(_NOT_FOUND, 404, f"{HTML}; charset=utf-8", NEVER_KEPT)


async def note_opening(asked: Asked[AnyQuery, None]) -> Answer:
    """A picture of one point, and note that it was fetched."""
    ticket = asked.app.post.tokens.link_keys.ticket(Use.OPEN, asked.path["token"])
    if ticket is not None:
        await asked.app.post.feedback.read(OutcomeKind.OPENED, ticket, _seen(asked, is_click=False))
    return Answer(PIXEL, 200, "image/gif", NEVER_KEPT)


async def _destination(app: App, ticket: Ticket) -> str | None:
    """Where a slot of a published version leads; None when there is no such slot."""
    try:
        slots = await app.post.feedback.slots(ticket.content, ticket.version)
    except CourtesyError:
        return None
    found = (
        destination(slot, ticket.values, app.settings.linked_hosts) for slot in slots if slot.number == ticket.slot
    )
    return next((each for each in found if each is not None), None)


async def take_mail(asked: Asked[MailQuery, None]) -> ReportTakenView:
    """Take in returned mail: a bounce, a complaint, an automatic answer."""
    app = asked.app
    returned = Returned(await _body(asked), asked.query.to, app.clock.now_ms())
    found = outcomes_of(returned, app.post.tokens.token_key)
    return ReportTakenView(len(found), await app.post.feedback.report(found))


async def take_report(asked: Asked[AnyQuery, None]) -> ReportTakenView:
    """Take in what a provider reports of the messages of a connection, once it is certain that it is the provider."""
    app, name = asked.app, asked.path["name"]
    await app.catalog.refresh()
    connection = app.catalog.now.connections.get(name)
    reporter = None if connection is None else app.post.reporters.get(connection.component)
    if connection is None or reporter is None:
        raise CourtesyError(Code.NOT_FOUND, f"nothing named {name!r:.120} is connected that is reported of")
    headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in headers_of(asked).items()}
    found = await reporter.told(Received(headers, await _body(asked)), connection.config)
    return ReportTakenView(len(found), await app.post.feedback.report(found))


async def _body(asked: Asked[Any, Any]) -> bytes:
    try:
        return await read(asked.request, MAIL_BYTES_MAX)
    except BadBody as error:
        raise CourtesyError(Code.INVALID, str(error), place="body") from None


_NOT_FOUND = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found</title>'
    b"<p>This link leads nowhere. It may be cut off: copy all of it.</p></html>"
)
TOKEN_DOCS = {"token": "The end of a link in a message."}

OPERATIONS = (
    Operation(
        "GET",
        "/l/{token}",
        "sending",
        "Follow a link in a message.",
        follow_link,
        doc="Leads only where the published content leads.",
        query=AnyQuery,
        web=True,
        response={"302": {"description": "Where it leads."}, "404": {"description": "A page that says so."}},
        path_docs=TOKEN_DOCS,
    ),
    Operation(
        "GET",
        "/o/{token}",
        "sending",
        "A picture of one point, by which an opening shows.",
        note_opening,
        query=AnyQuery,
        web=True,
        response={"200": {"description": "The picture.", "content": {"image/gif": {}}}},
        path_docs=TOKEN_DOCS,
    ),
    Operation(
        "POST",
        "/v1/returned-mail",
        "sending",
        "Take in returned mail.",
        take_mail,
        doc="The whole message as it came, also as `message/rfc822`: what your mail server gets for `bounces`.",
        query=MailQuery,
        scope=Scope.ADMIN,
        request={"required": True, "content": {"text/plain": {"schema": {}}}},
        answer=ReportTakenView,
    ),
    Operation(
        "POST",
        "/reports/{name}",
        "sending",
        "Take in what a provider reports of the messages of a connection.",
        take_report,
        doc="Give the provider this address. What it signs is verified; what nobody signed is refused.",
        query=AnyQuery,
        web=True,
        request={"required": True, "content": {"application/json": {"schema": {}}}},
        answer=ReportTakenView,
        codes=(Code.NOT_FOUND, Code.UNAUTHENTICATED, Code.UNREADABLE, Code.INVALID),
        path_docs={"name": "The connection."},
    ),
)
