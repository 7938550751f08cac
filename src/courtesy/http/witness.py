"""A witness over HTTP: the one call of c2sp.org/tlog-witness, on threads of the standard library.

It is a program of its own for whoever does not run the log; few logs ask it, once in half a minute.
"""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import ClassVar

import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.witnessing import PATH, SIZE_TYPE, SUBMISSION_BYTES_MAX, Refusal
from courtesy.runtime.witness import Witness

IDLE_S = 30
TEXT = "text/plain; charset=utf-8"

log = structlog.get_logger("witness")


class WitnessServer(ThreadingHTTPServer):
    """Listens for one witness. `port` 0 takes one that is free; `server_port` says which."""

    daemon_threads = True

    def __init__(self, witness: Witness, host: str, port: int) -> None:
        self.witness = witness
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking name servers what this host is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    server_version = "courtesy-witness"
    sys_version = ""
    timeout: ClassVar[int] = IDLE_S

    def do_POST(self) -> None:
        if self.path.rstrip("/").rpartition("/")[2] != PATH:
            self._answer(404, TEXT, f"expected POST …/{PATH}, got {self.path:.200}\n")
            return
        content = self._content()
        if content is None:
            self.close_connection = True
            self._answer(413, TEXT, f"expected content of a stated length up to {SUBMISSION_BYTES_MAX} bytes\n")
            return
        try:
            self._answer(*self._verdict(content.decode()))
        except UnicodeDecodeError:
            self._answer(400, TEXT, "expected UTF-8\n")
        except CourtesyError as error:
            if error.code is not Code.UNREADABLE:
                log.error("witness_broken", cause=error.message, place=error.place)
            self._answer(400 if error.code is Code.UNREADABLE else 500, TEXT, f"{error.message}\n")

    def _content(self) -> bytes | None:
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > SUBMISSION_BYTES_MAX:
            return None
        return self.rfile.read(int(length))

    def _verdict(self, text: str) -> tuple[int, str, str]:
        verdict = self.server.witness.add_checkpoint(text)
        if verdict.signature is not None:
            log.info("signed", size=verdict.size)
            return 200, TEXT, verdict.signature.line()
        assert verdict.refusal is not None, "a verdict is one or the other"
        log.warning("refused", why=verdict.refusal.name.lower(), size=verdict.size)
        if verdict.refusal is Refusal.CONFLICT:
            return verdict.refusal, SIZE_TYPE, f"{verdict.size}\n"
        return verdict.refusal, TEXT, f"{verdict.refusal.name.lower().replace('_', ' ')}\n"

    def _answer(self, status: int, media_type: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: what was decided is in our own log."""
