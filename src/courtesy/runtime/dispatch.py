"""The dispatcher: carries out effects, one kind apart from the other, and settles each with one final outcome."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from courtesy.base.time import SECOND_MS, Clock
from courtesy.channel.contract import (
    MAX_ATTEMPTS,
    Attempt,
    Channel,
    Delivered,
    FailCause,
    Failed,
    Parcel,
    Retry,
    RetryCause,
    backoff_ms,
)
from courtesy.engine.contract import Engine, StorageFull, Unavailable
from courtesy.engine.outbox import ClaimedEffect, EffectState, Settlement
from courtesy.engine.tasks import end
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, RecordKind
from courtesy.runtime.telemetry import EFFECTS, SETTLED, TRACER

CLAIM_MS = 120 * SECOND_MS
"""How long an attempt may take before another dispatcher may try: well over a channel's own time limit."""

SETTLE_S = 60.0
SETTLE_AGAIN_S = 1.0
"""How long, and how often, to try to say what an attempt came to: as long as the claim keeps others from trying."""

IN_FLIGHT_MAX = 64
IN_FLIGHT_PER_TARGET_MAX = 8
IDLE_MS = SECOND_MS
REPORT_RANK = 30

log = structlog.get_logger("dispatch")


class Target(NamedTuple):
    """Where effects go: the channel's configuration, and the revision of the definition that it is of."""

    config: dict[str, Any]
    revision: int


class Targets(Protocol):
    """The targets of one kind of effects."""

    async def find(self, name: str) -> Target | Failed:
        """A target as it stands now, or why it is not to be called: that is final for an effect."""
        ...

    async def refuse(self, name: str, revision: int, detail: str) -> None:
        """The other side of a target said that it wants nothing any more: `find` answers so from now on, until the
        target is defined again. Nothing changes when it was since this revision. Raises Unavailable, StorageFull."""
        ...


