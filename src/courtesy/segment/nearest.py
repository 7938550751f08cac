"""What would make somebody enter or leave a segment: single changes, each tried by judging them anew with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from enum import StrEnum
from typing import Any as Anything
from typing import NamedTuple

import msgspec

from courtesy.base.time import to_iso
from courtesy.consent.standing import Kept, Standing, add
from courtesy.event.choice import Action, Basis, Scope
from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.judge import Happened, Past
from courtesy.segment.moment import Moment
from courtesy.segment.printing import write
from courtesy.segment.reasons import Case, holds
from courtesy.segment.reasons import reason as reason_of
from courtesy.segment.tree import Event, Expression, Filter, Function, Quantity, Segment, Sign, Stance, Value, Whose
from courtesy.segment.values import Roots, found_at
from courtesy.segment.values import holds as filter_holds
from courtesy.segment.words import written_path

CHANGES_MAX = 10
MORE_MAX = 1_000
SOMETHING = "something else"
"""A text that is no other."""


class ChangeKind(StrEnum):
    """Of a change: something more that they do, a trait, a choice."""

    EVENT = "event"
    TRAIT = "trait"
    CHOICE = "choice"


class Change(NamedTuple):
    """A change in words, and what would be known of the person with it. Of several changes `about` one thing the first
    that is enough counts."""

    kind: ChangeKind
    about: str
    said: str
    past: Past


def nearest_changes(case: Case, node: Expression, that: Value | None = None) -> list[Change]:
    """Single changes now, each of which makes an expression hold that does not, or the other way round; at most
    `CHANGES_MAX`. Empty when that can't be told, or when none was found."""
    now = holds(case, node, that)
    if now is None:
        return []
    found: dict[str, Change] = {}
    for change in _candidates(case, node, that):
        if change.about not in found and holds(replace(case, past=change.past), node, that) is (not now):
            found[change.about] = change
            if len(found) == CHANGES_MAX:
                break
    return list(found.values())


def _candidates(case: Case, node: Expression, that: Value | None) -> Iterator[Change]:
    for each in tree.conditions(node):
        match each:
            case tree.Field():
                yield from _of_field(case, each, that)
            case tree.Consent():
                yield from _of_consent(case, each)
            case tree.Preference(purpose, test, channel, topic):
                value = value_for(test, case.moment, that)
                scope = Scope(purpose, channel, topic)
                yield _chosen(case, Action.SET, scope, f"they wish for {_named(scope)}: {_shown(value)}", value)
            case tree.InSegment(name):
                if name in case.segments:
                    yield from _candidates(case, case.segments[name].expression, None)
            case tree.Rank():
                pass
            case _:
                yield from _of_events(case, each, that)


# -- something more that they do


def _of_events(case: Case, node: Expression, that: Value | None) -> Iterator[Change]:
    match node:
        case tree.Did(event, least, most):
            found = len(reason_of(case, node, that).events)
            wanted = {1, least - found, (least if most is None else most) + 1 - found}
            yield from _more(case, event, wanted, that)
        case tree.Amount():
            yield from _of_amount(case, node, that)
        case tree.Occurrence(_, event, _, has):
            both = [each for each in (event.where, has) if each is not None]
            where = tree.All(tuple(both)) if len(both) == 2 else both[0] if both else None
            yield from _more(case, Event(event.name, None if where is None else tree.filter_of(where)), {1}, that)
        case tree.Sequence(first, steps):
            for event in (first, *(step.event for step in steps), *(each for step in steps for each in step.without)):
                yield from _more(case, event, {1}, that)
        case tree.Change(event, _, percent, span):
            recent = tree.Did(event, 0, None, tree.Sliding(span))
            now = len(reason_of(case, recent, that).events)
            before = len(reason_of(case, node, that).events) - now
            wanted = {1, *(math.ceil(before * (100 + sign * percent) / 100) - now for sign in (1, -1))}
            yield from _more(case, event, wanted | {each + 1 for each in wanted}, that)
        case _:
            raise AssertionError(f"{type(node).__name__} is no condition on events")


