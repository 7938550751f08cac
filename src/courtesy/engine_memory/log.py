"""The log: records by partition and by person, in the order of their positions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from operator import attrgetter

from courtesy.base.ids import Partition, PersonId, Position, SourceId, partition_of
from courtesy.engine.imported import Spans
from courtesy.person.record import FACTS, NewRecord, Record, RecordKind

_position = attrgetter("position")


class Log:
    """Records with their places. Positions are dense from 1, and stay taken when records are dropped."""

    def __init__(self, partition_count: int) -> None:
        self.head = Position(0)
        self.was_trimmed = False
        self._partitions: list[list[Record]] = [[] for _ in range(partition_count)]
        self._people: dict[PersonId, list[Record]] = {}

    def placed(self, records: Iterable[NewRecord]) -> list[Record]:
        """The records as they would lie in the log if they were added now; changes nothing."""
        count = len(self._partitions)
        return [
            Record(
                Position(position),
                partition_of(record.person, count),
                record.person,
                RecordKind(record.kind),
                record.at,
                record.received,
                record.source,
                bytes(record.key),
                bytes(record.payload),
            )
            for position, record in enumerate(records, start=self.head + 1)
        ]

    def add(self, records: Sequence[Record]) -> None:
        """Add what `placed` gave since the log last changed."""
        for record in records:
            self._partitions[record.partition].append(record)
            self._people.setdefault(record.person, []).append(record)
        if records:
            self.head = records[-1].position

    def after(self, partition: Partition, position: Position, limit: int) -> list[Record]:
        """The first `limit` records of a partition after a position, in order."""
        records = self._partitions[partition]
        start = bisect_right(records, position, key=_position)
        return records[start : start + limit]

    def all_after(self, position: Position, limit: int) -> list[Record]:
        """The first `limit` records after a position, whatever their partition, in order."""
        partitions = (self.after(Partition(number), position, limit) for number in range(len(self._partitions)))
        return list(islice(merge(*partitions, key=_position), limit))

    def count_after(self, partition: Partition, position: Position) -> int:
        """How many records of a partition lie after a position."""
        records = self._partitions[partition]
        return len(records) - bisect_right(records, position, key=_position)

    def latest_of(self, people: Collection[PersonId], before: Position | None, limit: int) -> list[Record]:
        """The latest records of some people, newest first, before a position if given."""
        newest_first = (self._reversed(person, before) for person in set(people))
        return list(islice(merge(*newest_first, key=_position, reverse=True), limit))

    def _reversed(self, person: PersonId, before: Position | None) -> list[Record]:
        records = self._people.get(person, [])
        end = len(records) if before is None else bisect_left(records, before, key=_position)
        return records[:end][::-1]

    def of_person_after(self, person: PersonId, position: Position) -> list[Record]:
        """All records of a person after a position, in order."""
        records = self._people.get(person, [])
        return records[bisect_right(records, position, key=_position) :]

    def history(self, people: Collection[PersonId]) -> list[Record]:
        """All EVENT and GROUP records of some people, in order."""
        facts = (each for person in set(people) for each in self._people.get(person, []) if each.kind in FACTS)
        return sorted(facts, key=_position)

    def people_in(self, spans: Spans) -> set[PersonId]:
        """Whose EVENT and GROUP records lie in some spans."""
        return {
            each.person
            for records in self._partitions
            for each in records
            if each.kind in FACTS and each.position in spans
        }

    def forget(self, is_gone: Callable[[Record], bool]) -> int:
        """Drop the records of which that is true, folded or not; how many."""
        before = sum(map(len, self._partitions))
        for number, records in enumerate(self._partitions):
            self._partitions[number] = [each for each in records if not is_gone(each)]
        for person, records in list(self._people.items()):
            self._people[person] = [each for each in records if not is_gone(each)]
        return before - sum(map(len, self._partitions))

    def replace(self, payloads: Mapping[Position, bytes]) -> None:
        """Put other payloads in place of those of some records."""
        for records in (*self._partitions, *self._people.values()):
            for place, each in enumerate(records):
                if each.position in payloads:
                    records[place] = each._replace(payload=payloads[each.position])

    def _span(self, after: Position, upto: Position) -> Iterator[Record]:
        """All records at `after < position <= upto`, newest first."""
        parts = (
            records[bisect_right(records, after, key=_position) : bisect_right(records, upto, key=_position)][::-1]
            for records in self._partitions
        )
        return merge(*parts, key=_position, reverse=True)

    def events_between(self, after: Position, upto: Position, source: SourceId | None, limit: int) -> list[Record]:
        """The latest events of a span, of a source if given, newest first."""
        found = (
            each
            for each in self._span(after, upto)
            if each.kind is RecordKind.EVENT and (source is None or each.source == source)
        )
        return list(islice(found, limit))

    def position_before(self, received_ms: int) -> Position:
        """The position of the last record that arrived before an instant."""
        earlier = (each.position for each in self._span(Position(0), self.head) if each.received < received_ms)
        return next(earlier, Position(0))

    def partition_of(self, person: PersonId) -> Partition:
        """The partition in which a person's records lie."""
        return partition_of(person, len(self._partitions))

    def has(self, records: Sequence[Record]) -> bool:
        """Whether it still has all of these records."""
        return all(self.after(each.partition, Position(each.position - 1), 1)[:1] == [each] for each in records)