class Dispatcher:
    """Carries out effects of the given kinds. A dead provider holds up nobody but itself: each kind has its own loop,
    each target a share of the attempts under way."""

    def __init__(
        self, engine: Engine, channels: Mapping[str, Channel], targets: Mapping[str, Targets], clock: Clock
    ) -> None:
        self._engine = engine
        self._channels = channels
        self._targets = targets
        self._clock = clock
        self._busy: Counter[tuple[str, str]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = {kind: asyncio.Event() for kind in channels}
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until `stop` is set, then let the attempts under way end."""
        await asyncio.gather(*(self._run_kind(kind, stop) for kind in self._channels))
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        for channel in self._channels.values():
            await channel.aclose()

    async def _run_kind(self, kind: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                self._ended[kind].clear()
                if not await self.dispatch_once(kind):
                    await self._wait(kind)
            except (Unavailable, StorageFull) as error:
                log.warning("dispatch_waits", kind=kind, cause=error.message)
                await asyncio.sleep(IDLE_MS / 1_000)

    async def _wait(self, kind: str) -> None:
        """Return when there may be something to claim: one came, or one ended and left its place to the next."""
        both = (self._engine.wait_for_effects(IDLE_MS), self._ended[kind].wait())
        waits = [asyncio.ensure_future(each) for each in both]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            await end(*waits)

    async def dispatch_once(self, kind: str) -> int:
        """Claim what is due and has room, and begin to carry it out; how many."""
        under_way = sum(count for (each, _), count in self._busy.items() if each == kind)
        room = IN_FLIGHT_MAX - under_way
        if room <= 0:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            return 1
        full = [
            target for (each, target), count in self._busy.items() if each == kind and count >= IN_FLIGHT_PER_TARGET_MAX
        ]
        effects = await self._engine.claim_effects(
            kind, self._clock.now_ms(), CLAIM_MS, min(room, IN_FLIGHT_PER_TARGET_MAX), except_targets=full
        )
        for effect in effects:
            self._busy[kind, effect.target] += 1
            task = asyncio.create_task(self._carry_out(effect))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(effects)

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _carry_out(self, effect: ClaimedEffect) -> None:
        try:
            with TRACER.start_as_current_span("dispatch", attributes={"kind": effect.kind, "attempt": effect.attempt}):
                attempt = await self._attempt(effect)
                EFFECTS.labels(effect.kind, type(attempt).__name__.lower()).inc()
                settlement = self._settlement(effect, attempt)
                await self._settle(settlement)
                if settlement.report is not None:
                    SETTLED.labels(effect.kind, settlement.state).inc()
        except (Unavailable, StorageFull) as error:
            # Not settled: the claim runs out and the effect is tried again, under the same key.
            log.warning("effect_not_settled", key=effect.key.hex(), cause=error.message)
        finally:
            self._busy[effect.kind, effect.target] -= 1
            if not self._busy[effect.kind, effect.target]:
                del self._busy[effect.kind, effect.target]
            self._ended[effect.kind].set()

    async def _settle(self, settlement: Settlement) -> None:
        """Record what became of an attempt. A store that fails is asked again, lest what arrived is sent once more."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_S
        while True:
            try:
                await self._engine.settle(settlement)
            except (Unavailable, StorageFull):
                if self._stopping or loop.time() >= deadline:
                    raise
                await asyncio.sleep(SETTLE_AGAIN_S)
            else:
                return

    async def _attempt(self, effect: ClaimedEffect) -> Attempt:
        if effect.attempt > MAX_ATTEMPTS:
            # Attempts whose process ended before they did count, too, or an effect could end processes for ever.
            return Retry(RetryCause.TIMEOUT, "no attempt came to an end")
        targets = self._targets[effect.kind]
        target = await targets.find(effect.target)
        if isinstance(target, Failed):
            return target
        attempt = await self._deliver(Parcel(effect.key, effect.kind, effect.created_ms, target.config, effect.body))
        if isinstance(attempt, Failed) and attempt.cause is FailCause.GONE:
            # Before the effect is settled: if this is as far as it gets, the next attempt ends the same way.
            await targets.refuse(effect.target, target.revision, _clean(attempt.detail))
        return attempt

    async def _deliver(self, parcel: Parcel) -> Attempt:
        try:
            return await self._channels[parcel.kind].deliver(parcel)
        except Exception as error:  # noqa: BLE001 -- a bug in a channel must not keep its effects from ever ending
            log.error("channel_broke", kind=parcel.kind, key=parcel.key.hex(), cause=type(error).__name__)
            return Retry(RetryCause.CONNECTION, f"the channel broke off: {type(error).__name__}")

    def _settlement(self, effect: ClaimedEffect, attempt: Attempt) -> Settlement:
        now = self._clock.now_ms()
        if isinstance(attempt, Delivered):
            report = _report(effect, "Delivered", "", now)
            return Settlement(
                effect.key, effect.attempt, EffectState.DELIVERED, "", _clean(attempt.detail), now, report=report
            )
        cause = str(attempt.cause.value)
        if isinstance(attempt, Retry) and effect.attempt < MAX_ATTEMPTS:
            wait = max(backoff_ms(effect.attempt, effect.key), attempt.after_ms or 0)
            return Settlement(
                effect.key, effect.attempt, EffectState.WAITING, cause, _clean(attempt.detail), now, now + wait
            )
        report = _report(effect, "Failed", cause, now)
        return Settlement(
            effect.key, effect.attempt, EffectState.FAILED, cause, _clean(attempt.detail), now, report=report
        )


def _clean(detail: str) -> str:
    return detail.replace("\0", "\\0")[:500]


def _report(effect: ClaimedEffect, what: str, cause: str, now_ms: int) -> NewRecord:
    """The event that tells of a final outcome. It belongs to the person of the effect and starts nothing."""
    properties = {"target": effect.target, "attempts": effect.attempt, "cause": cause}
    event = Event(
        id=f"effect-{effect.key.hex()}",
        type=EventType.SYSTEM,
        at=now_ms,
        received=now_ms,
        source=SYSTEM_SOURCE,
        rank=REPORT_RANK,
        party=Party.FIRST,
        ids=(),
        name=f"{effect.kind.capitalize()} {what}",
        properties=msgspec.Raw(msgspec.json.encode(properties)),
    )
    return NewRecord(effect.person, RecordKind.EVENT, now_ms, now_ms, SYSTEM_SOURCE, effect.key, encode(event))
