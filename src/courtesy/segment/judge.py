"""Whether somebody is in a segment at an instant, and why: found from their whole history up to then.

This is the reading of the tree that the live one and the lake's have to agree with. It takes its time: it looks at all
events for each condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any as Anything
from typing import Protocol

from courtesy.consent.law import Laws, Why, allowed
from courtesy.consent.standing import Kept, Standing, State, scope_key, verdict
from courtesy.event.choice import ANY, Action, Basis, Scope
from courtesy.segment import tree
from courtesy.segment.moment import Moment, Span
from courtesy.segment.tree import Compare, Event, Expression, Function, Measure, Range, Step, Value, Whose
from courtesy.segment.values import Roots, found_at, holds, lower, passes

MICROS = 1_000_000

AMOUNT_MAX = 1e18
"""A number beyond this counts as this much in sums and averages, so that no sum of any number of events is beyond what
SQL can count: 128 bits for whole millionths."""

AT_ANY_HOUR = frozenset({Why.GRANTED, Why.NOT_REFUSED, Why.NEEDED, Why.QUIET_HOURS, Why.HOUR_UNKNOWN})


@dataclass(frozen=True, slots=True, order=True)
class Happened:
    """One event of a person, ordered by its time and then by its tie."""

    at_ms: int
    tie: int
    name: str = field(compare=False)
    message_id: str = field(compare=False)
    properties: Mapping[str, Anything] = field(compare=False, default_factory=dict)
    context: Mapping[str, Anything] = field(compare=False, default_factory=dict)
    source: Mapping[str, Anything] = field(compare=False, default_factory=dict)

    @property
    def roots(self) -> Roots:
        """What the fields of a filter are found in. `source` has its `name` and `party`."""
        return {Whose.PERSON: self.properties, Whose.CONTEXT: self.context, Whose.SOURCE: self.source}


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a person: events in order, traits as a nested object, those of their groups, their choices, and
    where they are (`*`: not known)."""

    events: Sequence[Happened] = ()
    traits: Mapping[str, Anything] = field(default_factory=dict)
    groups: Sequence[Mapping[str, Anything]] = ()
    standing: Standing = field(default_factory=Standing)
    place: str = ANY


