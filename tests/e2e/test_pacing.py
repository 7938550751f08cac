"""A real mail server that wants to be spared for one domain: that domain waits, and all others go on at full speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from courtesy.base.time import DAY_MS, SECOND_MS, ManualClock
from courtesy.channel.email.channel import Email
from courtesy.channel.email.smtp import Smtp
from courtesy.delivery.contact import ContactPolicy
from courtesy.delivery.pacing import BRAKE_MS
from courtesy.engine.outbox import EffectState
from courtesy.engine_memory import MemoryEngine
from courtesy.runtime.connections import DefinedConnections
from courtesy.runtime.sending import Sender
from tests.contract.test_delivery import MORNING_MS, PlainWords, Shop, customer, shop_of
from tests.unit.channel.email.letters import loopback
from tests.unit.channel.mailbox import Mailbox, mailbox

EACH = 15


@asynccontextmanager
async def shop_with(box: Mailbox) -> AsyncIterator[Shop]:
    """A shop that hands its letters to a mail server, of which half are for a domain that is slow."""
    clock = ManualClock(MORNING_MS)
    engine = MemoryEngine(clock)
    await engine.open()
    config = {"sender": "Shop <hello@shop.example>", "host": "127.0.0.1", "port": box.port, "security": "none"}
    async with shop_of(engine, clock, ContactPolicy(windows=())) as shop:
        told = shop.sender.connections
        assert isinstance(told, DefinedConnections)
        told.config = lambda connection: config  # type: ignore[method-assign]
        smtp = Smtp(loopback())
        channels = {**shop.sender.channels, "post": Email(smtp, clock)}
        shop.sender = Sender(engine, channels, told, PlainWords(), shop.sender.giving, shop.sender.tokens, clock)
        for number in range(EACH):
            for place in ("slow", "fast"):
                name = f"{place}{number}"
                await shop.tell(*customer(name, email=f"{name}@{place}.example"))
                await shop.ask(name, f"{name}@{place}.example", expires=MORNING_MS + 9 * DAY_MS)
        yield shop
        await smtp.aclose()


async def sent(shop: Shop) -> Counter[str]:
    """How many letters were taken, by domain."""
    effects = await shop.engine.effects(None, 10 * EACH)
    return Counter(each.target.partition("/")[2] for each in effects if each.state is EffectState.DELIVERED)


@pytest.mark.parametrize("says", ["421 4.7.0 too many messages, slow down", "451 4.7.1 rate limited, try again later"])
async def test_one_domain_that_wants_to_be_spared_holds_up_nobody_else(says: str) -> None:
    """Of the others every letter is taken at once; to it nothing goes for a while; then all of it, each once."""
    with mailbox() as box:
        box.refusal, box.refused = says, "slow"
        async with shop_with(box) as shop:
            await shop.send()
            assert await sent(shop) == {"fast.example": EACH}
            (braked,) = shop.sender.pacing.closed(shop.clock.now_ms()).items()
            assert braked == ("letters/slow.example", MORNING_MS + BRAKE_MS)
            shop.clock.advance(BRAKE_MS - SECOND_MS)
            before = len(box.envelopes)
            await shop.send()
            assert len(box.envelopes) == before
            box.refusal = ""
            for _ in range(60):
                shop.clock.advance(10 * SECOND_MS)
                await shop.send()
                if (await sent(shop)).total() == 2 * EACH:
                    break
            assert await sent(shop) == {"fast.example": EACH, "slow.example": EACH}
    assert sorted(letters_to(box)) == sorted(
        f"{place}{n}@{place}.example" for place in ("fast", "slow") for n in range(EACH)
    )


def letters_to(box: Mailbox) -> list[Any]:
    """To whom the letters were that it took."""
    return [to for each in box.envelopes for to in each.rcpt_tos]
