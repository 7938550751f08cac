"""Between the choices of a person and a form: what the form shows, and which choices a changed form makes.

Only what was changed in the form becomes a choice, and only where it changes something. What makes it less than simple:

- An allowance counts for all that lies within its scope, so allowing a topic is said for each allowed channel, never
  for all channels.
- A refusal stands until the same or a part of it is allowed later. A pause is a refusal with an end; who allows a
  channel during a pause and does not end the pause has it said again, at the same instant, where the refusal stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from courtesy.base.time import DAY_MS
from courtesy.consent.law import Laws, Why, allowed
from courtesy.consent.preference_centre import PreferenceCentre, Topic
from courtesy.consent.standing import (
    Kept,
    Standing,
    State,
    Verdict,
    scope_key,
    scope_of,
    verdict,
    without_restriction,
)
from courtesy.event.choice import ANY, Action, Basis, Scope

FREQUENCY = "frequency"
"""In a SET about a purpose: the name of one of the frequencies, empty for none."""

TICKED = frozenset({Why.GRANTED, Why.NOT_REFUSED, Why.NEEDED, Why.QUIET_HOURS, Why.HOUR_UNKNOWN})
"""Answers that mean yes but for the time of day."""


class Taste(StrEnum):
    """What somebody says of a thing."""

    LIKE = "like"
    NEUTRAL = "neutral"
    DISLIKE = "dislike"


class Pause(StrEnum):
    """What somebody wants of a pause. KEEP: as it is."""

    KEEP = "keep"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    END = "end"


PAUSE_DAYS = {Pause.WEEK: 7, Pause.MONTH: 30, Pause.QUARTER: 91}


class Wishes(msgspec.Struct, frozen=True, array_like=True):
    """What a form shows, in the order of the definition: for each purpose each channel, then uses, topics, likes.
    `paused_until`: ms UTC, None without a pause."""

    channels: tuple[tuple[bool, ...], ...]
    uses: tuple[bool, ...]
    topics: tuple[bool, ...]
    tastes: tuple[Taste, ...]
    frequency: str
    paused_until: int | None = None


class Person(NamedTuple):
    """What counts of a person here: their choices, where they are (`*`: not known), and for which brand they choose
    (`*`: for all)."""

    standing: Standing
    place: str
    brand: str = ANY

    def scope(self, purpose: str, channel: str = ANY, topic: str = ANY) -> Scope:
        """A scope of the brand, anywhere."""
        return Scope(purpose, channel, topic, self.brand)

    def said_of(self, purpose: str, topic: str = ANY) -> list[Kept]:
        """The choices about just that, for the brand or for all."""
        scopes = dict.fromkeys((self.scope(purpose, topic=topic), Scope(purpose, topic=topic)))
        return [each for scope in scopes for each in self.standing.scopes.get(scope_key(scope), ())]


def wishes_of(centre: PreferenceCentre, person: Person, now_ms: int, laws: Laws) -> Wishes:
    """What the form shows of a person: ticked is what is allowed now, apart from pauses, a restriction and the time of
    day."""
    lasting = person._replace(standing=without_restriction(_without_pauses(person.standing)))

    def is_ticked(purpose: str, channel: str = ANY) -> bool:
        asked = person.scope(purpose, channel)._replace(jurisdiction=person.place)
        return allowed(lasting.standing, asked, now_ms, laws).why in TICKED

    channels = tuple(
        tuple(is_ticked(purpose.name, each.name) for each in centre.channels) for purpose in centre.purposes
    )
    return Wishes(
        channels,
        tuple(is_ticked(use.name) for use in centre.uses),
        tuple(_is_wanted(centre, topic, channels, lasting, now_ms) for topic in centre.topics),
        tuple(_taste(lasting, item.name, now_ms) for item in centre.likes),
        _frequency(centre, lasting, now_ms),
        _paused_until(centre, channels, person, now_ms),
    )


def everything_refused(wishes: Wishes) -> Wishes:
    """The form with no channel ticked."""
    return msgspec.structs.replace(wishes, channels=tuple(tuple(False for _ in row) for row in wishes.channels))


def _without_pauses(standing: Standing) -> Standing:
    scopes = {
        key: [each for each in kept if not _is_pause(scope_of(key), each)] for key, kept in standing.scopes.items()
    }
    return Standing(scopes, standing.voids, standing.is_cut)


def _is_pause(scope: Scope, kept: Kept) -> bool:
    return (
        kept.action is Action.OBJECT and kept.held_to is not None and scope == Scope(scope.purpose, brand=scope.brand)
    )


def _verdict(person: Person, scope: Scope, now_ms: int) -> Verdict:
    return verdict(person.standing, scope._replace(jurisdiction=person.place), now_ms, frozenset(Basis), {})


def _paused_until(
    centre: PreferenceCentre, channels: tuple[tuple[bool, ...], ...], person: Person, now_ms: int
) -> int | None:
    """When the pause of what is ticked ends; where nothing is, there is nothing to pause."""
    ends: list[int] = []
    for row, purpose in enumerate(centre.purposes):
        scope, own = person.scope(purpose.name), person.said_of(purpose.name)
        for column, channel in enumerate(centre.channels):
            if channels[row][column]:
                kept = _verdict(person, person.scope(purpose.name, channel.name), now_ms).kept
                ends += [each.held_to for each in kept if each in own and each.held_to and _is_pause(scope, each)]
    return max(ends, default=None)


def _is_wanted(
    centre: PreferenceCentre, topic: Topic, channels: tuple[tuple[bool, ...], ...], person: Person, now_ms: int
) -> bool:
    """Whether a topic is left in: for some channel that is allowed; with none allowed, by what was said last of it."""
    row = channels[[each.name for each in centre.purposes].index(topic.purpose)]
    asked = [
        person.scope(topic.purpose, each.name, topic.name) for each, on in zip(centre.channels, row, strict=True) if on
    ]
    if asked:
        return any(_verdict(person, each, now_ms).state is not State.REFUSED for each in asked)
    said = _latest(person, topic.purpose, topic.name, now_ms, refusals=True)
    return said is None or not said.refuses


def _latest(person: Person, purpose: str, topic: str, now_ms: int, *, refusals: bool = False) -> Kept | None:
    """What was set last about just that; or refused, if asked for."""
    return max(
        (
            each
            for each in person.said_of(purpose, topic)
            if each.id not in person.standing.voids
            and each.held_from <= now_ms
            and (each.held_to is None or now_ms < each.held_to)
            and (each.action is Action.SET or (refusals and each.refuses))
        ),
        key=lambda each: (each.held_from, each.id),
        default=None,
    )


def _taste(person: Person, name: str, now_ms: int) -> Taste:
    said = _latest(person, ANY, name, now_ms)
    return Taste(said.value) if said is not None and said.value in list(Taste) else Taste.NEUTRAL


def _frequency(centre: PreferenceCentre, person: Person, now_ms: int) -> str:
    said = _latest(person, centre.purposes[0].name, ANY, now_ms)
    value = said.value.get(FREQUENCY) if said is not None and isinstance(said.value, dict) else None
    return next((each.name for each in centre.frequencies if each.name == value), "")


Told = dict[str, Any]
"""A choice as a client tells it."""


def changes(
    centre: PreferenceCentre,
    person: Person,
    shown: Wishes,
    wanted: Wishes,
    pause: Pause,
    now_ms: int,
    laws: Laws,
) -> list[Told]:
    """The choices that a form makes that showed some wishes and came back with others; all of one instant."""
    now = wishes_of(centre, person, now_ms, laws)
    told = [
        *_channel_changes(centre, person, (shown, wanted, now), now_ms),
        *_use_changes(centre, person, (shown, wanted, now), now_ms),
        *_topic_changes(centre, person, (shown, wanted, now)),
        *_set_changes(centre, person, (shown, wanted, now)),
    ]
    return [*told, *_pause_changes(centre, person, (wanted, now), pause, told, now_ms)]


def refused_everywhere(centre: PreferenceCentre) -> list[Told]:
    """The choices of somebody who wants no messages any more, of whatever brand."""
    return [_told(Action.OBJECT, Scope(purpose)) for purpose in centre.all_purposes]


def _changed(shown: Any, wanted: Any, now: Any) -> bool:
    return wanted not in (shown, now)


def _channel_changes(
    centre: PreferenceCentre, person: Person, forms: tuple[Wishes, Wishes, Wishes], now_ms: int
) -> Iterator[Told]:
    shown, wanted, now = (each.channels for each in forms)
    for row, purpose in enumerate(centre.purposes):
        for column, channel in enumerate(centre.channels):
            if _changed(shown[row][column], wanted[row][column], now[row][column]):
                scope = person.scope(purpose.name, channel.name)
                yield from switched(person, scope, now_ms, on=wanted[row][column])
                if wanted[row][column]:
                    yield from _topics_let_in(centre, scope, forms[1], person, now_ms)


def _use_changes(
    centre: PreferenceCentre, person: Person, forms: tuple[Wishes, Wishes, Wishes], now_ms: int
) -> Iterator[Told]:
    shown, wanted, now = (each.uses for each in forms)
    for place, use in enumerate(centre.uses):
        if _changed(shown[place], wanted[place], now[place]):
            yield from switched(person, person.scope(use.name), now_ms, on=wanted[place])


def switched(person: Person, scope: Scope, now_ms: int, *, on: bool) -> Iterator[Told]:
    """What allows or refuses a scope; an allowance also where refusals of one place alone stand in its way."""
    found = _verdict(person, scope, now_ms)
    if not on:
        yield _told(Action.WITHDRAW if found.state is State.GRANTED else Action.OBJECT, scope)
        return
    yield _told(Action.GRANT, scope)
    everywhere = [kept for key, kept in person.standing.scopes.items() if scope_of(key).jurisdiction == ANY]
    if person.place != ANY and any(
        each.refuses and not any(each in kept for kept in everywhere) for each in found.kept
    ):
        yield _told(Action.GRANT, scope._replace(jurisdiction=person.place))


def _topics_let_in(
    centre: PreferenceCentre, scope: Scope, wanted: Wishes, person: Person, now_ms: int
) -> Iterator[Told]:
    """Topics that are left in and that an older refusal keeps out of a channel that is allowed now."""
    for topic, is_wanted in zip(centre.topics, wanted.topics, strict=True):
        about = scope._replace(topic=topic.name)
        refusals = [each for each in _verdict(person, about, now_ms).kept if each.refuses]
        of_topic = person.said_of(scope.purpose, topic.name)
        if is_wanted and topic.purpose == scope.purpose and any(each in of_topic for each in refusals):
            yield _told(Action.GRANT, about)


def _topic_changes(centre: PreferenceCentre, person: Person, forms: tuple[Wishes, Wishes, Wishes]) -> Iterator[Told]:
    shown, wanted, now = (each.topics for each in forms)
    purposes = [each.name for each in centre.purposes]
    for place, topic in enumerate(centre.topics):
        if not _changed(shown[place], wanted[place], now[place]):
            continue
        scope = person.scope(topic.purpose, topic=topic.name)
        if not wanted[place]:
            yield _told(Action.OBJECT, scope)
            continue
        yield _told(Action.SET, scope, value=True)
        row = forms[1].channels[purposes.index(topic.purpose)]
        for channel, is_on in zip(centre.channels, row, strict=True):
            if is_on:
                yield _told(Action.GRANT, scope._replace(channel=channel.name))


def _set_changes(centre: PreferenceCentre, person: Person, forms: tuple[Wishes, Wishes, Wishes]) -> Iterator[Told]:
    shown, wanted, now = forms
    for place, item in enumerate(centre.likes):
        if _changed(shown.tastes[place], wanted.tastes[place], now.tastes[place]):
            yield _told(Action.SET, person.scope(ANY, topic=item.name), value=str(wanted.tastes[place]))
    if _changed(shown.frequency, wanted.frequency, now.frequency):
        yield _told(Action.SET, person.scope(centre.purposes[0].name), value={FREQUENCY: wanted.frequency})


def _pause_changes(
    centre: PreferenceCentre,
    person: Person,
    forms: tuple[Wishes, Wishes],
    pause: Pause,
    told: Iterable[Told],
    now_ms: int,
) -> Iterator[Told]:
    wanted, now = forms
    until: int | None = None
    if pause in PAUSE_DAYS:
        until = now_ms + PAUSE_DAYS[pause] * DAY_MS
    elif pause is Pause.KEEP and any(each["action"] == Action.GRANT for each in told):
        until = now.paused_until
    if until is not None:
        for purpose in centre.purposes:
            yield _told(Action.OBJECT, person.scope(purpose.name), heldTo=until)
    if now.paused_until is not None and (until is None or until < now.paused_until) and pause is not Pause.KEEP:
        yield from _pause_ended(centre, person, wanted, told)


def _pause_ended(centre: PreferenceCentre, person: Person, wanted: Wishes, told: Iterable[Told]) -> Iterator[Told]:
    """Allowances of what is ticked, which take a pause back; a shorter one of the same instant stands."""
    allowed_now = {
        (each["purpose"], each["channel"]) for each in told if each["action"] == Action.GRANT and each["topic"] == ANY
    }
    for row, purpose in enumerate(centre.purposes):
        for column, channel in enumerate(centre.channels):
            if wanted.channels[row][column] and (purpose.name, channel.name) not in allowed_now:
                yield _told(Action.GRANT, person.scope(purpose.name, channel.name))


def _told(action: Action, scope: Scope, **more: Any) -> Told:
    return {"action": str(action), **scope._asdict(), **more}
