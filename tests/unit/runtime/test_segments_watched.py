"""Segments while events are folded: entered and left at the very instant, whoever people turn out to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, ManualClock
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.event.accept import SourcePolicy
from courtesy.person.record import RecordKind
from courtesy.person.state import PersonState, decode_state
from courtesy.runtime.app import App, make_app
from courtesy.runtime.catalog import Source
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.history import History
from courtesy.runtime.segment_building import SegmentBuilder
from courtesy.runtime.segment_query import SegmentQueries
from courtesy.runtime.segment_settling import Settler
from courtesy.runtime.settings import Settings
from courtesy.segment.definition import SegmentBody
from courtesy.segment.live.settled import settled_conditions
from courtesy.segment.parsing import parse
from tests.unit.runtime.world import NOW_MS, Engine, call, opened

BUYERS = 'did "Order Completed" at least 2 times in the last 2 days'


@dataclass(slots=True)
class World:
    """A shop with a store that is folded when asked, and with segments."""

    engine: Engine
    app: App
    worker: FoldWorker
    builder: SegmentBuilder
    settler: Settler
    shop: SourcePolicy
    clock: ManualClock

    async def tell(self, message_id: str, **fields: Any) -> None:
        """Something happens now, and is folded."""
        await self.accept(message_id, **fields)
        await self.fold()

    async def accept(self, message_id: str, **fields: Any) -> None:
        """Something happens now."""
        await self.app.ingest.append([call(message_id, policy=self.shop, at=self.clock.now_ms(), **fields)], self.shop)

    async def order(self, message_id: str, **fields: Any) -> None:
        """Somebody buys."""
        await self.tell(message_id, event="Order Completed", **fields)

    async def fold(self) -> None:
        """Fold until nothing is left, and fire what is due."""
        await self.worker.claim()
        while await self.worker.fold_once() + await self.worker.fire_due():
            pass

    async def define(self, name: str, text: str) -> None:
        """A segment, made ready."""
        await self.app.catalog.define_segment(name, SegmentBody(parse(text).segment, text), "tests")
        building = asyncio.create_task(self.builder.build_all())
        while not building.done():
            await self.fold()
            await asyncio.sleep(0)
        await building

    async def members(self, name: str) -> dict[str, int]:
        """Who is in a segment since when, by an identifier of theirs."""
        number = self.app.catalog.now.revisions["segment", name].number
        found = await self.engine.members(number, None, None, 1_000)
        names = {}
        for each in found:
            state = decode_state((await self.engine.states([each.person]))[each.person])
            assert state.marks is not None
            assert "\t".join(filter(None, [str(number), each.value])) in state.marks.inside
            names[max(state.identifiers) + each.value] = each.entered_ms
        return names

    def crossings(self) -> list[tuple[str, str, int, str]]:
        """What the log tells of entering and leaving: the name, the segment, when, and the cause."""
        told = []
        for record in self.engine.log():
            if record.kind is RecordKind.EVENT and b'"Segment ' in record.payload:
                event = msgspec.json.decode(record.payload)
                told.append((event["name"], event["properties"]["segment"], event["at"], event["properties"]["cause"]))
        return told

    async def state(self, identifier: str) -> PersonState:
        """What is stored of somebody."""
        person: PersonId = self.engine.owner(identifier)
        return decode_state((await self.engine.states([person]))[person])


@asynccontextmanager
async def world(*, counts_by_sql: bool = True) -> AsyncIterator[World]:
    """A world with the source `shop`. `counts_by_sql`: whether what happened before a segment is asked of all events at
    once, and not of each person's history."""
    clock = ManualClock(NOW_MS - HOUR_MS)
    async with opened(clock) as engine:
        app = make_app(Settings(), engine, clock)
        await app.catalog.start()
        app.ingest.start()
        await app.catalog.ensure_source("shop", Source(), "tests")
        clock.set(NOW_MS)
        catalog = app.catalog
        worker = FoldWorker(engine, catalog.catalog, clock, "folder", catalog.refresh)
        queries = SegmentQueries(engine, None, lambda: catalog.now.source_names, Laws(LAWS))
        settler = Settler(engine, lambda: queries, catalog, clock)
        counting = (lambda: queries) if counts_by_sql else None
        builder = SegmentBuilder(engine, History(engine), catalog, clock, settler, counting)
        yield World(engine, app, worker, builder, settler, catalog.policy("shop"), clock)
        await app.ingest.stop()
        await app.catalog.stop()


async def test_who_does_it_enters_and_who_stops_leaves_at_the_instant() -> None:
    """The second order lets her in; when the first is two days old she is out, to the millisecond, without a scan."""
    async with world() as shop:
        await shop.define("buyers", BUYERS)
        await shop.order("m1")
        shop.clock.advance(HOUR_MS)
        assert await shop.members("buyers") == {}
        await shop.order("m2")
        assert await shop.members("buyers") == {"user_id:ann": NOW_MS + HOUR_MS}
        shop.clock.set(NOW_MS + 2 * DAY_MS - 1)
        await shop.fold()
        assert await shop.members("buyers") == {"user_id:ann": NOW_MS + HOUR_MS}
        shop.clock.set(NOW_MS + 2 * DAY_MS + 5 * MINUTE_MS)
        await shop.fold()
        assert await shop.members("buyers") == {}
        assert shop.crossings() == [
            ("Segment Entered", "buyers", NOW_MS + HOUR_MS, "m2"),
            ("Segment Left", "buyers", NOW_MS + 2 * DAY_MS, "time"),
        ]


