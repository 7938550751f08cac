"""The teller: tells recipients what is so, reads it back, and escalates what it can't get confirmed.

It never sends what changed, but always what is so now, under a version that only rises. So it does no harm when a call
is made twice, comes late or is lost with its answer; and what is read back shows whether it holds, whatever was said.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import msgspec
import structlog

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import MINUTE_MS, SECOND_MS, Clock
from courtesy.channel.contract import Delivered, Failed, Retry, RetryCause, backoff_ms
from courtesy.channel.subjects import ReadBack, SubjectCalls
from courtesy.consent.law import Laws, Policy
from courtesy.consent.laws import LAWS
from courtesy.engine.contract import Engine, PersonReading
from courtesy.engine.propagation import (
    GONE,
    AttemptEnd,
    Change,
    ChangeKind,
    ClaimedSubject,
    Ended,
    ReceiptState,
)
from courtesy.runtime.feeding import Feeder
from courtesy.runtime.recipient import Recipient, SubjectIds
from courtesy.runtime.settling import Settler
from courtesy.runtime.subject_state import VERSION, SubjectState, subject_state
from courtesy.runtime.system_events import SourceReport, report
from courtesy.runtime.telemetry import PROPAGATED, PROPAGATION_CALLS, PROPAGATION_SECONDS, error_and_place

CLAIM_MS = MINUTE_MS
"""How long an attempt may take before another may be made: more than its calls, which are three at most, are given."""

BACKOFF_MAX_MS = 10 * MINUTE_MS
"""How long a recipient that was down is left alone at most: what was revoked is to get there soon after it is back."""

IN_FLIGHT_MAX = 32
URGENT_ONLY = 4
"""Of the calls to one recipient at a time, how many are kept for what is urgent."""

AT_ONCE_MIN = 8
"""So many are claimed and read at once, where there are as many, unless they are urgent or nothing is under way."""

IDLE_S = 1.0
BREATH_S = 0.02
OVERDUE_EVERY_MS = 5 * SECOND_MS
LOOKED_AT = Position(-1)
"""The version of an attempt that was about no change."""

log = structlog.get_logger("recipients")

Recipients = Callable[[], Mapping[str, Recipient]]

_Answered = TypeVar("_Answered", Delivered | Retry | Failed, ReadBack | Retry | Failed)


class Teller:
    """Tells all recipients, each by a loop of its own, so that one that is down or slow holds up no other."""

    def __init__(
        self,
        engine: Engine,
        recipients: Recipients,
        calls: SubjectCalls,
        ids: SubjectIds,
        clock: Clock,
        policies: Iterable[Policy] = LAWS,
    ) -> None:
        self._engine = engine
        self._recipients = recipients
        self._calls = calls
        self._ids = ids
        self._clock = clock
        self._laws = Laws(policies)
        self._feeder = Feeder(engine, ids, clock)
        self._settler = Settler(engine)
        self._busy: Counter[str] = Counter()
        self._kicks: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held_until_ms: dict[str, int] = {}
        self._overdue_ms: dict[str, int] = {}

    # -- running

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until `stop` is set, then let the calls under way end."""
        loops: dict[str, asyncio.Task[None]] = {}
        feeding = asyncio.create_task(self._feed_all(stop), name="feed")
        while not stop.is_set():
            for name in self._recipients():
                if name not in loops or loops[name].done():
                    loops[name] = asyncio.create_task(self._serve(name, stop), name=f"tell {name}")
            await _wait(stop)
        await asyncio.gather(feeding, *loops.values())
        await self.drain()
        await self._calls.aclose()

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _feed_all(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                fed = await self.feed_once()
            except CourtesyError as error:
                log.warning("feeding_waits", cause=error.message, hint=error.hint)
                await _wait(stop)
                continue
            except Exception as error:  # noqa: BLE001 -- the outermost edge: nothing is told while nobody notices
                log.error("feeding_broke", **error_and_place(error))
                await _wait(stop)
                continue
            if not fed:
                # Appends come by the hundred a second; choices among them do not.
                await asyncio.sleep(BREATH_S)
                await self._engine.wait_for_records(int(IDLE_S * 1_000))

    async def _serve(self, name: str, stop: asyncio.Event) -> None:
        kick = self._kicks.setdefault(name, asyncio.Event())
        while not stop.is_set() and name in self._recipients():
            kick.clear()
            try:
                if not await self.tell_once(name):
                    await _wait(kick)
            except CourtesyError as error:
                log.warning("telling_waits", recipient=name, cause=error.message)
                await _wait(stop)

    async def feed_once(self) -> bool:
        """Look for changes; whether there may be more."""
        fed = await self._feeder.feed(self._recipients())
        for name in fed:
            self._kick(name)
        return bool(fed)

    def _kick(self, name: str) -> None:
        self._kicks.setdefault(name, asyncio.Event()).set()

    async def tell_once(self, name: str) -> int:
        """Begin attempts for what is due at a recipient, as many as there is room for; how many."""
        recipient, now = self._recipients().get(name), self._clock.now_ms()
        if recipient is None:
            return 0
        if now >= self._overdue_ms.get(name, 0):
            self._overdue_ms[name] = now + OVERDUE_EVERY_MS
            await self._escalate_overdue(name, recipient, now)
        if now < self._held_until_ms.get(name, 0):
            return 0
        claimed = await self._claim(name, now, urgent=True)
        claimed += await self._claim(name, now, urgent=False)
        return len(claimed)

    async def _claim(self, name: str, now_ms: int, *, urgent: bool) -> list[ClaimedSubject]:
        room = self._room(name, urgent=urgent)
        if room <= 0 or not (urgent or room >= AT_ONCE_MIN or not self._busy[name]):
            return []
        claimed = await self._engine.claim_subjects(name, now_ms, CLAIM_MS, room, urgent=urgent)
        people = {each.person for each in claimed if each.person is not None}
        readings = await self._engine.read_people(people) if people else {}
        for each in claimed:
            reading = None if each.person is None else readings.get(each.person)
            self._busy[name] += 1
            task = asyncio.create_task(self._carry_out(name, each, reading))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return claimed

    def _room(self, name: str, *, urgent: bool) -> int:
        return IN_FLIGHT_MAX - self._busy[name] - (0 if urgent else URGENT_ONLY)

    async def _carry_out(self, name: str, claimed: ClaimedSubject, reading: PersonReading | None) -> None:
        try:
            recipient = self._recipients().get(name)
            if recipient is None:
                return
            ended = await self._attempt(name, recipient, claimed, reading)
            settled = await self._settler.end(ended)
            if settled:
                await self._tell_of(name, ended.end, settled, ended.error)
        except CourtesyError as error:
            # Not settled: the claim runs out, and what is so then is told again.
            log.warning("attempt_not_settled", recipient=name, cause=error.message)
        except Exception as error:  # noqa: BLE001 -- the outermost edge: what one attempt breaks on, another may not
            log.error("attempt_broke", recipient=name, **error_and_place(error))
        finally:
            self._busy[name] -= 1
            if self._room(name, urgent=False) >= AT_ONCE_MIN or not self._busy[name]:
                self._kick(name)

    # -- one attempt

    async def _attempt(
        self, name: str, recipient: Recipient, claimed: ClaimedSubject, reading: PersonReading | None
    ) -> AttemptEnd:
        """`reading`: the person as they were read after the claim."""
        if claimed.person is None or reading is None:
            return await self._erase(name, recipient, claimed)
        part_of = None if reading.person == claimed.person else self._ids.of(name, reading.person)
        now = self._clock.now_ms()
        state = subject_state(recipient, claimed.subject, part_of, reading, now, self._laws)
        if not claimed.has_changes:
            return await self._look_again(name, recipient, claimed, reading, state)
        version = reading.head
        body = msgspec.json.encode(state.document)
        told = self._called(name, "put", await self._calls.put(recipient.where, claimed.subject.hex(), version, body))
        ended = AttemptEnd(name, claimed.subject, claimed.attempt, version, self._clock.now_ms())
        if not isinstance(told, Delivered):
            return self._failed(recipient, claimed, ended, told)
        if not recipient.reads_back:
            return replace(ended, end=ReceiptState.ACCEPTED, accepted=True, next_ms=state.until_ms)
        return await self._verified(name, recipient, claimed, replace(ended, accepted=True), state)

    async def _verified(
        self, name: str, recipient: Recipient, claimed: ClaimedSubject, ended: AttemptEnd, state: SubjectState
    ) -> AttemptEnd:
        """What reading back shows of what it accepted."""
        back = self._called(name, "read", await self._calls.read(recipient.where, claimed.subject.hex()))
        ended = replace(ended, at_ms=self._clock.now_ms())
        if not isinstance(back, ReadBack):
            return self._failed(recipient, claimed, ended, back)
        wrong = _wrong_with(back, state)
        if wrong:
            wait = Retry(RetryCause.SERVER_ERROR, wrong)
            return replace(self._failed(recipient, claimed, ended, wait), error=wrong, read_back=back.tag)
        next_ms = _earliest(recipient.look_again_ms(ended.at_ms, is_fresh=True), state.until_ms)
        return replace(ended, end=ReceiptState.VERIFIED, read_back=back.tag, next_ms=next_ms)

    async def _look_again(
        self, name: str, recipient: Recipient, claimed: ClaimedSubject, reading: PersonReading, state: SubjectState
    ) -> AttemptEnd:
        """Whether it still has what is so; if not, or if nobody can know, that is a change of its own."""
        ended = AttemptEnd(name, claimed.subject, claimed.attempt, LOOKED_AT, self._clock.now_ms())
        back: ReadBack | Retry | Failed = ReadBack(None)
        if recipient.reads_back:
            back = self._called(name, "read", await self._calls.read(recipient.where, claimed.subject.hex()))
        if isinstance(back, Retry):
            return self._failed(recipient, claimed, ended, back)
        if isinstance(back, Failed) or not state.is_what(back.document):
            assert claimed.person is not None
            drift = Change(claimed.person, claimed.subject, ChangeKind.DRIFT, True, reading.head)
            await self._engine.queue_changes(name, [drift], self._clock.now_ms())
        now = self._clock.now_ms()
        next_ms = _earliest(recipient.look_again_ms(now, is_fresh=False), state.until_ms)
        return replace(ended, at_ms=now, end=ReceiptState.VERIFIED, next_ms=next_ms)

    async def _erase(self, name: str, recipient: Recipient, claimed: ClaimedSubject) -> AttemptEnd:
        """Have a subject erased, and see that it is: once at once, and once more when it had time to lose that."""
        subject = claimed.subject.hex()
        ended = AttemptEnd(name, claimed.subject, claimed.attempt, GONE, self._clock.now_ms(), accepted=True)
        if claimed.has_changes or not await self._is_gone(name, recipient, subject):
            body = msgspec.json.encode({"subject": subject, "identifiers": list(claimed.find_by)})
            told = self._called(name, "erase", await self._calls.erase(recipient.where, subject, body))
            if not isinstance(told, Delivered):
                return self._failed(recipient, claimed, replace(ended, accepted=False), told)
            if not recipient.reads_back:
                return replace(ended, end=ReceiptState.ACCEPTED, forgets=True)
            if not await self._is_gone(name, recipient, subject):
                wait = Retry(RetryCause.SERVER_ERROR, "it can't be seen that it has erased it")
                return self._failed(recipient, claimed, ended, wait)
        now = self._clock.now_ms()
        next_ms = recipient.look_again_ms(now, is_fresh=True)
        return replace(ended, at_ms=now, end=ReceiptState.VERIFIED, next_ms=next_ms, forgets=not claimed.has_changes)

    async def _is_gone(self, name: str, recipient: Recipient, subject: str) -> bool:
        back = self._called(name, "read", await self._calls.read(recipient.where, subject))
        return isinstance(back, ReadBack) and back.document is None

    def _called(self, name: str, call: str, answer: _Answered) -> _Answered:
        """Count a call, and leave a recipient alone for as long as it asked to be."""
        PROPAGATION_CALLS.labels(name, call, type(answer).__name__.lower()).inc()
        if isinstance(answer, Retry) and answer.cause is RetryCause.THROTTLED and answer.after_ms is not None:
            until_ms = self._clock.now_ms() + min(answer.after_ms, BACKOFF_MAX_MS)
            self._held_until_ms[name] = max(until_ms, self._held_until_ms.get(name, 0))
        return answer

    def _failed(
        self, recipient: Recipient, claimed: ClaimedSubject, ended: AttemptEnd, why: Retry | Failed
    ) -> AttemptEnd:
        """An attempt in vain: to be tried again, or given up when that would end the same way."""
        error = f"{why.cause.value}: {why.detail}".replace("\0", "")[:300]
        if isinstance(why, Failed):
            next_ms = None if claimed.person is None else recipient.look_again_ms(ended.at_ms, is_fresh=False)
            return replace(ended, end=ReceiptState.ESCALATED, error=error, next_ms=next_ms)
        wait_ms = max(min(backoff_ms(claimed.tries + 1, claimed.subject), BACKOFF_MAX_MS), why.after_ms or 0)
        return replace(ended, error=error, next_ms=ended.at_ms + wait_ms)

    # -- escalating

    async def _escalate_overdue(self, name: str, recipient: Recipient, now_ms: int) -> None:
        next_ms = recipient.look_again_ms(now_ms, is_fresh=False)
        late = await self._engine.escalate_overdue(name, now_ms - recipient.escalate_after_ms, now_ms, next_ms)
        if late:
            await self._tell_of(name, ReceiptState.ESCALATED, late, "not confirmed in time")

    async def _tell_of(self, name: str, end: ReceiptState | None, settled: list[Ended], error: str) -> None:
        """Let metrics, log and the system's events know of changes that came to their end."""
        now = self._clock.now_ms()
        for each in settled:
            PROPAGATED.labels(name, str(end)).inc()
            if end is not ReceiptState.ESCALATED:
                PROPAGATION_SECONDS.labels(str(each.urgent).lower()).observe(max(0, now - each.queued_ms) / SECOND_MS)
        if end is ReceiptState.ESCALATED:
            log.warning("propagation_escalated", recipient=name, changes=len(settled), cause=error)
            told = {"recipient": name, "changes": len(settled), "cause": error}
            number = min(each.queued_ms for each in settled)
            message_id = f"propagation-{name}-{now}-{number}"
            await report(self._engine, [SourceReport(name, message_id, "Propagation Escalated", told)], now)


def _wrong_with(back: ReadBack, state: SubjectState) -> str:
    """What is wrong with what was read back; empty when nothing is."""
    held = None if back.document is None else back.document.get(VERSION)
    if held != state.document[VERSION]:
        shown = held if isinstance(held, int) else "none"
        return f"read back version {shown}, expected {state.document[VERSION]}"
    return "" if state.is_what(back.document) else "read back something else under the right version"


def _earliest(look_ms: int | None, until_ms: int | None) -> int | None:
    """When to come back: to look again, or because what is so changes by itself."""
    return min((each for each in (look_ms, until_ms) if each is not None), default=None)


async def _wait(event: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(event.wait(), IDLE_S)
    except TimeoutError:
        return
