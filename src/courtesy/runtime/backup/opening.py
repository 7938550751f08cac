"""Opening the sections of a backup by whatever keys are left."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from cryptography.exceptions import InvalidTag

from courtesy.engine_postgres.backup_tables import TABLES
from courtesy.runtime.backup.format import BackupFile, Group, SectionReader, rows_in
from courtesy.runtime.backup.seals import Place, ids_of

GROUPS_AT_ONCE = 2_000
_FORGOTTEN = {table.name: table.forgotten for table in TABLES}

FindKeys = Callable[[Collection[bytes]], dict[bytes, bytes]]
"""Those of the keys with these ids that there are."""


@dataclass(slots=True)
class Opening:
    """A backup that is being read. `gone`: the ids of keys that there were when it was made, and are no more."""

    backup: BackupFile
    find_keys: FindKeys
    gone: Container[bytes]

    def rows(self, section: SectionReader) -> Iterator[Sequence[bytes]]:
        """The rows of a section that can be opened, some at a time, with the columns of both parts. Of those whose
        owners are gone, what outlives them. Raises cryptography.exceptions.InvalidTag for what was altered."""
        groups = section.groups()
        while some := list(islice(groups, GROUPS_AT_ONCE)):
            ids = {each for group in some for part in (group.own, group.rest) if part for each in ids_of(part)}
            known = self.find_keys(ids)
            if not all(each in known or each in self.gone for each in ids):
                raise InvalidTag
            yield [row for group in some for row in self._rows_of(section, group, known)]

    def _rows_of(self, section: SectionReader, group: Group, known: Mapping[bytes, bytes]) -> Sequence[bytes]:
        seals = self.backup.seals
        own = seals.opened(group.own, Place(section.number, 0, group.number), known)
        if not section.what.rest:
            return [] if own is None else rows_in(own)
        rest = seals.opened(group.rest, Place(section.number, 1, group.number), known)
        if rest is None:
            raise InvalidTag
        left = rows_in(rest)
        if own is None:
            gone = b"".join(_FORGOTTEN[section.what.name][name] for name in section.what.own)
            return [gone + row for row in left]
        return [first + row for first, row in zip(rows_in(own), left, strict=True)]


_KEY_ID = struct.Struct(">i16s")


def key_row(row: bytes) -> tuple[bytes, int | None, int | None]:
    """Id of a key, the person and the held event that it is of, from a row of `Snapshot.key_ids`."""
    _, key_id = _KEY_ID.unpack_from(row)
    person, at = _number(row, _KEY_ID.size)
    return key_id, person, _number(row, at)[0]


def _number(row: bytes, at: int) -> tuple[int | None, int]:
    (length,) = struct.unpack_from(">i", row, at)
    if length < 0:
        return None, at + 4
    return struct.unpack_from(">q", row, at + 4)[0], at + 12
