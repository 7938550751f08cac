"""Which files are written anew, and how people are shared out among the new ones."""

from __future__ import annotations

import struct
from itertools import pairwise
from random import Random

import pyarrow as pa
import pytest
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.typedef import Record

from courtesy.lake.rewriting import FILE_BYTES, FILE_ROWS, OPEN_DEPTH, PASS_ROWS, _ranges, depth, fragmented

TODAY = 20_000


def file(name: str, low: int | None, high: int, *, day: int = TODAY, rows: int = 10) -> DataFile:
    """A file of a day with people from `low` to `high`; None: nothing is said of them."""
    bounds = {} if low is None else {2: struct.pack("<q", low)}, {} if low is None else {2: struct.pack("<q", high)}
    return DataFile.from_args(
        content=DataFileContent.DATA, file_path=name, file_format=FileFormat.PARQUET, partition=Record(day),
        record_count=rows, file_size_in_bytes=1_000, lower_bounds=bounds[0], upper_bounds=bounds[1],
    )  # fmt: skip


def test_the_depth_is_how_many_files_one_person_may_be_in() -> None:
    """Ranges that touch overlap in the person on whom they touch; files without bounds may hold anybody."""
    assert depth([]) == 0
    assert depth([file("a", 1, 5), file("b", 6, 9)]) == 1
    assert depth([file("a", 1, 5), file("b", 5, 9), file("c", 7, 8)]) == 2
    assert depth([file("a", 1, 5), file("b", 6, 9), file("c", None, 0)]) == 2


def test_a_day_that_is_over_is_written_anew_once() -> None:
    """Until each person is in one of its files; then it is left alone."""
    apart = [file("a", 1, 5, day=TODAY - 1), file("b", 6, 9, day=TODAY - 1)]
    assert list(fragmented(apart, TODAY)) == []
    mixed = [*apart, file("c", 1, 9, day=TODAY - 1)]
    assert list(fragmented(mixed, TODAY)) == [mixed]


def test_a_day_that_goes_on_may_have_some_small_files() -> None:
    """Its large files are left alone in any case."""
    small = [file(f"s{n}", 1, 9) for n in range(OPEN_DEPTH)]
    large = file("l", 1, 9, rows=FILE_ROWS)
    assert list(fragmented(small, TODAY)) == []
    assert list(fragmented([*small, large], TODAY)) == [small]


def test_a_day_too_large_for_one_pass_becomes_several_sets_and_is_then_left_alone() -> None:
    """Memory is bounded, and nothing is rewritten over and over."""
    crowded = [file(f"f{n}", 1, 9, day=TODAY - 1, rows=PASS_ROWS // 4) for n in range(12)]
    assert [len(group) for group in fragmented(crowded, TODAY)] == [4, 4, 4]
    sets = [file(f"f{n}", 1, 9, day=TODAY - 1, rows=PASS_ROWS) for n in range(3)]
    assert list(fragmented(sets, TODAY)) == []


@pytest.mark.parametrize("people_count", [1, 7, 50_000])
def test_ranges_part_all_people_and_are_about_as_large_as_a_file(people_count: int) -> None:
    """Each person is in exactly one, however their events are spread, and one with many events has one alone."""
    chance = Random(people_count)
    people = [int(people_count * chance.random() ** 2) for _ in range(3 * FILE_ROWS)]
    ranges = _ranges(pa.chunked_array([people]), 1)
    assert (ranges[0][0], ranges[-1][1]) == (min(people), max(people))
    assert all(high + 1 == low for (_, high), (low, _) in pairwise(ranges))
    assert len(ranges) <= 3
    if people_count == 50_000:
        sizes = [sum(low <= person <= high for person in people) for low, high in ranges]
        assert max(sizes) < 1.1 * FILE_ROWS


def test_large_events_make_more_files() -> None:
    """What is read at a time must fit into memory by size, too."""
    assert len(_ranges(pa.chunked_array([list(range(1_000))]), 4 * FILE_BYTES)) == 4
