"""What records tell of a person, as segments are judged by it."""

from __future__ import annotations

import msgspec

from courtesy.base.ids import Partition, PersonId, Position, SourceId, message_key, tie_break
from courtesy.event.call import EMPTY
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.person.record import Record, RecordKind
from courtesy.segment.each import values_of
from courtesy.segment.judge import Past
from courtesy.segment.past import groups_of, past_of, traits_of_group
from courtesy.segment.tree import Each

SHOP = SourceId(7)
ANNA = PersonId(1)


def record(number: int, event: Event, kind: RecordKind = RecordKind.EVENT) -> Record:
    """An event as it lies in the log."""
    key = message_key(SHOP, event.id)
    return Record(Position(number), Partition(0), ANNA, kind, event.at, event.received, SHOP, key, encode(event))


def told(at_ms: int, kind: EventType, **content: object) -> Event:
    """An event of the shop's at an instant."""
    made = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in content.items() if isinstance(value, dict)}
    texts = {name: value for name, value in content.items() if isinstance(value, str)}
    event = Event(f"m{at_ms}", kind, at_ms, at_ms, SHOP, 30, Party.FIRST, ("user_id:anna",))
    return msgspec.structs.replace(event, **{"context": EMPTY, **made, **texts})


LIKES = ["Tea", "tea", 1.0]
RECORDS = [
    record(1, told(2_000, EventType.TRACK, name="Order", properties={"total": 5}, context={"os": {"name": "iOS"}})),
    record(2, told(1_000, EventType.IDENTIFY, traits={"address": {"country": "Austria"}, "likes": LIKES})),
    record(3, told(3_000, EventType.GROUP, group="group:acme", group_traits={"size": 3})),
    record(4, told(4_000, EventType.IDENTIFY, traits={"likes": None})),
]


def test_a_past_has_events_traits_and_groups_of_an_instant() -> None:
    """Events with what came with them, traits as they were then, and those of groups."""
    groups = {"group:acme": [record(3, told(3_000, EventType.GROUP, group_traits={"size": 3}), RecordKind.GROUP)]}
    past = past_of(RECORDS, 3_000, {SHOP: "shop"}, groups)
    (order,) = past.events
    assert (order.name, order.message_id, order.at_ms) == ("Order", "m2000", 2_000)
    assert order.tie == tie_break(message_key(SHOP, "m2000"))
    assert (order.properties, order.context) == ({"total": 5}, {"os": {"name": "iOS"}})
    assert order.source == {"name": "shop", "party": "first"}
    assert past.traits == {"address": {"country": "Austria"}, "likes": ["Tea", "tea", 1.0]}
    assert past.groups == [{"size": 3}]
    assert past.place == "AT"
    assert groups_of(RECORDS, 2_999) == frozenset()


def test_what_had_not_happened_yet_is_not_there() -> None:
    """Neither the events nor the traits of later; what was unset later was still there."""
    past = past_of(RECORDS, 1_999, {})
    assert past.events == []
    assert past.groups == []
    assert "likes" in past.traits
    assert "likes" not in past_of(RECORDS, 4_000, {}).traits
    assert traits_of_group([], 4_000) == {}


def test_a_broken_record_is_left_out() -> None:
    """It is set aside by the fold as well."""
    broken = record(5, told(2_000, EventType.TRACK, name="Order"))._replace(payload=b'{"id": 1')
    assert past_of([*RECORDS, broken], 4_000, {}) == past_of(RECORDS, 4_000, {})


def test_values_that_are_equal_are_one() -> None:
    """Of texts in lower case, of numbers as whole ones; 1 is another value than true."""
    assert values_of(Each("likes"), past_of(RECORDS, 1_000, {}), 1_000) == [1, "tea"]
    assert values_of(Each("x"), Past(traits={"x": [True, 1, {"a": 1}, None]}), 0) == [True, 1]
    assert values_of(Each("total", "Order"), past_of(RECORDS, 4_000, {}), 4_000) == [5]
    assert values_of(Each("total", "Order"), past_of(RECORDS, 4_000, {}), 1_999) == []