class Others(Protocol):
    """What can't be told from one person alone."""

    def is_in(self, segment: str) -> bool:
        """Whether the person is in another segment at that moment."""
        ...

    def ranks(self, rank: tree.Rank) -> bool:
        """Whether the person is among those of highest or lowest rank at that moment."""
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether an expression holds, the events that show it, and the parts it was found from."""

    node: Expression
    holds: bool
    events: tuple[Happened, ...] = ()
    parts: tuple[Judged, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges one person at one moment. `that`: what `Param` stands for."""

    past: Past
    moment: Moment
    laws: Laws
    others: Others
    that: Value | None = None

    def judge(self, node: Expression) -> Judged:
        """Whether an expression holds."""
        match node:
            case tree.All(of):
                parts = tuple(map(self.judge, of))
                return Judged(node, all(each.holds for each in parts), (), parts)
            case tree.Any(of):
                parts = tuple(map(self.judge, of))
                return Judged(node, any(each.holds for each in parts), (), parts)
            case tree.Not(of):
                part = self.judge(of)
                return Judged(node, not part.holds, (), (part,))
            case tree.Did() | tree.Amount() | tree.Occurrence() | tree.Sequence() | tree.Change():
                return self._of_events(node)
            case _:
                return Judged(node, self._of_person(node))

    def _of_person(self, node: Expression) -> bool:
        match node:
            case tree.Field(path, test, tree.Whose.PERSON):
                return passes(test, found_at(self.past.traits, path), self.moment, self.that)
            case tree.Field(path, test, tree.Whose.GROUP):
                return any(passes(test, found_at(each, path), self.moment, self.that) for each in self.past.groups)
            case tree.Field(path, test, tree.Whose.SCORE):
                return passes(test, found_at(self.past.traits, f"{tree.SCORES}.{path}"), self.moment, self.that)
            case tree.Consent():
                return self._stands(node)
            case tree.Preference(purpose, test, channel, topic):
                return passes(
                    test, wish(self.past.standing, Scope(purpose, channel, topic), self.moment.now_ms), self.moment
                )
            case tree.InSegment(name):
                return self.others.is_in(name)
            case tree.Rank():
                return self.others.ranks(node)
            case _:
                raise AssertionError(f"{type(node).__name__} is judged elsewhere")

    def _of_events(self, node: Expression) -> Judged:
        match node:
            case tree.Did(event, least, most, window):
                found = self._matching(event, self.moment.span_of(window))
                return Judged(node, least <= len(found) and (most is None or len(found) <= most), tuple(found))
            case tree.Amount(measure, test):
                amount, found = self.measured(measure)
                return Judged(node, amount is not None and fits(test, amount), tuple(found))
            case tree.Occurrence():
                return self._occurrence(node)
            case tree.Sequence():
                course = self._course(node)
                return Judged(node, course is not None, course or ())
            case tree.Change():
                return self._change(node)
            case _:
                raise AssertionError(f"{type(node).__name__} is judged elsewhere")

    def _matching(self, event: Event, span: Span) -> list[Happened]:
        """The events of that name in a span that pass the filter, oldest first. What lies ahead has not happened."""
        return [
            each
            for each in self.past.events
            if event.name in (each.name, tree.ANYTHING) and each.at_ms <= self.moment.now_ms and span.has(each.at_ms)
            and (event.where is None or holds(event.where, each.roots, self.moment, self.that))
        ]  # fmt: skip

    def measured(self, measure: Measure) -> tuple[float | None, list[Happened]]:
        """The number of a measure, None when there is none, and the events that it is of."""
        found = self._matching(measure.event, self.moment.span_of(measure.window))
        told = [(each, found_at(each.properties, measure.path)) for each in found]
        if measure.function is Function.DIFFERENT:
            there = [(each, value) for each, value in told if isinstance(value, str | int | float)]
            return len({comparable(value) for _, value in there}), [each for each, _ in there]
        numbered = [(each, value) for each, value in told if isinstance(value, int | float) and value is not True
                    and value is not False]  # fmt: skip
        return function_of(measure.function, [value for _, value in numbered]), [each for each, _ in numbered]

    def _occurrence(self, node: tree.Occurrence) -> Judged:
        found = self._matching(node.event, self.moment.span_of(None))
        if not found:
            return Judged(node, False)
        one = found[0] if node.which is tree.Which.FIRST else found[-1]
        match node.when:
            case None:
                in_time = True
            case tree.Within(window):
                in_time = self.moment.span_of(window).has(one.at_ms)
            case tree.Ago(span):
                in_time = one.at_ms <= self.moment.began(span)
        has = node.has is None or holds(node.has, one.roots, self.moment, self.that)
        return Judged(node, in_time and has, (one,))

    def _course(self, node: tree.Sequence) -> tuple[Happened, ...] | None:
        """The events of a sequence, of those there are the ones that come first; None when there is none."""
        for first in self._matching(node.first, self.moment.span_of(node.window)):
            rest = self._steps(first, node.steps)
            if rest is not None:
                return (first, *rest)
        return None

    def _steps(self, before: Happened, steps: Sequence[Step]) -> tuple[Happened, ...] | None:
        if not steps:
            return ()
        step, *others = steps
        candidates = self._after(before, step)
        if step.absent:
            assert step.within is not None, "checked: an absent step says within what"
            is_over = self.moment.moved(before.at_ms, step.within) < self.moment.now_ms
            return self._steps(before, others) if is_over and not any(True for _ in candidates) else None
        for each in candidates:
            rest = self._steps(each, others)
            if rest is not None:
                return (each, *rest)
        return None

    def _after(self, before: Happened, step: Step) -> Iterator[Happened]:
        """The events that a step may be, after another."""
        least_ms = before.at_ms if step.after is None else self.moment.moved(before.at_ms, step.after)
        most_ms = self.moment.now_ms if step.within is None else self.moment.moved(before.at_ms, step.within)
        barriers = [each for event in step.without for each in self._matching(event, self.moment.span_of(None))]
        end = min((each for each in barriers if each > before), default=None)
        for each in self._matching(step.event, Span(least_ms - 1, most_ms)):
            if each > before and (end is None or each <= end):
                yield each

    def _change(self, node: tree.Change) -> Judged:
        ago = self.moment.began(node.span)
        now = self._matching(node.event, Span(ago, self.moment.now_ms))
        twice = tree.Duration(2 * node.span.count, node.span.unit)
        before = self._matching(node.event, Span(self.moment.began(twice), ago))
        if not before:
            return Judged(node, False, tuple(now))
        # In whole numbers, so that a half is a half.
        share, whole = 100 * len(now), len(before)
        if node.trend is tree.Trend.LESS:
            changed = share <= whole * (100 - node.percent)
        else:
            changed = share >= whole * (100 + node.percent)
        return Judged(node, changed, (*before, *now))

    def _stands(self, node: tree.Consent) -> bool:
        asked = Scope(node.purpose, node.channel, node.topic, jurisdiction=self.past.place)
        if node.stance is tree.Stance.ALLOWS:
            return allowed(self.past.standing, asked, self.moment.now_ms, self.laws).why in AT_ANY_HOUR
        found = verdict(self.past.standing, asked, self.moment.now_ms, frozenset(Basis), {}).state
        return found is (State.GRANTED if node.stance is tree.Stance.GRANTED else State.REFUSED)


