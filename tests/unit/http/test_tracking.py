"""The tracking API: all paths, any body a client may send, limits, and what each is answered."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.time import ManualClock
from courtesy.engine.contract import StorageFull, Unavailable
from courtesy.engine_memory import MemoryEngine
from courtesy.event.accept import BATCH_BYTES_MAX, BATCH_EVENTS_MAX, EVENT_BYTES_MAX
from courtesy.event.cause import Cause
from courtesy.http.metrics import RETRIED
from courtesy.http.tracking import CALLS
from courtesy.http.wire import HEAD_BYTES
from courtesy.runtime.ingest import QUEUED_ITEMS_MAX
from courtesy.runtime.telemetry import ACCEPTED
from tests.unit.http.world import NOW_MS, batch, causes, packed, serving, track

CHOICES = [{"action": "grant", "purpose": "marketing"}]
CALL = {"userId": "ann", "event": "Bought", "groupId": "g1", "previousId": "old", "choices": CHOICES, "messageId": "m1"}
BATCH_PATHS = ["/v1/batch", "/v1/b", "/v1/import"]


@pytest.mark.parametrize("kind", list(CALLS))
@pytest.mark.parametrize("short", [False, True])
async def test_each_call_has_a_long_and_a_short_path(kind: Any, short: bool) -> None:
    """The path says the type, whatever the body says or leaves out."""
    async with serving() as world:
        path = f"/v1/{CALLS[kind][0] if short else kind}"
        response = await world.post(path, {**CALL, "type": "nonsense"})
        assert (response.status_code, response.json()["results"]) == (200, [])
        events = (await world.get("/v1/people/user_id/ann/events")).json()["events"]
        assert [event["type"] for event in events][-1] == kind


@pytest.mark.parametrize("path", BATCH_PATHS)
async def test_a_batch_is_taken_at_each_of_its_paths(path: str) -> None:
    """And live: `import` is only an older name."""
    async with serving() as world:
        response = await world.post(path, batch(track("a"), track("b")))
        assert response.json() == {"success": True, "position": "2", "results": []}
        events = (await world.get("/v1/people/user_id/ann/events")).json()["events"]
        assert [event["live"] for event in events] == [True, True]


@pytest.mark.parametrize("path", ["/v1/batch/", "//v1/batch", "/v1//batch//"])
async def test_slashes_too_many_are_answered_directly(path: str) -> None:
    """A redirect would count as delivered, and the events would be gone."""
    async with serving() as world:
        response = await world.client.post(
            f"http://courtesy.test{path}", content=json.dumps(batch(track())), headers={"x-write-key": world.write}
        )
        assert response.status_code == 200
        assert await world.fates() == {"received": 1, "stored": 1}


async def test_results_list_only_what_was_not_stored() -> None:
    """Each with its place, fate, cause and message id; one bad item condemns no other."""
    async with serving() as world:
        items = [
            track("a"),
            {"type": "buy", "messageId": "b"},
            track("a"),
            track("c"),
            7,
            None,
            [],
            track("d", user=""),
        ]
        response = await world.post("/v1/batch", batch(*items))
        assert response.status_code == 200
        told = [(each["index"], each["fate"], each["cause"], each["messageId"]) for each in response.json()["results"]]
        assert told == [
            (1, "quarantined", "unknown_type", "b"),
            (2, "duplicate", "duplicate", "a"),
            (4, "quarantined", "unreadable", None),
            (5, "quarantined", "unreadable", None),
            (6, "quarantined", "unreadable", None),
            (7, "quarantined", "no_identifier", "d"),
        ]
        assert await world.fates() == {"received": 8, "stored": 2, "quarantined": 5, "duplicate": 1}


async def test_the_position_of_the_answer_is_one_that_a_read_may_ask_for() -> None:
    """What was acknowledged is seen."""
    async with serving() as world:
        position = (await world.post("/v1/batch", batch(track()))).json()["position"]
        person = (await world.get(f"/v1/people/user_id/ann?after={position}")).json()
        assert person["event_count"] == 1


async def test_an_empty_batch_is_fine() -> None:
    """Nothing to store is no error."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track()))
        assert (await world.post("/v1/batch", batch())).json() == {"success": True, "position": "1", "results": []}


# -- bodies and their labels


