"""The exporter between a store and a lake: whatever fails at whichever step, each event is in the lake once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import MINUTE_MS, ManualClock
from courtesy.engine.contract import Engine, Unavailable
from courtesy.lake import Lake
from courtesy.person.record import Record, RecordKind, hand_over_payload, timer_payload
from courtesy.runtime.lake import Exporter
from courtesy.runtime.telemetry import LAKE_ROWS, LAKE_TIME
from courtesy.runtime.trimming import trim
from tests.contract.builders import ANN, BOB, NOW_MS, log_of, record, write
from tests.contract.conftest import Databases
from tests.contract.lakes import Site, all_of, close, folder_site

CID = PersonId(103)
PEOPLE = (ANN, BOB, CID)


@pytest.fixture
def site(databases: Databases, tmp_path: Path) -> Iterator[Site]:
    """A place for a lake."""
    with databases.fresh() as url:
        made = folder_site(url, tmp_path)
        yield made
        close(made)


async def happen(engine: Engine, chance: Random, prefix: str) -> None:
    """A few records of a few people are appended, some of kinds that are not for the lake."""
    made = []
    for n in range(chance.randrange(1, 9)):
        person = chance.choice(PEOPLE)
        kind = chance.choice([RecordKind.EVENT] * 3 + [RecordKind.GROUP, RecordKind.TIMER, RecordKind.HAND_OVER])
        other = {RecordKind.TIMER: timer_payload("t", 1), RecordKind.HAND_OVER: hand_over_payload(BOB)}.get(kind)
        made.append(record(person, f"{prefix}-{n}", kind=kind, payload=other))
    await write(engine, *made)


async def export(exporter: Exporter) -> None:
    """Until there is nothing more."""
    while await exporter.export_once():
        pass


async def events_of(engine: Engine) -> list[Record]:
    """What should be in the lake."""
    return [each for each in await log_of(engine, *PEOPLE) if each.kind in (RecordKind.EVENT, RecordKind.GROUP)]


class Crash(Exception):
    """The process ends here."""


class FrailCatalog(SqlCatalog):
    """A catalogue that is asked at each commit, before and after it, whether the process survives."""

    step: Callable[[str], None]

    def commit_table(self, *args: Any, **kwargs: Any) -> Any:
        self.step("before the lake's commit")
        answer = super().commit_table(*args, **kwargs)
        self.step("after the lake's commit")
        return answer


class FrailLake(Lake):
    """A lake over such a catalogue."""

    def __init__(self, site: Site, step: Callable[[str], None]) -> None:
        super().__init__(site.place, site.url)
        self._step = step

    def _opened(self) -> SqlCatalog:
        catalog = super()._opened()
        catalog.__class__ = FrailCatalog
        catalog.step = self._step  # type: ignore[attr-defined]
        return catalog


class FrailEngine:
    """An engine of a process that may end before and after each call."""

    def __init__(self, engine: Engine, step: Callable[[str], None]) -> None:
        self._engine = engine
        self._step = step

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any) -> Any:
            self._step(f"before {name}")
            answer = await getattr(self._engine, name)(*args)
            self._step(f"after {name}")
            return answer

        return call


async def test_everything_accepted_is_in_the_lake(engine: Engine, site: Site, clock: ManualClock) -> None:
    """Events of all partitions, in pieces; the store knows how far, and the metrics say how many and until when."""
    chance, lake = Random(1), site.lake()
    exporter = Exporter(engine, lake, clock, 1)
    counted = LAKE_ROWS._value.get()
    for n in range(5):
        await happen(engine, chance, f"a{n}")
        await export(exporter)
    events = await events_of(engine)
    assert await all_of(lake, PEOPLE) == events
    assert await engine.lake_position() == await engine.head()
    assert LAKE_ROWS._value.get() - counted == len(events)
    assert LAKE_TIME._value.get() == NOW_MS / 1_000


async def test_a_crash_at_any_step_neither_doubles_nor_loses(engine: Engine, site: Site, clock: ManualClock) -> None:
    """Processes end before and after every call and commit; what goes on in their place finishes the work."""
    chance = Random(7)
    crashed: set[str] = set()
    for n in range(60):
        steps = iter(range(chance.randrange(12)))

        def step(name: str, steps: Iterator[int] = steps) -> None:
            if next(steps, None) is None:
                crashed.add(name)
                raise Crash(name)

        await happen(engine, chance, f"b{n}")
        lake = FrailLake(site, step)
        try:
            await export(Exporter(FrailEngine(engine, step), lake, clock, 1))
        except Crash:
            pass
        finally:
            await lake.close()
        saved, held = await engine.lake_position(), await site.lake().position()
        assert await _nothing_between(engine, held, saved), "the store says more than is true"
    assert crashed == {
        "before log_after", "after log_after", "before the lake's commit", "after the lake's commit",
        "before save_lake_position", "after save_lake_position",
    }  # fmt: skip
    after = site.lake()
    await export(Exporter(engine, after, clock, 1))
    assert await all_of(after, PEOPLE) == await events_of(engine)


async def _nothing_between(engine: Engine, held: Position | None, saved: Position | None) -> bool:
    """Whether no event lies between what the lake holds and what the store says that it holds."""
    return not [each for each in await events_of(engine) if (held or 0) < each.position <= (saved or 0)]


async def test_two_exporters_at_once_write_each_event_once(engine: Engine, site: Site, clock: ManualClock) -> None:
    """On two hosts, say; each goes on from where the other was."""
    chance = Random(3)
    lakes = [site.lake(), site.lake()]
    exporters = [Exporter(engine, lake, clock, 1) for lake in lakes]
    for n in range(10):
        await happen(engine, chance, f"c{n}")
        await asyncio.gather(*(export(each) for each in exporters))
    assert await all_of(lakes[0], PEOPLE) == await events_of(engine)


async def test_nothing_is_dropped_before_it_is_in_the_lake(engine: Engine, site: Site, clock: ManualClock) -> None:
    """While the lake can't be reached the log keeps everything, and afterwards all of it comes."""
    lost = Lake(site.place, "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    await happen(engine, Random(5), "d")
    with pytest.raises(Unavailable):
        await Exporter(engine, lost, clock, 1).export_once()
    events = await events_of(engine)
    assert await trim(engine, NOW_MS + MINUTE_MS, await engine.lake_position() or Position(0)) == 0
    await export(Exporter(engine, site.lake(), clock, 1))
    assert await all_of(site.lake(), PEOPLE) == events


async def test_the_loop_survives_an_outage_and_tells_it_once(
    engine: Engine, site: Site, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process does not end, the log is not filled with one and the same, and work goes on by itself."""
    await happen(engine, Random(6), "e")
    with site.files.open_output_stream(site.path) as stream:
        stream.write(b"a file where a folder should be")
    stop = asyncio.Event()
    lake = site.lake()
    running = asyncio.create_task(Exporter(engine, lake, clock, 0.05).run(stop))
    await asyncio.sleep(1)
    assert not running.done()
    site.files.delete_file(site.path)
    while await lake.position() is None:
        await asyncio.sleep(0.05)
    while await engine.lake_position() is None:
        await asyncio.sleep(0.05)
    stop.set()
    await running
    said = capsys.readouterr()
    assert (said.out + said.err).count("lake_waits") == 1
    assert await all_of(lake, PEOPLE) == await events_of(engine)
