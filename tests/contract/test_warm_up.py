"""Connections that warm up, on a store: a day's plan holds, however many send; what is over waits or goes elsewhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date, timedelta
from typing import Any

import msgspec

from courtesy.base.time import DAY_MS, HOUR_MS, ManualClock
from courtesy.channel.message import Later, Refused
from courtesy.delivery.cause import DeliveryCause
from courtesy.delivery.contact import ContactPolicy
from courtesy.delivery.warm_up import ALL, Counted, Limits, WarmUp
from courtesy.engine.contract import Engine
from courtesy.runtime.connection import ConnectionBody
from courtesy.runtime.sending import Sender
from tests.contract.test_delivery import MORNING_MS, PlainWords, Shop, customer, shop_of

FREE = ContactPolicy(windows=())
TODAY = MORNING_MS // DAY_MS
SMTP = {"sender": "Shop <hello@shop.example>", "host": "mx.shop.example"}


def plan(*days: int, **more: Any) -> WarmUp:
    """A plan that begins today."""
    begins = (date(1970, 1, 1) + timedelta(days=TODAY)).isoformat()
    return WarmUp(begins=begins, days=days, **more)


async def connect(shop: Shop, name: str, warm_up: WarmUp | None) -> None:
    """Connect something that sends letters."""
    await shop.app.catalog.define_connection(name, ConnectionBody("smtp", SMTP, warm_up=warm_up), "tests")


async def write_to(shop: Shop, *names: str) -> None:
    """Ask for a letter to each of them, of whom nobody knew yet."""
    for name in names:
        await shop.tell(*customer(name))
        await shop.ask(f"to-{name}", f"{name}@shop.example", expires=shop.clock.now_ms() + 9 * DAY_MS)
    await shop.fold()


async def send_by_two(shop: Shop) -> None:
    """Have two senders send whatever may leave, each as if it had just been started."""
    for _ in range(4):
        two = [
            Sender(
                shop.engine,
                shop.sender.channels,
                shop.sender.connections,
                PlainWords(),
                shop.sender.giving,
                shop.sender.tokens,
                shop.clock,
            )
            for _ in range(2)
        ]
        await asyncio.gather(*(each.send_once("post") for each in two))
    await shop.fold()


async def test_a_plan_holds_to_the_letter_and_the_rest_leaves_tomorrow(engine: Engine, clock: ManualClock) -> None:
    """Three on the first day, five on the second, then all; whoever sends, and however often it is started again."""
    async with shop_of(engine, clock, FREE) as shop:
        await connect(shop, "letters", plan(3, 5))
        await write_to(shop, *(f"p{number}" for number in range(12)))
        for left_count in (3, 8, 12):
            await send_by_two(shop)
            assert len(shop.post.left) == left_count
            clock.set((clock.now_ms() // DAY_MS + 1) * DAY_MS + HOUR_MS)
        assert set((await shop.ends()).values()) == {("Message Sent", "")}
        assert len({each.message for each in shop.post.left}) == 12
        days = await engine.warm_up_days("letters")
        assert {day - TODAY: seen.taken[ALL] for day, seen in days.items()} == {0: 3, 1: 5}


async def test_what_is_over_leaves_by_another_connection(engine: Engine, clock: ManualClock) -> None:
    """Which is told with each, and keeps to its own plan; what neither has room for waits."""
    async with shop_of(engine, clock, FREE) as shop:
        await connect(shop, "letters", plan(9, hosts={"shop.example": (2,)}, then="old"))
        await connect(shop, "old", plan(3))
        await write_to(shop, *(f"p{number}" for number in range(7)))
        await send_by_two(shop)
        assert len(shop.post.left) == 5
        assert await over_which(shop) == {"letters": 2, "old": 3}
        await connect(shop, "old", None)
        await shop.app.catalog.refresh()
        clock.set((TODAY + 1) * DAY_MS)
        await send_by_two(shop)
        assert len(shop.post.left) == 7


async def over_which(shop: Shop) -> Counter[str]:
    """How many messages left over which connection, by what is told of each."""
    records = await shop.engine.log_after(0, 10_000)  # type: ignore[arg-type]
    events = [msgspec.json.decode(each.payload) for each in records if each.payload[:1] == b"{"]
    return Counter(each["properties"]["connection"] for each in events if each.get("name") == "Message Sent")


async def test_room_that_nobody_used_is_there_again(engine: Engine, clock: ManualClock) -> None:
    """Of a letter that the other side takes only later."""
    async with shop_of(engine, clock, FREE) as shop:
        await connect(shop, "letters", plan(1))
        await write_to(shop, "ann")
        shop.post.answers = [Later(DeliveryCause.TEMPORARY, "soon")]
        await send_by_two(shop)
        assert (await engine.warm_up_days("letters"))[TODAY].taken[ALL] == 0
        clock.advance(HOUR_MS)
        await send_by_two(shop)
        assert [each.message for each in shop.post.left] == ["to-ann"]
        assert (await engine.warm_up_days("letters"))[TODAY].taken[ALL] == 1


async def test_a_day_on_which_too_much_comes_back_is_over(engine: Engine, clock: ManualClock) -> None:
    """No more leaves on it, by no other connection either; the next day begins anew."""
    async with shop_of(engine, clock, FREE) as shop:
        await connect(shop, "letters", plan(90, 90, then="old", judged_from=4, bounces_max=0.3))
        await connect(shop, "old", None)
        await write_to(shop, "p0", "p1", "p2", "p3")
        shop.post.answers = [Refused(DeliveryCause.DEAD_ADDRESS, "5.1.1")] * 2
        await send_by_two(shop)
        assert (await engine.warm_up_days("letters"))[TODAY] == Counted({ALL: 4}, 2, 0)
        await write_to(shop, "p4", "p5")
        await send_by_two(shop)
        assert len(shop.post.left) == 2
        clock.set((TODAY + 1) * DAY_MS)
        await send_by_two(shop)
        assert len(shop.post.left) == 4


async def test_of_many_who_take_room_at_once_none_takes_the_same(engine: Engine) -> None:
    """What all get together is what there is, in all and for a host; given back, it can be taken again."""
    limits = Limits(5, 50, {"a.example": 30}, 1.0, 1.0, 1)
    wanted = {"a.example": 4, "b.example": 3}
    rooms = await asyncio.gather(*(engine.take_room("new", limits, wanted) for _ in range(20)))
    taken = sum((Counter(each.granted) for each in rooms), Counter[str]())
    assert (taken.total(), taken["a.example"] <= 30) == (50, True)
    assert await engine.warm_up_days("new") == {5: Counted({ALL: 50, "a.example": taken["a.example"]})}
    await engine.give_room_back("new", limits, {"b.example": 2})
    assert (await engine.take_room("new", limits, {"b.example": 9})).granted == {"b.example": 2}
    await engine.count_reports("new", 5, 2, 1)
    await engine.count_reports("new", 5, 0, 1)
    (seen,) = (await engine.warm_up_days("new")).values()
    assert (seen.bounced, seen.complained, seen.taken[ALL]) == (2, 2, 50)
