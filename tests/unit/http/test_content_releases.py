"""Releases over HTTP: together or not at all, at once or by themselves; and all content as files."""

from __future__ import annotations

from typing import Any

import httpx

from courtesy.base.time import DAY_MS, HOUR_MS, to_iso
from courtesy.engine.content import ReleaseState
from courtesy.runtime.app import make_publications
from courtesy.runtime.content_files import unzipped, zipped
from courtesy.runtime.content_releases import Releaser, Releases
from tests.unit.http.test_content import ITEMS, good, publish, refused, text, write
from tests.unit.http.world import NOW_MS, World, serving

RELEASES = "/v1/content/releases"
FOOTER, HEADER, MAIL, OLD = "fragment/footer", "fragment/header", "template/mail", "news/old"


async def spring(world: World) -> dict[str, Any]:
    """A release of a template and the fragment in it, which withdraws some old news."""
    await write(world, FOOTER, fields=text("Bye"))
    await write(world, MAIL, fields={"text": {"default": "Hi {% include 'footer' %}"}})
    await write(world, OLD, fields={"title": {"default": "Old"}})
    await publish(world, OLD)
    items = [{"item": MAIL}, {"item": FOOTER}, {"item": OLD, "change": "withdraw"}]
    return await good(world, "PUT", f"{RELEASES}/spring", {"title": "Spring", "items": items})


async def states(world: World) -> dict[str, str]:
    """Where each item stands."""
    return {f"{each['kind']}/{each['name']}": each["state"] for each in (await world.get(ITEMS)).json()["items"]}


def releaser(world: World) -> Releaser:
    """What publishes by itself, as another process has it."""
    app = world.app
    publications = make_publications(app.settings, app.engine, app.catalog, app.clock, app.shelf.assets)
    return Releaser(app.engine, Releases(app.engine, publications, app.clock), publications, app.clock)


async def test_a_release_is_published_as_a_whole_with_parts_that_stand_on_each_other() -> None:
    """Each after what it stands on, under the release's name."""
    async with serving() as world:
        made = await spring(world)
        assert (made["state"], [each["revision"] for each in made["items"]]) == ("open", [None] * 3)
        assert (await world.get(f"{RELEASES}/spring/preview")).json() == {"findings": []}
        done = await good(world, "POST", f"{RELEASES}/spring/publish")
        assert done["release"]["state"] == "published"
        assert await states(world) == {FOOTER: "published", OLD: "withdrawn", MAIL: "published"}
        mail = (await world.get(f"{ITEMS}/{MAIL}/versions/1")).json()
        assert (mail["release"], mail["pins"][0]["version"]) == ("spring", 1)
        again = await refused(world, 409, "POST", f"{RELEASES}/spring/publish")
        assert again["message"] == "the release spring is published, and can't be published again"
        assert (await refused(world, 409, "DELETE", f"{RELEASES}/spring"))["code"] == "conflict"


async def test_when_one_item_is_kept_back_nothing_of_a_release_is_published() -> None:
    """And all that keeps each is told, circles too."""
    async with serving() as world:
        await spring(world)
        await write(world, FOOTER, 1, fields={"text": {"de": "Tschüs {% include 'header' %}"}})
        await write(world, HEADER, fields=text("{% include 'footer' %}"))
        items = [{"item": each} for each in (MAIL, FOOTER, HEADER)] + [{"item": OLD, "change": "withdraw"}]
        await good(world, "PUT", f"{RELEASES}/spring", {"items": items})
        blocked = await refused(world, 409, "POST", f"{RELEASES}/spring/publish")
        found = sorted((each["item"], each["finding"]["code"]) for each in blocked["findings"])
        assert found == [(FOOTER, "circle"), (FOOTER, "default"), (HEADER, "circle")]
        preview = (await world.get(f"{RELEASES}/spring/preview")).json()["findings"]
        assert preview == blocked["findings"]
        assert await states(world) == {FOOTER: "draft", HEADER: "draft", OLD: "published", MAIL: "draft"}
        assert (await world.get(f"{RELEASES}/spring")).json()["state"] == "open"


