"""What a channel promises: one attempt to deliver one parcel, and an answer from a closed list.

A channel does not retry, wait or remember; the dispatcher does. `Retry` may succeed later, `Failed` will not.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any, ClassVar, Protocol

import httpcore
import msgspec

from courtesy.base.time import HOUR_MS, SECOND_MS, Clock
from courtesy.component.declaration import Component


class Parcel(msgspec.Struct, frozen=True):
    """One effect, ready to leave.

    `key` is the effect's deterministic key, 16 bytes, the same at each attempt. `kind` is the name of the
    channel's component. `config` is as written by the user; look it up anew for each attempt, so that a
    correction or a rotated secret takes effect at once.
    """

    key: bytes
    kind: str
    created_at_ms: int
    config: dict[str, Any]
    body: bytes

    def __repr__(self) -> str:
        """Without config and body, which hold secrets and personal data that must not reach a log."""
        return f"Parcel(key={self.key.hex()}, kind={self.kind!r}, created_at_ms={self.created_at_ms})"


class _Cause(StrEnum):
    """A member that carries its documentation."""

    doc: str

    def __new__(cls, value: str, doc: str = "") -> _Cause:
        member = str.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member


class RetryCause(_Cause):
    """Why an attempt failed that is worth repeating."""

    TIMEOUT = "timeout", "The connection or the answer did not come in the time allowed."
    CONNECTION = "connection", "The connection was refused or broken, or the answer was not understood."
    DNS = "dns", "The host name could not be resolved."
    TLS = "tls", "The other side's certificate could not be verified, or encryption could not be agreed on."
    THROTTLED = "throttled", "The other side asked to be spared for a while."
    SERVER_ERROR = "server_error", "The other side reported a fault of its own."


class FailCause(_Cause):
    """Why an effect is given up. To repeat the same attempt would end the same way."""

    BAD_CONFIG = "bad_config", "The channel's configuration is not valid."
    BLOCKED_ADDRESS = "blocked_address", "The host is a private or special address that is not permitted."
    REDIRECT = "redirect", "The other side pointed elsewhere. Redirects are not followed: configure the final address."
    REJECTED = "rejected", "The other side refused the message as such."
    GONE = "gone", "The other side wants no more messages at this address. Its subscription is switched off."


class Delivered(msgspec.Struct, frozen=True, tag="delivered"):
    """The other side accepted the message."""

    detail: str


class Retry(msgspec.Struct, frozen=True, tag="retry"):
    """The attempt failed, but another may succeed: not before `after_ms` from now, if the other side said so.

    `after_ms` is at least 0 and at most MAX_BACKOFF_MS. Whether the message arrived may be unknown, so the
    other side must recognise a repeated key.
    """

    cause: RetryCause
    detail: str
    after_ms: int | None = None


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """No attempt can succeed."""

    cause: FailCause
    detail: str


Attempt = Delivered | Retry | Failed
"""What became of one attempt. `detail` is for people; it may quote the other side, so it is kept, but not logged."""


@dataclass(frozen=True, slots=True)
class Outside:
    """All that a channel may touch of the world. `tls` verifies the other side, by default against the
    authorities that the machine and certifi know.
    """

    clock: Clock
    network: httpcore.AsyncNetworkBackend
    tls: ssl.SSLContext = field(default_factory=httpcore.default_ssl_context)


class Channel(Protocol):
    """Delivers messages by one protocol, to one provider, or to a user's own server."""

    component: ClassVar[Component]

    def __init__(self, outside: Outside) -> None: ...

    async def deliver(self, parcel: Parcel) -> Attempt:
        """Try once, in bounded time.

        Never raises for what the user configured or the other side does. Many parcels may be under way at once.
        A cancelled attempt leaves no connection behind; whether the message arrived is then unknown.
        """
        ...

    async def aclose(self) -> None:
        """Give back all connections, once nothing is under way. To close twice does no harm."""
        ...


MIN_BACKOFF_MS = 5 * SECOND_MS
MAX_BACKOFF_MS = 12 * HOUR_MS
_FIRST_CEILING_MS = 2 * MIN_BACKOFF_MS
_GROWTH = 3
_DIGEST_MAX = 2**64 - 1

# Ceilings are 10 s x 3^n up to 12 h, and a wait is three quarters of its ceiling on average. The first eight waits
# make about 7 h together, the other seven 9 h each: the last of 16 attempts comes about three days after the first,
# long enough for a weekend.
MAX_ATTEMPTS = 16


def backoff_ms(attempt_count: int, key: bytes) -> int:
    """How long to wait after `attempt_count` (1 or more) attempts, from MIN_BACKOFF_MS to MAX_BACKOFF_MS.

    It grows threefold, with half of it as jitter (Brooker, "Exponential Backoff and Jitter", 2015, "equal
    jitter"), so that effects that failed together do not return together. The jitter comes from the
    effect's key: the same arguments give the same wait on every machine.
    """
    assert attempt_count >= 1
    ceiling_ms: int = min(_FIRST_CEILING_MS * _GROWTH ** min(attempt_count - 1, MAX_ATTEMPTS), MAX_BACKOFF_MS)
    digest = blake2b(key + attempt_count.to_bytes(8, "big"), digest_size=8).digest()
    return ceiling_ms // 2 + ceiling_ms // 2 * int.from_bytes(digest, "big") // _DIGEST_MAX
