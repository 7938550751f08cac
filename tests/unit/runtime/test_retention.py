"""Retention: what is older than a rule keeps is let go of, and nothing else."""

from __future__ import annotations

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.runtime.retention import LogRetention, Retention, Rule, about, rules_of
from tests.unit.runtime.test_take_back import World, world
from tests.unit.runtime.world import NOW_MS, call, message_ids

START_MS = NOW_MS - NOW_MS % DAY_MS


async def days(shop: World, names: str = "abc") -> None:
    """An event of each name on each of ten days, the last of them today."""
    for day in range(10):
        at = START_MS - (9 - day) * DAY_MS + HOUR_MS
        await shop.store(*(call(f"{name}{day}", policy=shop.shop, at=at, event=name) for name in names))


async def left(shop: World) -> list[str]:
    """The messages that the log still has."""
    return message_ids(shop.engine.log())


async def test_what_a_rule_names_goes_when_it_is_older() -> None:
    """By whole days; other names stay, and so does the state."""
    async with world() as shop:
        await days(shop)
        before = await shop.state("user_id:ann")
        assert await LogRetention(shop.engine).run([Rule(None, "a", 3)], NOW_MS) == 6
        assert [each for each in await left(shop) if each[0] == "a"] == ["a6", "a7", "a8", "a9"]
        assert len(await left(shop)) == 24
        assert await shop.state("user_id:ann") == before


async def test_of_several_rules_the_shortest_holds() -> None:
    """A rule for all, and one for a name."""
    async with world() as shop:
        await days(shop)
        rules = [Rule(shop.shop.source, None, 5), Rule(None, "a", 1), Rule(SourceId(99), None, 1), Rule(None, "b", 9)]
        await LogRetention(shop.engine).run(rules, NOW_MS)
        assert [each for each in await left(shop) if each[0] == "a"] == ["a8", "a9"]
        assert [each for each in await left(shop) if each[0] == "b"] == ["b4", "b5", "b6", "b7", "b8", "b9"]


async def test_what_was_looked_at_is_not_read_again() -> None:
    """The next day goes on where the last one ended; a changed rule begins anew."""
    async with world() as shop:
        await days(shop)
        retention, rule = LogRetention(shop.engine), Rule(None, "a", 3)
        assert await retention.run([rule], NOW_MS) == 6
        assert await retention.run([rule], NOW_MS) == 0
        assert await retention.run([rule], NOW_MS + DAY_MS) == 1
        assert await retention.run([rule._replace(keep_days=1)], NOW_MS) == 1


async def test_what_is_not_folded_stays_until_it_is() -> None:
    """However old, and is not forgotten then."""
    async with world() as shop:
        old = [call(f"a{n}", policy=shop.shop, at=START_MS - 9 * DAY_MS, event="a") for n in range(3)]
        await shop.app.ingest.append(old, shop.shop)
        retention = LogRetention(shop.engine)
        assert await retention.run([Rule(None, "a", 1)], NOW_MS) == 0
        await shop.fold()
        await shop.store(call("b", policy=shop.shop))
        assert await retention.run([Rule(None, "a", 1)], NOW_MS) == 3


async def test_a_rule_is_declared_for_a_source_that_is_there() -> None:
    """And named by source and event."""
    async with world() as shop:
        catalog = shop.app.catalog
        await catalog.define_retention("shop/Product/Viewed", Retention(3), "eve")
        await catalog.define_retention("*/*", Retention(9), "eve")
        assert catalog.retention() == [Rule(None, None, 9), Rule(shop.shop.source, "Product/Viewed", 3)]
        for name, code in (("shp/x", Code.NOT_FOUND), ("shop", Code.INVALID), ("/x", Code.INVALID)):
            with pytest.raises(CourtesyError) as refused:
                await catalog.define_retention(name, Retention(3), "eve")
            assert refused.value.code is code
        await catalog.remove_retention("*/*", "eve")
        assert len(catalog.retention()) == 1


def test_a_rule_for_a_source_that_is_gone_says_nothing() -> None:
    """Rather than to name every source."""
    assert rules_of({"gone/*": Retention(1)}, {}) == []
    assert about("a/b/c") == ("a", "b/c")
