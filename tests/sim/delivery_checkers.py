"""What must hold of messages that were sent, however it went: one end each, none without a basis, none too many."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import DAY_MS, MINUTE_MS, SECOND_MS
from courtesy.person.messages import ASKED, ENDS, FAILED, SENT, SKIPPED, UNSURE
from courtesy.person.record import RecordKind
from courtesy.person.state import decode_state
from tests.sim.basis import Basis, Question
from tests.sim.delivery import POLICY, ROOM, ROOM_A_DAY, Run
from tests.sim.history import Filed, History
from tests.sim.leaving import Issued
from tests.sim.run import ROWS_MAX

Check = Callable[[Run], Awaitable[Iterator[str]]]
UNITS = 1_000
"""Of prices in one of a window's room."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the log says of one message: whether it was asked for, and to what ends it came."""

    asked: list[Filed]
    ends: list[tuple[str, dict[str, Any]]]


def told_of(history: History) -> dict[str, Told]:
    """All that is told of messages, of people who are not forgotten; copies left out."""
    found: dict[str, Told] = defaultdict(lambda: Told([], []))
    for each in history.filed:
        # Copies are of another kind; what is news to the log is written by commits as they are.
        if each.record.kind is not RecordKind.EVENT or history.is_gone(each):
            continue
        event = msgspec.json.decode(each.record.payload)
        name, properties = event.get("name"), event.get("properties", {})
        if name == ASKED:
            found[properties["message"]].asked.append(each)
        elif name in ENDS:
            found[properties["message"]].ends.append((name, properties))
    return found


async def check_ends(run: Run) -> Iterator[str]:
    """Whatever was asked for came to one end, and to no other; and of campaigns it is counted so."""
    found, history = list[str](), run.history
    told = told_of(history)
    names = Counter(
        f"{name} {properties.get('reason', '')}".strip() for each in told.values() for name, properties in each.ends
    )
    run.sizes.update(names)
    for message, each in told.items():
        if each.asked and len(each.ends) != 1:
            found.append(f"{message} came to {[name for name, _ in each.ends]}")
    effects = await run.system.engine.effects(None, ROWS_MAX)
    # Let through, and then refused by whoever had it in hand: something was said in between.
    run.sizes["overtaken"] += sum(each.cause == "not_allowed" for each in effects)
    found += [f"{each.key.hex()} is {each.state}" for each in effects if each.settled_ms is None]
    if not history.erasures:
        for start in await run.system.engine.runs(None):
            fates = (await run.system.engine.message_fates(start.campaign)).values()
            if sum(fates) != start.asked_count:
                found.append(f"{start.campaign} asked for {start.asked_count}, but counted {sum(fates)}")
    return iter(found)


async def check_carried(run: Run) -> Iterator[str]:
    """No letter was handed over twice, and each went where its end says: sent, or nobody knows."""
    found, told = list[str](), told_of(run.history)
    counts = Counter(each.message for each in run.carrier.taken)
    found += [f"{message} was handed over {count} times" for message, count in counts.items() if count > 1]
    for message, each in told.items():
        for name, properties in each.ends:
            if properties.get("channel") != "email":
                continue
            expected = {SENT: (1,), UNSURE: (0, 1), SKIPPED: (0,), FAILED: (0,)}[name]
            if counts[message] not in expected:
                found.append(f"{message} is told as {name}, but was handed over {counts[message]} times")
    return iter(found)


async def check_permitted(run: Run) -> Iterator[str]:
    """No letter was handed over without a permit in force; and no permit was issued to who had said otherwise, by all
    that was acknowledged before."""
    found, history = list[str](), run.history
    basis = Basis(history)
    issued = permits_of(history)
    for each in run.carrier.taken:
        own = [
            one for one in issued[each.message] if one.head <= each.head and one.permit.terms.scope.channel == "email"
        ]
        if not own:
            found.append(f"{each.message} was handed over at {each.head} without a permit")
        elif not history.clock_was_set and not any(_is_in_force(one, each.at_ms) for one in own):
            found.append(f"{each.message} was handed over at {each.at_ms}, when its permit had ended")
    for some in issued.values():
        for one in some:
            person, terms = one.permit.person, one.permit.terms
            assert person is not None
            asked = Question(person, terms.scope.purpose, terms.scope.channel, one.head, terms.issued_ms)
            ruling = basis.answer(asked)
            if not ruling.allowed:
                found.append(f"{terms.message} was permitted at {one.head} to {person}: {ruling.why}")
    return iter(found)


