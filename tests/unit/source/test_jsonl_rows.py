"""JSON Lines: one object a line, and lines that are not."""

from __future__ import annotations

import io
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from courtesy.event.cause import Cause
from courtesy.source.jsonl_rows import read_jsonl
from courtesy.source.rows import LINE_CHARS_MAX, Rows

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), max_size=8)


def read(content: bytes) -> list[Rows]:
    """All batches of a file."""
    return list(read_jsonl(io.BytesIO(content)))


@given(RECORDS)
def test_objects_are_read_as_they_were_written(records: list[dict[str, Any]]) -> None:
    """Nested or empty, each object is one row with its line."""
    batches = read(b"\n".join(msgspec.json.encode(record) for record in records))
    found = [batch.record(index) for batch in batches for index in range(len(batch.numbers))]
    assert found == records
    assert [number for batch in batches for number in batch.numbers] == list(range(1, len(records) + 1))


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=10))
def test_any_line_is_a_row_or_a_bad_row(lines: list[bytes]) -> None:
    """Nothing that has text is passed over, and nothing makes reading fail."""
    batches = read(b"\n".join(lines))
    filled = [line for line in lines if line.strip(b" \t\r\x0b\x0c")]
    first_is_mark_only = lines[:1] == [b"\xef\xbb\xbf"]
    assert sum(batch.count for batch in batches) == len(filled) - first_is_mark_only


def test_lines_that_are_no_objects_are_refused_one_by_one() -> None:
    """Broken JSON, a list, bytes that are no text: each with its line and its bytes as they came."""
    (batch,) = read(b'{"a":1}\n{"a":\n[1]\n\n{"a":"\xff"}\n{"a":2}\n')
    assert batch.column("a") == [1, 2]
    assert [(bad.number, bad.cause, bad.raw) for bad in batch.bad] == [
        (2, Cause.UNREADABLE, b'{"a":'),
        (3, Cause.UNREADABLE, b"[1]"),
        (5, Cause.UNREADABLE, b'{"a":"\xff"}'),
    ]


def test_an_overlong_line_is_refused_without_reading_it_into_memory() -> None:
    """Its beginning is kept, and the next line is read."""
    (batch,) = read(b'{"a":"' + b"x" * (2 * LINE_CHARS_MAX) + b'"}\n{"a":2}\n')
    assert batch.column("a") == [2]
    assert [(bad.number, bad.cause, len(bad.raw)) for bad in batch.bad] == [(1, Cause.TOO_LARGE, 32 * 1024)]


def test_nesting_without_end_is_refused() -> None:
    """Ten thousand brackets neither end the program nor the import."""
    (batch,) = read(b'{"a":' * 10_000 + b"1" + b"}" * 10_000)
    assert [bad.cause for bad in batch.bad] == [Cause.UNREADABLE]


def test_whole_numbers_of_any_size_are_read() -> None:
    """Larger than 64 bits, they are still a row or a bad row."""
    (batch,) = read(b'{"a":' + b"9" * 40 + b"}")
    assert batch.count == 1


def test_the_content_of_an_object_does_not_depend_on_the_order_of_its_names() -> None:
    """Programs write objects in any order; it is the same row."""
    (batch,) = read(b'{"a":1,"b":2}\n{"b": 2, "a": 1}\n')
    assert batch.contents[0] == batch.contents[1]


def test_values_inside_of_objects_and_lists_are_columns_too() -> None:
    """A path of names and places, empty where an object lacks it."""
    (batch,) = read(b'{"user":{"id":7},"items":[{"sku":"x"}]}\n{"user":null}\n')
    assert batch.column("user.id") == [7, None]
    assert batch.column("items.0.sku") == ["x", None]
    assert batch.column("nothing.at.all") == [None, None]
