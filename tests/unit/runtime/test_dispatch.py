"""The dispatcher: one final outcome for each effect, whatever the channel, the target and the store do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import ClassVar

import msgspec
import pytest

from courtesy.base.ids import PersonId, partition_of
from courtesy.base.time import DAY_MS, HOUR_MS, ManualClock
from courtesy.channel.contract import MAX_ATTEMPTS, Attempt, Delivered, FailCause, Failed, Parcel, Retry, RetryCause
from courtesy.channel.webhook import Webhook
from courtesy.component.declaration import Component
from courtesy.engine.contract import FoldCommit
from courtesy.engine.outbox import EffectReading, EffectState, NewEffect
from courtesy.runtime.dispatch import CLAIM_MS, IN_FLIGHT_PER_TARGET_MAX, Dispatcher, Target
from tests.unit.runtime.world import Engine, Trouble, opened

ANN = PersonId(1)
Answer = Callable[[Parcel], Attempt]


class Channel:
    """A channel that answers as it is told, and knows how often it was asked."""

    component: ClassVar[Component] = Webhook.component

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: Counter[bytes] = Counter()
        self.open = asyncio.Event()
        self.open.set()
        self.closed = False

    async def deliver(self, parcel: Parcel) -> Attempt:
        self.asked[parcel.key] += 1
        if parcel.config.get("slow"):
            await self.open.wait()
        return self.answer(parcel)

    async def aclose(self) -> None:
        self.closed = True


class Targets:
    """Any target but `gone`; one that wants no more stays as it is."""

    def __init__(self) -> None:
        self.refused: list[tuple[str, int, str]] = []

    async def find(self, name: str) -> Target | Failed:
        return Failed(FailCause.BAD_CONFIG, "gone") if name == "gone" else Target({"slow": name == "slow"}, 7)

    async def refuse(self, name: str, revision: int, detail: str) -> None:
        self.refused.append((name, revision, detail))


def _dispatcher(engine: Engine, answer: Answer, kind: str = "webhook") -> tuple[Dispatcher, Channel]:
    channel = Channel(answer)

    return Dispatcher(engine, {kind: channel}, {kind: Targets()}, engine.clock), channel


async def _put(engine: Engine, *effects: tuple[str, str]) -> None:
    """Effects into the outbox, each by its name and target, as a fold would."""
    leases = await engine.claim("a fold", engine.partition_count, DAY_MS)
    mine = [lease for lease in leases if lease.partition == partition_of(ANN, engine.partition_count)]
    made = [
        NewEffect(name.encode().ljust(16, b"."), "webhook", ANN, target, b"{}", engine.clock.now_ms())
        for name, target in effects
    ]
    await engine.commit_fold(FoldCommit(mine, {lease.partition: lease.folded for lease in mine}, effects=made))


async def _dispatch(dispatcher: Dispatcher) -> None:
    """Claim and carry out until nothing is due."""
    while await dispatcher.dispatch_once("webhook"):
        await dispatcher.drain()


async def _effect(engine: Engine) -> EffectReading:
    (effect,) = await engine.effects(None, 10)
    return effect


def _reports(engine: Engine) -> list[tuple[str, str]]:
    """What the log tells of outcomes: the name of the event, and the cause."""
    told = [msgspec.json.decode(record.payload) for record in engine.log()]
    return [(each["name"], each["properties"]["cause"]) for each in told]


async def test_what_arrived_is_delivered_once() -> None:
    """It is settled, reported to its person in the same write, and never tried again."""
    async with opened() as engine:
        dispatcher, channel = _dispatcher(engine, lambda _: Delivered("200"))
        await _put(engine, ("one", "shop"))
        await _dispatch(dispatcher)
        engine.clock.advance(30 * DAY_MS)
        await _dispatch(dispatcher)
        assert (await _effect(engine)).state is EffectState.DELIVERED
        assert channel.asked.total() == 1
        assert _reports(engine) == [("Webhook Delivered", "")]
        assert engine.log()[0].person == ANN


async def test_what_can_not_arrive_is_given_up_at_once() -> None:
    """With the channel's cause; so is what has no target any more, and the channel is not asked."""
    async with opened() as engine:
        dispatcher, channel = _dispatcher(engine, lambda _: Failed(FailCause.REJECTED, "no \0"))
        await _put(engine, ("one", "shop"), ("two", "gone"))
        await _dispatch(dispatcher)
        effects = {each.target: (each.state, each.cause) for each in await engine.effects(None, 10)}
        assert effects == {"shop": (EffectState.FAILED, "rejected"), "gone": (EffectState.FAILED, "bad_config")}
        assert channel.asked.total() == 1


@pytest.mark.parametrize("cause", FailCause)
async def test_only_who_is_gone_is_said_to_want_no_more(cause: FailCause) -> None:
    """The target is told, of the revision that was called, before the effect has its outcome."""
    async with opened() as engine:
        targets = Targets()
        channel = Channel(lambda _: Failed(cause, "4xx \0"))
        dispatcher = Dispatcher(engine, {"webhook": channel}, {"webhook": targets}, engine.clock)
        await _put(engine, ("one", "shop"))
        await _dispatch(dispatcher)
        assert targets.refused == ([("shop", 7, "4xx \\0")] if cause is FailCause.GONE else [])
        assert (await _effect(engine)).state is EffectState.FAILED


