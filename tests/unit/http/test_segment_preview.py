"""How many a segment would have, before it is defined."""

from __future__ import annotations

import msgspec

from courtesy.http.segment_members import PreviewView
from tests.unit.http.world import World, batch, serving, track


async def preview(world: World, text: str) -> PreviewView:
    """What a text would have."""
    answer = await world.change("POST", "/v1/segments/preview", {"text": text})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=PreviewView)


async def test_a_preview_counts_what_was_acknowledged() -> None:
    """With some of the people, and how they are known; nothing is kept of it."""
    async with serving() as world:
        await world.post("/v1/batch", batch(*(track(f"m{n}", user=f"u{n % 3}") for n in range(5))))
        found = await preview(world, 'did "Bought" at least 2 times')
        assert (found.people, found.one_of, found.values) == (2, 1, [])
        assert sorted(each.identifiers[0].value for each in found.sample) == ["u0", "u1"]
        await world.change("PUT", "/v1/segments/Twice", {"text": 'did "Bought" at least 2 times'})
        assert (await preview(world, 'did "Bought" and not in segment "Twice"')).people == 1
        assert len((await world.get("/v1/segments")).json()["segments"]) == 1


async def test_a_preview_for_each_counts_by_value() -> None:
    """Those of most people first."""
    async with serving() as world:
        told = [("u1", "Tea"), ("u2", "tea"), ("u2", "Cups")]
        calls = [track(f"m{n}", user=user, properties={"item": item}) for n, (user, item) in enumerate(told)]
        await world.post("/v1/batch", batch(*calls))
        found = await preview(world, 'for each item of "Bought": did "Bought" where item is that')
        assert [(each.value, each.people) for each in found.values] == [("tea", 2), ("cups", 1)]
        assert (found.people, found.value_count) == (2, 2)


async def test_what_makes_no_sense_is_refused() -> None:
    """A mistake, with its place; a segment that is not there."""
    async with serving() as world:
        for text in ("plan is", 'in segment "Gone"'):
            answer = await world.change("POST", "/v1/segments/preview", {"text": text})
            assert answer.json()["code"] == "invalid"
