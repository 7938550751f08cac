"""Outgoing webhooks: a signed HTTP POST to a user's server, after the Standard Webhooks specification 1.0."""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from ipaddress import IPv6Address
from typing import ClassVar
from urllib.parse import urlsplit

import httpcore
import msgspec

from courtesy import __version__
from courtesy.base.errors import CourtesyError
from courtesy.base.time import SECOND_MS
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
from courtesy.channel.guard import Blocked, Unresolved
from courtesy.component.declaration import Component, Field, FieldType, Kind
from courtesy.component.validation import validated

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets start with
_SECRET_BYTES = (24, 64)  # the specification's bounds, 192 to 512 bits
_SECRETS_AT_ONCE = 5
_TIMEOUT_MS = (100, 60_000)
_BODY_READ_BYTES = 64 * 1024
_QUOTED_CHARS = 200
CONNECT_TIMEOUT_S = 5.0  # per address, so that a dead one leaves time for the next
IDLE_CONNECTIONS = 32
IDLE_S = 15.0

# All that is raised for what a remote or the network does; httpcore's LocalProtocolError would be our bug.
FAILURES = (OSError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.RemoteProtocolError)

_URL_CHARS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HOST_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def check_url(url: str) -> str:
    """What was expected instead of `url`; empty when it is an absolute http(s) URL that names a host and no user."""
    if not _URL_CHARS.fullmatch(url):
        return "a URL in plain ASCII (an international host as xn--, other characters as %XX)"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "a URL with a port from 1 to 65535 and a closed [IPv6 address]"
    if parts.scheme not in ("http", "https"):
        return "a URL that starts with https:// or http://"
    if "@" in parts.netloc:
        return "a URL without user name and password"
    if not _is_host(parts.hostname or "") or port == 0:
        return "a URL with a valid host and a port from 1 to 65535"
    return ""


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return IPv6Address(host).scope_id is None
        except ValueError:
            return False
    return len(host) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in host.split("."))


def check_secrets(secrets: Sequence[str]) -> str:
    """What was expected instead of `secrets`; empty when all of them can sign."""
    if not 1 <= len(secrets) <= _SECRETS_AT_ONCE:
        return f"one to {_SECRETS_AT_ONCE} secrets"
    low, high = _SECRET_BYTES
    if all(low <= len(secret_key(secret)) <= high for secret in secrets):
        return ""
    return f"secrets of the form {SECRET_PREFIX} and {low} to {high} random bytes in base64"


def secret_key(secret: str) -> bytes:
    """The key inside `whsec_<base64>`, its padding optional; empty when it has another form."""
    encoded = secret.removeprefix(SECRET_PREFIX).rstrip("=")
    if not secret.startswith(SECRET_PREFIX):
        return b""
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        return b""


def check_timeout(timeout_ms: int) -> str:
    """What was expected instead of `timeout_ms`; empty when it is within bounds."""
    low, high = _TIMEOUT_MS
    return "" if low <= timeout_ms <= high else f"an integer from {low} to {high}"


COMPONENT = Component(
    name="webhook",
    kind=Kind.CHANNEL,
    summary="Sends a message to your own server as a signed HTTP POST.",
    doc="""
The body is JSON, signed after [Standard Webhooks](https://www.standardwebhooks.com), whose libraries verify it in a
dozen languages. Three headers come with it: `webhook-id`, the same each time one message is sent, so that you can
recognise a repetition; `webhook-timestamp`, the seconds of this attempt since 1970; and `webhook-signature`, one
`v1,<base64>` per secret: HMAC-SHA256 over `<id>.<timestamp>.<body>`.

Answer with any 2xx status as soon as the message is safe; the body of the answer is not needed. After 408, 425, 429,
any 5xx, a timeout or a broken connection it is sent again, first within seconds, then ever more rarely for three days;
a `Retry-After` header is respected up to 12 hours. After any other 4xx or a redirect it is not sent again. After 410
nothing is sent any more: the subscription is switched off until it is defined again.

Addresses that are not public are refused unless the operator permits them (setting `allow_private_webhooks`).
""",
    fields=(
        Field(
            "url",
            FieldType.STRING,
            "Where to send. HTTPS, or HTTP where the way is safe; no user name or password in it.",
            example="https://shop.example/hooks/courtesy",
            required=True,
            check=check_url,
        ),
        Field(
            "secrets",
            FieldType.STRINGS,
            "What to sign with, each `whsec_` and 24 to 64 random bytes in base64. "
            "To change a secret, list the new and the old one until your server knows the new one.",
            example=("whsec_dGhpcyBpcyBhbiBleGFtcGxlLCBub3QgYSBzZWNyZXQ=",),
            required=True,
            secret=True,
            check=check_secrets,
        ),
        Field(
            "timeout_ms",
            FieldType.INTEGER,
            "How long one attempt may take in all, in milliseconds, from 100 to 60000.",
            example=15_000,
            default=15_000,
            check=check_timeout,
        ),
    ),
)


class _Settings(msgspec.Struct, frozen=True):
    """The fields of COMPONENT, validated."""

    url: str
    secrets: tuple[str, ...]
    timeout_ms: int


def webhook_id(key: bytes) -> str:
    """The message id of an effect: the same at each attempt, and without a full stop, as signing demands."""
    return f"msg_{key.hex()}"


