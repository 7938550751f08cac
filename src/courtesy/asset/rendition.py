"""How a picture is to be shown: so wide and high, cut around which point, in which format; and its name in addresses.

`640x360-cover-f30x70.webp` is 640 by 360 pixels, cut around the point at 30 % from the left and 70 % from the top;
`640x0-inside.jpeg` is whole, and as high as it is then.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from courtesy.base.errors import Code, CourtesyError

SIDE_MAX = 4_096
ORIGINAL = "original"
PDF = "application/pdf"
"""The type of documents, which have no sizes."""

WIDTHS = (64, 128, 256, 384, 512, 640, 768, 1_024, 1_280, 1_600, 2_048)
RATIOS = ((1, 1), (4, 3), (3, 2), (2, 1), (16, 9), (3, 4), (2, 3))
"""What anybody may ask for: these widths, whole or cut to these ratios around the middle. All else wants a signature,
or a stranger could have any number of sizes made."""

_NAME = re.compile(r"(\d{1,4})x(\d{1,4})-(cover|inside)(?:-f(\d{1,3})x(\d{1,3}))?\.(webp|avif|jpeg|png)")


class Fit(StrEnum):
    """COVER: fills the box, and what juts out is cut off. INSIDE: whole, within the box."""

    COVER = "cover"
    INSIDE = "inside"


class ImageFormat(StrEnum):
    """In which a picture is sent."""

    WEBP = "webp"
    AVIF = "avif"
    JPEG = "jpeg"
    PNG = "png"


class Focus(msgspec.Struct, frozen=True):
    """The point that must stay in the picture, in per cent from the left and the top."""

    x: int = 50
    y: int = 50


MIDDLE = Focus()


class Rendition(msgspec.Struct, frozen=True):
    """`width` and `height` in pixels; 0 for one that follows from the other. Nothing is made larger than it is."""

    width: int
    height: int
    fit: Fit
    format: ImageFormat
    focus: Focus = MIDDLE

    @property
    def name(self) -> str:
        """The last part of its address."""
        focus = "" if self.focus == MIDDLE else f"-f{self.focus.x}x{self.focus.y}"
        return f"{self.width}x{self.height}-{self.fit}{focus}.{self.format}"

    @property
    def is_open(self) -> bool:
        """Whether anybody may ask for it."""
        if self.width not in WIDTHS or self.focus != MIDDLE:
            return False
        if self.fit is Fit.INSIDE:
            return self.height == 0
        return self.height in {round(self.width * high / wide) for wide, high in RATIOS}

    def checked(self) -> Rendition:
        """The same; or CourtesyError(INVALID)."""
        if max(self.width, self.height) > SIDE_MAX or max(self.width, self.height) == 0:
            raise CourtesyError(Code.INVALID, f"expected 1 to {SIDE_MAX} pixels, got {self.width} x {self.height}")
        if self.fit is Fit.COVER and 0 in (self.width, self.height):
            raise CourtesyError(Code.INVALID, "expected a width and a height to cut a picture to")
        if not (0 <= self.focus.x <= 100 and 0 <= self.focus.y <= 100):
            raise CourtesyError(Code.INVALID, f"expected per cent, got {self.focus.x} x {self.focus.y}")
        if self.fit is Fit.INSIDE and self.focus != MIDDLE:
            raise CourtesyError(Code.INVALID, "what is shown whole has no point that must stay in it")
        return self


def rendition_of(name: str) -> Rendition:
    """What a name asks for. Raises CourtesyError(INVALID), also for another spelling of a name: each has one."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise CourtesyError(
            Code.INVALID, f"expected a rendition, got {name!r:.60}", hint="such as 640x0-inside.webp", place="rendition"
        )
    width, height, fit, x, y, kind = found.groups()
    focus = MIDDLE if x is None else Focus(int(x), int(y))
    made = Rendition(int(width), int(height), Fit(fit), ImageFormat(kind), focus).checked()
    if made.name != name:
        raise CourtesyError(Code.INVALID, f"expected {made.name!r}, got {name!r:.60}", place="rendition")
    return made
