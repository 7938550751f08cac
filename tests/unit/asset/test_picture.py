"""Pictures: cleaned when they come, cut around what matters, and never larger than memory."""

from __future__ import annotations

import struct
import zlib

import pytest
import pyvips

from courtesy.asset.picture import made, taken_in
from courtesy.asset.rendition import RATIOS, SIDE_MAX, WIDTHS, Fit, Focus, ImageFormat, Rendition, rendition_of
from courtesy.base.errors import Code, CourtesyError

RED, WHITE = [255, 0, 0], [255, 255, 255]


def drawn(width: int = 400, height: int = 300, at: tuple[int, int] = (340, 40)) -> pyvips.Image:
    """White, with a red spot of 20 pixels around a point."""
    image = pyvips.Image.black(width, height, bands=3).copy(interpretation="srgb") + WHITE
    return image.cast("uchar").draw_rect(RED, at[0] - 10, at[1] - 10, 20, 20, fill=True).copy(interpretation="srgb")


def with_gps() -> bytes:
    """A photo that says where it was taken, by which camera, and that it lies on its side."""
    image = drawn().copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Model", "Spy 9000 (Spy 9000, ASCII, 8 components, 8 bytes)")
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "48/1 8/1 0/1 (48, 8, 0, Rational, 3, 24 bytes)")
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    return bytes(image.jpegsave_buffer(Q=95))


def opened(content: bytes) -> pyvips.Image:
    """A picture, to be looked at."""
    return pyvips.Image.new_from_buffer(content, "")


def is_red(image: pyvips.Image, x: int, y: int) -> bool:
    """Whether the spot is at a point."""
    red, green, blue, *_ = image.getpoint(x, y)
    return bool(red > 180 and green < 90 and blue < 90)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says that it is large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_nothing_but_the_picture_stays() -> None:
    """Not where it was taken, nor by what; and it stands upright, as its EXIF said that it should."""
    sent = with_gps()
    assert "exif-ifd3-GPSLatitude" in opened(sent).get_fields(), "the test sends what is to go"
    found = taken_in(sent)
    left = [name for name in opened(found.content).get_fields() if name.startswith(("exif", "xmp", "iptc", "orient"))]
    assert left == []
    assert b"Spy" in sent
    assert b"Spy" not in found.content
    assert (found.media_type, found.width, found.height) == ("image/jpeg", 300, 400)
    assert is_red(opened(found.content), 300 - 40, 340), "turned by a quarter, the spot from top right is bottom right"


@pytest.mark.parametrize(
    ("sent", "media_type"),
    [
        (lambda image: image.pngsave_buffer(), "image/png"),
        (lambda image: image.webpsave_buffer(), "image/webp"),
        (lambda image: image.gifsave_buffer(), "image/png"),
        (lambda image: image.heifsave_buffer(compression="av1"), "image/avif"),
        (lambda image: image.colourspace("cmyk").jpegsave_buffer(), "image/jpeg"),
        (lambda image: image.colourspace("b-w").pngsave_buffer(), "image/png"),
        (lambda image: image.colourspace("rgb16").pngsave_buffer(), "image/png"),
        (lambda image: image.bandjoin(128).pngsave_buffer(), "image/png"),
    ],
)
def test_each_kind_is_taken_by_its_content(sent: object, media_type: str) -> None:
    """In the colours of the web, and can be made in every format."""
    assert callable(sent)
    found = taken_in(bytes(sent(drawn())))
    assert (found.media_type, found.width, found.height) == (media_type, 400, 300)
    assert opened(found.content).interpretation == "srgb"
    for kind in ImageFormat:
        image = opened(made(found.content, Rendition(200, 0, Fit.INSIDE, kind)))
        assert (image.width, image.height) == (200, 150)


