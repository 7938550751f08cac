"""Why somebody is in a segment or not: each condition in words, whether it holds, and the facts that make it so.

Found by judging. Where they rank among all people can't be told from one person: what is not known of that is taken
both ways, and what depends on it can't be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Any as Anything

from courtesy.consent.law import Laws
from courtesy.segment import tree
from courtesy.segment.judge import Happened, Judge, Judged, Past
from courtesy.segment.moment import Moment
from courtesy.segment.printing import write
from courtesy.segment.remarks import compared
from courtesy.segment.tree import Expression, Rank, Segment, Value, Whose
from courtesy.segment.values import found_at

RANKS_MAX = 4
"""Unknown ranks that are taken both ways: each doubles the work."""


@dataclass(frozen=True, slots=True)
class Case:
    """Who is judged when, by which segments (by name) and laws, and what is known of where they rank."""

    past: Past
    moment: Moment
    laws: Laws
    segments: Mapping[str, Segment]
    ranks: Mapping[Rank, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """A condition in words; whether it holds, None when that can't be told; the events that show it, and the parts that
    it was found from: for another segment, what that one says."""

    node: Expression
    text: str
    holds: bool | None
    events: tuple[Happened, ...] = ()
    parts: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Others:
    """What can't be told from one person alone, in one of the worlds that may be."""

    case: Case
    high: frozenset[Rank]

    def is_in(self, segment: str) -> bool:
        """Whether they are in another segment; nobody is in one that is not there."""
        found = self.case.segments.get(segment)
        return found is not None and _judge(self.case, self.high).judge(found.expression).holds

    def ranks(self, rank: Rank) -> bool:
        """Whether they are among those of highest or lowest rank."""
        return self.case.ranks.get(rank, rank in self.high)


def _judge(case: Case, high: frozenset[Rank], that: Value | None = None) -> Judge:
    return Judge(case.past, case.moment, case.laws, _Others(case, high), that)


def reason(case: Case, node: Expression, that: Value | None = None) -> Reason:
    """Why an expression holds or does not. `that`: what `that` stands for in it."""
    worlds = list(_worlds(case, node))
    judged = [_judge(case, high, that).judge(node) for high in worlds]
    return _together(case, worlds, judged)


def holds(case: Case, node: Expression, that: Value | None = None) -> bool | None:
    """Whether an expression holds; None when that can't be told."""
    told = {_judge(case, high, that).judge(node).holds for high in _worlds(case, node)}
    return told.pop() if len(told) == 1 else None


def _worlds(case: Case, node: Expression) -> Iterator[frozenset[Rank]]:
    """Every way in which they may rank, as far as it is not known; of very many only the outermost two."""
    unknown = sorted({each for each in ranks_in(case.segments, node) if each not in case.ranks}, key=repr)
    if len(unknown) > RANKS_MAX:
        yield from (frozenset(), frozenset(unknown))
        return
    some = chain.from_iterable(combinations(unknown, count) for count in range(len(unknown) + 1))
    yield from map(frozenset, some)


def ranks_in(segments: Mapping[str, Segment], node: Expression) -> Iterator[Rank]:
    """The ranks that an expression asks for, also in the segments that it stands on."""
    for each in tree.conditions(node):
        if isinstance(each, Rank):
            yield each
        elif isinstance(each, tree.InSegment) and each.name in segments:
            yield from ranks_in(segments, segments[each.name].expression)


def _together(case: Case, worlds: Sequence[frozenset[Rank]], judged: Sequence[Judged]) -> Reason:
    first = judged[0]
    told = {each.holds for each in judged}
    parts = [_together(case, worlds, each) for each in zip(*(each.parts for each in judged), strict=True)]
    if isinstance(first.node, tree.InSegment) and first.node.name in case.segments:
        inner = case.segments[first.node.name].expression
        parts = [_together(case, worlds, [_judge(case, high).judge(inner) for high in worlds])]
    text = write(Segment(1, first.node))
    return Reason(first.node, text, told.pop() if len(told) == 1 else None, first.events, tuple(parts))


def told_by(node: Expression, event: Happened) -> dict[str, Anything]:
    """What of an event a condition asked for, by path; without what the event does not have."""
    fields = [(each.path, each.whose) for about, each in compared(Segment(1, node)) if about.of in (event.name, "*")]
    if isinstance(node, tree.Amount):
        fields.append((node.measure.path, Whose.PERSON))
    found = {
        path if whose is Whose.PERSON else f"{whose} {path}": found_at(event.roots[whose], path)
        for path, whose in fields
        if whose in event.roots
    }
    return {path: value for path, value in found.items() if value is not None}
