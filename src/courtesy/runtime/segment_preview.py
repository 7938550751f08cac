"""How many a segment would have, and some of them, before anybody defines it; and where somebody ranks among all."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import Clock
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.engine.contract import Engine
from courtesy.identity.rules import split_identifier
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.memberships import Named, value_of
from courtesy.segment.each import One
from courtesy.segment.tree import Rank, Segment

if TYPE_CHECKING:
    from courtesy.runtime.segment_events import Files
    from courtesy.runtime.segment_query import SegmentQueries

DRAFT = "\0draft"
"""What a segment is called that has no name yet; no definition can be called so."""

PREVIEWS_MAX = 2
"""At a time in one process: each may take the memory of its limits."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many people a segment would have, at a position of the log.

    `count` is exact when `one_of` is 1; else one of so many people was looked at, and 95 times of 100 the truth lies
    from `count_low` to `count_high`. `sample`: some of them; `values`: those with most people, of `value_count`.
    """

    position: Position
    count: int
    count_low: int
    count_high: int
    one_of: int
    sample: Sequence[Named]
    values: Sequence[tuple[One | None, int]]
    value_count: int
    took_ms: int


class Previews:
    """Asks all history, in one process. What it stands on is loaded when it is first asked."""

    def __init__(self, engine: Engine, files: Files | None, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._files = files
        self._catalog = catalog
        self._clock = clock
        self._queries: SegmentQueries | None = None
        self._room = asyncio.Semaphore(PREVIEWS_MAX)

    async def preview(self, segment: Segment) -> Counted:
        """How many a segment would have now, by everything that was acknowledged. Raises Unavailable."""
        began = perf_counter()
        async with self._room:
            queries = await self._loaded()
            found = await queries.preview({**self._known(), DRAFT: segment}, DRAFT, self._clock.now_ms())
        people = {person for person, _ in found.sample}
        identifiers = await self._engine.identifiers_of(people)
        sample = [
            Named(
                person, value_of(value), found.at_ms, [split_identifier(each) for each in identifiers.get(person, ())]
            )
            for person, value in found.sample
        ]
        values = [(value_of(value), count) for value, count in found.by_value]
        took_ms = round((perf_counter() - began) * 1_000)
        return Counted(
            found.position,
            found.count,
            found.count_low,
            found.count_high,
            found.one_of,
            sample,
            values,
            found.value_count,
            took_ms,
        )

    async def ranks(
        self, ranks: Collection[Rank], people: Collection[PersonId], at_ms: int, known_ms: int | None
    ) -> dict[Rank, bool]:
        """Among which of some ranks somebody is, who is any of `people`, at an instant. Raises Unavailable."""
        found: dict[Rank, bool] = {}
        if not ranks:
            return found
        async with self._room:
            queries = await self._loaded()
            async with queries.asking() as asking:
                for rank in ranks:
                    found[rank] = False
                    async for batch in asking.members({DRAFT: Segment(1, rank)}, DRAFT, at_ms, known_ms):
                        found[rank] = found[rank] or not set(people).isdisjoint(batch.column("person_id").to_pylist())
        return found

    def _known(self) -> Mapping[str, Segment]:
        return {name: each.segment for name, each in self._catalog.now.segments.items() if not each.archived}

    async def _loaded(self) -> SegmentQueries:
        if self._queries is None:
            self._queries = await asyncio.to_thread(self._load)
        return self._queries

    def _load(self) -> SegmentQueries:
        # It takes a second and much memory, and few processes are ever asked.
        from courtesy.runtime.segment_query import SegmentQueries

        return SegmentQueries(self._engine, self._files, lambda: self._catalog.now.source_names, Laws(LAWS))
