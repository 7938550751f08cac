"""Signatures: what is wrong with an event without its values, so that one fix fits all events of one signature."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import SourceId
from courtesy.event.accept import Draft, Rejected, SourcePolicy, accept
from courtesy.event.cause import Cause
from courtesy.event.signature import SIGNATURE_CHARS_MAX, signature_of

NOW_MS = 1_763_780_645_000


def signature(item: Any) -> str:
    """The signature of what accept says of an item."""
    raw = item if isinstance(item, bytes) else msgspec.json.encode(item)
    judged = accept(Draft(raw, SourcePolicy(SourceId(1)), NOW_MS, None, lambda _: "id", None, True))
    assert isinstance(judged, Rejected)
    return signature_of(judged.cause, judged.detail)


def track(**more: Any) -> dict[str, Any]:
    """A track call."""
    return {"type": "track", "event": "Sold", "userId": "u1", **more}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (track(event=None), "expected an event name at $.event"),
        (track(timestamp="22/11/2025 10:00"), "$.timestamp '00/00/0000 00:00'"),
        (track(timestamp="Nov 22, 2025"), "$.timestamp 'a 00, 0000'"),
        (track(originalTimestamp="soon"), "$.originalTimestamp 'a'"),
        (track(properties="x"), "$.properties text"),
        (track(properties='{"a": 1}'), "$.properties text with JSON"),
        (track(context=[1]), "$.context a list"),
        (track(traits=7), "$.traits a number"),
        (track(userId=["u1"]), "$.userId `array`"),
        (track(userId={"id": "u1"}), "$.userId `object`"),
        (track(messageId="m" * 101), "expected at most # characters"),
    ],
)
def test_a_signature_says_where_and_what(item: Any, expected: str) -> None:
    """A place and a kind of trouble."""
    assert signature(item) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (track(timestamp="22/11/2025 10:00"), track(timestamp="01/02/2024 23:59")),
        (track(timestamp=1e16), track(timestamp=2e16)),
        (track(event="n" * 201), track(event="n" * 999)),
        (track(messageId="m" * 101), track(messageId="m" * 300)),
        ({"type": "trak"}, {"type": "Truck, of 'ann'"}),
        (track(properties="ann@shop.example"), track(properties="bob@shop.example")),
    ],
)
def test_events_that_differ_in_values_alone_have_one(one: Any, other: Any) -> None:
    """However different what they say."""
    assert signature(one) == signature(other)


def test_who_was_named_is_not_told() -> None:
    """Only the kinds of the identifiers that were of no use."""
    detail = "expected a usable identifier, got user_id='null', email='ann=@shop.example', user_id='x'"
    assert signature_of(Cause.NO_IDENTIFIER, detail) == "user_id, email"
    assert signature_of(Cause.NO_IDENTIFIER, "expected a usable identifier, got none") == "none"


@given(st.sampled_from(Cause), st.text())
def test_a_signature_is_short_and_on_one_line(cause: Cause, detail: str) -> None:
    """Whatever the detail is."""
    told = signature_of(cause, detail)
    assert len(told) <= SIGNATURE_CHARS_MAX
    assert told == " ".join(told.split())
