"""What a store keeps of segments: who is in which, since when, and how many entered and left in each hour.

- Rows change with the fold's commit alone, and with an erasure, which counts as leaving. To enter again changes nothing
  and counts nothing, and neither does leaving what one is not in.
- A segment is known by the number of its definition, a value of one that is for each value by its JSON; empty for a
  segment that is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import HOUR_MS
from courtesy.engine.building import BuildingStore
from courtesy.engine.ownership import OwnershipReading


class MembershipChange(NamedTuple):
    """A person entered (`inside`) or left a segment, by its number, at `at_ms`. `value`: for which of its values, in
    JSON, if it is one for each; empty for any other."""

    person: PersonId
    segment: int
    value: str
    inside: bool
    at_ms: int


class MemberKey(NamedTuple):
    """Who is in what: the order in which members are listed."""

    segment: int
    value: str
    person: PersonId


class Member(NamedTuple):
    """A person in a segment, for a value of it, since `entered_ms` (ms UTC)."""

    segment: int
    value: str
    person: PersonId
    entered_ms: int

    @property
    def key(self) -> MemberKey:
        """Who is in what."""
        return MemberKey(self.segment, self.value, self.person)


class HourKey(NamedTuple):
    """An hour (its first ms, UTC) of a segment, for the people of one partition."""

    segment: int
    hour_ms: int
    partition: int


class HourFlow(NamedTuple):
    """How often somebody entered and left a segment in an hour (its first ms, UTC), over all of its values."""

    segment: int
    hour_ms: int
    entered_count: int
    left_count: int


class SegmentSize(NamedTuple):
    """How many people are in a segment, and for how many values all together: the same where it is not for each."""

    people_count: int
    member_count: int


class ValueSize(NamedTuple):
    """How many people are in a segment for one of its values."""

    value: str
    people_count: int


class SegmentStage(StrEnum):
    """How far a revision of a segment is. BUILDING: its first members are being found; LIVE: it is exact from then."""

    BUILDING = "building"
    LIVE = "live"


class SegmentState(NamedTuple):
    """How far a revision of a segment is: since `at_ms`, by everything up to `position`, with that many members."""

    segment: int
    revision: int
    stage: SegmentStage
    position: Position
    at_ms: int
    member_count: int


class MembershipWrite(NamedTuple):
    """What some changes come to: who is in since when, who is no more, and what each hour counts more."""

    entered: Mapping[MemberKey, int]
    left: Collection[MemberKey]
    flows: Mapping[HourKey, tuple[int, int]]


def membership_write(
    known: Collection[MemberKey], changes: Sequence[MembershipChange], partition_of: Mapping[PersonId, int]
) -> MembershipWrite:
    """What changes, in their order, come to on top of who is `known` to be in by now, of those that they name."""
    inside = set(known)
    entered: dict[MemberKey, int] = {}
    left: set[MemberKey] = set()
    flows: dict[HourKey, list[int]] = {}
    for change in changes:
        key = MemberKey(change.segment, change.value, change.person)
        if change.inside == (key in inside):
            continue
        if change.inside:
            inside.add(key)
            entered[key] = change.at_ms
        else:
            inside.remove(key)
            entered.pop(key, None)
            left.add(key)
        hour = HourKey(change.segment, change.at_ms // HOUR_MS * HOUR_MS, partition_of[change.person])
        flows.setdefault(hour, [0, 0])[not change.inside] += 1
    gone = {key for key in left if key not in inside and key in known}
    return MembershipWrite(entered, gone, {hour: (came, went) for hour, (came, went) in flows.items()})


def sizes_back(size: int, flows: Sequence[HourFlow], hours: Sequence[int]) -> list[int]:
    """How many were in a segment at the beginning of each of some hours, oldest first, of which `size` are in it now,
    by what every hour since the first of them counted. What was erased since is not told apart from what left."""
    change: Counter[int] = Counter()
    for each in flows:
        change[each.hour_ms] += each.entered_count - each.left_count
    later = sorted(change, reverse=True)
    told: list[int] = []
    for hour in sorted(hours, reverse=True):
        while later and later[0] >= hour:
            size -= change[later.pop(0)]
        told.append(max(size, 0))
    return told[::-1]


class SegmentStore(BuildingStore, OwnershipReading, Protocol):
    """The side of an engine that keeps segments."""

    async def segments_of(self, people: Collection[PersonId]) -> list[Member]:
        """All that these people are in, by segment, value and person."""
        ...

    async def segment_sizes(self, segments: Collection[int]) -> dict[int, SegmentSize]:
        """How many are in each of these segments, found by counting them."""
        ...

    async def identifiers_of(self, people: Collection[PersonId]) -> dict[PersonId, list[str]]:
        """The identifiers of each of these people who has any, in order."""
        ...

    async def members(
        self, segment: int, value: str | None, after: tuple[str, PersonId] | None, limit: int
    ) -> list[Member]:
        """Members by value and person, for one value if given, after such a place if given, at most `limit`."""
        ...

    async def members_since(self, segment: int, from_ms: int, limit: int) -> list[Member]:
        """Who is in and entered at an instant or later, the latest first, at most `limit`."""
        ...

    async def entered_count(self, segment: int, from_ms: int) -> int:
        """How many are in who entered at an instant or later."""
        ...

    async def sample_members(self, segment: int, value: str, limit: int) -> list[Member]:
        """At most `limit` of those who are in for a value, evenly over the numbers of people: the same ones as long
        as nobody enters or leaves. Its cost rises with `limit` alone."""
        ...

    async def segment_values(self, segment: int, limit: int) -> list[ValueSize]:
        """The values that anybody is in for, those of most people first, then by value; at most `limit`."""
        ...

    async def segment_overlap(self, segments: Collection[int]) -> dict[frozenset[int], int]:
        """How many people are in exactly which of some segments; only for what somebody is in."""
        ...

    async def segment_flows(self, segment: int, from_ms: int) -> list[HourFlow]:
        """What each hour that begins at an instant or later counted, oldest first; hours without anything are not
        told."""
        ...

    async def segment_states(self) -> dict[int, SegmentState]:
        """How far each segment is, by its number."""
        ...

    async def set_segment_state(self, state: SegmentState) -> None:
        """Say how far a segment is, in place of what was said of it before."""
        ...

    async def forget_segment(self, segment: int) -> None:
        """Forget all that is kept of a segment that was removed."""
        ...
