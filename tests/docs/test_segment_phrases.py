"""The phrases by which the documents explain the language of segments are of that language."""

from __future__ import annotations

import re

import pytest

from courtesy.segment.parsing import parse
from courtesy.segment.printing import write
from courtesy.segment.words import BEGINNINGS
from tests.tidy.checkout import ROOT

TEXT = (ROOT / "docs" / "how-to" / "segments.md").read_text(encoding="utf-8")
PHRASES = [
    line
    for block in re.findall(r"^```segments\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_reads_as_it_is_written(phrase: str) -> None:
    """It is understood, and in its normal form, so that people see what they will be shown."""
    assert write(parse(phrase).segment) == phrase


def test_every_word_that_begins_a_condition_is_shown() -> None:
    """Whoever reads the page has seen what there is."""
    shown = set(re.findall(r"\w+", "\n".join(PHRASES)))
    assert BEGINNINGS - {"smallest", "for"} <= shown
