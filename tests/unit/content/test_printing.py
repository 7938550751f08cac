"""What is declared to be printed, held against the files that are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.content.findings import Check, Finding, Severity
from courtesy.content.items import Body, checked
from courtesy.content.kinds import DOCUMENT, IMAGE
from courtesy.content.limits import dots_per_inch
from courtesy.content.measures import measured_print
from courtesy.content.printing import Box, Page, PageFormat, PrintFile, PrintPage, check_printed, with_bleed

A, B, C = "a" * 64, "b" * 64, "c" * 64
CARD = {"format": "din-a6", "landscape": True}
WHOLE = Box(0, 0, 154, 111)
TRIM = Box(3, 3, 151, 108)


def image(page: dict[str, Any], **more: Any) -> Body:
    """A sound picture that is printed."""
    return checked(IMAGE, Body(fields={"file": {"default": A}, "alt": {"default": "x"}, "print": page, **more}))


def of_picture(pixels: tuple[int, int], page: dict[str, Any] = CARD, **more: Any) -> list[Finding]:
    """What is found of a picture with so many pixels."""
    return list(check_printed(IMAGE, image(page, **more), {A: PrintFile(pixels)}))


def of_pages(*pages: Page) -> list[Finding]:
    """What is found of a document with these pages."""
    body = Body(fields={"file": {"default": A}, "title": {"default": "x"}, "print": CARD})
    return list(check_printed(DOCUMENT, checked(DOCUMENT, body), {A: PrintFile(pages=pages)}))


def test_formats_have_the_bleed_of_their_country() -> None:
    """An eighth of an inch in the USA; what is said goes before."""
    assert with_bleed(PrintPage(PageFormat.DIN_A6).sheet) == (111, 154)
    assert PrintPage(PageFormat.US_POSTCARD_4X6, landscape=True).sheet == pytest.approx((152.4, 101.6, 3.175))
    assert PrintPage(PageFormat.DIN_A5, bleed_mm=5).sheet == (148, 210, 5)
    assert PrintPage(width_mm=210, height_mm=99, bleed_mm=0).sheet == (210, 99, 0)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({}, "expected a format, or width_mm and height_mm"),
        ({"width_mm": 100}, "expected a format, or width_mm and height_mm"),
        ({"format": "din-a6", "width_mm": 100}, "got both"),
        ({"width_mm": 100, "height_mm": 50, "landscape": True}, "landscape is for a format"),
        ({"width_mm": 100, "height_mm": 50, "safe_mm": 25}, "leaves nothing of the sheet"),
        ({"format": "din-a66"}, "Invalid enum value 'din-a66'"),
        ({"format": "din-a6", "bleed": 3}, "unknown field `bleed`"),
    ],
)
def test_a_sheet_that_means_nothing_is_refused(page: dict[str, Any], message: str) -> None:
    """When it is written, at its place."""
    with pytest.raises(CourtesyError, match=message) as told:
        image(page)
    assert told.value.place.startswith("fields.print")


def test_a_picture_has_to_have_enough_pixels_for_the_sheet_with_its_bleed() -> None:
    """300 dots per inch are wanted; with fewer than 150 it is not published."""
    assert of_picture((1819, 1311)) == []
    (fair,) = of_picture((1748, 1240))
    assert (fair.severity, fair.code, fair.place) == (Severity.WARNING, Check.PRINT, "fields.file.default")
    assert fair.hint == "use one of 1819 × 1311 pixels"
    assert [each.severity for each in of_picture((600, 400))] == [Severity.ERROR]
    assert of_picture((600, 400), {"width_mm": 40, "height_mm": 25}) == []


def test_what_matters_in_a_picture_has_to_stay_clear_of_the_edge() -> None:
    """Where it is after the picture was cut around it: a wide one has room to be moved."""
    assert of_picture((1819, 1311), focus_x=0.5, focus_y=0.1) == []
    (cut,) = of_picture((1819, 1311), focus_x=0.5, focus_y=0.99)
    assert (cut.severity, cut.place) == (Severity.WARNING, "fields.focus_y")
    assert cut.message == "what matters in the picture is where the sheet is cut off; 3 mm are safe"
    (near,) = of_picture((1819, 1311), focus_x=1 - 4.5 / 154)
    assert near.message == "what matters in the picture is 1.5 mm from the edge; 3 mm are safe"
    assert of_picture((3638, 1311), focus_x=1 - 50 / 308) == []


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.floats(0.25, 0.75), st.floats(0.25, 0.75))
def test_the_middle_is_safe_in_whatever_picture(width: int, height: int, x: float, y: float) -> None:
    """As cutting goes around it, what is less than a quarter from the middle never comes near an edge."""
    found = of_picture((width, height), focus_x=x, focus_y=y)
    assert all(not each.place.startswith("fields.focus") for each in found)
    assert (found == []) == (round(dots_per_inch((width, height), (154, 111))) >= 300)


def test_pages_without_a_trim_box_are_the_sheet_with_its_bleed() -> None:
    """The page that is not is named."""
    assert of_pages(Page(WHOLE), Page(WHOLE)) == []
    (found,) = of_pages(Page(WHOLE), Page(TRIM))
    assert (found.severity, found.place) == (Severity.ERROR, "fields.file.default, page 2")
    assert found.message.startswith("the page has no bleed")


def test_pages_that_say_where_they_are_cut_may_have_marks_around() -> None:
    """They are cut to the sheet, and printed as far beyond each edge as is wanted."""
    assert of_pages(Page(WHOLE, TRIM), Page(Box(-20, -20, 180, 140), TRIM)) == []
    (other,) = of_pages(Page(Box(0, 0, 220, 310), Box(5, 5, 215, 302)))
    assert other.message == "the page is 210 × 297 mm, and 148 × 105 mm are wanted"
    (bare,) = of_pages(Page(Box(0, 2, 154, 111), TRIM))
    assert bare.message == "the page has 1 mm of bleed; 3 mm are wanted on each side"
    (beyond,) = of_pages(Page(Box(10, 0, 154, 111), TRIM))
    assert beyond.message == "the page has 0 mm of bleed; 3 mm are wanted on each side"


def test_what_can_not_be_read_is_told_and_what_is_not_there_is_told_elsewhere() -> None:
    """A document may be fit and yet not be read."""
    (found,) = check_printed(IMAGE, image(CARD), {A: PrintFile()})
    assert (found.severity, found.code) == (Severity.WARNING, Check.PRINT)
    assert list(check_printed(IMAGE, image(CARD), {})) == []


def test_the_files_that_print_gets_are_checked_and_no_others() -> None:
    """That of the channel goes before that for all; one for a locale before both."""
    body = image(CARD, file={"default": A, "@print": B, "@web": A, "de": C})
    files = {A: PrintFile((10, 10)), B: PrintFile((10, 10)), C: PrintFile((10, 10))}
    assert [each.place for each in check_printed(IMAGE, body, files)] == ["fields.file.@print", "fields.file.de"]
    assert [each.locale for each in measured_print(IMAGE, body, files)] == ["default", "de"]
    assert list(check_printed(IMAGE, Body(fields={"file": {"default": A}}), files)) == []


def test_a_sheet_is_measured() -> None:
    """Before anything is wrong, and also without a file that is there."""
    (measure,) = measured_print(IMAGE, image(CARD), {A: PrintFile((1748, 1311))})
    sheet = measure.print
    assert sheet is not None
    assert (sheet.trim, sheet.bleed, sheet.safe) == ((148, 105), (154, 111), (142, 99))
    assert (sheet.pixels_wanted, sheet.dpi, sheet.dpi_wanted, sheet.pages) == ((1819, 1311), 288, 300, None)
    (unknown,) = measured_print(IMAGE, image({"format": "us-postcard-4x6"}), {})
    assert unknown.print is not None
    assert (unknown.print.trim, unknown.print.bleed, unknown.print.dpi) == ((101.6, 152.4), (107.95, 158.75), None)
    assert measured_print(IMAGE, Body(), {}) == []