@pytest.mark.parametrize(
    "label",
    [
        "application/json",
        "application/json; charset=latin-1",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/octet-stream",
        "nonsense",
        "",
    ],
)
@pytest.mark.parametrize("packs", [False, True])
async def test_content_types_are_not_believed(label: str, packs: bool) -> None:
    """Browsers say text, some servers say form; packed or not."""
    async with serving() as world:
        body = packed(batch(track())) if packs else json.dumps(batch(track())).encode()
        response = await world.post("/v1/b", body, headers={"x-write-key": world.write, "content-type": label})
        assert (response.status_code, response.json()["results"]) == (200, [])


@pytest.mark.parametrize("encoding", ["gzip", "identity", "x-gzip", "br", ""])
async def test_gzip_is_known_by_its_first_bytes(encoding: str) -> None:
    """Whatever `Content-Encoding` says, for proxies unpack and leave the label."""
    async with serving() as world:
        headers = {"x-write-key": world.write, "content-encoding": encoding}
        for number, body in enumerate((packed(batch(track("a"))), json.dumps(batch(track("b"))).encode())):
            response = await world.post("/v1/batch", body, headers=headers)
            assert (response.status_code, response.json()["position"]) == (200, str(number + 1))


async def test_other_encodings_are_unreadable() -> None:
    """400 with a message, and the beginning is kept."""
    async with serving() as world:
        body = zlib.compress(json.dumps(batch(track())).encode())
        response = await world.post("/v1/batch", body)
        assert (response.status_code, response.json()["code"]) == (400, "unreadable")
        assert await world.quarantined() == [(Cause.UNREADABLE, body)]


async def test_a_byte_order_mark_is_no_garbage() -> None:
    """Some languages write one."""
    async with serving() as world:
        for path, body in (("/v1/batch", batch(track("a"))), ("/v1/t", track("b"))):
            response = await world.post(path, b"\xef\xbb\xbf" + json.dumps(body).encode())
            assert (response.status_code, response.json()["results"]) == (200, [])


async def test_a_body_may_come_in_pieces() -> None:
    """As it does over a network."""
    async with serving() as world:
        body = json.dumps(batch(track())).encode()

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 7):
                yield body[start : start + 7]

        response = await world.client.post("/v1/batch", content=pieces(), headers={"x-write-key": world.write})
        assert (response.status_code, response.json()["results"]) == (200, [])


# -- what a batch says for all


async def test_a_batch_says_things_for_all_its_items() -> None:
    """Time of sending, context and integrations lie under those of each item."""
    async with serving() as world:
        kept_out = {**track("b"), "integrations": {"Courtesy": False}}
        body = batch(
            {**track("a"), "timestamp": "2025-11-22T00:00:00Z", "context": {"locale": "de"}},
            kept_out,
            sentAt="2025-11-22T01:00:00Z",
            context={"locale": "en", "ip": "1.2.3.4"},
            integrations={"Courtesy": True},
        )
        assert causes(await world.post("/v1/batch", body)) == [(1, "opted_out_of_courtesy")]
        (event,) = (await world.get("/v1/people/user_id/ann/events")).json()["events"]
        assert event["at"] == "2025-11-22T02:04:05.000Z"
        assert event["context"] == {"locale": "de", "ip": "1.2.3.4"}


@pytest.mark.parametrize("flaw", [{"sentAt": [1]}, {"sentAt": {}}, {"writeKey": 7}, {"writeKey": ["k"]}])
async def test_an_odd_envelope_does_not_condemn_the_batch(flaw: dict[str, Any]) -> None:
    """What can't be read of it is as good as absent."""
    async with serving() as world:
        response = await world.post("/v1/batch", batch(track(), **flaw))
        assert (response.status_code, response.json()["results"]) == (200, [])


@pytest.mark.parametrize("context", [[], 7, "x", [{}]])
async def test_an_odd_context_of_a_batch_rejects_its_items_one_by_one(context: Any) -> None:
    """They are kept, and can be mended."""
    async with serving() as world:
        response = await world.post("/v1/batch", batch(track("a"), track("b"), context=context))
        assert causes(response) == [(0, "not_an_object"), (1, "not_an_object")]


