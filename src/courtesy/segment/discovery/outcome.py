"""What is asked about: an outcome in the time after an instant, and what it speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from courtesy.segment import tree
from courtesy.segment.tree import Amount, Did, Duration, Expression, Sequence, Sliding, Unit, Whose


def after_cutoff(outcome: Expression, window_days: int) -> Expression:
    """An outcome as it is judged at the end of the window: what people did, how much, and in which order, is asked of
    the window where it says no other time."""
    window = Sliding(Duration(window_days, Unit.DAY))
    match outcome:
        case tree.All(of):
            return tree.All(tuple(after_cutoff(each, window_days) for each in of))
        case tree.Any(of):
            return tree.Any(tuple(after_cutoff(each, window_days) for each in of))
        case tree.Not(of):
            return tree.Not(after_cutoff(of, window_days))
        case Did() | Sequence() if outcome.window is None:
            return msgspec.structs.replace(outcome, window=window)
        case Amount(measure, test) if measure.window is None:
            return Amount(msgspec.structs.replace(measure, window=window), test)
        case _:
            return outcome


def spoken_of(expression: Expression, segments: Mapping[str, Expression]) -> frozenset[str]:
    """The names of events and the paths of traits by which an expression is decided, those of other segments that it
    mentions too. A condition about one of them would say again what is known."""
    return frozenset(_spoken_of(expression, segments, frozenset()))


def _spoken_of(expression: Expression, segments: Mapping[str, Expression], seen: frozenset[str]) -> Iterator[str]:
    for node in tree.conditions(expression):
        match node:
            case tree.Field(path, _, whose):
                yield f"{tree.SCORES}.{path}" if whose is Whose.SCORE else path
            case Did(event) | tree.Occurrence(_, event) | tree.Change(event):
                yield event.name
            case Amount(measure):
                yield measure.event.name
            case Sequence(first, steps):
                yield from (each.name for each in (first, *(step.event for step in steps)))
            case tree.Rank(by):
                yield by if isinstance(by, str) else by.event.name
            case tree.InSegment(name) if name in segments and name not in seen:
                yield from _spoken_of(segments[name], segments, seen | {name})
            case _:
                pass