async def test_a_scheduled_release_publishes_what_was_scheduled_once() -> None:
    """In the revisions of then, whoever turns first, and not before its instant."""
    async with serving() as world:
        await spring(world)
        at = to_iso(NOW_MS + DAY_MS)
        planned = await good(world, "POST", f"{RELEASES}/spring/schedule", {"at": at})
        assert (planned["state"], planned["at"]) == ("scheduled", at)
        assert [each["revision"] for each in planned["items"]] == [1, 1, None]
        await write(world, FOOTER, 1, fields=text("an edit nobody wants to go out"))
        held = await refused(world, 409, "POST", f"{ITEMS}/{FOOTER}/archive")
        assert held["message"] == "fragment/footer is used by release spring"
        assert "call it off" in (await refused(world, 409, "PUT", f"{RELEASES}/spring", {"items": []}))["hint"]
        one, other = releaser(world), releaser(world)
        world.clock.advance(DAY_MS - 1)
        await one.turn()
        assert (await states(world))[MAIL] == "draft"
        world.clock.advance(1)
        await one.turn()
        await other.turn()
        assert await states(world) == {FOOTER: "published", OLD: "withdrawn", MAIL: "published"}
        versions = (await world.get(f"{ITEMS}/{FOOTER}/versions")).json()["versions"]
        assert [(each["version"], each["revision"]) for each in versions] == [(1, 1)]
        footer = (await world.get(f"{ITEMS}/{FOOTER}")).json()
        assert (footer["revision"], footer["live_revision"]) == (2, 1)


async def test_a_scheduled_release_that_is_kept_back_says_by_what() -> None:
    """It can be mended and scheduled again, or called off."""
    async with serving() as world:
        await spring(world)
        await write(world, FOOTER, 1, fields=text("Bye"), rights={"holder": "Ann", "expires": to_iso(NOW_MS + HOUR_MS)})
        await good(world, "POST", f"{RELEASES}/spring/schedule", {"at": to_iso(NOW_MS + 2 * HOUR_MS)})
        world.clock.advance(2 * HOUR_MS)
        await releaser(world).turn()
        kept = (await world.get(f"{RELEASES}?state=blocked")).json()["releases"][0]
        assert [(each["item"], each["finding"]["code"]) for each in kept["findings"]] == [(FOOTER, "rights")]
        assert await states(world) == {FOOTER: "draft", OLD: "published", MAIL: "draft"}
        await write(world, FOOTER, 2, fields=text("Bye"))
        later = await good(world, "POST", f"{RELEASES}/spring/schedule", {"at": to_iso(NOW_MS + DAY_MS)})
        assert (later["findings"], later["settled"]) == ([], None)
        opened = await good(world, "POST", f"{RELEASES}/spring/call-off")
        assert (opened["state"], opened["at"]) == ("open", None)
        world.clock.advance(DAY_MS)
        await releaser(world).turn()
        assert (await states(world))[MAIL] == "draft"
        past = await refused(world, 400, "POST", f"{RELEASES}/spring/schedule", {"at": to_iso(NOW_MS)})
        assert past["place"] == "at"
        await good(world, "DELETE", f"{RELEASES}/spring")
        assert (await world.get(f"{RELEASES}/spring")).status_code == 404


async def test_a_release_never_takes_an_item_back_to_before_what_was_published_meanwhile() -> None:
    """It is kept back, and says so."""
    async with serving() as world:
        await spring(world)
        await good(world, "POST", f"{RELEASES}/spring/schedule", {"at": to_iso(NOW_MS + DAY_MS)})
        await write(world, FOOTER, 1, fields=text("newer"))
        await publish(world, FOOTER)
        world.clock.advance(DAY_MS)
        (settled,) = await world.app.shelf.releases.publish_due()
        assert settled.state is ReleaseState.BLOCKED
        assert b"superseded" in settled.findings


