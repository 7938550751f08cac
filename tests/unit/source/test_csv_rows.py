"""CSV as people and programs write it, and as they break it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from courtesy.event.cause import Cause
from courtesy.source.csv_rows import Dialect, read_csv, sniff
from courtesy.source.mapping import CsvOptions
from courtesy.source.rows import LINE_CHARS_MAX, ROWS_MAX, BadRow, Rows

# Python writes a lone carriage return without quotes, which no reader can tell from the end of a line.
CELL = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\ufeff"), max_size=12)
WIDTH = 3
TABLE = st.lists(st.tuples(*[CELL] * WIDTH), max_size=12)
PLAIN = st.lists(st.tuples(*[st.text("abcXYZ 0189.-", min_size=1, max_size=6)] * WIDTH), min_size=1, max_size=12)
HEADER = ("first", "second", "third")


def dialect(delimiter: str = ",", encoding: str = "utf-8", columns: Sequence[str] = HEADER) -> Dialect:
    """A dialect in which nothing is left to detect."""
    return Dialect(delimiter, '"', None, encoding, True, tuple(columns), frozenset(("",)))


def written(rows: Sequence[Sequence[str]], delimiter: str = ",", line_end: str = "\r\n") -> str:
    """A file with a header and those rows, as Python writes it."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=line_end).writerows([HEADER, *rows])
    return out.getvalue()


def rows_of(batches: list[Rows]) -> list[tuple[str, ...]]:
    """All rows, with empty text for no value."""
    return [
        tuple(value or "" for value in row)
        for batch in batches
        for row in zip(*(batch.columns[name] for name in batch.columns), strict=True)
    ]


def bad_of(batches: list[Rows]) -> list[BadRow]:
    """All rows that were refused."""
    return [bad for batch in batches for bad in batch.bad]


def read(text: str | bytes, how: Dialect | None = None) -> list[Rows]:
    """All batches of a file."""
    content = text.encode() if isinstance(text, str) else text
    return list(read_csv(io.BytesIO(content), how or dialect()))


def sniffed(text: str | bytes, options: CsvOptions = CsvOptions()) -> Dialect:  # noqa: B008 -- it is frozen
    """What is detected of a file."""
    return sniff(text.encode() if isinstance(text, str) else text, options)


@given(TABLE, st.sampled_from(",;\t|"), st.sampled_from(["\r\n", "\n"]))
def test_what_a_csv_writer_wrote_is_read_back(rows: list[tuple[str, ...]], delimiter: str, line_end: str) -> None:
    """Quotes, delimiters, line ends and any script inside cells come through, and no row is refused."""
    batches = read(written(rows, delimiter, line_end), dialect(delimiter))
    assert rows_of(batches) == rows
    assert bad_of(batches) == []


@given(PLAIN, st.integers(0, 12), st.sampled_from(['"open', 'a,"b"c,d', "one,two", "1,2,3,4", ',"', '"x"y,1,2']))
def test_a_broken_row_costs_itself_and_no_other(rows: list[tuple[str, ...]], place: int, broken: str) -> None:
    """A quote left open, text after a quote, too few or too many cells: the other rows are all read, at their lines."""
    place = min(place, len(rows))
    lines = written(rows, line_end="\n").splitlines()
    lines.insert(place + 1, broken)
    batches = read("\n".join(lines))
    assert rows_of(batches) == rows
    assert [(bad.number, bad.raw.decode()) for bad in bad_of(batches)] == [(place + 2, broken)]
    numbers = [number for batch in batches for number in batch.numbers]
    assert numbers == [line for line in range(2, len(rows) + 3) if line != place + 2]


@given(st.binary(max_size=400))
def test_any_bytes_are_read_to_their_end(content: bytes) -> None:
    """Whatever a file holds, reading neither fails nor passes over a line that has text."""
    how = sniff(content or b"x")
    batches = read(content, how)
    accounted = sum(batch.count for batch in batches)
    assert accounted == 0 or all(len(batch.contents) == len(batch.numbers) for batch in batches)
    text = content.decode(how.encoding, "replace").lstrip("\ufeff")
    assume('"' not in text)
    filled = [line for line in io.StringIO(text, newline=None) if line.strip("\r\n")]
    assert accounted == max(len(filled) - how.has_header, 0)


@given(PLAIN, st.sampled_from(",;\t|"))
def test_the_delimiter_is_detected(rows: list[tuple[str, ...]], delimiter: str) -> None:
    """Of the four usual delimiters the one is found that gives all rows the same number of cells."""
    assert sniffed(written(rows, delimiter)).delimiter == delimiter


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
def test_the_encoding_is_detected(encoding: str, expected: str) -> None:
    """By its byte order mark, or by whether what is not ASCII is UTF-8; the header is free of the mark."""
    content = "name,town\r\nJürgen,Köln\r\n".encode(encoding)
    how = sniffed(content)
    assert (how.encoding, how.columns) == (expected, ("name", "town"))
    assert rows_of(read(content, how)) == [("Jürgen", "Köln")]


