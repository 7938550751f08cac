"""The app behind its real server, over real connections: what only a network shows."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from courtesy.base.ids import Position
from tests.e2e.http_server import Served, http_server


def call(message_id: str, **more: Any) -> dict[str, Any]:
    """A good track call."""
    return {"type": "track", "event": "Bought", "userId": "ann", "messageId": message_id, **more}


async def raw(served: Served, request: bytes) -> bytes:
    """What the server says to these bytes, until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(20):
        said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


async def test_events_sent_over_connections_at_once_are_all_stored() -> None:
    """Each position covers what was sent with it, and one person has them all."""
    async with http_server() as served, httpx.AsyncClient(base_url=served.url, auth=(served.write, "")) as client:

        async def send(number: int) -> Position:
            body = {"batch": [call(f"{number}-{index}") for index in range(50)]}
            content = gzip.compress(json.dumps(body).encode())
            response = await client.post("/v1/batch", content=content, headers={"content-encoding": "gzip"})
            assert (response.status_code, response.json()["results"]) == (200, [])
            return Position(int(response.json()["position"]))

        positions = await asyncio.gather(*(send(number) for number in range(20)))
        assert max(positions) == await served.app.engine.head() == 1_000
        headers = {"authorization": f"Bearer {served.read}"}
        person = await client.get(f"/v1/people/user_id/ann?after={max(positions)}", headers=headers, auth=None)
        assert person.json()["event_count"] == 1_000


async def test_identifiers_with_slashes_come_through_the_server() -> None:
    """The path reaches the app as it was sent."""
    async with http_server() as served, httpx.AsyncClient(base_url=served.url) as client:
        value = "a/b c+d/events/ü"
        sent = await client.post("/v1/track", json=call("m", userId=value), headers={"x-write-key": served.write})
        assert sent.json()["results"] == []
        headers = {"authorization": f"Bearer {served.read}"}
        for path in ("", "/events", "/why", "/"):
            url = f"/v1/people/user_id/a%2Fb%20c%2Bd%2Fevents%2F%C3%BC{path}"
            assert (await client.get(url, headers=headers)).status_code == 200
        assert (await client.get("/v1/people/user_id/%ff%fe", headers=headers)).status_code == 400
        unescaped = "GET /v1/people/user_id/a%2Fb%20c%2Bd%2Fevents%2Fü HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
        key = f"authorization: Bearer {served.read}\r\n\r\n"
        assert b" 200 " in (await raw(served, (unescaped + key).encode())).partition(b"\r\n")[0]


async def test_a_stream_is_stored_while_it_comes() -> None:
    """The first lines are in the log before the last are sent."""
    async with http_server() as served, httpx.AsyncClient(base_url=served.url, timeout=30) as client:
        heads: list[int] = []

        async def lines() -> AsyncIterator[bytes]:
            for chunk in range(5):
                yield b"".join(json.dumps(call(f"{chunk}-{index}")).encode() + b"\n" for index in range(2_000))
                while not heads or (heads[-1] < chunk * 2_000 and chunk):
                    await asyncio.sleep(0.01)
                    heads.append(await served.app.engine.head())

        response = await client.post("/v1/events", content=lines(), headers={"x-write-key": served.write})
        assert response.json()["stored"] == 10_000
        assert any(0 < head < 10_000 for head in heads)


async def test_an_oversize_body_is_answered_instead_of_a_broken_pipe() -> None:
    """The client hears why, though it is still sending."""
    async with http_server() as served, httpx.AsyncClient(base_url=served.url, timeout=30) as client:
        body = b'{"batch":["' + b"x" * 3_000_000 + b'"]}'
        response = await client.post("/v1/batch", content=body, headers={"x-write-key": served.write})
        assert (response.status_code, response.json()["code"]) == (400, "too_large")


async def test_head_and_options_over_the_wire() -> None:
    """No body follows, and the connection stays usable."""
    async with http_server() as served:
        said = await raw(
            served,
            b"HEAD /healthz HTTP/1.1\r\nhost: h\r\n\r\n"
            b"OPTIONS /v1/batch HTTP/1.1\r\nhost: h\r\norigin: x\r\n\r\n"
            b"GET /healthz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
        )
        statuses = [line.split()[1] for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1")]
        assert statuses == [b"200", b"204", b"200"]
        assert said.count(b'{"status":"ok"') == 1


async def test_a_client_that_leaves_in_the_middle_leaves_no_trace() -> None:
    """What was not sent whole was never received; the server goes on."""
    async with http_server() as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"POST /v1/batch HTTP/1.1\r\nhost: h\r\nx-write-key: %s\r\n" % served.write.encode())
        writer.write(b'content-length: 1000\r\n\r\n{"batch":[')
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient(base_url=served.url) as client:
            sent = await client.post("/v1/track", json=call("m"), headers={"x-write-key": served.write})
            assert sent.json()["results"] == []
        counts = await served.app.engine.counts(0, 2**60)
        assert sum(each.event_count for each in counts if each.fate == "received") == 1


async def test_no_host_and_old_versions_are_answered() -> None:
    """HTTP/1.0 from a script of long ago."""
    async with http_server() as served:
        path = f"/v1/projects/{served.write}/settings".encode()
        said = await raw(served, b"GET %s HTTP/1.0\r\n\r\n" % path)
        assert b" 200 " in said.partition(b"\r\n")[0]
        assert b"127.0.0.1:%d/v1" % served.port in said


async def test_garbage_on_the_wire_is_refused() -> None:
    """And the next client is served."""
    async with http_server() as served:
        for garbage in (
            b"\x00\x01\x02\r\n\r\n",
            b"GET\r\n\r\n",
            b"POST /v1/batch HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n",
        ):
            said = await raw(served, garbage + b"\r\n")
            assert not said or b" 400 " in said.partition(b"\r\n")[0]
        async with httpx.AsyncClient(base_url=served.url) as client:
            assert (await client.get("/healthz")).status_code == 200