def wish(standing: Standing, scope: Scope, now_ms: int) -> Anything:
    """What somebody set last for a scope, as of an instant; None when they set nothing."""

    def is_set(kept: Kept) -> bool:
        in_force = kept.held_from <= now_ms and (kept.held_to is None or now_ms < kept.held_to)
        return kept.action is Action.SET and in_force and kept.id not in standing.voids

    found = [each for each in standing.scopes.get(scope_key(scope), ()) if is_set(each)]
    return max(found, key=lambda each: (each.held_from, each.id)).value if found else None


def fits(test: Compare | Range, amount: float) -> bool:
    """Whether a number passes a test."""
    match test:
        case Range(low, high):
            return low <= amount <= high
        case Compare(tree.Sign.LESS, number):
            return amount < number
        case Compare(tree.Sign.AT_MOST, number):
            return amount <= number
        case Compare(tree.Sign.MORE, number):
            return amount > number
        case Compare(_, number):
            return amount >= number


def comparable(value: str | float) -> tuple[str, str]:
    """Equal for values that are the same: text without regard to case, numbers as numbers."""
    if isinstance(value, str):
        return "text", lower(value)
    return ("truth", str(value)) if isinstance(value, bool) else ("number", repr(float(value)))


def function_of(function: Function, values: Sequence[float]) -> float | None:
    """What a function makes of numbers; None of none, but a sum of 0."""
    match function:
        case Function.SUM:
            return _sum(values)
        case Function.AVERAGE:
            return _sum(values) / len(values) if values else None
        case Function.SMALLEST:
            return min(values, default=None)
        case Function.LARGEST:
            return max(values, default=None)
        case Function.DIFFERENT:
            raise AssertionError("counted elsewhere")


def _sum(values: Sequence[float]) -> float:
    """In millionths, so that the order does not matter and 0.1 ten times is 1."""
    return sum(map(micros_of, values)) / MICROS


def micros_of(value: float) -> int:
    """A number in whole millionths, that of `AMOUNT_MAX` at most."""
    return round(max(-AMOUNT_MAX, min(AMOUNT_MAX, value)) * MICROS)
