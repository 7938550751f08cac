"""The outbox: effects by key, claimed by attempt, settled once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from courtesy.base.ids import PersonId
from courtesy.engine.outbox import FINAL, ClaimedEffect, EffectReading, EffectState, NewEffect, Settlement, StoredEffect
from courtesy.identity.repair import CorrectedEffect


@dataclass(slots=True)
class _Standing:
    """An effect and what became of it. `next_ms`: when it may be claimed, at first or again."""

    effect: NewEffect
    next_ms: int
    state: EffectState = EffectState.WAITING
    attempt: int = 0
    cause: str = ""
    detail: str = ""
    settled_ms: int | None = None


class Outbox:
    """Effects that were ever put. Those not settled lie in order of when they may be claimed, by kind."""

    def __init__(self) -> None:
        self._effects: dict[bytes, _Standing] = {}
        self._open: dict[str, list[tuple[int, bytes]]] = {}
        self._past: set[bytes] = set()

    def put(self, effects: Iterable[NewEffect]) -> None:
        """Add the effects whose keys are new."""
        for effect in effects:
            if effect.key not in self._effects and effect.key not in self._past:
                first_ms = max(effect.created_ms, effect.not_before_ms)
                self._effects[effect.key] = _Standing(effect, first_ms)
                insort(self._open.setdefault(effect.kind, []), (first_ms, effect.key))

    def claim(
        self, kind: str, now_ms: int, ttl_ms: int, limit: int, except_targets: Collection[str]
    ) -> list[ClaimedEffect]:
        """Claim effects of a kind that may be claimed, oldest first, but none for `except_targets`."""
        waiting = self._open.get(kind, [])
        end = bisect_right(waiting, now_ms, key=lambda each: each[0])
        due = (key for _, key in waiting[:end] if self._effects[key].effect.target not in except_targets)
        claimed = [self._claim(key, now_ms + ttl_ms) for key in list(islice(due, limit))]
        return sorted(claimed, key=lambda each: (each.created_ms, each.key))

    def _claim(self, key: bytes, until_ms: int) -> ClaimedEffect:
        standing = self._effects[key]
        was_broken_off = standing.state is EffectState.CLAIMED
        standing.state = EffectState.CLAIMED
        standing.attempt += 1
        self._move(standing, until_ms)
        return ClaimedEffect(*standing.effect[:6], attempt=standing.attempt, was_broken_off=was_broken_off)

    def _move(self, standing: _Standing, next_ms: int | None) -> None:
        """Put an open effect to its new place in the order, or out of it when `next_ms` is None."""
        waiting = self._open[standing.effect.kind]
        del waiting[bisect_left(waiting, (standing.next_ms, standing.effect.key))]
        if next_ms is not None:
            standing.next_ms = next_ms
            insort(waiting, (next_ms, standing.effect.key))

    def can_settle(self, settlement: Settlement) -> bool:
        """True while the effect is open and no later attempt was made."""
        standing = self._effects.get(settlement.key)
        return standing is not None and standing.state not in FINAL and standing.attempt == settlement.attempt

    def settle(self, settlement: Settlement) -> None:
        """Record the outcome of an attempt that can be settled."""
        standing = self._effects[settlement.key]
        standing.state = settlement.state
        standing.cause = settlement.cause
        standing.detail = settlement.detail
        final = settlement.state in FINAL
        standing.settled_ms = settlement.at_ms if final else None
        self._move(standing, None if final else settlement.not_before_ms)

    def waiting(self, people: Collection[PersonId]) -> list[NewEffect]:
        """Effects of some people without a final outcome."""
        found = (each.effect for each in self._effects.values() if each.state not in FINAL)
        return sorted((each for each in found if each.person in people), key=lambda each: (each.created_ms, each.key))

    def by_key(self, keys: Collection[bytes]) -> dict[bytes, StoredEffect]:
        """As `OutboxStore.effects_by_key`."""
        found = {key: self._effects[key] for key in keys if key in self._effects}
        return {
            key: StoredEffect(key, each.effect.kind, each.effect.person, each.effect.body, each.settled_ms)
            for key, each in found.items()
        }

    def correct(self, effects: Iterable[CorrectedEffect]) -> None:
        """Change whose those effects are that are still open."""
        for each in effects:
            standing = self._effects[each.key]
            if standing.state not in FINAL:
                standing.effect = standing.effect._replace(person=each.person, body=each.body)

    def hand_over(self, effects: Mapping[bytes, PersonId]) -> None:
        """Change whose the effects of these keys are, whatever became of them."""
        for key, person in effects.items():
            standing = self._effects[key]
            standing.effect = standing.effect._replace(person=person)

    def forget(self, people: Collection[PersonId], keys: Collection[bytes]) -> None:
        """Drop the effects of these people, and those of these keys, whatever became of them."""
        for key, standing in list(self._effects.items()):
            if standing.effect.person in people or key in keys:
                if standing.state not in FINAL:
                    self._move(standing, None)
                del self._effects[key]

    def due(self, kinds: Collection[str], now_ms: int) -> int:
        """How many effects of some kinds may be claimed."""
        return sum(bisect_right(self._open.get(kind, []), now_ms, key=lambda each: each[0]) for kind in set(kinds))

    def let_go(self, settled_before_ms: int) -> int:
        """As `OutboxStore.let_go_of_effects`."""
        gone = {
            key
            for key, each in self._effects.items()
            if each.settled_ms is not None and each.settled_ms < settled_before_ms
        }
        for key in gone:
            del self._effects[key]
        self._past |= gone
        return len(gone)

    def latest(self, person: PersonId | None, limit: int) -> list[EffectReading]:
        """Effects, newest first, of one person or of all."""
        found = [each for each in self._effects.values() if person is None or each.effect.person == person]
        found.sort(key=lambda each: (-each.effect.created_ms, each.effect.key))
        return [_reading(each) for each in found[:limit]]


def _reading(standing: _Standing) -> EffectReading:
    effect = standing.effect
    return EffectReading(
        effect.key,
        effect.kind,
        effect.person,
        effect.target,
        standing.state,
        standing.attempt,
        standing.cause,
        standing.detail,
        effect.created_ms,
        standing.settled_ms,
    )
