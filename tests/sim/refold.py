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
from courtesy.person.record import NewRecord, RecordKind
from courtesy.runtime.fold import FoldWorker
from tests.sim.history import Filed

PARTITIONS = 3
"""Another number than the live store had: where a person's records lie must not matter."""


async def refolded(filed: Sequence[Filed], chance: Random) -> dict[PersonId, bytes]:
    """The states that folding gives. Of the records only those that came from outside the fold are put in, but none
    whose copy rotted on its way to another person: the copies made here would be sound."""
    clock, disk = ManualClock(1), Disk(PARTITIONS)
    engine = MemoryEngine(clock, PARTITIONS, disk)
    await engine.open()
    worker = FoldWorker(engine, lambda: EMPTY_CATALOG, clock, "again")
    await worker.claim()
    lost = {(each.record.key, each.record.kind) for each in filed if each.forwarded and each.rotten}
    outside = [each for each in filed if _is_from_outside(each)]
    rest = [_as_new(each) for each in outside if (each.record.key, each.record.kind) not in lost]
    while rest:
        cut = 1 + int(len(rest) * chance.random() ** 2)
        async with engine.appending() as append:
            await append.write(AppendBatch(rest[:cut], (), Changes(), (), (), 1))
        rest = rest[cut:]
        if chance.random() < 0.5:
            await worker.fold_once()
    while await worker.fold_once():
        continue
    await engine.close()
    return disk.folding.states


def _is_from_outside(filed: Filed) -> bool:
    kind = filed.record.kind
    return not filed.forwarded and kind in (RecordKind.EVENT, RecordKind.GROUP, RecordKind.HAND_OVER)


def _as_new(filed: Filed) -> NewRecord:
    record = filed.record
    return NewRecord(record.person, record.kind, record.at, record.received, record.source, record.key, record.payload)