def permits_of(history: History) -> dict[str, list[Issued]]:
    """The permits of a run by message."""
    found: dict[str, list[Issued]] = defaultdict(list)
    for each in history.leaving.issued:
        found[each.permit.terms.message].append(each)
    return found


def _is_in_force(issued: Issued, at_ms: int) -> bool:
    return issued.permit.terms.issued_ms <= at_ms < issued.permit.terms.expires_ms


async def check_budget(run: Run) -> Iterator[str]:
    """When a message was permitted, all that had been permitted to this person by then, as far as it was known who they
    are, and left, or may have, cost no more than each window has room for."""
    found, history = list[str](), run.history
    left = left_messages(run)
    is_by_day = not history.clock_was_set
    for one in left:
        before = [
            each for each in left if each.number <= one.number and history.root_of(each.person, one.head) == one.person
        ]
        rooms = [(ROOM, before)]
        if is_by_day:
            rooms.append((ROOM_A_DAY, [each for each in before if each.at_ms > one.at_ms - DAY_MS]))
        for room, some in rooms:
            if sum(each.price for each in some) > room * UNITS:
                found.append(f"{one.person} was to get {one.message} after {some}: more than {room}")
    return iter(found)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A message that left, or may have: by which permit, to whom, when, and at what price."""

    number: int
    message: str
    person: PersonId
    head: Position
    at_ms: int
    price: int


def left_messages(run: Run) -> list[Leaving]:
    """All that left, by the permits on which it did; of people who are neither forgotten nor were cut apart."""
    history, permits, found = run.history, permits_of(run.history), []
    erased = {history.ever_with(person) for erasure in history.erasures for person in erasure.people}
    for message, each in told_of(history).items():
        for name, properties in each.ends:
            if name not in (SENT, UNSURE) or not permits[message]:
                continue
            last = permits[message][-1]
            person = last.permit.person
            assert person is not None
            if history.ever_with(person) not in erased and not history.was_cut_by_hand(person):
                found.append(
                    Leaving(
                        last.permit.number, message, person, last.head, last.permit.terms.issued_ms, properties["price"]
                    )
                )
    return found


async def check_released(run: Run) -> Iterator[str]:
    """Once nothing is on its way, no room is held for anything."""
    states = {person: decode_state(state) for person, state in run.system.disk.folding.states.items()}
    held = {person: state.messages.held for person, state in states.items() if state.messages is not None}
    return iter([f"{person} has room held for {sorted(some)}" for person, some in held.items() if some])


async def check_quiet(run: Run) -> Iterator[str]:
    """No letter leaves while it is night where the person is, as far as they told; where clocks are not set, for then
    nobody knows."""
    if run.history.clock_was_set:
        return iter(())
    found, zones, permits = list[str](), Zones(run.history), permits_of(run.history)
    for each in run.carrier.taken:
        last = [one for one in permits[each.message] if one.head <= each.head][-1:]
        for one in last:
            person = one.permit.person
            assert person is not None
            zone = zones.of(person, one.head)
            if is_night(zone, each.at_ms) and is_night(zone, each.at_ms - 2 * MINUTE_MS):
                found.append(f"{each.message} left at {each.at_ms}, by night in {zone}")
    return iter(found)


def is_night(zone: str, at_ms: int) -> bool:
    """By the policy of these runs."""
    assert POLICY.quiet_hours is not None
    there = datetime.fromtimestamp(at_ms / SECOND_MS, UTC).astimezone(ZoneInfo(zone))
    return not POLICY.quiet_hours.end <= f"{there:%H:%M}" < POLICY.quiet_hours.begin


class Zones:
    """Where people told that they are, by the events themselves."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._told = [
            each
            for each in history.filed
            if each.record.kind is RecordKind.EVENT and not each.forwarded and each.record.key in history.sent
            if b'"timezone"' in history.sent[each.record.key].raw
        ]

    def of(self, person: PersonId, head: Position) -> str:
        """The zone that was told last, by whom one believes most; that of the policy when none was."""
        history = self._history
        own = [
            msgspec.json.decode(each.record.payload) | {"tie": int.from_bytes(each.record.key[:8], "big", signed=True)}
            for each in self._told
            if each.record.position <= head and not history.is_gone(each, head)
            if history.owner_of(each, head) == person
        ]
        last = max(own, key=lambda each: (each["rank"], each["at"], each["tie"]), default=None)
        return POLICY.zone if last is None else str(last["traits"]["timezone"])


CHECKS: dict[str, Check] = {
    "ends": check_ends,
    "carried": check_carried,
    "permitted": check_permitted,
    "budget": check_budget,
    "released": check_released,
    "quiet": check_quiet,
}
