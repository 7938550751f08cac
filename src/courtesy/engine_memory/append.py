"""One append under way: what it writes is staged, and comes true all at once when it is left without an error."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from courtesy.base.ids import Partition, PersonId, Position
from courtesy.engine.contract import AppendBatch, Count, Imported, Quarantined
from courtesy.engine.imported import TakeBack
from courtesy.engine.ledger import Entry, Keyring, LedgerHead, LedgerWrite, PersonKey
from courtesy.engine.offer import Facts, OfferQuestion, OfferWrite
from courtesy.engine_memory.disk import Disk, suppression_hash
from courtesy.engine_memory.identity import copied
from courtesy.event.cause import Cause
from courtesy.identity.repair import Erasure, Move, Repair
from courtesy.identity.resolve import Changes, Owner
from courtesy.person.record import Record


class _Staged(NamedTuple):
    """A batch in the form in which it is stored, out of reach of whoever wrote it."""

    records: list[Record]
    keys: list[tuple[bytes, int | None]]
    changes: Changes
    counts: tuple[Count, ...]
    quarantined: tuple[Quarantined, ...]
    released: tuple[int, ...]
    held_again: tuple[Quarantined, ...]
    repair: Repair | None
    erasure: Erasure | None
    ledger: LedgerWrite | None
    offers: OfferWrite | None
    imported: tuple[Imported, ...]
    taken_back: TakeBack | None
    now_ms: int


def _staged(disk: Disk, batch: AppendBatch) -> _Staged:
    """Everything that can fail is done here, before anything is changed."""
    keys = [(bytes(key), None if key in batch.keep_keys else batch.now_ms) for key in batch.keys]
    assert not disk.intake.seen(batch.keys), "a key was appended before: ask `seen` first"
    assert len({key for key, _ in keys}) == len(keys), "a key is twice in one batch"
    return _Staged(
        disk.log.placed(batch.records),
        keys,
        copied(batch.changes),
        tuple(batch.counts),
        tuple(each._replace(raw=bytes(each.raw)) for each in batch.quarantined),
        tuple(batch.released),
        tuple(batch.held_again),
        batch.repair,
        batch.erasure,
        batch.ledger,
        batch.offers,
        tuple(batch.imported),
        batch.taken_back,
        batch.now_ms,
    )


class MemoryAppend:
    """The contract's `Append`, while its engine holds the append lock."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._staged: _Staged | None = None
        self._left = False

    async def owners_changed_since(self, epoch: int) -> tuple[int, Collection[str] | None]:
        identity = self._disk.identity
        return identity.epoch, identity.changed_since(epoch)

    async def seen(self, keys: Sequence[bytes]) -> set[bytes]:
        return self._disk.intake.seen(keys)

    async def owners(self, identifiers: Sequence[str]) -> dict[str, Owner]:
        return self._disk.identity.owners(identifiers)

    async def held(self, people: Collection[PersonId]) -> dict[PersonId, set[str]]:
        return self._disk.identity.held(people)

    async def parts(self, people: Collection[PersonId]) -> dict[PersonId, set[PersonId]]:
        return {person: set(parts) for person in people if (parts := self._disk.identity.merged_into(person))}

    async def ledger_head(self, partitions: Collection[Partition]) -> LedgerHead:
        return self._disk.ledger.head(partitions)

    async def person_keys(self, people: Collection[PersonId]) -> dict[PersonId, PersonKey]:
        return self._disk.ledger.keys_of(people)

    async def entered_since(self, index: int) -> tuple[int, Collection[PersonId] | None]:
        return self._disk.ledger.entered_since(index)

    async def ledger_of(
        self, people: Collection[PersonId], recorded_until_ms: int | None = None
    ) -> tuple[list[Entry], Keyring]:
        return self._disk.ledger.of(people, recorded_until_ms)

    async def moves(self, people: Collection[PersonId]) -> list[Move]:
        return self._disk.identity.moves_of(people)

    async def offer_facts(self, asked: OfferQuestion) -> Facts:
        return self._disk.offers.facts(asked)

    @property
    def has_suppressed(self) -> bool:
        return bool(self._disk.suppressed)

    async def suppressed(self, identifiers: Collection[str]) -> set[str]:
        return {key for key in identifiers if suppression_hash(key) in self._disk.suppressed}

    async def bans(self, identifiers: Collection[str]) -> dict[str, set[str]]:
        return self._disk.identity.bans_of(identifiers)

    async def still_quarantined(self, numbers: Sequence[int]) -> dict[int, Cause]:
        return self._disk.intake.still_quarantined(numbers)

    async def write(self, batch: AppendBatch) -> Position:
        assert self._staged is None, "an append writes once"
        assert not self._left, "an append writes while it is under way"
        self._staged = _staged(self._disk, batch)
        records = self._staged.records
        return records[-1].position if records else self._disk.log.head

    def leave(self) -> None:
        """Nothing more can be written; what was not committed is gone."""
        self._left = True

    def commit(self) -> None:
        """Make what was written true."""
        staged, disk = self._staged, self._disk
        if staged is None:
            return
        if staged.erasure is not None:
            disk.erase(staged.erasure)
        if staged.taken_back is not None:
            disk.take_back(staged.taken_back)
        disk.imports.put(staged.imported, Position(disk.log.head + 1))
        disk.intake.remember(staged.keys)
        disk.intake.count(staged.counts)
        disk.intake.quarantine(staged.quarantined)
        disk.identity.apply(staged.changes, staged.repair, staged.now_ms)
        if staged.repair is not None:
            disk.outbox.correct(staged.repair.effects)
        disk.intake.release(staged.released)
        disk.intake.hold_again(staged.held_again)
        if staged.ledger is not None:
            disk.ledger.put(staged.ledger, Position(disk.log.head + 1))
        if staged.offers is not None:
            disk.offers.put(staged.offers, Position(disk.log.head + 1))
        disk.add_records(staged.records)
