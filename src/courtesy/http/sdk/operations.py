"""The SDK over HTTP: at an address that always has this server's, and at one whose bytes never change."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256, sha384
from importlib.resources import files
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.http.operation import Answer, Asked, Operation
from courtesy.http.tracking import headers_of

NAMES = ("courtesy.js", "courtesy.mjs")
JAVASCRIPT = "text/javascript"
FOR_GOOD = "public, max-age=31536000, immutable"
FOR_A_WHILE = "public, max-age=300, stale-while-revalidate=86400"
"""A new version of the server reaches pages within minutes, and no page waits for that."""

FOR_ANY_PAGE = (
    ("access-control-allow-origin", "*"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("vary", "accept-encoding"),
)


class AnyQuery(msgspec.Struct, frozen=True):
    """Nothing that matters: pages add what they like to addresses."""


class SdkFile(msgspec.Struct, frozen=True):
    """A file of the SDK. `path` always leads to these bytes. `integrity`: what a page puts into the attribute of that
    name, so that its visitors' browsers run nothing else. `bytes` as they are, `gzip_bytes` as they travel."""

    name: str
    path: str
    integrity: str
    bytes: int
    gzip_bytes: int


class SdkView(msgspec.Struct, frozen=True):
    """The SDK of this server."""

    files: list[SdkFile]


@dataclass(frozen=True, slots=True)
class Script:
    """A file, read once for a process."""

    content: bytes
    packed: bytes
    version: str
    view: SdkFile


@cache
def script(name: str) -> Script:
    """A file of the SDK, by one of NAMES."""
    content = files("courtesy.http.sdk").joinpath(name).read_bytes()
    packed = gzip.compress(content, 9, mtime=0)
    version = sha256(content).hexdigest()[:16]
    integrity = "sha384-" + base64.b64encode(sha384(content).digest()).decode()
    return Script(
        content, packed, version, SdkFile(name, f"/sdk/{version}/{name}", integrity, len(content), len(packed))
    )


async def describe_sdk(asked: Asked[AnyQuery, None]) -> SdkView:
    """Where its files are, and how to know them."""
    return SdkView([script(name).view for name in NAMES])


async def show_sdk(asked: Asked[AnyQuery, None]) -> Answer:
    """The file as this server has it."""
    return _answer(asked, _named(asked), FOR_A_WHILE)


async def show_sdk_version(asked: Asked[AnyQuery, None]) -> Answer:
    """The file if it is of that version, for good; for a page of another version the way to this server's."""
    found = _named(asked)
    if asked.path["version"] != found.version:
        return Answer(b"", 307, JAVASCRIPT, (("location", f"../{found.view.name}"), *FOR_ANY_PAGE))
    return _answer(asked, found, FOR_GOOD)


def _named(asked: Asked[Any, Any]) -> Script:
    if (name := asked.path["file"]) not in NAMES:
        raise CourtesyError(Code.NOT_FOUND, f"no file {name!r:.80} of the SDK", hint=f"there are {' and '.join(NAMES)}")
    return script(name)


def _answer(asked: Asked[Any, Any], found: Script, caching: str) -> Answer:
    headers = headers_of(asked)
    takes_gzip = b"gzip" in headers.get(b"accept-encoding", b"")
    # What is encoded otherwise has another tag.
    tag = f'"{found.version}{"-gz" if takes_gzip else ""}"'
    told = (("cache-control", caching), ("etag", tag), *FOR_ANY_PAGE)
    if tag.encode() in headers.get(b"if-none-match", b""):
        return Answer(b"", 304, JAVASCRIPT, told)
    if takes_gzip:
        return Answer(found.packed, 200, JAVASCRIPT, (*told, ("content-encoding", "gzip")))
    return Answer(found.content, 200, JAVASCRIPT, told)


_FILE = {"file": f"One of {', '.join(NAMES)}."}
_SCRIPT = {JAVASCRIPT: {"schema": {"type": "string"}}}

OPERATIONS = (
    Operation(
        "GET",
        "/sdk",
        "in_app",
        "Where the SDK for web pages is, and how to know it.",
        describe_sdk,
        web=True,
        query=AnyQuery,
        answer=SdkView,
    ),
    Operation(
        "GET",
        "/sdk/{file}",
        "in_app",
        "The SDK for web pages.",
        show_sdk,
        doc="For everybody, kept for five minutes.",
        web=True,
        query=AnyQuery,
        answered=_SCRIPT,
        codes=(Code.NOT_FOUND,),
        path_docs=_FILE,
    ),
    Operation(
        "GET",
        "/sdk/{version}/{file}",
        "in_app",
        "The SDK for web pages, at an address that always has the same bytes.",
        show_sdk_version,
        doc="For everybody, and kept for good. Whoever asks for another version is sent to the one of this server.",
        web=True,
        query=AnyQuery,
        answered=_SCRIPT,
        codes=(Code.NOT_FOUND,),
        path_docs=_FILE | {"version": "As `GET /sdk` tells it."},
    ),
)
