"""The register of erasures: a file beside the database, so that who was erased does not come back with a backup.

It names nobody: of each erasure it has the instant, and the salted hashes by which the store recognises identifiers of
the forgotten. Without a store, or a backup of one, that has the salt it tells nothing.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec

from courtesy.base.errors import Code, CourtesyError

REGISTER = "erasures.jsonl"
"""Its name in the data folder."""


class Entry(msgspec.Struct, frozen=True):
    """One erasure: when (ms UTC), the hashes (hex) of the identifiers, and whether they must never come again."""

    at_ms: int
    hashes: tuple[str, ...]
    suppress: bool


_ENTRY = msgspec.json.Decoder(Entry)


class Register:
    """Any number of processes may write to one file at once: each line goes in whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def add(self, entry: Entry) -> None:
        """Enter an erasure; it is on the disk afterwards. Raises CourtesyError(UNAVAILABLE) when it can't be."""
        # A line of its own also after one that was cut short.
        await asyncio.to_thread(self._add, b"\n" + msgspec.json.encode(entry) + b"\n")

    def _add(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                if os.write(file, line) != len(line):
                    raise OSError("no more room")
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise CourtesyError(
                Code.UNAVAILABLE,
                f"the register of erasures can't be written: {error.strerror or error}",
                hint="nothing was erased; make room, or let the server write to its data folder",
                place=str(self.path),
            ) from None

    async def entries(self) -> list[Entry]:
        """All erasures, oldest first. What a full disk cut short is no entry: nothing was erased then."""
        try:
            content = await asyncio.to_thread(self.path.read_bytes)
        except FileNotFoundError:
            return []
        found = []
        for line in content.splitlines():
            try:
                found.append(_ENTRY.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return found
