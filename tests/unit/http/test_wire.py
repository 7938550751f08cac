"""Bodies off the wire: gzip by its first bytes, limits before memory, lines of any length."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.cause import Cause
from courtesy.http.wire import (
    GZIP_MEMBERS_MAX,
    HEAD_BYTES,
    UNPACK_BYTES,
    BadBody,
    lines,
    pieces,
    read,
    unpacked,
    unpacked_head,
    unpacked_pieces,
)

LIMIT = 1_000


async def stream(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    """The pieces, one after the other."""
    for piece in pieces:
        yield piece


async def all_of(pieces: Sequence[bytes], limit: int = 10**9) -> bytes:
    """Everything that a stream unpacks to."""
    return b"".join([part async for part in unpacked_pieces(stream(pieces), limit)])


def refusal(content: bytes, limit: int = LIMIT) -> Cause:
    """Why a body is not taken."""
    with pytest.raises(BadBody) as caught:
        unpacked(content, limit)
    assert len(caught.value.head) <= HEAD_BYTES
    return caught.value.cause


def test_what_is_not_gzip_stays_as_it_is() -> None:
    """Only the first two bytes decide."""
    assert unpacked(b"{}", LIMIT) == b"{}"
    assert unpacked(b"", LIMIT) == b""
    assert unpacked(b"\x1f", LIMIT) == b"\x1f"


def test_gzip_is_unpacked_up_to_the_limit_to_the_byte() -> None:
    """The limit is on what comes out."""
    assert unpacked(gzip.compress(b"x" * LIMIT), LIMIT) == b"x" * LIMIT
    assert refusal(gzip.compress(b"x" * (LIMIT + 1))) is Cause.TOO_LARGE


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    """However much it would unfold to, it costs the limit and no more; its beginning is kept."""
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(50)) + squeeze.flush()
    assert refusal(bomb) is Cause.TOO_LARGE


@pytest.mark.parametrize("cut", [2, 10, 15, -1, -8])
def test_truncated_gzip_is_unreadable(cut: int) -> None:
    """A body that was cut short is not half a body."""
    assert refusal(gzip.compress(b'{"batch":[]}', mtime=0)[:cut]) is Cause.UNREADABLE


def test_garbage_after_the_magic_or_after_the_end_is_unreadable() -> None:
    """Neither is taken for a body."""
    assert refusal(b"\x1f\x8bgarbage") is Cause.UNREADABLE
    assert refusal(gzip.compress(b"{}") + b"more") is Cause.UNREADABLE


def test_members_follow_each_other_and_zeros_may_pad() -> None:
    """As the format allows; but not thousands of members, each of which copies the rest."""
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b") + bytes(8), LIMIT) == b"ab"
    assert refusal(gzip.compress(b"") * (GZIP_MEMBERS_MAX + 1)) is Cause.UNREADABLE


def test_the_head_of_packed_bodies_is_unpacked_as_far_as_it_goes() -> None:
    """What is kept can be read by people."""
    assert unpacked_head(gzip.compress(b"hello" * 100)[:-8]).startswith(b"hello")
    assert unpacked_head(b"\x1f\x8b\xff") == b"\x1f\x8b\xff"
    assert unpacked_head(b"plain") == b"plain"


@given(st.binary(max_size=2_000), st.lists(st.integers(0, 2_100), max_size=6), st.booleans())
async def test_a_stream_unpacks_to_the_same_however_it_is_cut(content: bytes, cuts: list[int], packs: bool) -> None:
    """Pieces end anywhere, in the middle of the magic too."""
    if content[:2] == b"\x1f\x8b":
        content = b"." + content
    sent = gzip.compress(content) if packs else content
    ends = [0, *sorted(cuts), len(sent)]
    pieces = [sent[start:end] for start, end in pairwise(ends)]
    assert await all_of(pieces) == content


async def test_a_stream_of_several_members_is_one_text() -> None:
    """Files packed apart and put one after the other; each larger than a part."""
    texts = [bytes([65 + number]) * (UNPACK_BYTES * 2 + number) for number in range(3)]
    packed = b"".join(map(gzip.compress, texts))
    assert await all_of([packed[:100], packed[100:]]) == b"".join(texts)


@pytest.mark.parametrize("pieces", [[b"\x1f\x8bxx"], [gzip.compress(b"abc", mtime=0)[:-4]], [b"\x1f", b"\x8b"]])
async def test_a_broken_packed_stream_is_unreadable(pieces: list[bytes]) -> None:
    """And says so at the end at the latest."""
    with pytest.raises(BadBody) as caught:
        await all_of(pieces)
    assert caught.value.cause is Cause.UNREADABLE


async def test_the_limit_of_a_stream_is_on_what_comes_out() -> None:
    """Packed or not."""
    for sent in ([gzip.compress(bytes(LIMIT + 1))], [bytes(LIMIT), b"x"]):
        with pytest.raises(BadBody) as caught:
            await all_of(sent, LIMIT)
        assert caught.value.cause is Cause.TOO_LARGE
    assert await all_of([gzip.compress(bytes(LIMIT))], LIMIT) == bytes(LIMIT)


def stalled(*messages: dict[str, Any]) -> Request[Any, Any, Any]:
    """A request whose body stops coming after some messages."""
    waiting = list(messages)

    async def receive() -> Any:
        return waiting.pop(0) if waiting else await asyncio.Event().wait()

    return Request(cast("Any", {"type": "http", "headers": []}), receive)


BEGUN = {"type": "http.request", "body": b"{", "more_body": True}


async def test_a_body_that_stops_coming_is_to_be_sent_again() -> None:
    """It is not the fault of what is in it; nobody waits for ever."""
    for wait in (read(stalled(BEGUN), LIMIT, wait_s=0.01), anext(pieces(stalled(), wait_s=0.01))):
        with pytest.raises(CourtesyError) as caught:
            await wait
        assert caught.value.code is Code.UNAVAILABLE


async def test_a_body_that_is_cut_off_is_none() -> None:
    """Nobody is there to hear the answer."""
    gone = stalled(BEGUN, {"type": "http.disconnect"})
    with pytest.raises(CourtesyError) as caught:
        await read(gone, LIMIT)
    assert caught.value.code is Code.UNREADABLE


async def lines_of(pieces: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """Number and content of each line."""
    return [(line.number, line.content) async for some in lines(stream(pieces)) for line in some]


@given(st.lists(st.sampled_from([b"a", b"bc\r", b"", b" ", b"{}"]), max_size=8), st.lists(st.integers(0, 20)))
async def test_lines_are_the_same_however_the_stream_is_cut(texts: list[bytes], cuts: list[int]) -> None:
    """Blank lines are left out but counted."""
    whole = b"\n".join(texts)
    ends = [0, *sorted(cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(ends)]
    assert await lines_of(pieces) == [(number, text) for number, text in enumerate(texts, 1) if text.strip()]


async def test_an_endless_line_keeps_its_beginning_only() -> None:
    """Memory is bounded by what is kept, and the next line is found again."""
    found = await lines_of([b"x" * 50_000] * 10 + [b"\nnext\n", b"y" * 200_000, b"\nlast"])
    assert [(number, len(content)) for number, content in found] == [(1, HEAD_BYTES), (2, 4), (3, HEAD_BYTES), (4, 4)]
