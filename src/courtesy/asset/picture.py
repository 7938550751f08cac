"""Pictures: taken in without what nobody meant to publish, and made in sizes. Whatever is sent, memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pyvips

from courtesy.asset.rendition import PDF, Fit, ImageFormat, Rendition
from courtesy.base.errors import Code, CourtesyError

PIXELS_MAX = 40_000_000
"""160 MB of memory while it is worked on."""

SIDE_PIXELS_MAX = 20_000

_MAGIC: Mapping[bytes, str] = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": PDF,
}
_AVIF_BRANDS = (b"avif", b"avis", b"mif1")
_LOADERS: Mapping[str, str] = {
    "image/jpeg": "jpegload_buffer",
    "image/png": "pngload_buffer",
    "image/gif": "gifload_buffer",
    "image/webp": "webpload_buffer",
    "image/avif": "heifload_buffer",
}
_KEPT_AS: Mapping[str, ImageFormat] = {
    "image/jpeg": ImageFormat.JPEG,
    "image/png": ImageFormat.PNG,
    "image/gif": ImageFormat.PNG,
    "image/webp": ImageFormat.WEBP,
    "image/avif": ImageFormat.AVIF,
}
_QUALITY: Mapping[ImageFormat, int] = {ImageFormat.JPEG: 82, ImageFormat.WEBP: 80, ImageFormat.AVIF: 55}
_QUALITY_KEPT: Mapping[ImageFormat, int] = {ImageFormat.JPEG: 94, ImageFormat.WEBP: 94, ImageFormat.AVIF: 80}


class Picture(NamedTuple):
    """A file that may be published. Width and height in pixels, 0 for a document."""

    content: bytes
    media_type: str
    width: int
    height: int


def taken_in(content: bytes) -> Picture:
    """A picture in the colours of the web, upright and without anything but itself: no place where it was taken, no
    camera, no thumbnail. Of what moves, the first frame. A PDF stays as it is.

    Raises CourtesyError: INVALID for a type that is not taken, which is known by the content, or a picture that is too
    large; UNREADABLE for a broken one.
    """
    kind = _kind_of(content)
    if kind == PDF:
        return Picture(content, PDF, 0, 0)
    try:
        image = _upright(_opened(content, kind))
        image = image.colourspace("srgb") if image.interpretation != "srgb" else image
        kept = _KEPT_AS[kind]
        return Picture(_saved(image, kept, _QUALITY_KEPT), f"image/{kept}", image.width, image.height)
    except pyvips.Error as error:
        raise _broken(error) from None


def made(content: bytes, rendition: Rendition) -> bytes:
    """A picture that was taken in, as a rendition wants it. Raises CourtesyError(UNREADABLE)."""
    try:
        image = _opened(content, _kind_of(content))
        work: Callable[[Any, Rendition], Any] = _inside if rendition.fit is Fit.INSIDE else _cover
        return _saved(work(image, rendition), rendition.format, _QUALITY)
    except pyvips.Error as error:
        raise _broken(error) from None


def _kind_of(content: bytes) -> str:
    for magic, kind in _MAGIC.items():
        if content.startswith(magic):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp" and content[8:12] in _AVIF_BRANDS:
        return "image/avif"
    head = content[:1_000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<?xml", b"<svg", b"<!doctype svg")):
        raise CourtesyError(
            Code.INVALID, "SVG is not taken: it can run scripts", hint="send it as PNG or WebP", place="body"
        )
    raise CourtesyError(Code.INVALID, "expected JPEG, PNG, WebP, AVIF, GIF or PDF, by its content", place="body")


def _opened(content: bytes, kind: str) -> Any:
    """A picture of which only the head is read yet. Raises CourtesyError(INVALID) for one that is too large."""
    image: Any = getattr(pyvips.Image, _LOADERS[kind])(content, fail_on="error")
    if image.width * image.height > PIXELS_MAX or max(image.width, image.height) > SIDE_PIXELS_MAX:
        raise CourtesyError(
            Code.INVALID,
            f"expected at most {PIXELS_MAX // 1_000_000} million pixels, got {image.width} x {image.height}",
            place="body",
        )
    return image


def _upright(image: Any) -> Any:
    """Turned as its EXIF says, and its colours turned into those of the web by its own profile."""
    image = image.autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="relative")
    return image


def _scaled(image: Any, width: int, height: int) -> Any:
    return image.thumbnail_image(width, height=height, size="force")


def _inside(image: Any, rendition: Rendition) -> Any:
    """Whole, within the box."""
    sides = [want / have for want, have in ((rendition.width, image.width), (rendition.height, image.height)) if want]
    scale = min(1.0, *sides)
    return _scaled(image, max(1, round(image.width * scale)), max(1, round(image.height * scale)))


def _cover(image: Any, rendition: Rendition) -> Any:
    """The largest part that has the ratio of the box, as near to being around the focus as it can, then scaled."""
    wide, high = rendition.width, rendition.height
    scale = min(image.width / wide, image.height / high)
    width, height = min(image.width, max(1, round(wide * scale))), min(image.height, max(1, round(high * scale)))
    left = _clamped(image.width * rendition.focus.x / 100 - width / 2, image.width - width)
    top = _clamped(image.height * rendition.focus.y / 100 - height / 2, image.height - height)
    cut = image.crop(left, top, width, height)
    return cut if scale <= 1 else _scaled(cut, wide, high)


def _clamped(start: float, most: int) -> int:
    return max(0, min(most, round(start)))


def _saved(image: Any, format: ImageFormat, quality: Mapping[ImageFormat, int]) -> bytes:
    """Encoded, with nothing beside the pixels."""
    if format is ImageFormat.PNG:
        return bytes(image.pngsave_buffer(compression=6, keep="none"))
    if format is ImageFormat.JPEG:
        flat = image.flatten(background=255) if image.hasalpha() else image
        return bytes(flat.jpegsave_buffer(Q=quality[format], optimize_coding=True, interlace=True, keep="none"))
    if format is ImageFormat.WEBP:
        return bytes(image.webpsave_buffer(Q=quality[format], keep="none"))
    return bytes(image.heifsave_buffer(Q=quality[format], compression="av1", effort=2, keep="none"))


def _broken(error: Exception) -> CourtesyError:
    said = str(error).strip().splitlines()
    return CourtesyError(Code.UNREADABLE, f"the picture can't be read: {said[0] if said else error}", place="body")
