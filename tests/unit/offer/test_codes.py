"""Codes: nobody guesses one, mistakes in copying show, and what people type is read with patience."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from courtesy.offer.codes import ALPHABET, OwnCode, is_sound, minted, normalised, sorted_out

SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.sampled_from(["", "TEA", "X1"]))
def test_a_minted_code_is_read_back_however_it_is_typed(seed: int, prefix: str) -> None:
    """In small letters, with other separators."""
    code = minted(prefix, Random(seed).randbytes)
    assert normalised(code.shown) == normalised(code.shown.lower().replace("-", " ")) == code.key
    assert is_sound(code.key, prefix)


@given(SEEDS, st.integers(0, 12), st.sampled_from(ALPHABET))
def test_one_wrong_character_shows(seed: int, place: int, letter: str) -> None:
    """Wherever it is."""
    key = minted("", Random(seed).randbytes).key
    wrong = key[:place] + letter + key[place + 1 :]
    assert is_sound(wrong, "") is (wrong == key)


def test_nearly_all_swapped_neighbours_show() -> None:
    """All but those of the two characters that Luhn's scheme can't tell apart."""
    found = missed = 0
    for seed in range(300):
        key = minted("", Random(seed).randbytes).key
        for place in range(len(key) - 1):
            swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
            if swapped != key:
                found, missed = found + (not is_sound(swapped, "")), missed + is_sound(swapped, "")
    assert missed < found / 100


def test_no_character_looks_like_another() -> None:
    """And each is as likely as any other: 256 is 8 times 32."""
    assert len(set(ALPHABET)) == len(ALPHABET) == 32
    assert not set("IO01") & set(ALPHABET)


def test_a_list_of_codes_is_sorted_out() -> None:
    """Each once, as it was written, without empty lines."""
    lines = ["  Sun-001 ", "", "sun 001", "--", "ÄB-2\r"]
    assert sorted_out(lines) == [OwnCode("SUN001", "Sun-001"), OwnCode("ÄB2", "ÄB-2")]
