"""The lake as the archive of history, opened when the first question comes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from courtesy.base.ids import PersonId, Position
from courtesy.engine.imported import Span
from courtesy.person.record import Record
from courtesy.runtime.settings import Settings

if TYPE_CHECKING:
    from courtesy.lake import Lake


class LakeArchive:
    """Reads what the log has no more. Until somebody asks, nothing of what a lake stands on is even imported."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings = settings
        self._url = url
        self._lake: Lake | None = None

    async def history(self, people: Collection[PersonId], up_to: Position) -> list[Record]:
        """The events appended for these people up to a position, in order. Raises what the lake raises."""
        lake = await asyncio.to_thread(self._opened)
        return [] if lake is None else await lake.history(people, up_to)

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        """For whom the events at these positions were appended."""
        lake = await asyncio.to_thread(self._opened)
        return set() if lake is None else await lake.people_in(spans)

    async def forget(self, spans: Sequence[Span]) -> int:
        """Rewrite the lake without the events at these positions; how many there were."""
        lake = await asyncio.to_thread(self._opened)
        return 0 if lake is None else await lake.erase_at(spans)

    def _opened(self) -> Lake | None:
        if self._lake is None:
            # A second of imports, and memory: only a process that reads the lake pays for it.
            from courtesy.lake import make_lake

            self._lake = make_lake(self._settings, self._url)
        return self._lake

    async def close(self) -> None:
        """Let go of the lake, if it was opened."""
        if self._lake is not None:
            await self._lake.close()
