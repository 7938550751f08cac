"""Members of a segment as a file, piece by piece: CSV for people and spreadsheets, Parquet for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from courtesy.base.time import to_iso
from courtesy.runtime.memberships import Named

if TYPE_CHECKING:
    import pyarrow

BETWEEN = "; "
"""Between identifiers of one kind, in a cell of a CSV file."""


class FileFormat(StrEnum):
    """Of a file with members."""

    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPE = {FileFormat.CSV: "text/csv; charset=utf-8", FileFormat.PARQUET: "application/vnd.apache.parquet"}


def file_of(pages: AsyncIterator[list[Named]], kinds: Sequence[str], format_: FileFormat) -> AsyncIterator[bytes]:
    """A file with a row for each member: their number, the value and since when they are in, and a column for each of
    some kinds of identifiers. It takes the memory of one page."""
    return _csv(pages, kinds) if format_ is FileFormat.CSV else _parquet(pages, kinds)


def _of_kind(member: Named, kind: str) -> list[str]:
    return [value for each, value in member.identifiers if each == kind]


async def _csv(pages: AsyncIterator[list[Named]], kinds: Sequence[str]) -> AsyncIterator[bytes]:
    yield _lines([["person", "value", "entered", *kinds]])
    async for page in pages:
        yield _lines(
            [
                str(each.person),
                each.value if isinstance(each.value, str) else _plain(each.value),
                to_iso(each.entered_ms),
                *(BETWEEN.join(_of_kind(each, kind)) for kind in kinds),
            ]
            for each in page
        )


def _plain(value: object) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


async def _parquet(pages: AsyncIterator[list[Named]], kinds: Sequence[str]) -> AsyncIterator[bytes]:
    """Each page is a row group. Values are JSON, identifiers lists."""
    # To import it takes a moment and much memory, and few processes ever export.
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(
        [
            ("person", pyarrow.int64()),
            ("value", pyarrow.string()),
            ("entered", pyarrow.timestamp("ms", tz="UTC")),
            *((kind, pyarrow.list_(pyarrow.string())) for kind in kinds),
        ]
    )
    out = _Pieces()
    with parquet.ParquetWriter(out, schema) as writer:
        async for page in pages:
            writer.write_table(_table(page, kinds, schema))
            yield out.taken()
    yield out.taken()


def _table(page: Sequence[Named], kinds: Sequence[str], schema: pyarrow.Schema) -> Any:
    import pyarrow

    columns: dict[str, Any] = {
        "person": [each.person for each in page],
        "value": [None if each.value is None else _plain(each.value) for each in page],
        "entered": [each.entered_ms for each in page],
    }
    columns |= {kind: [_of_kind(each, kind) for each in page] for kind in kinds}
    return pyarrow.Table.from_pydict(columns, schema=schema)


class _Pieces(io.RawIOBase):
    """What was written since it was taken last."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self._size += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        """All of it, and no more from then on."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
