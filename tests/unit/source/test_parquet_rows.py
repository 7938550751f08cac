"""Parquet: what the types of a column become."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.source.parquet_rows import columns_of_file, read_parquet, row_count_of
from courtesy.source.rows import ROWS_MAX, Rows, encode


def read(path: Path, **columns: Any) -> list[Rows]:
    """All batches of a file with those columns."""
    pq.write_table(pa.table(columns), path / "t.parquet")
    return list(read_parquet(path / "t.parquet"))


def test_numbers_and_text_are_as_they_are(tmp_path: Path) -> None:
    """Empty values, and NaN, are no values."""
    (rows,) = read(tmp_path, n=[1, 2], gap=[1, None], x=[0.5, float("nan")], t=["ä", None], b=[True, None])
    assert dict(rows.columns) == {
        "n": [1, 2],
        "gap": [1, None],
        "x": [0.5, None],
        "t": ["ä", None],
        "b": [True, None],
    }


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_are_iso_text_of_milliseconds(tmp_path: Path, unit: str) -> None:
    """Of any unit; with a Z exactly where the file states a zone."""
    moment = datetime(2017, 1, 1, 11, 53, 26, tzinfo=UTC)
    naive = pa.array([moment.replace(tzinfo=None), None], pa.timestamp(unit))
    aware = pa.array([moment, None], pa.timestamp(unit, "Europe/Berlin"))
    (rows,) = read(tmp_path, naive=naive, aware=aware)
    assert rows.column("naive") == ["2017-01-01T11:53:26.000", None]
    assert rows.column("aware") == ["2017-01-01T11:53:26.000Z", None]


def test_days_categories_decimals_and_objects_can_be_written_as_json(tmp_path: Path) -> None:
    """Types that JSON lacks become what comes nearest."""
    (rows,) = read(
        tmp_path,
        day=[date(2019, 10, 1)],
        kind=pa.array(["view"]).dictionary_encode(),
        price=[Decimal("12.50")],
        user=[{"id": 7, "tags": ["x"]}],
    )
    assert encode(rows.record(0)) == b'{"day":"2019-10-01","kind":"view","price":12.50,"user":{"id":7,"tags":["x"]}}'
    assert rows.column("user.id") == [7]


def test_text_that_is_none_costs_its_row_only(tmp_path: Path) -> None:
    """Some writers put any bytes into columns of text."""
    broken = pa.array([b"ok", b"\xff\xfe", b"fine"]).cast(pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, broken.buffers())
    (rows,) = read(tmp_path, t=text, n=[1, 2, 3])
    assert (rows.column("t"), rows.column("n")) == (["ok", "fine"], [1, 3])
    assert [bad.number for bad in rows.bad] == [2]
    assert (list(rows.numbers), len(rows.contents)) == ([1, 3], 2)


def test_rows_come_in_batches_with_their_numbers(tmp_path: Path) -> None:
    """No batch holds more than its share; rows are counted from 1."""
    batches = read(tmp_path, n=list(range(ROWS_MAX + 2)))
    assert [batch.count for batch in batches] == [ROWS_MAX, 2]
    assert list(batches[1].numbers) == [ROWS_MAX + 1, ROWS_MAX + 2]


def test_a_file_tells_its_columns_and_the_number_of_its_rows(tmp_path: Path) -> None:
    """Without reading them."""
    read(tmp_path, a=[1, 2, 3], b=["x", "y", "z"])
    assert columns_of_file(tmp_path / "t.parquet") == ("a", "b")
    assert row_count_of(tmp_path / "t.parquet") == 3


def test_a_file_that_is_no_parquet_is_told_so(tmp_path: Path) -> None:
    """As an application error with its name, not one of a library."""
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(CourtesyError) as caught:
        list(read_parquet(tmp_path / "t.parquet"))
    assert (caught.value.code, caught.value.place) == (Code.UNREADABLE, "t.parquet")


def test_a_file_damaged_in_the_middle_tells_how_far_it_was_read(tmp_path: Path) -> None:
    """The rows before the damage come, then an error with the row."""
    path = tmp_path / "t.parquet"
    table = pa.table({"n": [str(number) * 5 for number in range(4 * ROWS_MAX)]})
    pq.write_table(table, path, row_group_size=ROWS_MAX, compression="zstd", use_dictionary=False)
    start = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start + 30 : start + 3_000] = bytes(2_970)
    path.write_bytes(content)
    batches = read_parquet(path)
    assert [next(batches).count, next(batches).count] == [ROWS_MAX, ROWS_MAX]
    with pytest.raises(CourtesyError) as caught:
        next(batches)
    assert (caught.value.code, caught.value.place) == (Code.UNREADABLE, f"t.parquet row {2 * ROWS_MAX + 1}")
