"""What the dispatching process does beside: the upkeep of the store."""

from __future__ import annotations

import asyncio

from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, SystemClock
from courtesy.engine.quality import QualityRow
from courtesy.engine_memory import MemoryEngine
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.process import _upkeep
from courtesy.runtime.quality import KEPT_DAYS
from courtesy.runtime.settings import Settings


async def test_upkeep_forgets_the_quality_of_days_that_nobody_can_ask_for() -> None:
    """And keeps all the others, to the last one that can be asked for."""
    clock = SystemClock()
    engine = MemoryEngine(clock)
    await engine.open()
    today = clock.now_ms() // DAY_MS * DAY_MS
    rows = [QualityRow(SourceId(1), today - n * DAY_MS, today, b"{}") for n in (KEPT_DAYS + 1, KEPT_DAYS - 1, 0)]
    await engine.save_quality(rows)
    stop = asyncio.Event()
    upkeep = asyncio.create_task(_upkeep(engine, Settings(lake="off"), CatalogCache(engine, clock), stop))
    while len(await engine.quality(None, 0, today + DAY_MS)) == len(rows):
        await asyncio.sleep(0.001)
    stop.set()
    await upkeep
    assert await engine.quality(None, 0, today + DAY_MS) == rows[1:]
    await engine.close()
