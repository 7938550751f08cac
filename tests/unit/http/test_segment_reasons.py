"""Why somebody is in a segment or not, at any instant, and what would change it."""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.base.time import DAY_MS, HOUR_MS, to_iso
from courtesy.runtime.segment_reason import Found, MembershipReason
from tests.unit.http.world import NOW_MS, World, batch, serving

ORDERED = 'did "Order Completed" at least 2 times in the last 30 days where total > 50'


def call(kind: str, number: int, days_ago: float = 0, **more: Any) -> dict[str, Any]:
    """A call of Ann's, some days ago."""
    at = to_iso(NOW_MS - int(days_ago * DAY_MS))
    return {"type": kind, "userId": "ann", "messageId": f"{kind}{number}", "timestamp": at, **more}


def ordered(number: int, days_ago: float, total: float) -> dict[str, Any]:
    """An order of Ann's."""
    return call("track", number, days_ago, event="Order Completed", properties={"total": total})


async def tell(world: World, *calls: dict[str, Any]) -> None:
    """Store calls, which must pass."""
    assert (await world.post("/v1/batch", batch(*calls))).json()["results"] == []


async def define(world: World, name: str, text: str) -> None:
    """Define a segment, which must pass."""
    answer = await world.change("PUT", f"/v1/segments/{name}", {"text": text})
    assert answer.status_code == 200, answer.text


