"""A recipient as its builder would write one: it keeps what is so of each subject, the latest version of it, and says
what it has. And as it runs in earnest: with a network and a disk that fail in every way that a sender must bear."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

import msgspec

from courtesy.base.time import Clock, SystemClock

SLOW_S = 0.15
RETRY_AFTER_S = 1
SAFE_AFTER_MS = 30_000
"""After how long a write is on its disk."""


class Fault(StrEnum):
    """What goes wrong with one request.

    DROP: the connection breaks before anything is done; DROP_AFTER: when it is done. ERROR: 500. BUSY: 429. SLOW: it
    takes its time. LIE: it says that it did, and did not. STALE: it shows what it had before. RESTART: it forgets its
    latest writes, though it said that they were done.
    """

    DROP = "drop"
    DROP_AFTER = "drop_after"
    ERROR = "error"
    BUSY = "busy"
    SLOW = "slow"
    LIE = "lie"
    STALE = "stale"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Written:
    """A write as it was done: when (ms UTC), to which subject, and what was there before; None for nothing."""

    at_ms: int
    subject: str
    before: bytes | None


class Version(msgspec.Struct):
    """As much of a document as says which one it is."""

    version: int


_VERSION = msgspec.json.Decoder(Version)


@dataclass(slots=True)
class Recipient:
    """Keeps subjects: in `documents`, by their name, what it was told, byte for byte. `faults` are the chances of each
    fault per request; change them to heal it.

    `arrived` has the subject and the version of each write in the order in which they were done, None for an erasure.
    """

    secret: str
    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=lambda: Random(0))
    faults: Mapping[Fault, float] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    erased: dict[str, list[str]] = field(default_factory=dict)
    arrived: list[tuple[str, int | None]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _written: deque[Written] = field(default_factory=deque)
    _server: asyncio.Server | None = None

    @property
    def held(self) -> dict[str, dict[str, Any]]:
        """What it has of each subject."""
        return {subject: json.loads(document) for subject, document in self.documents.items()}

    async def start(self, port: int = 0) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _ = head[0].split(" ")
                answer = await self._answer(method, path.rpartition("/")[2], headers, body)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, subject: str, headers: Mapping[str, str], body: bytes) -> bytes | None:
        """The answer; None to break off."""
        if not self._is_genuine(method, subject, headers, body):
            self.counts["forged"] += 1
            return _said(401)
        fault = self._fault()
        self.counts[f"{method} {fault or 'well'}"] += 1
        match fault:
            case Fault.DROP:
                return None
            case Fault.ERROR:
                return _said(500)
            case Fault.BUSY:
                return _said(429, extra=f"retry-after: {RETRY_AFTER_S}\r\n")
            case Fault.SLOW:
                await asyncio.sleep(SLOW_S)
            case Fault.RESTART:
                self.restart()
                return None
            case _:
                pass
        if fault is Fault.LIE and method != "GET":
            return _said(200)
        answer = self._do(method, subject, body, is_stale=fault is Fault.STALE)
        return None if fault is Fault.DROP_AFTER else answer

    def _fault(self) -> Fault | None:
        drawn = self.random.random()
        for fault, chance in self.faults.items():
            if drawn < chance:
                return fault
            drawn -= chance
        return None

    def _is_genuine(self, method: str, subject: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether it was signed, and for this very request."""
        verb = {"PUT": "put", "GET": "read", "DELETE": "erase"}.get(method, "")
        message_id = headers["webhook-id"]
        signed = f"{message_id}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        is_for_this = message_id.split("_")[:2] == [verb, subject]
        return is_for_this and expected in headers["webhook-signature"].split(" ")

    def _do(self, method: str, subject: str, body: bytes, *, is_stale: bool) -> bytes:
        known = self.documents.get(subject)
        if method == "GET":
            shown = self._before(subject) if is_stale else known
            return _said(404) if shown is None else _said(200, shown)
        if method == "DELETE":
            self._write(subject, None)
            self.erased[subject] = json.loads(body)["identifiers"]
            return _said(204)
        if subject in self.erased:
            return _said(410)
        if known is not None and _VERSION.decode(known).version > _VERSION.decode(body).version:
            return _said(409)
        self._write(subject, body)
        return _said(200)

    def _write(self, subject: str, document: bytes | None) -> None:
        now_ms = self.clock.now_ms()
        while self._written and self._written[0].at_ms <= now_ms - SAFE_AFTER_MS:
            self._written.popleft()
        self._written.append(Written(now_ms, subject, self.documents.get(subject)))
        self.arrived.append((subject, None if document is None else _VERSION.decode(document).version))
        if document is None:
            self.documents.pop(subject, None)
        else:
            self.documents[subject] = document

    def _before(self, subject: str) -> bytes | None:
        return next((each.before for each in reversed(self._written) if each.subject == subject), None)

    def restart(self) -> None:
        """Forget the writes that are not on the disk."""
        while self._written and self._written[-1].at_ms > self.clock.now_ms() - SAFE_AFTER_MS:
            written = self._written.pop()
            self.erased.pop(written.subject, None)
            if written.before is None:
                self.documents.pop(written.subject, None)
            else:
                self.documents[written.subject] = written.before


def _said(status: int, document: bytes | None = None, extra: str = "") -> bytes:
    body = document or b""
    tag = "" if document is None else f'etag: "v{_VERSION.decode(document).version}"\r\n'
    length = "" if status == 204 else f"content-length: {len(body)}\r\n"
    return f"HTTP/1.1 {status} Said\r\n{length}{tag}{extra}\r\n".encode() + body
