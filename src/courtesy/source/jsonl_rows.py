"""JSON Lines: one object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from courtesy.event.cause import Cause
from courtesy.source.rows import LINE_CHARS_MAX, RAW_BYTES_MAX, ROWS_MAX, BadRow, Records, Rows

_DECODER = msgspec.json.Decoder(dict[str, Any])
_SORTED = msgspec.json.Encoder(order="sorted")


def read_jsonl(stream: BinaryIO) -> Iterator[Rows]:
    """The objects of a file in batches. Blank lines are no rows; a line that is no object is a bad row."""
    batch = _Batch()
    for number, line in _lines(stream):
        batch.add(number, line)
        if batch.count >= ROWS_MAX:
            yield batch.finish()
            batch = _Batch()
    if batch.count:
        yield batch.finish()


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that hold something, with their numbers; of an overlong one only the beginning."""
    number = 0
    while line := stream.readline(LINE_CHARS_MAX):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        rest = line
        while len(rest) == LINE_CHARS_MAX and not rest.endswith(b"\n"):
            rest = stream.readline(LINE_CHARS_MAX)
        if not line.isspace() and line:
            yield number, line


class _Batch:
    """Objects being gathered."""

    def __init__(self) -> None:
        self._records: list[dict[str, Any]] = []
        self._numbers: list[int] = []
        self._contents: list[bytes] = []
        self._bad: list[BadRow] = []

    @property
    def count(self) -> int:
        return len(self._records) + len(self._bad)

    def add(self, number: int, line: bytes) -> None:
        """Take a line if it is an object."""
        if len(line) >= LINE_CHARS_MAX:
            self._refuse(number, line, Cause.TOO_LARGE, f"expected a line within {LINE_CHARS_MAX} bytes")
            return
        try:
            record = _DECODER.decode(line)
            content = _SORTED.encode(record)
        except (msgspec.DecodeError, UnicodeError) as error:
            self._refuse(number, line, Cause.UNREADABLE, f"expected a JSON object: {error}")
        except RecursionError:
            self._refuse(number, line, Cause.UNREADABLE, "expected a JSON object, got one nested too deeply")
        else:
            self._records.append(record)
            self._numbers.append(number)
            self._contents.append(content)

    def _refuse(self, number: int, line: bytes, cause: Cause, detail: str) -> None:
        self._bad.append(BadRow(number, cause, detail, line.rstrip(b"\r\n")[:RAW_BYTES_MAX]))

    def finish(self) -> Rows:
        """The batch."""
        return Rows(Records(self._records), self._numbers, self._contents, self._bad)
