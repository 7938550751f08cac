"""Asks for micro-segments and look-alikes over all that is known: one question at a time, for each takes memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import DAY_MS, Clock
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.engine.contract import Engine
from courtesy.runtime.catalog import CatalogCache
from courtesy.segment.definition import stands_on
from courtesy.segment.discovery.outcome import after_cutoff, spoken_of
from courtesy.segment.discovery.wanted import Wanted
from courtesy.segment.tree import Expression, Segment

if TYPE_CHECKING:
    from courtesy.runtime.segment_discovery import Discovered, Lookalikes, People
    from courtesy.runtime.segment_events import Files
    from courtesy.runtime.segment_query import Asking, SegmentQueries

ASKED = ""
"""The name of what is asked about, among the segments: none of them has it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked: of `outcome`, among those who fit `among` (None: of all). `cutoff_ms`: None for the latest that
    there can be. `left_out`: names of events and paths of traits that no proposal may be about."""

    outcome: Segment
    among: Segment | None
    cutoff_ms: int | None
    left_out: frozenset[str]
    wanted: Wanted


class Discoveries:
    """Finds what differs. What it stands on is imported when it is first asked: that takes a second and much memory,
    and few processes ever are."""

    def __init__(self, engine: Engine, files: Files | None, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._files = files
        self._catalog = catalog
        self._clock = clock
        self._turn = asyncio.Lock()

    async def discover(self, wish: Wish, window_days: int) -> tuple[Discovered, int]:
        """Micro-segments in which the outcome was more or less frequent in the days after the cut-off, and the cut-off.

        Raises CourtesyError: INVALID when these days are not over, or for a segment that is not there or is one for
        each value; UNAVAILABLE.
        """
        last_ms = self._clock.now_ms() - window_days * DAY_MS
        cutoff_ms = self._checked(wish, last_ms, f"{window_days} days ago or earlier")
        outcome = after_cutoff(wish.outcome.expression, window_days)
        async with self._asking() as asking:
            from courtesy.runtime.segment_discovery import Asked, discovered

            had = await self._members(asking, outcome, cutoff_ms + window_days * DAY_MS)
            among = await self._among(asking, wish, cutoff_ms)
            asked = Asked(cutoff_ms, wish.left_out, wish.wanted)
            return await asking.ask(lambda db: discovered(db, asked, had, among)), cutoff_ms

    async def lookalikes(self, wish: Wish, nearest_count: int) -> tuple[Lookalikes, int]:
        """Who is most like those for whom the outcome holds at the cut-off, and the cut-off. What it speaks of itself
        is left out. Raises as `discover`."""
        cutoff_ms = self._checked(wish, self._clock.now_ms(), "now or earlier")
        left_out = wish.left_out | spoken_of(
            wish.outcome.expression, {name: each.expression for name, each in self._segments().items()}
        )
        async with self._asking() as asking:
            from courtesy.runtime.segment_discovery import Asked, lookalikes

            members = await self._members(asking, wish.outcome.expression, cutoff_ms)
            among = await self._among(asking, wish, cutoff_ms)
            asked = Asked(cutoff_ms, left_out, wish.wanted)
            return await asking.ask(lambda db: lookalikes(db, asked, members, among, nearest_count)), cutoff_ms

    # -- how

    def _checked(self, wish: Wish, last_ms: int, told: str) -> int:
        """The cut-off. Raises CourtesyError(INVALID) for what can't be asked."""
        for place, segment in (("outcome", wish.outcome), ("among", wish.among)):
            if segment is not None:
                self._check(segment, place)
        if wish.cutoff_ms is not None and wish.cutoff_ms > last_ms:
            raise CourtesyError(
                Code.INVALID, f"expected a cut-off {told}, so that it is known what came", place="cutoff"
            )
        return last_ms if wish.cutoff_ms is None else wish.cutoff_ms

    def _check(self, segment: Segment, place: str) -> None:
        if segment.each is not None:
            raise CourtesyError(Code.INVALID, "expected one segment, got one for each value", place=place)
        known = self._segments()
        for name in sorted(stands_on(segment) - known.keys()):
            raise CourtesyError(
                Code.INVALID, f"there is no segment {name!r:.120}", hint=nearest(name, known), place=place
            )

    def _segments(self) -> Mapping[str, Segment]:
        return {name: each.segment for name, each in self._catalog.now.segments.items() if not each.archived}

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Asking]:
        async with self._turn:
            queries = await asyncio.to_thread(self._queries)
            async with queries.asking() as asking:
                yield asking

    def _queries(self) -> SegmentQueries:
        from courtesy.runtime.segment_query import SegmentQueries

        names = self._catalog.now.source_names
        return SegmentQueries(self._engine, self._files, lambda: names, Laws(LAWS))

    async def _members(self, asking: Asking, expression: Expression, at_ms: int) -> People:
        from courtesy.runtime.segment_discovery import people_in

        segments = {**self._segments(), ASKED: Segment(1, expression)}
        return await people_in(asking.members(segments, ASKED, at_ms))

    async def _among(self, asking: Asking, wish: Wish, cutoff_ms: int) -> People | None:
        return None if wish.among is None else await self._members(asking, wish.among.expression, cutoff_ms)
