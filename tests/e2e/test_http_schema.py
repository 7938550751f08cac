"""The server does what its description says: schemathesis sends what fits the schemas and what does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.generation import GenerationMode

from courtesy.http.app import OPERATIONS
from courtesy.http.operation import Operation
from courtesy.runtime.catalog import Scope
from tests.e2e.http_server import Served, http_server

EXAMPLES = 15
EXAMPLES_WITHOUT_INPUT = 2

# Whoever reads may find nobody under a name that fits the schema, and an identifier may be one that nobody can have.
EXCLUDED = [checks.positive_data_acceptance]
# What a client sends is not refused for one odd field: the item is answered with its cause, and 200. And it may carry
# several keys, of which one good one is enough; that none is not enough has a test of its own.
EXCLUDED_FOR_WRITES = [*EXCLUDED, checks.negative_data_rejection, checks.ignored_auth]


TAKES_SOMETHING = [
    each for each in OPERATIONS if each.query.__struct_fields__ or each.body or each.request or each.path_names
]


@dataclass(frozen=True)
class Api:
    """A running server and its description."""

    served: Served
    schema: Any

    def headers_for(self, operation: Operation) -> dict[str, str]:
        """A key that allows an operation."""
        if operation.scope is Scope.WRITE:
            return {"X-Write-Key": self.served.write}
        return {"Authorization": f"Bearer {self.served.admin}"} if operation.scope is not None else {}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """A server in a thread of its own, since schemathesis waits for its answers."""
    ready = threading.Event()
    found: list[tuple[Served, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        async with http_server() as served:
            found.append((served, asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(30)
        served, loop, stop = found[0]
        document = httpx.get(f"{served.url}/openapi.json").json()
        yield Api(served, schemathesis.openapi.from_dict(document))
        loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join(30)


def try_out(api: Api, operation: Operation, mode: GenerationMode) -> None:
    """Send examples of one kind, and check every answer against the description."""
    declared = api.schema[operation.path][operation.method]
    headers = api.headers_for(operation)
    excluded = EXCLUDED_FOR_WRITES if operation.tracking or operation.scope is Scope.WRITE else EXCLUDED

    @settings(
        max_examples=EXAMPLES if operation in TAKES_SOMETHING else EXAMPLES_WITHOUT_INPUT,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(declared.as_strategy(generation_mode=mode))
    def conforms(case: Any) -> None:
        response = case.call(base_url=api.served.url, headers=headers)
        fits = not (operation.body or operation.request) and fits_as_sent(response.request.url, operation)
        left_out = [*excluded, checks.negative_data_rejection] if fits else excluded
        case.validate_response(response, excluded_checks=left_out, headers=headers)

    conforms()


def fits_as_sent(url: str, operation: Operation) -> bool:
    """Whether what was to be wrong with a query can't be seen in it any more: a field without a value is not sent. The
    key, which is added to every request, can't be what is wrong."""
    sent = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    try:
        msgspec.convert(sent, operation.query, strict=False)
    except msgspec.ValidationError:
        return False
    return sent.keys() <= {each.encode_name for each in msgspec.structs.fields(operation.query)}


def named(operation: Operation) -> str:
    """How a test calls an operation."""
    return f"{operation.method} {operation.path}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_what_fits_the_description_is_answered_as_described(api: Api, operation: Operation) -> None:
    """Statuses, types of content, headers and bodies are those declared; never a 5xx; keys are asked for."""
    try_out(api, operation, GenerationMode.POSITIVE)


CAN_MISFIT = [each for each in OPERATIONS if each.query.__struct_fields__ or each.body or (each.request and each.scope)]


@pytest.mark.parametrize("operation", CAN_MISFIT, ids=named)
def test_what_does_not_fit_is_refused_as_described(api: Api, operation: Operation) -> None:
    """With a 4xx that is declared; but a client that sends events is only refused for its key or an unreadable body."""
    try_out(api, operation, GenerationMode.NEGATIVE)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.scope is not None], ids=named)
def test_without_a_key_nothing_is_done(api: Api, operation: Operation) -> None:
    """401 as declared, whatever else is sent."""
    declared = api.schema[operation.path][operation.method]

    @settings(max_examples=5, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
    @given(declared.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def refused(case: Any) -> None:
        case.headers = {name: value for name, value in (case.headers or {}).items() if "auth" not in name.lower()}
        response = case.call(base_url=api.served.url, headers={"Authorization": "Bearer nobody"})
        assert response.status_code in (400, 401)
        case.validate_response(response, checks=[checks.status_code_conformance, checks.response_schema_conformance])

    refused()
