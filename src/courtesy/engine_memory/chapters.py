"""Chapters by person, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.person.chapter import Chapter, torn


class Chapters:
    """What history beyond the log comes to."""

    def __init__(self) -> None:
        self._people: dict[PersonId, dict[Position, Chapter]] = {}

    def put(self, chapters: Sequence[Chapter]) -> None:
        """Keep chapters, each in place of the one that began where it does."""
        for each in chapters:
            self._people.setdefault(each.person, {})[each.first] = each

    def latest(self, people: Collection[PersonId]) -> dict[PersonId, Chapter]:
        """The last chapter of each who has any."""
        return {person: own[max(own)] for person in people if (own := self._people.get(person))}

    def of(self, people: Collection[PersonId]) -> list[Chapter]:
        """All chapters of some people, by position."""
        found = (each for person in set(people) for each in self._people.get(person, {}).values())
        return sorted(found, key=lambda each: each.first)

    def tear(self, is_torn: Callable[[Chapter], bool]) -> int:
        """Tear those of which that is true; how many were whole."""
        doomed = [each for own in self._people.values() for each in own.values() if not each.is_torn and is_torn(each)]
        self.put([torn(each) for each in doomed])
        return len(doomed)

    def tear_at(self, places: Collection[tuple[Position, PersonId]]) -> None:
        """Tear those which cover one of these positions."""
        self.tear(lambda each: any(person == each.person and each.covers(place) for place, person in places))

    def tear_before(self, source: SourceId | None, received_before_ms: int) -> int:
        """Tear those with events of a source, or of any, that arrived before an instant; how many were whole."""
        return self.tear(
            lambda each: each.first_received < received_before_ms and (source is None or source in each.sources)
        )

    def forget(self, people: Collection[PersonId], kept: Collection[Position]) -> None:
        """Drop the chapters of some people; one that covers a position that is kept is torn instead."""
        for person in people:
            own = self._people.pop(person, {}).values()
            self.put([torn(each) for each in own if any(map(each.covers, kept))])