def _more(case: Case, event: Event, wanted: Iterable[int], that: Value | None) -> Iterator[Change]:
    """So many more events of a kind, the fewest first."""
    roots = fitting(event.where, case.moment, that)
    if roots is None:
        return
    for count in sorted(each for each in set(wanted) if 1 <= each <= MORE_MAX):
        text = _text_of(event, that)
        said = f"{text} once more" if count == 1 else f"{text} {count} times more"
        yield Change(ChangeKind.EVENT, text, said, _with_events(case.past, case.moment, event.name, roots, count))


def _text_of(event: Event, that: Value | None) -> str:
    """An event in words, with the value in the place of `that`."""
    told = msgspec.convert(_filled(msgspec.to_builtins(event), that), Event)
    return write(Segment(1, tree.Did(told))).removeprefix("did ")


def _filled(node: Anything, that: Value | None) -> Anything:
    if node == {"type": "that"}:
        return that
    if isinstance(node, dict):
        return {name: _filled(each, that) for name, each in node.items()}
    return [_filled(each, that) for each in node] if isinstance(node, list | tuple) else node


def _with_events(past: Past, moment: Moment, name: str, roots: Roots, count: int) -> Past:
    tie = 1 + max((each.tie for each in past.events), default=0)
    named = SOMETHING if name == tree.ANYTHING else name
    more = [
        Happened(
            moment.now_ms, tie + n, named, "", roots[Whose.PERSON], roots[Whose.CONTEXT], roots[Whose.SOURCE]
        )
        for n in range(count)
    ]  # fmt: skip
    return replace(past, events=sorted([*past.events, *more]))


def _of_amount(case: Case, node: tree.Amount, that: Value | None) -> Iterator[Change]:
    """One more event with a number that takes the amount over its bound, the least number first."""
    measure = node.measure
    roots = fitting(measure.event.where, case.moment, that)
    if roots is None:
        return
    numbers: list[Anything] = [SOMETHING]
    if measure.function is not Function.DIFFERENT:
        known = list(_numbers(case, measure, that))
        bounds = [node.test.low, node.test.high] if isinstance(node.test, tree.Range) else [node.test.number]
        missing = [_missing(measure.function, bound, known) for bound in bounds]
        numbers = sorted({round(each + more, 6) for each in missing for more in (0, 1, -1)}, key=abs)
    for number in numbers:
        value = int(number) if isinstance(number, float) and number.is_integer() else number
        given = {**roots, Whose.PERSON: placed(roots[Whose.PERSON], measure.path, value)}
        past = _with_events(case.past, case.moment, measure.event.name, given, 1)
        if holds(replace(case, past=past), node, that) is not holds(case, node, that):
            text = _text_of(measure.event, that)
            said = f"{text} once more, with {written_path(measure.path)} {_shown(value)}"
            yield Change(ChangeKind.EVENT, said, said, past)
            return


def _missing(function: Function, bound: float, known: Sequence[float]) -> float:
    """With which number more a function of numbers comes to a bound."""
    if function is Function.SUM:
        return bound - sum(known)
    return bound * (len(known) + 1) - sum(known) if function is Function.AVERAGE else bound


def _numbers(case: Case, measure: tree.Measure, that: Value | None) -> Iterator[float]:
    for each in reason_of(case, tree.Did(measure.event, 0, None, measure.window), that).events:
        value = found_at(each.properties, measure.path)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield value


# -- traits


def _of_field(case: Case, node: tree.Field, that: Value | None) -> Iterator[Change]:
    past, whose = case.past, "" if node.whose is Whose.PERSON else f"{node.whose} "
    path = f"{tree.SCORES}.{node.path}" if node.whose is Whose.SCORE else node.path
    name = f"{whose}{written_path(node.path)}"
    for value in (value_for(node.test, case.moment, that), None, SOMETHING):
        said = f"{name} is taken away" if value is None else f"{name} becomes {_shown(value)}"
        if node.whose is Whose.GROUP:
            groups = [placed(each, path, value) for each in past.groups]
            yield Change(ChangeKind.TRAIT, said, said, replace(past, groups=groups))
        else:
            yield Change(ChangeKind.TRAIT, said, said, replace(past, traits=placed(past.traits, path, value)))


