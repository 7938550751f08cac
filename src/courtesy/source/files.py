"""Files as they lie: found, opened whatever their packing, recognised by their first bytes, and sampled."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast

from courtesy.base.errors import Code, CourtesyError
from courtesy.source.csv_rows import Dialect, EncodingVotes, read_csv, sniff
from courtesy.source.jsonl_rows import read_jsonl
from courtesy.source.mapping import CsvOptions, Format
from courtesy.source.rows import Rows

SAMPLE_BYTES = 256 * 1024
_PIECE_BYTES = 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
}
KNOWN_SUFFIXES = ", ".join(_SUFFIXES)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file to be imported. `name` is relative to what was asked for, with `/`, and stands for the file in ids."""

    path: Path
    name: str
    byte_count: int
    modified_ms: int

    @property
    def identity(self) -> str:
        """The name without the suffix of the packing: packing a file does not make it another one."""
        return self.name.removesuffix(".gz")

    @property
    def suffix_format(self) -> Format | None:
        """The format that the name promises."""
        return _SUFFIXES.get(Path(self.identity).suffix.lower())


def find_files(path: Path) -> list[DataFile]:
    """The file, or all files below a folder sorted by name, without hidden ones. Raises CourtesyError(NOT_FOUND)."""
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file() and not _is_hidden(each.relative_to(path)))
        return [_data_file(each, each.relative_to(path).as_posix()) for each in found]
    if not path.is_file():
        raise CourtesyError(Code.NOT_FOUND, "expected a file or a folder, found nothing", place=str(path))
    return [_data_file(path, path.name)]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _data_file(path: Path, name: str) -> DataFile:
    status = path.stat()
    return DataFile(path, name, status.st_size, status.st_mtime_ns // 1_000_000)


@contextmanager
def kept_stream(stream: BinaryIO, name: str, now_ms: int) -> Iterator[DataFile]:
    """What comes from a stream, as a file that is gone afterwards.

    It is written to disk first: the format is known by its beginning, Parquet is read from its end, and an
    interrupted import can be told from a new one only by the whole.
    """
    with tempfile.TemporaryDirectory(prefix="courtesy-import-") as folder:
        path = Path(folder) / "stream"
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file, _PIECE_BYTES)
        yield DataFile(path, name, path.stat().st_size, now_ms)


def fingerprint(file: DataFile) -> str:
    """SHA-256 of the file's bytes, in hex."""
    digest = sha256()
    with file.path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


class Opened:
    """An open file, unpacked if it was packed. `done_byte_count` is how far its own bytes are read."""

    def __init__(self, file: DataFile) -> None:
        self._raw = file.path.open("rb")
        packed = self._raw.read(2) == _GZIP_MAGIC
        self._raw.seek(0)
        self.stream = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw)) if packed else self._raw
        self.is_packed = packed

    @property
    def done_byte_count(self) -> int:
        return 0 if self._raw.closed else self._raw.tell()

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self._raw.close()


@dataclass(frozen=True, slots=True)
class Sample:
    """What the beginning of a file shows: its format, its columns and up to a few thousand of its rows."""

    format: Format
    columns: tuple[str, ...]
    rows: Rows
    dialect: Dialect | None = None


def sample_of(
    file: DataFile, *, known_only: bool, format: Format | None = None, csv: CsvOptions | None = None
) -> Sample:
    """Look into a file. `format` and `csv` go before what is detected.

    Raises CourtesyError(UNREADABLE) when it is no table of a known format; with `known_only` (for folders, which hold
    other files too) also when its name does not promise one.
    """
    if known_only and format is None and file.suffix_format is None:
        raise _unreadable(file, f"its name does not end in one of {KNOWN_SUFFIXES}")
    try:
        with Opened(file) as opened:
            start = opened.stream.read(SAMPLE_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file, str(error)) from None
    if not start.strip():
        raise _unreadable(file, "it is empty")
    found = format or _format_of(start, file)
    if found is Format.PARQUET:
        return _parquet_sample(file)
    if found is Format.JSONL:
        rows = next(read_jsonl(io.BytesIO(_whole_lines(start))), Rows({}, (), []))
        return Sample(found, tuple(rows.columns), rows)
    return _csv_sample(file, start, csv or CsvOptions())


def _unreadable(file: DataFile, reason: str) -> CourtesyError:
    return CourtesyError(Code.UNREADABLE, f"not a table that can be read: {reason}", place=file.name)


