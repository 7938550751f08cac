"""Trimming: the log's old end goes, and what it comes to stays as the chapters of its people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from courtesy.base.ids import PersonId, Position
from courtesy.engine.contract import Engine
from courtesy.person.chapter import Chapter, written
from courtesy.person.record import FACTS, Record

PAGE_RECORDS = 1_000
"""Dropped at once: a hundredth of a second of folding, in which the process does nothing else."""


async def trim(engine: Engine, received_before_ms: int, up_to: Position | None = None) -> int:
    """Drop records that arrived before an instant and are folded, up to a position if given; how many.

    Nothing unfolded is ever dropped, and nothing behind what stays. Before or after a time when the clock was set back
    it may be a little more or less. Several may do so at once, and whoever breaks off has lost nothing.
    """
    end = await engine.position_before(received_before_ms)
    if up_to is not None:
        end = min(end, up_to)
    dropped = 0
    while page := await engine.trimmable(end, PAGE_RECORDS):
        facts = _facts(page)
        latest = await engine.latest_chapters(facts)
        if await engine.trim(page, latest, _chapters(facts, latest)):
            dropped += len(page)
    return dropped


def _facts(page: Sequence[Record]) -> dict[PersonId, list[Record]]:
    """The events of a page by person."""
    facts: dict[PersonId, list[Record]] = {}
    for record in page:
        if record.kind in FACTS:
            facts.setdefault(record.person, []).append(record)
    return facts


def _chapters(facts: Mapping[PersonId, Sequence[Record]], latest: Mapping[PersonId, Chapter]) -> list[Chapter]:
    """The chapters that events make, behind those that there are."""
    return [chapter for person, records in facts.items() for chapter in written(latest.get(person), records)]
