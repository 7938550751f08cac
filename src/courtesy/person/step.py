"""The step: `step(state, input, catalog, now_ms) -> Outcome`. Pure, the only implementation of what an input means.

Runs live, in replay and in simulation alike. It takes over the state that it is given and changes it in place; whoever
needs the old one decodes it again from its stored form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import PersonId, Position, effect_key, tie_break
from courtesy.base.time import to_iso
from courtesy.catalogue.change import EVENTS as ITEM_EVENTS
from courtesy.consent.request import REQUEST_OVERDUE
from courtesy.event.event import SEGMENT_ENTERED, SEGMENT_LEFT, EventType, Fact, behaviour_name
from courtesy.offer.low_water import CODES_LOW, OFFER_LOW
from courtesy.offer.standing import EVENTS as OFFER_EVENTS
from courtesy.person import conversion
from courtesy.person.catalog import NO_TOUCH, Catalog, Desk, Subscription, Touched
from courtesy.person.conversion import Asked
from courtesy.person.fold import fold_fact, fold_group_fact, merge, storable
from courtesy.person.marks import Crossing, Mark, Marks, join_marks, leaving
from courtesy.person.messages import ASKED, LEFT
from courtesy.person.state import TIMERS_MAX, Pending, PersonState, Stamp, encode_state

WEBHOOK = "webhook"

STARTING = frozenset(
    {SEGMENT_ENTERED, SEGMENT_LEFT, *OFFER_EVENTS, OFFER_LOW, CODES_LOW, *ITEM_EVENTS, REQUEST_OVERDUE}
)
"""What of all that Courtesy itself reports starts subscriptions: what is news of a person or for whoever runs a shop,
and follows from no call. The how-tos promise it of each."""

LOOK, WAKE = "segments", "segments/wake"
"""Timers by which segments are looked at again: the one that a person's own segments are due by, and the one by which
everybody is looked at when a segment is made ready."""

LOOKS = (LOOK, WAKE)


class Occurred(NamedTuple):
    """A fact happened to this person. `tie` and `key` come from its message; `position` is where it was appended."""

    fact: Fact
    tie: int
    key: bytes
    position: Position | None = None


class GroupOccurred(NamedTuple):
    """A group call, seen from the group."""

    fact: Fact
    tie: int
    key: bytes


class TimerFired(NamedTuple):
    """A timer of this person came due at `due_ms`."""

    timer: str
    due_ms: int


class HandOver(NamedTuple):
    """This person became part of another: give them everything."""

    survivor: PersonId


class Absorb(NamedTuple):
    """Another person became part of this one: take everything."""

    state: PersonState


class Counted(NamedTuple):
    """What this person did before anybody asked for it: marks of the events up to when a segment was defined."""

    marks: dict[str, Mark]
    at_ms: int


class Settled(NamedTuple):
    """A condition that can't be told from one person alone holds for this one now, or does no more. `number`: under
    which the store keeps for whom it does."""

    condition: str
    number: int
    holds: bool
    at_ms: int


class Restore(NamedTuple):
    """What is known of this person was found anew from history: this is the state, with its timers, and the room that
    is held for what is on its way."""

    state: PersonState


Input = Occurred | GroupOccurred | TimerFired | HandOver | Absorb | Restore | Counted | Settled


class Effect(NamedTuple):
    """Something to be done in the world, once per key, and not before an instant (ms UTC; 0: at once)."""

    key: bytes
    kind: str
    target: str
    body: bytes
    not_before_ms: int = 0


class News(NamedTuple):
    """Something to be told of this person, by an event of the type `system`. `about`: what no other news of that name
    has that one input causes."""

    name: str
    properties: dict[str, Any]
    about: str = ""


class TimerSet(NamedTuple):
    """Look at this person again at `due_ms`."""

    timer: str
    due_ms: int


class TimerCancelled(NamedTuple):
    """No longer needed."""

    timer: str


class Forward(NamedTuple):
    """An input that belongs to another person: their log gets it instead. `absorb` carries an encoded state."""

    person: PersonId
    absorb: bytes | None = None


@dataclass(slots=True)
class Outcome:
    """What a step asks for beside the changed state."""

    effects: list[Effect] = field(default_factory=list)
    timers: list[TimerSet | TimerCancelled] = field(default_factory=list)
    forward: Forward | None = None
    crossings: list[Crossing] = field(default_factory=list)
    news: list[News] = field(default_factory=list)


NOTHING = Outcome()
"""What most steps ask for; never changed."""


def step(state: PersonState, given: Input, catalog: Catalog, now_ms: int) -> Outcome:
    """Apply one input to the state it is given, and say what follows from it.

    Facts do not depend on `now_ms`, nor on the order of inputs; effects and timers may. An input for a person who
    became part of another is forwarded whole and changes nothing. A restored state replaces whatever there was.
    """
    if isinstance(given, Restore):
        return _restore(state, given.state, catalog, now_ms)
    if state.merged_into is not None and not isinstance(given, HandOver):
        if isinstance(given, Settled):
            return NOTHING  # it was asked of who they were alone, and will be of whom they are part now
        absorbed = encode_state(given.state) if isinstance(given, Absorb) else None
        return Outcome(forward=Forward(state.merged_into, absorbed))
    if isinstance(given, Occurred):
        return _occur(state, given, catalog, now_ms)
    if isinstance(given, GroupOccurred):
        fold_group_fact(state, given.fact, given.tie)
        return NOTHING
    if isinstance(given, TimerFired):
        return _look_again(state, catalog, given.due_ms) if given.timer in LOOKS else _fire(state, given, catalog)
    if isinstance(given, HandOver):
        return _hand_over(state, given.survivor, catalog)
    if isinstance(given, Counted):
        return _add_counted(state, given, catalog)
    if isinstance(given, Settled):
        return _settle(state, given, catalog)
    return _absorb(state, given.state, catalog, now_ms)


def _occur(state: PersonState, given: Occurred, catalog: Catalog, now_ms: int) -> Outcome:
    fact = given.fact
    fold_fact(state, fact, given.tie, given.key)
    outcome = _react(state, given, catalog, now_ms) if fact.live and catalog.subscriptions else NOTHING
    if fact.name == ASKED and catalog.desk is not None and fact.live and fact.type is EventType.SYSTEM:
        outcome = _take(state, given, catalog.desk, outcome, now_ms)
    if catalog.goals is not None and note_done(state, given, catalog.goals) and fact.live:
        outcome = _converted(state, outcome, catalog)
    if catalog.watch is None:
        return outcome
    touched = catalog.watch.count(state, fact, given.tie, given.position)
    return _turned(state, outcome, catalog.watch.turn(state, touched, fact.received, fact.id, live=fact.live))


def _add_counted(state: PersonState, given: Counted, catalog: Catalog) -> Outcome:
    """Add what was counted. It may come after a segment became ready that asks for it: forwarded, to a survivor."""
    state.marks = state.marks or Marks()
    join_marks(state.marks.marks, given.marks)
    if catalog.watch is None:
        return NOTHING
    touched = Touched(patterns=list(given.marks))
    return _turned(state, NOTHING, catalog.watch.turn(state, touched, given.at_ms, "counted", live=True))


def _take(state: PersonState, given: Occurred, desk: Desk, outcome: Outcome, now_ms: int) -> Outcome:
    """Have the desk decide about a message."""
    decided = desk.take(state, given.fact, given.key, now_ms)
    if decided is None:
        return outcome
    outcome = Outcome() if outcome is NOTHING else outcome
    if decided.effect is not None:
        outcome.effects.append(Effect(*decided.effect))
    if decided.news is not None:
        outcome.news.append(News(*decided.news))
    return outcome


def note_done(state: PersonState, given: Occurred, goals: Asked) -> bool:
    """Keep what goals may ask for of a fact; whether it has to do with any: it was asked for, or a message left."""
    fact, name = given.fact, behaviour_name(given.fact)
    if name is None:
        return False
    if fact.type is EventType.SYSTEM:
        return name in LEFT
    if name not in goals.paths:
        return False
    done = conversion.done_of(goals, fact.at, given.tie, fact.id, name, fact.properties or {})
    state.conversions = state.conversions or conversion.Conversions()
    conversion.note_done(state.conversions, done)
    return True


def _converted(state: PersonState, outcome: Outcome, catalog: Catalog) -> Outcome:
    """The same with what is to be told of conversions. Who only reads tells nothing."""
    if state.conversions is None or catalog.goals is None or catalog.desk is None:
        return outcome
    sent = [] if state.messages is None else state.messages.sent
    found = conversion.news_of(state.conversions, sent, catalog.goals.goals)
    if not found:
        return outcome
    outcome = Outcome() if outcome is NOTHING else outcome
    outcome.news += [News(name, told, f"{told['message']}\0{told['event']}") for name, told in found]
    return outcome


def _settle(state: PersonState, given: Settled, catalog: Catalog) -> Outcome:
    """Note a condition, and look at the segments that stand on it."""
    state.marks = state.marks or Marks()
    if given.holds:
        state.marks.settled[given.condition] = given.number
    else:
        state.marks.settled.pop(given.condition, None)
    crossings = [_noted(given.number, given.at_ms, holds=given.holds)]
    if catalog.watch is not None:
        touched = Touched(settled=given.condition)
        crossings += catalog.watch.turn(state, touched, given.at_ms, "others", live=True)
    return _turned(state, NOTHING, crossings)


def _noted(number: int, at_ms: int, *, holds: bool) -> Crossing:
    """That the store is to keep for whom a condition holds."""
    return Crossing(number, "", "", holds, at_ms, "", live=False, is_news=False)


def _look_again(state: PersonState, catalog: Catalog, due_ms: int) -> Outcome:
    """Move the segments on to an instant that was waited for."""
    if state.marks is None:
        state.marks = Marks()
    state.marks.timer = 0
    if catalog.watch is None:
        return NOTHING
    return _turned(state, NOTHING, catalog.watch.turn(state, NO_TOUCH, due_ms, "time", live=True))


def _turned(state: PersonState, outcome: Outcome, crossings: list[Crossing]) -> Outcome:
    """The same with what the watch found, and with a timer for when it is to look again."""
    assert state.marks is not None
    first_ms = state.marks.first
    if not crossings and first_ms == state.marks.timer:
        return outcome
    outcome = Outcome() if outcome is NOTHING else outcome
    outcome.crossings += crossings
    if first_ms != state.marks.timer:
        state.marks.timer = first_ms
        outcome.timers.append(TimerSet(LOOK, first_ms) if first_ms else TimerCancelled(LOOK))
    return outcome


def _react(state: PersonState, given: Occurred, catalog: Catalog, now_ms: int) -> Outcome:
    name = behaviour_name(given.fact)
    # What Courtesy itself reports starts nothing, or the report of a webhook could call the next webhook for ever.
    if name is None or (given.fact.type is EventType.SYSTEM and name not in STARTING):
        return NOTHING
    outcome = Outcome()
    stamp = Stamp(given.fact.at, given.tie)
    _call_off(state, name, stamp, catalog, outcome)
    for each in catalog.started_by(name):
        if each.delay_ms == 0:
            outcome.effects.append(_effect(each, state.person, _summary(given.fact), given.key))
        elif not _already_called_off(state, each, stamp):
            _wait(state, each, given, max(given.fact.at + each.delay_ms, now_ms), outcome)
    return outcome


def _call_off(state: PersonState, name: str, stamp: Stamp, catalog: Catalog, outcome: Outcome) -> None:
    """End the waits that an event of this name calls off, and those whose subscription is gone."""
    for timer, pending in list(state.timers.items()):
        subscription = catalog.by_name.get(pending.subscription)
        if subscription is None or (
            name in subscription.unless and _is_later(name, stamp, timer, pending, subscription)
        ):
            del state.timers[timer]
            outcome.timers.append(TimerCancelled(timer))


def _is_later(name: str, stamp: Stamp, timer: str, pending: Pending, subscription: Subscription) -> bool:
    """At the time of what waits, or later. Of two starts in one millisecond one goes on, whichever came first."""
    if stamp.at == pending.at and name in subscription.events:
        return stamp > _stamp_of(timer, pending)
    return stamp.at >= pending.at


def _already_called_off(state: PersonState, each: Subscription, stamp: Stamp) -> bool:
    """True when what calls off the wait of an event is known already, because that event came late."""
    known = (state.behaviours.get(name) for name in each.unless)
    return any(
        behaviour is not None and behaviour.last.at >= stamp.at and behaviour.last != stamp for behaviour in known
    )


def _wait(state: PersonState, each: Subscription, given: Occurred, due_ms: int, outcome: Outcome) -> None:
    timer = f"{each.name}/{given.key.hex()}"
    if len(state.timers) >= TIMERS_MAX and timer not in state.timers:
        return
    state.timers[timer] = Pending(due_ms, each.name, given.fact.at, _summary(given.fact))
    outcome.timers.append(TimerSet(timer, due_ms))


def _key_of(timer: str) -> bytes:
    """The key of the event that waits under this timer."""
    return bytes.fromhex(timer.rpartition("/")[2])


def _stamp_of(timer: str, pending: Pending) -> Stamp:
    return Stamp(pending.at, tie_break(_key_of(timer)))


def _fire(state: PersonState, given: TimerFired, catalog: Catalog) -> Outcome:
    pending = state.timers.pop(given.timer, None)
    subscription = catalog.by_name.get(pending.subscription) if pending else None
    if pending is None or subscription is None:
        return NOTHING
    effect = _effect(subscription, state.person, pending.event, _key_of(given.timer))
    return Outcome(effects=[effect])


def _summary(fact: Fact) -> dict[str, Any]:
    return {
        "messageId": fact.id,
        "type": str(fact.type),
        "event": fact.name,
        "timestamp": to_iso(fact.at),
        "identifiers": list(fact.ids),
        # It may have to wait in the state, which holds no whole numbers beyond 64 bits.
        "properties": storable(fact.properties or {}),
    }


def _effect(each: Subscription, person: PersonId, event: dict[str, Any], input_key: bytes) -> Effect:
    body = {
        "type": "event.occurred",
        "timestamp": event["timestamp"],
        "data": {"subscription": each.name, "person": str(person), "event": event},
    }
    return Effect(effect_key(input_key, f"{WEBHOOK}/{each.name}"), WEBHOOK, each.name, msgspec.json.encode(body))


def _hand_over(state: PersonState, survivor: PersonId, catalog: Catalog) -> Outcome:
    if state.merged_into is not None:
        return NOTHING
    cancelled: list[TimerSet | TimerCancelled] = [TimerCancelled(timer) for timer in state.timers]
    outcome = Outcome(timers=cancelled, forward=Forward(survivor, encode_state(state)))
    if state.marks is not None:
        if state.marks.timer:
            outcome.timers.append(TimerCancelled(LOOK))
        kept = (*state.marks.inside, *map(str, state.marks.settled.values()))
        outcome.crossings += [leaving(key, state.marks.now) for key in kept]
    clear(state)
    state.merged_into = survivor
    return outcome


def clear(state: PersonState) -> None:
    """Forget everything but whose state it is."""
    _become(state, PersonState(state.person))


def _become(state: PersonState, other: PersonState) -> None:
    for name in PersonState.__struct_fields__:
        setattr(state, name, getattr(other, name))


def _restore(state: PersonState, found: PersonState, catalog: Catalog, now_ms: int) -> Outcome:
    outcome = Outcome(timers=[TimerCancelled(timer) for timer in state.timers if timer not in found.timers])
    outcome.timers += [TimerSet(timer, pending.due) for timer, pending in found.timers.items()]
    before, was_merged = state.marks, state.merged_into is not None
    _become(state, found)
    if before is not None:
        # Facts are found anew; who was inside until now is still to leave where the facts say so.
        state.marks = state.marks or Marks()
        state.marks.now, state.marks.timer = before.now, before.timer
        if not was_merged:
            state.marks.inside, state.marks.due, state.marks.first = before.inside, before.due, before.first
        state.marks.seen, state.marks.settled = before.seen, before.settled
        if not state.identifiers:
            # Nobody is left to look at, and what they were in may tell of who was taken away.
            outcome.crossings += [leaving(key, now_ms) for key in state.marks.inside]
            state.marks.inside, state.marks.due, state.marks.first = {}, {}, 0
    outcome = _converted(state, outcome, catalog)
    if catalog.watch is None:
        return outcome
    return _turned(state, outcome, catalog.watch.turn(state, None, now_ms, "restored", live=False))


def _absorb(state: PersonState, other: PersonState, catalog: Catalog, now_ms: int) -> Outcome:
    """Take over facts and waits. What either of the two did may call off what waits for the other."""
    own = set() if state.marks is None else set(state.marks.settled)
    outcome = _converted(state, _absorb_waits(state, other, catalog), catalog)
    settled = {} if other.marks is None else other.marks.settled
    # Noted in the store too, so that they are told when it turns out not to hold for the two as one.
    crossings = [_noted(number, now_ms, holds=True) for key, number in settled.items() if key not in own]
    if catalog.watch is not None:
        crossings += catalog.watch.turn(state, None, now_ms, "joined", live=True)
    return _turned(state, outcome, crossings) if crossings or catalog.watch is not None else outcome


def _absorb_waits(state: PersonState, other: PersonState, catalog: Catalog) -> Outcome:
    own = set(state.timers)
    merge(state, other)
    outcome = Outcome()
    if not state.timers:
        return outcome
    waiting = [timer for timer, pending in state.timers.items() if _is_waiting(state, timer, pending, catalog)]
    kept = set(sorted(waiting, key=lambda timer: (state.timers[timer].due, timer))[:TIMERS_MAX])
    for timer, pending in list(state.timers.items()):
        if timer in kept and timer not in own:
            outcome.timers.append(TimerSet(timer, pending.due))
        elif timer not in kept:
            del state.timers[timer]
            if timer in own:
                outcome.timers.append(TimerCancelled(timer))
    return outcome


def _is_waiting(state: PersonState, timer: str, pending: Pending, catalog: Catalog) -> bool:
    # Who reads a person does so without subscriptions, and calls nothing off.
    subscription = catalog.by_name.get(pending.subscription)
    return subscription is None or not _already_called_off(state, subscription, _stamp_of(timer, pending))
