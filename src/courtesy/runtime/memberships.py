"""Who is in which segment: pages of members, sizes now and before, overlaps, and the segments of a person.

By what is folded: a moment behind what was acknowledged. In an archived segment is nobody.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence
from itertools import combinations
from typing import NamedTuple

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import HOUR_MS, Clock
from courtesy.engine.contract import Engine
from courtesy.engine.segment import Member, SegmentSize, SegmentState, ValueSize, sizes_back
from courtesy.identity.rules import EXTERNAL, split_identifier
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.people import People
from courtesy.runtime.segments import Segments
from courtesy.segment.each import One, one_form

PAGE_MAX = 1_000
HOURS_MAX = 24 * 400
OVERLAP_MAX = 8
EXPORT_AT_ONCE = 2_000

Place = tuple[str, PersonId]


class Named(NamedTuple):
    """A member as people know them. `value` is None in a segment that is not one for each."""

    person: PersonId
    value: One | None
    entered_ms: int
    identifiers: Sequence[tuple[str, str]]


class SizeAt(NamedTuple):
    """How many members there were when an hour began (ms UTC), and who came and went in it."""

    hour_ms: int
    member_count: int
    entered_count: int
    left_count: int


class Overlap(NamedTuple):
    """How many people are in each of some segments, in both of each two, in all of them, and in any."""

    sizes: dict[str, int]
    pairs: dict[tuple[str, str], int]
    all_count: int
    any_count: int


class Belonging(NamedTuple):
    """A segment that a person is in."""

    name: str
    number: int
    value: One | None
    entered_ms: int


def value_key(text: str) -> str:
    """What a value of a segment is kept as, by how somebody writes it: as JSON, or as plain text without quotes."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = text
    form = one_form(told if isinstance(told, str | bool | int | float) else text)
    return msgspec.json.encode(form).decode()


def value_of(key: str) -> One | None:
    """The value that is kept so; None for that of a segment that has no values."""
    return msgspec.json.decode(key, type=One) if key else None


class Memberships:
    """The reading side of segments in one process."""

    def __init__(self, engine: Engine, catalog: CatalogCache, segments: Segments, people: People, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._segments = segments
        self._people = people
        self._clock = clock

    def _number(self, name: str) -> int:
        """The number of a segment that people can be in. Raises CourtesyError: NOT_FOUND, and CONFLICT for one that is
        archived."""
        if self._segments.body(name).archived:
            raise CourtesyError(
                Code.CONFLICT, f"the segment {name!r:.120} is archived: nobody is in it", hint="restore it first"
            )
        return self._segments.number(name)

    async def states(self) -> dict[int, SegmentState]:
        """How far each segment is, by its number."""
        return await self._engine.segment_states()

    async def size(self, name: str) -> SegmentSize:
        """How many are in a segment now."""
        number = self._number(name)
        return (await self._engine.segment_sizes([number]))[number]

    async def page(self, name: str, value: str | None, after: Place | None, limit: int) -> list[Named]:
        """Members by value and person, after a place. `value`: as `value_key` gives it."""
        number = self._number(name)
        return await self._named(await self._engine.members(number, value, after, limit))

    async def latest(self, name: str, from_ms: int, limit: int) -> list[Named]:
        """Who entered at an instant or later and is in, the latest first."""
        return await self._named(await self._engine.members_since(self._number(name), from_ms, limit))

    async def entered_count(self, name: str, from_ms: int) -> int:
        """How many entered at an instant or later and are in."""
        return await self._engine.entered_count(self._number(name), from_ms)

    async def sample(self, name: str, value: str | None, limit: int) -> list[Named]:
        """Some members from all over. Raises CourtesyError(INVALID) for a segment for each value without one."""
        number = self._number(name)
        if value is None and self._segments.body(name).segment.each is not None:
            raise CourtesyError(Code.INVALID, "expected a value of which to show a sample", place="query.value")
        return await self._named(await self._engine.sample_members(number, value or "", limit))

    async def values(self, name: str, limit: int) -> list[ValueSize]:
        """For which values people are in a segment, those of most people first."""
        return await self._engine.segment_values(self._number(name), limit)

    async def sizes(self, name: str, hour_count: int) -> list[SizeAt]:
        """How many members there were at the beginning of each of the last hours, the present one last."""
        number = self._number(name)
        now_ms = self._clock.now_ms()
        this = now_ms - now_ms % HOUR_MS
        hours = range(this - (hour_count - 1) * HOUR_MS, this + 1, HOUR_MS)
        flows = await self._engine.segment_flows(number, hours[0])
        size = (await self._engine.segment_sizes([number]))[number]
        counted = {each.hour_ms: each for each in flows}
        found = zip(hours, sizes_back(size.member_count, flows, hours), strict=True)
        return [SizeAt(hour, count, *(counted[hour][2:] if hour in counted else (0, 0))) for hour, count in found]

    async def overlap(self, names: Sequence[str]) -> Overlap:
        """How far segments have the same people in them."""
        numbers = {name: self._number(name) for name in names}
        found = await self._engine.segment_overlap(numbers.values())

        def within(some: Collection[str]) -> int:
            wanted = {numbers[name] for name in some}
            return sum(count for of, count in found.items() if wanted <= of)

        return Overlap(
            {name: within([name]) for name in names},
            {pair: within(pair) for pair in combinations(names, 2)},
            within(names),
            sum(found.values()),
        )

    async def of_person(self, kind: str, value: str) -> list[Belonging]:
        """The segments that a person is in, by name. Raises CourtesyError(NOT_FOUND)."""
        people = await self._people.everyone(kind, value)
        names = {each.number: each.name for each in self._catalog.now.segments_in_force}
        since: dict[tuple[int, str], int] = {}
        for member in await self._engine.segments_of(people):
            key = member.segment, member.value
            since[key] = min(member.entered_ms, since.get(key, member.entered_ms))
        found = [
            Belonging(names[number], number, value_of(key), at_ms)
            for (number, key), at_ms in since.items()
            if number in names
        ]
        return sorted(found, key=lambda each: (each.name, str(each.value)))

    def kinds(self) -> list[str]:
        """The kinds of identifiers that are declared, without those of other systems, which go by any name."""
        return [kind for kind in self._catalog.now.rules.by_name if kind != EXTERNAL]

    async def everybody(self, name: str, value: str | None) -> AsyncIterator[list[Named]]:
        """All members, page by page, as many as memory bears at once; who enters or leaves meanwhile may be on a page
        or not."""
        number = self._number(name)
        after: Place | None = None
        while members := await self._engine.members(number, value, after, EXPORT_AT_ONCE):
            yield await self._named(members)
            after = members[-1].value, members[-1].person

    async def _named(self, members: Sequence[Member]) -> list[Named]:
        known = await self._engine.identifiers_of({each.person for each in members})
        return [
            Named(
                each.person,
                value_of(each.value),
                each.entered_ms,
                [split_identifier(identifier) for identifier in known.get(each.person, ())],
            )
            for each in members
        ]
