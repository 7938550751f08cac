"""The webhook channel against real servers: what is sent, and what each kind of answer comes to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpcore
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook as Peer

from courtesy import __version__
from courtesy.base.time import Clock, ManualClock, SystemClock
from courtesy.channel.address import Address, permitted_networks
from courtesy.channel.contract import (
    MAX_BACKOFF_MS,
    Attempt,
    Delivered,
    FailCause,
    Failed,
    Outside,
    Parcel,
    Retry,
    RetryCause,
)
from courtesy.channel.guard import GuardedNetwork, Resolver, SystemResolver, Unresolved
from courtesy.channel.webhook import Webhook, check_secrets, check_timeout, check_url, retry_after_ms
from tests.unit.channel.receiver import Receiver, Script, answering, dripping, hang, receiving, saying

NOON_MS = 1_793_448_000_123
KEY = bytes(range(16))
BODY = json.dumps({"type": "cart.left", "data": {"name": "Zoë"}}, ensure_ascii=False).encode()
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(64, 88))).decode()
LOOPBACK = permitted_networks(["127.0.0.0/8", "::1"])
TLS = httpcore.default_ssl_context()


def parcel(url: str, secrets: Sequence[str] = (SECRET,), timeout_ms: int = 20_000) -> Parcel:
    """A parcel that only differs in what a test is about."""
    config = {"url": url, "secrets": list(secrets), "timeout_ms": timeout_ms}
    return Parcel(key=KEY, kind="webhook", created_at_ms=NOON_MS - 60_000, config=config, body=BODY)


@asynccontextmanager
async def open_channel(clock: Clock | None = None, resolver: Resolver | None = None) -> AsyncIterator[Webhook]:
    """A webhook channel that may reach this machine."""
    network = GuardedNetwork(resolver or SystemResolver(), LOOPBACK)
    channel = Webhook(Outside(clock or ManualClock(NOON_MS), network, TLS))
    try:
        yield channel
    finally:
        await channel.aclose()


def deliver(script: Script, clock: Clock | None = None, **config: object) -> tuple[Attempt, Receiver]:
    """What one attempt comes to at a server that follows the script."""

    async def scenario() -> tuple[Attempt, Receiver]:
        async with receiving(script) as receiver, open_channel(clock) as channel:
            one = parcel(f"http://127.0.0.1:{receiver.port}/hook?a=1")
            one.config.update(config)
            return await channel.deliver(one), receiver

    return asyncio.run(scenario())


def test_the_request_is_what_the_specification_asks_for() -> None:
    """Method, target, body and every header, the signature computed here from the specification's formula."""
    _, receiver = deliver(answering(204))
    (request,) = receiver.requests
    signed = b"msg_000102030405060708090a0b0c0d0e0f.1793448000." + BODY
    digest = hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()
    assert request.line == "POST /hook?a=1 HTTP/1.1"
    assert request.body == BODY
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "user-agent": f"Courtesy/{__version__}",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "webhook-id": "msg_000102030405060708090a0b0c0d0e0f",
        "webhook-timestamp": "1793448000",
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_an_independent_library_verifies_either_secret_during_a_rotation() -> None:
    """A receiver that knows only the old secret, and one that knows only the new, both accept the message."""
    _, receiver = deliver(answering(200), clock=SystemClock(), secrets=[SECRET, OLD_SECRET])
    (request,) = receiver.requests
    for secret in (SECRET, OLD_SECRET):
        assert Peer(secret).verify(request.body, request.headers) == json.loads(BODY)


def test_a_repeated_attempt_has_the_same_id_and_a_new_timestamp() -> None:
    """The receiver recognises the repetition, and its replay window is met."""

    async def scenario() -> list[tuple[str, str]]:
        clock = ManualClock(NOON_MS)
        async with receiving(answering(500)) as receiver, open_channel(clock) as channel:
            for _ in range(2):
                await channel.deliver(parcel(f"http://127.0.0.1:{receiver.port}"))
                clock.advance(5_000)
            return [(seen.headers["webhook-id"], seen.headers["webhook-timestamp"]) for seen in receiver.requests]

    (first_id, first_s), (second_id, second_s) = asyncio.run(scenario())
    assert first_id == second_id
    assert int(second_s) - int(first_s) == 5


