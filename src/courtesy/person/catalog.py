"""What the company defined, as far as the fold needs it: read-only while a batch is folded."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import msgspec

from courtesy.base.ids import Position
from courtesy.base.time import DAY_MS
from courtesy.event.event import Fact
from courtesy.person.conversion import Asked
from courtesy.person.marks import Crossing
from courtesy.person.state import PersonState

DELAY_MS_MAX = 365 * DAY_MS
EVERY_EVENT = "*"


class Subscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook that is called when a person does something.

    `events`: names that start it (`*` for all). `delay_ms`: wait this long after the event. `unless`: an event of one
    of these names, at the time of the first or later and before the wait is over, calls it off; with its own name in
    it, a subscription waits until the event stays away for as long. Only live events start a subscription, or end a
    wait when they come; history that is known already, or of who becomes one with somebody, calls off as well. Of one
    person `TIMERS_MAX` events wait at once; one that comes on top starts nothing.
    """

    name: str
    url: str
    events: tuple[str, ...]
    delay_ms: int = 0
    unless: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(slots=True)
class Touched:
    """What an input changed that segments may ask for: patterns by number, the first names of traits, choices, and a
    condition that was settled. `is_first`: whether nothing was known of the person before it."""

    patterns: list[str] = field(default_factory=list)
    traits: set[str] = field(default_factory=set)
    choices: bool = False
    settled: str = ""
    is_first: bool = False

    def __bool__(self) -> bool:
        return bool(self.patterns or self.traits or self.choices or self.settled)


NO_TOUCH = Touched()
"""Nothing; never changed."""


class Watch(Protocol):
    """What watches over segments while events are folded."""

    def count(self, state: PersonState, fact: Fact, tie: int, position: Position | None) -> Touched:
        """Add an event to the marks of a state. `position`: where it was appended; None to count it for all that is
        asked for, whenever that came to be."""
        ...

    def turn(
        self, state: PersonState, touched: Touched | None, at_ms: int, cause: str, *, live: bool
    ) -> list[Crossing]:
        """Move a state on to an instant, at which an input changed something (None: maybe everything). Holds
        afterwards: they are inside where they belong, and nothing is due at or before that instant."""
        ...


class Decided(NamedTuple):
    """What the desk decided of a message: an `effect` (key, kind, target, body, from when on in ms UTC) that sends it,
    or `news`, the name and the properties of an event that says why it is not sent."""

    effect: tuple[bytes, str, str, bytes, int] | None = None
    news: tuple[str, dict[str, Any]] | None = None


class Desk(Protocol):
    """What decides whether messages are sent."""

    def take(self, state: PersonState, fact: Fact, key: bytes, now_ms: int) -> Decided | None:
        """Decide about the message that a fact asks for, and hold room for it in `state`; None when that was done
        before. Raises msgspec.ValidationError for a fact that asks for none."""
        ...


class Catalog(msgspec.Struct, frozen=True, dict=True):
    """All definitions of one version. `watch`: over the segments that there are; None when there are none. `desk`: who
    decides about messages; None for who only reads. `goals`: what campaigns are to bring about; None for nothing."""

    version: int = 0
    subscriptions: tuple[Subscription, ...] = ()
    watch: Watch | None = None
    desk: Desk | None = None
    goals: Asked | None = None

    @cached_property
    def _starting(self) -> dict[str, tuple[Subscription, ...]]:
        some = [each for each in self.subscriptions if EVERY_EVENT not in each.events]
        names = {name for each in some for name in each.events}
        return {name: tuple(each for each in some if name in each.events) for name in names}

    @cached_property
    def _started_by_all(self) -> tuple[Subscription, ...]:
        return tuple(each for each in self.subscriptions if EVERY_EVENT in each.events)

    def started_by(self, name: str) -> tuple[Subscription, ...]:
        """The subscriptions that an event of this name starts, each once."""
        return (*self._starting.get(name, ()), *self._started_by_all)

    @cached_property
    def by_name(self) -> dict[str, Subscription]:
        """Subscriptions by their own name."""
        return {each.name: each for each in self.subscriptions}


EMPTY_CATALOG = Catalog()
