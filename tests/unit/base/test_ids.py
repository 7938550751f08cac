"""Keys and partitions: derived alike everywhere, for ever, and spread well."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import PersonId, SourceId, effect_key, message_key, partition_of, tie_break


def test_keys_never_change() -> None:
    """They lie in logs and outboxes: another derivation would store every old message a second time."""
    key = message_key(SourceId(1), "m1")
    assert key.hex() == "3efcc35da1a937776282b0a70d1140d3"
    assert effect_key(key, "webhook/x").hex() == "32209f9eb599e0604765fb105bcfd38f"
    assert tie_break(key) == 4538717331394213751
    assert [partition_of(PersonId(person)) for person in range(1, 9)] == [9, 3, 13, 7, 1, 11, 5, 15]


def test_a_message_is_one_of_its_source() -> None:
    """Two sources may call their messages alike, and no pair of names runs together."""
    keys = {message_key(SourceId(source), name) for source in (1, 11, 111) for name in ("1", "11", "1\0001", "")}
    assert len(keys) == 12


@given(st.text(st.characters(), max_size=20))
def test_any_text_has_a_key(name: str) -> None:
    """Half of a surrogate pair, as broken clients send it, is a name like any other."""
    assert len(message_key(SourceId(1), name)) == 16
    assert len(effect_key(b"k" * 16, name)) == 16


@given(st.integers(1, 1_024), st.integers(0, 2**63 - 1))
def test_every_person_has_a_partition(count: int, person: int) -> None:
    """One of those that there are, whatever the number of either."""
    assert 0 <= partition_of(PersonId(person), count) < count


def test_neighbours_spread_over_the_partitions() -> None:
    """Person ids are given out in order; no partition gets much more than its share of them."""
    shares = Counter(partition_of(PersonId(person), 16) for person in range(1, 16_001))
    assert 990 <= min(shares.values()) <= max(shares.values()) <= 1_010


@given(st.binary(min_size=16, max_size=16))
def test_a_tie_break_fits_a_database_column(key: bytes) -> None:
    """Signed, 64 bits."""
    assert -(2**63) <= tie_break(key) < 2**63
