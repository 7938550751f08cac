"""AWS Signature Version 4 of a request without a query, as services of Amazon want it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit

from courtesy.base.time import SECOND_MS

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks, and where. `session_token` comes with credentials that are lent for a while."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    session_token: str = field(default="", repr=False)


def signed_headers(
    credentials: Credentials, service: str, method: str, url: str, body: bytes, now_ms: int
) -> dict[str, str]:
    """The headers to send beside `Host`: the time and the signature, over method, path, host and body."""
    at = datetime.fromtimestamp(now_ms // SECOND_MS, UTC)
    stamp, day = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}"
    parts = urlsplit(url)
    headers = {"host": parts.netloc, "x-amz-date": stamp}
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(headers))
    canonical = _canonical(method, quote(parts.path or "/", safe="/-_.~"), headers, names, body)
    scope = f"{day}/{credentials.region}/{service}/aws4_request"
    to_sign = "\n".join((_ALGORITHM, stamp, scope, sha256(canonical.encode()).hexdigest()))
    signature = hmac.digest(_key(credentials, day, service), to_sign.encode(), "sha256").hex()
    credential = f"Credential={credentials.access_key}/{scope}"
    authorization = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return {**{name: value for name, value in headers.items() if name != "host"}, "authorization": authorization}


def _canonical(method: str, path: str, headers: Mapping[str, str], names: str, body: bytes) -> str:
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    return "\n".join((method, path, "", lines, names, sha256(body).hexdigest()))


def _key(credentials: Credentials, day: str, service: str) -> bytes:
    key = f"AWS4{credentials.secret_key}".encode()
    for step in (day, credentials.region, service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key
