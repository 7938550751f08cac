"""The tracking API: what clients of the Segment protocol send, in all the ways in which they send it.

Such clients drop what they sent for good on 400, 401, 403, 404 and 413, and count a 3xx as delivered. So whatever is
not durably stored through no fault of theirs is answered with 503 or 429 and `Retry-After`, and nothing is redirected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from courtesy.base.errors import Code
from courtesy.consent.signals import said_by_gpc
from courtesy.event.accept import BATCH_BYTES_MAX, Rejected, SourcePolicy
from courtesy.event.cause import Cause
from courtesy.event.event import EventType
from courtesy.http.auth import Headers, keys_of, write_keys_in
from courtesy.http.body import Envelope, accept_by_turns, open_batch, open_call, rescue_batch, write_key_of
from courtesy.http.errors import Problem
from courtesy.http.metrics import count_fates
from courtesy.http.operation import Answer, Asked, Operation
from courtesy.http.schemas import ANY_BODY, BATCH_BODY, CALL_BODY
from courtesy.http.wire import BadBody, read
from courtesy.runtime.catalog import Scope

Sending = Asked["SourceQuery", None]

CALLS = {
    EventType.IDENTIFY: ("i", "Say who somebody is."),
    EventType.TRACK: ("t", "Tell what somebody did."),
    EventType.PAGE: ("p", "Tell that somebody saw a page."),
    EventType.SCREEN: ("s", "Tell that somebody saw a screen of an app."),
    EventType.GROUP: ("g", "Put somebody into a group, such as their company."),
    EventType.ALIAS: ("a", "Say that an old and a new id are one person."),
    EventType.CONSENT: ("c", "Say what somebody allows, refuses or likes."),
}
"""The calls of the protocol, with the short form that browsers use."""

TYPES = {name: kind for kind, (short, _) in CALLS.items() for name in (kind.value, short)}


class SourceQuery(msgspec.Struct, frozen=True):
    """`source`: where to write to, for an admin key, which belongs to none. `live=false`: history, starts nothing."""

    source: str | None = None
    live: bool = True


class Discarded(msgspec.Struct, frozen=True):
    """Taken and dropped."""

    success: bool


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """What became of an item that was not stored; with the fate `stored`, a warning. `index` is its place, from 0."""

    index: int
    fate: str
    cause: str
    detail: str
    message_id: str | None


class Accepted(msgspec.Struct, frozen=True):
    """Everything is stored but what `results` lists. A read `?after=<position>` sees all of it."""

    success: bool
    position: str
    results: Sequence[Result]


def headers_of(asked: Asked[Any, Any]) -> Headers:
    """The request's headers, names in lower case; of a repeated one the last."""
    return dict(asked.request.scope["headers"])


def has_gpc(asked: Asked[Any, Any]) -> bool:
    """Whether the request has Global Privacy Control: browsers add it, servers do not."""
    return bool(said_by_gpc(headers_of(asked).get(b"sec-gpc", b"").decode("latin-1")))


async def receive_batch(asked: Sending) -> Answer | Accepted:
    """Store the items of a batch."""
    keys = write_keys_in(headers_of(asked))
    content = b""
    try:
        content = await read(asked.request, BATCH_BYTES_MAX)
        envelope = open_batch(content)
    except BadBody as bad:
        return await _receive_bad_batch(asked, keys, content, bad)
    policy = await asked.door.writer((*keys, *_keys_of_batch(envelope, keys)), asked.query.source)
    return await _store(asked, envelope, policy)


def _keys_of_batch(envelope: Envelope, others: tuple[str, ...]) -> tuple[str, ...]:
    """Clients name the key once for the batch, or in a header; or, a few, in each item."""
    if envelope.write_key or others or not envelope.items:
        return keys_of(envelope.write_key)
    return keys_of(write_key_of(envelope.items[0]))


