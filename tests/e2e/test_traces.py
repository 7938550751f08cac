"""Traces reach a collector."""

from __future__ import annotations

import gzip
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sim.server import serving

LIMIT_S = 30.0
WANTED = (b"POST /v1/track", b"append", b"fold")


class _Collector(BaseHTTPRequestHandler):
    """Takes spans as an OpenTelemetry collector does, over HTTP."""

    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_spans_of_a_request_an_append_and_a_fold_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who names a collector sees one event's way through the processes, and no personal data in it."""
    bodies: list[bytes] = []
    collector = HTTPServer(("127.0.0.1", 0), type("Collector", (_Collector,), {"bodies": bodies}))
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    monkeypatch.setenv("COURTESY_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}/v1/traces")
    try:
        with serving() as server:
            request = urllib.request.Request(
                f"http://127.0.0.1:{server.port}/v1/track",
                data=b'{"userId":"traced-person","event":"Traced"}',
                headers={"Authorization": f"Bearer {server.write_key}"},
            )
            urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 -- our own server on loopback
            end = time.monotonic() + LIMIT_S
            while time.monotonic() < end and not all(any(name in body for body in bodies) for name in WANTED):
                time.sleep(0.1)
    finally:
        collector.shutdown()
        collector.server_close()
    for name in WANTED:
        assert any(name in body for body in bodies)
    assert not any(b"traced-person" in body for body in bodies)
