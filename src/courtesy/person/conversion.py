"""Conversions: that somebody did what a message was to bring about, within a while after it left.

The state keeps what was done of all that goals ask for, and which conversions were told. From both follows what is to
be told, whatever came first: `news_of` compares, and says what is new and what does not hold any more. So it comes
right when an order is undone or taken back, and when people become one or are cut apart.

A conversion belongs to the last message before it that it fits. That tells what came after what; whether the message
was the reason, only a comparison with people who did not get it can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.time import DAY_MS, MINUTE_MS
from courtesy.person.messages import SENT_MAX, Sent

CONVERTED, CORRECTED = "Message Converted", "Message Conversion Corrected"
EVENTS = frozenset({CONVERTED, CORRECTED})
ATTRIBUTION = "last_touch"
"""How it was found which message it belongs to; for information only."""

DONE_MAX = 50
TOLD_MAX = 200
TEXT_CHARS_MAX = 200
MICROS = 1_000_000

Path = Annotated[str, Meta(min_length=1, max_length=200)]
Told = str | int | float | bool
"""What is kept of a property; other values are not."""


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a message is to bring about: an event of this name whose properties have the values of `where`, less than
    `within_ms` after it left.

    Properties are named by paths with dots. `value` is what it was worth, in the `currency` that a property has.
    `undone_by`: the event that undoes it when its property `key` is the same; empty for none.
    """

    event: Path
    where: dict[Path, Told] = {}
    within_ms: Annotated[int, Meta(ge=MINUTE_MS, le=31 * DAY_MS)] = 7 * DAY_MS
    value: str = ""
    currency: str = "currency"
    undone_by: str = ""
    key: str = "order_id"

    @property
    def paths(self) -> set[str]:
        """The properties that it asks for."""
        return {*self.where, self.key, *([self.value, self.currency] if self.value else [])}


