"""What waits to be shown to a visitor of a page: asked for, or told as it comes.

The live stream is server-sent events, as browsers read them with `EventSource`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.engine.delivery import InboxItem
from courtesy.http.auth import keys_of, write_keys_in
from courtesy.http.operation import Answer, Asked, NoQuery, Operation
from courtesy.http.tracking import headers_of
from courtesy.runtime.catalog import Scope
from courtesy.runtime.inbox import Inbox, Listener
from courtesy.runtime.visitors import Claimed, Visitor

HEARTBEAT_S = 15.0
RETRY_MS = 2_000
STREAM = "text/event-stream"

Identifying = Annotated[str, Meta(max_length=1_000, pattern=r"^[^\x00]*$")]


class VisitorQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Who it is for: `anonymousId`, or `userId` with `userHash`, the HMAC-SHA256 of it under the source's identity
    secret in hexadecimal digits. `writeKey`: for those who can't send headers."""

    anonymous_id: Identifying = ""
    user_id: Identifying = ""
    user_hash: Annotated[str, Meta(max_length=200)] = ""
    write_key: str = ""


class LiveQuery(VisitorQuery, frozen=True, rename="camel"):
    """`lastEventId`: the message that came last, as the header `Last-Event-ID`, which browsers send by themselves."""

    last_event_id: Annotated[str, Meta(max_length=1_000)] = ""


class InboxView(msgspec.Struct, frozen=True):
    """What waits to be shown, the oldest first. Each has `message`, its id, `title`, `text`, `link`, `display`, as its
    content says, `image` with its `url` and in words (`alt`), `offer`, `asked` and `expires`."""

    messages: list[dict[str, Any]]


class IdentitySecret(msgspec.Struct, frozen=True):
    """What a site signs the ids of its users with. It belongs on a server, never in a page."""

    source: str
    secret: str


async def visitor_of(asked: Asked[Any, Any], told: VisitorQuery) -> Visitor | None:
    """The visitor for whom a page asks; None for one whom nothing is known of. Raises CourtesyError: UNAUTHENTICATED,
    FORBIDDEN, INVALID."""
    keys = (*write_keys_in(headers_of(asked)), *keys_of(told.write_key))
    await asked.door.writer(keys)
    grant = await asked.door.grant(keys, (Scope.WRITE,))
    if grant is None or grant.source is None:
        raise CourtesyError(Code.FORBIDDEN, "expected a write key")
    return await asked.app.post.visitors.find(grant.source, Claimed(told.anonymous_id, told.user_id, told.user_hash))


def message_view(item: InboxItem) -> dict[str, Any]:
    """A message as a page shows it. What only reports need, and what it is permitted for, stays here."""
    body: dict[str, Any] = msgspec.json.decode(item.body)
    for each in ("token", "permitted"):
        body.pop(each, None)
    return {**body, "asked": to_iso(item.created_ms), "expires": to_iso(item.expires_ms)}


async def read_inbox(asked: Asked[VisitorQuery, None]) -> InboxView:
    """What waits."""
    visitor = await visitor_of(asked, asked.query)
    items = [] if visitor is None else await asked.app.post.inbox.waiting(visitor.people)
    return InboxView([message_view(each) for each in items])


async def listen_to_inbox(asked: Asked[LiveQuery, None]) -> Answer:
    """What waits, and what comes."""
    visitor = await visitor_of(asked, asked.query)
    if visitor is None:
        raise CourtesyError(Code.NOT_FOUND, "nothing is known of this visitor yet", hint="send an event first")
    listener = asked.app.post.inbox.listen(visitor.people)
    last = asked.query.last_event_id or headers_of(asked).get(b"last-event-id", b"").decode("utf-8", "replace")
    if last:
        listener.skip(last)
    return Answer(b"", 200, STREAM, (("x-accel-buffering", "no"),), _stream(asked, listener))


async def _stream(asked: Asked[LiveQuery, None], listener: Listener) -> AsyncIterator[bytes]:
    """What a listener hears, until they go, may not hear it any more, or the server stops."""
    inbox: Inbox = asked.app.post.inbox
    leaving = asyncio.create_task(_left(asked, listener))
    try:
        yield b"retry: %d\n\n" % RETRY_MS
        await inbox.look(listener)
        while not listener.is_over:
            fresh, gone = await listener.hear(HEARTBEAT_S)
            for message in gone:
                yield _said("gone", {"message": message})
            for each in fresh:
                yield _said("message", message_view(each), each.message)
            if not fresh and not gone and not listener.is_over:
                await _look_again(asked, listener)
                yield b": still here\n\n"
    except CourtesyError:
        return
    finally:
        leaving.cancel()
        inbox.leave(listener)


async def _look_again(asked: Asked[LiveQuery, None], listener: Listener) -> None:
    """Who they are and what waits for them by now. Raises CourtesyError when they may not know."""
    visitor = await visitor_of(asked, asked.query)
    if visitor is None:
        raise CourtesyError(Code.NOT_FOUND, "this visitor is no more")
    listener.people = visitor.people
    await asked.app.post.inbox.look(listener)


async def _left(asked: Asked[LiveQuery, None], listener: Listener) -> None:
    """End it when the other side goes; sending alone does not tell."""
    with suppress(asyncio.CancelledError):
        while (await asked.request.receive())["type"] != "http.disconnect":
            pass
        listener.end()


def _said(event: str, data: dict[str, Any], name: str = "") -> bytes:
    """One event. JSON has no line breaks in it; an id with one would end there, so it is left out."""
    id_ = f"id: {name}\n" if name and name.isprintable() else ""
    return f"{id_}event: {event}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


async def read_identity_secret(asked: Asked[NoQuery, None]) -> IdentitySecret:
    """The secret of a source."""
    await asked.app.catalog.refresh()
    return IdentitySecret(asked.path["name"], asked.app.post.visitors.secret(asked.path["name"]))


def _visited(path: str, summary: str, handle: Any, **more: Any) -> Operation:
    return Operation("GET", path, "in_app", summary, handle, scope=Scope.WRITE, tracking=True, **more)


OPERATIONS = (
    _visited(
        "/v1/inbox",
        "What waits to be shown to a visitor.",
        read_inbox,
        doc="It waits until an event `Message Clicked` or `Message Dismissed` with the property `message` comes in.",
        query=VisitorQuery,
        answer=InboxView,
    ),
    _visited(
        "/v1/inbox/live",
        "The same, and what comes, as server-sent events.",
        listen_to_inbox,
        doc="Events are `message`, whose id is the message's, and `gone` for one that waits no more. After a break"
        " everything that still waits comes again, but for the one that `Last-Event-ID` names.",
        query=LiveQuery,
        answered={STREAM: {"schema": {"type": "string"}}},
        codes=(Code.NOT_FOUND, Code.TOO_MANY),
    ),
    Operation(
        "GET",
        "/v1/sources/{name}/identity-secret",
        "sources",
        "The secret with which a site signs the ids of its users.",
        read_identity_secret,
        scope=Scope.ADMIN,
        answer=IdentitySecret,
        codes=(Code.NOT_FOUND,),
        path_docs={"name": "The source, percent-encoded."},
    ),
)
