"""Replay in one process whose store fails at each point: what is stored once is stored once, and counts add up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.time import HOUR_MS
from courtesy.engine.contract import StorageFull, Unavailable
from courtesy.event.cause import Cause, Fate
from courtesy.event.mend import Default, Operation, Rename
from courtesy.runtime.catalog import CatalogCache, Source
from courtesy.runtime.quarantine import Quarantine, Selection
from tests.unit.runtime.world import POISON, SHOP, Engine, append_all, call, ingesting, message_ids, opened

FIX: tuple[Operation, ...] = (Rename("name", "event"),)


@asynccontextmanager
async def mending(engine: Engine) -> AsyncIterator[Quarantine]:
    """The quarantine over an engine, in a process of its own."""
    catalog = CatalogCache(engine, engine.clock)
    await catalog.refresh()
    async with ingesting(engine) as ingest:
        yield Quarantine(engine, catalog, ingest)


async def fill(engine: Engine, count: int = 3, **more: Any) -> Selection:
    """Some calls of the shop with their name in the wrong field."""
    await CatalogCache(engine, engine.clock).define_source("shop", Source(), "test")
    async with ingesting(engine) as ingest:
        await append_all(ingest, [call(f"m{n}", event=None, name="Sold", **more) for n in range(count)])
    engine.append_count = 0
    async with mending(engine) as quarantine:
        (group,) = await quarantine.groups()
        assert group.found.source == SHOP.source
        return Selection(group.id)


async def balanced(engine: Engine) -> dict[Fate, int]:
    """What became of all events; proven to add up for each source and hour, with nothing below zero."""
    sums: dict[tuple[int, int], int] = {}
    for each in await engine.all_counts():
        assert each.event_count > 0
        sign = 1 if each.fate is Fate.RECEIVED else -1
        sums[each.source, each.hour_ms] = sums.get((each.source, each.hour_ms), 0) + sign * each.event_count
    assert set(sums.values()) == {0}
    return dict(await engine.fates())


@pytest.mark.parametrize("error", [Unavailable("gone"), StorageFull("full")])
@pytest.mark.parametrize("committed", [False, True])
async def test_a_replay_that_fails_is_repeated_and_stores_once(error: CourtesyError, committed: bool) -> None:
    """Whether its append took hold or not: who repeats it need not know."""
    async with opened() as engine:
        selection = await fill(engine)
        (engine.after if committed else engine.before).append(error)
        async with mending(engine) as quarantine:
            with pytest.raises(type(error)):
                await quarantine.replay(selection, FIX)
            assert await balanced(engine) == {Fate.RECEIVED: 3, Fate.STORED if committed else Fate.QUARANTINED: 3}
            if not committed:
                assert (await quarantine.replay(selection, FIX)).tally.stored == 3
        assert message_ids(engine.log()) == ["m0", "m1", "m2"]
        assert await balanced(engine) == {Fate.RECEIVED: 3, Fate.STORED: 3}


async def test_the_hour_in_which_it_came_is_the_hour_in_which_it_counts() -> None:
    """However much later it is mended."""
    async with opened() as engine:
        selection = await fill(engine)
        hours = {each.hour_ms for each in await engine.all_counts()}
        engine.clock.advance(30 * HOUR_MS)
        async with mending(engine) as quarantine:
            await quarantine.replay(selection, FIX)
        assert {each.hour_ms for each in await engine.all_counts()} == hours


async def test_one_that_the_store_refuses_stays_alone() -> None:
    """The others of its append are stored; it waits under the cause that it has now."""
    async with opened() as engine:
        selection = await fill(engine, properties={"note": "fine"})
        async with ingesting(engine) as ingest:
            await append_all(ingest, [call("bad", event=None, name="Sold", properties={"note": POISON})])
        engine.refuses_poison = True
        async with mending(engine) as quarantine:
            tally = (await quarantine.replay(selection, FIX)).tally
        assert (tally.stored, dict(tally.left)) == (3, {Cause.UNSTORABLE: 1})
        (left,) = await engine.quarantined(None, None, None, 10)
        assert left.mended is not None
        assert (left.cause, msgspec.json.decode(left.mended)["event"]) == (Cause.UNSTORABLE, "Sold")
        assert await balanced(engine) == {Fate.RECEIVED: 4, Fate.STORED: 3, Fate.QUARANTINED: 1}


async def test_an_item_without_an_id_has_the_same_id_at_each_replay() -> None:
    """Its number makes it, so that a repeated replay that lost its answer knows it."""
    async with opened() as engine:
        selection = await fill(engine, 1, messageId=None, type="trak")
        async with mending(engine) as quarantine:
            await quarantine.replay(selection, (*FIX, Rename("type", "kind"), Default("type", "track")))
        assert message_ids(engine.log()) == ["held-1"]


async def test_a_large_group_is_taken_in_parts() -> None:
    """So that nobody else waits long for the append lock."""
    async with opened() as engine:
        selection = await fill(engine, 4_500)
        async with mending(engine) as quarantine:
            tally = (await quarantine.replay(selection, FIX)).tally
        assert (tally.looked_at, tally.stored, engine.append_count) == (4_500, 4_500, 3)
        assert len(set(message_ids(engine.log()))) == 4_500
