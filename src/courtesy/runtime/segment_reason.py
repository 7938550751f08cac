"""Why a person is in a segment or not, as of any instant: judged by their whole history, with the facts that decide."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import Clock, to_iso
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.event.choice import ANY
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.record import Record
from courtesy.person.state import PersonState
from courtesy.person.view import choices_view, trait_origins
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.history import History
from courtesy.runtime.memberships import value_of
from courtesy.runtime.people import GROUP, People
from courtesy.runtime.segment_preview import Previews
from courtesy.runtime.segments import SegmentRevision, Segments
from courtesy.segment import tree
from courtesy.segment.each import One, values_of
from courtesy.segment.judge import Happened
from courtesy.segment.moment import Moment, zone_of
from courtesy.segment.nearest import Change, nearest_changes
from courtesy.segment.past import groups_of, past_of
from courtesy.segment.reasons import Case, Reason, holds, ranks_in, reason, told_by
from courtesy.segment.tree import Segment, Whose
from courtesy.segment.turns import Turn, next_turn
from courtesy.segment.values import found_at

EVENTS_SHOWN = 20
"""Of a condition: the latest of those that show it."""

VALUES_SHOWN = 200


class EventFact(msgspec.Struct, frozen=True):
    """An event that shows a condition, with what of it was asked for, by path."""

    message_id: str
    at: str
    name: str
    had: dict[str, Any]


class TraitFact(msgspec.Struct, frozen=True):
    """A trait that was looked at, with who told it and when. `group`: whose trait it is, empty for the person's own."""

    path: str
    value: Any
    source: str
    at: str
    group: str = ""


class Found(msgspec.Struct, frozen=True):
    """A condition in words, whether it holds, and the facts that make it so: the latest of `event_count` events, traits
    and choices. `holds` is null where it can't be told. `parts`:
    the conditions that it is made of; of another segment, what that one asks."""

    text: str
    holds: bool | None
    event_count: int
    events: list[EventFact]
    traits: list[TraitFact]
    choices: list[dict[str, Any]]
    parts: list[Found]


class ValueFound(msgspec.Struct, frozen=True):
    """A value of a segment for each, and whether they are in for it."""

    value: One
    is_in: bool | None


class ChangeFound(msgspec.Struct, frozen=True):
    """A single change that would make them enter, or leave: something that they do, a trait, a choice."""

    kind: str
    said: str


class TurnFound(msgspec.Struct, frozen=True):
    """When they enter or leave by themselves, if nothing happens until then."""

    at: str
    is_in: bool


class MembershipReason(msgspec.Struct, frozen=True):
    """Why a person was in a segment or not at an instant, by the `revision` that was in force then, or another that was
    asked for; by its first one where there was none yet. `since`: from when on that one was in force. What it stands on
    is as it was at the instant.

    `is_in` is null where that can't be told. `known_at`: by what was known at an instant; null for all that is known
    today. For a segment for each: `values` are those that they have, and the reason is about `value`. `changes` are
    some of those that would change it, and `turns` when it changes by itself; null when no such instant was found.
    """

    person: str
    segment: str
    revision: int
    since: str
    archived: bool
    text: str
    at: str
    known_at: str | None
    is_in: bool | None
    value: One | None
    values: list[ValueFound]
    reason: Found
    changes: list[ChangeFound]
    turns: TurnFound | None


@dataclass(frozen=True, slots=True)
class _History:
    """What is to be known of a person, who is all of `people`: their records and those of their groups."""

    people: Sequence[PersonId]
    records: Sequence[Record]
    groups: Mapping[str, Sequence[Record]]
    names: Mapping[SourceId, str]


class _Judgement(NamedTuple):
    case: Case
    is_in: bool | None
    value: One | None
    values: list[ValueFound]
    reason: Reason
    changes: list[Change]
    turn: Turn | None
    state: PersonState