async def test_rights_that_run_out_are_told_of_once() -> None:
    """As an event of the source `content`, and again when they ran out."""
    async with serving() as world:
        rights = {"holder": "Ann", "expires": to_iso(NOW_MS + 3 * DAY_MS)}
        await write(world, FOOTER, fields=text("Bye"), rights=rights)
        await publish(world, FOOTER)
        one = releaser(world)
        assert [await one.tell_of_rights(), await releaser(world).tell_of_rights()] == [1, 0]
        world.clock.advance(4 * DAY_MS)
        assert [await one.tell_of_rights(), await one.tell_of_rights()] == [1, 0]


def _archive(files: dict[str, bytes]) -> bytes:
    return zipped(files)


async def _import(world: World, files: dict[str, bytes], query: str = "") -> httpx.Response:
    return await world.change("POST", f"/v1/content/import{query}", _archive(files))


async def test_content_goes_out_as_files_and_comes_back_the_same() -> None:
    """Into an empty store byte for byte; where nothing changed, nothing is done."""
    async with serving() as world:
        await spring(world)
        long = "Dear {{ person.name }},\r\nit is spring.\n"
        await write(world, FOOTER, 1, fields=text("Bye", de="Tschüs", **{"de@sms": long}), tags=["b", "a"], owner="eve")
        answer = await world.get("/v1/content/export")
        files = unzipped(answer.content)
        assert sorted(files) == [
            "fragment/footer.json", "fragment/footer.text.de@sms.txt", "news/old.json", "template/mail.json",
        ]  # fmt: skip
        assert files["fragment/footer.text.de@sms.txt"] == long.encode()
        same = (await _import(world, files)).json()["items"]
        assert {each["step"] for each in same} == {"same"}
        async with serving() as empty:
            tried = (await _import(empty, files, "?dry_run=true")).json()["items"]
            assert [each["step"] for each in tried] == ["new"] * 3
            assert (await empty.get(ITEMS)).json()["items"] == []
            assert (await _import(empty, files)).json()["items"] == tried
            assert (await empty.get("/v1/content/export")).content == answer.content


async def test_an_import_tells_what_it_changes_and_is_all_or_nothing() -> None:
    """A file that is wrong keeps out all of them, and is named."""
    async with serving() as world:
        await spring(world)
        files = unzipped((await world.get("/v1/content/export")).content)
        changed = files | {"news/old.json": files["news/old.json"].replace(b'"Old"', b'"Very old"')}
        told = (await _import(world, changed, "?dry_run=true")).json()["items"]
        assert [(each["item"], each["places"]) for each in told if each["step"] != "same"] == [
            (OLD, ["fields.title.default"])
        ]
        wrong = changed | {"offer/x.json": b'{"fields": {"stock": -1}}'}
        answer = (await _import(world, wrong)).json()
        assert (answer["code"], answer["place"]) == ("invalid", "offer/x.json: fields.stock")
        assert (await world.get(f"{ITEMS}/{OLD}")).json()["revision"] == 1
        stray = (await _import(world, changed | {"news/old.summary.txt": b"x"})).json()
        assert (stray["code"], stray["place"]) == ("invalid", "news/old.summary.txt")
        assert (await world.change("POST", "/v1/content/import", b"no archive")).json()["code"] == "unreadable"
        assert (await _import(world, changed)).status_code == 200
        assert (await world.get(f"{ITEMS}/{OLD}")).json()["revision"] == 2


async def test_every_kind_says_what_its_fields_are() -> None:
    """As a JSON Schema."""
    async with serving() as world:
        kinds = {each["name"]: each for each in (await world.get("/v1/content/kinds")).json()["kinds"]}
        assert {"fragment", "image", "document", "offer", "code_pool", "news", "template", "campaign"} == set(kinds)
        assert kinds["offer"]["fields"]["properties"]["stock"]["type"] == "integer"
