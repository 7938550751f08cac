"""The form of a backup: a header, sections of sealed groups of rows, and an end that says which there are.

| frame | begins with | then |
|---|---|---|
| header, the first | | msgpack of `Header` |
| section | `S` | msgpack of `Section` |
| group | `R` | four bytes: the length of the first part; the first part; the rest |
| end, the last | `E` | every section with its number of groups, sealed by the store's key |

A group is a few rows that the same keys seal. Its first part are the columns that those open, the rest those that the
store's key does; it is empty where there are none. Each part, once opened, is msgpack of a list of rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine_postgres.backup import Row
from courtesy.runtime.backup import framed
from courtesy.runtime.backup.seals import Place, Seals

TITLE = b"courtesy backup 1\n"
WHAT = "a backup"

SECTION, GROUP, END = b"S", b"R", b"E"
GROUP_BYTES = 64 << 10
AT_END = Place(0xFFFF, 0, 0)
"""Where the end is sealed: beyond all sections."""

FILES, KEYS, LAKE = "(files)", "(keys)", "(lake)"
"""Names of sections that are no tables: files of the data folder, which keys seal it, and events of the lake."""

_LENGTH = struct.Struct(">I")


class Header(msgspec.Struct, frozen=True):
    """What is to be known before anything is restored.

    `backup`: drawn anew for each. `schema`: the last migration of the store. `lake_up_to`: the events at or before this
    position are in the section of the lake, all later ones in the log. `sequences`: the last numbers given.
    """

    backup: bytes
    store: bytes
    schema: int
    made_ms: int
    partition_count: int
    head: int
    lake_up_to: int
    sequences: dict[str, int]


class Section(msgspec.Struct, frozen=True):
    """What the groups up to the next section are: rows of a table, with the columns of their parts. `is_spare`: they
    are put only where there is no such row."""

    name: str
    own: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    is_spare: bool = False


class Group(NamedTuple):
    """Rows of a section as they lie in the file, and their place among its groups."""

    number: int
    own: bytes
    rest: bytes


_HEADER = msgspec.msgpack.Decoder(Header)
_SECTION = msgspec.msgpack.Decoder(Section)
_ROWS = msgspec.msgpack.Decoder(list[bytes])


class BackupWriter:
    """A backup that is being written. `store_key`: id and key."""

    def __init__(self, file: framed.FrameWriter, header: Header, store_key: bytes) -> None:
        content = msgspec.msgpack.encode(header)
        self._file = file
        self._seals = Seals(content)
        self._store_key = store_key
        self._contents: list[tuple[Section, int]] = []
        self.row_count = 0
        file.write(content)

    def section(self, section: Section, rows: Iterable[Row]) -> None:
        """Add a section with its rows. Those next to each other that the same keys seal become groups."""
        self._file.write(SECTION + msgspec.msgpack.encode(section))
        number, place = len(self._contents), -1
        for place, group in enumerate(_grouped(rows)):
            own = self._seals.seal(group[0].keys, Place(number, 0, place), _packed(row.own for row in group))
            rest = b""
            if section.rest:
                rest = self._seals.seal(self._store_key, Place(number, 1, place), _packed(row.rest for row in group))
            self._file.write(GROUP + _LENGTH.pack(len(own)) + own + rest)
            self.row_count += len(group)
        self._contents.append((section, place + 1))

    def end(self) -> None:
        """Add what shows that nothing was taken out or put in."""
        contents = msgspec.msgpack.encode(self._contents)
        self._file.write(END + self._seals.seal(self._store_key, AT_END, contents))


def _grouped(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        if group and (row.keys != group[0].keys or size > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(row)
        size += len(row.own) + len(row.rest)
    if group:
        yield group


def _packed(rows: Iterable[bytes]) -> bytes:
    return msgspec.msgpack.encode(list(rows))


def rows_in(content: bytes) -> list[bytes]:
    """The rows of a part that was opened."""
    return _ROWS.decode(content)


class BackupFile:
    """A backup that is there. Making one checks it from beginning to end, by its digest.

    Raises CourtesyError(UNREADABLE) for what is no whole backup.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        framed.check(path, TITLE, WHAT)
        frames = framed.frames(path, TITLE)
        content = next(frames, b"")
        frames.close()
        try:
            self.header = _HEADER.decode(content)
        except msgspec.DecodeError:
            raise self.refusal() from None
        self.seals = Seals(content)

    def sections(self) -> Iterator[SectionReader]:
        """The sections in order. Those that are read to their end are counted. Raises InvalidTag for another form."""
        frames = framed.frames(self._path, TITLE)
        next(frames)
        frame = next(frames, b"")
        contents: list[tuple[Section, int]] = []
        while frame[:1] == SECTION:
            section = SectionReader(len(contents), _SECTION.decode(frame[1:]), frames)
            yield section
            frame = section.after()
            contents.append((section.what, section.group_count))
        if frame[:1] != END or next(frames, None) is not None:
            raise InvalidTag
        self._end, self._contents = frame[1:], contents

    def check_end(self, known: Mapping[bytes, bytes]) -> None:
        """Raises InvalidTag when what `sections` found is not what was written, by the store's key among the known."""
        if self.seals.opened(self._end, AT_END, known) != msgspec.msgpack.encode(self._contents):
            raise InvalidTag

    def refusal(self) -> CourtesyError:
        """The error for a backup that does not fit its keys or its own form."""
        return CourtesyError(
            Code.UNREADABLE,
            "the keys do not open this backup, or it was altered by somebody who had none",
            place=str(self._path),
        )


class SectionReader:
    """One section: its number among them, what it is, and its groups."""

    def __init__(self, number: int, what: Section, frames: Iterator[bytes]) -> None:
        self.number = number
        self.what = what
        self.group_count = 0
        self._frames = frames
        self._after: bytes | None = None

    def groups(self) -> Iterator[Group]:
        """The groups in order."""
        start = 1 + _LENGTH.size
        for frame in self._frames:
            if frame[:1] != GROUP:
                self._after = frame
                return
            if len(frame) < start:
                raise InvalidTag
            end = start + _LENGTH.unpack_from(frame, 1)[0]
            yield Group(self.group_count, frame[start:end], frame[end:])
            self.group_count += 1
        self._after = b""

    def after(self) -> bytes:
        """The frame after the groups; those that were not read are passed over."""
        if self._after is None:
            for _ in self.groups():
                pass
        return self._after or b""