async def _receive_bad_batch(asked: Sending, keys: tuple[str, ...], content: bytes, bad: BadBody) -> Answer | Accepted:
    """Save what can be saved of a body that is no batch; of what can't, keep the beginning."""
    keys = (*keys, *keys_of(write_key_of(content or bad.head)))
    if bad.cause is Cause.UNREADABLE and keys:
        policy = await asked.door.writer(keys, asked.query.source)
        try:
            envelope = rescue_batch(content)
        except BadBody as worse:
            return await _refuse(asked, keys, worse)
        if envelope is not None:
            return await _store(asked, envelope, policy)
    return await _refuse(asked, keys, bad)


async def _refuse(asked: Sending, keys: tuple[str, ...], bad: BadBody) -> Answer:
    """Say no to a body, and keep its beginning if we know for whom."""
    if keys:
        policy = await asked.door.writer(keys, asked.query.source)
        count_fates(await asked.app.ingest.append([Rejected(bad.cause, bad.detail, bad.head)], policy))
    hint = "its beginning is in quarantine" if keys else ""
    return Answer(msgspec.json.encode(Problem(bad.cause, bad.detail, hint, "body")), 400)


async def _store(
    asked: Sending, envelope: Envelope, policy: SourcePolicy, forced_type: EventType | None = None
) -> Accepted:
    app, now_ms, gpc = asked.app, asked.app.clock.now_ms(), has_gpc(asked)
    items = await accept_by_turns(
        app.ingest.turn, envelope, policy, now_ms, forced_type=forced_type, live=asked.query.live, gpc=gpc
    )
    receipt = await app.ingest.append(items, policy)
    count_fates(receipt)
    await app.post.inbox.settle(items)
    results = [Result(each.place, each.fate, each.cause, each.detail, each.message_id) for each in receipt.results]
    return Accepted(True, str(receipt.position), results)


async def receive_call(asked: Sending) -> Answer | Accepted:
    """Store one call, whose type the path says."""
    keys = write_keys_in(headers_of(asked))
    content = b""
    try:
        content = await read(asked.request, BATCH_BYTES_MAX)
        envelope = open_call(content)
    except BadBody as bad:
        return await _refuse(asked, (*keys, *keys_of(write_key_of(content or bad.head))), bad)
    policy = await asked.door.writer((*keys, *keys_of(envelope.write_key)), asked.query.source)
    return await _store(asked, envelope, policy, TYPES[asked.operation.path.rpartition("/")[2]])


async def discard_metrics(asked: Sending) -> Answer:
    """Take the statistics that client libraries send of themselves, and drop them."""
    try:
        await read(asked.request, BATCH_BYTES_MAX)
    except BadBody as bad:
        return await _refuse(asked, (), bad)
    return Answer(b'{"success":true}')


def _operation(path: str, summary: str, handle: Any, body: dict[str, Any], doc: str = "") -> Operation:
    return Operation(
        "POST",
        path,
        "tracking",
        summary,
        handle,
        doc=doc,
        scope=Scope.WRITE,
        query=SourceQuery,
        answer=Accepted,
        codes=(Code.UNREADABLE, Code.TOO_LARGE, Code.NOT_FOUND, Code.TOO_MANY),
        tracking=True,
        request=body,
    )


OPERATIONS = (
    *(_operation(f"/v1/{kind.value}", said, receive_call, CALL_BODY) for kind, (_, said) in CALLS.items()),
    *(
        _operation(f"/v1/{short}", f"Short form of /v1/{kind.value}.", receive_call, CALL_BODY)
        for kind, (short, _) in CALLS.items()
    ),
    _operation(
        "/v1/batch",
        "Send up to 2,500 calls at once.",
        receive_batch,
        BATCH_BODY,
        "Each is judged alone: what is wrong with one does not touch the others.",
    ),
    _operation("/v1/b", "Short form of /v1/batch.", receive_batch, BATCH_BODY),
    _operation("/v1/import", "Older name of /v1/batch.", receive_batch, BATCH_BODY),
    Operation(
        "POST",
        "/v1/m",
        "tracking",
        "Take statistics that client libraries send of themselves, and drop them.",
        discard_metrics,
        answer=Discarded,
        codes=(Code.UNREADABLE, Code.TOO_LARGE),
        tracking=True,
        request=ANY_BODY,
    ),
)
