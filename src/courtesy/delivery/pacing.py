"""How fast messages go to one place: evenly, with a brake where the other side is refusing."""

from __future__ import annotations

from dataclasses import dataclass, field

from courtesy.base.time import SECOND_MS

BRAKE_MS = 10 * SECOND_MS
"""How long nothing goes to a place that asked to be spared."""

BRAKE_MS_MAX = 30 * 60 * SECOND_MS
SLOWEST_PER_S = 0.1
RECOVERY = 1.02
"""By how much the pace grows with each message that was taken, up to what it was set to."""

BURST_S = 1.0
PLACES_MAX = 20_000


@dataclass(slots=True)
class Pace:
    """The pace of one place: messages per second, those that may go at once, and until when none may (ms UTC)."""

    most_per_s: float
    per_s: float
    ready: float
    at_ms: int
    closed_until_ms: int = 0
    brake_count: int = 0

    def _advance(self, now_ms: int) -> None:
        passed_s = max(now_ms - self.at_ms, 0) / SECOND_MS
        self.ready = min(self.ready + passed_s * self.per_s, max(self.per_s * BURST_S, 1.0))
        self.at_ms = now_ms

    def opens_at(self, now_ms: int) -> int:
        """When the next message may go: now, or later."""
        self._advance(now_ms)
        waits_ms = 0 if self.ready >= 1 else round((1 - self.ready) / self.per_s * SECOND_MS) or 1
        return max(self.closed_until_ms, now_ms + waits_ms)

    def take(self, now_ms: int) -> bool:
        """Let one message go, if one may."""
        if self.opens_at(now_ms) > now_ms:
            return False
        self.ready -= 1
        return True

    def taken(self) -> None:
        """A message was accepted there: go faster again."""
        self.brake_count = 0
        self.per_s = min(self.per_s * RECOVERY, self.most_per_s)

    def brake(self, now_ms: int, after_ms: int | None = None) -> None:
        """The place asked to be spared: wait, and go on at half the pace. Of those that are refused at the same time
        the first alone brakes."""
        if now_ms < self.closed_until_ms:
            return
        waits_ms = after_ms or min(BRAKE_MS * 2**self.brake_count, BRAKE_MS_MAX)
        self.brake_count += 1
        self.per_s = max(self.per_s / 2, SLOWEST_PER_S)
        self.closed_until_ms = now_ms + waits_ms
        self.ready = 0


@dataclass(slots=True)
class Pacing:
    """The paces of all places that messages went to lately. One in each process that sends, which has its share."""

    per_s: float
    share: float = 1.0
    _paces: dict[str, Pace] = field(default_factory=dict)

    def of(self, place: str, now_ms: int, per_s: float | None = None) -> Pace:
        """The pace of a place. `per_s`: what it is set to, for all processes together."""
        most = (per_s or self.per_s) * self.share
        pace = self._paces.get(place)
        if pace is None:
            if len(self._paces) >= PLACES_MAX:
                self._forget_idle(now_ms)
            pace = self._paces[place] = Pace(most, most, max(most * BURST_S, 1.0), now_ms)
        if pace.most_per_s != most:
            pace.most_per_s, pace.per_s = most, min(pace.per_s, most)
        return pace

    def closed(self, now_ms: int) -> dict[str, int]:
        """The places to which nothing may go now, and when something may."""
        opens = {place: pace.opens_at(now_ms) for place, pace in self._paces.items()}
        return {place: at_ms for place, at_ms in opens.items() if at_ms > now_ms}

    def _forget_idle(self, now_ms: int) -> None:
        kept = {place: pace for place, pace in self._paces.items() if pace.opens_at(now_ms) > now_ms}
        self._paces = kept if len(kept) < PLACES_MAX else {}
