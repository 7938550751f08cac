"""Which row is which: ids that stay the same however a file is read, extended or exported again."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from courtesy.source.occurrence import Occurrences, RowIds

SMALL = st.lists(st.lists(st.integers(0, 5), max_size=30), max_size=12)
CONTENTS = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b'["x","y"]']), max_size=40)


@given(SMALL)
def test_equal_hashes_are_numbered_through_all_batches(batches: list[list[int]]) -> None:
    """The ordinal of a hash is what a plain dictionary of counts says, wherever the batches part."""
    occurrences, seen = Occurrences(), Counter[int]()
    for batch in batches:
        expected = []
        for value in batch:
            seen[value] += 1
            expected.append(seen[value])
        assert occurrences.ordinals(np.array(batch, dtype=np.uint64)).tolist() == expected


def test_many_runs_are_merged_into_few() -> None:
    """The number of sorted runs grows with the logarithm of the rows, so that a search stays cheap."""
    occurrences = Occurrences()
    for start in range(0, 100_000, 100):
        occurrences.ordinals(np.arange(start, start + 100, dtype=np.uint64))
    assert len(occurrences._runs) <= 12
    assert sum(map(len, occurrences._runs)) == 100_000


@given(CONTENTS)
def test_rows_with_the_same_content_have_ids_of_their_own(contents: list[bytes]) -> None:
    """No two rows of a file share an id, though they are equal to the last byte."""
    ids = RowIds("orders.csv").ids(contents)
    assert len(set(ids)) == len(contents)


@given(CONTENTS, st.integers(0, 40))
def test_ids_do_not_depend_on_how_a_file_is_cut_into_batches(contents: list[bytes], cut: int) -> None:
    """A file read in two batches, or resumed after the first, gives the ids of one that is read at once."""
    whole = RowIds("orders.csv").ids(contents)
    parts = RowIds("orders.csv")
    assert parts.ids(contents[:cut]) + parts.ids(contents[cut:]) == whole
    resumed = RowIds("orders.csv")
    resumed.pass_over(contents[:cut])
    assert resumed.ids(contents[cut:]) == whole[cut:]


@given(CONTENTS, CONTENTS, st.randoms(use_true_random=False))
def test_a_file_that_grew_keeps_the_ids_of_its_old_rows(old: list[bytes], new: list[bytes], random: object) -> None:
    """Appended rows, and another order of rows, add ids and change none."""
    before = RowIds("orders.csv").ids(old)
    grown = RowIds("orders.csv").ids(old + new)
    assert grown[: len(old)] == before
    shuffled = old + new
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert set(RowIds("orders.csv").ids(shuffled)) == set(grown)


def test_the_name_of_the_file_is_part_of_the_id() -> None:
    """The same row in two files is two rows."""
    assert RowIds("a.csv").ids([b"x"]) != RowIds("b.csv").ids([b"x"])


def test_ids_stay_as_they_are() -> None:
    """A new version of Courtesy recognises what an old one imported: the way ids are made never changes."""
    ids = RowIds("orders.csv").ids([b'["1","2"]', b'["1","2"]'])
    assert ids == ["41954b356061a93f6017162394b8ee4f", "41954b356061a93f6017162394b8ee4f-2"]
