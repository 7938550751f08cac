"""The native way in: arrays, single calls, streams of lines; how far it came when something fails."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from courtesy.base.time import ManualClock
from courtesy.engine.contract import Unavailable
from courtesy.engine_memory import MemoryEngine
from courtesy.event.cause import Cause
from courtesy.http.events import BODY_BYTES_MAX, CHUNK_EVENTS, RESULTS_MAX
from courtesy.http.wire import HEAD_BYTES
from tests.unit.http.world import NOW_MS, World, serving, track

NDJSON = {"content-type": "application/x-ndjson"}


def as_lines(*calls: Any) -> bytes:
    """One call per line."""
    return b"\n".join(call if isinstance(call, bytes) else json.dumps(call).encode() for call in calls)


async def send(world: World, body: Any, query: str = "", **headers: str) -> Any:
    """Send to /v1/events with the write key; the answer's JSON, with its status."""
    headers = {"authorization": f"Bearer {world.write}", **headers}
    response = await world.post(f"/v1/events{query}", body, headers=headers)
    return {"status": response.status_code, **response.json()}


CALLS = [track("a"), track("b")]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (json.dumps(CALLS).encode(), 2),
        (json.dumps(CALLS, indent=2).encode(), 2),
        (json.dumps(CALLS[0]).encode(), 1),
        (json.dumps(CALLS[0]).encode() + b"\n", 1),
        (json.dumps(CALLS[0], indent=2).encode(), 1),
        (as_lines(*CALLS), 2),
        (b"\r\n\n" + as_lines(*CALLS).replace(b"\n", b"\r\n") + b"\r\n", 2),
        (b"\xef\xbb\xbf" + as_lines(*CALLS), 2),
        (gzip.compress(as_lines(*CALLS), mtime=0), 2),
        (gzip.compress(json.dumps(CALLS).encode(), mtime=0), 2),
        (b"", 0),
        (b" \n \n", 0),
        (b"[]", 0),
        (b" [ ] ", 0),
    ],
)
@pytest.mark.parametrize("label", ["", "application/json", "text/plain"])
async def test_the_form_is_found_out(body: bytes, count: int, label: str) -> None:
    """An array, one call, or one per line, packed or not, whatever the label."""
    async with serving() as world:
        answer = await send(world, body, **{"content-type": label})
        assert (answer["status"], answer["received"], answer["stored"]) == (200, count, count)
        assert answer["position"] == str(count)
        assert answer["results"] == []


async def test_a_label_of_lines_is_heeded() -> None:
    """Then even a first line that is broken is one line."""
    async with serving() as world:
        answer = await send(world, b"{broken\n" + as_lines(*CALLS), **NDJSON)
        assert (answer["status"], answer["received"], answer["stored"]) == (200, 3, 2)
        assert answer["results"][0]["line"] == 1


async def test_what_is_not_stored_is_told_by_line() -> None:
    """Blank lines count as lines, not as items."""
    async with serving() as world:
        body = as_lines(track("a"), b"", {"type": "buy"}, b"garbage", track("a"), b"  ", track("b"))
        answer = await send(world, body)
        told = [(each["index"], each["line"], each["fate"], each["cause"]) for each in answer["results"]]
        assert told == [
            (1, 3, "quarantined", "unknown_type"),
            (2, 4, "quarantined", "unreadable"),
            (3, 5, "duplicate", "duplicate"),
        ]
        fates = [answer[name] for name in ("received", "stored", "quarantined", "duplicate", "suppressed")]
        assert fates == [5, 2, 2, 1, 0]
        assert await world.fates() == {"received": 5, "stored": 2, "quarantined": 2, "duplicate": 1}


async def test_in_an_array_items_are_told_by_index() -> None:
    """There are no lines; a broken item condemns no other."""
    async with serving() as world:
        body = b'[%s, {"x":NaN}, %s]' % tuple(json.dumps(call).encode() for call in CALLS)
        answer = await send(world, body)
        assert (answer["received"], answer["stored"]) == (3, 2)
        (told,) = answer["results"]
        assert (told["index"], told["cause"], "line" in told) == (1, "unreadable", False)


async def test_history_starts_nothing() -> None:
    """`live=false` marks each event; everything else is as usual."""
    async with serving() as world:
        for query, live in (("", True), ("?live=true", True), ("?live=false", False), ("?live=0", False)):
            await send(world, [track(query or "x")], query)
            event = (await world.get("/v1/people/user_id/ann/events?limit=1")).json()["events"][0]
            assert event["live"] is live
        assert (await send(world, CALLS, "?live=maybe"))["status"] == 400


@pytest.mark.parametrize("encode", [lambda calls: as_lines(*calls), lambda calls: json.dumps(calls).encode()])
async def test_more_than_a_chunk_is_stored_chunk_by_chunk(encode: Callable[[list[Any]], bytes]) -> None:
    """Indexes go on from chunk to chunk."""
    async with serving() as world:
        count = 2 * CHUNK_EVENTS + 10
        calls: list[Any] = [track(str(number)) for number in range(count)]
        calls[CHUNK_EVENTS + 5] = {"type": "buy"}
        answer = await send(world, encode(calls))
        assert (answer["received"], answer["stored"]) == (count, count - 1)
        assert [each["index"] for each in answer["results"]] == [CHUNK_EVENTS + 5]


