"""What a store keeps of effects: what is to be done in the world, and what became of it.

The promises that hold for every engine:

- **An effect's key is unique for ever**; putting it again is a no-op, also when nothing else is kept of it any more.
- **One attempt at a time.** Who claims an effect may carry it out until the claim's time is over; then another may. Of
  attempts the latest alone settles, and exactly one settlement is final.
- The event that tells of a final outcome, and what is kept of what left, are written with it or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from courtesy.base.ids import PersonId
from courtesy.engine.delivery import MessageFate
from courtesy.engine.permit import Send
from courtesy.person.record import NewRecord


class EffectState(StrEnum):
    """Where an effect stands. `waiting` and `claimed` are on their way; the others are final. SKIPPED: it was not to be
    carried out. UNSURE: it may have been, and is not tried again."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNSURE = "unsure"


class NewEffect(NamedTuple):
    """An effect for the outbox, not to be claimed before an instant. `target` names the definition that says where to
    (a subscription)."""

    key: bytes
    kind: str
    person: PersonId
    target: str
    body: bytes
    created_ms: int
    not_before_ms: int = 0


FINAL = frozenset(EffectState) - {EffectState.WAITING, EffectState.CLAIMED}


class ClaimedEffect(NamedTuple):
    """An effect that a dispatcher may carry out now. `attempt` counts from 1 and fences: only its holder settles it.
    `was_broken_off`: an attempt before this one began and never said what became of it."""

    key: bytes
    kind: str
    person: PersonId
    target: str
    body: bytes
    created_ms: int
    attempt: int
    was_broken_off: bool = False


class Settlement(NamedTuple):
    """What became of an attempt: final, or waiting until `not_before_ms`.

    `report` is the event that tells of a final outcome, `send` what left with it, and `fate` what is counted: all three
    in the same transaction.
    """

    key: bytes
    attempt: int
    state: EffectState
    cause: str
    detail: str
    at_ms: int
    not_before_ms: int = 0
    report: NewRecord | None = None
    send: Send | None = None
    fate: MessageFate | None = None


class StoredEffect(NamedTuple):
    """An effect as it lies there: whose it is, what it was to do, and when it came to an end (ms UTC; None: it has
    not)."""

    key: bytes
    kind: str
    person: PersonId
    body: bytes
    settled_ms: int | None


class EffectReading(NamedTuple):
    """An effect as the console shows it."""

    key: bytes
    kind: str
    person: PersonId
    target: str
    state: EffectState
    attempt: int
    cause: str
    detail: str
    created_ms: int
    settled_ms: int | None


class OutboxStore(Protocol):
    """The side of an engine that keeps effects."""

    async def claim_effects(
        self, kind: str, now_ms: int, ttl_ms: int, limit: int, except_targets: Collection[str] = ()
    ) -> list[ClaimedEffect]:
        """Claim waiting effects of a kind that are due, and claimed ones whose claim has run out, oldest first.

        Effects for `except_targets` are left alone: their target has enough under way.
        """
        ...

    async def settle(self, settlement: Settlement) -> bool:
        """Record what became of an attempt; False, and no change, when another attempt has been made since."""
        ...

    async def settle_all(self, settlements: Sequence[Settlement]) -> list[bool]:
        """As `settle` does with each, all in one step, in the same order."""
        ...

    async def effects_by_key(self, keys: Collection[bytes]) -> dict[bytes, StoredEffect]:
        """The effects of those keys that there are, whatever became of them."""
        ...

    async def effects(self, person: PersonId | None, limit: int) -> list[EffectReading]:
        """The latest effects, of one person or of all, newest first."""
        ...

    async def due_effects(self, kinds: Collection[str], now_ms: int, limit: int) -> int:
        """How many effects of some kinds could be claimed; no more than `limit` are counted."""
        ...

    async def let_go_of_effects(self, settled_before_ms: int) -> int:
        """Keep nothing of effects that came to an end before an instant but that they were put; how many they were."""
        ...

    async def wait_for_effects(self, timeout_ms: int) -> None:
        """Return when an effect may have come since the last wait returned, or after the time."""
        ...
