"""Small worlds of people as the lake has them, and what is known of each in the way that the judge reads it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from duckdb import DuckDBPyConnection

from courtesy.base.ids import Partition, PersonId, Position, SourceId, message_key, tie_break
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.event.event import Event, EventType, Party, behaviour_name, decode_fact, encode
from courtesy.lake.rows import to_arrow
from courtesy.person.fold import fold_fact, fold_group_fact
from courtesy.person.record import Record, RecordKind
from courtesy.person.state import PersonState
from courtesy.person.view import nested_traits
from courtesy.segment.judge import Happened, Past

NOW_MS = 1_760_000_000_000
SOURCE = SourceId(1)

Facts = Mapping[str, Any]


def raw(value: object) -> msgspec.Raw:
    """As a sender's object is kept."""
    return msgspec.Raw(json.dumps(value).encode())


class Log:
    """Collects records. `person` and `group` are numbers; a group's is far from those of people."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def tell(self, person: int, type_: EventType, at_ms: int, **more: Any) -> None:
        """One event of a person, and if it names a group, one of the group."""
        number = len(self.records) + 1
        event = Event(
            f"m{number}", type_, at_ms, at_ms, SOURCE, more.pop("rank", 30), Party.FIRST, ("user_id:u",), **more
        )
        self._append(PersonId(person), RecordKind.EVENT, event)
        if event.group is not None:
            self._append(PersonId(1_000_000 + int(event.group.removeprefix("group:g"))), RecordKind.GROUP, event)

    def did(self, person: int, name: str, at_ms: int, properties: Facts | None = None) -> None:
        """Somebody did something."""
        self.tell(person, EventType.TRACK, at_ms, name=name, properties=raw(properties or {}))

    def is_so(self, person: int, at_ms: int, traits: Facts, rank: int = 30) -> None:
        """Something is so of somebody."""
        self.tell(person, EventType.IDENTIFY, at_ms, traits=raw(traits), rank=rank)

    def _append(self, person: PersonId, kind: RecordKind, event: Event) -> None:
        position = Position(len(self.records) + 1)
        key = message_key(SOURCE, event.id)
        self.records.append(
            Record(position, Partition(0), person, kind, event.at, event.received, SOURCE, key, encode(event))
        )


NO_MOVES = pa.table({name: pa.array([], pa.int64()) for name in ("person_id", "root", "position")})
"""For a world in which all is where it came in."""


def lake(records: Sequence[Record], people: pa.Table = NO_MOVES) -> DuckDBPyConnection:
    """A connection with the relations of which conditions are made."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("events", to_arrow(records))
    connection.register("people", people)
    return connection


def pasts(records: Iterable[Record], now_ms: int) -> dict[int, Past]:
    """What the judge is told of each person who did something by then, from the fold's own reading of traits."""
    people: dict[int, PersonState] = {}
    groups: dict[str, PersonState] = {}
    events: dict[int, list[Happened]] = defaultdict(list)
    for record in records:
        if record.at > now_ms:
            continue
        fact, tie = decode_fact(record.payload), tie_break(record.key)
        if record.kind is RecordKind.GROUP:
            fold_group_fact(groups.setdefault(str(fact.group), PersonState(record.person)), fact, tie)
            continue
        fold_fact(people.setdefault(record.person, PersonState(record.person)), fact, tie, record.key)
        name = behaviour_name(fact)
        if name is not None:
            events[record.person].append(Happened(fact.at, tie, name, fact.id, fact.properties or {}))
    of_groups = {name: nested_traits(state.traits) for name, state in groups.items()}
    return {
        number: Past(sorted(events[number]), nested_traits(state.traits), [of_groups[each] for each in state.groups])
        for number, state in people.items()
    }


NAMES = ("View", "Order Completed", 'Say "so"', "Étoile")
TEXTS = ("Berlin", "berlin", "ÄRGER", "ärger", "12", "true", 'a"b', "x" * 90, "x" * 120)
PLACES = ("Europe/Berlin", "Pacific/Auckland", "nowhere", 7)
DATES = ("2025-10-09", "2025-09-30", "2025-07-11T00:00:00Z", "2025-10-08T08:53:20+00:00", "2024-02-29", "2026-01-01")


def odd_world(seed: int, people: int = 40) -> Log:
    """People whose events and traits have all that may come: other types under the same name, arrays, things unset,
    the same instant, exact ends of windows, the future."""
    chance, log = Random(seed), Log()
    for person in range(1, people + 1):
        for _ in range(chance.randrange(1, 14)):
            _odd_event(chance, log, person)
        for _ in range(chance.randrange(4)):
            at_ms = NOW_MS - chance.choice([-1, 0, DAY_MS, 40 * DAY_MS])
            log.is_so(person, at_ms, _odd_traits(chance), chance.choice([30, 30, 40]))
        if chance.random() < 0.7:
            number = chance.randrange(4)
            traits = raw({"plan": chance.choice(["Pro", "pro", "free", 3]), "seats": chance.randrange(3)})
            log.tell(person, EventType.GROUP, NOW_MS - chance.randrange(3) * DAY_MS, group=f"group:g{number}",
                     group_traits=traits)  # fmt: skip
    return log


def _odd_event(chance: Random, log: Log, person: int) -> None:
    ago = chance.choice([0, 1, DAY_MS, 7 * DAY_MS, 7 * DAY_MS - 1, 30 * DAY_MS, 60 * DAY_MS, 90 * DAY_MS, 91 * DAY_MS,
                         200 * DAY_MS, 400 * DAY_MS, -HOUR_MS, chance.randrange(100 * DAY_MS)])  # fmt: skip
    properties = {
        "total": chance.choice([0, 0.1, 0.2, 9.99, 50, 100, -3, 1_000_000.5, "50", None, True, [1, 2]]),
        "city": chance.choice([*TEXTS, 12, None, ["Berlin", "berlin", 3], ["x", None, {}], {"of": "x"}]),
        "user_id": chance.choice([1, 2, 3.0, 3, "3"]),
        "nested": {"a/b~c": chance.choice(["u", "v"]), "d.e": chance.choice([True, False])},
    }
    kept = {name: value for name, value in properties.items() if chance.random() < 0.8}
    match chance.randrange(8):
        case 0:
            log.tell(person, EventType.PAGE, NOW_MS - ago, properties=raw(kept))
        case 1:
            log.tell(person, EventType.SCREEN, NOW_MS - ago, name="Home", properties=raw(kept))
        case _:
            log.did(person, chance.choice(NAMES), NOW_MS - ago, kept)


def _odd_traits(chance: Random) -> Facts:
    traits = {
        "age": chance.choice([18, 30, 44.5, 70, "30", None]),
        "city": chance.choice([*TEXTS, None, ["Berlin", "Wien"]]),
        "member": chance.choice([True, False, None, "true"]),
        "since": chance.choice(DATES),
        "timezone": chance.choice(PLACES),
        "address": {"zip": chance.choice(["10115", "1010", None]), "a.b": chance.choice(["c", None])},
        "scores": {"churn": chance.choice([0.1, 0.5, 0.9, 0.91])},
        "lists": {"VIP": chance.choice([True, None])},
    }
    return {name: value for name, value in traits.items() if chance.random() < 0.7}
