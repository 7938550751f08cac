"""Segments asked of the lake and of what the log has beyond it: on every engine, whatever lies where."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import DAY_MS, ManualClock
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.engine.contract import Engine
from courtesy.lake import Lake
from courtesy.runtime.history import History
from courtesy.runtime.lake import Exporter
from courtesy.runtime.segment_building import counted
from courtesy.runtime.segment_query import SegmentQueries
from courtesy.runtime.system_events import SourceReport, report
from courtesy.segment.definition import SegmentDefinition
from courtesy.segment.live.watch import Tally, patterns_for
from courtesy.segment.parsing import parse
from courtesy.segment.tree import (
    All,
    Amount,
    Compare,
    Consent,
    Did,
    Duration,
    Event,
    Field,
    Function,
    Measure,
    Occurrence,
    Present,
    Segment,
    Sign,
    Sliding,
    Stance,
    Unit,
    Which,
    Whose,
)
from tests.contract.builders import NOW_MS, SHOP
from tests.contract.conftest import Databases
from tests.contract.lakes import Site, close, folder_site
from tests.contract.test_engine_repair import ANN, DEVICE, World, by_ann, login, seen, world_of
from tests.contract.test_ledger import chooses

AT_MS = NOW_MS + 30 * DAY_MS
VIEWERS = {"viewers": parse('did "Product Viewed" at least 3 times').segment}
ALL = {"all": parse('did "Product Viewed"').segment}


@pytest.fixture
def site(databases: Databases, tmp_path: Path) -> Iterator[Site]:
    """A place for a lake."""
    with databases.fresh() as url:
        made = folder_site(url, tmp_path)
        yield made
        close(made)


def queries(world: World, lake: Lake | None) -> SegmentQueries:
    """Questions to a world."""
    return SegmentQueries(world.engine, lake, lambda: {SHOP: "shop"}, Laws(LAWS))


async def export(world: World, lake: Lake) -> None:
    """Bring all to the lake."""
    exporter = Exporter(world.engine, lake, world.clock, 1)
    while await exporter.export_once():
        pass


async def members(asked: SegmentQueries, segments: dict[str, Segment], at_ms: int = AT_MS) -> set[tuple[int, str]]:
    """The members of the first segment."""
    found: set[tuple[int, str]] = set()
    async with asked.asking() as asking:
        async for batch in asking.members(segments, next(iter(segments)), at_ms):
            found |= {(row["person_id"], row["value"]) for row in batch.to_pylist()}
    return found


async def test_events_count_for_whom_they_belong_to_wherever_they_lie(
    engine: Engine, clock: ManualClock, site: Site
) -> None:
    """One person of two devices, then two again; in the log alone, half in the lake, and all there."""
    lake = site.lake()
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"))
        for asked in (queries(world, None), queries(world, lake)):
            assert await members(asked, VIEWERS) == set()
            assert len(await members(asked, ALL)) == 2
        await export(world, lake)
        await world.store(login("l1"), seen("d2", properties={"price": 7}), by_ann("a2"))
        ann = (await world.state(ANN)).person
        owners = await engine.ownership()
        assert [root for _, root in owners.merged] == [ann]
        assert owners.head == await engine.head()
        for _ in range(2):
            for asked in (queries(world, None), queries(world, lake)):
                assert await members(asked, VIEWERS) == {(ann, "")}
            await export(world, lake)
        await world.repairs.unmerge(ANN, DEVICE, "eve", "a look", dry=False)
        await world.fold()
        device = (await world.state(DEVICE)).person
        moved = {person for _, person in (await engine.ownership()).moved}
        assert moved
        assert moved <= {ann, device}
        for asked in (queries(world, None), queries(world, lake)):
            assert await members(asked, VIEWERS) == set()
            assert await members(asked, ALL) == {(ann, ""), (device, "")}
            assert await members(asked, ALL, clock.now_ms() - DAY_MS) == set()


async def test_a_source_is_nobody(engine: Engine, clock: ManualClock) -> None:
    """What the system reports of it is done by nobody, and it is not among those who did nothing."""
    async with world_of(engine, clock) as world:
        await world.store(by_ann("a1"))
        await report(engine, [SourceReport("shop", "drift-1", "Schema Drifted", {})], NOW_MS)
        assert len((await engine.ownership()).nobodies) == 1
        ann = (await world.state(ANN)).person
        for text in ("did anything", 'did not "Order Completed"'):
            assert await members(queries(world, None), {"s": parse(text).segment}) == {(ann, "")}


async def test_a_preview_counts_and_names_some(engine: Engine, clock: ManualClock) -> None:
    """Exactly while there are few events; of many from a part of the people, with an interval around the truth."""
    segments = {"viewers": ALL["all"], "cheap": parse('did "Product Viewed" where price < 3').segment}
    segments["each"] = parse('for each price of "Product Viewed": did "Product Viewed" where price is that').segment
    async with world_of(engine, clock) as world:
        await world.store(*(by_ann(f"m{n}", userId=f"u{n}", properties={"price": n % 6}) for n in range(60)))
        found = await queries(world, None).preview(segments, "viewers", AT_MS)
        assert (found.count, found.count_low, found.count_high, found.one_of) == (60, 60, 60, 1)
        assert (len(found.sample), found.position) == (10, await engine.head())
        async with queries(world, None).asking() as asking:
            each = await asking.preview(segments, "each", AT_MS)
            assert list(each.by_value) == [(str(price), 10) for price in range(6)]
            assert (each.count, each.value_count) == (60, 6)
            assert await asking.count(segments, "cheap", AT_MS) == 30
            both = await asking.overlaps(segments, ["viewers", "cheap"], AT_MS)
            assert both == {frozenset({"viewers"}): 30, frozenset({"viewers", "cheap"}): 30}
            part = await asking.preview(segments, "viewers", AT_MS, whole_rows=20)
            assert part.one_of > 1
            assert part.count_low <= 60 <= part.count_high


async def test_what_the_law_allows_is_asked_of_the_law(engine: Engine, clock: ManualClock) -> None:
    """Who granted, who refused, and who said nothing, in a country where that is a no and where it is a yes."""
    async with world_of(engine, clock) as world:
        await world.store(
            by_ann("m1", userId="german", type="identify", traits={"address": {"country": "DE"}}),
            by_ann("m2", userId="american", type="identify", traits={"country": "US"}),
            chooses("m3", "grant", userId="german"),
            chooses("m4", "withdraw", userId="american"),
            by_ann("m5", userId="silent", type="identify", traits={"address": {"country": "DE"}}),
            by_ann("m6", userId="other", type="identify", traits={"country": "US"}),
        )
        of = {name: (await world.state(f"user_id:{name}")).person for name in ("german", "american", "silent", "other")}
        for stance, expected in (
            (Stance.ALLOWS, {"german", "other"}),
            (Stance.GRANTED, {"german"}),
            (Stance.REFUSED, {"american"}),
        ):
            asked = {"s": Segment(1, Consent(stance, "marketing", "email"))}
            assert await members(queries(world, None), asked) == {(of[name], "") for name in expected}


BOUGHT = Event("Product Viewed", Field("price", Compare(Sign.MORE, 1)))
DEEDS = Segment(
    1,
    All(
        (
            Did(BOUGHT, window=Sliding(Duration(30, Unit.DAY))),
            Amount(Measure(Function.SUM, "price", BOUGHT), Compare(Sign.MORE, 1)),
            Amount(Measure(Function.DIFFERENT, "price", Event("*")), Compare(Sign.MORE, 1)),
            Occurrence(Which.LAST, BOUGHT, has=Field("source", Present(), Whose.SOURCE)),
        )
    ),
)


async def test_marks_are_those_that_history_comes_to(engine: Engine, clock: ManualClock, site: Site) -> None:
    """Of everybody as their events were appended, in the log and in the lake; but of those whose events were moved."""
    lake = site.lake()
    definition = SegmentDefinition(1, "it", 1, DEEDS, patterns_for(DEEDS, Position(0), ()))
    tally = Tally(definition, {key for key, _ in definition.patterns.values()}, {SHOP: "shop"})
    async with world_of(engine, clock) as world:

        async def compared(up_to: Position, *, without: Collection[PersonId] = ()) -> set[PersonId]:
            people = await engine.stored_people(None, 1_000)
            owned = await History(engine).of(people)
            before = [(owner, record) for record, owner in owned.items() if record.position <= up_to]
            expected = counted(before, tally, AT_MS)
            async with queries(world, lake).asking() as asking:
                moved = await asking.repaired()
                found = [each async for each in asking.marks(tally.keeps, up_to, AT_MS)]
            told = {person: marks for each in found for person, marks in each.items() if person not in moved}
            assert {person for person, marks in told.items() if marks is None} == set(without)
            for person in (*moved, *without):
                expected.pop(person, None)
            assert {person: marks for person, marks in told.items() if person not in without} == expected
            return moved

        await world.store(seen("d1"), *(by_ann(f"a{n}", properties={"price": n}) for n in range(4)))
        assert await compared(await engine.head()) == set()
        await export(world, lake)
        half = await engine.head()
        await world.store(login("l1"), seen("d2", properties={"price": 7}), by_ann("a9", properties={"price": 1e12}))
        ann = (await world.state(ANN)).person
        assert await compared(half) == set()
        assert await compared(await engine.head(), without={ann}) == set()
        await world.repairs.unmerge(ANN, DEVICE, "eve", "a look", dry=False)
        await world.store(by_ann("b1", userId="bob", properties={"price": 3}))
        device = (await world.state(DEVICE)).person
        assert await compared(await engine.head()) >= {device, ann}
        await export(world, lake)
        assert await compared(await engine.head()) >= {device, ann}
