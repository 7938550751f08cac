"""Who is in a segment, found slowly: what the executions of the product have to agree with.

It is written from the docstrings of `segment/tree.py`, and shares nothing with the product but the types of that tree
and the law of consent, which is proven elsewhere. It looks at every fact for every question, tries every combination of
events for a sequence, and keeps nothing from one question to the next. Read it from the top to the bottom:

- `members`: who is asked about, and what they have (`Somebody`);
- `Asked.holds`: what each node of the tree means;
- below that, traits, groups, numbers, sequences, consent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from fractions import Fraction
from math import ceil
from typing import Any as Anything
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from courtesy.base.ids import PersonId
from courtesy.consent.law import Laws, Why, allowed
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import Kept, Standing, State, add, verdict
from courtesy.event.choice import Action, Basis, Choice, Scope, choice_id
from courtesy.event.event import EventType
from courtesy.segment import tree
from courtesy.segment.tree import Function, Segment, Whose
from tests.unit.segment import reference_clock as clock
from tests.unit.segment.facts import Told, World
from tests.unit.segment.reference_values import (
    Now,
    at_path,
    compares,
    counted,
    exact,
    filter_holds,
    folded,
    is_number,
    passes,
)

Member = tuple[int, str]
"""A person, and for which value they are in, in JSON; empty when the segment is not one for each."""

THE_LAW = Laws(LAWS)
HOURS_APART = {Why.GRANTED, Why.NOT_REFUSED, Why.NEEDED, Why.QUIET_HOURS, Why.HOUR_UNKNOWN}


def members(world: World, segments: Mapping[str, Segment], at_ms: int) -> dict[str, set[Member]]:
    """The members of each segment at an instant, by all that a world knows and what had happened by then."""
    crowd = Crowd(people_of(world, at_ms), segments, at_ms)
    return {
        name: {(person, written(value)) for person in crowd.people for value in crowd.values(person, name)}
        for name in segments
    }  # fmt: skip


def written(value: tree.Value | None) -> str:
    """A value in JSON; empty for none."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)


# -- who there is


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person: all that had happened of them by an instant, oldest first, and what had happened of anybody."""

    world: World
    told: Sequence[Told]
    everything: Sequence[Told]

    @property
    def did(self) -> list[Told]:
        """What of it they did."""
        return [each for each in self.told if name_of(each) is not None]

    @property
    def traits(self) -> dict[str, Anything]:
        """Their traits."""
        return nested(Claim(each, each.traits) for each in self.told)

    @property
    def groups(self) -> list[dict[str, Anything]]:
        """The traits of each of their groups, whoever told them."""
        names = {each.group for each in self.told if each.group is not None}
        return [nested(Claim(each, each.group_traits) for each in self.everything if each.group == name)
                for name in sorted(names)]  # fmt: skip

    @property
    def zone(self) -> tzinfo:
        """Where their clock is."""
        name = self.traits.get("timezone")
        try:
            return ZoneInfo(name) if isinstance(name, str) else UTC
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return UTC


def people_of(world: World, at_ms: int) -> dict[int, Somebody]:
    """Everybody of whom something had happened by an instant, with all that had."""
    happened = sorted((each for each in world.told if each.at_ms <= at_ms), key=lambda each: (each.at_ms, each.tie))
    roots = world.roots
    people = {roots[each.body] for each in happened}
    return {
        person: Somebody(world, [each for each in happened if roots[each.body] == person], happened)
        for person in sorted(people)
    }


def name_of(told: Told) -> str | None:
    """Under which name something that somebody did is known; None for what they did not do."""
    match told.kind:
        case EventType.TRACK | EventType.SYSTEM:
            return told.name
        case EventType.PAGE:
            return "Page Viewed"
        case EventType.SCREEN:
            return "Screen Viewed"
        case _:
            return None


# -- what a segment means


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody, and the segments that there are."""

    people: Mapping[int, Somebody]
    segments: Mapping[str, Segment]
    at_ms: int

    def values(self, person: int, name: str) -> list[tree.Value | None]:
        """For which values a person is in a segment; [None] when it is not one for each."""
        segment = self.segments[name]
        if segment.each is None:
            return [None] if self.asked(person, None).holds(segment.expression) else []
        found = values_of(segment.each, self.people[person])
        return [value for value in found if self.asked(person, value).holds(segment.expression)]

    def asked(self, person: int, that: tree.Value | None) -> Asked:
        """What can be asked of a person, about one value."""
        somebody = self.people[person]
        return Asked(self, person, somebody, Now(self.at_ms, somebody.zone, that))


