"""The ways in which the product finds the members of segments, all of the same form, so that they can be compared.

Each is a function of a world, the segments and an instant, and answers as the reference does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from math import ceil

import msgspec

from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.segment import tree
from courtesy.segment.each import values_of
from courtesy.segment.judge import Judge, Past
from courtesy.segment.moment import Moment, zone_of
from courtesy.segment.past import past_of
from courtesy.segment.tree import Segment
from courtesy.segment.values import found_at
from tests.unit.segment.facts import World
from tests.unit.segment.records import SOURCE_NAMES, log_of

Members = dict[str, set[tuple[int, str]]]
"""For each segment its members: the person, and in JSON for which value they are in, or nothing."""

Execution = Callable[[World, Mapping[str, Segment], int], Members]

THE_LAW = Laws(LAWS)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the judging of a crowd is put together from; one of them may be broken on purpose."""

    moment: Callable[[int, tzinfo], Moment] = Moment
    judge: Callable[..., Judge] = Judge
    past: Callable[[Past], Past] = lambda past: past


def by_judge(world: World, segments: Mapping[str, Segment], at_ms: int, parts: Parts | None = None) -> Members:
    """As of any past instant, with reasons: each person judged on their whole history."""
    parts = parts or Parts()
    log, roots = log_of(world), world.roots
    people = {person: log.of_person(person, roots) for person in sorted(set(roots.values()))}
    groups = log.of_groups()
    pasts = {
        person: parts.past(past_of(records, at_ms, SOURCE_NAMES, groups))
        for person, records in people.items()
        if any(record.at <= at_ms for record in records)
    }
    crowd = JudgedCrowd(pasts, segments, at_ms, parts)
    return {name: {(person, value) for person in pasts for value in crowd.values(person, name)} for name in segments}


@dataclass(frozen=True, slots=True)
class JudgedCrowd:
    """Everybody, judged one by one."""

    pasts: Mapping[int, Past]
    segments: Mapping[str, Segment]
    at_ms: int
    parts: Parts = field(default_factory=Parts)

    def values(self, person: int, name: str) -> list[str]:
        """For which values a person is in a segment."""
        segment = self.segments[name]
        if segment.each is None:
            return [""] if self.judge(person, None).judge(segment.expression).holds else []
        found = values_of(segment.each, self.pasts[person], self.at_ms)
        return [
            msgspec.json.encode(value).decode()
            for value in found
            if self.judge(person, value).judge(segment.expression).holds
        ]

    def judge(self, person: int, that: tree.Value | None) -> Judge:
        """The judge of one person."""
        past = self.pasts[person]
        moment = self.parts.moment(self.at_ms, zone_of(past.traits))
        return self.parts.judge(past, moment, THE_LAW, Beside(self, person, that), that)

    def number(self, person: int, rank: tree.Rank, that: tree.Value | None) -> float | None:
        """The number by which a person is ranked."""
        if isinstance(rank.by, tree.Measure):
            return self.judge(person, that).measured(rank.by)[0]
        found = found_at(self.pasts[person].traits, rank.by)
        return found if isinstance(found, int | float) and not isinstance(found, bool) else None


@dataclass(frozen=True, slots=True)
class Beside:
    """What a judge has to ask about others."""

    crowd: JudgedCrowd
    person: int
    that: tree.Value | None

    def is_in(self, segment: str) -> bool:
        return bool(self.crowd.values(self.person, segment))

    def ranks(self, rank: tree.Rank) -> bool:
        numbers = {person: self.crowd.number(person, rank, self.that) for person in self.crowd.pasts}
        own = numbers[self.person]
        return own is not None and _is_in_cut(own, [each for each in numbers.values() if each is not None], rank)


def _is_in_cut(own: float, numbers: Sequence[float], rank: tree.Rank) -> bool:
    """Whether a number is as far up as that of the last who is in."""
    count = rank.count if rank.share is None else ceil(len(numbers) * rank.share / 100)
    assert count is not None, "checked: a rank has a share or a count"
    ordered = sorted(numbers, reverse=not rank.bottom)
    last = ordered[min(count, len(ordered)) - 1]
    return own <= last if rank.bottom else own >= last
