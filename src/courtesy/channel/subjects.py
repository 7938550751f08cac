"""The calls to a recipient: what is so of a subject is put there, read back from there, and erased there.

Signed like webhooks, after the Standard Webhooks specification. Method and address are not part of what that signs, so
the message id says both: `put_<subject>_<version>`, `read_<subject>`, `erase_<subject>`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpcore
import msgspec

from courtesy import __version__
from courtesy.base.time import SECOND_MS
from courtesy.channel.connections import Connections
from courtesy.channel.contract import Attempt, Delivered, Failed, Outside, Retry, RetryCause
from courtesy.channel.guard import Blocked, Unresolved
from courtesy.channel.webhook import (
    CONNECT_TIMEOUT_S,
    FAILURES,
    IDLE_CONNECTIONS,
    IDLE_S,
    Answer,
    check_url,
    host_header,
    parsed_url,
    signature,
    with_answer,
    without_answer,
)

TIMEOUT_S = 15.0
BODY_BYTES_MAX = 4 * 1024 * 1024
TAG_CHARS_MAX = 200
NOT_THERE = (404, 410)
CONFLICT = 409


class _TooMuch(Exception):
    """An answer is longer than any that is expected."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a recipient is, and what its calls are signed with."""

    url: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a recipient has of a subject, None when that is nothing, and its own version of it (`ETag`)."""

    document: Mapping[str, Any] | None
    tag: str = ""


def check_recipient_url(url: str) -> str:
    """What was expected instead of `url`; empty when paths can be put behind it."""
    if "?" in url or "#" in url:
        return "a URL without a query, as paths are put behind it"
    return check_url(url)


class SubjectCalls:
    """Calls to recipients. Connections to the same one are used again within seconds."""

    def __init__(self, outside: Outside) -> None:
        self._clock = outside.clock
        self._connections = Connections(outside, IDLE_CONNECTIONS, IDLE_S)

    async def aclose(self) -> None:
        """Give back all connections, once nothing is under way."""
        await self._connections.aclose()

    async def put(self, where: Where, subject: str, version: int, body: bytes) -> Attempt:
        """Tell what is so. Delivered also when it says that it has something later (409): reading back shows."""
        answer = await self._call("PUT", where, subject, f"put_{subject}_{version}", body)
        if not isinstance(answer, tuple):
            return answer
        return Delivered(str(CONFLICT)) if answer[0].status == CONFLICT else with_answer(*answer)

    async def erase(self, where: Where, subject: str, body: bytes) -> Attempt:
        """Have it erase a subject. Delivered also when it has none (404, 410)."""
        answer = await self._call("DELETE", where, subject, f"erase_{subject}", body)
        if not isinstance(answer, tuple):
            return answer
        return Delivered(str(answer[0].status)) if answer[0].status in NOT_THERE else with_answer(*answer)

    async def read(self, where: Where, subject: str) -> ReadBack | Retry | Failed:
        """Ask what it has of a subject."""
        body = bytearray()
        answer = await self._call("GET", where, subject, f"read_{subject}", b"", body)
        if not isinstance(answer, tuple):
            return answer
        if answer[0].status in NOT_THERE:
            return ReadBack(None)
        attempt = with_answer(*answer)
        return _read(bytes(body), answer[0]) if isinstance(attempt, Delivered) else attempt

    async def _call(
        self, method: str, where: Where, subject: str, message_id: str, body: bytes, into: bytearray | None = None
    ) -> tuple[Answer, int] | Retry | Failed:
        """The answer, without what it says, and the time; or what an attempt without an answer comes to."""
        url = parsed_url(f"{where.url.rstrip('/')}/subjects/{subject}")
        headers: list[tuple[str | bytes, str | bytes]] = [("Host", host_header(url))]
        headers += self._headers(where.secrets, message_id, body)
        try:
            async with asyncio.timeout(TIMEOUT_S), AsyncExitStack() as stack:
                timeout = {"timeout": {"connect": CONNECT_TIMEOUT_S}}
                request = httpcore.Request(method, url, headers=headers, content=body, extensions=timeout)
                response = await stack.enter_async_context(self._connections.stream(request))
                await _receive(response, bytearray() if into is None else into)
        except (Blocked, Unresolved, *FAILURES) as error:
            return without_answer(error)
        except _TooMuch:
            return Retry(RetryCause.CONNECTION, f"the answer is longer than {BODY_BYTES_MAX} bytes")
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(response.status, told, ""), self._clock.now_ms()

    def _headers(self, secrets: Sequence[str], message_id: str, body: bytes) -> list[tuple[str | bytes, str | bytes]]:
        timestamp_s = self._clock.now_ms() // SECOND_MS
        return [
            ("User-Agent", f"Courtesy/{__version__}"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "identity"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("webhook-id", message_id),
            ("webhook-timestamp", str(timestamp_s)),
            ("webhook-signature", signature(secrets, message_id, timestamp_s, body)),
        ]


async def _receive(response: httpcore.Response, into: bytearray) -> None:
    async for chunk in response.aiter_stream():
        into += chunk
        if len(into) > BODY_BYTES_MAX:
            raise _TooMuch


def _read(body: bytes, answer: Answer) -> ReadBack | Retry:
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Retry(RetryCause.CONNECTION, "expected a JSON object, got something else")
    tag = answer.headers.get("etag", "")
    return ReadBack(document, tag.replace("\0", "")[:TAG_CHARS_MAX])
