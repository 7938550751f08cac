"""Sources by name: whatever view tells of a source, and though another process has only just made it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, ManualClock
from courtesy.engine.contract import FoldCommit, ImportProgress, Poisoned
from courtesy.engine.quality import QualityRow
from courtesy.engine_memory import Disk, MemoryEngine
from courtesy.quality.day import QualityDay, encode_day
from courtesy.runtime.app import App, make_app
from courtesy.runtime.catalog import Source
from courtesy.runtime.settings import Settings
from tests.unit.http.world import NOW_MS, World, serving
from tests.unit.runtime.world import call

VIEWS = [
    "/v1/people/user_id/ann",
    "/v1/people/user_id/ann?as_of=2025-12-01",
    "/v1/people/user_id/ann/events",
    "/v1/people/user_id/ann/why",
    "/v1/people/user_id/ann/export",
    "/v1/counts",
    "/v1/quarantine",
    "/v1/quarantine/groups",
    "/v1/poisoned",
    "/v1/imports",
]


@asynccontextmanager
async def _two_processes() -> AsyncIterator[tuple[World, App]]:
    """One that is asked, and another that has just made the source `till`, of which the first has not heard."""
    disk = Disk()
    async with serving(MemoryEngine(ManualClock(NOW_MS), disk=disk)) as world:
        engine = MemoryEngine(world.clock, disk=disk)
        await engine.open()
        other = make_app(Settings(), engine, world.clock)
        other.ingest.start()
        await _fill(other, await other.catalog.define_source("till", Source(), "a test"))
        assert "till" not in world.app.catalog.now.sources
        yield world, other
        await other.ingest.stop()
        await engine.close()


async def _fill(app: App, till: SourceId) -> None:
    """Something of the source in every view."""
    policy = app.catalog.policy("till")
    calls = [call("a", policy=policy, anonymousId="d", at=NOW_MS), call("b", policy=policy, event=None, at=NOW_MS)]
    await app.ingest.append(calls, policy)
    leases = await app.engine.claim("w", app.engine.partition_count, DAY_MS)
    (record,) = await app.engine.unfolded(leases, 10)
    folded = {lease.partition: lease.folded for lease in leases}
    await app.engine.commit_fold(FoldCommit(leases, folded, poisoned=[Poisoned(record, "a bug", NOW_MS)]))
    await app.engine.save_import(ImportProgress("f" * 64, till, "x.csv", 1, NOW_MS))
    day_ms = NOW_MS - NOW_MS % DAY_MS
    day = QualityDay(day_ms, NOW_MS, 2, 2, 0.5, {}, ())
    await app.engine.save_quality([QualityRow(till, day_ms, NOW_MS, encode_day(day))])


@pytest.mark.parametrize("path", VIEWS)
async def test_a_source_is_called_by_its_name_however_new_it_is(path: str) -> None:
    """In each view by itself, as the first that this process is asked for."""
    async with _two_processes() as (world, _):
        answer = await world.get(path)
        assert answer.status_code == 200, answer.text
        assert '"source":"till"' in answer.text
        assert '"source":"courtesy"' not in answer.text


async def test_what_another_process_holds_of_a_new_source_can_be_replayed() -> None:
    """It is not taken for something of a source that is gone."""
    async with _two_processes() as (world, other):
        (group,) = await other.quarantine.groups()
        fix = [{"do": "default", "path": "event", "value": "Seen"}]
        body = {"group": group.id, "fix": fix}
        assert (await world.change("POST", "/v1/quarantine/preview", body)).status_code == 200


async def test_the_quality_of_a_new_source_is_told_by_its_name() -> None:
    """With that of all the others."""
    async with _two_processes() as (world, _):
        assert [each.source for each in await world.app.quality.days(None, 2)] == ["till"]
