"""Which row of a file is which: ids from content, and the how-manieth of its kind an equal row is."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Counts = NDArray[np.int64]


class Occurrences:
    """Counts equal hashes over a whole file in 8 bytes a row, and up to twice that while it tidies up.

    The hashes lie in sorted runs; a new run is merged into the one before it as soon as that is not twice as long, so
    that a search looks into a number of runs that grows with the logarithm of the rows.
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def ordinals(self, hashes: Hashes) -> Counts:
        """For each hash how many equal ones there were up to and with itself: 1 for a new one."""
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]  # searching in order walks through a run instead of jumping about in it
        counts = _ranks(ordered) + 1
        for run in self._runs:
            counts += _count_in(run, ordered)
        ordinals = np.empty_like(counts)
        ordinals[order] = counts
        self._add(ordered)
        return ordinals

    def _add(self, run: Hashes) -> None:
        runs = self._runs
        while runs and len(runs[-1]) < 2 * len(run):
            run = np.concatenate((runs.pop(), run))
            run.sort(kind="stable")  # which recognises that it merges two sorted runs
        if len(run):
            runs.append(run)


def _ranks(ordered: Hashes) -> Counts:
    """How many equal hashes stand before each one, where equal ones stand together."""
    place = np.arange(len(ordered))
    is_first = np.ones(len(ordered), dtype=bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return place - np.maximum.accumulate(np.where(is_first, place, 0))


def _count_in(run: Hashes, ordered: Hashes) -> Counts:
    """How often each hash is in a sorted run that is not empty."""
    left = np.searchsorted(run, ordered, "left")
    found = np.flatnonzero(run[np.minimum(left, len(run) - 1)] == ordered)
    counts = np.zeros(len(ordered), dtype=np.int64)
    counts[found] = np.searchsorted(run, ordered[found], "right") - left[found]
    return counts


class RowIds:
    """Gives each row of a file an id that the same row gets again when the file is read, exported or extended again.

    Made of the file's name, the row's content and, for rows with the same content, their number. 64 bits of content
    are enough: two rows of a file that collide count as equal and differ by their number.
    """

    def __init__(self, file_name: str) -> None:
        self._prefix = blake2b(file_name.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        self._occurrences = Occurrences()

    def ids(self, contents: list[bytes]) -> list[str]:
        """The ids of the next rows of the file, which must be given in order and without a gap."""
        prefix = self._prefix
        digests, ordinals = self._count(contents)
        ids = [prefix + digest.hex() for digest in digests]
        for index in np.flatnonzero(ordinals > 1).tolist():
            ids[index] += f"-{ordinals[index]}"
        return ids

    def pass_over(self, contents: list[bytes]) -> None:
        """Take note of rows whose ids nobody asks for."""
        self._count(contents)

    def _count(self, contents: list[bytes]) -> tuple[list[bytes], Counts]:
        digests = [blake2b(content, digest_size=8).digest() for content in contents]
        hashes = np.frombuffer(b"".join(digests), dtype="<u8")
        return digests, self._occurrences.ordinals(hashes)