def signature(secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The `webhook-signature` header: one signature per secret, in their order, with a space between."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digests = (hmac.digest(secret_key(secret), signed, "sha256") for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, its header names in lower case. `said` is the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    said: str


class Webhook:
    """The channel `webhook`. Connections to the same server are used again within seconds.

    The number of connections is not limited here: a limit would let slow receivers hold up the others.
    """

    component: ClassVar[Component] = COMPONENT

    def __init__(self, outside: Outside) -> None:
        # httpcore rather than httpx: it takes a network backend, and neither follows redirects, nor reads
        # proxies from the environment, nor unpacks what the other side sent.
        self._clock = outside.clock
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=outside.tls,
            max_connections=None,
            max_keepalive_connections=IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_S,
            network_backend=outside.network,
        )

    async def deliver(self, parcel: Parcel) -> Attempt:
        try:
            settings = msgspec.convert(validated(COMPONENT, parcel.config), _Settings)
        except CourtesyError as error:
            return Failed(FailCause.BAD_CONFIG, str(error))
        try:
            answer = await self._post(settings, parcel)
        except (Blocked, Unresolved, *FAILURES) as error:
            return without_answer(error)
        return with_answer(answer, self._clock.now_ms())

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _post(self, settings: _Settings, parcel: Parcel) -> Answer:
        deadline = asyncio.get_running_loop().time() + settings.timeout_ms / SECOND_MS
        async with AsyncExitStack() as stack:
            async with asyncio.timeout_at(deadline):
                url = parsed_url(settings.url)
                request = self._pool.stream(
                    "POST",
                    url,
                    headers=[("Host", host_header(url)), *self._headers(settings.secrets, parcel)],
                    content=parcel.body,
                    extensions={"timeout": {"connect": CONNECT_TIMEOUT_S}},
                )
                response = await stack.enter_async_context(request)
            said = await _beginning(response, deadline)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(response.status, headers, said)

    def _headers(self, secrets: Sequence[str], parcel: Parcel) -> list[tuple[str, str]]:
        message_id = webhook_id(parcel.key)
        timestamp_s = self._clock.now_ms() // SECOND_MS
        return [
            ("User-Agent", f"Courtesy/{__version__}"),
            ("Accept-Encoding", "identity"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(parcel.body))),
            ("webhook-id", message_id),
            ("webhook-timestamp", str(timestamp_s)),
            ("webhook-signature", signature(secrets, message_id, timestamp_s, parcel.body)),
        ]


def parsed_url(url: str) -> httpcore.URL:
    """A URL that `check_url` takes, for httpcore."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=path)


def host_header(url: httpcore.URL) -> bytes:
    """As httpcore would write it, but with the brackets that an IPv6 address needs."""
    host = b"[%b]" % url.host if b":" in url.host else url.host
    return host if url.port is None else b"%b:%d" % (host, url.port)


async def _beginning(response: httpcore.Response, deadline: float) -> str:
    """As much of the body as is read before the limit, the deadline or an error: the status has decided already."""
    said = bytearray()
    with suppress(*FAILURES):
        async with asyncio.timeout_at(deadline):
            async for chunk in response.aiter_stream():
                said += chunk
                if len(said) > _BODY_READ_BYTES:
                    break
    text = said[: 4 * _QUOTED_CHARS].decode("utf-8", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_QUOTED_CHARS]


def without_answer(error: Exception) -> Retry | Failed:
    """What an attempt comes to that ended before there was a status."""
    detail = _innermost(error)
    match error:
        case Blocked():
            return Failed(FailCause.BLOCKED_ADDRESS, detail)
        case Unresolved():
            return Retry(RetryCause.DNS, detail)
        case TimeoutError() | httpcore.TimeoutException():
            return Retry(RetryCause.TIMEOUT, "no answer in the time allowed")
        case httpcore.ConnectError(args=(ssl.SSLError(), *_)):
            return Retry(RetryCause.TLS, detail)
        case _:
            return Retry(RetryCause.CONNECTION, detail)


def _innermost(error: BaseException) -> str:
    """The message of the first cause: libraries wrap "connection refused" in vaguer words.

    httpcore keeps it as an argument, not as `__cause__`.
    """
    inner = error.__cause__ or next(iter(error.args), None)
    if isinstance(inner, BaseException) and not isinstance(error, Blocked | Unresolved):
        return _innermost(inner)
    return str(error) or type(error).__name__


_COME_LATER = {408: RetryCause.TIMEOUT, 425: RetryCause.THROTTLED, 429: RetryCause.THROTTLED}


def with_answer(answer: Answer, now_ms: int) -> Attempt:
    """What an attempt comes to by the status of its answer."""
    detail = f"{answer.status} {answer.said}".rstrip()
    match answer.status:
        case status if 200 <= status < 300:
            return Delivered(str(status))
        case status if 300 <= status < 400:
            return Failed(
                FailCause.REDIRECT, f"{status} to {answer.headers.get('location', 'nowhere')[:_QUOTED_CHARS]}"
            )
        case 410:
            return Failed(FailCause.GONE, detail)
        case status if 400 <= status < 500 and status not in _COME_LATER:
            return Failed(FailCause.REJECTED, detail)
        case status:
            cause = _COME_LATER.get(status, RetryCause.SERVER_ERROR)
            return Retry(cause, detail, retry_after_ms(answer.headers.get("retry-after", ""), now_ms))


def retry_after_ms(header: str, now_ms: int) -> int | None:
    """The wait that a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds or a date), from 0 to MAX_BACKOFF_MS.

    None when it is neither.
    """
    text = header.strip()
    if text.isascii() and text.isdecimal():
        # Python refuses to read very long numbers, and ten digits are beyond the maximum anyway.
        return min(int(text) * SECOND_MS, MAX_BACKOFF_MS) if len(text) < 10 else MAX_BACKOFF_MS
    try:
        moment = parsedate_to_datetime(text)
        at_ms = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * SECOND_MS
    except (ValueError, OverflowError):
        return None
    return min(max(at_ms - now_ms, 0), MAX_BACKOFF_MS)