@pytest.mark.parametrize("breaks", [False, True])
async def test_what_may_arrive_later_is_tried_again_within_bounds(breaks: bool) -> None:
    """A channel that asks for another try and one that breaks are treated alike: so many attempts, then the end."""
    async with opened() as engine:

        def answer(_: Parcel) -> Attempt:
            if breaks:
                raise Trouble("a bug of the channel")
            return Retry(RetryCause.SERVER_ERROR, "503")

        dispatcher, channel = _dispatcher(engine, answer)
        await _put(engine, ("one", "shop"))
        for attempt in range(1, MAX_ATTEMPTS + 1):
            assert (await _effect(engine)).state is EffectState.WAITING
            await _dispatch(dispatcher)
            assert channel.asked.total() == attempt
            engine.clock.advance(DAY_MS)
        await _dispatch(dispatcher)
        effect = await _effect(engine)
        assert (effect.state, effect.cause) == (EffectState.FAILED, "connection" if breaks else "server_error")
        assert channel.asked.total() == MAX_ATTEMPTS
        assert len(_reports(engine)) == 1


async def test_the_other_side_may_ask_for_more_time() -> None:
    """It is not called again before."""
    async with opened() as engine:
        dispatcher, channel = _dispatcher(engine, lambda _: Retry(RetryCause.THROTTLED, "429", after_ms=5 * HOUR_MS))
        await _put(engine, ("one", "shop"))
        await _dispatch(dispatcher)
        engine.clock.advance(5 * HOUR_MS - 1)
        await _dispatch(dispatcher)
        assert channel.asked.total() == 1
        engine.clock.advance(1)
        await _dispatch(dispatcher)
        assert channel.asked.total() == 2


async def test_an_effect_that_ends_its_process_is_given_up_in_the_end() -> None:
    """Attempts of which nothing was heard count, so that a crash can't repeat itself for ever."""
    async with opened() as engine:
        await _put(engine, ("one", "shop"))
        for _ in range(MAX_ATTEMPTS):
            assert len(await engine.claim_effects("webhook", engine.clock.now_ms(), CLAIM_MS, 10)) == 1
            engine.clock.advance(CLAIM_MS)
        dispatcher, channel = _dispatcher(engine, lambda _: Delivered("200"))
        await _dispatch(dispatcher)
        effect = await _effect(engine)
        assert (effect.state, effect.cause, effect.attempt) == (EffectState.FAILED, "timeout", MAX_ATTEMPTS + 1)
        assert channel.asked.total() == 0


async def test_an_attempt_that_lost_its_claim_settles_nothing() -> None:
    """Another dispatcher has begun meanwhile; its outcome counts, and there is one report."""
    async with opened() as engine:
        slow, channel = _dispatcher(engine, lambda _: Failed(FailCause.REJECTED, "too late"))
        channel.open.clear()
        await _put(engine, ("one", "slow"))
        await slow.dispatch_once("webhook")
        await asyncio.sleep(0)
        engine.clock.advance(CLAIM_MS)
        await _dispatch(_dispatcher(engine, lambda _: Delivered("200"))[0])
        channel.open.set()
        await slow.drain()
        assert (await _effect(engine)).state is EffectState.DELIVERED
        assert _reports(engine) == [("Webhook Delivered", "")]


async def test_a_slow_target_does_not_hold_up_the_others() -> None:
    """It has so many attempts under way and no more; what comes for others goes past it."""
    async with opened() as engine:
        dispatcher, channel = _dispatcher(engine, lambda _: Delivered("200"))
        channel.open.clear()
        slow_count = 3 * IN_FLIGHT_PER_TARGET_MAX
        await _put(engine, *((f"slow {n}", "slow") for n in range(slow_count)), ("quick", "shop"))
        while await dispatcher.dispatch_once("webhook"):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert channel.asked[b"quick".ljust(16, b".")] == 1
        assert IN_FLIGHT_PER_TARGET_MAX <= channel.asked.total() - 1 < 2 * IN_FLIGHT_PER_TARGET_MAX
        channel.open.set()
        await dispatcher.drain()
        await _dispatch(dispatcher)
        assert Counter(each.state for each in await engine.effects(None, 99)) == {EffectState.DELIVERED: slow_count + 1}


async def test_a_dispatcher_that_stops_ends_what_it_began() -> None:
    """An attempt under way is settled before it returns, and its channels are closed."""
    async with opened(ManualClock(0)) as engine:
        dispatcher, channel = _dispatcher(engine, lambda _: Delivered("200"))
        channel.open.clear()
        await _put(engine, ("one", "slow"))
        stop = asyncio.Event()
        running = asyncio.ensure_future(dispatcher.run(stop))
        while not channel.asked:
            await asyncio.sleep(0.001)
        stop.set()
        await asyncio.sleep(0.01)
        assert not running.done()
        channel.open.set()
        await running
        assert (await _effect(engine)).state is EffectState.DELIVERED
        assert channel.closed