class Reasons:
    """The explaining side of one process."""

    def __init__(
        self,
        people: People,
        history: History,
        catalog: CatalogCache,
        segments: Segments,
        previews: Previews,
        clock: Clock,
        zone: tzinfo = UTC,
    ) -> None:
        """`zone`: of whoever has none of their own."""
        self._people = people
        self._history = history
        self._catalog = catalog
        self._segments = segments
        self._previews = previews
        self._clock = clock
        self._zone = zone
        self._laws = Laws(LAWS)

    async def why(
        self,
        kind: str,
        value: str,
        name: str,
        at_ms: int | None,
        known_ms: int | None,
        for_value: str | None,
        revision: int | None = None,
    ) -> MembershipReason:
        """Why a person is in a segment at an instant, None for now. `known_ms`: by what was known at an instant, and by
        who was who then. `for_value`: of a segment for each, as it is kept. `revision`: by which of its revisions, None
        for the one that was in force at the instant.

        Raises CourtesyError: NOT_FOUND for a segment or revision that never was, or who was not known; INVALID for a
        value where the segment has none.
        """
        at_ms = self._clock.now_ms() if at_ms is None else at_ms
        judging = await self._judging(name, at_ms, revision)
        body = judging.body
        assert body is not None, "asked for one that has a body"
        if for_value is not None and body.segment.each is None:
            raise CourtesyError(Code.INVALID, f"the segment {name!r:.120} is not one for each value", place="value")
        history = await self._known(kind, value, at_ms, known_ms)
        told = None if for_value is None else value_of(for_value)
        known = await self._segments.standing_under(body.segment, at_ms)
        asked = set(ranks_in(known, body.segment.expression))
        ranks = await self._previews.ranks(asked, history.people, at_ms, known_ms)
        judged = await asyncio.to_thread(self._judged, history, body.segment, at_ms, told, known, ranks)
        return MembershipReason(
            str(history.people[0]),
            name,
            judging.number,
            to_iso(judging.at_ms),
            body.archived,
            judged.reason.text,
            to_iso(at_ms),
            None if known_ms is None else to_iso(known_ms),
            judged.is_in,
            judged.value,
            judged.values,
            _found(judged, judged.reason, history.names),
            [ChangeFound(str(each.kind), each.said) for each in judged.changes],
            None if judged.turn is None else TurnFound(to_iso(judged.turn.at_ms), judged.turn.holds),
        )

    async def _judging(self, name: str, at_ms: int, revision: int | None) -> SegmentRevision:
        if revision is None:
            return await self._segments.revision_at(name, at_ms)
        return await self._segments.revision(name, revision)

    async def hold(self, kind: str, value: str, asked: Mapping[str, tree.Expression]) -> dict[str, bool | None]:
        """Which of some expressions hold of a person now, by everything that was acknowledged; None for one that can't
        be told. Raises CourtesyError(NOT_FOUND)."""
        at_ms = self._clock.now_ms()
        history = await self._known(kind, value, at_ms, None)

        def judged() -> dict[str, bool | None]:
            past = past_of(history.records, at_ms, history.names, history.groups)
            known = {each: body.segment for each, body in self._catalog.now.segments.items() if not body.archived}
            case = Case(past, Moment(at_ms, zone_of(past.traits, self._zone)), self._laws, known)
            return {name: holds(case, expression) for name, expression in asked.items()}

        return await asyncio.to_thread(judged)

    async def _known(self, kind: str, value: str, at_ms: int, known_ms: int | None) -> _History:
        people = await (
            self._people.everyone(kind, value) if known_ms is None else self._people.then(kind, value, known_ms)
        )
        records = await self._records(people, at_ms, known_ms)
        names = await self._catalog.source_names({each.source for each in records})
        groups = {
            group: await self._records(await self._members_of(group), at_ms, known_ms)
            for group in sorted(groups_of(records, at_ms))
        }
        return _History(people, records, groups, names)

    async def _records(self, people: Sequence[PersonId], at_ms: int, known_ms: int | None) -> Sequence[Record]:
        if known_ms is None:
            return await self._history.records_at(people, at_ms, knowing_today=True)
        return await self._history.records_at(people, known_ms, knowing_today=False)

    async def _members_of(self, group: str) -> list[PersonId]:
        """All that a group is made of; nothing when it is gone."""
        try:
            return await self._people.everyone(GROUP, group)
        except CourtesyError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return []

    def _judged(
        self,
        history: _History,
        segment: Segment,
        at_ms: int,
        value: One | None,
        known: Mapping[str, Segment],
        ranks: Mapping[tree.Rank, bool],
    ) -> _Judgement:
        past = past_of(history.records, at_ms, history.names, history.groups)
        moment = Moment(at_ms, zone_of(past.traits, self._zone))
        case = Case(past, moment, self._laws, known, ranks)
        own = [] if segment.each is None else values_of(segment.each, past, at_ms)[:VALUES_SHOWN]
        values = [ValueFound(each, holds(case, segment.expression, each)) for each in own]
        if value is None and values:
            value = next((each.value for each in values if each.is_in), values[0].value)
        why = reason(case, segment.expression, value)
        # Nobody is in for a value that they have not.
        is_in = why.holds if segment.each is None or value in own else False
        can_change = is_in is why.holds
        return _Judgement(
            case,
            is_in,
            value,
            values,
            why,
            nearest_changes(case, segment.expression, value) if can_change else [],
            next_turn(case, segment.expression, value) if can_change else None,
            refold(PersonId(0), [each for each in history.records if each.at <= at_ms], NO_CATALOGS, 0),
        )


def _found(judged: _Judgement, why: Reason, names: Mapping[SourceId, str]) -> Found:
    node = why.node
    return Found(
        why.text,
        why.holds,
        len(why.events),
        [_event(node, each) for each in why.events[-EVENTS_SHOWN:]],
        _traits(judged, node, names) if isinstance(node, tree.Field) else [],
        _choices(judged, node) if isinstance(node, tree.Consent | tree.Preference) else [],
        [_found(judged, each, names) for each in why.parts],
    )


def _event(node: tree.Expression, event: Happened) -> EventFact:
    return EventFact(event.message_id, to_iso(event.at_ms), event.name, told_by(node, event))


def _traits(judged: _Judgement, node: tree.Field, names: Mapping[SourceId, str]) -> list[TraitFact]:
    if node.whose is Whose.GROUP:
        groups = zip(sorted(judged.state.groups), judged.case.past.groups, strict=True)
        found = [(group, found_at(traits, node.path)) for group, traits in groups]
        return [TraitFact(node.path, value, "", "", group) for group, value in found if value is not None]
    path = f"scores.{node.path}" if node.whose is Whose.SCORE else node.path
    origins = trait_origins(judged.state.traits, names)
    return [
        TraitFact(each, judged.state.traits[each].value, origin["source"], origin["at"])
        for each, origin in origins.items()
        if each == path or each.startswith(f"{path}.")
    ]


def _choices(judged: _Judgement, node: tree.Consent | tree.Preference) -> list[dict[str, Any]]:
    """The choices that may have to do with a condition."""
    asked = {"purpose": node.purpose, "channel": node.channel, "topic": node.topic}
    return [
        each
        for each in choices_view(judged.case.past.standing)
        if all(ANY in (each[part], word) or each[part] == word for part, word in asked.items())
    ]
