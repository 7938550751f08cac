"""CSV: how a file is written is detected; a broken row costs itself and no other."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import BinaryIO

from courtesy.event.cause import Cause
from courtesy.source.mapping import CsvOptions
from courtesy.source.rows import LINE_CHARS_MAX, RAW_BYTES_MAX, ROWS_MAX, BadRow, Rows, contents_of

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = (",", ";", "\t", "|")
_NO_QUOTE = "\0"
_DATA_CELL = re.compile(r"[-+]?[\d.,]*\d|\d{4}-\d\d-\d\d.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}.*|[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written. `columns` are distinct; `has_header` says whether its first row holds them."""

    delimiter: str
    quote: str
    escape: str | None
    encoding: str
    has_header: bool
    columns: tuple[str, ...]
    empty: frozenset[str]

    def reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """The rows of some lines. Strict: broken quotes raise csv.Error rather than pass as content."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=None if self.quote == _NO_QUOTE else self.quote,
            quoting=csv.QUOTE_NONE if self.quote == _NO_QUOTE else csv.QUOTE_MINIMAL,
            escapechar=self.escape,
            strict=True,
        )


def sniff(sample: bytes, options: CsvOptions = CsvOptions()) -> Dialect:  # noqa: B008 -- it is frozen
    """The dialect of a file that begins with `sample`; what `options` state is taken from them."""
    encoding = options.encoding or detect_encoding(sample)
    text = io.TextIOWrapper(io.BytesIO(sample), encoding, errors=_errors(encoding), newline="").read()
    text = text.lstrip("\ufeff")
    quote = options.quote or '"'
    escape = options.escape or ("\\" if re.search(r'[^\\]\\"(?![\s,;|"]|$)', text) else None)
    delimiter = options.delimiter or _detect_delimiter(text, quote, escape, encoding)
    trial = Dialect(delimiter, quote, escape, encoding, True, (), frozenset(options.empty))
    rows = _sample_rows(text, trial)
    first = rows[0] if rows else []
    has_header = options.header if options.header is not None else not options.columns and _looks_like_header(first)
    names = _distinct(first) if has_header else list(options.columns) or _numbered(first)
    return Dialect(delimiter, quote, escape, encoding, has_header, tuple(names), trial.empty)


def detect_encoding(sample: bytes) -> str:
    """The encoding that a byte order mark states, else UTF-8, unless what is not ASCII is mostly no UTF-8."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    return "utf-8" if EncodingVotes().count(sample).is_utf_8 else "cp1252"


class EncodingVotes:
    """Counts, over the pieces of a file, what speaks for UTF-8 and what against it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self._valid_count = self._broken_count = 0

    def count(self, piece: bytes) -> EncodingVotes:
        """Take the next piece into account."""
        text = self._decoder.decode(piece)
        if not text.isascii():
            broken_count = len(re.findall("[\udc80-\udcff]", text))
            self._broken_count += broken_count
            self._valid_count += len(re.findall("[^\x00-\x7f]", text)) - broken_count
        return self

    @property
    def is_utf_8(self) -> bool:
        """True unless there are more broken bytes than characters that only UTF-8 explains."""
        return self._broken_count <= self._valid_count


def _errors(encoding: str) -> str:
    """Broken bytes are kept apart, so that only their row is refused; the wide encodings can only replace them."""
    return "replace" if encoding.replace("_", "-").startswith(("utf-16", "utf-32")) else "surrogateescape"


def _sample_rows(text: str, dialect: Dialect) -> list[list[str]]:
    """The rows of a sample without its last one, which may be cut, and without those that are broken."""
    lines = _Lines(io.StringIO(text, newline=""))
    rows = [row for row in _raw_rows(lines, dialect) if not isinstance(row, BadRow)]
    return rows[:-1] if len(rows) > 1 and not text.endswith(("\n", "\r")) else rows


def _detect_delimiter(text: str, quote: str, escape: str | None, encoding: str) -> str:
    """The character that gives the most columns in the most rows alike; a comma when none gives two."""

    def score(delimiter: str) -> float:
        dialect = Dialect(delimiter, quote, escape, encoding, True, (), frozenset())
        widths = Counter(len(row) for row in _sample_rows(text[:65_536], dialect)[:1_000])
        if not widths:
            return 0.0
        width, row_count = widths.most_common(1)[0]
        return math.sqrt(width - 1) * (row_count / widths.total()) ** 2

    return max(_DELIMITERS, key=score)


def _looks_like_header(first: list[str]) -> bool:
    """A header has text in all cells, none of which is a number, a date or an address, and none twice."""
    names = [cell.strip() for cell in first]
    if any(_DATA_CELL.fullmatch(name) for name in names):
        return False
    filled = [name for name in names if name]
    return bool(filled) and len(set(filled)) == len(filled)


def _numbered(first: list[str]) -> list[str]:
    return [f"column_{number}" for number in range(1, len(first) + 1)]


def _distinct(names: list[str]) -> list[str]:
    """Column names made usable: blank ones numbered, repeated ones too."""
    seen: Counter[str] = Counter()
    distinct = []
    for number, cell in enumerate(names, 1):
        name = cell.strip() or f"column_{number}"
        seen[name] += 1
        while seen[name] > 1 and f"{name}_{seen[name]}" in seen:
            seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return distinct


class _TooLong(Exception):
    """A row goes on for longer than any row may: its quote was never closed, or it has no line ends."""


class _Lines(Iterator[str]):
    """The lines of a text, which remembers those of the row at hand so that they can be read again."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._taken_chars = 0
        self.number = 0

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(LINE_CHARS_MAX)
        if not line:
            raise StopIteration
        self.number += 1
        self._taken.append(line)
        self._taken_chars += len(line)
        if self._taken_chars >= LINE_CHARS_MAX:
            self._finish_line(line)
            raise _TooLong
        return line

    def _finish_line(self, line: str) -> None:
        """Pass over the rest of an overlong line, so that the next one starts after its end."""
        while len(self._taken) == 1 and line and not line.endswith(("\n", "\r")):
            line = self._text.readline(LINE_CHARS_MAX)

    @property
    def row_number(self) -> int:
        """The line on which the row at hand begins."""
        return self.number - len(self._taken) + 1

    def begin_row(self) -> None:
        """Forget the lines of the row before."""
        self._taken.clear()
        self._taken_chars = 0

    def give_back(self) -> tuple[int, str]:
        """Number and text of the first line of the row at hand; its other lines will come again."""
        self.number = self.row_number
        self._again.extendleft(reversed(self._taken[1:]))
        return self.number, self._taken[0]