@pytest.mark.parametrize(
    "item",
    [
        b'{"type":"track","event":"A","userId":"a","properties":{"price":NaN}}',
        b'{"type":"track","event":"A","userId":"a","properties":{"price":-Infinity}}',
        b'{"type":"track","event":"\\ud800","userId":"a"}',
        b'{"type":"track","event":"A","userId":"\xff"}',
        b"{'type':'track'}",
        b"undefined",
        b"[" * 2_000 + b"]" * 2_000,
    ],
)
async def test_an_item_that_is_no_json_condemns_no_other(item: bytes) -> None:
    """It alone goes to quarantine, as it came."""
    async with serving() as world:
        good = [json.dumps(track(name)).encode() for name in ("a", "b")]
        body = b'{"writeKey":"%s","batch":[%s,%s,%s],"sentAt":"2025-11-22T03:04:05Z"}'
        response = await world.post("/v1/batch", body % (world.write.encode(), good[0], item, good[1]), headers={})
        assert causes(response) == [(1, "unreadable")]
        assert await world.quarantined() == [(Cause.UNREADABLE, item)]
        assert (await world.fates())["stored"] == 2


# -- unreadable and oversize bodies

UNREADABLE = [
    b"",
    b"garbage",
    b"[]",
    b"null",
    b'"batch"',
    b'{"batch":[{"type":"track"',
    b'{"batch":{}}',
    b'{"batch":"x"}',
    b'{"batch":null}',
    b"{}",
    b"batch=%5B%5D",
    b"\x1f\x8bgarbage",
    gzip.compress(b'{"batch":[]}', mtime=0)[:-4],
    gzip.compress(b"garbage", mtime=0),
    '{"batch":[]}'.encode("utf-16"),
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize("path", BATCH_PATHS)
async def test_an_unreadable_batch_is_one_item_in_quarantine(path: str, body: bytes) -> None:
    """400 with code and message; its beginning is kept as it came, and counted."""
    async with serving() as world:
        response = await world.post(path, body)
        assert (response.status_code, response.json()["code"]) == (400, "unreadable")
        assert response.json()["message"]
        assert await world.fates() == {"received": 1, "quarantined": 1}
        ((cause, raw),) = await world.quarantined()
        assert cause is Cause.UNREADABLE
        assert raw in (body[:HEAD_BYTES], b"garbage")


@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b"7", b'{"userId":', b"\x1f\x8b", b'{"x":NaN}'])
async def test_an_unreadable_call_is_one_item_in_quarantine(body: bytes) -> None:
    """The same for single calls."""
    async with serving() as world:
        response = await world.post("/v1/track", body)
        assert (response.status_code, response.json()["code"]) == (400, "unreadable")
        assert await world.fates() == {"received": 1, "quarantined": 1}


async def test_a_broken_body_is_kept_for_the_key_that_it_names() -> None:
    """Even when only a guess tells whose it is."""
    async with serving() as world:
        body = b'{"batch":[{"type":, "writeKey" : "%s"' % world.write.encode()
        assert (await world.post("/v1/batch", body, headers={})).status_code == 400
        assert await world.quarantined() == [(Cause.UNREADABLE, body)]


async def test_an_oversize_body_is_refused_with_its_beginning_kept() -> None:
    """400 and no 413, which the protocol does not know; at 500 KB to the byte."""
    async with serving() as world:
        body = json.dumps(batch(track("a"), filler="")).encode()
        body = body[:-2] + b"x" * (BATCH_BYTES_MAX - len(body)) + body[-2:]
        assert (await world.post("/v1/batch", body)).status_code == 200
        for large in (body + b" ", gzip.compress(body + b" ")):
            response = await world.post("/v1/batch", large)
            assert (response.status_code, response.json()["code"]) == (400, "too_large")
        assert await world.fates() == {"received": 3, "stored": 1, "quarantined": 2}
        for cause, raw in await world.quarantined():
            assert (cause, raw) == (Cause.TOO_LARGE, body[:HEAD_BYTES])


