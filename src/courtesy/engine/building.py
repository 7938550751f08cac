"""What a store offers for making a new segment ready: everybody in turn, and a way to have all of them looked at."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from courtesy.base.ids import PersonId, Position
from courtesy.person.record import RecordKind


class BuildingStore(Protocol):
    """The side of an engine by which segments are made ready."""

    async def stored_people(self, after: PersonId | None, limit: int) -> list[PersonId]:
        """People with a stored state, those too who became part of others, by number: at most `limit` after one."""
        ...

    async def latest_since(self, position: Position, kind: RecordKind) -> dict[PersonId, Position]:
        """For whom a record of a kind was appended after a position, and where the last of theirs lies. In an append,
        nothing else is until it ends."""
        ...

    async def wake(self, people: Collection[PersonId], timer: str, due_ms: int) -> None:
        """Set a timer of that name for each of these people who has none of it."""
        ...

    async def waiting_count(self, timer: str) -> int:
        """How many timers of that name are set."""
        ...
