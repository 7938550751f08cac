"""Reading a person in the middle of things: stored states and the unfolded tail give what folding to the end will."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from itertools import count

import pytest

from courtesy.base.ids import Partition, PersonId, Position, SourceId, message_key
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.person.assemble import assemble
from courtesy.person.catalog import EMPTY_CATALOG
from courtesy.person.record import (
    SYSTEM_SOURCE,
    NewRecord,
    Record,
    RecordKind,
    forwarded,
    hand_over_payload,
    input_of,
    timer_payload,
)
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import Absorb, GroupOccurred, HandOver, Occurred, TimerFired, step
from tests.unit.person.facts import ANN, BOB, CID, NOON_MS, SHOP

DAN = PersonId(4)


def _event(person: PersonId, message_id: str, at: int = NOON_MS) -> NewRecord:
    event = Event(message_id, EventType.TRACK, at, NOON_MS, SHOP, 30, Party.FIRST, (f"user_id:{person}",), "Viewed")
    return NewRecord(person, RecordKind.EVENT, at, NOON_MS, SHOP, message_key(SHOP, message_id), encode(event))


def _merge(loser: PersonId, survivor: PersonId) -> NewRecord:
    key = message_key(SHOP, f"{loser} into {survivor}")
    return NewRecord(loser, RecordKind.HAND_OVER, NOON_MS, NOON_MS, SYSTEM_SOURCE, key, hand_over_payload(survivor))


class Log:
    """A log in which every person is a partition of their own, each folded as far as it happens to be."""

    def __init__(self) -> None:
        self.states: dict[PersonId, bytes] = {}
        self._unfolded: dict[PersonId, deque[Record]] = defaultdict(deque)
        self._positions = count(1)

    def append(self, new: NewRecord) -> None:
        """At the end."""
        record = Record(Position(next(self._positions)), Partition(new.person), *new)
        self._unfolded[new.person].append(record)

    def behind(self) -> list[PersonId]:
        """Who has something unfolded."""
        return sorted(person for person, records in self._unfolded.items() if records)

    def fold_one(self, person: PersonId) -> None:
        """Fold a person's next record, and put what has to be sent on at the end of the log."""
        record = self._unfolded[person].popleft()
        stored = self.states.get(person)
        state = PersonState(person) if stored is None else decode_state(stored)
        outcome = step(state, input_of(record), EMPTY_CATALOG, record.received)
        self.states[person] = encode_state(state)
        if outcome.forward is not None:
            self.append(forwarded(record, outcome.forward.person, outcome.forward.absorb))

    def read(self, person: PersonId) -> bytes:
        """A person as they are read now, with everybody who is or will be part of them."""
        tail = sorted(record for records in self._unfolded.values() for record in records)
        return encode_state(assemble(person, {ANN, BOB, CID, DAN} - {person}, self.states.values(), tail))


def _story(chance: random.Random) -> list[NewRecord]:
    """Four people who become one, in a chain or in a star, with events before, between and after."""
    merges = chance.choice(
        [
            [(DAN, CID), (CID, BOB), (BOB, ANN)],
            [(CID, BOB), (DAN, ANN), (BOB, ANN)],
            [(BOB, ANN), (CID, ANN), (DAN, ANN)],
        ]
    )
    everybody = [ANN, BOB, CID, DAN]
    messages = count(1)
    story: list[NewRecord] = []
    for loser, survivor in [*merges, (None, None)]:
        for person in everybody:
            story += [_event(person, f"m{next(messages)}", NOON_MS - chance.randrange(3)) for _ in range(2)]
        if loser is not None and survivor is not None:
            story.append(_merge(loser, survivor))
            everybody.remove(loser)
    return story


@pytest.mark.parametrize("seed", range(12))
def test_a_read_is_the_same_however_far_the_log_is_folded(seed: int) -> None:
    """At every moment of folding, in any interleaving, through hand-overs and what they send on."""
    chance = random.Random(seed)
    log = Log()
    for record in _story(chance):
        log.append(record)
    expected = log.read(ANN)
    assert decode_state(expected).event_count == 20
    while behind := log.behind():
        log.fold_one(chance.choice(behind))
        assert log.read(ANN) == expected
    assert log.states[ANN] == expected


@pytest.mark.parametrize("seed", range(4))
def test_a_read_is_complete_while_events_come_in(seed: int) -> None:
    """What was appended before a read is in it, folded or not."""
    chance = random.Random(seed)
    log = Log()
    appended = 0
    for record in _story(chance):
        log.append(record)
        appended += record.kind is RecordKind.EVENT
        assert decode_state(log.read(ANN)).event_count == appended
        for person in log.behind():
            if chance.random() < 0.3:
                log.fold_one(person)


def test_what_can_not_be_folded_is_left_out_of_a_read() -> None:
    """The fold will set it aside; the rest of the tail is read."""
    log = Log()
    log.append(_event(ANN, "m1"))
    log.append(_event(ANN, "m2")._replace(payload=b"{"))
    log.append(_event(ANN, "m3")._replace(kind=RecordKind.TIMER, payload=b"\xc1"))
    log.append(_event(ANN, "m4"))
    assert decode_state(log.read(ANN)).event_count == 2


def test_reading_changes_no_stored_state() -> None:
    """Reading twice gives the same, and what was handed in is as before."""
    log = Log()
    for record in _story(random.Random(1)):
        log.append(record)
    for person in log.behind():
        log.fold_one(person)
    before = dict(log.states)
    assert log.read(ANN) == log.read(ANN)
    assert log.states == before


def test_nobody_is_an_empty_state() -> None:
    """A person without events is read as one of whom nothing is known."""
    assert assemble(ANN, [], [], []) == PersonState(ANN)


@pytest.mark.parametrize(
    ("kind", "payload", "given"),
    [
        (RecordKind.TIMER, timer_payload("cart/00", NOON_MS), TimerFired("cart/00", NOON_MS)),
        (RecordKind.HAND_OVER, hand_over_payload(BOB), HandOver(BOB)),
        (RecordKind.ABSORB, encode_state(PersonState(BOB)), Absorb(PersonState(BOB))),
    ],
)
def test_a_record_stands_for_its_input(kind: RecordKind, payload: bytes, given: object) -> None:
    """What the system itself put into the log is read back as it was meant."""
    assert input_of(Record(Position(1), Partition(1), ANN, kind, 0, 0, SourceId(0), bytes(16), payload)) == given


def test_an_event_stands_for_a_fact_of_its_person_or_of_its_group() -> None:
    """One payload, two meanings, told apart by the kind of the record."""
    new = _event(ANN, "m1")
    occurred = input_of(Record(Position(1), Partition(1), *new))
    grouped = input_of(Record(Position(1), Partition(1), *new._replace(kind=RecordKind.GROUP)))
    assert isinstance(occurred, Occurred)
    assert isinstance(grouped, GroupOccurred)
    assert occurred[:3] == grouped
    assert occurred.position == 1
    assert occurred.fact.id == "m1"
