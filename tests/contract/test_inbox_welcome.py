"""Messages that wait to be shown, on a store: what somebody does not want any more is taken away, and counted once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, ManualClock
from courtesy.delivery.message import Priority, Skip
from courtesy.engine.contract import Engine
from courtesy.engine.delivery import IN_APP, WITHDRAWN, InboxItem, MessageFate, RunState
from courtesy.runtime.asked import Campaigner
from tests.contract.test_delivery import Shop, customer, shop_of

BOTH, NEWS = {"spring/news", "spring/all"}, {"spring/news"}
REFUSALS = (
    ([{"action": "withdraw", "purpose": "marketing"}], BOTH, Skip.NOT_ALLOWED),
    ([{"action": "withdraw", "purpose": "marketing", "channel": "in_app"}], BOTH, Skip.NOT_ALLOWED),
    ([{"action": "withdraw", "purpose": "marketing", "topic": "news"}], NEWS, Skip.NOT_ALLOWED),
    ([{"action": "withdraw", "purpose": "marketing", "heldTo": "2026-03-01T00:00:00Z"}], BOTH, Skip.NOT_ALLOWED),
    ([{"action": "set", "purpose": "*", "topic": "news", "value": "dislike"}], NEWS, Skip.NOT_WANTED),
)


async def put_three(shop: Shop) -> tuple[PersonId, ...]:
    """Somebody for whom two marketing messages wait, one of them about a topic, and one of the shop's service."""
    await shop.tell(*customer("ann"))
    await shop.ask("spring/all", channels=(IN_APP,))
    await shop.ask("spring/news", channels=(IN_APP,), topic="news")
    await shop.ask("order/1", channels=(IN_APP,), purpose="service", priority=Priority.SERVICE)
    await shop.send()
    people = await shop.app.people.everyone("email", "ann@shop.example")
    assert await waiting(shop, people) == {"spring/all", "spring/news", "order/1"}
    return tuple(people)


async def waiting(shop: Shop, people: Collection[PersonId]) -> set[str]:
    """What is shown to whoever asks."""
    return {each.message for each in await shop.app.post.inbox.waiting(people)}


async def in_store(shop: Shop, people: Collection[PersonId]) -> set[str]:
    """What waits, whether it may be shown or not."""
    return {each.message for each in await shop.engine.inbox(people, IN_APP, shop.clock.now_ms())}


async def choose(shop: Shop, choices: list[dict[str, Any]], number: int = 3) -> None:
    """Ann says something, later than before."""
    shop.clock.advance(1_000)
    await shop.tell({**customer("ann")[1], "messageId": f"ann-{number}", "choices": choices})


async def withdrawn(shop: Shop, campaign: str = "spring") -> dict[str, int]:
    """How many messages of a campaign were taken away, by why."""
    fates = await shop.engine.message_fates(campaign)
    return {fate.reason: count for fate, count in fates.items() if fate.outcome == WITHDRAWN}


@pytest.mark.parametrize(("choices", "gone", "reason"), REFUSALS)
async def test_what_is_not_welcome_any_more_is_not_shown(
    engine: Engine, clock: ManualClock, choices: list[dict[str, Any]], gone: set[str], reason: Skip
) -> None:
    """By purpose, channel and topic, for a while and by dislike: it goes from the store, is counted once, and stays
    gone when it is allowed again. What the service has to say stays."""
    async with shop_of(engine, clock) as shop:
        people = await put_three(shop)
        await choose(shop, choices)
        left = {"spring/all", "spring/news", "order/1"} - gone
        assert await asyncio.gather(*(waiting(shop, people) for _ in range(3))) == [left] * 3
        assert await in_store(shop, people) == left
        assert await withdrawn(shop) == {str(reason): len(gone)}
        await choose(shop, [{"action": "grant", "purpose": "marketing"}], 4)
        assert await waiting(shop, people) == left


async def test_who_listens_hears_at_once_what_they_do_not_want_any_more(engine: Engine, clock: ManualClock) -> None:
    """Without looking, and without that any time has gone by."""
    async with shop_of(engine, clock) as shop:
        people = await put_three(shop)
        listener = shop.app.post.inbox.listen(people)
        await shop.app.post.inbox.look(listener)
        assert len((await listener.hear(10)).fresh) == 3
        await choose(shop, [{"action": "withdraw", "purpose": "marketing"}])
        gone = set[str]()
        while len(gone) < 2:
            heard = await listener.hear(10)
            assert heard.gone, "it is told that they are gone"
            gone.update(heard.gone)
        assert gone == {"spring/all", "spring/news"}
        shop.app.post.inbox.stop()


