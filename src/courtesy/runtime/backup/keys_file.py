"""The file of keys: without it a backup is noise, and who is not in it any more is noise in every backup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.engine_postgres.backup import BackupKey
from courtesy.runtime.backup import framed

TITLE = b"courtesy backup keys 1\n"
WHAT = "the keys of backups"


class KeysHeader(msgspec.Struct, frozen=True):
    """Whose keys they are, and when they were written (ms UTC)."""

    store: bytes
    made_ms: int


class _Key(msgspec.Struct, frozen=True, array_like=True):
    id: bytes
    person: int | None
    held: int | None
    key: bytes


_HEADER = msgspec.msgpack.Decoder(KeysHeader)
_KEY = msgspec.msgpack.Decoder(_Key)


def write_keys(path: Path, header: KeysHeader, keys: Iterable[BackupKey]) -> int:
    """Write the file anew, in place of what was there; how many keys."""
    count = 0
    with framed.written(path, TITLE) as file:
        file.write(msgspec.msgpack.encode(header))
        for each in keys:
            file.write(msgspec.msgpack.encode(_Key(*each)))
            count += 1
    return count


def read_header(path: Path) -> KeysHeader:
    """The header of a file that is checked first, from its beginning to its end."""
    framed.check(path, TITLE, WHAT)
    found = framed.frames(path, TITLE)
    try:
        return _HEADER.decode(next(found))
    except (StopIteration, msgspec.DecodeError):
        raise CourtesyError(Code.UNREADABLE, f"expected {WHAT}, got something else", place=str(path)) from None
    finally:
        found.close()


def read_keys(path: Path) -> Iterator[BackupKey]:
    """The keys of a file that was checked."""
    found = framed.frames(path, TITLE)
    next(found)
    for frame in found:
        key = _KEY.decode(frame)
        yield BackupKey(key.id, None if key.person is None else PersonId(key.person), key.held, key.key)
