"""What is printed: the sheet that an item declares, and whether its files are fit for it. Lengths are in millimetres.

A picture is laid over the sheet and its bleed, cut around its focus; a PDF has its own pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from courtesy.content.findings import Check, Finding, error, warning
from courtesy.content.items import Body, FieldType, Kind, Variant, chosen, values, variant_of
from courtesy.content.limits import MM_PER_INCH, PrintFormat, check_print, check_print_image

PRINT = "print"
BLEED_MM = 3.0
BLEED_INCH = 0.125
"""What print shops ask for with DIN formats, and in the USA."""

SAFE_MM = 3.0
TOLERANCE_MM = 0.5

Side = Annotated[float, Meta(gt=0, le=5_000)]
Margin = Annotated[float, Meta(ge=0, le=100)]


class PageFormat(StrEnum):
    """Formats with a name, upright."""

    DIN_A3 = "din-a3"
    DIN_A4 = "din-a4"
    DIN_A5 = "din-a5"
    DIN_A6 = "din-a6"
    US_LETTER = "us-letter"
    US_POSTCARD_4X6 = "us-postcard-4x6"
    US_POSTCARD_6X9 = "us-postcard-6x9"
    US_POSTCARD_6X11 = "us-postcard-6x11"


_DIN = {
    PageFormat.DIN_A3: (297.0, 420.0),
    PageFormat.DIN_A4: (210.0, 297.0),
    PageFormat.DIN_A5: (148.0, 210.0),
    PageFormat.DIN_A6: (105.0, 148.0),
}
_INCHES = {
    PageFormat.US_LETTER: (8.5, 11.0),
    PageFormat.US_POSTCARD_4X6: (4.0, 6.0),
    PageFormat.US_POSTCARD_6X9: (6.0, 9.0),
    PageFormat.US_POSTCARD_6X11: (6.0, 11.0),
}


class PrintPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The sheet as it is after it was cut: a `format`, which `landscape` lays on its side, or width and height.

    `bleed_mm`: what is printed beyond each edge; 3 mm, or 1/8 inch for formats of the USA, when nothing is said.
    `safe_mm`: how far from each edge what matters has to stay.
    """

    format: PageFormat | None = None
    width_mm: Side | None = None
    height_mm: Side | None = None
    landscape: bool = False
    bleed_mm: Margin | None = None
    safe_mm: Margin = SAFE_MM

    def __post_init__(self) -> None:
        sides = (self.width_mm, self.height_mm)
        if self.format is None and None in sides:
            raise ValueError("expected a format, or width_mm and height_mm")
        if self.format is not None and (self.width_mm, self.height_mm) != (None, None):
            raise ValueError("expected a format or width_mm and height_mm, got both")
        if self.landscape and self.format is None:
            raise ValueError("width_mm and height_mm say by themselves how the sheet lies; landscape is for a format")
        if 2 * self.safe_mm >= min(self.sheet[:2]):
            raise ValueError(f"a safe margin of {self.safe_mm:g} mm leaves nothing of the sheet")

    @property
    def sheet(self) -> PrintFormat:
        """Width, height and bleed."""
        if self.format is None:
            (width, height), bleed = (self.width_mm or 0.0, self.height_mm or 0.0), BLEED_MM
        elif self.format in _DIN:
            (width, height), bleed = _DIN[self.format], BLEED_MM
        else:
            width, height = (each * MM_PER_INCH for each in _INCHES[self.format])
            bleed = BLEED_INCH * MM_PER_INCH
        if self.landscape:
            width, height = height, width
        return PrintFormat(width, height, bleed if self.bleed_mm is None else self.bleed_mm)


class Box(NamedTuple):
    """A part of a page, by its edges."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.right - self.left, self.top - self.bottom


class Page(NamedTuple):
    """A page of a PDF: all that is printed, and where it is to be cut, None when it does not say."""

    bleed: Box
    trim: Box | None = None


class PrintFile(NamedTuple):
    """What is known of a file: the pixels of a picture, or the pages of a document, None when they can't be read."""

    pixels: tuple[int, int] = (0, 0)
    pages: Sequence[Page] | None = None