@pytest.mark.parametrize(
    ("script", "attempt"),
    [
        (answering(200, body=b"thanks"), Delivered("200")),
        (answering(204), Delivered("204")),
        (answering(299), Delivered("299")),
        (answering(304), Failed(FailCause.REDIRECT, "304 to nowhere")),
        (answering(400, body=b"no such\n\x00 shop"), Failed(FailCause.REJECTED, "400 no such shop")),
        (answering(404), Failed(FailCause.REJECTED, "404")),
        (answering(408), Retry(RetryCause.TIMEOUT, "408")),
        (answering(410, body=b"bye"), Failed(FailCause.GONE, "410 bye")),
        (answering(425), Retry(RetryCause.THROTTLED, "425")),
        (answering(429), Retry(RetryCause.THROTTLED, "429")),
        (answering(429, "Retry-After: 120"), Retry(RetryCause.THROTTLED, "429", after_ms=120_000)),
        (answering(500, body="überlastet".encode()), Retry(RetryCause.SERVER_ERROR, "500 überlastet")),
        (answering(503, "retry-after: 7"), Retry(RetryCause.SERVER_ERROR, "503", after_ms=7_000)),
        (answering(599), Retry(RetryCause.SERVER_ERROR, "599")),
        (answering(700), Retry(RetryCause.SERVER_ERROR, "700")),
        (saying(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\n\r\n"), Delivered("201")),
    ],
)
def test_the_status_decides(script: Script, attempt: Attempt) -> None:
    """Each class of status comes to the attempt that the reference promises."""
    assert deliver(script)[0] == attempt


def test_a_date_in_retry_after_is_counted_from_the_clock() -> None:
    """The two forms of the header mean the same."""
    script = answering(429, "Retry-After: Sat, 31 Oct 2026 12:01:00 GMT")
    attempt, _ = deliver(script, clock=ManualClock(1_793_448_000_000))
    assert attempt == Retry(RetryCause.THROTTLED, "429", after_ms=60_000)


@pytest.mark.parametrize(
    ("header", "after_ms"),
    [
        ("0", 0),
        (" 5 ", 5_000),
        ("999999999", MAX_BACKOFF_MS),
        ("9" * 5_000, MAX_BACKOFF_MS),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sat, 31 Oct 2026 12:01:00 GMT", 59_877),
        ("Sat, 31 Oct 2026 12:01:00 -0000", 59_877),
        ("Sat, 31 Oct 2026 13:01:00 +0100", 59_877),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_BACKOFF_MS),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
    ],
)
def test_retry_after_is_read_within_bounds(header: str, after_ms: int | None) -> None:
    """Nobody can make an effect wait for ever, and nonsense is as good as no header."""
    assert retry_after_ms(header, NOON_MS) == after_ms


@given(st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ Jan \d+ \d+:\d+:\d+ [+-]\d{1,6}", fullmatch=True))
def test_no_retry_after_breaks_the_reader(header: str) -> None:
    """Whatever the header holds, the answer is a wait within bounds or none."""
    after_ms = retry_after_ms(header, NOON_MS)
    assert after_ms is None or 0 <= after_ms <= MAX_BACKOFF_MS


def test_a_redirect_is_not_followed() -> None:
    """The target, which nobody configured, hears nothing; its address is told to the user."""

    async def scenario() -> tuple[Attempt, str, Receiver]:
        async with receiving(answering(200)) as target, open_channel() as channel:
            location = f"http://127.0.0.1:{target.port}/"
            async with receiving(answering(301, f"Location: {location}")) as receiver:
                attempt = await channel.deliver(parcel(f"http://127.0.0.1:{receiver.port}/"))
                return attempt, location, target

    attempt, location, target = asyncio.run(scenario())
    assert attempt == Failed(FailCause.REDIRECT, f"301 to {location}")
    assert target.requests == []


@pytest.mark.parametrize(
    "script",
    [hang, dripping(b""), dripping(b"HTTP/1.1 200 OK\r\nX-Endless: ")],
    ids=["silence", "drip", "drip in a header"],
)
def test_no_answer_in_time_is_a_timeout(script: Script) -> None:
    """The limit is on the whole attempt, so trickling bytes do not stretch it, and the connection is dropped."""
    attempt, _ = deliver(script, timeout_ms=200)
    assert attempt == Retry(RetryCause.TIMEOUT, "no answer in the time allowed")


def test_an_accepted_message_is_delivered_though_the_body_of_the_answer_never_ends() -> None:
    """Once the status says yes, a slow body cannot turn it into a retry and so into a second delivery."""
    attempt, _ = deliver(dripping(b"HTTP/1.1 200 OK\r\n\r\n"), timeout_ms=200)
    assert attempt == Delivered("200")


def test_a_huge_answer_is_not_read() -> None:
    """The connection is dropped long before a hundred megabytes have gone over it."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oops\r\n\r\n")
        for _ in range(1_600):
            writer.write(b"a" * 65_536)
            await writer.drain()

    attempt, receiver = deliver(flood)
    assert attempt == Retry(RetryCause.SERVER_ERROR, "500 " + "a" * 200)
    assert receiver.lost == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"X: y\r\n" * 50_000],
    ids=["closed", "cut short", "another protocol", "no status", "endless head"],
)
def test_an_answer_that_is_not_http_is_a_broken_connection(raw: bytes) -> None:
    """What cannot be understood may be understood later."""
    attempt, _ = deliver(saying(raw))
    assert isinstance(attempt, Retry)
    assert attempt.cause is RetryCause.CONNECTION
    assert attempt.detail


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 4), st.binary(max_size=40))
def test_whatever_comes_back_makes_an_attempt(noise: bytes, kept: int, rest: bytes) -> None:
    """Any bytes, also after a sound beginning, end in a value; nothing is raised and nothing hangs."""
    sound = [b"HTTP/1.1 ", b"200 ", b"OK\r\n", b"Content-Length: "]
    attempt, _ = deliver(saying(b"".join(sound[:kept]) + noise + b"\r\n\r\n" + rest))
    assert isinstance(attempt, Delivered | Retry | Failed)


def test_a_refused_connection_is_told_as_such() -> None:
    """The detail names the system's own reason."""

    async def scenario() -> Attempt:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # without listening: refused, and nobody else's port
            async with open_channel() as channel:
                return await channel.deliver(parcel(f"http://127.0.0.1:{taken.getsockname()[1]}/"))

    attempt = asyncio.run(scenario())
    assert isinstance(attempt, Retry)
    assert attempt.cause is RetryCause.CONNECTION
    assert "111" in attempt.detail


class Names:
    """A resolver that knows these names only."""

    def __init__(self, **addresses: Address) -> None:
        self._addresses = addresses

    async def resolve(self, host: str) -> Sequence[Address]:
        if host not in self._addresses:
            raise Unresolved(f"{host} cannot be resolved")
        return [self._addresses[host]]


def test_the_host_header_of_an_ipv6_address_has_brackets() -> None:
    """Servers tell the address from the port. (The name stands in for the network, which a test machine may lack.)"""

    async def scenario() -> str:
        loopback = permitted_networks(["127.0.0.1"])[0][0]
        async with (
            receiving(answering(200)) as receiver,
            open_channel(resolver=Names(**{"2001:db8::1": loopback})) as channel,
        ):
            assert await channel.deliver(parcel(f"http://[2001:DB8::1]:{receiver.port}/")) == Delivered("200")
            return receiver.requests[0].headers["host"].removesuffix(f":{receiver.port}")

    assert asyncio.run(scenario()) == "[2001:db8::1]"


def test_an_unknown_host_is_tried_again() -> None:
    """A name may be missing for an hour while somebody moves it."""

    async def scenario() -> Attempt:
        async with open_channel(resolver=Names()) as channel:
            return await channel.deliver(parcel("https://nowhere.example/"))

    assert asyncio.run(scenario()) == Retry(RetryCause.DNS, "nowhere.example cannot be resolved")


@pytest.mark.parametrize(
    ("trusted", "name", "cause"),
    [(True, "shop", None), (True, "other", RetryCause.TLS), (False, "shop", RetryCause.TLS)],
    ids=["good", "another's certificate", "unknown authority"],
)
def test_the_certificate_must_be_for_the_name(trusted: bool, name: str, cause: RetryCause | None) -> None:
    """Although an address is dialled, the certificate is held against the host of the URL."""
    authority = trustme.CA()
    server_tls, client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), httpcore.default_ssl_context()
    authority.issue_cert("shop").configure_cert(server_tls)
    if trusted:
        authority.configure_trust(client_tls)

    async def scenario() -> Attempt:
        loopback = permitted_networks(["127.0.0.1"])[0][0]
        network = GuardedNetwork(Names(shop=loopback, other=loopback), LOOPBACK)
        channel = Webhook(Outside(ManualClock(NOON_MS), network, client_tls))
        async with receiving(answering(200), tls=server_tls) as receiver:
            attempt = await channel.deliver(parcel(f"https://{name}:{receiver.port}/"))
            await channel.aclose()
            return attempt

    attempt = asyncio.run(scenario())
    assert (attempt.cause if isinstance(attempt, Retry) else None) is cause
    assert isinstance(attempt, Delivered | Retry)


def test_https_to_a_server_without_tls_is_a_tls_failure() -> None:
    """Nothing is sent in the clear where encryption was asked for."""

    async def scenario() -> tuple[Attempt, Receiver]:
        plain = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        async with receiving(hang, greeting=plain) as receiver, open_channel() as channel:
            return await channel.deliver(parcel(f"https://127.0.0.1:{receiver.port}/")), receiver

    attempt, receiver = asyncio.run(scenario())
    assert isinstance(attempt, Retry)
    assert attempt.cause is RetryCause.TLS
    assert receiver.requests == []


def test_a_handshake_that_never_ends_is_a_timeout_and_leaves_no_connection() -> None:
    """The server waits for a request that cannot come, and sees the client go away."""

    async def scenario() -> tuple[Attempt, Receiver]:
        async with receiving(answering(200)) as receiver, open_channel() as channel:
            return await channel.deliver(parcel(f"https://127.0.0.1:{receiver.port}/", timeout_ms=200)), receiver

    attempt, receiver = asyncio.run(scenario())
    assert attempt == Retry(RetryCause.TIMEOUT, "no answer in the time allowed")
    assert (receiver.requests, receiver.lost) == ([], 1)


def test_proxies_in_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve names itself, outside the guard."""

    async def scenario() -> tuple[Attempt, Receiver]:
        async with receiving(answering(500)) as proxy, receiving(answering(200)) as receiver, open_channel() as channel:
            for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            return await channel.deliver(parcel(f"http://127.0.0.1:{receiver.port}/")), proxy

    attempt, proxy = asyncio.run(scenario())
    assert attempt == Delivered("200")
    assert proxy.requests == []


def test_slow_receivers_do_not_hold_up_the_others() -> None:
    """With many attempts hanging at one server, an attempt at another is answered."""

    async def scenario() -> Attempt:
        arrived = asyncio.Semaphore(0)

        async def take_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.release()
            await hang(reader, writer)

        async with receiving(take_in) as dead, receiving(answering(200)) as alive, open_channel() as channel:
            slow = [asyncio.create_task(channel.deliver(parcel(f"http://127.0.0.1:{dead.port}/"))) for _ in range(60)]
            for _ in slow:
                await arrived.acquire()
            attempt = await channel.deliver(parcel(f"http://127.0.0.1:{alive.port}/"))
            for task in slow:
                task.cancel()
            await asyncio.wait(slow)
            assert all(task.cancelled() for task in slow)
            return attempt

    assert asyncio.run(scenario()) == Delivered("200")


def test_a_connection_is_used_again() -> None:
    """Two messages to one server need one handshake."""

    async def scenario() -> int:
        connections = 0

        async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            writer.write(ok)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(BODY))
            writer.write(ok)

        async with receiving(twice) as receiver, open_channel() as channel:
            for _ in range(2):
                assert await channel.deliver(parcel(f"http://127.0.0.1:{receiver.port}/")) == Delivered("200")
        return connections

    assert asyncio.run(scenario()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example:8443/hooks?a=%20b",
        "HTTP://Shop_1.example/",
        "http://[2001:db8::1]:80/",
        "http://93.184.215.14/#part",
    ],
)
def test_a_sound_url_passes(url: str) -> None:
    """What a browser would take, apart from what is refused on purpose."""
    assert check_url(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example/hook",
        "//shop.example/hook",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://user@shop.example/",
        "http://user:word@shop.example/",
        "http://shop.example:0/",
        "http://shop.example:65536/",
        "http://shop.example:x/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[::1::]/",
        "http://a..b/",
        "http://shop.example./",
        "http://-shop.example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://bücher.example/",
        "http://shop.example/a b",
        "http://shop.example/a\r\nHost: other",
        " http://shop.example/",
        "http://shop.example\\@other/",
        "http://%31%32%37.0.0.1/",
    ],
)
def test_a_doubtful_url_is_refused(url: str) -> None:
    """Each refusal says what was expected."""
    assert check_url(url).startswith("a URL")


@given(st.text())
def test_no_text_breaks_the_url_check(url: str) -> None:
    """The check answers for everything that JSON can hold."""
    assert isinstance(check_url(url), str)


@pytest.mark.parametrize(
    "secrets",
    [
        (),
        (SECRET,) * 6,
        ("",),
        ("whsec_",),
        (SECRET.removeprefix("whsec_"),),
        (SECRET, "whsec_!!!!"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(),),
        ("whsec_" + base64.b64encode(bytes(65)).decode(),),
        ("whsec_ä",),
    ],
)
def test_secrets_that_cannot_sign_safely_are_refused(secrets: tuple[str, ...]) -> None:
    """None at all, too many, too short, too long, or not base64."""
    assert "secrets" in check_secrets(secrets)


@pytest.mark.parametrize("secrets", [(SECRET,), (SECRET, OLD_SECRET), (SECRET.rstrip("="),)])
def test_secrets_of_the_right_form_pass(secrets: tuple[str, ...]) -> None:
    """Padding is optional, since some tools leave it out."""
    assert check_secrets(secrets) == ""


@pytest.mark.parametrize(("timeout_ms", "fine"), [(99, False), (100, True), (60_000, True), (60_001, False)])
def test_the_timeout_has_bounds(timeout_ms: int, fine: bool) -> None:
    """No attempt can hang for ever, nor be too short to succeed."""
    assert (check_timeout(timeout_ms) == "") is fine
