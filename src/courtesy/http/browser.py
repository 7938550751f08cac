"""For web pages: the settings that the browser library asks for, the pixel, and who may call from where."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.http.auth import keys_of, write_keys_in
from courtesy.http.body import Envelope, accept_by_turns, write_key_of
from courtesy.http.errors import INTERNAL, RETRY_AFTER_S, log_bug
from courtesy.http.metrics import count_fates
from courtesy.http.operation import Answer, Asked, NoQuery, Operation
from courtesy.http.schemas import GIF
from courtesy.http.tracking import TYPES, has_gpc, headers_of
from courtesy.runtime.catalog import Scope
from courtesy.runtime.telemetry import REFUSED_REQUESTS

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
"""A transparent GIF of one pixel."""

CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"retry-after"),
)
PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, content-encoding, x-retry-count, x-write-key, anonymousid, sec-gpc",
    ),
    (b"access-control-max-age", b"86400"),
)
"""Any page may send events: the write key that it needs is in every page of its site anyway."""


async def read_settings(asked: Asked[NoQuery, None]) -> Answer:
    """What analytics.js boots with: where to send, and that it shall send everything."""
    key = asked.path["key"]
    grant = await asked.door.grant(keys_of(key), (Scope.WRITE,))
    if grant is None or grant.scope is not Scope.WRITE:
        raise CourtesyError(Code.NOT_FOUND, "no write key like this", hint="`courtesy keys create` makes keys")
    body = msgspec.json.encode(_settings(key, *_own_address(asked)))
    return Answer(body, headers=(("cache-control", "private, max-age=60"),))


def _own_address(asked: Asked[Any, Any]) -> tuple[str, str]:
    """Host (with its port) and protocol under which the browser has reached us.

    A proxy in front may have taken the TLS off; what it says of that only matters to the one who asks.
    """
    scope = asked.request.scope
    headers = headers_of(asked)
    server = scope.get("server") or ("localhost", None)
    host = headers.get(b"host", b"").decode("latin-1") or f"{server[0]}:{server[1]}"
    forwarded = headers.get(b"x-forwarded-proto", b"").decode("latin-1").partition(",")[0].strip().lower()
    return host, forwarded if forwarded in ("http", "https") else scope["scheme"]


def _settings(key: str, host: str, protocol: str) -> dict[str, Any]:
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{host}/v1",
                "protocol": protocol,
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {
            "track": {"__default": {"enabled": True, "integrations": {}}},
            "identify": {"__default": {"enabled": True}},
            "group": {"__default": {"enabled": True}},
        },
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


class PixelQuery(msgspec.Struct, frozen=True):
    """`data` is one call, as base64 or as plain JSON."""

    data: str = ""
    writeKey: str = ""  # noqa: N815 -- as the protocol spells it


async def receive_pixel(asked: Asked[PixelQuery, None]) -> Answer:
    """Store the call in `data`, and answer with the image whatever it is.

    Only when the store fails the status says so: then the event is lost, for no image is asked for twice.
    """
    try:
        await _store_pixel(asked)
    except CourtesyError as error:
        REFUSED_REQUESTS.labels(str(error.code)).inc()
        if error.code not in (Code.UNAVAILABLE, Code.STORAGE_FULL, Code.TOO_MANY):
            return _pixel(200)
        return _pixel(503)
    except Exception as error:  # noqa: BLE001 -- a bug; the page shall not show a broken image for it
        REFUSED_REQUESTS.labels(INTERNAL).inc()
        log_bug(error, asked.operation)
        return _pixel(503)
    return _pixel(200)


async def _store_pixel(asked: Asked[PixelQuery, None]) -> None:
    content = _call_in(asked.query.data)
    named = asked.query.writeKey or write_key_of(content)
    policy = await asked.door.writer((*write_keys_in(headers_of(asked)), *keys_of(named)))
    envelope = Envelope((content,))
    app = asked.app
    items = await accept_by_turns(
        app.ingest.turn,
        envelope,
        policy,
        app.clock.now_ms(),
        forced_type=TYPES.get(asked.path["type"]),
        gpc=has_gpc(asked),
    )
    count_fates(await app.ingest.append(items, policy))
    await app.post.inbox.settle(items)


def _call_in(data: str) -> bytes:
    """The call as JSON; what is neither base64 nor JSON stays as it is, for accept to refuse."""
    text = data.strip()
    if text.startswith("{"):
        return text.encode("utf-8", "replace")
    # In a query a plus sign stands for a blank, and many clients forget to escape it.
    packed = text.replace(" ", "+").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "replace")


def _pixel(status: int) -> Answer:
    headers = (("cache-control", "no-store"), ("cross-origin-resource-policy", "cross-origin"))
    answer = Answer(PIXEL, status, "image/gif", headers)
    return answer if status == 200 else answer.with_headers(("retry-after", RETRY_AFTER_S[status]))


OPERATIONS = (
    Operation(
        "GET",
        "/v1/projects/{key}/settings",
        "tracking",
        "The settings with which analytics.js starts on a page.",
        read_settings,
        answer=dict[str, Any],
        codes=(Code.NOT_FOUND, Code.INVALID),
        tracking=True,
        path_docs={"key": "A write key."},
    ),
    Operation(
        "GET",
        "/v1/pixel/{type}",
        "tracking",
        "Send one call as the address of an image.",
        receive_pixel,
        doc="Always answers with the image. 503 says that the call could not be stored.",
        query=PixelQuery,
        tracking=True,
        response={"200": GIF, "503": GIF},
        path_docs={"type": "identify, track, page, screen, group or alias."},
    ),
)
