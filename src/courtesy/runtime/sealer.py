"""The sealer: grows the Merkle tree over the ledger and signs checkpoints of it; and the proofs that follow from both.

The key lies in the data folder and not in the database: who can change what is in the database can't sign it. A
checkpoint that somebody else has kept can't be contradicted later without it showing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Self

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import Clock
from courtesy.consent import export
from courtesy.consent.checkpoint import Checkpoint, KeyKind, Note, PublicKey, read_note, sign
from courtesy.consent.export import Opened
from courtesy.consent.leaf import leaf_hash
from courtesy.consent.tree import ReadNodes, Run, consistency_ranges, inclusion_ranges, proof, runs_of
from courtesy.engine.contract import Engine
from courtesy.engine.ledger import Entry
from courtesy.runtime.ledger import entry_keys, leaf_of, opened
from courtesy.runtime.signing import SigningKey, key_in

KEY_FILE = "ledger.key"
PAGE_ENTRIES = 2_000


def signing_key(folder: Path) -> SigningKey:
    """The key in a data folder; made when there is none. Raises CourtesyError(SETUP) when it can't be read or made."""
    hint = "put the file back from a backup: another key can't go on with this ledger's checkpoints"
    return key_in(folder / KEY_FILE, "the ledger", f"courtesy.ledger/{token_hex(6)}", KeyKind.TEXT, hint)


def public_key(folder: Path) -> PublicKey | None:
    """The public half of the key in a data folder; None while there is none."""
    return signing_key(folder).public if (folder / KEY_FILE).exists() else None


class Sealer:
    """Grows the tree, and signs. Several may do so at once."""

    def __init__(self, engine: Engine, key: SigningKey, clock: Clock) -> None:
        self._engine = engine
        self._key = key
        self._clock = clock

    async def seal(self) -> Note:
        """Bring all entries into the tree, and sign it unless it is signed already; the last checkpoint.

        Raises CourtesyError(SETUP) when the ledger was signed by another key.
        """
        tree = await self._engine.tree()
        while entries := await self._engine.ledger_from(tree.size, PAGE_ENTRIES):
            grown, nodes = tree.append(leaf_hash(leaf_of(entry).to_bytes()) for entry in entries)
            await self._engine.grow_tree(tree, grown, nodes)
            # Whether by us or by another: go on from what is there.
            tree = await self._engine.tree()
            await asyncio.sleep(0)
        while True:
            latest = await self._latest()
            if latest is not None and latest.checkpoint.size >= tree.size:
                return latest
            # Each is later than the one before, whatever the clock says.
            after_ms = -1 if latest is None else latest.checkpoint.time_ms
            at_ms = max(self._clock.now_ms(), after_ms + 1)
            checkpoint = Checkpoint(self._key.public.name, tree.size, tree.root(), at_ms)
            note = Note(checkpoint, (sign(checkpoint, self._key.public, self._key.private.sign),))
            if await self._engine.add_checkpoint(None if latest is None else latest.text(), note.text()):
                return note

    async def _latest(self) -> Note | None:
        found = [read_note(text) for text in await self._engine.checkpoints(latest_only=True)]
        for note in found:
            if note.checkpoint.origin != self._key.public.name:
                raise CourtesyError(
                    Code.SETUP,
                    f"expected the key of {note.checkpoint.origin}, got that of {self._key.public.name}",
                    hint=f"copy {KEY_FILE} from the data folder of the host that signed before",
                )
        return found[0] if found else None


