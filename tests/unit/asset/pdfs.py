"""PDFs for tests: the objects, and no more."""

from __future__ import annotations

from collections.abc import Mapping

CARD, CARD_TRIM = "[0 0 436.54 314.65]", "[8.504 8.504 428.03 306.14]"
"""DIN A6 on its side with 3 mm of bleed, in points, and where it is cut."""


def pdf(objects: Mapping[int, str]) -> bytes:
    """A PDF of these objects, of which 1 is the catalogue."""
    written = "".join(f"{number} 0 obj\n{text}\nendobj\n" for number, text in objects.items())
    return f"%PDF-1.4\n{written}trailer\n<< /Root 1 0 R >>\n%%EOF\n".encode()


def one_page(boxes: str) -> bytes:
    """A PDF of one page with these boxes."""
    return pdf(
        {
            1: "<< /Type /Catalog /Pages 2 0 R >>",
            2: "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: f"<< /Type /Page /Parent 2 0 R {boxes} >>",
        }
    )