class Done(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Something that a goal may ask for was done: when, the tie and the id of its event, its name and properties."""

    at: int
    tie: int
    event: str
    name: str
    told: dict[str, Told]

    @property
    def order(self) -> tuple[int, int, str]:
        """By time; each has another."""
        return self.at, self.tie, self.event


class Conversion(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """That a conversion of a message by an event was told: when it was, and what it was worth in millionths of a
    currency. `is_undone`: that it does not hold was told as well, which counts for ever."""

    at: int
    micros: int
    currency: str
    is_undone: bool = False


class Conversions(msgspec.Struct, array_like=True, gc=False):
    """What was done, the latest DONE_MAX, latest first; and what was told, by the ids of message and event."""

    done: list[Done] = []
    told: dict[str, dict[str, Conversion]] = {}


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What all goals ask for: which properties of which events."""

    goals: Mapping[str, Goal]
    paths: Mapping[str, set[str]]


def asked_of(goals: Mapping[str, Goal]) -> Asked | None:
    """What goals of campaigns ask for; None when there are none."""
    paths: dict[str, set[str]] = {}
    for goal in goals.values():
        for name in (goal.event, goal.undone_by):
            if name:
                paths.setdefault(name, set()).update(goal.paths)
    return Asked(goals, paths) if goals else None


def note_done(kept: Conversions, done: Done) -> None:
    """Keep that something was done."""
    _keep(kept, [done])


def done_of(asked: Asked, at: int, tie: int, event: str, name: str, properties: Mapping[str, Any]) -> Done:
    """What is kept of an event that goals ask for."""
    found = {path: _at(properties, path) for path in asked.paths[name]}
    return Done(at, tie, event, name, {path: each for path, each in sorted(found.items()) if each is not None})


def _at(properties: Mapping[str, Any], path: str) -> Told | None:
    found: Any = properties
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return found[:TEXT_CHARS_MAX]
    return found if isinstance(found, bool | float) or (isinstance(found, int) and abs(found) < 2**53) else None


def note_told(kept: Conversions, name: str, properties: Mapping[str, Any]) -> None:
    """Keep what an event told of a conversion. One that names none changes nothing."""
    message, event, at = (properties.get(each) for each in ("message", "event", "at"))
    micros, currency = properties.get("micros", 0), properties.get("currency", "")
    if isinstance(message, str) and isinstance(event, str) and isinstance(at, int) and isinstance(micros, int):
        _tell(kept, message, event, Conversion(at, micros, str(currency), name == CORRECTED))


def join(kept: Conversions, others: Conversions) -> None:
    """Add what is known of somebody who became one with this person."""
    _keep(kept, others.done)
    for message, events in others.told.items():
        for event, each in events.items():
            _tell(kept, message, event, each)


def _keep(kept: Conversions, more: Iterable[Done]) -> None:
    known = {each.event: each for each in [*kept.done, *more]}
    kept.done = sorted(known.values(), key=lambda each: each.order, reverse=True)[:DONE_MAX]


def _tell(kept: Conversions, message: str, event: str, told: Conversion) -> None:
    known = kept.told.setdefault(message, {}).get(event)
    kept.told[message][event] = told if known is None or told.is_undone else known
    if len(kept.told) > TOLD_MAX:
        del kept.told[min(kept.told, key=lambda each: (max(one.at for one in kept.told[each].values()), each))]


def holding(kept: Conversions, message: str) -> Conversion | None:
    """The conversion of a message that holds, as far as it was told."""
    return next((each for each in kept.told.get(message, {}).values() if not each.is_undone), None)


# -- what is to be told


def news_of(kept: Conversions, sent: Sequence[Sent], goals: Mapping[str, Goal]) -> list[tuple[str, dict[str, Any]]]:
    """What is to be told now by all that is known, names and properties of events; it counts as told from now on.
    `sent`: what left, latest first."""
    found = list(_no_more(kept, sent, goals))
    for name, told in found:
        note_told(kept, name, told)
    # What does not hold any more makes room for others.
    fresh = _new(kept, sent, goals)
    for name, told in fresh:
        note_told(kept, name, told)
    return found + fresh


def _no_more(
    kept: Conversions, sent: Sequence[Sent], goals: Mapping[str, Goal]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Conversions that were told and do not hold."""
    there = {each.message: each for each in sent}
    by_event = {each.event: each for each in kept.done}
    for message, events in kept.told.items():
        for event, told in events.items():
            if told.is_undone:
                continue
            # What is only too long ago to be kept is not gone.
            has_left = message in there or (len(sent) >= SENT_MAX and told.at <= sent[-1].at + 31 * DAY_MS)
            was_done = event in by_event or (len(kept.done) >= DONE_MAX and told.at <= kept.done[-1].at)
            goal, done = goals.get(campaign_of(message)), by_event.get(event)
            is_undone = goal is not None and done is not None and _is_undone(kept, goal, done)
            if is_undone or not has_left or not was_done:
                channel = there[message].channel if message in there else ""
                yield CORRECTED, _properties(message, channel, event, told)


def _new(kept: Conversions, sent: Sequence[Sent], goals: Mapping[str, Goal]) -> list[tuple[str, dict[str, Any]]]:
    """Conversions that were not told: each event of one message, each message by one event, the earliest first."""
    is_gone = {(message, event) for message, events in kept.told.items() for event in events}
    converted = {message for message in kept.told if holding(kept, message) is not None}
    used = {event for events in kept.told.values() for event, each in events.items() if not each.is_undone}
    found = []
    for done in reversed(kept.done):
        last = next((each for each in sent if _fits(kept, goals.get(campaign_of(each.message)), done, each)), None)
        if last is None or done.event in used or last.message in converted or (last.message, done.event) in is_gone:
            continue
        converted.add(last.message)
        told = _worth(goals[campaign_of(last.message)], done)
        found.append((CONVERTED, _properties(last.message, last.channel, done.event, told)))
    return found


def campaign_of(message: str) -> str:
    """The campaign of a message, by its id."""
    return message.partition("/")[0]


def _fits(kept: Conversions, goal: Goal | None, done: Done, sent: Sent) -> bool:
    if goal is None or done.name != goal.event or not sent.at <= done.at < sent.at + goal.within_ms:
        return False
    return all(_same(done.told.get(path), value) for path, value in goal.where.items()) and not _is_undone(
        kept, goal, done
    )


def _same(one: Told | None, other: Told) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _is_undone(kept: Conversions, goal: Goal, done: Done) -> bool:
    key = done.told.get(goal.key)
    if not goal.undone_by or key is None:
        return False
    return any(each.name == goal.undone_by and each.told.get(goal.key) == key for each in kept.done)


def _worth(goal: Goal, done: Done) -> Conversion:
    value, currency = done.told.get(goal.value), done.told.get(goal.currency)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    micros = round(float(value) * MICROS) if is_number and value is not None else 0
    return Conversion(done.at, micros, currency if isinstance(currency, str) and is_number else "")


def _properties(message: str, channel: str, event: str, told: Conversion) -> dict[str, Any]:
    return {
        "message": message,
        "campaign": campaign_of(message),
        "channel": channel,
        "event": event,
        "at": told.at,
        "micros": told.micros,
        "value": told.micros / MICROS,
        "currency": told.currency,
        "attribution": ATTRIBUTION,
    }
