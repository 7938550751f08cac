"""A world as the log has it: records of people and groups, as they were appended, and to whom they belong now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from courtesy.base.ids import Partition, PersonId, Position, SourceId
from courtesy.event.event import Event, encode
from courtesy.person.record import Record, RecordKind
from tests.unit.segment.facts import Json, Told, World

SOURCE_NAMES = {SourceId(1): "shop", SourceId(2): "crm"}
SOURCE_IDS = {name: number for number, name in SOURCE_NAMES.items()}
GROUPS = {"group:g": PersonId(101), "group:h": PersonId(102)}
"""Groups are people too."""


@dataclass(frozen=True, slots=True)
class Log:
    """The records of a world in order. `bodies`: for whom each EVENT record came in, by its position."""

    records: tuple[Record, ...]
    bodies: Mapping[Position, int]

    def of_person(self, person: int, roots: Mapping[int, int]) -> list[Record]:
        """The EVENT records that belong to a person."""
        return [each for each in self.records if roots.get(self.bodies.get(each.position, -1)) == person]

    def of_groups(self) -> dict[str, list[Record]]:
        """The GROUP records of each group."""
        return {name: [each for each in self.records if each.person == person] for name, person in GROUPS.items()}


def log_of(world: World) -> Log:
    """What is appended of a world. Whoever is part of somebody when a record comes in, it is appended for them."""
    records: list[Record] = []
    bodies: dict[Position, int] = {}
    for count, told in enumerate(world.arrivals):
        if not isinstance(told, Told):
            continue
        payload = encode(event_of(world, told))
        root = World(world.arrivals[: count + 1]).roots[told.body]
        people = [(PersonId(root), RecordKind.EVENT)]
        if told.group is not None:
            people.append((GROUPS[told.group], RecordKind.GROUP))
        for person, kind in people:
            position = Position(len(records) + 1)
            source = SOURCE_IDS[told.source]
            records.append(
                Record(position, Partition(0), person, kind, told.at_ms, told.received_ms, source, told.key, payload)
            )
            if kind is RecordKind.EVENT:
                bodies[position] = told.body
    return Log(tuple(records), bodies)


def event_of(world: World, told: Told) -> Event:
    """A fact as it was accepted."""
    return Event(
        id=f"m{told.number}",
        type=told.kind,
        at=told.at_ms,
        received=told.received_ms,
        source=SOURCE_IDS[told.source],
        rank=told.rank,
        party=told.party,
        ids=(f"user_id:{told.body}",),
        name=told.name,
        group=told.group,
        traits=_raw(told.traits),
        group_traits=_raw(told.group_traits),
        properties=_raw(told.properties),
        context=_raw(told.context),
        choices=told.choices,
        known_as=tuple(map(PersonId, world.known_as(told))) if told.choices else (),
    )


def _raw(content: Json) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(content))