class Printed(NamedTuple):
    """A file that an item has printed, for whom, and where it stands."""

    variant: Variant
    digest: str
    place: str


def page_of(body: Body) -> PrintPage | None:
    """The sheet that a sound body declares; None when it is not printed."""
    given = body.fields.get(PRINT)
    return None if given is None else msgspec.convert(given, PrintPage)


def printed_files(kind: Kind, body: Body) -> list[Printed]:
    """The files that are printed of an item that declares a sheet, those of each locale."""
    if page_of(body) is None:
        return []
    found: dict[str, Printed] = {}
    for each in values(kind, body):
        if each.field.type is FieldType.ASSET:
            best = chosen(body.fields[each.field.name], each.variant.locale or "", PRINT)
            if best is not None:
                digest, key = best
                variant = variant_of(key) or each.variant
                found.setdefault(key, Printed(variant, digest, f"fields.{each.field.name}.{key}"))
    return list(found.values())


def check_printed(kind: Kind, body: Body, files: Mapping[str, PrintFile]) -> Iterator[Finding]:
    """Whether the files of an item are fit for the sheet that it declares; of those that `files` lacks, nothing."""
    page = page_of(body)
    if page is None:
        return
    for each in printed_files(kind, body):
        file = files.get(each.digest)
        if file is None:
            continue
        if file.pixels != (0, 0):
            yield from check_print_image(file.pixels, with_bleed(page.sheet), each.place)
            yield from _check_focus(page, file.pixels, body.fields)
        elif file.pages is None:
            message = "the pages of the document can't be read, so neither its size nor its bleed is checked"
            yield warning(Check.PRINT, message, each.place, "save it without encryption")
        else:
            for number, one in enumerate(file.pages, 1):
                yield from _check_page(page.sheet, one, f"{each.place}, page {number}")


def with_bleed(sheet: PrintFormat) -> tuple[float, float]:
    """Width and height of all that is printed."""
    return sheet.width_mm + 2 * sheet.bleed_mm, sheet.height_mm + 2 * sheet.bleed_mm


def _check_page(sheet: PrintFormat, page: Page, place: str) -> Iterator[Finding]:
    if page.trim is None:
        yield from check_print(sheet, page.bleed.size, place)
        return
    trimmed = check_print(sheet._replace(bleed_mm=0.0), page.trim.size, place)
    if trimmed:
        yield from trimmed
        return
    least = _bleed(page.trim, page.bleed)
    if least < sheet.bleed_mm - TOLERANCE_MM:
        message = f"the page has {max(least, 0):.3g} mm of bleed; {sheet.bleed_mm:g} mm are wanted on each side"
        yield error(Check.PRINT, message, place, "export it with bleed, and with a BleedBox if it has marks")


def _bleed(trim: Box, whole: Box) -> float:
    """How much is printed beyond the edge that has the least; negative where a page ends before its edge."""
    return min(
        trim.left - whole.left, trim.bottom - whole.bottom, whole.right - trim.right, whole.top - trim.top
    )  # fmt: skip


def _check_focus(page: PrintPage, pixels: tuple[int, int], fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the part of a picture that matters stays clear of the edges, where its item says which that is."""
    sheet = page.sheet
    wide = with_bleed(sheet)
    scale = max(size / has for size, has in zip(wide, pixels, strict=True))
    margin = sheet.bleed_mm + page.safe_mm
    for name, has, size in zip(("focus_x", "focus_y"), pixels, wide, strict=True):
        focus = fields.get(name)
        if focus is None:
            continue
        whole = has * scale
        at = focus * whole - min(max(focus * whole - size / 2, 0), whole - size)
        if not margin <= at <= size - margin:
            edge = min(at, size - at) - sheet.bleed_mm
            where = f"{edge:.3g} mm from the edge" if edge >= 0 else "where the sheet is cut off"
            message = f"what matters in the picture is {where}; {page.safe_mm:g} mm are safe"
            yield warning(Check.PRINT, message, f"fields.{name}", "use a picture with more around it")
