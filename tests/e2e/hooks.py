"""Receivers of webhooks on a thread of their own, beside a test that waits and asks."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sim.hooks import HookServer
from sim.server import Server
from tests.e2e.asking import ask, tell

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
PROBE_S = 3.0
"""A worker hears of a new definition within a second; a probe that was too early is repeated."""


@contextmanager
def loop_thread() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """An event loop that runs beside the test; the function runs something on it and returns what it returns."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="receivers", daemon=True)
    thread.start()

    async def awaited(what: Awaitable[Any]) -> Any:
        return await what

    try:
        yield lambda what: asyncio.run_coroutine_threadsafe(awaited(what), loop).result(60)
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def receiving() -> Iterator[tuple[HookServer, str]]:
    """A shop's server that checks signatures by SECRET and keeps what it gets; and its URL."""
    with loop_thread() as run:
        hooks = HookServer(SECRET)
        port = run(hooks.start())
        try:
            yield hooks, f"http://127.0.0.1:{port}/courtesy"
        finally:
            run(hooks.stop())


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a receiver, as it came. Header names in lower case."""

    headers: dict[str, str]
    body: bytes
    at_ms: int

    @property
    def message_id(self) -> str:
        """Of the event that it tells of."""
        return str(json.loads(self.body)["data"]["event"]["messageId"])


@dataclass(slots=True)
class Receiver:
    """Somebody's server for webhooks. `statuses` are its answers, in order; 204 when they are used up.

    While `open` is not set it takes requests and does not answer.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    def told(self) -> set[str]:
        """The messages that it heard of."""
        return {call.message_id for call in list(self.calls)}


@contextmanager
def receiver(*statuses: int, answering: bool = True) -> Iterator[Receiver]:
    """A receiver that listens; everybody who waits for it is answered in the end."""
    made = Receiver(statuses=list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.calls.append(Call(headers, body, time.time_ns() // 1_000_000))
            made.open.wait()
            with suppress(OSError):
                self.send_response(made.statuses.pop(0) if made.statuses else 204)
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="receiver", daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/hook"
    if answering:
        made.open.set()
    try:
        yield made
    finally:
        made.open.set()
        server.shutdown()
        thread.join()
        server.server_close()


def subscribe(server: Server, name: str, **body: Any) -> Any:
    """Define a subscription; the answer."""
    path = f"/v1/subscriptions/{name}"
    answer = ask(server.port, "PUT", path, key=server.admin_key, body={"secrets": [SECRET], **body})
    assert answer.status == 200, answer.body
    return answer.json()


def wait_known(server: Server, event: str, told: Callable[[], set[str]]) -> set[str]:
    """Return when all fold workers know the subscription of an event, and so all definitions before it.

    People of all partitions do it until, once, `told` names every message. Those that it names, all in all.
    """
    for number in itertools.count():
        ids = {f"{event}-probe-{number}-{who}" for who in range(64)}
        tell(server, [{"type": "track", "event": event, "userId": each, "messageId": each} for each in sorted(ids)])
        end = time.monotonic() + PROBE_S
        while time.monotonic() < end:
            if ids <= told():
                return told()
            time.sleep(0.02)
    raise AssertionError("unreachable")
