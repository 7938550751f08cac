"""Conditions as phrases about a person, or about a person and a value, over the relations of a statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp

from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.moment import EXACT_MS
from courtesy.segment.sql.bounds import Bounds
from courtesy.segment.sql.features import Features
from courtesy.segment.sql.phrase import (
    Phrase,
    both,
    column,
    double,
    either,
    negated,
    relation,
    sql,
    truly,
)
from courtesy.segment.sql.testing import SIGNS, Testing
from courtesy.segment.tree import Event, Expression, Whose


class Makes(Protocol):
    """What a statement makes for conditions: relations of people, or of people and values."""

    def of_people(self) -> Features:
        """Numbers of people."""
        ...

    def by_value(self, events: list[Event]) -> Features:
        """Numbers of people and values, for events whose filters mention the value."""
        ...

    def sequence(self, node: tree.Sequence, features: Features) -> str:
        """The relation of those who did it, by its name."""
        ...

    def of_groups(self, node: tree.Field) -> tuple[str, bool]:
        """The relation of those who belong to such a group, by its name, and whether it is by value."""
        ...

    def stances(self, node: tree.Consent | tree.Preference) -> Phrase:
        """Whether somebody stands so."""
        ...

    def others(self, name: str) -> str:
        """The relation of the members of another segment, by its name."""
        ...

    def cut(self, node: tree.Rank, amount: Phrase, features: Features) -> Phrase:
        """The number that is the last one in a rank."""
        ...


def mentions_value(node: object) -> bool:
    """Whether `Param` stands anywhere in a part of the tree."""
    if isinstance(node, tree.Param):
        return True
    if isinstance(node, tuple):
        return any(map(mentions_value, node))
    fields = getattr(node, "__struct_fields__", ())
    return any(mentions_value(getattr(node, name)) for name in fields)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Writes the conditions of one segment. `testing` knows what `Param` stands for."""

    makes: Makes
    bounds: Bounds
    testing: Testing

    def holds(self, node: Expression) -> Phrase:
        """Whether an expression holds; never NULL."""
        match node:
            case tree.All(of):
                return both(map(self.holds, of))
            case tree.Any(of):
                return either(map(self.holds, of))
            case tree.Not(of):
                return negated(self.holds(of))
            case _:
                return truly(self._holds(node))

    def _holds(self, node: Expression) -> Phrase:
        match node:
            case tree.Field():
                return self._field(node)
            case tree.Did(event, least, most, window):
                return _times(self._features(event).count(event, window), least, most)
            case tree.Amount(measure, test):
                return _fits(self._features(measure.event).measured(measure), test)
            case tree.Occurrence():
                return self._occurrence(node)
            case tree.Sequence():
                return self._sequence(node)
            case tree.Change():
                return self._change(node)
            case tree.Consent() | tree.Preference():
                return self.makes.stances(node)
            case tree.InSegment(name):
                return among(self.makes.others(name), ("person",))
            case tree.Rank():
                return self._rank(node)
            case _:
                raise AssertionError(f"{type(node).__name__} is no condition of its own")

    def _features(self, *events: Event) -> Features:
        """Numbers of people; of people and values when a filter mentions the value."""
        if any(map(mentions_value, events)):
            return self.makes.by_value(list(events))
        return self.makes.of_people()

    def trait(self, path: str) -> Phrase:
        """The JSON text of a trait."""
        return self.makes.of_people().trait(path)

    def _field(self, node: tree.Field) -> Phrase:
        if node.whose is Whose.GROUP:
            name, by_value = self.makes.of_groups(node)
            return among(name, ("person", "value") if by_value else ("person",))
        above = (tree.SCORES,) if node.whose is Whose.SCORE else ()
        names = (*above, *split_path(node.path))
        people = self.makes.of_people()
        if isinstance(node.test, tree.Present):
            return self.testing.passes(node.test, lambda _: people.whole_trait(names))
        return self.testing.passes(node.test, lambda under: people.trait((*names, *under)))

    def _occurrence(self, node: tree.Occurrence) -> Phrase:
        features = self._features(node.event, *_as_events(node))
        at = features.instant(node.which, node.event)
        parts = [sql(":at IS NOT NULL", at=at)]
        if node.when is not None:
            after, until = self.bounds.instants(node.when)
            parts.append(sql(":at > :after AND :at <= :until", at=at, after=after, until=until))
        if node.has is not None:
            parts.append(features.of_one(node.which, node.event, node.has))
        return both(parts)

    def _sequence(self, node: tree.Sequence) -> Phrase:
        events = [node.first, *(each for step in node.steps for each in (step.event, *step.without))]
        features = self._features(*events)
        return among(self.makes.sequence(node, features), features.keys)

    def _change(self, node: tree.Change) -> Phrase:
        features, span = self._features(node.event), node.span
        twice = tree.Sliding(tree.Duration(2 * span.count, span.unit))
        began_ms = self.bounds.now_ms - span.count * EXACT_MS[span.unit]
        now = features.count(node.event, tree.Sliding(span))
        before = features.count_in(node.event, twice, began_ms)
        if node.trend is tree.Trend.LESS:
            changed = sql("100.0 * :now <= :before * :share", now=now, before=before, share=double(100 - node.percent))
        else:
            changed = sql("100.0 * :now >= :before * :share", now=now, before=before, share=double(100 + node.percent))
        return both([sql(":before > 0", before=before), changed])

    def _rank(self, node: tree.Rank) -> Phrase:
        if isinstance(node.by, str):
            features = self.makes.of_people()
            amount = sql("TRY_CAST(:it AS DOUBLE)", it=features.trait(node.by))
        else:
            features = self._features(node.by.event)
            amount = features.measured(node.by)
        cut = self.makes.cut(node, amount, features)
        return sql(":amount <= :cut" if node.bottom else ":amount >= :cut", amount=amount, cut=cut)


def _as_events(node: tree.Occurrence) -> list[Event]:
    """What is asked of the first or last event, so that it counts whether that mentions the value."""
    return [] if node.has is None else [Event(node.event.name, node.has)]


def _times(count: Phrase, least: int, most: int | None) -> Phrase:
    parts = [sql(":count >= :least", count=count, least=least)]
    if most is not None:
        parts.append(sql(":count <= :most", count=count, most=most))
    return both(parts)


def _fits(amount: Phrase, test: tree.Compare | tree.Range) -> Phrase:
    if isinstance(test, tree.Range):
        return sql(":it BETWEEN :low AND :high", it=amount, low=double(test.low), high=double(test.high))
    return exp.Paren(this=SIGNS[test.sign](this=exp.Paren(this=amount), expression=double(test.number)))


def among(name: str, keys: tuple[str, ...]) -> Phrase:
    """Whether somebody, or somebody and a value, is in a relation."""
    query = exp.select(*(column(key) for key in keys)).from_(relation(name))
    what = column(keys[0]) if len(keys) == 1 else exp.Tuple(expressions=[column(key) for key in keys])
    return exp.In(this=what, query=exp.Subquery(this=query))
