"""What a store keeps of the quality of sources, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from courtesy.base.ids import SourceId


class QualityRow(NamedTuple):
    """What was found out about a source's UTC day, which begins at `day_ms`. `body` is JSON."""

    source: SourceId
    day_ms: int
    computed_ms: int
    body: bytes


class QualityStore(Protocol):
    """The side of an engine that keeps quality."""

    async def save_quality(self, rows: Sequence[QualityRow]) -> None:
        """Keep what was found out about some days of some sources, in place of what was known of each before."""
        ...

    async def quality(self, source: SourceId | None, from_ms: int, to_ms: int) -> list[QualityRow]:
        """The days that begin in `from_ms <= day < to_ms`, of one source or of all, by day and source."""
        ...

    async def forget_quality(self, before_ms: int) -> int:
        """Forget the days that begin before an instant, of all sources; how many."""
        ...
