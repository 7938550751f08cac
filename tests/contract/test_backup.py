"""Backups: who is erased is in none of them, whatever is restored, and everybody else is as before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg

from courtesy.base.time import ManualClock
from courtesy.engine_postgres.backup_tables import LEFT_OUT, TABLES
from courtesy.runtime.backup.making import make_backup, refresh_keys
from courtesy.runtime.backup.restoring import Restored, checked, restored
from courtesy.runtime.settings import Settings
from tests.contract.backups import PEOPLE, fill, shop, views, whereabouts
from tests.contract.conftest import Databases

ERASED = ("ann", "cid")
OTHERS = tuple(name for name in PEOPLE if name not in ERASED)


def test_every_table_is_in_a_backup_or_left_out_for_a_reason(databases: Databases) -> None:
    """A table that a migration adds goes into `backup_tables.py`, with the people of whom its rows tell."""
    with databases.fresh() as url, psycopg.connect(url) as connection:
        names = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    listed = [table.name for table in TABLES] + list(LEFT_OUT)
    assert sorted(listed) == sorted(names)


async def backed_up(url: str, folder: Path, clock: ManualClock) -> None:
    """A backup of a data folder, and its keys, beside it."""
    file, keys = folder.with_suffix(".backup"), folder.with_suffix(".keys")
    await asyncio.to_thread(make_backup, Settings(data=str(folder)), url, file, keys, clock)


async def put_back(
    url: str, folder: Path, clock: ManualClock, *, of: Path, register: Path | None, keys: Path | None = None
) -> Restored:
    """A backup of another data folder, put back into an empty one."""
    keys = keys or of.with_suffix(".keys")
    backup = await asyncio.to_thread(checked, of.with_suffix(".backup"), keys)
    return await restored(Settings(data=str(folder)), url, backup, keys, register, clock)


async def test_a_backup_brings_back_everything(databases: Databases, clock: ManualClock, tmp_path: Path) -> None:
    """People as they are and as they were, to the letter, and the keys of the data folder."""
    data, other = tmp_path / "data", tmp_path / "other"
    with databases.fresh() as url, databases.bare() as empty:
        async with shop(url, data, clock) as world:
            await fill(world)
            before = {name: await views(world, name) for name in PEOPLE}
            await backed_up(url, data, clock)
        done = await put_back(empty, other, clock, of=data, register=None)
        assert (done.without, done.erased, done.unexplained) == (0, 0, 0)
        async with shop(empty, other, clock) as world:
            assert {name: await views(world, name) for name in PEOPLE} == before
        for name in ("ledger.key", "links.key"):
            assert (other / name).read_bytes() == (data / name).read_bytes()


async def test_who_was_erased_is_in_no_backup(databases: Databases, clock: ManualClock, tmp_path: Path) -> None:
    """Not from before either, once the keys are written anew; others are read exactly as before."""
    data, other = tmp_path / "data", tmp_path / "other"
    with databases.fresh() as url, databases.bare() as empty:
        async with shop(url, data, clock) as world:
            await fill(world)
            await backed_up(url, data, clock)
            for name in ERASED:
                await world.erase(name)
            await world.export()
            before = {name: await views(world, name) for name in OTHERS}
            await asyncio.to_thread(refresh_keys, url, data.with_suffix(".keys"), clock)
        done = await put_back(empty, other, clock, of=data, register=data / "erasures.jsonl")
        assert (done.erased, done.unexplained) == (2, 0)
        async with shop(empty, other, clock) as world:
            for name in ERASED:
                assert await whereabouts(empty, other, name) == set()
            assert {name: await views(world, name) for name in OTHERS} == before