def placed(root: Mapping[str, Anything], path: str, value: Anything) -> dict[str, Anything]:
    """A nested object with another value under a path; None takes it away."""
    changed: dict[str, Anything] = deepcopy(dict(root))
    *parents, leaf = split_path(path)
    node = changed
    for name in parents:
        if not isinstance(node.get(name), dict):
            node[name] = {}
        node = node[name]
    if value is None:
        node.pop(leaf, None)
    else:
        node[leaf] = value
    return changed


# -- choices


def _of_consent(case: Case, node: tree.Consent) -> Iterator[Change]:
    scope = Scope(node.purpose, node.channel, node.topic)
    yield _chosen(case, Action.GRANT, scope, f"they allow {_named(scope)}")
    said = f"they refuse {_named(scope)}"
    yield _chosen(case, Action.OBJECT if node.stance is Stance.ALLOWS else Action.WITHDRAW, scope, said)


def _chosen(case: Case, action: Action, scope: Scope, said: str, value: Anything = None) -> Change:
    standing: Standing = deepcopy(case.past.standing)
    kept = [each for some in standing.scopes.values() for each in some]
    told_as = tuple(sorted({person for each in kept for person in each.told_as}))
    basis = Basis.CONSENT if action is Action.GRANT else None
    now_ms = case.moment.now_ms
    add(standing, scope, Kept(now_ms, "\uffff", action, None, now_ms, basis, value, told_as))
    return Change(ChangeKind.CHOICE, said, said, replace(case.past, standing=standing))


def _named(scope: Scope) -> str:
    over = "" if scope.channel == "*" else f" over {scope.channel}"
    return scope.purpose + over + ("" if scope.topic == "*" else f" about {scope.topic}")


# -- what would pass


def fitting(where: Filter | None, moment: Moment, that: Value | None) -> Roots | None:
    """What an event might have so that a filter holds; None when nothing comes to mind."""
    roots: dict[Whose, dict[str, Anything]] = {Whose.PERSON: {}, Whose.CONTEXT: {}, Whose.SOURCE: {}}
    if where is None:
        return roots
    for field in _wanted(where):
        if field.whose not in roots:
            return None
        roots[field.whose] = placed(roots[field.whose], field.path, value_for(field.test, moment, that))
    return roots if filter_holds(where, roots, moment, that) else None


def _wanted(where: Expression) -> Iterator[tree.Field]:
    match where:
        case tree.Field():
            yield where
        case tree.All(of):
            for each in of:
                yield from _wanted(each)
        case tree.Any(of):
            yield from _wanted(of[0])
        case _:
            pass


def value_for(test: tree.Test, moment: Moment, that: Value | None) -> Anything:
    """A value that passes a test, most likely; it is tried by whoever asked."""
    match test:
        case tree.Is(values):
            return that if isinstance(values[0], tree.Param) else values[0]
        case tree.Reads(_, text):
            wanted = that if isinstance(text, tree.Param) else text
            return str(wanted).replace("*", "").replace("?", "x")
        case tree.Compare(sign, number):
            return number + {Sign.LESS: -1, Sign.MORE: 1}.get(sign, 0)
        case tree.Range(low):
            return low
        case tree.Near(lat, lon):
            return {"lat": lat, "lon": lon}
        case tree.Elements(quantity, filter_, count):
            roots = fitting(filter_, moment, that)
            many = count if quantity is Quantity.AT_LEAST else 1
            return [] if quantity is Quantity.NONE or roots is None else [dict(roots[Whose.PERSON])] * many
        case tree.Ago(span):
            return to_iso(moment.began(span))
        case tree.Ahead(span):
            return to_iso(moment.moved(moment.now_ms, span) + 1)
        case tree.Within(window):
            return to_iso(min(moment.span_of(window).until_ms, moment.now_ms))
        case tree.Present():
            return SOMETHING
        case _:
            return to_iso(moment.now_ms)


def _shown(value: Anything) -> str:
    return msgspec.json.encode(value).decode()