@pytest.mark.parametrize("counts_by_sql", [True, False])
async def test_a_new_segment_counts_what_happened_before_it_and_after_it_once(counts_by_sql: bool) -> None:
    """However often it is made ready, and with events that came while it was."""
    async with world(counts_by_sql=counts_by_sql) as shop:
        await shop.order("m1")
        await shop.order("m2", userId="bob")
        await shop.accept("m3", event="Order Completed")
        three = SegmentBody(parse('did "Order Completed" exactly 3 times').segment)
        await shop.app.catalog.define_segment("three", three, "tests")
        await shop.accept("m4", event="Order Completed")
        await shop.define("one", 'did "Order Completed" at most 1 times')
        again = SegmentBuilder(shop.engine, History(shop.engine), shop.app.catalog, shop.clock)
        assert await again.build_all() == 0
        assert set(await shop.members("three")) == {"user_id:ann"}
        assert set(await shop.members("one")) == {"user_id:bob"}
        await shop.order("m5")
        assert set(await shop.members("three")) == set()


@pytest.mark.parametrize("counts_by_sql", [True, False])
async def test_a_new_segment_counts_all_that_it_asks_for(counts_by_sql: bool) -> None:
    """Windows, sums, sequences and values of what happened before it was defined; also when it stands on another."""
    texts = {
        "spent": 'sum of total of "Order Completed" > 10 and did "Order Completed" in the last 2 days',
        "returned": 'did "Order Completed" then Returned within 2 hours',
        "large": 'sum of total of "Order Completed" > 1e15',
        "loyal": 'did "Order Completed" and in segment spent',
        "lines": 'for each line of "Order Completed": did "Order Completed" where line is that',
        "last": 'last "Order Completed" has (total is 7)',
    }
    async with world(counts_by_sql=counts_by_sql) as shop:
        await shop.order("m1", properties={"total": 4, "line": ["Mugs", "Cups"]})
        shop.clock.advance(1)
        await shop.order("m2", properties={"total": 7, "line": "mugs"})
        await shop.order("m3", userId="bob", properties={"total": 1e16})
        shop.clock.advance(1)
        await shop.tell("m4", userId="bob", event="Returned")
        for name, text in texts.items():
            await shop.define(name, text)
        found = {name: set(await shop.members(name)) for name in texts}
    ann, bob = "user_id:ann", "user_id:bob"
    assert found == {
        "spent": {ann, bob},
        "returned": {bob},
        "large": {bob},
        "loyal": {ann, bob},
        "lines": {f'{ann}"mugs"', f'{ann}"cups"'},
        "last": {ann},
    }


async def test_who_turns_out_to_be_one_did_all_of_it() -> None:
    """Of two visitors who become one the survivor is in; nobody stays in under the other number."""
    async with world() as shop:
        await shop.define("buyers", BUYERS)
        await shop.order("m1")
        await shop.order("m2", userId=None, anonymousId="a")
        assert await shop.members("buyers") == {}
        await shop.tell("m3", event="Seen", anonymousId="a")
        assert set(await shop.members("buyers")) == {"user_id:ann"}


async def test_a_segment_of_many_is_one_for_each_value() -> None:
    """Who looked twice at a category and did not buy of it, for every category at once."""
    async with world() as shop:
        looked = "did Viewed at least 2 times in the last 7 days where category is that"
        bought = "did not Bought where category is that"
        await shop.define("interested", f"for each category of Viewed: {looked} and {bought}")
        for number, category in enumerate(["Shoes", "shoes", "Hats", "Coats", "coats"]):
            await shop.tell(f"v{number}", event="Viewed", properties={"category": category})
        await shop.tell("b1", event="Bought", properties={"category": "COATS"})
        assert set(await shop.members("interested")) == {'user_id:ann"shoes"'}


async def test_segments_stand_on_others_at_the_same_instant() -> None:
    """When she leaves the one she enters the other, and both are told."""
    async with world() as shop:
        await shop.define("buyers", BUYERS)
        await shop.define("lapsed", 'did "Order Completed" and not in segment buyers')
        await shop.order("m1")
        await shop.order("m2")
        shop.clock.advance(3 * DAY_MS)
        await shop.fold()
        assert await shop.members("lapsed") == {"user_id:ann": NOW_MS + 2 * DAY_MS}
        assert [(name, segment) for name, segment, _, _ in shop.crossings()] == [
            ("Segment Entered", "lapsed"),
            ("Segment Entered", "buyers"),
            ("Segment Left", "lapsed"),
            ("Segment Left", "buyers"),
            ("Segment Entered", "lapsed"),
        ]


async def test_ranks_and_groups_are_settled_among_all() -> None:
    """Who is overtaken leaves although they did nothing; what a group becomes lets its members in."""
    async with world() as shop:
        for who, total in (("ann", 5), ("bob", 9), ("cid", 7)):
            await shop.order(f"o-{who}", userId=who, properties={"total": total})
        await shop.tell("g", type="group", event=None, groupId="acme", traits={"plan": "basic"})
        await shop.define("best", 'in the top 1 by sum of total of "Order Completed"')
        await shop.define("in pro groups", "group plan is pro")
        assert set(await shop.members("best")) == {"user_id:bob"}
        assert await shop.members("in pro groups") == {}
        shop.clock.advance(1)
        await shop.order("more", properties={"total": 10})
        await shop.tell("h", type="group", event=None, userId="bob", groupId="acme", traits={"plan": "pro"})
        await shop.settler.settle(settled_conditions(shop.app.catalog.now.segments_in_force))
        await shop.fold()
        assert set(await shop.members("best")) == {"user_id:ann"}
        assert set(await shop.members("in pro groups")) == {"user_id:ann", "user_id:bob"}
