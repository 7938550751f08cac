"""Conditions that the fold can't tell from one person alone: it is told for whom they hold."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from courtesy.segment import tree
from courtesy.segment.definition import SegmentDefinition
from courtesy.segment.tree import Expression, Whose


def is_settled(condition: Expression) -> bool:
    """Whether a condition is one of those: a rank among all people, or what a group is like."""
    return isinstance(condition, tree.Rank) or (isinstance(condition, tree.Field) and condition.whose is Whose.GROUP)


def settled_key(condition: Expression) -> str:
    """What such a condition is known by: the same for the same condition."""
    return blake2b(msgspec.json.encode(condition), digest_size=9).hexdigest()


def settled_conditions(segments: Iterable[SegmentDefinition]) -> dict[str, Expression]:
    """Those that some segments ask for, by their keys."""
    found = (each for segment in segments for each in tree.conditions(segment.tree.expression) if is_settled(each))
    return {settled_key(each): each for each in found}
