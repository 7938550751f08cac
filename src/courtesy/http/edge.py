"""The outermost layer around every request: headers, time, trace, and what HTTP asks for in general."""

from __future__ import annotations

from time import perf_counter
from typing import Any, cast

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import HTTPScope, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send
from opentelemetry import propagate
from opentelemetry.trace import Span, SpanKind

from courtesy.http.browser import CORS, PREFLIGHT
from courtesy.http.metrics import RETRIED
from courtesy.runtime.telemetry import REQUEST_SECONDS, TRACER

UNROUTED = "unknown"
"""The route of a request for a path that does not exist: paths are told apart by route only, to keep metrics few."""

SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
NO_STORE = (b"cache-control", b"no-store")

Headers = list[tuple[bytes, bytes]]


class Server(Litestar):
    """The app behind its edge. `cors_routes`: the paths that any web page may call."""

    __slots__ = ("cors_routes",)

    cors_routes: frozenset[str]

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        if scope["type"] != ScopeType.HTTP:
            await super().__call__(scope, receive, send)
            return
        await self._answer(cast("HTTPScope", scope), cast("Receive", receive), cast("Send", send))

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        headers = dict(scope["headers"])
        if headers.get(b"x-retry-count", b"0") not in (b"0", b""):
            RETRIED.inc()
        # Routed as it was sent, so that an escaped slash in an identifier does not part it.
        scope["path"] = scope["raw_path"].decode("latin-1")
        method = scope["method"]
        edge = _Edge(scope, send, self.cors_routes)
        if method == "HEAD":
            scope["method"] = cast("Any", "GET")
        with TRACER.start_as_current_span("request", _parent(headers), SpanKind.SERVER) as span:
            try:
                await super().__call__(scope, receive, edge.send)
            finally:
                route = scope.get("path_template") or UNROUTED
                _tell(span, f"{method} {route}", route, edge.status)
                REQUEST_SECONDS.labels(route).observe(perf_counter() - started)


def _parent(headers: dict[bytes, bytes]) -> Any:
    """The trace that the request belongs to, if it says so."""
    trace = headers.get(b"traceparent")
    return propagate.extract({"traceparent": trace.decode("latin-1")}) if trace else None


def _tell(span: Span, name: str, route: str, status: int) -> None:
    if span.is_recording():
        span.update_name(name)
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)


class _Edge:
    """What one answer passes through on its way out."""

    __slots__ = ("_cors_routes", "_method", "_scope", "_send", "status")

    def __init__(self, scope: HTTPScope, send: Send, cors_routes: frozenset[str]) -> None:
        self._scope = scope
        self._send = send
        self._method = str(scope["method"])
        self._cors_routes = cors_routes
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._complete(list(message["headers"]))
        elif message["type"] == "http.response.body" and self._method == "HEAD":
            message["body"] = b""
        await self._send(message)

    def _complete(self, headers: Headers) -> Headers:
        own = {name for name, _ in headers}
        headers += [each for each in (*SECURITY, NO_STORE) if each[0] not in own]
        if self._scope.get("path_template") in self._cors_routes:
            headers += CORS
            if self._method == "OPTIONS":
                headers += PREFLIGHT
        return headers
