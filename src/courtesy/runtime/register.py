"""The register of erasures: a file beside the database, so that who was erased does not come back with a backup.

It names nobody: of each erasure it has the instant, the salted hashes by which the store recognises identifiers of the
forgotten, the numbers that they had, and at which positions of the log others' records told of them. Without a store,
or a backup of one, it tells nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position
from courtesy.identity.repair import Erasure

REGISTER = "erasures.jsonl"
"""Its name in the data folder."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One erasure: when (ms UTC), the hashes (hex) of the identifiers, and whether they must never come again.

    `mark` (hex): by which the store knows that it has made it. The rest is as in `Erasure`, keys of effects as hex; of
    the `emptied` where they lie. Entries from before there were marks have none of it.
    """

    at_ms: int
    hashes: tuple[str, ...]
    suppress: bool
    mark: str = ""
    people: tuple[PersonId, ...] = ()
    others: tuple[tuple[Position, PersonId], ...] = ()
    kept: tuple[Position, ...] = ()
    emptied: tuple[tuple[Position, PersonId], ...] = ()
    effects: tuple[str, ...] = ()
    kept_effects: dict[str, PersonId] = {}
    quarantined: tuple[int, ...] = ()

    @classmethod
    def of(cls, erasure: Erasure, hashes: Iterable[bytes]) -> Entry:
        """What the register is to have of an erasure, whose identifiers have these hashes."""
        return cls(
            erasure.note.at_ms,
            tuple(each.hex() for each in hashes),
            erasure.suppress,
            erasure.mark.hex(),
            tuple(erasure.people),
            tuple(erasure.others),
            tuple(erasure.kept),
            tuple(erasure.emptied),
            tuple(each.hex() for each in erasure.effects),
            {key.hex(): person for key, person in erasure.kept_effects.items()},
            tuple(erasure.quarantined),
        )


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

    async def take_over(self, other: Register) -> None:
        """Enter all that another has. Raises CourtesyError(NOT_FOUND) when there is no such file."""
        if not other.path.exists():
            raise CourtesyError(Code.NOT_FOUND, "there is no register of erasures", place=str(other.path))
        for entry in await other.entries():
            await self.add(entry)

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