async def why(world: World, name: str, **query: str) -> MembershipReason:
    """What is said of Ann and a segment."""
    answer = await world.get(f"/v1/people/user_id/ann/segments/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=MembershipReason)


async def test_the_events_that_show_it_are_named_with_what_mattered() -> None:
    """Each with its id, when it was, and what was asked of it; one that does not count is not among them."""
    async with serving() as world:
        await tell(world, ordered(1, 20, 60), ordered(2, 10, 70.5), ordered(3, 5, 10), ordered(4, 40, 99))
        await define(world, "Buyers", ORDERED)
        found = await why(world, "Buyers")
        assert (found.is_in, found.text, found.revision) == (True, ORDERED, 1)
        told = [(each.message_id, each.name, each.had) for each in found.reason.events]
        assert told == [("track1", "Order Completed", {"total": 60}), ("track2", "Order Completed", {"total": 70.5})]
        assert found.reason.events[0].at == to_iso(NOW_MS - 20 * DAY_MS)
        assert found.turns is not None
        assert (found.turns.at, found.turns.is_in) == (to_iso(NOW_MS + 10 * DAY_MS), False)


async def test_what_would_let_her_in_is_told_and_true() -> None:
    """As many more events as are missing, with what they would have to be like."""
    async with serving() as world:
        await tell(world, ordered(1, 40, 60))
        await define(world, "Buyers", ORDERED)
        found = await why(world, "Buyers")
        assert found.is_in is False
        assert [each.said for each in found.changes] == ['"Order Completed" where total > 50 2 times more']
        await tell(world, ordered(2, 0, 51), ordered(3, 0, 51))
        assert (await why(world, "Buyers")).is_in is True


async def test_each_part_is_told_on_its_own() -> None:
    """In the form in which they are joined, each with its facts: traits with who told them, choices, other segments."""
    async with serving() as world:
        await tell(
            world,
            call(
                "identify", 1, 3, traits={"country": "Austria", "address": {"city": "Graz"}, "scores": {"churn": 0.9}}
            ),
            call("group", 1, 2, groupId="acme", traits={"industry": "toys"}),
        )
        await define(world, "Alpine", "country is one of Austria, Switzerland")
        text = 'in segment "Alpine" and not score churn > 0.5 and group industry is toys and address.city is present'
        await define(world, "Calm", text)
        found = await why(world, "Calm")
        assert found.is_in is False
        alpine, calm, toys, city = found.reason.parts
        assert [each.holds for each in (alpine, calm, toys, city)] == [True, False, True, True]
        country: Found = alpine.parts[0]
        fact = country.traits[0]
        assert (fact.path, fact.value, fact.source, fact.at) == (
            "country",
            "Austria",
            "shop",
            to_iso(NOW_MS - 3 * DAY_MS),
        )
        assert [(each.path, each.value) for each in calm.parts[0].traits] == [("scores.churn", 0.9)]
        assert [(each.group, each.value) for each in toys.traits] == [("acme", "toys")]
        assert [(each.path, each.value) for each in city.traits] == [("address.city", "Graz")]
        assert {each.said for each in found.changes} == {
            "score churn is taken away",
            'score churn becomes "something else"',
        }


async def test_the_past_is_told_as_of_any_instant() -> None:
    """As it was then by what is known today, and by what was known then."""
    async with serving() as world:
        await define(world, "Buyers", 'did "Order Completed" in the last 7 days')
        await tell(world, call("identify", 1, 30, traits={"plan": "pro"}))
        world.clock.advance(HOUR_MS)
        late = {**ordered(1, 20, 5), "sentAt": to_iso(NOW_MS)}
        await tell(world, late)
        then = to_iso(NOW_MS - 15 * DAY_MS)
        assert (await why(world, "Buyers")).is_in is False
        assert (await why(world, "Buyers", at=then)).is_in is True
        assert (await why(world, "Buyers", at=then, known=to_iso(NOW_MS + 1))).is_in is False
        assert (await why(world, "Buyers", at=then, known=to_iso(NOW_MS + 2 * HOUR_MS))).is_in is True


async def test_what_somebody_allows_is_told_with_the_choices() -> None:
    """And that to allow or to refuse it would change it."""
    async with serving() as world:
        await define(world, "Mail", "allows marketing over email and refused analytics")
        choices = [
            {"action": "grant", "purpose": "marketing", "channel": "email"},
            {"action": "grant", "purpose": "analytics"},
        ]
        calls = {"userId": "ann", "messageId": "c1", "timestamp": to_iso(NOW_MS - HOUR_MS), "choices": choices}
        assert (await world.post("/v1/consent", calls)).json()["results"] == []
        found = await why(world, "Mail")
        mail, analytics = found.reason.parts
        assert (found.is_in, mail.holds, analytics.holds) == (False, True, False)
        assert [(each["action"], each["purpose"]) for each in mail.choices] == [("grant", "marketing")]
        assert [(each["action"], each["purpose"]) for each in analytics.choices] == [("grant", "analytics")]
        assert [each.said for each in found.changes] == ["they refuse analytics"]


async def test_a_segment_for_each_tells_its_values() -> None:
    """Those that she has, which of them she is in for, and the reason for the one that is asked about."""
    async with serving() as world:
        await define(world, "Twice", 'for each item of "Viewed": did "Viewed" at least 2 times where item is that')
        views = [
            call("track", n, 1, event="Viewed", properties={"item": item}) for n, item in enumerate(("A", "a", "b"))
        ]
        await tell(world, *views)
        found = await why(world, "Twice")
        assert [(each.value, each.is_in) for each in found.values] == [("a", True), ("b", False)]
        assert (found.value, found.is_in, found.reason.event_count) == ("a", True, 2)
        other = await why(world, "Twice", for_value="b")
        assert (other.is_in, [each.said for each in other.changes]) == (
            False,
            ['"Viewed" where item is b once more'],
        )
        assert (await why(world, "Twice", for_value="c")).is_in is False


async def test_where_she_ranks_is_found_among_all() -> None:
    """Now and then, also where another segment asks for it."""
    async with serving() as world:
        await define(world, "Top", "in the top 1 by age")
        await define(world, "Also", 'plan is pro and in segment "Top"')
        await tell(world, call("identify", 1, 30, traits={"plan": "pro", "age": 44}))
        assert [(await why(world, name)).is_in for name in ("Top", "Also")] == [True, True]
        await tell(world, {**call("identify", 2, 10, traits={"age": 50}), "userId": "bob"})
        assert [(await why(world, name)).is_in for name in ("Top", "Also")] == [False, False]
        assert (await why(world, "Also", at=to_iso(NOW_MS - 20 * DAY_MS))).is_in is True


async def test_who_or_what_is_not_there_is_said() -> None:
    """A person, a segment, a value of a segment that has none."""
    async with serving() as world:
        await define(world, "Pro", "plan is pro")
        await tell(world, call("identify", 1, 1, traits={"plan": "pro"}))
        for path, status in (
            ("/v1/people/user_id/bob/segments/Pro", 404),
            ("/v1/people/user_id/ann/segments/Prp", 404),
            ("/v1/people/user_id/ann/segments/Pro?for_value=x", 400),
            ("/v1/people/user_id/ann/segments/Pro?at=now", 400),
            ("/v1/people/user_id/ann/segments/Pro?known=2020-01-01", 404),
        ):
            assert (await world.get(path)).status_code == status, path


async def test_it_is_judged_by_the_revision_that_was_in_force() -> None:
    """With what it stands on as it was then; another is chosen by its number, and the answer says which it was."""
    async with serving() as world:
        await tell(world, ordered(1, 1, 60), ordered(2, 1, 60))
        await define(world, "Some", 'did "Order Completed"')
        await define(world, "Buyers", "in segment Some")
        begun = NOW_MS
        world.clock.set(NOW_MS + HOUR_MS)
        await define(world, "Some", 'did not "Order Completed"')
        world.clock.set(NOW_MS + 2 * HOUR_MS)
        await define(world, "Buyers", "not in segment Some")
        for at_ms, revision, is_in in (
            (begun - HOUR_MS, 1, True),
            (begun, 1, True),
            (NOW_MS + HOUR_MS, 1, False),
            (NOW_MS + 2 * HOUR_MS, 2, True),
        ):
            found = await why(world, "Buyers", at=to_iso(at_ms))
            assert (found.revision, found.is_in) == (revision, is_in), at_ms
        first = await why(world, "Buyers", version="1")
        assert (first.revision, first.since, first.is_in) == (1, to_iso(begun), False)
        second = await why(world, "Buyers", version="2", at=to_iso(begun))
        assert (second.revision, second.since, second.is_in) == (2, to_iso(NOW_MS + 2 * HOUR_MS), False)
        missing = await world.get("/v1/people/user_id/ann/segments/Buyers", params={"version": "3"})
        assert missing.status_code == 404
        assert missing.json()["hint"] == "it has 1, 2"
        assert (await world.change("DELETE", "/v1/segments/Buyers", None)).status_code == 200
        assert (await why(world, "Buyers")).revision == 2
