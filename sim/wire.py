"""The Segment HTTP spec as clients write it: messages, bodies and paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from sim.clock import iso
from sim.truth import Truth

SINGLE_PATHS = {
    "identify": "/v1/i",
    "track": "/v1/t",
    "page": "/v1/p",
    "screen": "/v1/s",
    "group": "/v1/g",
    "alias": "/v1/a",
}
"""The browser's short forms."""

BATCH_MESSAGES_MAX = 400
BATCH_BYTES_MAX = 450_000
"""Clients stay below the spec's 500 KB and 2,500 messages."""

encode = msgspec.json.Encoder().encode


class Message(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One call. Whatever is UNSET is not in the JSON; None is written as null."""

    type: str
    message_id: str
    anonymous_id: str | UnsetType | None = UNSET
    user_id: str | UnsetType = UNSET
    event: Any = UNSET
    name: str | UnsetType = UNSET
    group_id: str | UnsetType = UNSET
    previous_id: str | UnsetType = UNSET
    properties: Any = UNSET
    traits: Any = UNSET
    timestamp: str | UnsetType = UNSET
    original_timestamp: str | UnsetType = UNSET
    integrations: Any = UNSET
    context: Any = UNSET


class Written(NamedTuple):
    """A message as it goes out, when its device made it (true time), its type, and the truth about it."""

    raw: bytes
    made_ms: int
    type: str
    truth: Truth


def with_page(context: bytes, page: bytes) -> msgspec.Raw:
    """An encoded, non-empty context with an encoded page added; cheaper than encoding the whole again."""
    return msgspec.Raw(context[:-1] + b',"page":' + page + b"}")


def batch_body(messages: Sequence[Written], sent_at_ms: int | None) -> bytes:
    """A batch; without `sentAt` when None."""
    items = b",".join([message.raw for message in messages])
    return b'{"batch":[' + items + b"]" + _sent_at(sent_at_ms) + b"}"


def single_body(message: Written, sent_at_ms: int | None) -> bytes:
    """One message as a body of its own."""
    return message.raw[:-1] + _sent_at(sent_at_ms) + b"}"


def _sent_at(sent_at_ms: int | None) -> bytes:
    return b"" if sent_at_ms is None else f',"sentAt":"{iso(sent_at_ms)}"'.encode()


def split_by_time(messages: Sequence[Written], window_ms: int, count_max: int) -> list[list[Written]]:
    """The batches of a client that sends what it has `window_ms` after the first message, or when it has so many."""
    batches: list[list[Written]] = []
    closes_ms = 0
    for message in messages:
        if not batches or message.made_ms > closes_ms or len(batches[-1]) == count_max:
            batches.append([])
            closes_ms = message.made_ms + window_ms
        batches[-1].append(message)
    return batches


def split_by_size(messages: Sequence[Written]) -> list[list[Written]]:
    """As few batches as the limits allow, in order."""
    batches: list[list[Written]] = []
    size = 0
    for message in messages:
        if not batches or len(batches[-1]) == BATCH_MESSAGES_MAX or size + len(message.raw) > BATCH_BYTES_MAX:
            batches.append([])
            size = 0
        batches[-1].append(message)
        size += len(message.raw)
    return batches