@dataclass(frozen=True, slots=True)
class Asked:
    """One person, whom something is asked about."""

    crowd: Crowd
    person: int
    somebody: Somebody
    now: Now

    def holds(self, node: tree.Expression) -> bool:
        """Whether an expression holds for them."""
        match node:
            case tree.All(parts):
                return all(self.holds(part) for part in parts)
            case tree.Any(parts):
                return any(self.holds(part) for part in parts)
            case tree.Not(part):
                return not self.holds(part)
            case tree.Field():
                return any(passes(node.test, value, self.now) for value in self.field(node))
            case tree.Did(event, least, most, window):
                count = len(self.matching(event, window))
                return least <= count and (most is None or count <= most)
            case tree.Amount(measure, test):
                number = self.number(measure)
                return number is not None and compares(test, number)
            case tree.Occurrence():
                return self.occurred(node)
            case tree.Sequence(first, steps, window):
                return any(self.goes_on(one, steps) for one in self.matching(first, window))
            case tree.Change():
                return self.changed(node)
            case tree.Consent():
                return self.stands(node)
            case tree.Preference(purpose, test, channel, topic):
                wished = wish(self.somebody, Scope(purpose, channel, topic), self.now.at_ms)
                return passes(test, wished, self.now)
            case tree.InSegment(name):
                return self.crowd.values(self.person, name) != []
            case tree.Rank():
                return self.ranks(node)

    def field(self, node: tree.Field) -> list[Anything]:
        """The values that a field has: one, or one for each group."""
        match node.whose:
            case Whose.GROUP:
                return [at_path(group, node.path) for group in self.somebody.groups]
            case Whose.SCORE:
                return [at_path(self.somebody.traits, f"scores.{node.path}")]
            case _:
                return [at_path(self.somebody.traits, node.path)]

    # -- behaviour

    def matching(self, event: tree.Event, window: tree.Window | None = None) -> list[Told]:
        """The events of a name in a window that pass the filter, oldest first."""
        return [
            each
            for each in self.somebody.did
            if self.is_of(each, event) and clock.is_in(window, each.at_ms, self.now.at_ms, self.now.zone)
        ]

    def is_of(self, told: Told, event: tree.Event) -> bool:
        """Whether something that they did is such an event."""
        named = event.name in ("*", name_of(told))
        return named and (event.where is None or filter_holds(event.where, parts_of(told), self.now))

    def number(self, measure: tree.Measure) -> Fraction | None:
        """The number of a measure; None when there is none."""
        values = [at_path(each.properties, measure.path) for each in self.matching(measure.event, measure.window)]
        numbers = [exact(value) for value in values if is_number(value)]
        match measure.function:
            case Function.DIFFERENT:
                return Fraction(
                    len({one_form(value) for value in values if isinstance(value, str | bool | int | float)})
                )
            case Function.SUM:
                return sum(map(counted, numbers), Fraction(0))
            case Function.AVERAGE:
                return sum(map(counted, numbers), Fraction(0)) / len(numbers) if numbers else None
            case Function.SMALLEST:
                return min(numbers, default=None)
            case Function.LARGEST:
                return max(numbers, default=None)

    def occurred(self, node: tree.Occurrence) -> bool:
        """Whether the first or last event was at its time, and passes the filter."""
        found = self.matching(node.event)
        if not found:
            return False
        one = found[0] if node.which is tree.Which.FIRST else found[-1]
        match node.when:
            case None:
                was_then = True
            case tree.Within(window):
                was_then = clock.is_in(window, one.at_ms, self.now.at_ms, self.now.zone)
            case tree.Ago(span):
                was_then = clock.later(one.at_ms, span, self.now.zone) <= self.now.at_ms
        return was_then and (node.has is None or filter_holds(node.has, parts_of(one), self.now))

    def goes_on(self, before: Told, steps: Sequence[tree.Step]) -> bool:
        """Whether the steps can be gone from an event on, whichever events are taken for them."""
        if not steps:
            return True
        step, *others = steps
        takes = [each for each in self.somebody.did if self.is_step(before, each, step)]
        if not step.absent:
            return any(self.goes_on(each, others) for each in takes)
        assert step.within is not None, "checked: an absent step says within what"
        is_over = self.now.at_ms > clock.later(before.at_ms, step.within, self.now.zone)
        return is_over and not takes and self.goes_on(before, others)

    def is_step(self, before: Told, each: Told, step: tree.Step) -> bool:
        """Whether an event is a step after another."""
        if not (is_after(each, before) and self.is_of(each, step.event)):
            return False
        if step.after is not None and each.at_ms < clock.later(before.at_ms, step.after, self.now.zone):
            return False
        if step.within is not None and each.at_ms > clock.later(before.at_ms, step.within, self.now.zone):
            return False
        between = [one for one in self.somebody.did if is_after(one, before) and is_after(each, one)]
        return not any(self.is_of(one, event) for one in between for event in step.without)

    def changed(self, node: tree.Change) -> bool:
        """Whether they did it so much more or less often than in the span before."""
        last, before = [], []
        for each in self.matching(node.event):
            until = clock.later(each.at_ms, node.span, self.now.zone)
            if self.now.at_ms < until:
                last.append(each)
            elif self.now.at_ms < clock.later(until, node.span, self.now.zone):
                before.append(each)
        if not before:
            return False
        times = Fraction(len(last), len(before))
        part = exact(node.percent) / 100
        return times <= 1 - part if node.trend is tree.Trend.LESS else times >= 1 + part

    # -- consent

    def stands(self, node: tree.Consent) -> bool:
        """Whether the law and what they said allow it, or they said so last."""
        standing = standing_of(self.somebody)
        scope = Scope(node.purpose, node.channel, node.topic, jurisdiction=place_of(self.somebody.traits))
        if node.stance is tree.Stance.ALLOWS:
            return allowed(standing, scope, self.now.at_ms, THE_LAW).why in HOURS_APART
        state = verdict(standing, scope, self.now.at_ms, set(Basis), {}).state
        return state is {tree.Stance.GRANTED: State.GRANTED, tree.Stance.REFUSED: State.REFUSED}[node.stance]

    # -- others

    def ranks(self, node: tree.Rank) -> bool:
        """Whether they are among the highest (or lowest) of all who have that number; of equals all are in."""
        numbers = {person: self.crowd.asked(person, self.now.that).ranked(node) for person in self.crowd.people}
        there = sorted((number for number in numbers.values() if number is not None), reverse=not node.bottom)
        count = node.count if node.share is None else ceil(exact(node.share) * len(there) / 100)
        own = numbers[self.person]
        return own is not None and own in there[:count]

    def ranked(self, node: tree.Rank) -> Fraction | None:
        """The number by which they are ranked; None when they have none."""
        if isinstance(node.by, tree.Measure):
            return self.number(node.by)
        value = at_path(self.somebody.traits, node.by)
        return exact(value) if is_number(value) else None


