"""Files that are written whole or not at all: frames one after the other, and a digest by which damage is noticed.

The file begins with a line that says what it is. Then come frames: four bytes of length, and as many bytes. The last
32 bytes are the SHA-256 of everything before them.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from courtesy.base.errors import Code, CourtesyError

DIGEST_BYTES = 32
_LENGTH = struct.Struct(">I")
_BLOCK_BYTES = 1 << 20


class FrameWriter:
    """A file that is being written."""

    def __init__(self, file: BinaryIO, title: bytes) -> None:
        self._file = file
        self._hash = sha256()
        self._put(title)

    def write(self, content: bytes) -> None:
        """Add a frame."""
        self._put(_LENGTH.pack(len(content)) + content)

    def digest(self) -> bytes:
        """That of everything up to here."""
        return self._hash.digest()

    def _put(self, content: bytes) -> None:
        self._file.write(content)
        self._hash.update(content)


@contextmanager
def written(path: Path, title: bytes) -> Iterator[FrameWriter]:
    """A file that takes the place of another when it is complete and on the disk, and leaves no trace otherwise. Only
    its owner may read it. Raises CourtesyError when it can't be written."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb", _BLOCK_BYTES) as file:
                writer = FrameWriter(file, title)
                yield writer
                file.write(writer.digest())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        code = Code.STORAGE_FULL if error.errno in _FULL else Code.UNAVAILABLE
        raise CourtesyError(code, f"can't write there: {error.strerror or error}", place=str(path)) from None


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check(path: Path, title: bytes, what: str) -> None:
    """Read a file through. Raises CourtesyError(UNREADABLE) when it is not `what` it should be, cut or altered."""
    with _read(path) as file:
        if file.read(len(title)) != title:
            raise CourtesyError(Code.UNREADABLE, f"expected {what}, got another file", place=str(path))
        left = os.fstat(file.fileno()).st_size - len(title) - DIGEST_BYTES
        digest = sha256(title)
        while left > 0 and (block := file.read(min(left, _BLOCK_BYTES))):
            digest.update(block)
            left -= len(block)
        if left != 0 or file.read() != digest.digest():
            raise _damaged(path)


def frames(path: Path, title: bytes) -> Generator[bytes, None, None]:
    """The frames of a file that was checked. Raises CourtesyError(UNREADABLE) when it changes meanwhile."""
    with _read(path) as file:
        end = os.fstat(file.fileno()).st_size - DIGEST_BYTES
        file.seek(len(title))
        while file.tell() < end:
            length = file.read(_LENGTH.size)
            if len(length) < _LENGTH.size or _LENGTH.unpack(length)[0] > end - file.tell():
                raise _damaged(path)
            yield file.read(_LENGTH.unpack(length)[0])


@contextmanager
def _read(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb", _BLOCK_BYTES) as file:
            yield file
    except OSError as error:
        code = Code.NOT_FOUND if isinstance(error, FileNotFoundError) else Code.UNREADABLE
        raise CourtesyError(code, f"can't be read: {error.strerror or error}", place=str(path)) from None


def _damaged(path: Path) -> CourtesyError:
    return CourtesyError(
        Code.UNREADABLE, "the file was cut or altered", hint="take another copy of it", place=str(path)
    )