async def test_what_is_put_there_after_a_withdrawal_is_not_shown_to_who_listens(
    engine: Engine, clock: ManualClock
) -> None:
    """Its permit was issued just before, so nothing was there to be taken when they chose."""
    async with shop_of(engine, clock) as shop:
        people = await put_three(shop)
        (item, *_) = [each for each in await engine.inbox(people, IN_APP, clock.now_ms()) if each.campaign == "spring"]
        await choose(shop, [{"action": "withdraw", "purpose": "marketing"}])
        assert await waiting(shop, people) == {"order/1"}
        await engine.put_inbox([item])
        listener = shop.app.post.inbox.listen(people)
        await shop.app.post.inbox.look(listener)
        assert [each.message for each in (await listener.hear(10)).fresh] == ["order/1"]
        shop.app.post.inbox.stop()


async def test_a_campaign_that_is_stopped_takes_what_waits_along(engine: Engine, clock: ManualClock) -> None:
    """Also one that had asked for everybody; in batches, each told once; what is asked for later waits."""
    async with shop_of(engine, clock) as shop:
        people = await put_three(shop)
        run = await engine.start_run("spring", "campaign/hello@1", clock.now_ms())
        assert await engine.set_run(run.number, RunState.DONE, clock.now_ms()) is not None
        assert await engine.set_run(run.number, RunState.PAUSED, clock.now_ms()) is None
        clock.advance(2_000)
        stopped = await shop.app.post.campaigns.stand("spring", RunState.STOPPED)
        assert (stopped.state, stopped.ended_ms) == (RunState.STOPPED, clock.now_ms())
        assert await waiting(shop, people[:1]) == {"order/1"}
        clock.advance(1)
        await shop.ask("spring/again", channels=(IN_APP,))
        later = InboxItem(people[0], "spring/again", IN_APP, b"{}", clock.now_ms(), clock.now_ms() + DAY_MS)
        await engine.put_inbox([later])
        for _ in range(2):
            await Campaigner(engine, shop.app.catalog, clock).turn()
        assert await in_store(shop, people) == {"order/1", "spring/again"}
        assert await withdrawn(shop) == {Skip.STOPPED: 2}


async def test_who_stops_a_campaign_takes_every_message_once(engine: Engine, clock: ManualClock) -> None:
    """However large the batches, and however many of them are of one person; another's stay, and what came later."""
    now = clock.now_ms()

    def item(person: int, message: str, created_ms: int = now) -> InboxItem:
        return InboxItem(PersonId(person), message, IN_APP, b"{}", created_ms, now + DAY_MS)

    items = [item(person, f"c/{person}-{nth}") for person in (1, 2, 5) for nth in range(person)]
    others = [item(1, "cc/1"), item(2, "c/late", now + 1), item(9, "d/1")]
    for limit in (1, 2, 3, 8, 100):
        await engine.put_inbox([*items, *others])
        after: PersonId | None = PersonId(0)
        while after is not None:
            after = await engine.withdraw_stopped({"c": now, "none": now}, after, limit)
        left = await engine.inbox([PersonId(each) for each in range(10)], IN_APP, now)
        assert {each.message for each in left} == {each.message for each in others}
    assert await engine.message_fates("c") == {MessageFate("c", IN_APP, WITHDRAWN, Skip.STOPPED): 5 * len(items)}


async def test_what_is_not_worth_showing_any_more_is_let_go_of(engine: Engine, clock: ManualClock) -> None:
    """To the millisecond, as it is shown; what expires later stays."""
    now = clock.now_ms()
    items = [InboxItem(PersonId(1), f"c/{at}", IN_APP, b"{}", now - DAY_MS, now + at) for at in (-1, 0, 1)]
    await engine.put_inbox(items)
    assert await engine.let_go_of_inbox(now) == 2
    assert await engine.let_go_of_inbox(now) == 0
    assert [each.message for each in await engine.inbox([PersonId(1)], IN_APP, 0)] == ["c/1"]