def test_bytes_that_are_no_text_cost_their_row_only() -> None:
    """One broken byte in a file of UTF-8 makes neither the rest unreadable nor all of it Windows-1252."""
    content = "first,second,third\nä,ö,ü\nx,\udcff,y\nß,é,è\n".encode("utf-8", "surrogateescape")
    how = sniffed(content)
    batches = read(content, how)
    assert how.encoding == "utf-8"
    assert rows_of(batches) == [("ä", "ö", "ü"), ("ß", "é", "è")]
    assert [(bad.number, bad.cause, bad.raw) for bad in bad_of(batches)] == [(3, Cause.UNREADABLE, b"x,\xff,y")]


def test_a_row_over_several_lines_is_known_by_its_first() -> None:
    """A line end inside quotes is content; the next row's number counts it."""
    batches = read('first,second,third\na,"b\nb\nb",c\nd,e,f\n')
    assert rows_of(batches) == [("a", "b\nb\nb", "c"), ("d", "e", "f")]
    assert list(batches[0].numbers) == [2, 5]


def test_a_quote_left_open_in_a_long_file_costs_one_row() -> None:
    """The search for the closing quote ends after the longest row that may be, and the lines it took are read again."""
    count = 3 * LINE_CHARS_MAX // 10
    lines = ["first,second,third", 'a,"b,c', *["dddd,ee,f"] * count]
    batches = read("\n".join(lines))
    assert sum(len(batch.numbers) for batch in batches) == count
    assert [(bad.number, bad.cause) for bad in bad_of(batches)] == [(2, Cause.TOO_LARGE)]


def test_a_line_without_end_needs_no_memory_and_costs_one_row() -> None:
    """An overlong line is passed over to its end; what is kept of it is its beginning."""
    batches = read("first,second,third\n1,2,3\n" + "x" * (2 * LINE_CHARS_MAX + 5) + "\n4,5,6\n")
    assert rows_of(batches) == [("1", "2", "3"), ("4", "5", "6")]
    (bad,) = bad_of(batches)
    assert (bad.number, bad.cause, len(bad.raw)) == (3, Cause.TOO_LARGE, 32 * 1024)


def test_rows_come_in_batches() -> None:
    """No batch holds more than its share, and together they hold all rows."""
    batches = read(written([("a", "b", "c")] * (2 * ROWS_MAX + 1)))
    assert [batch.count for batch in batches] == [ROWS_MAX, ROWS_MAX, 1]


def test_empty_cells_too_many_do_no_harm() -> None:
    """Some programs end each line with a delimiter."""
    assert rows_of(read("first,second,third\n1,2,3,,\n")) == [("1", "2", "3")]


def test_blank_lines_are_no_rows() -> None:
    """Neither in the middle nor at the end."""
    batches = read("first,second,third\n\n1,2,3\n\n\n")
    assert (rows_of(batches), bad_of(batches)) == ([("1", "2", "3")], [])


def test_old_line_ends_are_understood() -> None:
    """A carriage return alone ended lines once."""
    assert rows_of(read("first,second,third\r1,2,3\r4,5,6\r")) == [("1", "2", "3"), ("4", "5", "6")]


def test_a_file_without_header_gets_numbered_columns() -> None:
    """A first row with a number, a date or an address in it is data."""
    how = sniffed("17,2019-10-01,ann@shop.example\n18,2019-10-02,bob@shop.example\n")
    assert (how.has_header, how.columns) == (False, ("column_1", "column_2", "column_3"))


def test_columns_can_be_named_for_a_file_without_header() -> None:
    """The options go before what is detected."""
    how = sniffed("a,b\nc,d\n", CsvOptions(columns=("left", "right")))
    assert rows_of(read("a,b\nc,d\n", how)) == [("a", "b"), ("c", "d")]
    assert how.columns == ("left", "right")


def test_columns_without_a_name_or_with_one_twice_can_be_told_apart() -> None:
    """Each column can be named in a mapping."""
    how = sniffed("id,,id,x\n1,2,3,4\n", CsvOptions(header=True))
    assert how.columns == ("id", "column_2", "id_2", "x")


def test_backslashes_before_quotes_are_understood() -> None:
    """As some databases write them."""
    text = 'name,note,x\nann,"said \\"hi\\" twice",1\nbob,none,2\n'
    assert rows_of(read(text, sniffed(text))) == [("ann", 'said "hi" twice', "1"), ("bob", "none", "2")]


def test_the_content_of_a_row_does_not_depend_on_the_order_of_columns() -> None:
    """An export with its columns in another order has the same rows."""
    one = read("b,a\n1,2\n", dialect(columns=("b", "a")))
    other = read("a,b\n2,1\n", dialect(columns=("a", "b")))
    assert one[0].contents == other[0].contents


def test_marks_of_emptiness_are_no_values() -> None:
    """Besides nothing at all, what databases write for it; others can be stated."""
    how = sniffed("a,b\nx,\n\\N,NA\n", CsvOptions(empty=("", "\\N", "NA")))
    (batch,) = read("a,b\nx,\n\\N,NA\n", how)
    assert batch.columns == {"a": ["x", None], "b": [None, None]}