async def test_a_body_far_over_the_limit_is_refused_before_it_is_read() -> None:
    """Reading stops after a while, and memory never holds it."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1 << 16
            yield bytes(1 << 16)

    async with serving() as world:
        response = await world.client.post("/v1/batch", content=endless(), headers={"x-write-key": world.write})
        assert (response.status_code, response.json()["code"]) == (400, "too_large")
        assert read < 10_000_000


async def test_a_batch_has_at_most_2500_events() -> None:
    """One more, and it is refused as a whole."""
    async with serving() as world:
        assert (await world.post("/v1/batch", batch(*[0] * BATCH_EVENTS_MAX))).status_code == 200
        response = await world.post("/v1/batch", batch(*[0] * (BATCH_EVENTS_MAX + 1)))
        assert (response.status_code, response.json()["code"]) == (400, "too_large")


async def test_too_large_an_event_is_one_items_fault() -> None:
    """The others of its batch are stored; alone it is answered 200 with its cause."""
    async with serving() as world:
        large = track("a", properties={"x": "y" * EVENT_BYTES_MAX})
        assert causes(await world.post("/v1/batch", batch(large, track("b")))) == [(0, "too_large")]
        assert causes(await world.post("/v1/track", large)) == [(0, "too_large")]


async def test_client_statistics_are_taken_and_dropped() -> None:
    """Without a key, and without a trace."""
    async with serving() as world:
        response = await world.post("/v1/m", b'{"series":[]}', headers={})
        assert (response.status_code, response.json()) == (200, {"success": True})
        assert await world.fates() == {}


# -- when it can't be stored


class Faulty(MemoryEngine):
    """Fails to append with whatever it is given."""

    fault: Exception | None = None

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[Any]:
        if self.fault is not None:
            raise self.fault
        async with super().appending() as append:
            yield append


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track", "/v1/events"])
@pytest.mark.parametrize("body", [batch(track()), b"garbage"], ids=["events", "garbage"])
@pytest.mark.parametrize("fault", [Unavailable("gone"), StorageFull("no room"), ZeroDivisionError("a bug")], ids=repr)
async def test_what_is_not_stored_is_to_be_sent_again(path: str, body: Any, fault: Exception) -> None:
    """503 with Retry-After while the store is down, full or broken, also for what would go to quarantine; then 200."""
    engine = Faulty(ManualClock(NOW_MS))
    async with serving(engine) as world:
        engine.fault = fault
        response = await world.post(path, body)
        codes = [fault.code] if isinstance(fault, CourtesyError) else ["unavailable", "internal"]
        assert response.status_code == 503
        assert response.json()["code"] in codes
        assert "a bug" not in response.text
        assert 0 < int(response.headers["retry-after"]) <= 300
        engine.fault = None
        assert await world.fates() == {}
        assert (await world.post("/v1/batch", batch(track()))).json()["results"] == []


async def test_too_many_at_once_are_asked_to_come_later() -> None:
    """429 with Retry-After; those who wait are not forgotten."""
    gate = asyncio.Event()

    class Slow(MemoryEngine):
        @asynccontextmanager
        async def appending(self) -> AsyncIterator[Any]:
            await gate.wait()
            async with super().appending() as append:
                yield append

    async with serving(Slow(ManualClock(NOW_MS))) as world:
        sends = [
            asyncio.create_task(world.post("/v1/batch", batch(*[0] * BATCH_EVENTS_MAX)))
            for _ in range(QUEUED_ITEMS_MAX // BATCH_EVENTS_MAX + 5)
        ]
        done, waiting = await asyncio.wait(sends, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().result()
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many")
        assert 0 < int(refused.headers["retry-after"]) <= 300
        gate.set()
        for send in waiting:
            assert (await send).status_code in (200, 429)


async def test_resending_counts_nothing_twice() -> None:
    """Events with an id, and those without one that tell their time."""
    async with serving() as world:
        body = batch(track("a"), {**track(), "messageId": None, "timestamp": "2025-11-22T00:00:00Z"})
        await world.post("/v1/batch", body)
        assert causes(await world.post("/v1/batch", body)) == [(0, "duplicate"), (1, "duplicate")]


async def test_without_id_and_time_equal_items_are_two_events() -> None:
    """Whoever tries things out with curl sees each of them."""
    async with serving() as world:
        body = batch(*[{"type": "track", "event": "Tried", "userId": "ann"}] * 2)
        assert (await world.post("/v1/batch", body)).json()["results"] == []


# -- metrics


async def test_fates_and_retries_are_counted() -> None:
    """By fate and cause, once per event; and each request that says that it is a repetition."""

    def fate(*labels: str) -> float:
        return float(ACCEPTED.labels(*labels)._value.get())

    before = (fate("stored", ""), fate("quarantined", "unknown_type"), float(RETRIED._value.get()))
    async with serving() as world:
        body = batch(track("a"), track("b"), {"type": "x"})
        await world.post("/v1/batch", body, headers={"x-write-key": world.write, "x-retry-count": "2"})
        await world.post("/v1/batch", batch(), headers={"x-write-key": world.write, "x-retry-count": "0"})
    after = (fate("stored", ""), fate("quarantined", "unknown_type"), float(RETRIED._value.get()))
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]
