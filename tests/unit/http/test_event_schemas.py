"""Schemas over HTTP: put, read, compared and tried; and what they do to events on every way in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.event.cause import Cause, Fate
from courtesy.event.event import EventType
from courtesy.runtime.importing import import_path
from courtesy.runtime.telemetry import ACCEPTED
from tests.unit.http.world import NOW_MS, World, batch, causes, serving, track

BOUGHT = "/v1/schemas/shop/Bought"
PRICED: dict[str, Any] = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
WRONG = 'expected a number at $.properties.price, got "12,50" (schema shop/Bought, revision 1)'


async def put(world: World, schema: Any, path: str = BOUGHT, on_break: str = "warn") -> Any:
    """Put a schema, which must be taken."""
    response = await world.change("PUT", path, {"schema": schema, "on_break": on_break})
    assert response.status_code == 200, response.text
    return response.json()


def bought(message_id: str, price: Any, **more: Any) -> dict[str, Any]:
    """A purchase."""
    return track(message_id, properties={"price": price}, **more)


async def remarks(world: World) -> dict[tuple[str, str], int]:
    """How many events met which fate with which cause or remark."""
    return {
        (each.fate, each.cause or ""): each.event_count
        for each in await world.app.engine.counts(0, 2**60)
        if each.fate is not Fate.RECEIVED
    }


# -- definitions


async def test_a_schema_is_put_read_changed_and_removed_and_never_edited() -> None:
    """Each change is a revision, said in words; all are readable for ever, as they were."""
    async with serving() as world:
        first = await put(world, PRICED)
        assert (first["revision"], first["changes"], first["changed_by"]) == (1, [], "admin")
        second = await put(world, {**PRICED, "required": []}, on_break="quarantine")
        assert second["revision"] == 2
        assert [(each["field"], each["change"], each["narrows"]) for each in second["changes"]] == [
            ("price", "is no longer required", False),
            ("", "what breaks it: warn became quarantine", False),
        ]
        assert (await put(world, {**PRICED, "required": []}, on_break="quarantine"))["revision"] == 2
        assert (await world.get(BOUGHT)).json()["schema"] == {**PRICED, "required": []}
        assert (await world.get(f"{BOUGHT}?revision=1")).json()["schema"] == PRICED
        diff = (await world.get(f"{BOUGHT}/diff?from=2&to=1")).json()["changes"]
        assert diff[0] == {"field": "price", "change": "became required", "narrows": True}
        assert (await world.get(f"{BOUGHT}/diff?from=1")).json()["changes"] == second["changes"]
        assert (await world.change("DELETE", BOUGHT)).json() == {"removed": "shop/Bought"}
        assert (await world.get(BOUGHT)).status_code == 404
        history = (await world.get(f"{BOUGHT}/history")).json()["revisions"]
        assert [(each["revision"], each["on_break"]) for each in history] == [(1, "warn"), (2, "quarantine"), (3, None)]
        assert (await world.get(f"{BOUGHT}?revision=2")).json()["schema"] == {**PRICED, "required": []}


async def test_all_schemas_in_force_are_listed() -> None:
    """With source and event apart, whatever is in their names."""
    async with serving() as world:
        await put(world, PRICED)
        await put(world, {}, "/v1/schemas/*/Sign%2FUp%20%C3%A9")
        listed = (await world.get("/v1/schemas")).json()["schemas"]
        assert [(each["source"], each["event"]) for each in listed] == [("*", "Sign/Up é"), ("shop", "Bought")]
        assert (await world.get("/v1/schemas/*/Sign%2FUp%20%C3%A9")).json()["event"] == "Sign/Up é"


@pytest.mark.parametrize(
    ("path", "body", "status", "place"),
    [
        (BOUGHT, {"schema": {"properties": {"a": {"type": "txt"}}}}, 400, "schema.properties.a.type"),
        (BOUGHT, {"schema": {"$ref": "http://127.0.0.1:1/"}}, 400, "schema"),
        (BOUGHT, {"schema": []}, 400, "schema"),
        (BOUGHT, {"schema": {}, "on_break": "drop"}, 400, "on_break"),
        ("/v1/schemas/shpo/Bought", {"schema": {}}, 404, "name"),
        ("/v1/schemas/a%2Fb/Bought", {"schema": {}}, 400, "path.source"),
        (f"/v1/schemas/shop/{'x' * 400}", {"schema": {}}, 400, "name"),
    ],
)
async def test_what_is_no_schema_is_refused_and_changes_nothing(path: str, body: Any, status: int, place: str) -> None:
    """With its place; and the catalogue stays as it was."""
    async with serving() as world:
        version = world.app.catalog.now.version
        response = await world.change("PUT", path, body)
        assert (response.status_code, response.json()["place"]) == (status, place)
        assert world.app.catalog.now.version == version


async def test_what_is_not_there_is_said() -> None:
    """A schema, a revision, an event."""
    async with serving() as world:
        for path in (
            BOUGHT,
            f"{BOUGHT}/history",
            f"{BOUGHT}/diff?from=1",
            f"{BOUGHT}?revision=1",
            f"{BOUGHT}/proposal",
        ):
            assert (await world.get(path)).status_code == 404, path
        await put(world, PRICED)
        missing = await world.get(f"{BOUGHT}?revision=7")
        assert (missing.status_code, missing.json()["hint"]) == (404, "there are: 1")


KEYWORDS = st.sampled_from(
    "type properties items required enum $ref $defs $schema $id pattern format allOf not minimum const if then".split()
)
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
WORDS = st.sampled_from(["string", "object", "#", "#/$defs/a", "https://schemas.example/x", "email", "(a+)+$"])
NODES = st.recursive(
    PLAIN | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | st.sampled_from("ab"), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYWORDS, NODES, max_size=4), st.dictionaries(st.sampled_from("ab"), PLAIN, max_size=2))
async def test_no_schema_breaks_anything(schema: dict[str, Any], properties: dict[str, Any]) -> None:
    """It is refused with its place, or it is in force and every event is answered, whatever it has."""
    async with serving() as world:
        response = await world.change("PUT", BOUGHT, {"schema": schema, "on_break": "quarantine"})
        assert response.status_code in (200, 400), response.text
        if response.status_code == 400:
            assert response.json()["place"].startswith("schema")
        answer = await world.post("/v1/batch", batch(track("m1", properties=properties)))
        assert answer.status_code == 200
        fates = await world.fates()
        assert (fates["received"], fates.get("stored", 0) + fates.get("quarantined", 0)) == (1, 1)


async def test_a_stored_schema_that_can_not_be_used_any_more_keeps_no_event_out() -> None:
    """As after an upgrade that reads schemas more strictly: it is left out, and the others hold."""
    async with serving() as world:
        await world.app.engine.define("schema", "shop/Bought", b'{"schema": {"type": "money"}}', "ann", NOW_MS)
        await put(world, PRICED, "/v1/schemas/shop/Seen", "quarantine")
        answer = await world.post("/v1/batch", batch(bought("a", "1"), bought("b", "1", event="Seen")))
        assert causes(answer) == [(1, "schema_broken")]


# -- what they do


async def test_quarantine_keeps_out_what_breaks_the_schema_and_nothing_else() -> None:
    """With path, what was expected and what came; events of other names and sources are not held against it."""
    async with serving() as world:
        await put(world, PRICED, on_break="quarantine")
        answer = await world.post(
            "/v1/batch", batch(bought("m1", "12,50"), bought("m2", 12.5), bought("m3", "x", event="Seen"))
        )
        assert [(each["index"], each["fate"], each["cause"], each["detail"]) for each in answer.json()["results"]] == [
            (0, "quarantined", "schema_broken", WRONG)
        ]
        assert [cause for cause, _ in await world.quarantined()] == [Cause.SCHEMA_BROKEN]
        assert await remarks(world) == {("quarantined", "schema_broken"): 1, ("stored", ""): 2}


async def test_a_warning_is_told_and_counted_and_the_event_is_stored() -> None:
    """And told once: sent again it is a duplicate, and nothing else."""
    async with serving() as world:
        await put(world, PRICED)
        warned = ACCEPTED.labels(Fate.STORED, Cause.SCHEMA_WARNED)._value.get()
        plain = ACCEPTED.labels(Fate.STORED, "")._value.get()
        answer = await world.post("/v1/batch", batch(bought("m1", "12,50"), bought("m2", 12.5)))
        assert [(each["index"], each["fate"], each["cause"], each["detail"]) for each in answer.json()["results"]] == [
            (0, "stored", "schema_warned", WRONG)
        ]
        assert causes(await world.post("/v1/batch", batch(bought("m1", "12,50")))) == [(0, "duplicate")]
        assert await world.fates() == {"received": 3, "stored": 2, "duplicate": 1}
        assert await remarks(world) == {
            ("stored", "schema_warned"): 1,
            ("stored", ""): 1,
            ("duplicate", "duplicate"): 1,
        }
        assert ACCEPTED.labels(Fate.STORED, Cause.SCHEMA_WARNED)._value.get() == warned + 1
        assert ACCEPTED.labels(Fate.STORED, "")._value.get() == plain + 1
        counted = (await world.get("/v1/counts")).json()
        assert counted["balanced"] is True
        assert counted["counts"][0]["stored"] == 2
        events = await world.get("/v1/people/user_id/ann/events")
        assert {each["message_id"] for each in events.json()["events"]} == {"m1", "m2"}


async def test_what_is_allowed_is_only_counted() -> None:
    """The sender hears nothing of it."""
    async with serving() as world:
        await put(world, PRICED, on_break="allow")
        assert causes(await world.post("/v1/batch", batch(bought("m1", "12,50")))) == []
        assert await remarks(world) == {("stored", "schema_allowed"): 1}


async def test_a_schema_holds_on_every_way_in(tmp_path: Path) -> None:
    """Single calls, batches, the native events, and files."""
    async with serving() as world:
        await put(world, PRICED, on_break="quarantine")
        single = {"event": "Bought", "userId": "ann", "properties": {"price": "1"}}
        assert causes(await world.post("/v1/track", {**single, "messageId": "a"})) == [(0, "schema_broken")]
        assert causes(await world.post("/v1/batch", batch(bought("b", "1")))) == [(0, "schema_broken")]
        native = (await world.post("/v1/events", [bought("c", "1"), bought("d", 1)])).json()
        assert (native["stored"], native["quarantined"]) == (1, 1)
        assert native["results"][0]["cause"] == "schema_broken"
        file = tmp_path / "calls.jsonl"
        lines = [bought(name, price, timestamp="2025-11-20T00:00:00Z") for name, price in (("e", "1"), ("f", 1))]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        app = world.app
        told = await import_path(
            app.ingest, app.engine, app.catalog.policy("shop"), file, None, app.clock, lambda progress: None
        )
        assert [(each.cause, each.fate, each.count) for each in told.causes] == [
            (Cause.SCHEMA_BROKEN, Fate.QUARANTINED, 1)
        ]
        assert await remarks(world) == {("quarantined", "schema_broken"): 4, ("stored", ""): 2}


@pytest.mark.parametrize("kind", [EventType.IDENTIFY, EventType.GROUP])
async def test_traits_are_held_against_the_schema_of_their_call(kind: EventType) -> None:
    """Of identify and group calls, for every source."""
    async with serving() as world:
        await put(world, {"properties": {"age": {"type": "integer"}}}, f"/v1/schemas/*/{kind}", "quarantine")
        body = {"userId": "ann", "groupId": "acme", "traits": {"age": "old"}}
        answer = await world.post(f"/v1/{kind}", body)
        assert 'expected a whole number at $.traits.age, got "old"' in answer.json()["results"][0]["detail"]


async def test_a_new_revision_holds_for_the_next_event() -> None:
    """And a removed one holds no more."""
    async with serving() as world:
        await put(world, PRICED, on_break="quarantine")
        assert causes(await world.post("/v1/batch", batch(bought("a", "1")))) == [(0, "schema_broken")]
        await put(world, {"properties": {"price": {"type": "string"}}}, on_break="quarantine")
        assert causes(await world.post("/v1/batch", batch(bought("a", "1"), bought("b", 1)))) == [(1, "schema_broken")]
        await world.change("DELETE", BOUGHT)
        assert causes(await world.post("/v1/batch", batch(bought("b", 1)))) == []


# -- from what came in


async def test_a_schema_is_proposed_from_what_came_in_and_fits_it() -> None:
    """With the share of events that have each field; held against it, none of them breaks it."""
    async with serving() as world:
        events = [
            bought(f"m{n}", n / 2, user=f"u{n}", context={"x": 1}) | ({} if n % 4 else {"properties": {"gift": True}})
            for n in range(40)
        ]
        await world.post("/v1/batch", batch(*events, track("other", event="Seen", properties={"z": 1})))
        found = (await world.get(f"{BOUGHT}/proposal")).json()
        assert (found["event_count"], found["schema"]["properties"]) == (
            40,
            {"gift": {"type": "boolean"}, "price": {"type": "number"}},
        )
        assert [(each["field"], each["present_share"]) for each in found["fields"]] == [("price", 0.75), ("gift", 0.25)]
        required = (await world.get(f"{BOUGHT}/proposal?required_share=0.7")).json()["schema"]["required"]
        assert required == ["price"]
        trial = await world.change("POST", f"{BOUGHT}/trial", {"schema": found["schema"]})
        assert (trial.json()["event_count"], trial.json()["broken_count"]) == (40, 0)


async def test_a_schema_is_tried_before_it_is_put() -> None:
    """How many of the latest events would break it, of how many people, with examples; nothing changes by it."""
    async with serving() as world:
        await world.post("/v1/batch", batch(*(bought(f"m{n}", n if n % 2 else "x", user=f"u{n}") for n in range(10))))
        trial = (await world.change("POST", f"{BOUGHT}/trial?sample=6", {"schema": PRICED})).json()
        assert (trial["event_count"], trial["broken_count"], trial["people_count"]) == (6, 3, 3)
        assert trial["examples"][0]["message_id"] == "m8"
        assert trial["examples"][0]["detail"] == 'expected a number at $.properties.price, got "x"'
        assert (await world.get("/v1/schemas")).json() == {"schemas": []}
