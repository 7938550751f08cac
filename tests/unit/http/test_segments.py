"""Defining segments over HTTP: written as text or as a tree, checked, kept in revisions, never in a circle."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courtesy.http.segments import SegmentHistory, SegmentsView, SegmentView, UsesView, Validation
from courtesy.segment.parsing import parse
from tests.unit.http.world import World, batch, serving, track

BOUGHT = 'did "Order Completed" in the last 30 days'


async def put(world: World, name: str, text: str, **more: Any) -> SegmentView:
    """Define a segment; it must pass."""
    answer = await world.change("PUT", f"/v1/segments/{name}", {"text": text, **more})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=SegmentView)


async def refused(world: World, method: str, path: str, body: Any = None) -> tuple[str, str, str]:
    """Code, message and hint of what is refused."""
    answer = (await world.change(method, path, body)).json()
    return answer["code"], answer["message"], answer.get("hint", "")


async def validate(world: World, **given: Any) -> Validation:
    """What a draft is found to be."""
    answer = await world.change("POST", "/v1/segments/validate", given)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Validation)


async def test_a_segment_is_written_as_text_or_as_a_tree() -> None:
    """Either is given back as both, and the tree is what counts."""
    async with serving() as world:
        text = 'did  "Order Completed"   in the last 30 days'
        by_text = await put(world, "Buyers", text, said="for the newsletter")
        assert (by_text.text, by_text.normal, by_text.said) == (text, BOUGHT, "for the newsletter")
        tree = msgspec.to_builtins(by_text.segment)
        answer = await world.change("PUT", "/v1/segments/Same", {"segment": tree})
        by_tree = msgspec.json.decode(answer.content, type=SegmentView)
        assert (by_tree.text, by_tree.segment) == (BOUGHT, by_text.segment)
        assert by_tree.stage is not None
        assert (by_tree.stage.stage, by_tree.stage.since) == ("building", None)
        listed = msgspec.json.decode((await world.get("/v1/segments")).content, type=SegmentsView)
        assert [each.name for each in listed.segments] == ["Buyers", "Same"]
        assert [each.name for each in world.app.catalog.now.segments_in_force] == ["Buyers", "Same"]


async def test_every_change_is_a_revision_and_no_change_is_none() -> None:
    """With what it was and who made it, also after it was removed."""
    async with serving() as world:
        await put(world, "Buyers", BOUGHT)
        await put(world, "Buyers", BOUGHT)
        await put(world, "Buyers", "plan is pro")
        assert (await world.change("DELETE", "/v1/segments/Buyers")).status_code == 200
        answer = await world.get("/v1/segments/Buyers/history")
        history = msgspec.json.decode(answer.content, type=SegmentHistory)
        told = [(each.revision, each.text, each.changed_by) for each in history.revisions]
        assert told == [(1, BOUGHT, "admin"), (2, "plan is pro", "admin"), (3, None, "admin")]
        assert (await world.get("/v1/segments/Buyers")).status_code == 404


async def test_a_mistake_is_told_with_its_place() -> None:
    """Where it is put it is refused, and nothing is kept; where it is validated it is the answer."""
    async with serving() as world:
        text = 'plan is pro\nand did "Bought" in the last 3 dayz'
        found = await validate(world, text=text)
        assert found.mistake is not None
        assert found.mistake.place == "line 2, column 32"
        assert "did you mean" in found.mistake.hint
        assert not found.valid
        code, message, hint = await refused(world, "PUT", "/v1/segments/A", {"text": text})
        assert (code, message, hint) == ("invalid", found.mistake.message, found.mistake.hint)
        assert (await world.get("/v1/segments")).json() == {"segments": []}


@pytest.mark.parametrize(
    "body", [{}, {"text": "plan is pro", "segment": {"version": 1, "expression": {"type": "segment", "name": "x"}}}]
)
async def test_one_form_is_expected_and_not_both(body: dict[str, Any]) -> None:
    """Else nobody would know which one counts."""
    async with serving() as world:
        code, message, _ = await refused(world, "PUT", "/v1/segments/A", body)
        assert (code, message.partition(",")[0]) == ("invalid", "expected `text` or `segment`")


async def test_misspelt_names_are_remarked_on_with_what_really_came() -> None:
    """Of events, properties, traits and their values, of anything that came in; with the place. What came is fine."""
    async with serving() as world:
        items = [{"sku": "A-1"}]
        ordered: dict[str, Any] = {
            "event": "Order Completed",
            "properties": {"total": 5, "colour": "red", "items": items},
        }
        traits = {"country": "Germany", "address": {"city": "Bonn"}, "scores": {"churn": 0.5}}
        calls = (
            track("m1", **ordered, context={"device": {"type": "mobile"}}),
            {"type": "identify", "userId": "ann", "traits": traits},
            {"type": "group", "userId": "ann", "groupId": "acme", "traits": {"industry": "toys"}},
            {"type": "page", "userId": "ann", "name": "Home", "properties": {"path": "/"}},
        )
        await world.post("/v1/batch", batch(*calls))
        good = (
            'did "Order Completed" where (total > 3 and any of items has (sku is A-1)) and country is germany'
            ' and score churn > 0.2 and group industry is toys and did "Page Viewed" where (path is "/" and'
            " context device.type is mobile and source party is first) and allows marketing over email"
        )
        assert (await validate(world, text=good)).remarks == []
        bad = 'did "Order complete" and did "Order Completed" where totl > 3 and contry is x and country is "Germny"'
        found = await validate(world, text=bad)
        assert found.valid
        assert [(each.hint, bad[each.start : each.end]) for each in found.remarks] == [
            ("did you mean 'Order Completed'?", '"Order complete"'),
            ("did you mean 'total'?", "totl"),
            ("did you mean 'country'?", "contry"),
            ("did you mean 'Germany'?", '"Germny"'),
        ]
        other = await validate(
            world, text='group industri is x and score chrn > 1 and in segment "Gone" and allows marketin'
        )
        hints = ["did you mean 'industry'?", "did you mean 'churn'?", "", "did you mean 'marketing'?"]
        assert [each.hint for each in other.remarks] == hints
        places = [(each.kind, each.name, each.place) for each in other.mentions]
        assert places[0] == ("group", "industri", "line 1, column 7")


async def test_a_tree_is_validated_with_places_in_its_text() -> None:
    """For whoever draws it."""
    async with serving() as world:
        tree = msgspec.to_builtins(parse('did "Bougt"').segment)
        await world.post("/v1/batch", batch(track("m1")))
        found = await validate(world, segment=tree)
        assert (found.text, [each.hint for each in found.remarks]) == ('did "Bougt"', ["did you mean 'Bought'?"])
        wrong = {"version": 1, "expression": {"type": "rank", "by": "age"}}
        mistake = (await validate(world, segment=wrong)).mistake
        assert mistake is not None
        assert mistake.message == "expected either `share` or `count` of a rank"


async def test_circles_and_what_is_not_there_are_refused_by_name() -> None:
    """Also a circle through others, and one that somebody archived or made one for each value."""
    async with serving() as world:
        assert await refused(world, "PUT", "/v1/segments/A", {"text": 'in segment "A"'}) == (
            "invalid",
            "a segment can't stand on itself: 'A' stands on 'A'",
            "",
        )
        await put(world, "Buyers", BOUGHT)
        await put(world, "B", 'in segment "Buyers"')
        await put(world, "C", 'not in segment "B"')
        code, message, _ = await refused(world, "PUT", "/v1/segments/Buyers", {"text": 'in segment "C"'})
        told = "a segment can't stand on itself: 'Buyers' stands on 'C' stands on 'B' stands on 'Buyers'"
        assert (code, message) == ("invalid", told)
        gone = await refused(world, "PUT", "/v1/segments/D", {"text": 'in segment "Buyer"'})
        assert gone == ("invalid", "there is no segment 'Buyer'", "did you mean 'Buyers'?")
        await put(world, "Each", 'for each product of "Viewed": did "Viewed" where product is that')
        assert (await refused(world, "PUT", "/v1/segments/D", {"text": 'in segment "Each"'}))[0] == "invalid"
        each = {"text": "for each plan: plan is that"}
        assert (await refused(world, "PUT", "/v1/segments/B", each))[0] == "conflict"
        assert (await refused(world, "PUT", "/v1/segments/preview", {"text": BOUGHT}))[0] == "method_not_allowed"


async def test_what_others_stand_on_can_not_be_removed_or_archived() -> None:
    """They are named; once they are gone, or archived themselves, it can be archived, and restored in order."""
    async with serving() as world:
        await put(world, "Buyers", BOUGHT)
        await put(world, "B", 'in segment "Buyers"')
        uses = msgspec.json.decode((await world.get("/v1/segments/Buyers/uses")).content, type=UsesView)
        assert [(each.kind, each.name) for each in uses.uses] == [("segment", "B")]
        code, message, _ = await refused(world, "DELETE", "/v1/segments/Buyers")
        assert (code, "segment 'B'" in message) == ("conflict", True)
        assert (await refused(world, "POST", "/v1/segments/Buyers/archive"))[0] == "conflict"
        for name in ("B", "Buyers"):
            answer = await world.change("POST", f"/v1/segments/{name}/archive")
            assert (answer.json()["archived"], answer.json()["stage"]) == (True, None)
        assert len(world.app.catalog.now.segments_in_force) == 0
        assert (await world.get("/v1/segments")).json() == {"segments": []}
        assert len((await world.get("/v1/segments?archived=true")).json()["segments"]) == 2
        assert (await refused(world, "POST", "/v1/segments/B/restore"))[0] == "invalid"
        assert (await refused(world, "DELETE", "/v1/segments/Buyers"))[0] == "conflict"
        for name in ("Buyers", "B"):
            assert (await world.change("POST", f"/v1/segments/{name}/restore")).json()["archived"] is False
        assert [each.name for each in world.app.catalog.now.segments_in_force] == ["Buyers", "B"]


async def test_who_may_read_may_not_define() -> None:
    """A key that reads validates and lists, and changes nothing."""
    async with serving() as world:
        answer = await world.change("PUT", "/v1/segments/A", {"text": BOUGHT}, key=world.read)
        assert answer.status_code == 403
        answer = await world.change("POST", "/v1/segments/validate", {"text": BOUGHT}, key=world.read)
        assert answer.json()["valid"] is True
