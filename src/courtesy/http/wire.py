"""Bodies as they come over the wire: read with a limit, unpacked with a limit, cut into lines.

No label is believed. A body is gzip when it begins like gzip, whatever `Content-Encoding` or `Content-Type` say.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.cause import Cause

if TYPE_CHECKING:
    from litestar import Request  # commands come here for views, and need not load a framework for them

HEAD_BYTES = 64 * 1024
"""How much is kept of a body, or a line, that can't be taken."""

DRAIN_BYTES_MAX = 8 * 1024 * 1024
"""How much of an oversize body is read and dropped, so that the client hears the answer instead of a broken pipe."""

WAIT_S = 60.0
"""How long a body may take (the tracking API), or its next piece (streams)."""

GZIP_MAGIC = b"\x1f\x8b"
GZIP_MEMBERS_MAX = 16
UNPACK_BYTES = 256 * 1024
_GZIP_BITS = 31


class BadBody(Exception):
    """A body that is refused as a whole. `head` is its beginning, to be kept."""

    def __init__(self, cause: Cause, detail: str, head: bytes) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail
        self.head = head[:HEAD_BYTES]


async def _next(request: Request[Any, Any, Any]) -> tuple[bytes, bool]:
    """The next piece of a body, and whether there are more. Raises CourtesyError when nobody sends any more."""
    message: Any = await request.receive()
    if message["type"] == "http.disconnect":
        raise CourtesyError(Code.UNREADABLE, "the connection was closed before the body was complete")
    return message.get("body", b""), bool(message.get("more_body"))


async def pieces(request: Request[Any, Any, Any], wait_s: float = WAIT_S) -> AsyncIterator[bytes]:
    """The body in the pieces in which it comes. Raises CourtesyError when the next takes longer than `wait_s`."""
    more = True
    while more:
        try:
            async with asyncio.timeout(wait_s):
                piece, more = await _next(request)
        except TimeoutError:
            raise _slow(wait_s) from None
        if piece:
            yield piece


async def read(request: Request[Any, Any, Any], limit: int, wait_s: float = WAIT_S) -> bytes:
    """The whole body, unpacked.

    Raises BadBody when it is larger than `limit` bytes, packed or not, and CourtesyError when it takes longer than
    `wait_s`.
    """
    try:
        async with asyncio.timeout(wait_s):
            return unpacked(await _read_packed(request, limit), limit)
    except TimeoutError:
        raise _slow(wait_s) from None


async def _read_packed(request: Request[Any, Any, Any], limit: int) -> bytes:
    content = bytearray()
    dropped = 0
    more = True
    while more and dropped <= DRAIN_BYTES_MAX:
        piece, more = await _next(request)
        if len(content) <= limit:
            content += piece
        else:
            dropped += len(piece)
    if len(content) > limit:
        head = unpacked_head(bytes(content[:HEAD_BYTES]))
        raise BadBody(Cause.TOO_LARGE, f"expected a body of at most {limit} bytes", head)
    return bytes(content)


def _slow(wait_s: float) -> CourtesyError:
    return CourtesyError(
        Code.UNAVAILABLE, f"expected the body within {wait_s:g} s", hint="send it again over a better connection"
    )


def unpacked(content: bytes, limit: int) -> bytes:
    """The body without its gzip, if it has any. Raises BadBody for what is broken or unpacks to more than `limit`."""
    if content[:2] != GZIP_MAGIC:
        return content
    whole = bytearray()
    rest = content
    members = 0
    while rest[:2] == GZIP_MAGIC and members < GZIP_MEMBERS_MAX:
        unzip = zlib.decompressobj(_GZIP_BITS)
        try:
            whole += unzip.decompress(rest, limit + 1 - len(whole))
        except zlib.error as error:
            raise BadBody(Cause.UNREADABLE, f"expected gzip: {error}", content) from None
        if len(whole) > limit:
            detail = f"expected at most {limit} bytes after unpacking"
            raise BadBody(Cause.TOO_LARGE, detail, bytes(whole[:HEAD_BYTES]))
        if not unzip.eof:
            raise BadBody(Cause.UNREADABLE, "the gzip data is cut short", content)
        rest = unzip.unused_data
        members += 1
    if rest.strip(b"\0"):
        raise BadBody(Cause.UNREADABLE, "there is something after the gzip data", content)
    return bytes(whole)


def unpacked_head(head: bytes) -> bytes:
    """The beginning of a body without its gzip, as far as that can be told; otherwise the beginning as it came."""
    if head[:2] != GZIP_MAGIC:
        return head
    try:
        return zlib.decompressobj(_GZIP_BITS).decompress(head, HEAD_BYTES) or head
    except zlib.error:
        return head


async def unpacked_pieces(packed: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """A stream without its gzip, if it has any, in bounded pieces. Raises BadBody as `unpacked` does."""
    start = b""
    while len(start) < len(GZIP_MAGIC) and (piece := await anext(packed, None)) is not None:
        start += piece
    whole = _after(start, packed)
    total = 0
    async for part in _unzipped(whole) if start[:2] == GZIP_MAGIC else whole:
        total += len(part)
        if total > limit:
            raise BadBody(Cause.TOO_LARGE, f"expected at most {limit} bytes", part)
        yield part


async def _after(start: bytes, packed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if start:
        yield start
    async for piece in packed:
        yield piece


async def _unzipped(packed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    unzip = zlib.decompressobj(_GZIP_BITS)
    async for piece in packed:
        rest, part = piece, b""
        while rest or len(part) == UNPACK_BYTES:
            if unzip.eof:
                # Files that were packed apart and put one after the other are still one text.
                unzip = zlib.decompressobj(_GZIP_BITS)
            try:
                part = unzip.decompress(rest, UNPACK_BYTES)
            except zlib.error as error:
                raise BadBody(Cause.UNREADABLE, f"expected gzip: {error}", rest) from None
            if part:
                yield part
            rest = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    if not unzip.eof:
        raise BadBody(Cause.UNREADABLE, "the gzip data is cut short", b"")


class Line(NamedTuple):
    """One line of a stream, without its end; `number` counts from 1. A long one is cut to HEAD_BYTES."""

    number: int
    content: bytes


async def lines(parts: AsyncIterator[bytes]) -> AsyncIterator[list[Line]]:
    """The lines of a stream that are not blank, as many at a time as a part completes; memory stays bounded."""
    begun = b""
    number = 1
    async for part in parts:
        # A line that is too long already only needs to keep its beginning.
        *whole, rest = part.split(b"\n")
        if whole:
            whole[0] = begun + whole[0]
            begun = rest[:HEAD_BYTES]
            yield [Line(number + index, line[:HEAD_BYTES]) for index, line in enumerate(whole) if line.strip()]
            number += len(whole)
        elif len(begun) < HEAD_BYTES:
            begun += rest[: HEAD_BYTES - len(begun)]
    if begun.strip():
        yield [Line(number, begun)]
