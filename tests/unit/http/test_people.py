"""Reading people: by any identifier in any script, as of a position, with errors that help."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.http.people import EventsView, EventView, PersonView, WhyView
from tests.unit.http.world import World, batch, serving, track

ODD = [
    "a/b",
    "a//b",
    "/",
    "//x/",
    "a+b",
    "a b",
    "ä€𝄞",
    "a%2Fb",
    "100%",
    "?x=1#y",
    "x/events",
    "why",
    ".",
    "..",
    "a:b",
    "~",
]


async def store(world: World, *calls: Any) -> str:
    """Store calls that must pass; the position."""
    answer = (await world.post("/v1/batch", batch(*calls))).json()
    assert answer["results"] == []
    return str(answer["position"])


@pytest.mark.parametrize("value", ODD)
async def test_an_identifier_may_hold_anything(value: str) -> None:
    """Percent-encoded it is found, with its events and its evidence, and as a group's id."""
    async with serving() as world:
        value = f"{value}é7"
        await store(world, track(user=value), {"type": "group", "groupId": value, "userId": value})
        path = f"/v1/people/user_id/{quote(value, safe='')}"
        person = await world.get(path)
        assert person.status_code == 200, person.text
        assert [(each["kind"], each["value"]) for each in person.json()["identifiers"]] == [("user_id", value)]
        assert len((await world.get(f"{path}/events")).json()["events"]) == 2
        assert (await world.get(f"{path}/why")).json()["person"] == person.json()["person"]
        group = await world.get(f"/v1/groups/{quote(value, safe='')}")
        assert group.json()["members"] == [f"user_id:{value}"]


async def test_slashes_may_stand_unescaped_where_nothing_else_is_meant() -> None:
    """As people type them; with `/events` at the end it is the events that are meant."""
    async with serving() as world:
        await store(world, track("a", "a/b"), track("b", "a/events"))
        assert (await world.get("/v1/people/user_id/a/b")).json()["identifiers"][0]["value"] == "a/b"
        assert (await world.get("/v1/people/user_id/a/b/events")).json()["events"][0]["message_id"] == "a"
        assert (await world.get("/v1/people/user_id/a%2Fevents")).json()["identifiers"][0]["value"] == "a/events"
        assert (await world.get("/v1/people/user_id/a/b/")).status_code == 200


@pytest.mark.parametrize("path", ["%ff", "%ED%A0%80", "a%00b"])
async def test_what_is_no_text_is_told(path: str) -> None:
    """400, not a stack trace."""
    async with serving() as world:
        for whole in (f"user_id/{path}", f"{path}/ann", f"user_id/{path}/events", f"user_id/{path}/why"):
            response = await world.get(f"/v1/people/{whole}")
            assert (response.status_code, response.json()["code"]) == (400, "invalid")


@settings(max_examples=20)
@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
async def test_no_identifier_fails_worse_than_not_found(kind: str, value: str) -> None:
    """Whatever is asked for."""
    async with serving() as world:
        path = f"/v1/people/{quote(kind, safe='')}/{quote(value, safe='')}"
        for suffix in ("", "/events", "/why", f"/why?kind={quote(value)}&value={quote(kind)}"):
            assert (await world.get(path + suffix)).status_code in (400, 404)


async def test_nobody_is_not_found() -> None:
    """With the way to say it right."""
    async with serving() as world:
        missing = await world.get("/v1/people/user_id/eve")
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert (await world.get("/v1/groups/none-such")).status_code == 404
        assert (await world.get("/v1/people/person/999")).status_code == 404
        assert (await world.get("/v1/people/person/x")).status_code == 400
        assert (await world.get("/v1/people/user_id")).status_code == 404
        assert (await world.get("/v1/people")).status_code == 404


async def test_a_placeholder_identifies_nobody() -> None:
    """400: nobody can be found by it, now or later."""
    async with serving() as world:
        response = await world.get("/v1/people/email/null")
        assert (response.status_code, response.json()["place"]) == (400, "value")


