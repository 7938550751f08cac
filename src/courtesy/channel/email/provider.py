"""What carriers by a provider's API have in common: the call, what its failures mean, and reports that come back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpcore
import msgspec

from courtesy import __version__
from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS
from courtesy.channel.connections import Connections
from courtesy.channel.contract import Outside
from courtesy.channel.email.composing import more_lines, optional_lines
from courtesy.channel.email.letter import Letter
from courtesy.channel.guard import Blocked, Unresolved
from courtesy.channel.message import Accepted, Answer, Later, Refused, Unsure
from courtesy.channel.webhook import IDLE_CONNECTIONS, IDLE_S, check_url, host_header, parsed_url, retry_after_ms
from courtesy.component.declaration import Field, FieldType
from courtesy.delivery.cause import DeliveryCause
from courtesy.delivery.outcome import Outcome, shortened

TOKEN = "courtesy_token"  # noqa: S105 - the name under which our token travels, and comes back in reports
CONNECT_TIMEOUT_S = 10.0
TIMEOUT_S = 60.0
BODY_BYTES_MAX = 256 * 1024

# Raised while nothing was sent yet.
_NOT_SENT = (Unresolved, httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ConnectionNotAvailable)
_BROKEN = (OSError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.RemoteProtocolError)


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What an API said, its header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Mapping[str, Any]:
        """The body as a JSON object; empty when it is none."""
        return json_object(self.body) or {}

    @property
    def said(self) -> str:
        """Status and body as people read them."""
        return shortened(f"{self.status} {self.body.decode('utf-8', 'replace')}")


class Api:
    """Calls to providers' APIs. Connections are used again within seconds."""

    def __init__(self, outside: Outside) -> None:
        self._clock = outside.clock
        self._connections = Connections(outside, IDLE_CONNECTIONS, IDLE_S)

    async def aclose(self) -> None:
        """Give back all connections, once nothing is under way."""
        await self._connections.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> ApiAnswer | Later | Unsure:
        """The answer, or what an attempt comes to that had none: unsure as soon as the call may have arrived."""
        return await self._call("POST", url, headers, body)

    async def get(self, url: str) -> bytes:
        """What is at a public address. Raises CourtesyError (UNAVAILABLE) unless it is there."""
        answer = await self._call("GET", url, {}, b"")
        if not isinstance(answer, ApiAnswer) or answer.status != 200:
            told = answer.said if isinstance(answer, ApiAnswer) else answer.words
            raise CourtesyError(Code.UNAVAILABLE, f"expected an answer from {url[:200]}, got {told}")
        return answer.body

    async def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> ApiAnswer | Later | Unsure:
        try:
            async with asyncio.timeout(2 * TIMEOUT_S):
                return await self._answer(_request(method, url, headers, body))
        except Blocked as error:
            return Later(DeliveryCause.SET_UP, str(error))
        except _NOT_SENT as error:
            return Later(DeliveryCause.NO_ANSWER, shortened(str(error) or type(error).__name__))
        except _BROKEN as error:
            return Unsure(shortened(str(error) or type(error).__name__))

    async def _answer(self, request: httpcore.Request) -> ApiAnswer:
        said = bytearray()
        async with self._connections.stream(request) as response:
            async for chunk in response.aiter_stream():
                said += chunk
                if len(said) > BODY_BYTES_MAX:
                    break
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return ApiAnswer(response.status, told, bytes(said))

    def by_status(self, answer: ApiAnswer) -> Answer:
        """What an answer comes to, where the provider says nothing finer.

        A fault of the provider itself (500, 503) has taken nothing; one of a gateway before it (502, 504) does not
        know.
        """
        match answer.status:
            case status if 200 <= status < 300:
                return Accepted(answer.said)
            case 413:
                return Refused(DeliveryCause.TOO_LARGE, answer.said)
            case 429:
                after_ms = retry_after_ms(answer.headers.get("retry-after", ""), self._clock.now_ms())
                return Later(DeliveryCause.THROTTLED, answer.said, after_ms=after_ms)
            case 408 | 425 | 500 | 503:
                return Later(DeliveryCause.TEMPORARY, answer.said)
            case status if status >= 500:
                return Unsure(answer.said)
            case 400 | 406 | 409 | 415 | 422:
                return Refused(DeliveryCause.NOT_UNDERSTOOD, answer.said)
            case _:
                return Later(DeliveryCause.SET_UP, answer.said)


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> httpcore.Request:
    target = parsed_url(url)
    own = {"User-Agent": f"Courtesy/{__version__}", "Accept-Encoding": "identity", "Content-Length": str(len(body))}
    lines: list[tuple[str | bytes, str | bytes]] = [("Host", host_header(target)), *own.items(), *headers.items()]
    timeout = {"connect": CONNECT_TIMEOUT_S, "read": TIMEOUT_S, "write": TIMEOUT_S}
    return httpcore.Request(method, target, headers=lines, content=body, extensions={"timeout": timeout})


@dataclass(frozen=True, slots=True)
class Received:
    """A report as it came in over HTTP: header names in lower case, and the body byte for byte, as it was signed."""

    headers: Mapping[str, str]
    body: bytes


class Reporter(Protocol):
    """A carrier whose provider reports by webhook."""

    async def told(self, received: Received, config: dict[str, Any]) -> tuple[Outcome, ...]:
        """What a report tells, verified; empty when it is nothing of interest.

        Raises CourtesyError: UNAUTHENTICATED when it is not certainly the provider's, UNREADABLE when it can't be read,
        INVALID for the configuration.
        """
        ...


def not_theirs(provider: str, why: str) -> CourtesyError:
    """The error for a report that is not certainly the provider's."""
    return CourtesyError(Code.UNAUTHENTICATED, f"expected a report that {provider} signed: {why}")


def json_value(body: bytes) -> Any:
    """JSON as it came. Raises CourtesyError (UNREADABLE)."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CourtesyError(Code.UNREADABLE, "expected a report in JSON, got something else") from None


def json_object(body: bytes) -> Mapping[str, Any] | None:
    """A JSON object; None when it is something else."""
    try:
        found = json_value(body)
    except CourtesyError:
        return None
    return found if isinstance(found, Mapping) else None


def instant(told: object, otherwise_ms: int) -> int:
    """The time that a report tells: seconds since 1970, or ISO 8601; `otherwise_ms` when it is neither."""
    try:
        if isinstance(told, int | float) and not isinstance(told, bool):
            return int(told * SECOND_MS)
        at = datetime.fromisoformat(str(told))
        return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * SECOND_MS)
    except (ValueError, OverflowError):
        return otherwise_ms


def list_headers(letter: Letter) -> Iterator[tuple[str, str]]:
    """Name and value of the headers that a provider which composes by itself is to add. Raises CourtesyError
    (INVALID)."""
    for line in (*optional_lines(letter), *more_lines(letter)):
        name, _, value = line.decode().partition(":")
        if name not in ("Reply-To", "Content-Language"):
            yield name, " ".join(value.split())


def api_url_field(usual: str) -> Field:
    """The field for another address of the API, such as that of another region."""
    return Field(
        "api_url",
        FieldType.STRING,
        "Where the API is; empty for the usual place." if not usual else "Where the API is.",
        example=usual,
        default=usual,
        check=lambda url: check_url(url) if url else "",
    )
