"""Which files of the lake are better written anew, and writing them: fewer of them, or without some rows."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from courtesy.lake.filters import Filter
from courtesy.lake.rows import PERSON_ID
from courtesy.lake.table import dataset, day_of, discard, write_rows

FILE_ROWS = 100_000
FILE_BYTES = 32 << 20
"""How large files are made: what is read, sorted and written at a time has to fit into memory, some ten times larger
than on disk."""

OPEN_DEPTH = 32
"""How many files of a day that is not over may have to be opened for one person."""

PASS_ROWS = 5_000_000
"""Rows that are sorted into one set of files. A day with more becomes several sets, one file of each per person."""

_LONG = struct.Struct("<q")


def depth(files: Iterable[DataFile]) -> int:
    """How many of the files may hold one and the same person, at worst."""
    edges: list[tuple[int, int]] = []
    for file in files:
        low, high = _people_between(file)
        edges += [(low, 0), (high, 1)]
    deepest = now = 0
    for _, is_end in sorted(edges):
        now += -1 if is_end else 1
        deepest = max(deepest, now)
    return deepest


def _people_between(file: DataFile) -> tuple[int, int]:
    """The lowest and the highest person of a file; all people when others wrote it without saying so."""
    try:
        low, high = (_LONG.unpack(bounds[PERSON_ID])[0] for bounds in (file.lower_bounds, file.upper_bounds))
    except (KeyError, TypeError):
        return -(2**63), 2**63 - 1
    return low, high


def fragmented(files: Iterable[DataFile], today: int) -> Iterator[list[DataFile]]:
    """Groups of files to be written anew, each group of one day, the oldest day first.

    A day that is over is sorted through; of a day that is not, many small files become fewer.
    """
    days: dict[int, list[DataFile]] = defaultdict(list)
    for file in files:
        days[day_of(file)].append(file)
    for day, found in sorted(days.items()):
        if depth(found) > _depth_allowed(found, is_over=day < today):
            chosen = found if day < today else [file for file in found if file.record_count < FILE_ROWS // 2]
            yield from (group for group in _passes(chosen) if len(group) > 1)


def _depth_allowed(files: Iterable[DataFile], *, is_over: bool) -> int:
    if not is_over:
        return OPEN_DEPTH
    rows = sum(file.record_count for file in files)
    return 1 if rows <= PASS_ROWS else 2 + rows // PASS_ROWS


def _passes(files: Iterable[DataFile]) -> Iterator[list[DataFile]]:
    group: list[DataFile] = []
    rows = 0
    for file in files:
        if group and rows + file.record_count > PASS_ROWS:
            yield group
            group, rows = [], 0
        group.append(file)
        rows += file.record_count
    yield group


def compacted(table: Table, files: Sequence[DataFile], stop: Callable[[], bool]) -> list[DataFile]:
    """New files with the rows of others, each person in one of them. Empty, and nothing is left, when told to stop."""
    rows = dataset(table, files)
    new: list[DataFile] = []
    for low, high in _ranges(rows.to_table(columns=["person_id"]).column(0), sum(f.file_size_in_bytes for f in files)):
        if stop():
            discard(table, new)
            return []
        person = pc.field("person_id")
        new += write_rows(table, rows.to_table(filter=(person >= low) & (person <= high)))
    return new


def _ranges(people: pa.ChunkedArray, size_bytes: int) -> list[tuple[int, int]]:
    """Ranges of people, both ends included, with about as many rows each as a file shall have."""
    ordered = np.sort(people.to_numpy())
    parts = max(1, -(-len(ordered) // FILE_ROWS), -(-size_bytes // FILE_BYTES))
    starts = np.unique(ordered[:: max(1, -(-len(ordered) // parts))]).tolist()
    return [(low, following - 1) for low, following in pairwise([*starts, int(ordered[-1]) + 1])]


def without(table: Table, file: DataFile, doomed: Filter) -> tuple[int, list[DataFile]]:
    """How many rows of a file are doomed, and new files with the others. No new files when none is, or all are."""
    found = dataset(table, [file])
    count: int = found.count_rows(filter=doomed.rows)
    if not count:
        return 0, []
    # Where a row has no name, asking for its name is neither true nor false: it stays.
    kept = found.to_table(filter=doomed.rows.is_null() | ~doomed.rows)
    return count, write_rows(table, kept)