def _format_of(start: bytes, file: DataFile) -> Format:
    if start.startswith(_PARQUET_MAGIC):
        return Format.PARQUET
    head = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"{"):
        return Format.JSONL
    if head.startswith(b"[") and file.suffix_format is Format.JSONL:
        raise _unreadable(file, "expected JSON Lines, one object a line, got one JSON array")
    if file.suffix_format is Format.PARQUET:
        raise _unreadable(file, "it is not Parquet")
    if file.suffix_format is None and b"\0" in start[:4096] and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _unreadable(file, "it is neither text nor Parquet")
    return Format.CSV


def _whole_lines(start: bytes) -> bytes:
    """The sample without its last line when that may be cut."""
    if len(start) < SAMPLE_BYTES:
        return start
    return start[: start.rfind(b"\n") + 1] or start


def _csv_sample(file: DataFile, start: bytes, options: CsvOptions) -> Sample:
    dialect = sniff(start, options)
    rows = next(read_csv(io.BytesIO(_whole_lines(start)), dialect), Rows({}, (), []))
    return Sample(Format.CSV, dialect.columns, rows, dialect)


def _parquet_sample(file: DataFile) -> Sample:
    from courtesy.source.parquet_rows import columns_of_file, read_parquet  # Arrow takes a while to load

    with _plain(file) as path:
        rows = next(read_parquet(path), Rows({}, (), []))
        return Sample(Format.PARQUET, columns_of_file(path), rows)


@contextmanager
def _plain(file: DataFile) -> Iterator[Path]:
    """A path at which the file lies unpacked, for formats that are read from their end."""
    with Opened(file) as opened:
        if not opened.is_packed:
            yield file.path
            return
        with tempfile.NamedTemporaryFile(prefix="courtesy-import-") as plain:
            shutil.copyfileobj(opened.stream, plain, _PIECE_BYTES)
            plain.flush()
            yield Path(plain.name)


@dataclass(slots=True)
class Reading:
    """A file being read: its batches of rows, and how many of its bytes (or the like share of its rows) are done."""

    file: DataFile
    sample: Sample
    options: CsvOptions
    done_byte_count: int = 0

    def batches(self) -> Iterator[Rows]:
        """All rows of the file in order. Raises CourtesyError(UNREADABLE) where the file breaks off."""
        row_count = 0
        reader = self._parquet() if self.sample.format is Format.PARQUET else self._text()
        try:
            for rows in reader:
                row_count += rows.count
                yield rows
        except (EOFError, zlib.error, gzip.BadGzipFile, OSError, UnicodeError) as error:
            place = f"{self.file.name} after {row_count} rows"
            raise CourtesyError(
                Code.UNREADABLE, f"the file can't be read on: {error}", hint="is it complete?", place=place
            ) from None

    def _text(self) -> Iterator[Rows]:
        dialect = self._dialect_of_whole()
        with Opened(self.file) as opened:
            reader = read_jsonl(opened.stream) if dialect is None else read_csv(opened.stream, dialect)
            for rows in reader:
                self.done_byte_count = opened.done_byte_count
                yield rows

    def _dialect_of_whole(self) -> Dialect | None:
        """The dialect, with the encoding that all of the file speaks for: a sample may be plain ASCII by chance."""
        dialect = self.sample.dialect
        if dialect is None or self.options.encoding or dialect.encoding not in ("utf-8", "cp1252"):
            return dialect
        votes = EncodingVotes()
        # A file that breaks off does so again when its rows are read, which then tells where.
        with Opened(self.file) as opened, suppress(OSError, EOFError, zlib.error):
            while piece := opened.stream.read(_PIECE_BYTES):
                votes.count(piece)
        encoding = "utf-8" if votes.is_utf_8 else "cp1252"
        return replace(dialect, encoding=encoding)

    def _parquet(self) -> Iterator[Rows]:
        from courtesy.source.parquet_rows import read_parquet, row_count_of

        with _plain(self.file) as path:
            whole_count = max(row_count_of(path), 1)
            done_count = 0
            for rows in read_parquet(path):
                done_count += rows.count
                self.done_byte_count = self.file.byte_count * done_count // whole_count
                yield rows


def is_stdin(path: Path | None) -> bool:
    """Whether the standard input was asked for: no path, or `-`."""
    return path is None or os.fspath(path) == "-"
