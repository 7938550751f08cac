"""Packed contents: what went in comes out, short, and nothing else does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import PersonId, SourceId
from courtesy.consent.packing import packed, unpacked
from courtesy.event.choice import Action, Basis, Choice, Evidence
from courtesy.runtime.ledger import Content

CHOSEN = msgspec.json.encode(
    Content(
        "0123456789abcdef" * 2,
        SourceId(7),
        "3b1f8f6e-6d0c-4f43-9a86-6a1c1a8e2f10",
        1_760_000_000_000,
        1_760_000_000_250,
        Choice(
            Action.GRANT,
            "marketing",
            "email",
            "shoes",
            held_from=1_760_000_000_000,
            basis=Basis.CONSENT,
            policy="privacy-7",
            method="preference_centre",
            evidence=Evidence(notice="89abcdef01234567" * 4, locale="de-DE", affirmative=True),
        ),
        (PersonId(123_456),),
    )
)


@given(st.binary())
def test_what_was_packed_comes_out_as_it_was(content: bytes) -> None:
    """Whatever it was, and however little like a choice."""
    assert unpacked(packed(content)) == content


def test_a_choice_takes_less_than_half() -> None:
    """Its words are known beforehand; ids and digests are what is left."""
    assert len(packed(CHOSEN)) < len(CHOSEN) / 2


def test_contents_that_were_never_packed_are_read_as_they_are() -> None:
    """Those of entries that are older than packing."""
    assert unpacked(CHOSEN) == CHOSEN


@given(st.integers(0, len(packed(CHOSEN)) - 1))
def test_a_part_of_packed_content_is_refused(length: int) -> None:
    """It is never taken for a shorter content."""
    with pytest.raises(ValueError, match="expected packed content"):
        unpacked(packed(CHOSEN)[:length])


@pytest.mark.parametrize("other", [b"\x02{}", packed(CHOSEN) + b"x", b"\x01\xff"])
def test_other_bytes_are_refused(other: bytes) -> None:
    """An unknown way of packing, something behind the end, and nonsense."""
    with pytest.raises(ValueError, match="expected packed content"):
        unpacked(other)
