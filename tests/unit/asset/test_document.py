"""The boxes of the pages of a PDF, however it is put together."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.asset.document import pages_of
from courtesy.base.errors import Code, CourtesyError
from tests.unit.asset.pdfs import CARD, CARD_TRIM, pdf


def sizes(content: bytes) -> list[tuple[float, float]]:
    """Width and height of each page, rounded to tenths of a millimetre."""
    found = [each.bleed.size for each in pages_of(content)]
    return [(round(width, 1), round(height, 1)) for width, height in found]


def packed(objects: Mapping[int, str]) -> bytes:
    """A PDF whose objects lie in an object stream, as most programs write them."""
    texts = [text.encode() for text in objects.values()]
    offsets = [sum(len(each) + 1 for each in texts[:at]) for at in range(len(texts))]
    head = " ".join(f"{number} {at}" for number, at in zip(objects, offsets, strict=True)).encode() + b"\n"
    stream = zlib.compress(head + b"\n".join(texts))
    said = f"/Type /ObjStm /N {len(texts)} /First {len(head)} /Filter /FlateDecode /Length {len(stream)}".encode()
    rest = b"10 0 obj\n<< /Type /XRef /Root 1 0 R >>\nstream\nx\nendstream\nendobj\n"
    return b"%PDF-1.7\n9 0 obj\n<< " + said + b" >>\nstream\n" + stream + b"\nendstream\nendobj\n" + rest


TREE = {
    1: "<< /Type /Catalog /Pages 2 0 R >>",
    2: f"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 3 /MediaBox {CARD} >>",
    3: "<< /Type /Page /Parent 2 0 R >>",
    4: "<< /Type /Pages /Parent 2 0 R /Kids [5 0 R 6 0 R] /Rotate 90 >>",
    5: f"<< /Type /Page /Parent 4 0 R /TrimBox {CARD_TRIM} >>",
    6: "<< /Type /Page /Parent 4 0 R /Rotate 0 /CropBox 7 0 R /UserUnit 2 >>",
    7: "[ 72 144 0 0 ]",
}


@pytest.mark.parametrize("made", [pdf, packed])
def test_pages_inherit_boxes_are_turned_and_have_units(made: Callable[[Mapping[int, str]], bytes]) -> None:
    """In their order; whichever corners a box is said by. 436.54 points are 154 mm."""
    content = made(TREE)
    assert sizes(content) == [(154.0, 111.0), (111.0, 154.0), (50.8, 101.6)]
    first, second, _ = pages_of(content)
    assert first.trim is None
    assert second.trim is not None
    assert [round(side, 1) for side in second.trim.size] == [105.0, 148.0]


def test_a_bleed_box_goes_before_all_that_is_on_the_page() -> None:
    """Marks stand outside of it."""
    page = f"<< /Type /Page /MediaBox [0 0 900 900] /BleedBox {CARD} >>"
    assert sizes(pdf({**TREE, 2: "<< /Type /Pages /Kids [3 0 R] >>", 3: page})) == [(154.0, 111.0)]


def test_what_was_changed_later_counts() -> None:
    """A change is written behind the document."""
    changed = b"3 0 obj\n<< /Type /Page /MediaBox [0 0 72 72] >>\nendobj\ntrailer << /Root 1 0 R >>\n"
    assert sizes(pdf(TREE) + changed)[0] == (25.4, 25.4)


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7 of ours",
        pdf(TREE) + b"trailer << /Root 1 0 R /Encrypt 8 0 R >>",
        pdf({**TREE, 4: "<< /Type /Pages /Kids [2 0 R] >>", 2: "<< /Type /Pages /Kids [4 0 R] >>"}),
        pdf({**TREE, 2: "<< /Type /Pages /Kids [] >>"}),
        pdf({**TREE, 2: "<< /Type /Pages /Kids [3 0 R] >>"}),
        packed(TREE).replace(b"x\x9c", b"xx"),
    ],
    ids=["nothing", "encrypted", "circle", "no pages", "no box", "broken"],
)
def test_what_can_not_be_read_is_said_to_be(content: bytes) -> None:
    """And never guessed."""
    with pytest.raises(CourtesyError, match="can't be read") as told:
        pages_of(content)
    assert told.value.code is Code.UNREADABLE


@given(st.data())
def test_whatever_is_sent_is_read_or_refused(data: st.DataObject) -> None:
    """Nothing else is raised for a document that was cut or changed anywhere."""
    content = bytearray(data.draw(st.sampled_from([pdf(TREE), packed(TREE)])))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
        content[at] = data.draw(st.sampled_from(b"0129 []<>/-.R\n\xff"))
    with suppress(CourtesyError):
        assert pages_of(bytes(content[: data.draw(st.integers(0, len(content)))]))
