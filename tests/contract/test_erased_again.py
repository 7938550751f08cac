"""Who was erased does not come back with a backup: the register beside the store says whom to erase again."""

from __future__ import annotations

import copy
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.time import MINUTE_MS, ManualClock
from courtesy.engine.contract import Engine
from courtesy.engine_memory import Disk, MemoryEngine
from courtesy.engine_postgres import PostgresEngine
from courtesy.runtime.register import Entry, Register
from tests.contract.conftest import Databases
from tests.contract.test_engine_repair import ANN, DEVICE, World, by_ann, login, world_of


@asynccontextmanager
async def opened(engine: Engine, clock: ManualClock, register: Register) -> AsyncIterator[World]:
    """A world over a store of its own."""
    await engine.open()
    try:
        async with world_of(engine, clock, register) as world:
            yield world
    finally:
        await engine.close()


async def live(world: World) -> None:
    """Three people come; a backup would have them all."""
    await world.store(
        login("l1"), by_ann("a1"), {"messageId": "b1", "userId": "bob"}, {"messageId": "c1", "userId": "cid"}
    )
    world.clock.set(world.clock.now_ms() + MINUTE_MS)


async def erase_two(world: World) -> None:
    """One for good; one may begin anew, and does."""
    await world.eraser.erase(ANN, "eve", "asked to", suppress=True)
    await world.eraser.erase("user_id:cid", "eve", "asked to", suppress=False)
    world.clock.set(world.clock.now_ms() + MINUTE_MS)
    await world.store({"messageId": "c2", "userId": "cid"})


async def check_restored(world: World) -> None:
    """Of a backup from before: those two are erased again, once, and nobody else."""
    again = await world.eraser.erase_again("eve", world.fold)
    assert sorted(each.event_count for each in again) == [1, 2]
    for identifier in (ANN, DEVICE, "user_id:cid"):
        assert await world.engine.read_person(identifier) is None
    assert (await world.state("user_id:bob")).event_count == 1
    assert (await world.store(by_ann("a2"))).stored_count == 0
    assert await world.eraser.erase_again("eve", world.fold) == []


async def test_a_restored_postgresql_forgets_again(databases: Databases, clock: ManualClock, tmp_path: Path) -> None:
    """A copy of the database from before two erasures."""
    register = Register(tmp_path / "data" / "erasures.jsonl")
    with databases.fresh() as url:
        async with opened(PostgresEngine(url, clock), clock, register) as world:
            await live(world)
        with databases.fresh(of=url) as backup:
            async with opened(PostgresEngine(url, clock), clock, register) as world:
                await erase_two(world)
                # Nobody came back here: who began anew stays.
                assert await world.eraser.erase_again("eve", world.fold) == []
                assert (await world.state("user_id:cid")).event_count == 1
            async with opened(PostgresEngine(backup, clock), clock, register) as world:
                await check_restored(world)


async def test_a_restored_memory_forgets_again(clock: ManualClock, tmp_path: Path) -> None:
    """The content of a store from before two erasures."""
    register, disk = Register(tmp_path / "erasures.jsonl"), Disk()
    async with opened(MemoryEngine(clock, disk=disk), clock, register) as world:
        await live(world)
        kept = copy.deepcopy(
            {name: value for name, value in vars(disk).items() if "lock" not in name and "listen" not in name}
        )
        await erase_two(world)
    vars(disk).update(kept)
    async with opened(MemoryEngine(clock, disk=disk), clock, register) as world:
        await check_restored(world)


async def test_the_register_names_nobody(clock: ManualClock, tmp_path: Path) -> None:
    """Only whoever may read the data folder sees it, and not even they see whom it is about."""
    register = Register(tmp_path / "erasures.jsonl")
    async with opened(MemoryEngine(clock), clock, register) as world:
        await live(world)
        await erase_two(world)
    text = register.path.read_text()
    assert len(await register.entries()) == 2
    assert not any(told in text for told in ("ann", "cid", "device", "eve"))
    assert register.path.stat().st_mode & 0o777 == 0o600


async def test_nothing_is_erased_that_can_t_be_entered(clock: ManualClock, tmp_path: Path) -> None:
    """A full disk says so, and the person is still there."""
    full = Path("/dev/full")
    if not os.access(full, os.W_OK):
        pytest.skip("there is no device that is always full")
    async with opened(MemoryEngine(clock), clock, Register(full)) as world:
        await live(world)
        with pytest.raises(CourtesyError, match="register of erasures can't be written"):
            await world.eraser.erase(ANN, "eve", "", suppress=True)
        assert (await world.state(ANN)).event_count == 2


async def test_a_line_cut_short_is_no_entry(tmp_path: Path) -> None:
    """Nor does it spoil the next."""
    register = Register(tmp_path / "erasures.jsonl")
    await register.add(Entry(1, ("00",), suppress=True))
    with register.path.open("ab") as file:
        file.write(b'\n{"at_ms":2,"has')
    await register.add(Entry(3, (), suppress=False))
    assert [each.at_ms for each in await register.entries()] == [1, 3]