async def test_parameters_are_checked_with_a_hint() -> None:
    """A misspelt one would be silently ignored otherwise."""
    async with serving() as world:
        await store(world, track())
        path = "/v1/people/user_id/ann"
        for query, place in (
            ("after=x", "after"),
            ("after=-1", "after"),
            ("after=99999999999999999999", "after"),
            ("after=1.5", "after"),
            ("after=", "after"),
            ("after=null", "after"),
            ("afer=1", "query"),
        ):
            response = await world.get(f"{path}?{query}")
            assert (response.status_code, response.json()["place"]) == (400, place)
        assert (await world.get(f"{path}?afer=1")).json()["hint"] == "did you mean 'after'?"
        for query in ("limit=0", "limit=501", "limit=x", "before=x"):
            assert (await world.get(f"{path}/events?{query}")).status_code == 400


async def test_a_position_that_is_not_there_yet_is_a_conflict() -> None:
    """After a wait, for it may be on its way."""
    async with serving() as world:
        position = await store(world, track())
        path = "/v1/people/user_id/ann?after="
        assert (await world.get(path + position)).status_code == 200
        response = await world.get(path + str(int(position) + 1_000))
        assert (response.status_code, response.json()["place"]) == (409, "after")


async def test_events_are_paged_from_the_newest() -> None:
    """Until there is no next."""
    async with serving() as world:
        await store(world, *(track(str(number)) for number in range(5)))
        path = "/v1/people/user_id/ann/events?limit=2"
        seen: list[str] = []
        before: str | None = "999"
        while before is not None:
            page = (await world.get(f"{path}&before={before}")).json()
            seen += [event["message_id"] for event in page["events"]]
            before = page["next_before"]
        assert seen == ["4", "3", "2", "1", "0"]


async def test_why_two_identifiers_are_one_person() -> None:
    """The chain of evidence; both parts of the other identifier or neither."""
    async with serving() as world:
        await store(world, {**track(), "anonymousId": "device-1"}, track("m2", "bob"))
        path = "/v1/people/user_id/ann/why"
        same = (await world.get(f"{path}?kind=anonymous_id&value=device-1")).json()
        assert same["same_person"]
        assert [link["message_id"] for link in same["path"]] == ["m1"]
        other = (await world.get(f"{path}?kind=user_id&value=bob")).json()
        assert (other["same_person"], other["path"]) == (False, None)
        assert "same_person" not in (await world.get(path)).json()
        half = await world.get(f"{path}?kind=user_id")
        assert (half.status_code, half.json()["place"]) == (400, "query.value")


async def test_answers_have_the_documented_form() -> None:
    """Every field that is sent is declared, and of its type."""
    async with serving() as world:
        await store(
            world,
            {"type": "identify", "userId": "ann", "traits": {"email": "ann@example.org", "nested": {"a": [1, None]}}},
            {**track(), "anonymousId": "x-1", "properties": {"price": 1.5, "n": 10**30}},
            {"type": "page", "userId": "ann"},
            {"type": "group", "userId": "ann", "groupId": "acme", "traits": {"plan": "pro"}},
            {"type": "alias", "userId": "ann", "previousId": "ann-old"},
        )
        for path, type_ in (
            ("/v1/people/user_id/ann", PersonView),
            ("/v1/groups/acme", PersonView),
            ("/v1/people/user_id/ann/events", EventsView),
            ("/v1/people/user_id/ann/why?kind=email&value=ann@example.org", WhyView),
        ):
            response = await world.get(path)
            assert response.status_code == 200, response.text
            view = msgspec.convert(response.json(), type_)
            assert set(response.json()) == set(msgspec.to_builtins(view))
        for event in (await world.get("/v1/people/user_id/ann/events")).json()["events"]:
            assert set(event) == set(EventView.__struct_fields__)


async def test_answers_about_people_are_not_kept_by_anyone_on_the_way() -> None:
    """Neither browser nor proxy."""
    async with serving() as world:
        await store(world, track())
        assert (await world.get("/v1/people/user_id/ann")).headers["cache-control"] == "no-store"
