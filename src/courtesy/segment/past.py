"""What is known of a person, from the records of their history: what a segment is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from courtesy.base.ids import PersonId, SourceId, tie_break
from courtesy.consent.standing import Standing
from courtesy.event.event import decode_fact, done_name
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.place import place_told_by
from courtesy.person.record import Record, RecordKind
from courtesy.person.state import PersonState
from courtesy.person.view import nested_traits
from courtesy.segment.judge import Happened, Past

ANYBODY = PersonId(0)
"""Whose state it is that is folded here: it does not matter, for it is not kept."""


_OBJECT = msgspec.json.Decoder(dict[str, Any])


def past_of(
    records: Iterable[Record],
    at_ms: int,
    source_names: Mapping[SourceId, str],
    groups: Mapping[str, Iterable[Record]] | None = None,
) -> Past:
    """What is known of a person at an instant, by those of their EVENT records that had happened by then.

    `records`: of all who are one with them, in any order, each once; what came in later than one wants to know of, the
    caller leaves out. `groups`: the GROUP records of each group that they ever belonged to (`groups_of`), by its
    identifier; of one that is missing nothing is known. Traits, groups and choices are folded as the fold worker does;
    a record that is broken is left out, as it is there. A source without a name is called by its number.
    """
    happened = _until(records, RecordKind.EVENT, at_ms)
    state = _state_of(happened)
    traits = nested_traits(state.traits)
    return Past(
        events=sorted(event for record in happened for event in _event(record, source_names)),
        traits=traits,
        groups=[traits_of_group((groups or {}).get(group, ()), at_ms) for group in sorted(state.groups)],
        standing=state.standing or Standing(),
        place=place_told_by(traits),
    )


def groups_of(records: Iterable[Record], at_ms: int) -> frozenset[str]:
    """The identifiers of the groups that a person belonged to at an instant, by their EVENT records."""
    return frozenset(_state_of(_until(records, RecordKind.EVENT, at_ms)).groups)


def traits_of_group(records: Iterable[Record], at_ms: int) -> dict[str, Any]:
    """The nested traits of a group at an instant, by its GROUP records."""
    return nested_traits(_state_of(_until(records, RecordKind.GROUP, at_ms)).traits)


def _until(records: Iterable[Record], kind: RecordKind, at_ms: int) -> list[Record]:
    return [record for record in records if record.kind == kind and record.at <= at_ms]


def _state_of(records: Sequence[Record]) -> PersonState:
    return refold(ANYBODY, records, NO_CATALOGS, 0)


def _event(record: Record, source_names: Mapping[SourceId, str]) -> Iterable[Happened]:
    """What a record tells that somebody did, if it tells of such a thing."""
    try:
        told = decode_fact(record.payload)
        context = _OBJECT.decode(told.context) if told.context else {}
    except (msgspec.DecodeError, RecursionError):
        return
    name = done_name(told)
    if name is not None:
        source = {"name": source_names.get(told.source, str(told.source)), "party": str(told.party)}
        tie = tie_break(record.key)
        yield Happened(told.at, tie, name, told.id, told.properties or {}, context, source)
