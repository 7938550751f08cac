"""Hostile input: whatever is sent, nothing breaks, nothing is lost, and what was accepted can be folded and read."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.base.time import ManualClock
from courtesy.engine_memory import MemoryEngine
from courtesy.runtime.fold import FoldWorker
from tests.unit.http.world import NOW_MS, World, serving

WRITES = ["/v1/batch", "/v1/track", "/v1/identify", "/v1/group", "/v1/alias", "/v1/events", "/v1/m"]


async def assert_unharmed(world: World) -> None:
    """All that came in met a fate, and all that was stored folds and can be read."""
    await world.fates()
    worker = FoldWorker(world.app.engine, world.app.catalog.catalog, world.clock, "worker")
    await worker.claim()
    while await worker.fold_once():
        pass
    assert (await world.get("/v1/poisoned")).json()["poisoned"] == []
    for path in ("/v1/quarantine?limit=500", "/v1/counts", "/v1/identity/alarms", "/v1/status"):
        assert (await world.get(path)).status_code == 200
    for number in range(1, (await world.app.engine.person_count()) + 1):
        for suffix in ("", "/events", "/why"):
            assert (await world.get(f"/v1/people/person/{number}{suffix}")).status_code in (200, 404)


async def send(world: World, path: str, body: bytes) -> None:
    """Send a body; the answer must be one that the protocol knows."""
    response = await world.post(path, body)
    assert response.status_code in (200, 400, 413), (path, response.status_code, response.text)
    assert response.json()


def squeezed(count: int) -> bytes:
    """Zeros, packed a thousandfold."""
    squeeze = zlib.compressobj(9, wbits=31)
    return b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(count)) + squeeze.flush()


def around(value: bytes) -> list[bytes]:
    """Bodies with a value in all sorts of places."""
    call = b'{"type":"track","event":"A","userId":"ann","messageId":"m"'
    return [
        value,
        b'{"batch":[%s,%s}]}' % (value, call),
        b'{"batch":%s}' % value,
        *(b'{"batch":[%s,"%s":%s}]}' % (call, name, value) for name in map(str.encode, FIELDS)),
        *(b'{"batch":[%s}],"%s":%s}' % (call, name, value) for name in map(str.encode, ENVELOPE)),
        *(b'{"batch":[%s,"context":{"%s":%s}}]}' % (call, name, value) for name in map(str.encode, CONTEXT)),
        b'{"type":"identify","userId":"ann","traits":{"email":%s,"phone":%s,"a":{"b":%s}}}' % (value, value, value),
        b'[%s,"properties":{"price":%s,"items":[%s]}}]' % (call, value, value),
    ]


FIELDS = (
    "type messageId userId anonymousId previousId groupId event name category properties traits context integrations "
    "timestamp originalTimestamp sentAt receivedAt version writeKey"
).split()
ENVELOPE = ["sentAt", "context", "integrations", "writeKey"]
CONTEXT = ["device", "externalIds", "consent", "courtesy", "traits", "groupId", "ip"]

VALUES = {
    "nested arrays": b"[" * 5_000 + b"]" * 5_000,
    "nested objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "levels just over the limit": b"[" * 70 + b"]" * 70,
    "open brackets": b"[" * 5_000,
    "a huge integer": b"9" * 4_000,
    "an integer too long to read": b"9" * 5_000,
    "a huge float": b"1e308",
    "a float out of range": b"1e999",
    "a tiny float": b"1e-999",
    "minus zero": b"-0.0",
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a lone surrogate": b'"\\ud800"',
    "a reversed pair": b'"\\udc00\\ud800"',
    "an encoded surrogate": b'"\xed\xa0\x80"',
    "bytes that are no UTF-8": b'"\xff\xfe"',
    "an overlong encoding": b'"\xc0\xaf"',
    "a zero byte": b'"a\x00b"',
    "an escaped zero": b'"a\\u0000b"',
    "a raw control character": b'"\x01"',
    "the same name twice": b'{"a":1,"a":{"b":2},"a":[3]}',
    "an empty name": b'{"":{"":{"":1}}}',
    "names with dots": b'{"a.b":1,"a":{"b":2},"a\\\\.b":3}',
    "many names": json.dumps({f"n{number}": number for number in range(2_000)}).encode(),
    "a long string": b'"%s"' % (b"x" * 30_000),
    "a very long string": b'"%s"' % (b"x" * 600_000),
    "true": b"true",
    "null": b"null",
    "an empty string": b'""',
    "an empty array": b"[]",
    "an empty object": b"{}",
    "a number": b"7",
    "a string of digits": b'"0000"',
    "right to left": '"\u202eabc\u200b\ufeff"'.encode(),
    "combining marks": ('"a' + "\u0301" * 1_000 + '"').encode(),
    "unquoted": b"abc",
    "a comment": b"/* x */ 1",
    "nothing": b"",
}


@pytest.mark.parametrize("name", VALUES)
async def test_odd_values_anywhere_break_nothing(name: str) -> None:
    """In every field of a call, a batch and a context, at every path."""
    async with serving() as world:
        for body in around(VALUES[name]):
            for path in ("/v1/batch", "/v1/events", "/v1/track", "/v1/identify"):
                await send(world, path, body)
        await assert_unharmed(world)


PACKED = {
    "a bomb": squeezed(20),
    "a bomb in a bomb": gzip.compress(squeezed(5)),
    "cut short": gzip.compress(b'{"batch":[]}', mtime=0)[:-9],
    "only the magic": b"\x1f\x8b",
    "a wrong checksum": gzip.compress(b'{"batch":[]}', mtime=0)[:-8] + bytes(8),
    "many members": gzip.compress(b"") * 5_000,
    "deflate": zlib.compress(b'{"batch":[]}'),
    "ten megabytes": b'{"batch":["%s"]}' % (b"x" * 10_000_000),
    "ten megabytes of nothing": b" " * 10_000_000,
    "half a megabyte of quotes": b'"' * 511_999,
    "half a megabyte of escapes": b'{"batch":["' + b"\\" * 511_000,
    "half a megabyte of commas": b'{"batch":[' + b"," * 511_000 + b"]}",
    "half a megabyte of brackets": b'{"batch":[' + b"[],{}," * 80_000 + b"NaN]}",
    "lines of nothing": b"\n" * 500_000,
    "carriage returns": b"\r" * 500_000,
}


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("path", WRITES)
async def test_odd_bodies_break_nothing(name: str, path: str) -> None:
    """Bombs, garbage and floods are answered, counted and bounded."""
    async with serving() as world:
        await send(world, path, PACKED[name])
        await assert_unharmed(world)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(max_size=10)
    | st.sampled_from(["ann", "bob", "ann@example.org", "+491701234567", "2025-11-22T03:04:05Z", "track", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, *CONTEXT]), inner, max_size=4)
    ),
    max_leaves=10,
)
CALLS = st.builds(
    lambda odd, kind: {"event": "A", "userId": "ann", "groupId": "g", "previousId": "p", **odd, "type": kind},
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
    st.sampled_from(["identify", "track", "page", "screen", "group", "alias"]),
)
BODIES = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda calls, odd: json.dumps({**odd, "batch": calls}).encode(),
        st.lists(CALLS | JSON, max_size=6),
        st.dictionaries(st.sampled_from(ENVELOPE), JSON, max_size=2),
    ),
    CALLS.map(lambda call: json.dumps(call).encode()),
    st.lists(CALLS | JSON, max_size=4).map(lambda calls: b"\n".join(json.dumps(call).encode() for call in calls)),
)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(WRITES), BODIES, st.booleans()), min_size=1, max_size=6))
async def test_no_sequence_of_bodies_breaks_anything(sent: list[tuple[str, bytes, bool]]) -> None:
    """Sound, odd and broken ones, packed or not, one after the other."""
    async with serving() as world:
        for path, body, packs in sent:
            await send(world, path, gzip.compress(body) if packs else body)
        await assert_unharmed(world)


@settings(max_examples=100)
@given(BODIES, st.data())
async def test_no_damage_on_the_way_breaks_anything(body: bytes, data: st.DataObject) -> None:
    """A few bytes changed, lost or repeated, before or after packing."""
    damaged = bytearray(gzip.compress(body) if data.draw(st.booleans()) else body)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(damaged)))
        damaged[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    async with serving() as world:
        for path in ("/v1/batch", "/v1/identify", "/v1/events"):
            await send(world, path, bytes(damaged))
        await assert_unharmed(world)


HEADERS = st.sampled_from(["authorization", "x-write-key", "content-type", "content-encoding", "x-retry-count", "host"])


@settings(max_examples=150)
@given(
    st.dictionaries(HEADERS, st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30), max_size=4),
    st.sampled_from(["/v1/batch", "/v1/people/email/a@b.example", "/v1/pixel/t?data=x", "/v1/projects/k/settings"]),
)
async def test_no_headers_break_anything(headers: dict[str, str], path: str) -> None:
    """Refused at worst."""
    async with serving() as world:
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        for method in ("GET", "POST", "OPTIONS"):
            response = await world.client.request(method, path, headers=encoded, content=b"{}")
            assert response.status_code < 500


@settings(max_examples=150)
@given(st.text(max_size=40), st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]))
async def test_no_path_breaks_anything(path: str, method: str) -> None:
    """Known or not, with any method."""
    async with serving() as world:
        for whole in (f"/{quote(path)}", f"/v1/{quote(path, safe='')}", f"/v1/people/{quote(path)}"):
            headers = {"authorization": f"Bearer {world.admin}"}
            assert (await world.client.request(method, whole, headers=headers)).status_code < 500


DEFINED = ["/v1/sources/x", "/v1/identity/rules", "/v1/subscriptions/x"]
NAMES = st.sampled_from(
    "party owner rank paused kinds blocked alarm_degree url events delay_ms secrets name cap".split()
)


@settings(max_examples=150)
@given(st.sampled_from(DEFINED), st.dictionaries(NAMES, JSON, max_size=4) | JSON | st.binary(max_size=50))
async def test_no_definition_breaks_anything(path: str, body: Any) -> None:
    """It is refused with a reason, or holds."""
    async with serving(MemoryEngine(ManualClock(NOW_MS))) as world:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await world.change("PUT", path, content)
        assert response.status_code in (200, 400)
        assert (await world.get(path)).status_code in (200, 404)
        await send(world, "/v1/batch", b'{"batch":[{"type":"track","event":"A","userId":"ann"}]}')
        await assert_unharmed(world)
