"""History: every event of a person, from the log and what outlives it, as assigned now or at an instant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from courtesy.base.ids import PersonId, Position
from courtesy.engine.contract import Engine
from courtesy.engine.imported import Span, Spans
from courtesy.identity.repair import Move
from courtesy.person.record import Record

PEOPLE_AT_ONCE = 1_000


class Archive(Protocol):
    """Where events are kept beyond the log."""

    async def history(self, people: Collection[PersonId], up_to: Position) -> list[Record]:
        """The EVENT and GROUP records appended for these people up to a position, in order."""
        ...

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        """For whom the records at these positions were appended."""
        ...

    async def forget(self, spans: Sequence[Span]) -> int:
        """Forget the records at these positions, which the log has no more; how many."""
        ...

    async def erase(
        self, people: Collection[PersonId], others: Collection[Position] = (), kept: Collection[Position] = ()
    ) -> int:
        """Forget the records appended for these people but for `kept`, and those at `others`; safe to repeat."""
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

        `at_ms`: as they were assigned at that instant, and only those received by then. What is left of a file that is
        being taken back is left out.
        """
        gone = Spans(await self._engine.spans_taken_back())
        found = await self.with_what_is_taken_back(people, at_ms)
        return {record: person for record, person in found.items() if record.position not in gone} if gone else found

    async def with_what_is_taken_back(
        self, people: Collection[PersonId], at_ms: int | None = None
    ) -> dict[Record, PersonId]:
        """As `of`, with what is left of files that are being taken back."""
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

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        """To whom the records at these positions belong."""
        found = await self._engine.people_in(spans)
        if self._archive is not None and not await self._log_is_whole():
            found |= await self._archive.people_in(spans)
        inside, people = Spans(spans), sorted(found)
        for start in range(0, len(people), PEOPLE_AT_ONCE):
            moves = await self._engine.moves(people[start : start + PEOPLE_AT_ONCE])
            found.update(move.person for move in moves if move.position in inside)
        return found

    async def forget(self, spans: Sequence[Span]) -> None:
        """Have the archive forget what the log has no more."""
        if self._archive is not None and spans:
            await self._archive.forget(spans)

    async def _all(self, people: Collection[PersonId]) -> Sequence[Record]:
        in_log = await self._engine.history(people)
        if self._archive is None or await self._log_is_whole():
            return in_log
        there = {record.position for record in in_log}
        archived = await self._archive.history(people, await self._engine.head())
        older = [record for record in archived if record.position not in there]
        return sorted([*older, *in_log], key=lambda record: record.position)

    async def _log_is_whole(self) -> bool:
        """Whether nothing was ever dropped from the log, so that the archive, which answers slowly, knows no more."""
        return not await self._engine.was_trimmed()


def _owner_of(record: Record, last: Mapping[Position, Move]) -> PersonId:
    move = last.get(record.position)
    return record.person if move is None else move.person
