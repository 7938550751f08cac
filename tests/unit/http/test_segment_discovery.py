"""Discovery over HTTP: what was planted among people is proposed, in words, and whoever asks amiss is told."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from courtesy.base.time import DAY_MS, to_iso
from courtesy.http.segment_discovery import LookalikesView, ProposalsView
from courtesy.segment.parsing import parse
from tests.unit.http.world import NOW_MS, World, batch, serving

OUTCOME = 'did "Order Completed"'


async def _fill(world: World, people: int = 600) -> None:
    """Who viewed shoes and is from AT buys in the last ten days much more often; half of those are on a list."""
    chance = Random(4)
    calls: list[dict[str, Any]] = []

    def call(person: int, days_ago: float, **more: Any) -> None:
        at = to_iso(NOW_MS - int(days_ago * DAY_MS))
        calls.append({"userId": f"u{person}", "messageId": f"m{len(calls)}", "timestamp": at, **more})

    for person in range(people):
        country, shoes = chance.choice(["AT", "DE"]), chance.random() < 0.5
        alike = country == "AT" and shoes
        lists = {"VIP": True} if alike and chance.random() < 0.5 else {}
        call(person, 60, type="identify", traits={"country": country, "lists": lists})
        if shoes:
            call(person, 20 + chance.random(), type="track", event="Shoes Viewed")
        if chance.random() < (0.6 if alike else 0.1):
            call(person, 5 + chance.random(), type="track", event="Order Completed", properties={"total": 20})
    for start in range(0, len(calls), 500):
        answer = await world.post("/v1/batch", batch(*calls[start : start + 500]))
        assert answer.status_code == 200, answer.text


async def _refused(world: World, path: str, body: Any) -> tuple[str, str, str]:
    answer = (await world.change("POST", path, body)).json()
    return answer["code"], answer["message"], answer.get("place", "")


async def test_what_was_planted_is_proposed() -> None:
    """The first proposal has both conditions, reads as a sentence, and can be put as a segment as it is."""
    async with serving() as world:
        await _fill(world)
        body = {"outcome": OUTCOME, "window_days": 10, "least_people": 30}
        answer = await world.change("POST", "/v1/segments/discover", body, key=world.read)
        found = msgspec.json.decode(answer.content, type=ProposalsView)
        assert (found.cutoff, found.of_people, found.all.people) == (to_iso(NOW_MS - 10 * DAY_MS), 600, 600)
        first = found.proposals[0]
        assert first.text == 'country is AT and did "Shoes Viewed"'
        assert parse(first.text).segment == first.segment
        assert first.sentence.startswith('people whose country is AT and who did "Shoes Viewed": ')
        assert f"{OUTCOME} in the 10 days after" in first.sentence
        assert first.held_out.low < 0.6 < first.held_out.high
        put = await world.change("PUT", "/v1/segments/Found", {"text": first.text})
        assert put.status_code == 200


async def test_look_alikes_of_a_segment_are_named() -> None:
    """Those who are like the members of the list that a segment stands on, and are none."""
    async with serving() as world:
        await _fill(world)
        await world.change("PUT", "/v1/segments/VIP", {"text": "lists.VIP is true"})
        body = {"like": 'in segment "VIP"', "least_people": 30, "nearest": 20}
        answer = await world.change("POST", "/v1/segments/lookalikes", body, key=world.read)
        found = msgspec.json.decode(answer.content, type=LookalikesView)
        assert len(found.nearest) == 20
        assert found.tells_members_low > 0.7
        assert not any("VIP" in each.text for each in found.proposals)
        for each in found.nearest:
            told = (await world.get(f"/v1/people/person/{each.person}")).json()
            assert told["traits"]["country"] == "AT"
            assert told["events"].get("Shoes Viewed")
            assert not told["traits"]["lists"]


async def test_the_same_question_has_the_same_answer() -> None:
    """Nothing is left to chance but by the seed."""
    async with serving() as world:
        await _fill(world, 300)
        body = {"outcome": OUTCOME, "window_days": 10, "least_people": 20, "seed": 3}
        answers = [(await world.change("POST", "/v1/segments/discover", body)).json() for _ in range(2)]
        assert answers[0] == answers[1]


async def test_nothing_is_proposed_where_there_is_nobody() -> None:
    """An empty store has no people, and no proposals."""
    async with serving() as world:
        found = (await world.change("POST", "/v1/segments/discover", {"outcome": OUTCOME})).json()
        assert (found["all"]["people"], found["proposals"]) == (0, [])
        found = (await world.change("POST", "/v1/segments/lookalikes", {"like": "plan is Pro"})).json()
        assert (found["all"]["people"], found["nearest"]) == (0, [])


async def test_whoever_asks_amiss_is_told_where() -> None:
    """Text that can't be read, segments that are not there, values, and days that are not over."""
    async with serving() as world:
        path = "/v1/segments/discover"
        code, message, place = await _refused(world, path, {"outcome": "did Order Completed at"})
        assert (code, place.startswith("outcome")) == ("invalid", True), message
        code, message, place = await _refused(world, path, {"outcome": 'in segment "Nobody"'})
        assert (message, place) == ("there is no segment 'Nobody'", "outcome")
        code, message, place = await _refused(world, path, {"outcome": OUTCOME, "among": "for each plan: plan is that"})
        assert (message, place) == ("expected one segment, got one for each value", "among")
        late = {"outcome": OUTCOME, "window_days": 10, "cutoff": to_iso(NOW_MS - 9 * DAY_MS)}
        code, message, place = await _refused(world, path, late)
        assert (message, place) == (
            "expected a cut-off 10 days ago or earlier, so that it is known what came",
            "cutoff",
        )
        code, message, place = await _refused(world, path, {"outcome": OUTCOME, "cutoff": "soon"})
        assert (code, place) == ("invalid", "cutoff")
        code, message, place = await _refused(world, path, {"outcome": OUTCOME, "depth": 4})
        assert (code, place) == ("invalid", "depth")
        ahead = {"like": "plan is Pro", "cutoff": to_iso(NOW_MS + 1)}
        code, message, place = await _refused(world, "/v1/segments/lookalikes", ahead)
        assert (message, place) == ("expected a cut-off now or earlier, so that it is known what came", "cutoff")
