"""History: every event of a person, from the log and what outlives it, as assigned now or at an instant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from courtesy.base.ids import PersonId, Position
from courtesy.engine.contract import Engine
from courtesy.identity.repair import Move
from courtesy.person.record import Record


class Archive(Protocol):
    """Where events are kept beyond the log."""

    async def history(self, people: Collection[PersonId], up_to: Position) -> list[Record]:
        """The EVENT and GROUP records appended for these people up to a position, in order."""
        ...


class History:
    """The events of people, whoever they were appended for."""

    def __init__(self, engine: Engine, archive: Archive | None = None) -> None:
        self._engine = engine
        self._archive = archive

    async def prepare(self) -> None:
        """Have the archive open, if it is needed at all: the first time takes a second, in which nobody should wait."""
        if self._archive is not None and await self._engine.was_trimmed():
            await self._archive.history([], Position(0))

    async def of(self, people: Collection[PersonId], at_ms: int | None = None) -> dict[Record, PersonId]:
        """Their EVENT and GROUP records in order, each with the one of `people` to whom it belongs.

        `at_ms`: as they were assigned at that instant, and only those received by then.
        """
        moves = [move for move in await self._engine.moves(people) if at_ms is None or move.at_ms <= at_ms]
        last = {move.position: move for move in moves}
        came = {move.appended_for for move in last.values() if move.person in people}
        records = await self._all({*people, *came})
        found: dict[Record, PersonId] = {}
        for record in records:
            person = _owner_of(record, last)
            if person in people and (at_ms is None or record.received <= at_ms):
                found[record] = person
        return found

    async def _all(self, people: Collection[PersonId]) -> Sequence[Record]:
        in_log = await self._engine.history(people)
        if self._archive is None or not await self._engine.was_trimmed():
            return in_log
        there = {record.position for record in in_log}
        archived = await self._archive.history(people, await self._engine.head())
        older = [record for record in archived if record.position not in there]
        return sorted([*older, *in_log], key=lambda record: record.position)


def _owner_of(record: Record, last: Mapping[Position, Move]) -> PersonId:
    move = last.get(record.position)
    return record.person if move is None else move.person
