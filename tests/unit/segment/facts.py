"""What the tests of segments tell of people: raw facts in the order in which they came in, and who became
one with whom.

Nothing of it is decoded, folded or sorted: each execution makes of it what it makes of the real thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any as Anything

from courtesy.event.choice import Choice
from courtesy.event.event import EventType, Party
from courtesy.segment.tree import Segment

Json = Mapping[str, Anything]


@dataclass(frozen=True, slots=True)
class Told:
    """One accepted call. `body`: for whom it came in, before anybody knew whom else they are one with. `number` is its
    own, `tie` settles the order of two of one millisecond. `rank`: how much its source is believed."""

    number: int
    body: int
    kind: EventType
    at_ms: int
    received_ms: int
    tie: int
    rank: int = 30
    source: str = "shop"
    party: Party = Party.FIRST
    name: str | None = None
    group: str | None = None
    traits: Json = field(default_factory=dict)
    group_traits: Json = field(default_factory=dict)
    properties: Json = field(default_factory=dict)
    context: Json = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()

    @property
    def key(self) -> bytes:
        """16 bytes that no other fact has, of which the tie is made."""
        return self.tie.to_bytes(8, "big", signed=True) + self.number.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Merged:
    """It became known that `loser` is the same person as `survivor`."""

    loser: int
    survivor: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class Parted:
    """It became known that `body`, who had been merged into somebody, is not the same person."""

    body: int
    received_ms: int


Arrival = Told | Merged | Parted


@dataclass(frozen=True, slots=True)
class World:
    """All that came in, in order."""

    arrivals: tuple[Arrival, ...]

    @property
    def told(self) -> list[Told]:
        """The facts alone."""
        return [each for each in self.arrivals if isinstance(each, Told)]

    def known(self, known_ms: int) -> World:
        """What had come in by an instant."""
        return World(tuple(each for each in self.arrivals if each.received_ms <= known_ms))

    def prefixes(self) -> Iterator[World]:
        """The world after each arrival."""
        return (World(self.arrivals[: count + 1]) for count in range(len(self.arrivals)))

    @property
    def roots(self) -> dict[int, int]:
        """For each body the person that it is now part of."""
        found = {each.body: each.body for each in self.told}
        for each in self.arrivals:
            if isinstance(each, Merged):
                found = {body: each.survivor if root == each.loser else root for body, root in found.items()}
            elif isinstance(each, Parted):
                found[each.body] = each.body
        return found

    def known_as(self, one: Told) -> tuple[int, ...]:
        """The bodies that were known to be one with that of a fact when it came in."""
        before = World(self.arrivals[: self.arrivals.index(one)])
        roots = before.roots | {one.body: before.roots.get(one.body, one.body)}
        return tuple(sorted({body for body, root in roots.items() if root == roots[one.body]} | {roots[one.body]}))


@dataclass(frozen=True, slots=True)
class Defined:
    """A segment is defined, or defined anew; without one it is archived, and again without one it is restored."""

    name: str
    segment: Segment | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Killed:
    """The process that makes segments ready dies, and another goes on."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Looked:
    """Nothing happens, but time passes."""

    at_ms: int


Step = Arrival | Defined | Killed | Looked


@dataclass(frozen=True, slots=True)
class Script:
    """What happens in order, and after each step how many questions the builder asks, and whether all is folded."""

    steps: Sequence[Step]
    paces: Sequence[tuple[int, bool]]


def instant_of(step: Step) -> int:
    """When a step is."""
    return step.at_ms if isinstance(step, Defined | Killed | Looked) else step.received_ms


def changed(world: World, **values: Anything) -> World:
    """The same with each fact changed in the same way, for faults that are made on purpose."""
    return World(tuple(replace(each, **values) if isinstance(each, Told) else each for each in world.arrivals))
