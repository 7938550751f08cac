"""Segments: who is in which, what each hour counted, and how far each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from courtesy.base.ids import PersonId, partition_of
from courtesy.base.time import HOUR_MS
from courtesy.engine.segment import (
    HourFlow,
    HourKey,
    Member,
    MemberKey,
    MembershipChange,
    SegmentSize,
    SegmentState,
    ValueSize,
    membership_write,
)

ERASED = -1
"""The partition under which the erased are counted as gone."""


class Segments:
    """Members by segment, value and person."""

    def __init__(self, partition_count: int) -> None:
        self.states: dict[int, SegmentState] = {}
        self._partition_count = partition_count
        self._entered: dict[MemberKey, int] = {}
        self._flows: dict[HourKey, tuple[int, int]] = {}

    def apply(self, changes: Sequence[MembershipChange]) -> None:
        """Let people enter and leave."""
        named = {MemberKey(each.segment, each.value, each.person) for each in changes}
        partitions = {each.person: partition_of(each.person, self._partition_count) for each in changes}
        write = membership_write(named & self._entered.keys(), changes, partitions)
        for key in write.left:
            del self._entered[key]
        self._entered.update(write.entered)
        for hour, counts in write.flows.items():
            self._count(hour, *counts)

    def _count(self, hour: HourKey, entered: int, left: int) -> None:
        known = self._flows.get(hour, (0, 0))
        self._flows[hour] = (known[0] + entered, known[1] + left)

    def forget_people(self, people: Collection[PersonId], at_ms: int) -> None:
        """Let people leave everything, as if at an instant."""
        for key in [key for key in self._entered if key.person in people]:
            del self._entered[key]
            self._count(HourKey(key.segment, at_ms // HOUR_MS * HOUR_MS, ERASED), 0, 1)

    def forget(self, segment: int) -> None:
        """Forget a segment."""
        self._entered = {key: at_ms for key, at_ms in self._entered.items() if key.segment != segment}
        self._flows = {hour: counts for hour, counts in self._flows.items() if hour.segment != segment}
        self.states.pop(segment, None)

    def members(self, segment: int, value: str | None = None) -> list[Member]:
        """Who is in a segment, or in it for a value, by value and person."""
        return sorted(
            Member(*key, at_ms)
            for key, at_ms in self._entered.items()
            if key.segment == segment and value in (None, key.value)
        )

    def of(self, people: Collection[PersonId]) -> list[Member]:
        """All that people are in."""
        return sorted(Member(*key, at_ms) for key, at_ms in self._entered.items() if key.person in people)

    def size(self, segment: int) -> SegmentSize:
        """How many are in it."""
        found = self.members(segment)
        return SegmentSize(len({each.person for each in found}), len(found))

    def page(self, segment: int, value: str | None, after: tuple[str, PersonId] | None, limit: int) -> list[Member]:
        """Members in order, after a place."""
        found = self.members(segment, value)
        return [each for each in found if after is None or (each.value, each.person) > after][:limit]

    def since(self, segment: int, from_ms: int, limit: int) -> list[Member]:
        """Who entered from an instant on, the latest first."""
        found = [each for each in self.members(segment) if each.entered_ms >= from_ms]
        return sorted(found, key=lambda each: (-each.entered_ms, each.value, each.person))[:limit]

    def sample(self, segment: int, value: str, limit: int) -> list[Member]:
        """Some members, evenly over the numbers of people."""
        found = self.members(segment, value)
        if not found:
            return []
        first, last = found[0].person, found[-1].person
        probes = (first + (last - first + 1) * step // limit for step in range(limit))
        return sorted({next(each for each in found if each.person >= probe) for probe in probes})

    def values(self, segment: int, limit: int) -> list[ValueSize]:
        """Values by how many are in for them."""
        counts = Counter(key.value for key in self._entered if key.segment == segment)
        found = [ValueSize(*each) for each in counts.items()]
        return sorted(found, key=lambda each: (-each.people_count, each.value))[:limit]

    def overlap(self, segments: Collection[int]) -> dict[frozenset[int], int]:
        """How many are in exactly which."""
        of: dict[PersonId, set[int]] = {}
        for key in self._entered:
            if key.segment in segments:
                of.setdefault(key.person, set()).add(key.segment)
        return dict(Counter(map(frozenset, of.values())))

    def flows(self, segment: int, from_ms: int) -> list[HourFlow]:
        """What the hours counted."""
        total: dict[int, tuple[int, int]] = {}
        for hour, (entered, left) in self._flows.items():
            if hour.segment == segment and hour.hour_ms >= from_ms:
                known = total.get(hour.hour_ms, (0, 0))
                total[hour.hour_ms] = (known[0] + entered, known[1] + left)
        return [HourFlow(segment, hour_ms, *counts) for hour_ms, counts in sorted(total.items())]
