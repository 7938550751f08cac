"""Whether an expression may hold for somebody of whom no event matters: then all people have to be looked at. And which
events have to be there for it to hold."""

from __future__ import annotations

from collections.abc import Callable

from courtesy.segment import tree
from courtesy.segment.tree import Elements, Event, Expression, Function, Quantity, Whose

Done = list[tuple[Event, tree.Window | None]]
"""Events, each in its window."""

BOTH = frozenset({True, False})


def may_hold(node: Expression) -> bool:
    """Whether it may hold for such a person."""
    return True in _possible(node)


def counts_everybody(node: Expression) -> bool:
    """Whether everybody has the number by which it ranks, also those who did nothing."""
    return any(
        isinstance(each, tree.Rank) and isinstance(each.by, tree.Measure) and _of_nothing(each.by) is not None
        for each in tree.conditions(node)
    )


def must_have_done(node: Expression, counts: Callable[[Event], bool]) -> Done | None:
    """Events that count, of which one at least has to be there for it to hold; None where it may hold without any."""
    match node:
        case tree.All(of):
            return next((done for each in of if (done := must_have_done(each, counts)) is not None), None)
        case tree.Any(of):
            parts = [must_have_done(each, counts) for each in of]
            return None if None in parts else [one for part in parts if part is not None for one in part]
        case tree.Did(event, _, _, window) | tree.Amount(tree.Measure(_, _, event, window)):
            return [(event, window)] if counts(event) and not may_hold(node) else None
        case _:
            return None


def _possible(node: Expression) -> frozenset[bool]:
    match node:
        case tree.All(of):
            parts = [_possible(each) for each in of]
            may = all(True in each for each in parts)
            must = all(False not in each for each in parts)
            return _between(must, may)
        case tree.Any(of):
            parts = [_possible(each) for each in of]
            may = any(True in each for each in parts)
            must = any(False not in each for each in parts)
            return _between(must, may)
        case tree.Not(of):
            return frozenset(not each for each in _possible(of))
        case _:
            return _of_condition(node)


def _between(must: bool, may: bool) -> frozenset[bool]:
    return frozenset({True}) if must else BOTH if may else frozenset({False})


def _of_condition(node: Expression) -> frozenset[bool]:
    match node:
        case tree.Field(_, _, Whose.GROUP) | tree.InSegment() | tree.Consent() | tree.Preference():
            return BOTH
        case tree.Field(_, test):
            return frozenset({isinstance(test, Elements) and test.quantity is Quantity.NONE})
        case tree.Did(_, least):
            return frozenset({least == 0})
        case tree.Amount(measure, test):
            amount = _of_nothing(measure)
            return frozenset({amount is not None and _fits(test, amount)})
        case tree.Rank(tree.Measure() as measure):
            return BOTH if _of_nothing(measure) is not None else frozenset({False})
        case _:
            return frozenset({False})


def _of_nothing(measure: tree.Measure) -> float | None:
    return 0 if measure.function in (Function.SUM, Function.DIFFERENT) else None


def _fits(test: tree.Compare | tree.Range, amount: float) -> bool:
    match test:
        case tree.Range(low, high):
            return low <= amount <= high
        case tree.Compare(tree.Sign.LESS, number):
            return amount < number
        case tree.Compare(tree.Sign.AT_MOST, number):
            return amount <= number
        case tree.Compare(tree.Sign.MORE, number):
            return amount > number
        case tree.Compare(_, number):
            return amount >= number
