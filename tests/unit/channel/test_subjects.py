"""Calls to recipients against real servers: what is asked, and what each kind of answer comes to."""

from __future__ import annotations

import asyncio
import json

import pytest
from standardwebhooks import Webhook as Peer

from courtesy.base.time import SystemClock
from courtesy.channel.address import permitted_networks
from courtesy.channel.contract import Attempt, Delivered, FailCause, Failed, Outside, Retry, RetryCause
from courtesy.channel.guard import GuardedNetwork, SystemResolver
from courtesy.channel.subjects import BODY_BYTES_MAX, ReadBack, SubjectCalls, Where, check_recipient_url
from tests.unit.channel.receiver import Receiver, Script, answering, receiving, saying
from tests.unit.channel.test_webhook import SECRET

SUBJECT = "0123456789abcdef0123456789abcdef"
BODY = b'{"version":7}'
LOOPBACK = permitted_networks(["127.0.0.0/8"])


def call(method: str, script: Script, path: str = "/crm/") -> tuple[Attempt | ReadBack, Receiver]:
    """One call to a server that answers as the script says."""

    async def run() -> tuple[Attempt | ReadBack, Receiver]:
        calls = SubjectCalls(Outside(SystemClock(), GuardedNetwork(SystemResolver(), LOOPBACK)))
        async with receiving(script) as receiver:
            where = Where(f"http://127.0.0.1:{receiver.port}{path}", (SECRET,))
            try:
                if method == "PUT":
                    return await calls.put(where, SUBJECT, 7, BODY), receiver
                if method == "DELETE":
                    return await calls.erase(where, SUBJECT, BODY), receiver
                return await calls.read(where, SUBJECT), receiver
            finally:
                await calls.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "message_id"),
    [("PUT", f"put_{SUBJECT}_7"), ("GET", f"read_{SUBJECT}"), ("DELETE", f"erase_{SUBJECT}")],
)
def test_a_call_is_signed_and_its_id_says_what_it_is(method: str, message_id: str) -> None:
    """The specification's own library accepts it; the subject is behind the recipient's address."""
    _, receiver = call(method, answering(200, body=b"{}"))
    (request,) = receiver.requests
    assert request.line == f"{method} /crm/subjects/{SUBJECT} HTTP/1.1"
    assert request.headers["webhook-id"] == message_id
    if request.body:
        Peer(SECRET).verify(request.body, request.headers)
    assert request.body == (b"" if method == "GET" else BODY)


@pytest.mark.parametrize(
    ("method", "status", "attempt"),
    [
        ("PUT", 204, Delivered("204")),
        ("PUT", 409, Delivered("409")),
        ("PUT", 410, Failed(FailCause.GONE, "410")),
        ("PUT", 404, Failed(FailCause.REJECTED, "404")),
        ("PUT", 500, Retry(RetryCause.SERVER_ERROR, "500")),
        ("DELETE", 204, Delivered("204")),
        ("DELETE", 404, Delivered("404")),
        ("DELETE", 410, Delivered("410")),
        ("DELETE", 403, Failed(FailCause.REJECTED, "403")),
        ("GET", 404, ReadBack(None)),
        ("GET", 410, ReadBack(None)),
        ("GET", 401, Failed(FailCause.REJECTED, "401")),
        ("GET", 503, Retry(RetryCause.SERVER_ERROR, "503")),
    ],
)
def test_what_an_answer_comes_to(method: str, status: int, attempt: Attempt | ReadBack) -> None:
    """By its status; nothing of what it says is kept, which may name somebody."""
    found, _ = call(method, answering(status, body=b"no such person as Ann"))
    assert found == attempt


def test_a_recipient_may_ask_to_be_spared() -> None:
    """For as long as it says."""
    found, _ = call("PUT", answering(429, "Retry-After: 7"))
    assert found == Retry(RetryCause.THROTTLED, "429", 7_000)


def test_what_is_read_back_is_its_document_and_its_own_version() -> None:
    """The version is the ETag, cut where nobody reads on."""
    document = {"version": 7, "allowed": []}
    found, _ = call("GET", answering(200, f'ETag: "{"v" * 300}"', body=json.dumps(document).encode()))
    assert isinstance(found, ReadBack)
    assert (found.document, len(found.tag)) == (document, 200)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_document_is_asked_for_again(body: bytes) -> None:
    """It says that, and never raises."""
    found, _ = call("GET", answering(200, body=body))
    assert isinstance(found, Retry)
    assert found.cause is RetryCause.CONNECTION


def test_an_endless_answer_is_broken_off() -> None:
    """After more than any document takes."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {2 * BODY_BYTES_MAX}\r\n\r\n".encode()
    found, _ = call("GET", saying(head + b" " * (BODY_BYTES_MAX + 100_000)))
    assert isinstance(found, Retry)
    assert "longer" in found.detail


def test_a_server_that_says_nothing_is_tried_again() -> None:
    """A connection that breaks before the answer tells nothing of what was done."""
    found, _ = call("PUT", saying(b""))
    assert isinstance(found, Retry)


def test_an_address_takes_paths_behind_it() -> None:
    """So it has no query, and else is like that of a webhook."""
    assert check_recipient_url("https://crm.example/courtesy") == ""
    assert "query" in check_recipient_url("https://crm.example/?a=b")
    assert "https" in check_recipient_url("ftp://crm.example")
