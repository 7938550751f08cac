"""What holds for every answer: headers, methods, errors in one form, and bugs that don't give anything away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from courtesy.base.errors import HTTP_STATUS, Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import ManualClock
from courtesy.engine_memory import MemoryEngine
from courtesy.http import edge
from courtesy.http.app import OPERATIONS
from courtesy.http.errors import Problem, answer_to
from tests.unit.http.world import NOW_MS, batch, serving, track

STRICT = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/v1/pixel/track"),
        ("GET", "/v1/status"),
        ("GET", "/nope"),
        ("POST", "/v1/batch"),
        ("DELETE", "/v1/batch"),
        ("OPTIONS", "/v1/keys"),
        ("HEAD", "/healthz"),
        ("GET", "/v1/people/email/%ff"),
    ],
)
async def test_every_answer_has_strict_headers(method: str, path: str) -> None:
    """Whatever it is, and nothing is kept on the way unless it says so."""
    async with serving() as world:
        response = await world.client.request(method, path)
        assert {name: response.headers.get(name) for name in STRICT} == STRICT
        assert response.headers["cache-control"]


async def test_errors_have_one_form() -> None:
    """Code, message, hint and place, also for what the framework refuses."""
    async with serving() as world:
        for method, path, status, code in (
            ("GET", "/nope", 404, "not_found"),
            ("GET", "/v1/people/email", 404, "not_found"),
            ("DELETE", "/v1/batch", 405, "method_not_allowed"),
            ("POST", "/v1/status", 405, "method_not_allowed"),
            ("GET", "/v1/status", 401, "unauthenticated"),
            ("GET", "/healthz?x=1", 400, "invalid"),
        ):
            response = await world.client.request(method, path)
            assert (response.status_code, response.json()["code"]) == (status, code)
            assert set(response.json()) == set(Problem.__struct_fields__)
            assert response.headers["content-type"] == "application/json"


async def test_a_wrong_method_is_told_the_right_ones() -> None:
    """As HTTP demands."""
    async with serving() as world:
        refused = await world.client.delete("/v1/keys")
        assert {"GET", "POST"} <= {name.strip() for name in refused.headers["allow"].split(",")}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/keys", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("/v1/keys/x", {"DELETE", "OPTIONS"}),
        ("/v1/sources/x", {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}),
        ("/v1/batch", {"POST", "OPTIONS"}),
    ],
)
async def test_options_lists_the_methods(path: str, methods: set[str]) -> None:
    """All of them."""
    async with serving() as world:
        response = await world.client.options(path)
        assert response.status_code == 204
        assert {name.strip() for name in response.headers["allow"].split(",")} == methods


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json", "/nope", "/v1/status"])
async def test_head_says_what_get_says_without_a_body(path: str) -> None:
    """Same status, same length."""
    async with serving() as world:
        get, head = await world.client.get(path), await world.client.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
async def test_no_answer_is_a_redirect(operation: Any) -> None:
    """With or without a slash at the end."""
    async with serving() as world:
        for path in (operation.path, operation.path + "/"):
            response = await world.client.request(operation.method, path.replace("{", "").replace("}", ""))
            assert not 300 <= response.status_code < 400


class Buggy(MemoryEngine):
    """Has a bug."""

    async def head(self) -> Position:
        raise ZeroDivisionError("ann@example.org divided by nothing")


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What is logged meanwhile."""
    with structlog.testing.capture_logs() as entries:
        yield entries


async def test_a_bug_is_told_without_its_details(logged: list[Any]) -> None:
    """500 to whoever reads; the log says where, but not with what."""
    async with serving(Buggy(ManualClock(NOW_MS))) as world:
        response = await world.get("/v1/status")
        assert (response.status_code, response.json()["code"]) == (500, "internal")
        (entry,) = [each for each in logged if each["event"] == "request_failed"]
        assert (entry["route"], entry["error"]) == ("/v1/status", "ZeroDivisionError")
        assert "head" in " ".join(entry["at"])
        assert "example.org" not in response.text + repr(logged)


def test_a_bug_while_storing_asks_to_send_again(logged: list[Any]) -> None:
    """503 with Retry-After: what was sent is not known to be stored."""
    for operation in OPERATIONS:
        answer = answer_to(ZeroDivisionError("x"), operation)
        if operation.path in ("/v1/batch", "/v1/t", "/v1/events", "/v1/import") or (
            operation.method == "POST" and operation.path.endswith("}/messages")
        ):
            assert (answer.status, dict(answer.headers).get("retry-after")) == (503, "30")
        elif operation.path.startswith("/v1/people"):
            assert answer.status == 500


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_its_status(code: Code) -> None:
    """By the one table; the tracking protocol alone knows no 413."""
    tracking = next(each for each in OPERATIONS if each.path == "/v1/batch")
    error = CourtesyError(code, "message", hint="hint", place="place")
    plain, tracked = answer_to(error, None), answer_to(error, tracking)
    assert plain.status == HTTP_STATUS[code]
    assert tracked.status == (400 if code is Code.TOO_LARGE else HTTP_STATUS[code])
    assert msgspec.json.decode(plain.body) == {"code": code, "message": "message", "hint": "hint", "place": "place"}


async def test_nothing_personal_is_logged(logged: list[Any]) -> None:
    """Neither of what is stored nor of what is refused, nor keys."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track("m-green-gables", "green-gables"), {"type": "green-gables"}))
        await world.post("/v1/batch", b'{"batch":[green-gables')
        await world.post("/v1/events", b"green-gables")
        await world.get("/v1/people/email/green-gables@example.org")
        await world.get("/v1/people/user_id/green-gables?green=gables")
        await world.get("/v1/status", key="green-gables")
        assert "gables" not in repr(logged)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where spans go: to a provider of this test's own, since the global one can be set only once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(edge, "TRACER", provider.get_tracer("test"))
    return exporter


async def test_each_request_is_a_span_with_route_and_status(spans: InMemorySpanExporter) -> None:
    """The route, not the path; part of the trace that the request names."""
    async with serving() as world:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await world.get("/v1/people/email/ann@example.org", headers={"traceparent": parent})
        await world.client.post("/v1/batch")
        await world.client.head("/nope")
        found: list[ReadableSpan] = list(spans.get_finished_spans())
        told = [(span.name, dict(span.attributes or {})["http.response.status_code"]) for span in found]
        assert told == [("GET /v1/people/{kind}/{value}", 404), ("POST /v1/batch", 400), ("HEAD unknown", 404)]
        assert [span.kind for span in found] == [trace.SpanKind.SERVER] * 3
        assert f"{found[0].context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
        assert "example.org" not in json.dumps([span.to_json() for span in found])
