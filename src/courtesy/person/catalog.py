"""What the company defined, as far as the fold needs it: read-only while a batch is folded."""

from __future__ import annotations

from functools import cached_property

import msgspec

from courtesy.base.time import DAY_MS

DELAY_MS_MAX = 365 * DAY_MS
EVERY_EVENT = "*"


class Subscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook that is called when a person does something.

    `events`: names that start it (`*` for all). `delay_ms`: wait this long after the event. `unless`: an event of one
    of these names, at the time of the first or later and before the wait is over, calls it off. Only live events
    start or call off a subscription.
    """

    name: str
    url: str
    events: tuple[str, ...]
    delay_ms: int = 0
    unless: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class Catalog(msgspec.Struct, frozen=True, dict=True):
    """All definitions of one version."""

    version: int = 0
    subscriptions: tuple[Subscription, ...] = ()

    @cached_property
    def starting(self) -> dict[str, tuple[Subscription, ...]]:
        """Subscriptions by the event name that starts them."""
        names = {name for each in self.subscriptions for name in each.events}
        return {name: tuple(each for each in self.subscriptions if name in each.events) for name in names}

    @cached_property
    def by_name(self) -> dict[str, Subscription]:
        """Subscriptions by their own name."""
        return {each.name: each for each in self.subscriptions}


EMPTY_CATALOG = Catalog()
