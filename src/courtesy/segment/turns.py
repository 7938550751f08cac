"""When what a segment says of somebody may change by itself: as time passes, and nothing else happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from courtesy.segment import tree
from courtesy.segment.judge import Happened
from courtesy.segment.live.flips import of_filter, of_instant, of_test, of_window
from courtesy.segment.moment import Moment
from courtesy.segment.reasons import Case, holds
from courtesy.segment.tree import ANYTHING, Event, Expression, Value, Whose
from courtesy.segment.values import found_at

LOOKS_MAX = 500
"""Instants that are tried, the earliest first."""


class Turn(NamedTuple):
    """The first instant (ms UTC) at which something else holds, and what."""

    at_ms: int
    holds: bool


def next_turn(case: Case, node: Expression, that: Value | None = None) -> Turn | None:
    """When an expression begins or ceases to hold if nothing happens meanwhile. None when that is never, can't be told,
    or lies behind very many instants at which it might."""
    now = holds(case, node, that)
    if now is None:
        return None
    may_be = {each + later for each in _instants(case, node) for later in (0, 1)}
    for at_ms in islice(sorted(each for each in may_be if each > case.moment.now_ms), LOOKS_MAX):
        then = Case(case.past, Moment(at_ms, case.moment.zone), case.laws, case.segments, case.ranks)
        if holds(then, node, that) is (not now):
            return Turn(at_ms, not now)
    return None


def _instants(case: Case, node: Expression) -> Iterator[int]:
    for each in tree.conditions(node):
        match each:
            case tree.Field(path, test, whose):
                yield from _of_field(case, path, test, whose)
            case tree.Consent() | tree.Preference():
                for kept in (one for some in case.past.standing.scopes.values() for one in some):
                    yield kept.held_from
                    if kept.held_to is not None:
                        yield kept.held_to
            case tree.InSegment(name):
                if name in case.segments:
                    yield from _instants(case, case.segments[name].expression)
            case tree.Rank():
                pass
            case _:
                yield from _of_events(case, each)


def _of_field(case: Case, path: str, test: tree.Test, whose: Whose) -> Iterator[int]:
    past = case.past
    path = f"{tree.SCORES}.{path}" if whose is Whose.SCORE else path
    for traits in past.groups if whose is Whose.GROUP else (past.traits,):
        yield from of_test(test, found_at(traits, path), case.moment)


def _of_events(case: Case, node: Expression) -> Iterator[int]:
    moment = case.moment
    match node:
        case tree.Did(event, _, _, window):
            yield from _in_window(case, event, window)
        case tree.Amount(measure, _):
            yield from _in_window(case, measure.event, measure.window)
        case tree.Occurrence(_, event, when, has):
            yield from _in_window(case, event, None)
            for each in _named(case, event):
                if when is not None:
                    yield from of_instant(when, each.at_ms, moment)
                if has is not None:
                    yield from of_filter(has, dict(each.properties), moment)
        case tree.Sequence(first, steps, window):
            yield from _in_window(case, first, window)
            spans = [span for step in steps for span in (step.within, step.after) if span is not None]
            yield from _later(case, ANYTHING, spans)
        case tree.Change(event, _, _, span):
            yield from _later(case, event.name, [span, tree.Duration(2 * span.count, span.unit)])
        case _:
            raise AssertionError(f"{type(node).__name__} is no condition on events")


def _in_window(case: Case, event: Event, window: tree.Window | None) -> Iterator[int]:
    for each in _named(case, event):
        if window is not None:
            yield from of_window(window, each.at_ms, case.moment)
        if event.where is not None:
            yield from of_filter(event.where, dict(each.properties), case.moment)


def _later(case: Case, name: str, spans: Sequence[tree.Duration]) -> Iterator[int]:
    return (case.moment.moved(each.at_ms, span) for each in _named(case, Event(name)) for span in spans)


def _named(case: Case, event: Event) -> Iterator[Happened]:
    return (each for each in case.past.events if event.name in (each.name, ANYTHING))