def _raw_rows(lines: _Lines, dialect: Dialect) -> Iterator[list[str] | BadRow]:
    """Rows and broken rows; `lines.row_number` says where. Lines without any text are no rows."""
    reader = dialect.reader(lines)
    while True:
        lines.begin_row()
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield _bad(*lines.give_back(), Cause.UNREADABLE, f"broken quotes: {error}", dialect.encoding)
            reader = dialect.reader(lines)
            continue
        except _TooLong:
            detail = f"expected a row within {LINE_CHARS_MAX} characters; is a quote left open?"
            yield _bad(*lines.give_back(), Cause.TOO_LARGE, detail, dialect.encoding)
            reader = dialect.reader(lines)
            continue
        if row is None:
            return
        if row:
            yield row


def _bad(number: int, line: str, cause: Cause, detail: str, encoding: str) -> BadRow:
    text = line.rstrip("\r\n")[:RAW_BYTES_MAX]
    raw = text.encode(
        encoding.removesuffix("-sig"), "surrogateescape" if "surrogate" in _errors(encoding) else "replace"
    )
    return BadRow(number, cause, detail, raw)


def read_csv(stream: BinaryIO, dialect: Dialect) -> Iterator[Rows]:
    """The rows of a file in batches. Needs memory for one batch, whatever the file."""
    text = io.TextIOWrapper(stream, dialect.encoding, errors=_errors(dialect.encoding), newline="")
    lines = _Lines(text)
    rows = _raw_rows(lines, dialect)
    if dialect.has_header:
        next(rows, None)
    batch = _Batch(dialect)
    for row in rows:
        if isinstance(row, BadRow):
            batch.bad.append(row)
        else:
            batch.add(row, lines.row_number)
        if batch.count >= ROWS_MAX:
            yield batch.finish()
            batch = _Batch(dialect)
    if batch.count:
        yield batch.finish()
    text.detach()


class _Batch:
    """Rows being gathered."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._width = len(dialect.columns)
        self._rows: list[list[str]] = []
        self._numbers: list[int] = []
        self.bad: list[BadRow] = []

    @property
    def count(self) -> int:
        return len(self._rows) + len(self.bad)

    def add(self, row: list[str], number: int) -> None:
        """Take a row if it has as many cells as there are columns; empty ones too many do no harm."""
        if len(row) > self._width and not any(row[self._width :]):
            del row[self._width :]
        if len(row) == self._width:
            self._rows.append(row)
            self._numbers.append(number)
        else:
            self._refuse(row, number, f"expected {self._width} columns, got {len(row)}")

    def _refuse(self, row: list[str], number: int, detail: str) -> None:
        raw = io.StringIO(newline="")
        csv.writer(raw, delimiter=self._dialect.delimiter, lineterminator="").writerow(row)
        self.bad.append(_bad(number, raw.getvalue(), Cause.UNREADABLE, detail, self._dialect.encoding))

    def finish(self) -> Rows:
        """The batch as columns."""
        contents = self._contents()
        if None in contents:
            self._refuse_broken(contents)
            contents = self._contents()
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * self._width
        named = {name: self._cleaned(values) for name, values in zip(self._dialect.columns, columns, strict=True)}
        return Rows(named, self._numbers, [content for content in contents if content is not None], self.bad)

    def _contents(self) -> list[bytes | None]:
        names = self._dialect.columns
        order = sorted(range(self._width), key=names.__getitem__)
        if order == list(range(self._width)) or self._width < 2:
            return contents_of(self._rows)
        return contents_of(list(map(itemgetter(*order), self._rows)))

    def _refuse_broken(self, contents: list[bytes | None]) -> None:
        rows, numbers = self._rows, self._numbers
        self._rows, self._numbers = [], []
        for row, number, content in zip(rows, numbers, contents, strict=True):
            if content is None:
                self._refuse(row, number, f"expected text in {self._dialect.encoding}, got other bytes")
            else:
                self._rows.append(row)
                self._numbers.append(number)

    def _cleaned(self, values: tuple[str, ...]) -> list[str | None]:
        empty = self._dialect.empty
        return [None if value in empty else value for value in values]
