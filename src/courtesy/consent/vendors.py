"""Sets of vendors, which are numbers: kept as ranges, so that none takes more room than the string that names it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise

import msgspec

from courtesy.consent.bits import BitReader, BitWriter

VENDOR_ID_MAX = 65_535
_ID_BITS = 16
_COUNT_BITS = 12
_COUNT_MAX = (1 << _COUNT_BITS) - 1
# The reference library writes ranges for lists that reach beyond these many bits, a count and one range of two ids.
_SHORT_LIST_BITS = _COUNT_BITS + 1 + 2 * _ID_BITS
_RUN = re.compile("1+")

_Range = tuple[int, int]


class Vendors(msgspec.Struct, frozen=True):
    """A set of vendor ids, 1 to 65,535.

    `ranges` are first and last id, both in the set; they ascend, and between two of them at least one id is missing,
    so that equal sets are equal values. `Vendors.of` makes them from any ids.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, ids: Iterable[int]) -> Vendors:
        """The set of these ids, in whatever order they come."""
        return cls(_merged((each, each) for each in ids))

    def __contains__(self, vendor: object) -> bool:
        if not isinstance(vendor, int):
            return False
        at = bisect_right(self.ranges, vendor, key=lambda each: each[0])
        return at > 0 and vendor <= self.ranges[at - 1][1]

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __bool__(self) -> bool:
        return bool(self.ranges)


def read_ranges(reader: BitReader) -> Vendors:
    """A list of ranges: their number, and for each, whether it is one, the first id, and the last if it is.

    Raises:
        CourtesyError: INVALID, for an id of 0, or a last id below the first.
    """
    return Vendors(_merged([_read_range(reader) for _ in range(reader.number(_COUNT_BITS))]))


def read_vector(reader: BitReader, with_default: bool = False) -> Vendors:
    """The largest id, and the vendors up to it as ranges or as one bit each, whichever the next bit says.

    As in the reference library, ranges may reach beyond what was said to be the largest id; and if they are preceded
    by a bit that says what holds for all others (`with_default`), that must be 0.
    """
    largest = reader.number(_ID_BITS)
    if reader.number(1):
        if with_default and reader.number(1):
            raise reader.error("expected ranges of vendors with consent, found ranges of those without", 1)
        return read_ranges(reader)
    return Vendors(tuple((run.start() + 1, run.end()) for run in _RUN.finditer(reader.bits(largest))))


def write_ranges(writer: BitWriter, vendors: Vendors) -> None:
    """Add a list of ranges.

    Raises:
        CourtesyError: INVALID, for ids that are none, ranges out of order, or more than 4,095 ranges.
    """
    _check(writer, vendors)
    if len(vendors.ranges) > _COUNT_MAX:
        raise writer.error(f"expected at most {_COUNT_MAX} ranges of vendors, found {len(vendors.ranges)}")
    writer.number(len(vendors.ranges), _COUNT_BITS)
    for first, last in vendors.ranges:
        writer.number(first != last, 1)
        writer.number(first, _ID_BITS)
        if first != last:
            writer.number(last, _ID_BITS)


def write_vector(writer: BitWriter, vendors: Vendors, with_default: bool = False) -> None:
    """Add the largest id and the vendors up to it, as ranges if that is shorter than one bit each."""
    _check(writer, vendors)
    largest = vendors.ranges[-1][1] if vendors else 0
    writer.number(largest, _ID_BITS)
    as_ranges = largest > _SHORT_LIST_BITS and _ranges_bits(vendors) < largest
    writer.number(as_ranges, 1)
    if as_ranges:
        writer.bits("0" * with_default)
        write_ranges(writer, vendors)
    else:
        writer.bits(_bitfield(vendors))


def _read_range(reader: BitReader) -> _Range:
    is_range = reader.number(1)
    first = reader.number(_ID_BITS)
    last = reader.number(_ID_BITS) if is_range else first
    if not 1 <= first <= last:
        back = _ID_BITS * (1 + is_range)
        raise reader.error(f"expected vendors from 1 up, the first before the last, found {first} to {last}", back)
    return first, last


def _merged(ranges: Iterable[_Range]) -> tuple[_Range, ...]:
    """The same ids in ascending ranges that do not touch."""
    merged: list[_Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _check(writer: BitWriter, vendors: Vendors) -> None:
    for first, last in vendors.ranges:
        if not 1 <= first <= last <= VENDOR_ID_MAX:
            raise writer.error(f"expected vendors from 1 to {VENDOR_ID_MAX}, found {first} to {last}")
    for (_, end), (start, _) in pairwise(vendors.ranges):
        if start <= end + 1:
            raise writer.error(f"expected ranges that ascend and do not touch, found {start} after {end}")


def _ranges_bits(vendors: Vendors) -> int:
    return _COUNT_BITS + sum(1 + _ID_BITS * (1 + (first != last)) for first, last in vendors.ranges)


def _bitfield(vendors: Vendors) -> str:
    parts, at = [], 0
    for first, last in vendors.ranges:
        parts.append("0" * (first - 1 - at) + "1" * (last - first + 1))
        at = last
    return "".join(parts)
