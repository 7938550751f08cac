"""How often questions were asked and answered is counted over all people."""

from __future__ import annotations

import asyncio

from courtesy.engine.answers import AnswerCount
from courtesy.engine.contract import Engine
from tests.contract.builders import Store


async def test_counts_add_up_whoever_counts(engine: Engine, store: Store) -> None:
    """Also what is counted twice in one call, and by several engines over the store at once; in one order."""
    assert await engine.answer_counts() == []
    await engine.count_answers([])
    async with store.another() as other:
        rows = [AnswerCount("boots", "=like", 1), AnswerCount("boots", "answered", 1), AnswerCount("boots", "=like", 2)]
        await asyncio.gather(*(each.count_answers(rows) for each in (engine, other) for _ in range(10)))
        await other.count_answers([AnswerCount("Ärmel", "asked", 7)])
    expected = [
        AnswerCount("boots", "=like", 60),
        AnswerCount("boots", "answered", 20),
        AnswerCount("Ärmel", "asked", 7),
    ]
    assert await engine.answer_counts() == expected
