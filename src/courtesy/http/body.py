"""From a body to what becomes of its items: calls and batches of the tracking protocol, decoded and accepted."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from courtesy.event.accept import (
    BATCH_EVENTS_MAX,
    Accepted,
    Draft,
    Rejected,
    SourcePolicy,
    accept,
)
from courtesy.event.call import EMPTY, Batch, Scalar
from courtesy.event.cause import Cause
from courtesy.event.event import EventType
from courtesy.event.held import same_id
from courtesy.http.split import children, members
from courtesy.http.wire import BadBody
from courtesy.runtime.ingest import TURN_ITEMS

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_BATCH = msgspec.json.Decoder(Batch)
_SCALAR = msgspec.json.Decoder(Scalar)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_WRITE_KEY_TEXT = re.compile(rb'"writeKey"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]{1,512})"')


class _Keyed(msgspec.Struct, rename="camel"):
    """As much of a call as says whose it is."""

    write_key: Any = None


_KEYED = msgspec.json.Decoder(_Keyed)


class Envelope(msgspec.Struct, frozen=True):
    """The items of a body, each as it came, and what the body says for all of them. `write_key` is empty if absent."""

    items: Sequence[bytes]
    write_key: str = ""
    sent_at: Scalar = None
    context: msgspec.Raw = EMPTY
    integrations: msgspec.Raw = EMPTY


def open_batch(content: bytes) -> Envelope:
    """The items of a batch. Raises BadBody for what is no batch in JSON, or has too many items."""
    content = content.removeprefix(BYTE_ORDER_MARK)
    try:
        batch = _BATCH.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBody(Cause.UNREADABLE, _said(error), content) from None
    items = [bytes(item) for item in batch.batch]
    return _counted(Envelope(items, batch.write_key or "", batch.sent_at, batch.context, batch.integrations), content)


def rescue_batch(content: bytes) -> Envelope | None:
    """The items of a batch in which something is broken, so that the others can be stored; None when none is found.

    It takes 30 times as long as `open_batch`, so find out first who is asking.
    """
    content = content.removeprefix(BYTE_ORDER_MARK)
    parts = members(content)
    items = children(parts.get("batch", b"")) if parts is not None else None
    if parts is None or items is None or parts["batch"][:1] != b"[":
        return None
    write_key, sent_at = _scalar(parts.get("writeKey")), _scalar(parts.get("sentAt"))
    envelope = Envelope(
        [item.strip() for item in items],
        write_key if isinstance(write_key, str) else "",
        sent_at,
        msgspec.Raw(parts["context"]) if "context" in parts else EMPTY,
        msgspec.Raw(parts["integrations"]) if "integrations" in parts else EMPTY,
    )
    return _counted(envelope, content)


def _counted(envelope: Envelope, content: bytes) -> Envelope:
    if len(envelope.items) > BATCH_EVENTS_MAX:
        detail = f"expected at most {BATCH_EVENTS_MAX} events, got {len(envelope.items)}"
        raise BadBody(Cause.TOO_LARGE, detail, content)
    return envelope


def _said(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else f"expected JSON of the protocol: {error}"


def _scalar(text: bytes | None) -> Scalar:
    try:
        return _SCALAR.decode(text) if text else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def open_call(content: bytes) -> Envelope:
    """A body that is one call. Raises BadBody for what is no object in JSON; the rest is for accept to judge."""
    content = content.removeprefix(BYTE_ORDER_MARK)
    try:
        write_key = _KEYED.decode(content).write_key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBody(Cause.UNREADABLE, _said(error), content) from None
    return Envelope((content,), write_key if isinstance(write_key, str) else "")


def open_items(content: bytes) -> list[bytes]:
    """The items of a JSON array. Raises BadBody when it can't be told where they begin and end."""
    try:
        return [bytes(item) for item in _ITEMS.decode(content)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        items = children(content)
        if items is None:
            raise BadBody(Cause.UNREADABLE, _said(error), content) from None
        return [item.strip() for item in items]


def write_key_of(content: bytes) -> str:
    """The `writeKey` of a call; of a broken one what looks like it; empty when there is none."""
    try:
        return open_call(content).write_key
    except BadBody:
        guessed = _WRITE_KEY_TEXT.search(content)
        return guessed[1].decode() if guessed else ""


def accept_all(
    envelope: Envelope,
    policy: SourcePolicy,
    received_ms: int,
    *,
    forced_type: EventType | None = None,
    live: bool = True,
    gpc: bool = False,
) -> list[Accepted | Rejected]:
    """What accept says of each item, in order. `gpc`: the request has Global Privacy Control."""
    sent_at, context, integrations = envelope.sent_at, envelope.context, envelope.integrations
    return [
        accept(Draft(item, policy, received_ms, sent_at, own_id, forced_type, live, context, integrations, gpc))
        for item in envelope.items
    ]


async def accept_by_turns(
    turn: Callable[[], Awaitable[None]],
    envelope: Envelope,
    policy: SourcePolicy,
    received_ms: int,
    *,
    forced_type: EventType | None = None,
    live: bool = True,
    gpc: bool = False,
) -> list[Accepted | Rejected]:
    """What `accept_all` says, with a `turn` awaited before every `TURN_ITEMS` items."""
    accepted: list[Accepted | Rejected] = []
    for at in range(0, len(envelope.items), TURN_ITEMS):
        await turn()
        part = msgspec.structs.replace(envelope, items=envelope.items[at : at + TURN_ITEMS])
        accepted += accept_all(part, policy, received_ms, forced_type=forced_type, live=live, gpc=gpc)
    return accepted


def own_id(item: bytes) -> str:
    """A message id for an item that has none.

    When the item tells its time it is made from its bytes, so that sending it again does not count it twice. Without
    a time, two equal items are two events.
    """
    return same_id(item) or f"new-{uuid.uuid4()}"