class Proofs:
    """What shows to a stranger that an entry is in the ledger, and that the ledger only ever grew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def latest(self) -> Note:
        """The last checkpoint. Raises CourtesyError(NOT_FOUND) while there is none."""
        found = await self._engine.checkpoints(latest_only=True)
        if not found:
            raise CourtesyError(Code.NOT_FOUND, "nothing of the ledger was signed yet", hint="it is within a minute")
        return read_note(found[0])

    async def of_size(self, size: int) -> Note:
        """The first checkpoint of so many entries. Raises CourtesyError(NOT_FOUND)."""
        for text in await self._engine.checkpoints():
            note = read_note(text)
            if note.checkpoint.size == size:
                return note
        raise CourtesyError(Code.NOT_FOUND, f"there is no checkpoint of {size} entries")

    async def inclusion(self, index: int, opened: Opened | None = None) -> bytes:
        """For `verifier.py --inclusion`: that entry `index` is under the last checkpoint, and what it says if `opened`.
        Raises CourtesyError."""
        note = await self.latest()
        ranges = inclusion_ranges(index, note.checkpoint.size)
        (entry,) = await self._engine.ledger_from(index, 1)
        return export.inclusion_proof(
            leaf_of(entry).to_bytes(), proof(ranges, await self._nodes(runs_of(ranges))), note, opened
        )

    async def consistency(self, older: int, newer: int) -> bytes:
        """For `verifier.py --consistency`: that a checkpoint of `newer` entries only adds to that of `older`."""
        notes = await self.of_size(older), await self.of_size(newer)
        return export.consistency_proof(*notes, await self.path(older, newer))

    async def path(self, older: int, newer: int) -> list[bytes]:
        """The hashes that prove that the first `newer` entries, all of them in the tree, begin with the first `older`.
        Raises CourtesyError(INVALID) for more older than newer ones."""
        ranges = consistency_ranges(older, newer)
        return proof(ranges, await self._nodes(runs_of(ranges)))

    async def _nodes(self, runs: Sequence[Run]) -> ReadNodes:
        hashes: dict[Run, Sequence[bytes]] = {}
        hashes.update(await self._engine.tree_nodes([run for run in runs if run.level]))
        for run in runs:
            if not run.level:
                entries = await self._engine.ledger_from(run.first, run.count)
                hashes[run] = [leaf_hash(leaf_of(entry).to_bytes()) for entry in entries]
        return ReadNodes(hashes)

    async def leaves(self, size: int) -> AsyncIterator[Entry]:
        """The first `size` entries, in order."""
        index = 0
        while index < size:
            page = await self._engine.ledger_from(index, min(PAGE_ENTRIES, size - index))
            for entry in page:
                yield entry
            index += len(page)

    async def shown(self, people: Sequence[PersonId], size: int) -> dict[int, Opened]:
        """What the first `size` entries say of some people, with the keys that show it, by index."""
        entries, keyring = await self._engine.ledger_of(people)
        found: dict[int, Opened] = {}
        for entry in entries:
            content = opened(entry, keyring)
            if content is None or entry.index >= size:
                continue
            keys = keyring.entries.get(entry.index)
            if keys is None and entry.person is not None:
                keys = entry_keys(entry, keyring.people[entry.person])
            if keys is not None:
                found[entry.index] = Opened(keys.commitment, content)
        return found

    async def export(self, folder: Path, key: PublicKey, people: Sequence[PersonId] = ()) -> Note:
        """Write an export of the ledger up to its last checkpoint, with what it says of some people; that checkpoint.

        Raises CourtesyError(INVALID) when the folder has something else in it, or can't be written.
        """
        await self.latest()
        notes = [read_note(text) for text in await self._engine.checkpoints()]
        size = notes[-1].checkpoint.size
        shown = await self.shown(people, size) if people else {}
        with _Export(folder) as made:
            async for entry in self.leaves(size):
                made.entries.write(export.framed(leaf_of(entry).to_bytes()))
                if entry.index in shown:
                    made.opened.write(export.opened_line(entry.index, shown[entry.index]))
            made.finish(export.checkpoints_file(notes), export.readme(key, notes[-1]))
        return notes[-1]


class _Export:
    """The files of an export that is being written. What goes wrong with them is the fault of who named the folder."""

    entries: BinaryIO
    opened: BinaryIO

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if any(self._folder.iterdir()):
                raise CourtesyError(Code.INVALID, "expected an empty folder", place=str(self._folder))
            self.entries = (self._folder / export.ENTRIES).open("wb")
            self.opened = (self._folder / export.OPENED).open("wb")
        except OSError as error:
            raise self._refusal(error) from error
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.entries.close()
        self.opened.close()
        if isinstance(error, OSError):
            raise self._refusal(error) from error

    def finish(self, checkpoints: bytes, readme: bytes) -> None:
        """Write what is written last."""
        (self._folder / export.CHECKPOINTS).write_bytes(checkpoints)
        (self._folder / export.README).write_bytes(readme)

    def _refusal(self, error: OSError) -> CourtesyError:
        return CourtesyError(Code.INVALID, f"can't write there: {error.strerror}", place=str(self._folder))