async def test_the_list_of_results_is_bounded() -> None:
    """A thousand are told, all are counted."""
    async with serving() as world:
        answer = await send(world, as_lines(*[b"x"] * (RESULTS_MAX + 5)), **NDJSON)
        assert (len(answer["results"]), answer["quarantined"], answer["results_cut"]) == (1_000, 1_005, True)
        assert not (await send(world, b"x", **NDJSON))["results_cut"]


async def test_a_line_without_end_is_one_rejected_item() -> None:
    """Its beginning is kept, and the next line is read."""
    async with serving() as world:
        answer = await send(world, as_lines(track("a"), b'{"x":"' + b"y" * 300_000, track("b")))
        assert (answer["stored"], [each["cause"] for each in answer["results"]]) == (2, ["too_large"])
        ((cause, raw),) = await world.quarantined()
        assert (cause, len(raw)) == (Cause.TOO_LARGE, HEAD_BYTES)


@pytest.mark.parametrize("body", [b"garbage", b"{", b'{"type":\n"track"', b"[1", b"7", b'[1] "', b"\x1f\x8bx"])
async def test_what_has_no_form_is_unreadable(body: bytes) -> None:
    """400, and its beginning is in quarantine."""
    async with serving() as world:
        answer = await send(world, body)
        assert (answer["status"], answer["code"], answer["received"]) == (400, "unreadable", 0)
        assert await world.fates() == {"received": 1, "quarantined": 1}


async def test_too_large_a_single_call_is_refused() -> None:
    """It is not taken for a stream."""
    async with serving() as world:
        answer = await send(world, b'{\n"x":"' + b"y" * 100_000 + b'"}')
        assert (answer["status"], answer["code"]) == (413, "too_large")


async def test_a_stream_over_the_limit_says_how_far_it_came() -> None:
    """413; what was stored before stays, and the answer counts it."""

    async def endless() -> AsyncIterator[bytes]:
        line = as_lines(track("a", properties={"x": "y" * 30_000})) + b"\n"
        for _ in range(BODY_BYTES_MAX // len(line) + 2):
            yield line

    async with serving() as world:
        response = await world.client.post("/v1/events", content=endless(), headers={"x-write-key": world.write})
        answer = response.json()
        assert (response.status_code, answer["code"]) == (413, "too_large")
        assert answer["stored"] == 1
        assert answer["received"] > CHUNK_EVENTS
        fates = await world.fates()
        assert fates["received"] == answer["received"] + 1


async def test_the_key_is_looked_at_before_the_body() -> None:
    """Whoever has none sends nothing."""
    async with serving() as world:
        read: list[bytes] = []

        async def body() -> AsyncIterator[bytes]:
            for piece in (b"[", b"]"):
                read.append(piece)
                yield piece

        response = await world.client.post("/v1/events", content=body())
        assert (response.status_code, read) == (401, [])


class Failing(MemoryEngine):
    """Fails after some appends."""

    appends_left = 10**9
    fault: Exception = Unavailable("gone")

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[Any]:
        if self.appends_left <= 0:
            raise self.fault
        self.appends_left -= 1
        async with super().appending() as append:
            yield append


async def test_a_store_that_fails_in_the_middle_is_told_with_what_is_stored() -> None:
    """503 with Retry-After; sending everything again stores the rest and nothing twice."""
    engine = Failing(ManualClock(NOW_MS))
    async with serving(engine) as world:
        calls = [track(str(number)) for number in range(3 * CHUNK_EVENTS)]
        for body in (as_lines(*calls), json.dumps(calls).encode()):
            engine.appends_left = 2
            answer = await send(world, body)
            assert (answer["status"], answer["code"]) == (503, "unavailable")
            assert answer["received"] == 2 * CHUNK_EVENTS
        assert (await world.fates())["stored"] == 2 * CHUNK_EVENTS
        engine.appends_left = 100
        assert (await send(world, as_lines(*calls)))["stored"] == CHUNK_EVENTS
        assert (await world.get("/v1/people/user_id/ann")).json()["event_count"] == 3 * CHUNK_EVENTS


async def test_resending_lines_without_ids_is_safe_when_they_tell_their_time() -> None:
    """The id is made from the line."""
    async with serving() as world:
        call = {"type": "track", "event": "A", "userId": "ann", "timestamp": "2025-11-01T00:00:00Z"}
        assert (await send(world, as_lines(call)))["stored"] == 1
        assert (await send(world, as_lines(call)))["duplicate"] == 1


async def test_a_connection_that_breaks_keeps_what_was_stored() -> None:
    """And what was begun is no half line: nothing of it is stored."""
    async with serving() as world:
        calls = [track(str(number)) for number in range(CHUNK_EVENTS)]
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": as_lines(*calls, b'{"type":"tr'), "more_body": True},
            {"type": "http.disconnect"},
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0)

        async def answer(message: dict[str, Any]) -> None:
            sent.append(message)

        app: Any = world.client._transport.app  # type: ignore[attr-defined]
        await app(request_scope("/v1/events", world.write), receive, answer)
        assert sent[0]["status"] == 400
        assert await world.fates() == {"received": CHUNK_EVENTS, "stored": CHUNK_EVENTS}


def request_scope(path: str, key: str) -> dict[str, Any]:
    """A bare request, as a server hands it on."""
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"h"), (b"x-write-key", key.encode())],
        "http_version": "1.1",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "root_path": "",
    }
