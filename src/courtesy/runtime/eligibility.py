"""For whom offers are: judged of one person as they are now.

An expression that mentions nothing but segments is answered by who is in them, which costs one question to the store
and is a moment behind; any other by the person's whole history.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC

from courtesy.base.errors import CourtesyError
from courtesy.base.time import Clock
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.offer.deciding import Offer
from courtesy.runtime.memberships import Memberships
from courtesy.runtime.segment_reason import Reasons
from courtesy.segment import tree
from courtesy.segment.judge import Judge, Past
from courtesy.segment.moment import Moment
from courtesy.segment.parsing import parse


class _Inside:
    """Knows in which segments somebody is, and nothing else."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)

    def is_in(self, segment: str) -> bool:
        return segment in self._names

    def ranks(self, rank: tree.Rank) -> bool:
        raise AssertionError("no rank is asked for where only segments are mentioned")


class Eligibility:
    """The judging side of offers in one process."""

    def __init__(self, memberships: Memberships, reasons: Reasons, clock: Clock) -> None:
        self._memberships = memberships
        self._reasons = reasons
        self._clock = clock
        self._laws = Laws(LAWS)

    async def is_for(self, offer: Offer, kind: str, value: str) -> bool:
        """Whether an offer is for a person. Raises CourtesyError(NOT_FOUND)."""
        return offer.name in await self.those_for([offer], kind, value)

    async def those_for(self, offers: Collection[Offer], kind: str, value: str) -> set[str]:
        """The names of those of the offers that are for a person. Raises CourtesyError(NOT_FOUND)."""
        found = {each.name for each in offers if not each.terms.eligibility}
        asked = {each.name: _expression(each) for each in offers if each.terms.eligibility}
        by_segments = {name: each for name, each in asked.items() if each is not None and _is_of_segments(each)}
        by_history = {name: each for name, each in asked.items() if each is not None and name not in by_segments}
        if by_segments:
            found |= await self._by_segments(by_segments, kind, value)
        if by_history:
            judged = await self._reasons.hold(kind, value, by_history)
            found |= {name for name, holds in judged.items() if holds}
        return found

    async def _by_segments(self, asked: Mapping[str, tree.Expression], kind: str, value: str) -> set[str]:
        inside = _Inside([each.name for each in await self._memberships.of_person(kind, value)])
        judge = Judge(Past(), Moment(self._clock.now_ms(), UTC), self._laws, inside)
        return {name for name, each in asked.items() if judge.judge(each).holds}


def _expression(offer: Offer) -> tree.Expression | None:
    """What an offer asks of people; None for what can't be read any more, which is for nobody."""
    try:
        return parse(offer.terms.eligibility).segment.expression
    except CourtesyError:
        return None


def _is_of_segments(expression: tree.Expression) -> bool:
    return all(isinstance(each, tree.InSegment) for each in tree.conditions(expression))
