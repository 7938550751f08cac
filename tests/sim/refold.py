"""Folding a whole log again, from its first record, in a store of its own."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from courtesy.base.ids import PersonId
from courtesy.base.time import ManualClock
from courtesy.engine.contract import AppendBatch
from courtesy.engine_memory import Disk, MemoryEngine
from courtesy.identity.resolve import Changes
from courtesy.person.catalog import EMPTY_CATALOG
from courtesy.person.record import FACTS, NewRecord, RecordKind
from courtesy.runtime.fold import FoldWorker
from tests.sim.history import Filed

PARTITIONS = 3
"""Another number than the live store had: where a person's records lie must not matter."""


async def refolded(filed: Sequence[Filed], chance: Random) -> dict[PersonId, bytes]:
    """The states that folding gives. Of the records only those that came from outside the fold are put in; before what
    a repair found anew everything is folded, as it was when the repair was made."""
    clock, disk = ManualClock(1), Disk(PARTITIONS)
    engine = MemoryEngine(clock, PARTITIONS, disk)
    await engine.open()
    worker = FoldWorker(engine, lambda: EMPTY_CATALOG, clock, "again")
    await worker.claim()
    rest = [_as_new(each) for each in filed if _is_from_outside(each)]
    while rest:
        cut = 1 + int(len(rest) * chance.random() ** 2)
        if rest[0].kind is RecordKind.RESTORE:
            await _fold_all(worker)
            cut = 1
        else:
            cut = next((i for i, each in enumerate(rest[:cut]) if each.kind is RecordKind.RESTORE), cut)
        async with engine.appending() as append:
            await append.write(AppendBatch(rest[:cut], (), Changes(), (), (), 1))
        rest = rest[cut:]
        if chance.random() < 0.5:
            await worker.fold_once()
    await _fold_all(worker)
    await engine.close()
    return disk.folding.states


async def _fold_all(worker: FoldWorker) -> None:
    while await worker.fold_once():
        continue


def _is_from_outside(filed: Filed) -> bool:
    kind = filed.record.kind
    return not filed.forwarded and kind in (*FACTS, RecordKind.HAND_OVER, RecordKind.RESTORE)


def _as_new(filed: Filed) -> NewRecord:
    record = filed.record
    return NewRecord(record.person, record.kind, record.at, record.received, record.source, record.key, record.payload)
