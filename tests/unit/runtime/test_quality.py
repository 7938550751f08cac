"""Judging a store: scores over days, what they are made of, and the events that tell of drifts and falls."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from courtesy.base.ids import Position
from courtesy.base.time import DAY_MS, HOUR_MS, to_iso
from courtesy.quality.day import QualityDay, Standing
from courtesy.quality.score import Part
from courtesy.runtime.catalog import Scope, Source
from courtesy.runtime.quality import _stretches
from tests.unit.http.world import NOW_MS, World, serving

NOON = NOW_MS - NOW_MS % DAY_MS + 12 * HOUR_MS
ORDER = {"order_id": "o-1", "total": 10}


async def buy(world: World, count: int, value: Any = ORDER, prefix: str = "m", **more: Any) -> None:
    """Send purchases, each of another customer."""
    stamp = world.clock.now_ms()
    items = [
        {
            "type": "track",
            "event": "Bought",
            "userId": f"u{n}",
            "messageId": f"{prefix}{stamp}-{n}",
            "properties": value,
        }
        | more
        for n in range(count)
    ]
    assert (await world.post("/v1/events", items)).status_code == 200


async def today(world: World, source: str = "shop") -> QualityDay:
    """Judge, and give today."""
    await world.app.quality.run()
    day = (await world.app.quality.days(source, 1))[-1].day
    assert day.day_ms == world.clock.now_ms() // DAY_MS * DAY_MS
    return day


async def good_days(world: World, count: int, value: Any = ORDER) -> None:
    """Some days on each of which all is well, each judged; then it is noon of the next."""
    for number in range(count):
        world.clock.set(NOON + number * DAY_MS)
        await buy(world, 60, value)
        assert (await today(world)).score == 1
    world.clock.set(NOON + count * DAY_MS)


async def told(world: World, source: str = "shop") -> list[dict[str, Any]]:
    """What the system reported of a source, oldest first: name and properties."""
    answer = await world.get(f"/v1/people/event_source/{source}/events?limit=500")
    if answer.status_code == 404:
        return []
    found: list[dict[str, Any]] = [{"name": each["name"], **each["properties"]} for each in answer.json()["events"]]
    return found[::-1]


async def test_a_day_is_judged_as_it_goes_on_and_once_more_when_it_is_over() -> None:
    """Each time with all that came, and kept; the next day begins anew."""
    async with serving() as world:
        world.clock.set(NOON)
        await buy(world, 30)
        assert (await today(world)).received_count == 30
        world.clock.advance(HOUR_MS)
        await buy(world, 5)
        assert (await today(world)).received_count == 35
        await buy(world, 5, prefix="late")
        world.clock.advance(DAY_MS)
        await world.app.quality.run()
        (first, second) = await world.app.quality.days("shop", 2)
        assert (first.day.received_count, first.day.sampled_count) == (40, 40)
        assert second.day.received_count == 0


async def test_the_parts_are_made_of_what_came() -> None:
    """Kept out, repeated, incomplete and odd events each lower their own part, with whom they touch."""
    async with serving() as world:
        await good_days(world, 1)
        await buy(world, 40)
        await buy(world, 40)
        await buy(world, 10, {"order_id": "o-1"}, prefix="short")
        await buy(world, 10, {**ORDER, "total": "10"}, prefix="odd")
        await buy(world, 20, prefix="nobody", userId="null")
        day = await today(world)
        assert day.parts == pytest.approx(
            {
                Part.VALID: 60 / 80,
                Part.COMPLETE: 1 - 10 / 120,
                Part.FRESH: 1,
                Part.UNIQUE: 80 / 120,
                Part.UNIFORM: 1 - 10 / 110,
            }
        )
        counts = {each.part: (each.event_count, each.people_count) for each in day.reasons}
        assert counts == {
            Part.VALID: (20, 1),
            Part.COMPLETE: (10, 10),
            Part.UNIQUE: (40, None),
            Part.UNIFORM: (10, 10),
        }
        assert day.received_count == 120


async def test_a_source_that_degrades_and_recovers_says_so_once_each() -> None:
    """With the score, what it usually is, and why; however often it is judged, and not for every tremor."""
    async with serving() as world:
        await good_days(world, 3)
        await buy(world, 60, prefix="nobody", userId="null")
        await buy(world, 60)
        assert (await today(world)).standing is Standing.DEGRADED
        await today(world)
        (fall,) = await told(world)
        assert (fall["name"], fall["source"], fall["day"]) == (
            "Source Degraded",
            "shop",
            to_iso(NOON + 3 * DAY_MS)[:10],
        )
        assert fall["score"] < 0.9 < fall["usual_score"]
        assert "no_identifier" in fall["reasons"][0]
        world.clock.advance(DAY_MS)
        await buy(world, 60)
        assert (await today(world)).standing is Standing.USUAL
        await today(world)
        assert [each["name"] for each in await told(world)] == ["Source Degraded", "Source Recovered"]


async def test_a_few_bad_events_are_not_a_fall() -> None:
    """Nineteen events tell nothing about a source."""
    async with serving() as world:
        await good_days(world, 3)
        await buy(world, 19, userId="null")
        day = await today(world)
        assert (day.parts[Part.VALID], day.standing) == (0, Standing.USUAL)
        assert await told(world) == []


async def test_a_source_that_falls_silent_degrades() -> None:
    """Though nothing came that could be wrong; by its own usual rhythm."""
    async with serving() as world:
        for number in range(4):
            for hour in range(24):
                world.clock.set(NOON - 12 * HOUR_MS + number * DAY_MS + hour * HOUR_MS)
                if number < 3 or hour < 8:
                    await buy(world, 5)
                if number == 3 and hour in (8, 11):
                    assert (await today(world)).standing is Standing.USUAL
            if number < 3:
                await world.app.quality.run()
        day = await today(world)
        assert (day.score, day.standing) == (0, Standing.DEGRADED)
        (fall,) = await told(world)
        assert "silent in 15 of 23 hours" in fall["reasons"][0]


async def test_a_drift_is_told_once_a_day_for_each_field() -> None:
    """As an event of the source, with what changed; on the next day again, while it lasts."""
    async with serving() as world:
        await good_days(world, 1)
        await buy(world, 40, {**ORDER, "total": "10", "coupon": "c"})
        for _ in range(3):
            await today(world)
            await buy(world, 5, {**ORDER, "coupon": "c"}, prefix="more")
            world.clock.advance(HOUR_MS)
        found = [(each["name"], each["event"], each["field"], each["change"]) for each in await told(world)]
        assert found == [
            ("Schema Drifted", "Bought", "coupon", "new_field"),
            ("Schema Drifted", "Bought", "total", "new_type"),
        ]


async def test_a_drift_starts_no_webhook() -> None:
    """What the system itself reports starts nothing, even for those who want to hear of everything."""
    async with serving() as world:
        await world.change("PUT", "/v1/subscriptions/all", {"url": "https://shop.example/", "events": ["*"]})
        await good_days(world, 1)
        await buy(world, 40, {**ORDER, "coupon": "c"})
        await today(world)
        assert [each["name"] for each in await told(world)] == ["Schema Drifted"]
        assert {each.target for each in await world.app.engine.effects(None, 500)} <= {"all"}
        assert await world.app.engine.person_count() == 60


async def test_a_busy_day_is_judged_by_a_sample() -> None:
    """From all over the day, with exact counts; a source that is rare among others is looked at all the same."""
    async with serving(quality_sample=200) as world:
        world.clock.set(NOON)
        await world.app.catalog.define_source("till", Source(), "test")
        key = await world.app.catalog.create_key("till", Scope.WRITE, "test", source="till")
        rare = [{"type": "track", "event": "Sold", "userId": "x", "messageId": f"t{n}"} for n in range(8)]
        await world.post("/v1/events", rare, headers={"x-write-key": key})
        for number in range(10):
            await buy(world, 200, prefix=f"b{number}-")
        day = await today(world)
        assert day.received_count == 2_000
        assert 150 <= day.sampled_count <= 200
        till = (await world.app.quality.days("till", 1))[-1].day
        assert (till.received_count, till.sampled_count) == (8, 8)


@pytest.mark.parametrize(
    ("first", "last", "count"), [(0, 0, 100), (0, 50, 100), (7, 107, 100), (7, 108, 100), (0, 10**7, 5_000)]
)
def test_stretches_lie_in_the_day_and_do_not_overlap(first: int, last: int, count: int) -> None:
    """Together they have as many positions as are to be looked at, or all of them."""
    found = sorted(_stretches(Position(first), Position(last), count))
    assert all(first <= after < upto <= last for after, upto in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    assert sum(upto - after for after, upto in found) == min(last - first, count)


async def test_a_paused_source_is_left_alone() -> None:
    """It was silenced on purpose."""
    async with serving() as world:
        await good_days(world, 1)
        await world.change("PUT", "/v1/sources/shop", {"paused": True})
        await world.app.quality.run()
        assert (await world.app.quality.days("shop", 1)) == []


async def test_quality_is_read_over_http() -> None:
    """Over time, with causes, events and people; a source that is not there is not found."""
    async with serving() as world:
        await good_days(world, 2)
        await buy(world, 30, {"order_id": "o-1"})
        await world.app.quality.run()
        answer = (await world.get("/v1/sources/shop/quality?days=3")).json()
        assert [each["day"] for each in answer["days"]] == [to_iso(NOON + n * DAY_MS)[:10] for n in range(3)]
        assert answer["days"][-1]["parts"]["complete"] == 0.5
        (reason,) = answer["days"][-1]["reasons"]
        assert (reason["said"], reason["events"], reason["people"]) == ("Bought without total", 30, 30)
        assert len(reason["message_ids"]) == 3
        assert (await world.get("/v1/sources/nowhere/quality")).status_code == 404
