"""Parquet: typed columns, read a few thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.cause import Cause
from courtesy.source.rows import ROWS_MAX, BadRow, Rows, contents_of, encode


def row_count_of(path: Path) -> int:
    """How many rows a file says to have. Raises CourtesyError(UNREADABLE) when it is not Parquet."""
    with _open(path) as file:
        return int(file.metadata.num_rows)


def columns_of_file(path: Path) -> tuple[str, ...]:
    """The columns of a file."""
    with _open(path) as file:
        return tuple(file.schema_arrow.names)


def read_parquet(path: Path) -> Iterator[Rows]:
    """The rows of a file in batches.

    Times become ISO 8601 text: with `Z` where the file states a time zone, without where it does not. NaN is no value.
    """
    start = 0
    with _open(path) as file:
        batches = file.iter_batches(batch_size=ROWS_MAX)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise _broken(path, error, start) from None
            if batch is None:
                return
            yield _rows(batch, start)
            start += batch.num_rows


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, error, 0) from None


def _broken(path: Path, error: Exception, row: int) -> CourtesyError:
    message = f"expected a Parquet file that can be read: {str(error)[:300]}"
    return CourtesyError(Code.UNREADABLE, message, place=f"{path.name} row {row + 1}" if row else path.name)


def _rows(batch: pa.RecordBatch, start: int) -> Rows:
    columns = {name: _values(batch.column(index)) for index, name in enumerate(batch.schema.names)}
    numbers: Sequence[int] = range(start + 1, start + batch.num_rows + 1)
    contents = contents_of(list(zip(*(columns[name] for name in sorted(columns)), strict=True)))
    bad = [_bad(columns, index, numbers[index]) for index, content in enumerate(contents) if content is None]
    if bad:
        kept = [index for index, content in enumerate(contents) if content is not None]
        columns = {name: [values[index] for index in kept] for name, values in columns.items()}
        numbers = [numbers[index] for index in kept]
    return Rows(columns, numbers, [content for content in contents if content is not None], bad)


def _bad(columns: dict[str, list[Any]], index: int, number: int) -> BadRow:
    row = {name: repr(values[index]) for name, values in columns.items()}
    return BadRow(number, Cause.UNREADABLE, "expected text in UTF-8, got other bytes", encode(row))


def _values(array: pa.Array) -> list[Any]:
    """The values of a column as Python's own; the common types without the detour over Arrow's scalars."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _values(array.dictionary_decode())
    if pa.types.is_timestamp(kind):
        return _times(array)
    if pa.types.is_floating(kind):
        array = pc.if_else(pc.is_nan(array), None, array)
    if (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and array.null_count == 0:
        return list(array.to_numpy(zero_copy_only=False).tolist())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(array)
    return list(array.to_pylist())


def _texts(array: pa.Array) -> list[Any]:
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        values = array.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in values]


def _times(array: pa.Array) -> list[str | None]:
    """Timestamps of any unit as text in milliseconds."""
    zone = "Z" if array.type.tz else ""
    counts = array.cast(pa.timestamp("ms", array.type.tz), safe=False).cast(pa.int64())
    instants = counts.fill_null(0).to_numpy(zero_copy_only=False).astype("datetime64[ms]")
    texts = [text + zone for text in np.datetime_as_string(instants, unit="ms").tolist()]
    if array.null_count:
        return [text if valid else None for text, valid in zip(texts, array.is_valid().to_pylist(), strict=True)]
    return texts
