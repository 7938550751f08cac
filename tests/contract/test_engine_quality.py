"""The memory of quality: a row for each source and day, the last word on each."""

from __future__ import annotations

from courtesy.base.time import DAY_MS
from courtesy.engine.contract import Engine
from courtesy.engine.quality import QualityRow
from tests.contract.builders import NOW_MS, SHOP, TILL, Store


async def test_a_day_is_read_as_it_was_saved(engine: Engine, store: Store) -> None:
    """By day and source, within a span whose end is not part of it, by every engine over the store."""
    rows = [
        QualityRow(source, NOW_MS + n * DAY_MS, NOW_MS, b'{"score": 0.5}') for n in range(3) for source in (SHOP, TILL)
    ]
    await engine.save_quality(rows[::-1])
    assert await engine.quality(None, 0, NOW_MS + 9 * DAY_MS) == rows
    assert await engine.quality(TILL, NOW_MS, NOW_MS + 2 * DAY_MS) == [rows[1], rows[3]]
    assert await engine.quality(SHOP, NOW_MS + 1, NOW_MS + DAY_MS) == []
    async with store.another() as other:
        assert await other.quality(SHOP, NOW_MS, NOW_MS + 1) == [rows[0]]


async def test_a_day_that_is_saved_again_has_the_last_word(engine: Engine) -> None:
    """The day goes on, and is judged again."""
    await engine.save_quality([QualityRow(SHOP, NOW_MS, NOW_MS + 1, b"1"), QualityRow(TILL, NOW_MS, NOW_MS + 1, b"1")])
    await engine.save_quality([QualityRow(SHOP, NOW_MS, NOW_MS + 2, b"2")])
    await engine.save_quality([])
    assert [row.body for row in await engine.quality(None, NOW_MS, NOW_MS + 1)] == [b"2", b"1"]


async def test_days_before_an_instant_are_forgotten(engine: Engine) -> None:
    """Of all sources, once; a day that begins then stays."""
    rows = [QualityRow(source, NOW_MS + n * DAY_MS, NOW_MS, b"1") for n in range(3) for source in (SHOP, TILL)]
    await engine.save_quality(rows)
    assert await engine.forget_quality(NOW_MS + DAY_MS) == 2
    assert await engine.quality(None, 0, NOW_MS + 9 * DAY_MS) == rows[2:]
    assert await engine.forget_quality(NOW_MS + DAY_MS) == 0