def is_after(each: Told, before: Told) -> bool:
    """Whether one event comes after another."""
    return (each.at_ms, each.tie) > (before.at_ms, before.tie)


def parts_of(told: Told) -> dict[Whose, Anything]:
    """Where the fields of a filter are found."""
    source = {"name": told.source, "party": told.party.value}
    return {Whose.PERSON: told.properties, Whose.CONTEXT: told.context, Whose.SOURCE: source}


def values_of(each: tree.Each, somebody: Somebody) -> list[tree.Value]:
    """The values for which a segment is made, of those that one person has, each once."""
    if each.event is None:
        told = [at_path(somebody.traits, each.path)]
    else:
        told = [at_path(one.properties, each.path) for one in somebody.did if each.event in ("*", name_of(one))]
    values = [value for one in told for value in (one if isinstance(one, list) else [one])]
    forms = [one_form(value) for value in values if isinstance(value, str | bool | int | float)]
    return [value for _, value in dict.fromkeys(forms)]


def one_form(value: Anything) -> tuple[str, Anything]:
    """How all values that are equal are written: text in lower case, whole numbers as such. Truth is no number."""
    if isinstance(value, str):
        return "text", folded(value)
    whole = is_number(value) and exact(value).denominator == 1
    return type(value).__name__ if isinstance(value, bool) else "number", int(value) if whole else value


