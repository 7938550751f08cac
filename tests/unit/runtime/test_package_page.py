"""The page that answers a request for access."""

from __future__ import annotations

from typing import Any

import pytest

from courtesy.runtime.package_page import in_words, page
from tests.unit.runtime.test_export_page import Seen, document

ASKED = {"request": "R-7", "received": "2026-05-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("period", "words"),
    [("P3Y", "3 years"), ("P1Y6M", "1 year, 6 months"), ("P2W", "2 weeks"), ("P30D", "30 days"), ("", ""), ("P", "")],
)
def test_a_period_is_said_in_words(period: str, words: str) -> None:
    """Nobody has to know ISO 8601."""
    assert in_words(period) == words


def test_what_is_not_known_is_not_claimed() -> None:
    """Without a controller, recipients or wordings the page says so, and is whole."""
    answer: dict[str, Any] = {
        "request": ASKED,
        "controller": None,
        "recipients": [],
        "wordings": {},
        "held": document(),
    }
    content = page(answer)
    assert content.count("<p>Nothing.</p>") == 20 + 3
    assert "R-7" in Seen(content).text
    assert content.endswith("</main>\n</body>\n</html>\n")
