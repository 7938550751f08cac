"""A bounce finds its way back to its message, and nobody else can write such an address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.delivery.return_path import message_of, return_path, signed_token, tokens_in

KEY = b"k" * 32


@given(message=st.binary(min_size=16, max_size=16), upper=st.booleans())
def test_the_address_leads_back_to_the_message(message: bytes, upper: bool) -> None:
    """In whatever case a server writes it, and within the 64 characters that are allowed before the @."""
    address = return_path(message, "bounce.shop.example", KEY)
    assert len(address.partition("@")[0]) <= 64
    (token,) = tokens_in(f"To: <{address.upper() if upper else address}>, other@shop.example")
    assert token == signed_token(message, KEY)
    assert message_of(token, KEY) == message


@given(message=st.binary(min_size=16, max_size=16), at=st.integers(0, 40), char=st.sampled_from("abz27"))
def test_a_token_that_was_changed_is_none(message: bytes, at: int, char: str) -> None:
    """Nor is one that was made with another key."""
    token = signed_token(message, KEY)
    changed = token[:at] + char + token[at + 1 :]
    assert changed == token or message_of(changed, KEY) is None
    assert message_of(token, b"x" * 32) is None


@pytest.mark.parametrize("token", ["", "a", "a" * 41, "a" * 43, "!" * 42, "ä" * 42])
def test_what_is_no_token_is_none(token: str) -> None:
    """And no error."""
    assert message_of(token, KEY) is None
