"""The lake as the archive of single people: opened when it is first asked, for few processes ever ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from courtesy.base.ids import PersonId, Position
from courtesy.engine.imported import Span
from courtesy.person.chapter import Chapter
from courtesy.person.record import Record
from courtesy.runtime.settings import Settings

if TYPE_CHECKING:
    from courtesy.lake import Lake
    from courtesy.lake.table import Planned


class LakeArchive:
    """History and erasure by the lake. To import what it stands on takes a second and much memory."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings = settings
        self._url = url
        self._lake: Lake | None = None
        self._opening = asyncio.Lock()

    async def _opened(self) -> Lake:
        async with self._opening:
            if self._lake is None:
                self._lake = await asyncio.to_thread(_make, self._settings, self._url)
            return self._lake

    async def close(self) -> None:
        """Let go of every connection."""
        if self._lake is not None:
            await self._lake.close()

    async def history(self, people: Collection[PersonId], up_to: Position) -> list[Record]:
        """The EVENT and GROUP records appended for these people up to a position, in order."""
        return await (await self._opened()).history(people, up_to)

    async def of_chapters(self, chapters: Collection[Chapter]) -> list[Record]:
        """The records that these chapters are made of, in order; maybe others of the same people."""
        return await (await self._opened()).of_chapters(chapters)

    async def erase(
        self, people: Collection[PersonId], others: Collection[Position] = (), kept: Collection[Position] = ()
    ) -> int:
        """Remove the records appended for these people but for `kept`, and those at `others`; safe to repeat."""
        return await (await self._opened()).erase(people, others, kept)

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        """For whom the events at these positions were appended."""
        return await (await self._opened()).people_in(spans)

    async def planned(self) -> Planned:
        """The files of the lake, as they are now."""
        return await (await self._opened()).planned()

    async def forget(self, spans: Sequence[Span]) -> int:
        """Rewrite the lake without the events at these positions; how many there were."""
        return await (await self._opened()).erase_at(spans)


def _make(settings: Settings, url: str) -> Lake:
    from courtesy.lake import make_lake

    lake = make_lake(settings, url)
    assert lake is not None, "asked for only where there is a lake"
    return lake


def lake_archive(settings: Settings, url: str) -> LakeArchive | None:
    """The archive of an installation; None when its lake is off."""
    return LakeArchive(settings, url) if settings.has_lake else None
