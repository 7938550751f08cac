"""A shop's own server that Courtesy calls: it checks every signature, answers 204, and keeps what it got."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import Any


class HookServer:
    """Receives signed webhooks on a port of this machine, each message once however often it comes."""

    def __init__(self, secret: str) -> None:
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._server: asyncio.Server | None = None
        self.received: dict[str, dict[str, Any]] = {}
        self.forged_count = 0

    async def start(self) -> int:
        """Listen; the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
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
                self._take(headers, body)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(self._key, signed, "sha256")).decode()
        if f"v1,{expected}" not in headers["webhook-signature"].split(" "):
            self.forged_count += 1
            return
        self.received.setdefault(headers["webhook-id"], json.loads(body))