def test_taken_in_again_it_is_the_same() -> None:
    """The same bytes in are the same bytes out, by which it is named."""
    assert taken_in(with_gps()) == taken_in(with_gps())


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "SVG is not taken"),
        (b"\xef\xbb\xbf  <SVG></SVG>", "SVG is not taken"),
        (b"MZ\x90\0", "expected JPEG"),
        (b"", "expected JPEG"),
        (bomb(60_000, 60_000), "million pixels"),
        (bomb(30_000, 10), "million pixels"),
        (bomb(2_000, 2_000), "can't be read"),
        (with_gps()[:3_000], "can't be read"),
        (b"\xff\xd8\xff" + b"x" * 500, "can't be read"),
        (b"RIFF\x10\0\0\0WEBPVP8 \0\0\0\0", "can't be read"),
        (b"GIF89a" + b"\xff" * 40, "can't be read"),
    ],
)
def test_what_is_no_good_picture_is_refused(sent: bytes, said: str) -> None:
    """With what is wrong with it, before any of it is unpacked."""
    with pytest.raises(CourtesyError, match=said) as caught:
        taken_in(sent)
    assert caught.value.code in (Code.INVALID, Code.UNREADABLE)


@pytest.mark.parametrize("box", [(100, 100), (50, 150), (160, 40), (333, 111)])
def test_the_focus_stays_in_the_picture(box: tuple[int, int]) -> None:
    """However it is cut; without it the spot at the edge is lost, so this can fail."""
    content = bytes(drawn().pngsave_buffer())
    kept = opened(made(content, Rendition(*box, Fit.COVER, ImageFormat.PNG, Focus(85, 13))))
    assert (kept.width, kept.height) == box
    assert any(is_red(kept, x, y) for x in range(kept.width) for y in range(kept.height))
    if box == (100, 100):
        lost = opened(made(content, Rendition(*box, Fit.COVER, ImageFormat.PNG, Focus(0, 50))))
        assert not any(is_red(lost, x, y) for x in range(lost.width) for y in range(lost.height))


def test_nothing_is_made_larger_than_it_is() -> None:
    """A box that is larger than the picture gets its ratio, not its size."""
    content = bytes(drawn(90, 60, (10, 10)).pngsave_buffer())
    inside = opened(made(content, Rendition(640, 0, Fit.INSIDE, ImageFormat.PNG)))
    cover = opened(made(content, Rendition(1_000, 1_000, Fit.COVER, ImageFormat.PNG)))
    assert ((inside.width, inside.height), (cover.width, cover.height)) == ((90, 60), (60, 60))


@pytest.mark.parametrize("width", WIDTHS)
def test_usual_sizes_are_open(width: int) -> None:
    """Whole, and in each ratio around the middle; not around another point, nor a pixel more."""
    inside = Rendition(width, 0, Fit.INSIDE, ImageFormat.AVIF)
    covers = [Rendition(width, round(width * high / wide), Fit.COVER, ImageFormat.JPEG) for wide, high in RATIOS]
    for each in (inside, *covers):
        assert each.is_open
        assert rendition_of(each.name) == each
    assert not Rendition(width + 1, 0, Fit.INSIDE, ImageFormat.AVIF).is_open
    assert not Rendition(width, 11, Fit.COVER, ImageFormat.AVIF).is_open
    assert not Rendition(width, width, Fit.COVER, ImageFormat.AVIF, Focus(49, 50)).is_open


@pytest.mark.parametrize(
    "name",
    [
        "640.webp",
        "0640x0-inside.webp",
        "640x0-cover.webp",
        "0x0-inside.webp",
        f"{SIDE_MAX + 1}x0-inside.webp",
        "640x640-cover-f101x0.png",
        "640x640-cover-f50x50.png",
        "640x0-inside-f10x10.png",
        "640x0-inside.svg",
        "../original",
    ],
)
def test_a_size_has_one_name(name: str) -> None:
    """Others are refused, so that one picture is not kept many times."""
    with pytest.raises(CourtesyError):
        rendition_of(name)
