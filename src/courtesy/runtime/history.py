"""History: every event of a person, from the log and what outlives it, as assigned now or at an instant."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from courtesy.base.ids import PersonId, Position, tie_break
from courtesy.engine.contract import Engine, Past
from courtesy.engine.imported import Span, Spans
from courtesy.identity.repair import Move
from courtesy.person.chapter import Chapter
from courtesy.person.fold import merge
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.record import Record, message_id
from courtesy.person.state import PersonState, decode_state

PEOPLE_AT_ONCE = 1_000


class Archive(Protocol):
    """Where events are kept beyond the log."""

    async def history(self, people: Collection[PersonId], up_to: Position) -> list[Record]:
        """The EVENT and GROUP records appended for these people up to a position, in order."""
        ...

    async def of_chapters(self, chapters: Collection[Chapter]) -> list[Record]:
        """The EVENT and GROUP records that these chapters are made of, in order; maybe others of the same people."""
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


@dataclass(frozen=True, slots=True)
class Told:
    """What tells of somebody at an instant: the `chapters` that lie before it, and the `records` beside them."""

    records: Sequence[Record]
    chapters: Sequence[Chapter]

    @property
    def position(self) -> Position | None:
        """That of the last event; None when there is none."""
        ends = [record.position for record in self.records] + [chapter.last for chapter in self.chapters]
        return max(ends, default=None)

    def state(self, person: PersonId, at_ms: int) -> PersonState:
        """The person at that instant, without what anybody waited for."""
        state = refold(person, self.records, NO_CATALOGS, at_ms)
        for chapter in self.chapters:
            if chapter.state is not None:
                merge(state, decode_state(chapter.state))
        return state

    def message_ids(self, state: PersonState) -> dict[str, str]:
        """For each identifier of the state the id of the message that told it first."""
        told = {stamp: message for chapter in self.chapters for stamp, message in chapter.told_by().items()}
        records = {(each.at, tie_break(each.key)): each for each in self.records}
        stamps = {key: (seen.first.at, seen.first.tie) for key, seen in state.identifiers.items()}
        return {key: told.get(first) or message_id(records[first]) for key, first in stamps.items()}


@dataclass(frozen=True, slots=True)
class _Instant:
    """An instant, by arrival or by the time of events."""

    at_ms: int
    by_arrival: bool

    def has(self, record: Record) -> bool:
        """Whether a record was there by then."""
        return (record.received if self.by_arrival else record.at) <= self.at_ms

    def has_none(self, chapter: Chapter) -> bool:
        """Whether all of a chapter came later."""
        return (chapter.first_received if self.by_arrival else chapter.first_at) > self.at_ms

    def has_all(self, chapter: Chapter) -> bool:
        """Whether all of a chapter was there by then."""
        return (chapter.last_received if self.by_arrival else chapter.last_at) <= self.at_ms


class History:
    """The events of people, whoever they were appended for."""

    def __init__(self, engine: Engine, archive: Archive | None = None) -> None:
        self._engine = engine
        self._archive = archive

    async def prepare(self) -> None:
        """Have the archive open, if it is needed at all: the first time takes a second, in which nobody should wait."""
        if self._archive is not None and await self._engine.was_trimmed():
            await self._archive.history([], Position(0))

    async def of(self, people: Collection[PersonId]) -> dict[Record, PersonId]:
        """Their EVENT and GROUP records in order, each with the one of `people` to whom it belongs.

        What is left of a file that is being taken back is left out.
        """
        gone = Spans(await self._engine.spans_taken_back())
        found = await self.with_what_is_taken_back(people)
        return {record: person for record, person in found.items() if record.position not in gone} if gone else found

    async def with_what_is_taken_back(self, people: Collection[PersonId]) -> dict[Record, PersonId]:
        """As `of`, with what is left of files that are being taken back."""
        last = {move.position: move for move in await self._engine.moves(people)}
        came = {move.appended_for for move in last.values() if move.person in people}
        owned = ((record, _owner_of(record, last)) for record in await self._all({*people, *came}))
        return {record: person for record, person in owned if person in people}

    async def at(self, people: Collection[PersonId], at_ms: int, *, knowing_today: bool) -> Told:
        """What tells of some people, who are one, at an instant: as `of`, without reading what chapters tell.

        As assigned then, by what was received until then; or `knowing_today`, as assigned now, by what had happened
        until then.
        """
        return await self._told(people, at_ms, knowing_today=knowing_today, opens_all=False)

    async def records_at(self, people: Collection[PersonId], at_ms: int, *, knowing_today: bool) -> Sequence[Record]:
        """As `at`, but every record, in order: also what chapters tell is read."""
        return (await self._told(people, at_ms, knowing_today=knowing_today, opens_all=True)).records

    async def _told(self, people: Collection[PersonId], at_ms: int, *, knowing_today: bool, opens_all: bool) -> Told:
        instant = _Instant(at_ms, by_arrival=not knowing_today)
        moves = [move for move in await self._engine.moves(people) if knowing_today or move.at_ms <= at_ms]
        last = {move.position: move for move in moves}
        came = {move.appended_for for move in last.values() if move.person in people}
        moved = _Moved(moves)
        past = await self._engine.past({*people, *came})
        spans = await self._engine.spans_taken_back()
        whole: list[Chapter] = []
        opened: list[Chapter] = []
        for chapter in past.chapters:
            has_moved = moved.are_in(chapter)
            if instant.has_none(chapter) or (chapter.person not in people and not has_moved):
                continue
            has_gone = any(span.first <= chapter.last and chapter.first <= span.last for span in spans)
            is_whole = instant.has_all(chapter) and not (opens_all or chapter.is_torn or has_moved or has_gone)
            (whole if is_whole else opened).append(chapter)
        gone = Spans(spans)
        records = [
            record
            for record in await self._beside(past, opened, {*people, *came})
            if instant.has(record) and _owner_of(record, last) in people and record.position not in gone
        ]
        return Told(records, whole)

    async def _beside(self, past: Past, opened: Collection[Chapter], people: Collection[PersonId]) -> Sequence[Record]:
        """The records that no chapter tells of, and those of the chapters that have to be opened."""
        if self._archive is None or not (opened or past.without_chapters):
            return past.records
        found = {record.position: record for record in past.records}
        if opened:
            read = await self._archive.of_chapters(opened)
            found.update({each.position: each for each in read if _is_in(each, opened)})
        if past.without_chapters:
            old = await self._archive.history(people, past.without_chapters)
            found.update({each.position: each for each in old if not _is_in(each, past.chapters)})
        return [found[position] for position in sorted(found)]

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


class _Moved:
    """The positions of records that were ever moved, by whom they were appended for."""

    def __init__(self, moves: Iterable[Move]) -> None:
        self._positions: dict[PersonId, list[Position]] = {}
        for position, person in sorted({(move.position, move.appended_for) for move in moves}):
            self._positions.setdefault(person, []).append(position)

    def are_in(self, chapter: Chapter) -> bool:
        """Whether a chapter has one of them."""
        own = self._positions.get(chapter.person, [])
        return bisect_left(own, chapter.first) < bisect_right(own, chapter.last)


def _is_in(record: Record, chapters: Iterable[Chapter]) -> bool:
    return any(chapter.person == record.person and chapter.covers(record.position) for chapter in chapters)


def _owner_of(record: Record, last: Mapping[Position, Move]) -> PersonId:
    move = last.get(record.position)
    return record.person if move is None else move.person
