"""Chapters: what a person's history beyond the log comes to, piece by piece, so that the past is told without reading
all of it.

States are joins, so the state as of an instant is the merge of the chapters that lie before it with a fold of the
events of the few chapters through which the instant cuts. A chapter tells which days those events arrived, and that is
all of an archive that has to be opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from courtesy.base.ids import PersonId, Position, SourceId, tie_break
from courtesy.base.time import DAY_MS
from courtesy.person.fold import merge
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.record import Record, message_id
from courtesy.person.state import decode_state, encode_state

CHAPTER_EVENTS_MAX = 100
CHAPTER_DAYS_MAX = 8
"""Of an instant within a chapter as many days are read as it has: each is a file or two of the archive."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """The EVENT and GROUP records that were appended for a person at positions from `first` to `last`, all of them but
    those which the log still has.

    Times are ms UTC, `days` the UTC days of arrival, counted from 1970, in order. `state` is folded from these records
    and no others; `message_ids` are those of the messages that told the identifiers in it first. A chapter of which
    something was erased or taken back is *torn*: `state` is None, and the rest says where what is left of it may be.
    """

    person: PersonId
    first: Position
    last: Position
    event_count: int
    first_at: int
    last_at: int
    first_received: int
    last_received: int
    days: tuple[int, ...]
    sources: tuple[SourceId, ...]
    state: bytes | None
    message_ids: Mapping[str, str]

    @property
    def is_torn(self) -> bool:
        """Whether its records have to be read to know what it comes to."""
        return self.state is None

    def covers(self, position: Position) -> bool:
        """Whether a position lies between its first and last."""
        return self.first <= position <= self.last

    def told_by(self) -> dict[tuple[int, int], str]:
        """The ids of the messages that told identifiers first, by the time and the tie of each."""
        if self.state is None:
            return {}
        seen = decode_state(self.state).identifiers
        return {(seen[key].first.at, seen[key].first.tie): message for key, message in self.message_ids.items()}


def torn(chapter: Chapter) -> Chapter:
    """A chapter, of whose records some are gone."""
    return replace(chapter, state=None, message_ids={})


def written(latest: Chapter | None, records: Sequence[Record]) -> list[Chapter]:
    """The chapters that EVENT and GROUP records of one person make, in order and behind the latest chapter of them.

    Where that one has room the first of the answer is to replace it, under the same `first`.
    """
    first, *others = _cut(latest, records)
    chapters = [_folded(run) for run in others]
    if first and latest is not None:
        chapters.insert(0, joined(latest, _folded(first)))
    return chapters


def _cut(latest: Chapter | None, records: Iterable[Record]) -> list[list[Record]]:
    """The records in runs: what goes to the latest chapter, and what to each that follows."""
    runs: list[list[Record]] = [[]]
    event_count, days = CHAPTER_EVENTS_MAX, set[int]()
    if latest is not None and not latest.is_torn:
        event_count, days = latest.event_count, set(latest.days)
    for record in records:
        day = record.received // DAY_MS
        if event_count >= CHAPTER_EVENTS_MAX or (day not in days and len(days) >= CHAPTER_DAYS_MAX):
            runs.append([])
            event_count, days = 0, set()
        runs[-1].append(record)
        event_count += 1
        days.add(day)
    return runs


def _folded(records: Sequence[Record]) -> Chapter:
    """Some records of one person as a chapter."""
    state = refold(records[0].person, records, NO_CATALOGS, 0)
    by_stamp = {(each.at, tie_break(each.key)): each for each in records}
    first_told = {key: by_stamp[seen.first.at, seen.first.tie] for key, seen in state.identifiers.items()}
    return Chapter(
        person=records[0].person,
        first=records[0].position,
        last=records[-1].position,
        event_count=len(records),
        first_at=min(each.at for each in records),
        last_at=max(each.at for each in records),
        first_received=min(each.received for each in records),
        last_received=max(each.received for each in records),
        days=tuple(sorted({each.received // DAY_MS for each in records})),
        sources=tuple(sorted({each.source for each in records})),
        state=encode_state(state),
        message_ids={key: message_id(record) for key, record in first_told.items()},
    )


def joined(chapter: Chapter, other: Chapter) -> Chapter:
    """Two chapters of one person as one; torn when either is."""
    whole = Chapter(
        person=chapter.person,
        first=min(chapter.first, other.first),
        last=max(chapter.last, other.last),
        event_count=chapter.event_count + other.event_count,
        first_at=min(chapter.first_at, other.first_at),
        last_at=max(chapter.last_at, other.last_at),
        first_received=min(chapter.first_received, other.first_received),
        last_received=max(chapter.last_received, other.last_received),
        days=tuple(sorted({*chapter.days, *other.days})),
        sources=tuple(sorted({*chapter.sources, *other.sources})),
        state=None,
        message_ids={},
    )
    if chapter.state is None or other.state is None:
        return whole
    state = decode_state(chapter.state)
    merge(state, decode_state(other.state))
    told = {**chapter.told_by(), **other.told_by()}
    message_ids = {key: told[seen.first.at, seen.first.tie] for key, seen in state.identifiers.items()}
    return replace(whole, state=encode_state(state), message_ids=message_ids)
