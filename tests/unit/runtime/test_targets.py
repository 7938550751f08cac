"""Subscriptions as targets: switched off when their receiver is gone, and on again when they are defined again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from structlog.testing import capture_logs

from courtesy.base.ids import PersonId, partition_of
from courtesy.base.time import DAY_MS
from courtesy.channel.contract import Attempt, Delivered, FailCause, Failed, Parcel, Retry, RetryCause
from courtesy.channel.webhook import Webhook
from courtesy.component.declaration import Component
from courtesy.engine.contract import FoldCommit
from courtesy.engine.outbox import EffectState, NewEffect
from courtesy.person.catalog import Subscription
from courtesy.runtime.catalog import SWITCHED_OFF, CatalogCache
from courtesy.runtime.dispatch import Dispatcher, Target
from courtesy.runtime.targets import WebhookTargets
from tests.unit.runtime.world import NOW_MS, Engine, opened

ANN = PersonId(1)
BY = "a test"
HOOK = Subscription("orders", "https://old.example", ("Order Completed",), secrets=("whsec_x",))
MOVED = msgspec.structs.replace(HOOK, url="https://new.example")
GONE = Failed(FailCause.GONE, "410 no more, thanks")


class Receivers:
    """A channel behind which each URL answers as it is told; the first of `asked` is the first that was called."""

    component: ClassVar[Component] = Webhook.component

    def __init__(self) -> None:
        self.answers: dict[str, Attempt] = {HOOK.url: GONE, MOVED.url: Delivered("204")}
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def deliver(self, parcel: Parcel) -> Attempt:
        url = parcel.config["url"]
        self.asked.append(url)
        await self.open.wait()
        return self.answers[url]

    async def aclose(self) -> None:
        """Nothing is kept open."""


@dataclass
class Sending:
    """A dispatcher, the catalogue that it goes by, and that of another process over the same store."""

    engine: Engine
    catalog: CatalogCache
    elsewhere: CatalogCache
    receivers: Receivers
    dispatcher: Dispatcher

    async def put(self, *names: str) -> None:
        """Effects for the subscription, as a fold would put them."""
        leases = await self.engine.claim("a fold", self.engine.partition_count, DAY_MS)
        mine = [lease for lease in leases if lease.partition == partition_of(ANN, self.engine.partition_count)]
        now = self.engine.clock.now_ms()
        made = [NewEffect(name.encode().ljust(16, b"."), "webhook", ANN, HOOK.name, b"{}", now) for name in names]
        await self.engine.commit_fold(FoldCommit(mine, {each.partition: each.folded for each in mine}, effects=made))

    async def dispatch(self) -> None:
        """Claim and carry out until nothing is due."""
        while await self.dispatcher.dispatch_once("webhook"):
            await self.dispatcher.drain()

    async def outcomes(self) -> Counter[tuple[EffectState, str]]:
        """What became of the effects."""
        return Counter((each.state, each.cause) for each in await self.engine.effects(None, 99))


@asynccontextmanager
async def _sending() -> AsyncIterator[Sending]:
    async with opened() as engine, opened(engine.clock, engine.disk) as other:
        catalog, elsewhere = CatalogCache(engine, engine.clock), CatalogCache(other, other.clock)
        await elsewhere.define_subscription(HOOK, BY)
        receivers = Receivers()
        dispatcher = Dispatcher(engine, {"webhook": receivers}, {"webhook": WebhookTargets(catalog)}, engine.clock)
        yield Sending(engine, catalog, elsewhere, receivers, dispatcher)


async def test_a_receiver_that_is_gone_is_called_no_more() -> None:
    """What waits for it, as after a failure that might pass, fails at its turn, and all of it is reported."""
    async with _sending() as world:
        world.receivers.answers[HOOK.url] = Retry(RetryCause.SERVER_ERROR, "503")
        await world.put("waits")
        await world.dispatch()
        world.receivers.answers[HOOK.url] = GONE
        await world.put("told so")
        await world.dispatch()
        assert await world.outcomes() == {(EffectState.WAITING, "server_error"): 1, (EffectState.FAILED, "gone"): 1}
        world.engine.clock.advance(DAY_MS)
        await world.put("came later")
        await world.dispatch()
        assert await world.outcomes() == {(EffectState.FAILED, "gone"): 3}
        assert len(world.receivers.asked) == 2
        told = [msgspec.json.decode(record.payload) for record in world.engine.log()]
        assert [(each["name"], each["properties"]["cause"]) for each in told] == [("Webhook Failed", "gone")] * 3
        details = {each.detail for each in await world.engine.effects(None, 99)}
        assert details == {GONE.detail, f"switched off since 2025-11-22T12:00:00.000Z: {GONE.detail}"}


async def test_nothing_starts_a_subscription_that_is_switched_off() -> None:
    """Not in the process that was told, nor in any other once it looks; it is still defined."""
    async with _sending() as world:
        await world.put("one")
        await world.dispatch()
        await world.elsewhere.refresh()
        for catalog in (world.catalog, world.elsewhere):
            assert catalog.catalog().subscriptions == ()
            assert catalog.now.subscriptions == {HOOK.name: HOOK}
            assert catalog.now.switched_off[HOOK.name].why == GONE.detail


async def test_it_is_told_once_in_the_log() -> None:
    """Though several calls were under way; by name, without what the receiver said."""
    async with _sending() as world:
        world.receivers.open.clear()
        await world.put("one", "two", "three")
        with capture_logs() as logs:
            await world.dispatcher.dispatch_once("webhook")
            while len(world.receivers.asked) < 3:
                await asyncio.sleep(0)
            world.receivers.open.set()
            await world.dispatcher.drain()
        assert logs == [
            {"event": "subscription_switched_off", "log_level": "warning", "subscription": "orders", "cause": "gone"}
        ]
        history = await world.engine.definition_history(SWITCHED_OFF, HOOK.name)
        assert [each.changed_by for each in history] == ["courtesy"]


async def test_to_define_it_again_switches_it_on() -> None:
    """For whoever folds and for this dispatcher, which has not heard of it; with or without a change."""
    async with _sending() as world:
        for again, answer in ((MOVED, Delivered("204")), (HOOK, Delivered("200"))):
            await world.put(f"gone {again.url}")
            world.receivers.answers[world.elsewhere.now.subscriptions[HOOK.name].url] = GONE
            await world.dispatch()
            assert world.catalog.now.switched_off
            await world.elsewhere.define_subscription(again, BY)
            assert world.elsewhere.catalog().subscriptions == (again,)
            world.receivers.answers[again.url] = answer
            await world.put(f"on {again.url}")
            await world.dispatch()
            assert not world.catalog.now.switched_off
        assert await world.outcomes() == {(EffectState.FAILED, "gone"): 2, (EffectState.DELIVERED, ""): 2}


async def test_a_late_answer_does_not_switch_off_what_was_defined_since() -> None:
    """The old receiver says that it is gone, when calls go to the new one already."""
    async with _sending() as world:
        world.receivers.open.clear()
        await world.put("late")
        await world.dispatcher.dispatch_once("webhook")
        while not world.receivers.asked:
            await asyncio.sleep(0)
        await world.elsewhere.define_subscription(MOVED, BY)
        world.receivers.open.set()
        await world.dispatcher.drain()
        await world.put("next")
        await world.dispatch()
        assert world.receivers.asked == [HOOK.url, MOVED.url]
        assert await world.outcomes() == {(EffectState.FAILED, "gone"): 1, (EffectState.DELIVERED, ""): 1}


async def test_what_was_removed_leaves_nothing_behind() -> None:
    """What is defined under its name afterwards is on."""
    async with _sending() as world:
        await world.put("one")
        await world.dispatch()
        await world.elsewhere.remove_subscription(HOOK.name, BY)
        assert (await world.engine.definitions())[1] == []
        assert isinstance(await WebhookTargets(world.catalog).find(HOOK.name), Failed)
        await world.elsewhere.define_subscription(HOOK, BY)
        target = await WebhookTargets(world.catalog).find(HOOK.name)
        assert target == Target({"url": HOOK.url, "secrets": ["whsec_x"]}, 3)
        assert world.engine.clock.now_ms() == NOW_MS
