"""What was counted for segments is forgotten with what it was counted of, and what is left is counted as if anew."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import MINUTE_MS, ManualClock
from courtesy.engine.contract import AppendBatch, Engine
from courtesy.engine.imported import TakeBack
from courtesy.engine_memory import Disk, MemoryEngine
from courtesy.engine_postgres import PostgresEngine
from courtesy.identity.resolve import Changes
from courtesy.person.record import RecordKind
from courtesy.runtime.history import History
from courtesy.runtime.register import Register
from courtesy.runtime.segment_building import SegmentBuilder
from courtesy.segment.definition import SegmentBody
from courtesy.segment.parsing import parse
from tests.contract.builders import NOW_MS
from tests.contract.conftest import Databases
from tests.contract.test_engine_repair import ANN, World, by_ann, login, world_of
from tests.contract.test_erased_again import opened

OFTEN = 'did "Product Viewed" at least 2 times'
BOB, CID = "user_id:bob", "user_id:cid"


async def define(world: World, name: str, text: str) -> None:
    """A segment, made ready by the real builder while the worker folds."""
    await world.catalog.define_segment(name, SegmentBody(parse(text).segment, text), "tests")
    await build(world)


async def build(world: World) -> None:
    """Have the one segment made ready that is not."""
    builder = SegmentBuilder(world.engine, History(world.engine), world.catalog, world.clock, wait_s=0)
    building = asyncio.create_task(builder.build_all())
    while not building.done():
        await world.worker.claim()
        while await world.worker.fold_once() + await world.worker.fire_due():
            pass
        await asyncio.sleep(0)
    assert await building == 1


async def counted_of(engine: Engine) -> set[PersonId]:
    """For whom the log has something that was counted."""
    return {each.person for each in await engine.log_after(Position(0), 10_000) if each.kind is RecordKind.COUNTED}


async def members(world: World, name: str) -> set[PersonId]:
    """Who is in a segment."""
    number = world.catalog.now.revisions["segment", name].number
    return {each.person for each in await world.engine.members(number, None, None, 100)}


async def test_an_erasure_forgets_what_was_counted(engine: Engine, clock: ManualClock) -> None:
    """Under every number under which something of the erased may lie; of others their marks stay."""
    async with world_of(engine, clock) as world:
        await world.store({"messageId": "b1", "userId": "bob"}, by_ann("a1"), {"messageId": "c1", "userId": "cid"})
        bob, ann = (await world.state(BOB)).person, (await world.state(ANN)).person
        cid = (await world.state(CID)).person
        await world.repairs.merge(BOB, ANN, "eve", "by mistake", dry=False)
        await world.fold()
        await world.store(by_ann("a2"))  # appended for Bob
        await define(world, "often", OFTEN)
        assert await members(world, "often") == {bob}
        assert await counted_of(engine) == {bob, ann, cid}
        await world.repairs.unmerge(ANN, BOB, "eve", "", dry=False)
        await world.fold()
        assert await members(world, "often") == {ann}
        await world.eraser.erase(ANN, "eve", "asked to", suppress=False)
        await world.fold()
        assert await counted_of(engine) == {cid}
        assert await members(world, "often") == set()
        left = (await world.state(BOB)).marks
        assert left is not None
        assert [each.count for each in left.marks.values()] == [1]


async def test_an_erasure_before_a_segment_is_ready_leaves_others_counted(engine: Engine, clock: ManualClock) -> None:
    """Who was one with the erased one is told anew, and has what they did before and after the segment was defined."""
    async with world_of(engine, clock) as world:
        await world.store({"messageId": "b1", "userId": "bob"}, login("a1"), {"messageId": "c1", "userId": "cid"})
        for other in (BOB, CID):
            await world.repairs.merge(other, ANN, "eve", "by mistake", dry=False)
            await world.fold()
        # Bob is found anew with what is Ann's, and again without it.
        for other in (CID, BOB):
            await world.repairs.unmerge(ANN, other, "eve", "", dry=False)
            await world.fold()
        await world.catalog.define_segment("often", SegmentBody(parse(OFTEN).segment, OFTEN), "tests")
        await world.store({"messageId": "b2", "userId": "bob"})
        before = await world.engine.head()
        await world.eraser.erase(ANN, "eve", "asked to", suppress=False)
        bob = (await world.state(BOB)).person
        assert (await world.engine.latest_since(before, RecordKind.RESTORE))[bob] > before
        await build(world)
        assert await members(world, "often") == {bob}


async def test_taking_a_file_back_forgets_what_was_counted(engine: Engine, clock: ManualClock) -> None:
    """Of whoever is found anew without it."""
    async with world_of(engine, clock) as world:
        await world.store(by_ann("a1"), {"messageId": "b1", "userId": "bob"})
        bob, ann = (await world.state(BOB)).person, (await world.state(ANN)).person
        await define(world, "often", OFTEN)
        assert await counted_of(engine) == {ann, bob}
        gone = TakeBack(SourceId(1), people={ann}, restored=[ann])
        async with engine.appending() as append:
            await append.write(AppendBatch([], [], Changes(), [], [], NOW_MS, taken_back=gone))
        assert await counted_of(engine) == {bob}


async def two_as_one(world: World) -> None:
    """Ann and Bob are taken for one when the backup is made, and are in a segment together."""
    await world.store({"messageId": "b1", "userId": "bob"}, by_ann("a1"), {"messageId": "c1", "userId": "cid"})
    await define(world, "often", OFTEN)
    await define(world, "once", 'did "Product Viewed" exactly 1 times')
    await world.repairs.merge(BOB, ANN, "eve", "by mistake", dry=False)
    await world.fold()
    assert await members(world, "often") == {(await world.state(ANN)).person}
    world.clock.set(world.clock.now_ms() + MINUTE_MS)


async def part_and_erase(world: World) -> None:
    """They are two again, and Ann is erased."""
    await world.repairs.unmerge(ANN, BOB, "eve", "", dry=False)
    await world.fold()
    await world.eraser.erase(ANN, "eve", "asked to", suppress=True)
    await world.fold()


async def check_restored(world: World) -> None:
    """Bob has what he did, and nothing of hers, and is looked at; the segments go on from there."""
    await world.eraser.erase_again("eve", world.fold)
    bob, cid = await world.state(BOB), await world.state(CID)
    for each in (bob, cid):
        assert each.marks is not None
        assert {mark.count for mark in each.marks.marks.values()} == {1}
    assert await members(world, "often") == set()
    assert await members(world, "once") == {bob.person, cid.person}
    assert await counted_of(world.engine) == {cid.person}
    await world.store({"messageId": "b2", "userId": "bob"})
    assert await members(world, "often") == {bob.person}


async def test_a_restored_postgresql_counts_nothing_of_the_erased(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """A copy of the database from before the erasure."""
    register = Register(tmp_path / "data" / "erasures.jsonl")
    with databases.fresh() as url:
        async with opened(PostgresEngine(url, clock), clock, register) as world:
            await two_as_one(world)
        with databases.fresh(of=url) as backup:
            async with opened(PostgresEngine(url, clock), clock, register) as world:
                await part_and_erase(world)
            async with opened(PostgresEngine(backup, clock), clock, register) as world:
                await check_restored(world)


async def test_a_restored_memory_counts_nothing_of_the_erased(clock: ManualClock, tmp_path: Path) -> None:
    """The content of a store from before the erasure."""
    register, disk = Register(tmp_path / "erasures.jsonl"), Disk()
    async with opened(MemoryEngine(clock, disk=disk), clock, register) as world:
        await two_as_one(world)
        kept = copy.deepcopy(
            {name: value for name, value in vars(disk).items() if "lock" not in name and "listen" not in name}
        )
        await part_and_erase(world)
    vars(disk).update(kept)
    async with opened(MemoryEngine(clock, disk=disk), clock, register) as world:
        await check_restored(world)
