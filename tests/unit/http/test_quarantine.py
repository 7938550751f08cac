"""Mending over HTTP: groups of what is wrong, fixes tried out, replay that stores once, discarding, saved fixes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from courtesy.base.time import DAY_MS, HOUR_MS, to_iso
from courtesy.event.cause import Cause
from tests.unit.http.world import NOW_MS, World, batch, serving, track

RENAME = [{"do": "rename", "from": "name", "to": "event"}]


def nameless(message_id: str, **more: Any) -> dict[str, Any]:
    """A track call that has its event's name in the wrong field."""
    return {"type": "track", "name": "Bought", "userId": "ann", "messageId": message_id, **more}


async def groups(world: World, query: str = "") -> list[dict[str, Any]]:
    """What is held."""
    found: list[dict[str, Any]] = (await world.get(f"/v1/quarantine/groups{query}")).json()["groups"]
    return found


async def ask(world: World, what: str, **body: Any) -> dict[str, Any]:
    """Preview, replay or discard."""
    response = await world.change("POST", f"/v1/quarantine/{what}", body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def only_group(world: World) -> str:
    """The one group that there is."""
    (group,) = await groups(world)
    return str(group["group"])


async def events_of(world: World, user: str = "ann") -> list[dict[str, Any]]:
    """A person's events, newest first."""
    found: list[dict[str, Any]] = (await world.get(f"/v1/people/user_id/{user}/events")).json()["events"]
    return found


async def test_groups_say_what_is_wrong_in_plain_words() -> None:
    """By source, cause and what is wrong: how many, since when, what it means, and what to do."""
    async with serving() as world:
        await world.post("/v1/batch", batch(nameless("a"), track("b", timestamp="22/11/2025 10:00"), {"type": "x"}))
        world.clock.advance(HOUR_MS)
        await world.post("/v1/batch", batch(nameless("c"), track("d", timestamp="21/11/2025 09:30")))
        found = await groups(world)
        assert [(each["cause"], each["signature"], each["events"]) for each in found] == [
            ("time_unreadable", "$.timestamp '00/00/0000 00:00'", 2),
            ("name_missing", "expected an event name at $.event", 2),
            ("unknown_type", found[2]["signature"], 1),
        ]
        assert (found[1]["first"], found[1]["last"]) == (to_iso(NOW_MS), to_iso(NOW_MS + HOUR_MS))
        assert found[1]["source"] == "shop"
        assert "rename it to `event`" in found[1]["remedy"]
        assert [each["cause"] for each in await groups(world, "?cause=unknown_type")] == ["unknown_type"]
        assert await groups(world, "?cause=too_large") == []
        assert (await world.get("/v1/quarantine/groups?source=shap")).json()["hint"] == "did you mean 'shop'?"


async def test_a_group_has_examples_and_a_fix_that_helps() -> None:
    """The event's name is found where it is, and the proposal is tried out on what is held."""
    async with serving() as world:
        await world.post("/v1/batch", batch(*(nameless(f"m{n}") for n in range(7))))
        detail = (await world.get(f"/v1/quarantine/groups/{await only_group(world)}")).json()
        assert [json.loads(each["raw"])["messageId"] for each in detail["examples"]] == ["m6", "m5", "m4", "m3", "m2"]
        best = detail["proposals"][0]
        assert (best["fix"], best["words"]) == (RENAME, ["rename name to event"])
        assert (best["mends"], best["tried"]) == (7, 7)
        assert (await world.get("/v1/quarantine/groups/nothing")).status_code == 404


async def test_a_preview_says_what_a_replay_would_do_and_changes_nothing() -> None:
    """Before and after, what would be stored, what would be a duplicate, and what stays and why."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track("known")))
        held = batch(nameless("a"), nameless("known"), nameless("b", name=None), nameless("c", timestamp="soon"))
        await world.post("/v1/batch", held)
        before = await world.fates()
        answer = await ask(world, "preview", group=await only_group(world), fix=RENAME)
        assert answer["totals"] == {
            "looked_at": 4,
            "stored": 1,
            "duplicate": 1,
            "suppressed": 0,
            "unmended": 0,
            "gone": 0,
            "left": {"time_unreadable": 1, "name_missing": 1},
        }
        assert answer["words"] == ["rename name to event"]
        stored = next(each for each in answer["examples"] if each["fate"] == "stored")
        assert (json.loads(stored["before"])["name"], json.loads(stored["after"])["event"]) == ("Bought", "Bought")
        assert await world.fates() == before
        assert len(await world.quarantined()) == 4


async def test_a_replay_stores_each_event_once_and_the_counts_move_with_it() -> None:
    """As of the hour and the instant at which it came; a second replay finds nothing to do."""
    async with serving() as world:
        await world.post("/v1/batch", batch(nameless("a"), nameless("b"), nameless("c", timestamp="soon")))
        world.clock.advance(9 * DAY_MS)
        await world.app.engine.forget_keys(NOW_MS + 8 * DAY_MS)
        group = await only_group(world)
        answer = await ask(world, "replay", group=group, fix=RENAME)
        assert (answer["totals"]["stored"], answer["totals"]["left"]) == (2, {"time_unreadable": 1})
        assert answer["next_before"] is None
        assert await world.fates() == {"received": 3, "stored": 2, "quarantined": 1}
        counts = await world.app.engine.counts(0, 2**60)
        assert {each.hour_ms for each in counts} == {NOW_MS - NOW_MS % HOUR_MS}
        assert {each["at"] for each in await events_of(world)} == {to_iso(NOW_MS)}
        assert (await world.change("POST", "/v1/quarantine/replay", {"group": group, "fix": RENAME})).status_code == 404
        assert len(await events_of(world)) == 2


async def test_what_is_wrong_in_another_way_stays_mended_so_far() -> None:
    """It moves to the group of its new cause, under its number, and the next fix goes on from there."""
    async with serving() as world:
        await world.post("/v1/batch", batch(nameless("a", timestamp="22.11.2025 03:00")))
        await ask(world, "replay", group=await only_group(world), fix=RENAME)
        detail = (await world.get(f"/v1/quarantine/groups/{await only_group(world)}")).json()
        assert detail["group"]["cause"] == "time_unreadable"
        (example,) = detail["examples"]
        assert (example["number"], "name" in json.loads(example["raw"])) == (1, True)
        assert json.loads(example["mended"])["event"] == "Bought"
        best = detail["proposals"][0]
        assert best["words"] == ["read timestamp as a date in the form %d.%m.%Y %H:%M"]
        await ask(world, "replay", group=detail["group"]["group"], fix=best["fix"])
        assert await world.fates() == {"received": 1, "stored": 1}
        assert [each["at"] for each in await events_of(world)] == ["2025-11-22T03:00:00.000Z"]


async def test_a_fix_that_helps_nothing_leaves_everything_as_it_was() -> None:
    """Nobody is worse off for having tried."""
    async with serving() as world:
        await world.post("/v1/batch", batch(nameless("a")))
        held = await world.app.engine.quarantined(None, None, None, 10)
        fix = [{"do": "drop", "path": "properties"}, {"do": "default", "path": "context.app", "value": 1}]
        answer = await ask(world, "replay", group=await only_group(world), fix=fix)
        assert answer["totals"]["left"] == {"name_missing": 1}
        impossible = [{"do": "cast", "path": "userId", "to": "number"}]
        answer = await ask(world, "replay", group=await only_group(world), fix=impossible)
        assert (answer["totals"]["unmended"], answer["totals"]["left"]) == (1, {"name_missing": 1})
        assert await world.app.engine.quarantined(None, None, None, 10) == held


@pytest.mark.parametrize("live", [False, True])
async def test_a_replay_starts_no_actions_unless_asked(live: bool) -> None:
    """People and segments change; what somebody is told of it is decided by who replays."""
    async with serving() as world:
        await world.post("/v1/batch", batch(nameless("a")))
        await world.post("/v1/batch?live=false", batch(nameless("history")))
        await ask(world, "replay", group=await only_group(world), fix=RENAME, live=live)
        lives = {each["message_id"]: each["live"] for each in await events_of(world)}
        assert lives == {"a": live, "history": False}


async def test_what_came_beside_an_item_counts_when_it_is_judged_again() -> None:
    """The type that the path said, the sentAt, the context and the wishes of the batch."""
    async with serving() as world:
        await world.post("/v1/track", {"name": "Bought", "userId": "ann", "messageId": "a"})
        around = {
            "context": {"app": "till", "traits": {"email": "ann@shop.example"}},
            "sentAt": to_iso(NOW_MS + 60_000),
        }
        item = {"type": "track", "name": "Bought", "messageId": "b", "timestamp": to_iso(NOW_MS + 60_000 - 5_000)}
        await world.post("/v1/batch", batch(item, **around))
        wish = {"integrations": {"Courtesy": False}}
        await world.post("/v1/batch", batch(nameless("kept out"), **wish))
        await ask(world, "replay", group=await only_group(world), fix=RENAME)
        assert await world.fates() == {"received": 3, "stored": 2, "suppressed": 1}
        (at,) = [each["at"] for each in (await world.get("/v1/people/email/ann@shop.example/events")).json()["events"]]
        assert at == to_iso(NOW_MS - 5_000)


async def test_an_item_that_names_nobody_keeps_what_came_beside_it() -> None:
    """It is rejected later than the others, when identities are looked at."""
    async with serving() as world:
        item = {"event": "Bought", "properties": {"customer_id": "ann"}, "context": {"app": "web"}}
        await world.post("/v1/track", {**item, "sentAt": to_iso(NOW_MS)})
        await world.post("/v1/batch", batch({"type": "track", **item}, context={"page": "home"}))
        detail = (await world.get(f"/v1/quarantine/groups/{await only_group(world)}")).json()
        assert detail["proposals"][0]["words"] == ["rename properties.customer_id to userId"]
        await ask(world, "replay", group=await only_group(world), fix=detail["proposals"][0]["fix"])
        contexts = [each["context"] for each in await events_of(world)]
        assert sorted(contexts, key=str) == [{"app": "web"}, {"page": "home", "app": "web"}]


async def test_an_item_without_an_id_is_stored_once_though_it_was_held_twice() -> None:
    """What tells its time is known by its bytes as they came; what does not is two events."""
    async with serving() as world:
        timed = {"type": "track", "name": "Bought", "userId": "ann", "timestamp": to_iso(NOW_MS)}
        untimed = {"type": "track", "name": "Bought", "userId": "ann"}
        for _ in range(2):
            await world.post("/v1/batch", batch(timed, untimed))
        answer = await ask(world, "replay", group=await only_group(world), fix=RENAME)
        assert (answer["totals"]["stored"], answer["totals"]["duplicate"]) == (3, 1)


async def test_replays_at_once_store_nothing_twice() -> None:
    """However many press the button."""
    async with serving() as world:
        await world.post("/v1/batch", batch(*(nameless(f"m{n}") for n in range(50))))
        group = await only_group(world)
        answers = await asyncio.gather(*(ask(world, "replay", group=group, fix=RENAME) for _ in range(4)))
        assert sum(each["totals"]["stored"] for each in answers) == 50
        assert all(each["totals"]["stored"] + each["totals"]["gone"] == 50 for each in answers)
        assert await world.fates() == {"received": 50, "stored": 50}


async def test_some_are_replayed_by_number_and_a_replay_goes_on_where_it_stopped() -> None:
    """A few to try it, then the rest in parts."""
    async with serving() as world:
        await world.post("/v1/batch", batch(*(nameless(f"m{n}") for n in range(7))))
        group = await only_group(world)
        assert (await ask(world, "replay", numbers=[2, 4, 99], fix=RENAME))["totals"]["stored"] == 2
        first = await ask(world, "replay", group=group, fix=RENAME, limit=3)
        assert (first["totals"]["stored"], first["next_before"]) == (3, 5)
        rest = await ask(world, "replay", group=group, fix=RENAME, limit=2, before=first["next_before"])
        assert (rest["totals"]["stored"], rest["next_before"]) == (2, 1)
        end = await ask(world, "replay", group=group, fix=RENAME, limit=2, before=rest["next_before"])
        assert (end["totals"]["looked_at"], end["next_before"]) == (0, None)
        assert len({each["message_id"] for each in await events_of(world)}) == 7


async def test_what_is_discarded_counts_as_suppressed() -> None:
    """It is gone, with a cause of its own, and everything still adds up."""
    async with serving() as world:
        await world.post("/v1/batch", batch(nameless("a"), {"type": "x"}))
        group = next(each["group"] for each in await groups(world) if each["cause"] == "unknown_type")
        answer = await ask(world, "discard", group=group, reason="a test of the tag manager")
        assert answer["totals"]["suppressed"] == 1
        counts = (await world.get("/v1/counts")).json()
        assert counts["balanced"]
        assert counts["counts"][0]["causes"] == {"discarded": 1, "name_missing": 1}
        assert [cause for cause, _ in await world.quarantined()] == [Cause.NAME_MISSING]
        await ask(world, "discard", numbers=[1], reason="nor this")
        assert await world.fates() == {"received": 2, "suppressed": 2}


async def test_fixes_are_saved_and_used_by_name() -> None:
    """What helped once helps when the sender does it again."""
    async with serving() as world:
        await world.post("/v1/batch", batch(nameless("a")))
        saved = await world.change("PUT", "/v1/fixes/names%20of%20the%20till", {"fix": RENAME, "said": "old tills"})
        assert saved.json()["words"] == ["rename name to event"]
        assert [each["name"] for each in (await world.get("/v1/fixes")).json()["fixes"]] == ["names of the till"]
        await ask(world, "replay", group=await only_group(world), fix_name="names of the till")
        assert await world.fates() == {"received": 1, "stored": 1}
        assert (await world.change("DELETE", "/v1/fixes/names%20of%20the%20till")).status_code == 200
        assert (await world.get("/v1/fixes")).json() == {"fixes": []}
        gone = await world.change("POST", "/v1/quarantine/replay", {"numbers": [1], "fix_name": "names"})
        assert gone.status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({"fix": RENAME}, 400, "group"),
        ({"group": "a", "numbers": [1]}, 400, "group"),
        ({"numbers": [1], "fix": [{"do": "drop", "path": "a..b"}]}, 400, "fix[0]"),
        ({"numbers": [1], "fix": [*RENAME, {"do": "rename", "from": "a", "to": "a"}]}, 400, "fix[1]"),
        ({"numbers": [1], "fix": [{"do": "cast", "path": "a", "to": "date", "timezone": "Mars"}]}, 400, "fix[0]"),
        ({"numbers": [1], "fix": [{"do": "explode", "path": "a"}]}, 400, "fix[0].do"),
        ({"numbers": [1], "fix": RENAME, "fix_name": "x"}, 400, "fix"),
        ({"numbers": []}, 400, "numbers"),
        ({"group": "0123abcd"}, 404, ""),
    ],
)
async def test_what_cannot_be_done_is_refused_with_its_place(body: dict[str, Any], status: int, place: str) -> None:
    """Before anything is changed."""
    async with serving() as world:
        for what in ("preview", "replay"):
            response = await world.change("POST", f"/v1/quarantine/{what}", body)
            assert (response.status_code, response.json()["place"]) == (status, place), response.text


async def test_nothing_is_replayed_into_a_source_that_is_paused_or_gone() -> None:
    """What a paused source sends is dropped, and a replay must not lose what waits; it can be discarded."""
    async with serving() as world:
        await world.post("/v1/batch", batch(nameless("a")))
        group = await only_group(world)
        await world.change("PUT", "/v1/sources/shop", {"paused": True})
        refused = await world.change("POST", "/v1/quarantine/replay", {"group": group, "fix": RENAME})
        assert (refused.status_code, refused.json()["message"]) == (409, "the source 'shop' is paused")
        assert (await world.get(f"/v1/quarantine/groups/{group}")).json()["proposals"] == []
        await world.change("DELETE", "/v1/keys/write")
        await world.change("DELETE", "/v1/sources/shop")
        refused = await world.change("POST", "/v1/quarantine/preview", {"group": group, "fix": RENAME})
        assert (refused.status_code, refused.json()["hint"]) == (409, "discard what is held of it")
        assert (await ask(world, "discard", group=group, reason="closed"))["totals"]["suppressed"] == 1


@pytest.mark.parametrize("path", ["groups", "preview", "replay", "discard"])
async def test_only_admins_mend(path: str) -> None:
    """Whoever may write or read events may not change what was sent."""
    async with serving() as world:
        method = "GET" if path == "groups" else "POST"
        for key in (world.read, world.write, "none"):
            response = await world.change(method, f"/v1/quarantine/{path}", {"reason": "x"}, key)
            assert response.status_code in (401, 403)
