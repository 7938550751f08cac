"""Files as they lie: found, unpacked, recognised and sampled."""

from __future__ import annotations

import gzip
import io
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.source.files import (
    SAMPLE_BYTES,
    DataFile,
    Reading,
    find_files,
    fingerprint,
    kept_stream,
    sample_of,
)
from courtesy.source.mapping import CsvOptions, Format

CSV = b"id,name\n1,ann\n2,bob\n"
JSONL = b'{"id":1,"name":"ann"}\n{"id":2,"name":"bob"}\n'


def lying(folder: Path, name: str, content: bytes) -> DataFile:
    """A file with that content."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return find_files(path)[0]


def parquet() -> bytes:
    """A file of Parquet with the same rows."""
    out = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2], "name": ["ann", "bob"]}), out)
    return out.getvalue()


CONTENTS = {Format.CSV: CSV, Format.JSONL: JSONL, Format.PARQUET: parquet()}


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_every_format_is_read_packed_or_not_by_its_name_or_its_bytes(
    tmp_path: Path, form: Format, *, packed: bool, named: bool
) -> None:
    """Packing is recognised by the bytes too: names are often wrong."""
    content = gzip.compress(CONTENTS[form]) if packed else CONTENTS[form]
    file = lying(tmp_path, f"data.{form}" if named else "data", content)
    sample = sample_of(file, known_only=named)
    assert (sample.format, sample.columns) == (form, ("id", "name"))
    reading = Reading(file, sample, CsvOptions())
    assert [rows.column("name") for rows in reading.batches()] == [["ann", "bob"]]
    assert reading.done_byte_count == file.byte_count


def test_the_files_of_a_folder_come_sorted_by_name_without_hidden_ones(tmp_path: Path) -> None:
    """Folders inside are looked into; what begins with a dot or an underscore belongs to some program."""
    for name in ("b.csv", "a/z.csv", "a/.x.csv", "_SUCCESS", ".git/c.csv"):
        lying(tmp_path, name, CSV)
    assert [file.name for file in find_files(tmp_path)] == ["a/z.csv", "b.csv"]


def test_a_path_to_nothing_is_told_so(tmp_path: Path) -> None:
    """With the path."""
    with pytest.raises(CourtesyError) as caught:
        find_files(tmp_path / "no")
    assert caught.value.code is Code.NOT_FOUND


def test_packing_a_file_does_not_make_it_another_one(tmp_path: Path) -> None:
    """Its name in ids is the one without the packing; its bytes are others."""
    plain, packed = lying(tmp_path, "a.csv", CSV), lying(tmp_path, "a.csv.gz", gzip.compress(CSV))
    assert plain.identity == packed.identity
    assert fingerprint(plain) != fingerprint(packed)
    assert fingerprint(plain) == sha256(CSV).hexdigest()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.md", b"# words", "does not end in"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b" \n ", "is empty"),
        ("a.json", b'[{"a":1}]', "one JSON array"),
        ("a.parquet", b"a,b\n", "not Parquet"),
        ("a.csv.gz", b"\x1f\x8b broken", ""),
        ("a.parquet", b"PAR1", ""),
    ],
)
def test_what_is_no_table_in_a_folder_is_told_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    """As one kind of error, so that a folder can be imported without it."""
    with pytest.raises(CourtesyError) as caught:
        sample_of(lying(tmp_path, name, content), known_only=True)
    assert caught.value.code is Code.UNREADABLE
    assert reason in caught.value.message


def test_a_single_file_of_bytes_is_no_table(tmp_path: Path) -> None:
    """A picture is not read as one line of text."""
    with pytest.raises(CourtesyError, match="neither text nor Parquet"):
        sample_of(lying(tmp_path, "picture", b"\x89PNG\0\0\0"), known_only=False)


def test_the_format_can_be_stated(tmp_path: Path) -> None:
    """Where name and bytes mislead."""
    file = lying(tmp_path, "data", b'{"a"\n{"b"\n')
    assert sample_of(file, known_only=False, format=Format.CSV).columns == ('{"a"',)


def test_a_file_that_breaks_off_tells_after_how_many_rows(tmp_path: Path) -> None:
    """The rows before are read."""
    content = b"id,name\n" + b"".join(b"%d,%d\n" % (number, number**9) for number in range(60_000))
    file = lying(tmp_path, "a.csv.gz", gzip.compress(content)[:-2_000])
    counts: list[int] = []
    with pytest.raises(CourtesyError) as caught:
        counts.extend(batch.count for batch in Reading(file, sample_of(file, known_only=True), CsvOptions()).batches())
    assert sum(counts) > 10_000
    assert (caught.value.code, caught.value.place) == (Code.UNREADABLE, f"a.csv.gz after {sum(counts)} rows")


def test_the_whole_file_votes_on_its_encoding(tmp_path: Path) -> None:
    """Its first quarter of a megabyte may be plain ASCII by chance."""
    content = b"id,name\n" + b"1,ann\n" * (SAMPLE_BYTES // 5) + "2,Jürgen\n".encode("cp1252")
    file = lying(tmp_path, "a.csv", content)
    batches = list(Reading(file, sample_of(file, known_only=True), CsvOptions()).batches())
    assert batches[-1].column("name")[-1] == "Jürgen"
    assert [batch.bad for batch in batches if batch.bad] == []


def test_a_stream_becomes_a_file_for_as_long_as_it_is_needed() -> None:
    """With the name that it is to be known by."""
    with kept_stream(io.BytesIO(CSV), "stdin", 17) as file:
        assert (file.name, file.modified_ms, file.byte_count) == ("stdin", 17, len(CSV))
        assert sample_of(file, known_only=False).columns == ("id", "name")
    assert not file.path.exists()
