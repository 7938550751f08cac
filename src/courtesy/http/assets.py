"""Assets over HTTP: taking them in, and showing them to anybody."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.asset.rendition import PDF, SIDE_MAX, Fit, Focus, ImageFormat
from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.http.operation import Answer, Asked, Operation
from courtesy.http.wire import BadBody, read
from courtesy.runtime.assets import ASSET_BYTES_MAX, Asset
from courtesy.runtime.catalog import Scope

WAIT_S = 120.0
FOR_GOOD = "public, max-age=31536000, immutable"

Side = Annotated[int, Meta(ge=0, le=SIDE_MAX)]
Percent = Annotated[int, Meta(ge=0, le=100)]


class AssetView(msgspec.Struct, frozen=True):
    """An asset, and the address of what was asked for. Width and height in pixels, 0 for a document. `focus`: the point
    that stays in the picture when it is cut, in per cent from the left and the top."""

    sha256: str
    media_type: str
    bytes: int
    width: int
    height: int
    title: str
    focus: Focus
    added: str
    added_by: str
    url: str


class NewAssetQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`title`: for those who work with it. `focus_x` and `focus_y`: the point that stays in the picture."""

    title: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")] = ""
    focus_x: Percent = 50
    focus_y: Percent = 50


class AssetQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of which the address is asked for: `cover` cuts to width and height, `inside` keeps it whole, with 0 for
    a side that follows from the other. The focus is the asset's own unless given."""

    width: Side = 640
    height: Side = 0
    fit: Fit = Fit.INSIDE
    format: ImageFormat = ImageFormat.WEBP
    focus_x: Percent | None = None
    focus_y: Percent | None = None


class ShowQuery(msgspec.Struct, frozen=True):
    """`s`: the signature of a size that not everybody may ask for."""

    s: str = ""


def _view(asked: Asked[Any, Any], asset: Asset, query: AssetQuery) -> AssetView:
    focus = None
    if query.focus_x is not None or query.focus_y is not None:
        focus = Focus(
            asset.focus.x if query.focus_x is None else query.focus_x,
            asset.focus.y if query.focus_y is None else query.focus_y,
        )
    return AssetView(
        asset.sha256,
        asset.media_type,
        asset.byte_count,
        asset.width,
        asset.height,
        asset.title,
        asset.focus,
        to_iso(asset.added_ms),
        asset.added_by,
        asked.app.shelf.assets.url(asset, query.width, query.height, query.fit, query.format, focus),
    )


async def put_asset(asked: Asked[NewAssetQuery, Any]) -> AssetView:
    """Take in a file."""
    query = asked.query
    try:
        content = await read(asked.request, ASSET_BYTES_MAX, WAIT_S)
    except BadBody as bad:
        raise CourtesyError(Code(str(bad.cause)), bad.detail, place="body") from None
    focus = Focus(query.focus_x, query.focus_y)
    return _view(asked, await asked.app.shelf.assets.put(content, query.title, asked.by, focus), AssetQuery())


async def read_asset(asked: Asked[AssetQuery, None]) -> AssetView:
    """One asset, and the address of a size."""
    return _view(asked, await asked.app.shelf.assets.get(_digest(asked.path["sha256"])), asked.query)


async def show_asset(asked: Asked[ShowQuery, None]) -> Answer:
    """The file, or a picture in a size."""
    digest = _digest(asked.path["sha256"])
    found = await asked.app.shelf.assets.show(digest, asked.path["rendition"], asked.query.s)
    answer = Answer(found.content, media_type=found.media_type).with_headers(
        ("Cache-Control", FOR_GOOD),
        ("X-Content-Type-Options", "nosniff"),
        # Whatever a browser takes it for, nothing of it runs.
        ("Content-Security-Policy", "default-src 'none'; sandbox"),
        ("Access-Control-Allow-Origin", "*"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
    )
    if found.media_type == PDF:
        return answer.with_headers(("Content-Disposition", f'attachment; filename="{digest[:12]}.pdf"'))
    return answer


def _digest(text: str) -> str:
    """A SHA-256 in hex. Raises CourtesyError(NOT_FOUND) for what is none: paths are made of it."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise CourtesyError(Code.NOT_FOUND, f"no asset {text!r:.70}", hint="an asset is named by its SHA-256, in hex")
    return text


_SHA = {"sha256": "SHA-256 of the file as it is kept, in hex."}
_BINARY = {"schema": {"type": "string", "format": "binary"}}

OPERATIONS = (
    Operation(
        "POST",
        "/v1/assets",
        "assets",
        "Take in a picture (JPEG, PNG, WebP, AVIF, GIF) or a PDF.",
        put_asset,
        doc="The type is known by the content. Of a picture only what is to be seen stays: places, cameras and profiles"
        " go. The same file again is the same asset.",
        scope=Scope.ADMIN,
        query=NewAssetQuery,
        answer=AssetView,
        codes=(Code.TOO_LARGE, Code.UNREADABLE),
        request={"required": True, "content": {"application/octet-stream": _BINARY}},
    ),
    Operation(
        "GET",
        "/v1/assets/{sha256}",
        "assets",
        "Read what is known of an asset, and the address of it in a size.",
        read_asset,
        scope=Scope.ADMIN,
        query=AssetQuery,
        answer=AssetView,
        codes=(Code.NOT_FOUND,),
        path_docs=_SHA,
    ),
    Operation(
        "GET",
        "/a/{sha256}/{rendition}",
        "assets",
        "Show a picture in a size, or a file as it is.",
        show_asset,
        doc="For everybody, and for good: what is behind an address never changes. Usual sizes need no signature.",
        query=ShowQuery,
        web=True,
        answered={f"image/{each}": _BINARY for each in ImageFormat} | {PDF: _BINARY},
        codes=(Code.NOT_FOUND, Code.FORBIDDEN, Code.UNREADABLE),
        path_docs=_SHA | {"rendition": "`original`, or such as `640x0-inside.webp` and `640x360-cover-f30x70.jpeg`."},
    ),
)
