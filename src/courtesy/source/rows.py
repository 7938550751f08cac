"""Rows: a few thousand rows of a file, column by column, with their line numbers and those that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from courtesy.event.cause import Cause

ROWS_MAX = 5_000
"""Rows in one batch: few enough for memory, enough to spread the cost of a batch."""

LINE_CHARS_MAX = 128 * 1024
"""A longer line is not read into memory: four times what an event may have, so that nothing acceptable is lost, and
within what Python's CSV reader takes for one field."""

RAW_BYTES_MAX = 32 * 1024
"""How much of an unreadable line is kept."""


class BadRow(NamedTuple):
    """A row that could not be read: where, why, and its bytes as they came (the first 32 KB of them)."""

    number: int
    cause: Cause
    detail: str
    raw: bytes


@dataclass(slots=True)
class Rows:
    """A batch of rows in the order of the file.

    `columns` has the values of the readable rows, None where there is none; `numbers` their line (text) or row
    (Parquet) from 1; `contents` their content in one form, whatever the order of the columns, as message ids are
    made from it.
    """

    columns: Mapping[str, Sequence[Any]]
    numbers: Sequence[int]
    contents: list[bytes]
    bad: list[BadRow] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many rows of the file these are, the bad ones included."""
        return len(self.numbers) + len(self.bad)

    def column(self, name: str) -> Sequence[Any]:
        """The values of a column, or of a place inside one: `user.name`, `items.0.sku`. All None when there is none."""
        found = self.columns.get(name)
        if found is not None:
            return found
        head, _, path = name.partition(".")
        outer = self.columns.get(head)
        if outer is None or not path:
            return [None] * len(self.numbers)
        parts = path.split(".")
        return [dig(value, parts) for value in outer]

    def only(self, kept: Sequence[int]) -> Rows:
        """Some of the readable rows, by their indices in order."""
        if len(kept) == len(self.numbers):
            return self
        return Rows(_Some(self.columns, kept), [self.numbers[index] for index in kept], [])

    def record(self, index: int) -> dict[str, Any]:
        """One row as an object, without empty values."""
        if isinstance(self.columns, Records):
            return self.columns.records[index]
        row = {name: values[index] for name, values in self.columns.items()}
        return {name: value for name, value in row.items() if value is not None}


def dig(value: Any, parts: Sequence[str]) -> Any:
    """The value at a path of names and list indices inside a value; None when there is nothing."""
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


class Records(Mapping[str, Sequence[Any]]):
    """The columns of rows that came as objects: taken out when asked for, None where an object lacks the name."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records

    def __getitem__(self, name: str) -> Sequence[Any]:
        found = [record.get(name) for record in self.records]
        if not any(value is not None for value in found):
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for record in self.records for name in record))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Some(Mapping[str, Sequence[Any]]):
    """The columns of some of the rows."""

    def __init__(self, columns: Mapping[str, Sequence[Any]], kept: Sequence[int]) -> None:
        self._columns = columns
        self._kept = kept

    def __getitem__(self, name: str) -> Sequence[Any]:
        values = self._columns[name]
        return [values[index] for index in self._kept]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
encode: Callable[[Any], bytes] = _ENCODER.encode
"""A value as JSON; what JSON does not know becomes text. Raises UnicodeEncodeError for broken text."""


def contents_of(rows: Sequence[Any]) -> list[bytes | None]:
    """The content of each row; None for one with text that is no text (bytes that the encoding does not have)."""
    try:
        return [encode(row) for row in rows]
    except UnicodeEncodeError:
        return [_content_of(row) for row in rows]


def _content_of(row: Any) -> bytes | None:
    try:
        return encode(row)
    except UnicodeEncodeError:
        return None
