"""A segment as it is defined: what its author wrote, what is made of it, and which others it stands on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.ids import Position
from courtesy.segment import tree
from courtesy.segment.tokens import TEXT_CHARS_MAX
from courtesy.segment.tree import Segment

SAID_CHARS_MAX = 500


Patterns = dict[str, tuple[str, Position]]
"""What a segment asks of events: for each digest of a pattern the key under which it is kept, and the position of the
log after which events are counted as they come. Those before are counted when the segment is made ready."""


class SegmentBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of a definition. The tree counts; `text` is what its author wrote, empty when that was the tree.
    `said`: what it is for, for people to read. While it is `archived` nobody is in it. `patterns` are found when it is
    defined; nobody writes them."""

    segment: Segment
    text: Annotated[str, Meta(max_length=TEXT_CHARS_MAX)] = ""
    said: Annotated[str, Meta(max_length=SAID_CHARS_MAX)] = ""
    archived: bool = False
    patterns: Patterns = {}


class Ready(msgspec.Struct, frozen=True):
    """A revision of a segment is ready: all that it asks for is counted. `turn` rises with each that becomes so."""

    revision: int
    turn: int


class SegmentDefinition(msgspec.Struct, frozen=True):
    """A segment in force, as the fold needs it. `number` is its own for good, whatever becomes of its name; `revision`
    rises with each change. `ready`: the turn at which it became so, None while it is not and nobody is looked at."""

    number: int
    name: str
    revision: int
    tree: Segment
    patterns: Patterns = {}
    ready: int | None = None


def stands_on(segment: Segment) -> frozenset[str]:
    """The names of the segments that an expression mentions."""
    return frozenset(each.name for each in tree.conditions(segment.expression) if isinstance(each, tree.InSegment))


def circle(name: str, mentions: Mapping[str, Iterable[str]]) -> list[str]:
    """The names on a way from a segment through those that it stands on back to itself, with its own at both ends;
    empty when there is none. Names without mentions lead nowhere."""
    came_from: dict[str, str] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        for other in sorted(mentions.get(each, ())):
            if other == name:
                return [*_way(each, came_from, name), name]
            if other not in came_from:
                came_from[other] = each
                waiting.append(other)
    return []


def _way(end: str, came_from: Mapping[str, str], start: str) -> list[str]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


def in_order(definitions: Iterable[SegmentDefinition]) -> Iterator[SegmentDefinition]:
    """The segments, each after all that it stands on. What stands on one that is not there, or on itself, is left
    out: two processes that define at one instant may have made such a one between them."""
    waiting = {each.name: each for each in definitions}
    done: set[str] = set()
    while ready := sorted(name for name, each in waiting.items() if stands_on(each.tree) <= done):
        for name in ready:
            yield waiting.pop(name)
        done.update(ready)