# -- traits


@dataclass(frozen=True, slots=True)
class Claim:
    """What a fact says of traits."""

    by: Told
    said: Mapping[str, Anything]

    @property
    def weight(self) -> tuple[int, int, int]:
        """What settles whom to believe: the rank, then the time, then the tie."""
        return self.by.rank, self.by.at_ms, self.by.tie


def nested(claims: Iterator[Claim]) -> dict[str, Anything]:
    """Traits as one object. Of each leaf the weightiest claim counts; where a value and an object are claimed under one
    name, the weightier. What was unset is not there, and neither is an object of which all was."""
    said = [(path, claim.weight, value) for claim in claims for path, value in leaves(claim.said)]
    last = {path: max(weight for other, weight, _ in said if other == path) for path, _, _ in said}
    root: dict[str, Anything] = {}
    for path, weight, value in said:
        is_last = weight == last[path]
        rivals = [last[other] for other in last if is_within(other, path) or is_within(path, other)]
        if is_last and value is not None and all(weight >= rival for rival in rivals):
            put(root, path, value)
    return root


def leaves(said: Mapping[str, Anything], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Anything]]:
    """The values of an object within objects, with the names that lead there."""
    for name, value in said.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def is_within(path: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether a path leads into what lies at another."""
    return len(path) > len(other) and path[: len(other)] == other


def put(root: dict[str, Anything], path: tuple[str, ...], value: Anything) -> None:
    """Have a value at a path, in objects that are made as needed."""
    *above, name = path
    for each in above:
        root = root.setdefault(each, {})
    root[name] = value


# -- what they allow and wish


def choices_of(somebody: Somebody) -> Iterator[tuple[Told, str, Choice]]:
    """What they chose, each choice with its id."""
    for each in somebody.told:
        for ordinal, choice in enumerate(each.choices):
            yield each, choice_id(each.key, ordinal), choice


def standing_of(somebody: Somebody) -> Standing:
    """Where they stand, as the law reads it."""
    standing = Standing()
    for told, number, choice in choices_of(somebody):
        known_as = tuple(map(PersonId, somebody.world.known_as(told)))
        kept = Kept(choice.held_from, number, choice.action, choice.held_to, told.received_ms, choice.basis,
                    choice.value, known_as)  # fmt: skip
        add(standing, choice.scope, kept, choice.corrects)
    return standing


def wish(somebody: Somebody, scope: Scope, at_ms: int) -> Anything:
    """What they wished last for a scope; None when they wished for nothing."""
    corrected = {choice.corrects for _, _, choice in choices_of(somebody)}
    wishes = [
        (choice.held_from, number, choice.value)
        for _, number, choice in choices_of(somebody)
        if choice.action is Action.SET and choice.scope == scope and number not in corrected
        and choice.held_from <= at_ms and (choice.held_to is None or at_ms < choice.held_to)
    ]  # fmt: skip
    return max(wishes)[2] if wishes else None


def place_of(traits: Mapping[str, Anything]) -> str:
    """The country where they are, `*` when that is not known. In these tests countries are codes."""
    country = at_path(traits, "address.country") or traits.get("country")
    return country if isinstance(country, str) and len(country) == 2 else "*"
