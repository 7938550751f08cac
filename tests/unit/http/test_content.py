"""Content over HTTP: written, approved, published, pinned, withdrawn; and everything that keeps it from it."""

from __future__ import annotations

from typing import Any

from tests.unit.http.world import World, serving

ITEMS = "/v1/content/items"


async def write(world: World, item: str, revision: int = 0, key: str | None = None, **body: Any) -> dict[str, Any]:
    """Write an item; it must pass."""
    return await good(world, "PUT", f"{ITEMS}/{item}", {"revision": revision, **body}, key)


async def good(world: World, method: str, path: str, body: Any = None, key: str | None = None) -> dict[str, Any]:
    """What is answered when it passes."""
    answer = await world.change(method, path, body, key)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refused(
    world: World, status: int, method: str, path: str, body: Any = None, key: str | None = None
) -> dict[str, Any]:
    """What is answered when it does not."""
    answer = await world.change(method, path, body, key)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def publish(world: World, item: str) -> int:
    """Publish an item as it is; the version that is live."""
    done = await good(world, "POST", f"{ITEMS}/{item}/publish", {})
    return int(done["version"]["version"])


def text(said: str, **variants: str) -> dict[str, Any]:
    """Fields of a fragment."""
    return {"text": {"default": said, **variants}}


async def keys(world: World, *names: str) -> list[str]:
    """Admin keys of some people."""
    from courtesy.runtime.catalog import Scope

    return [await world.app.catalog.create_key(name, Scope.ADMIN, "test") for name in names]


async def codes(world: World, item: str) -> list[str]:
    """What is found about an item, by code."""
    found = (await world.get(f"{ITEMS}/{item}/check")).json()["findings"]
    return [each["finding"]["code"] for each in found]


async def test_an_item_is_written_read_and_listed() -> None:
    """With every revision; what is as it was makes none."""
    async with serving() as world:
        made = await write(world, "fragment/footer", fields=text("Bye"), tags=["law"], title="Footer", owner="eve")
        assert (made["revision"], made["state"], made["version"]) == (1, "draft", None)
        same = await write(world, "fragment/footer", 1, fields=text("Bye"), tags=["law"], title="Footer", owner="eve")
        assert same == made
        changed = await write(world, "fragment/footer", 1, fields=text("Bye!", de="Tschüs"))
        assert changed["revision"] == 2
        history = (await world.get(f"{ITEMS}/fragment/footer/history")).json()["revisions"]
        assert [each["body"]["fields"]["text"]["default"] for each in history] == ["Bye", "Bye!"]
        await write(world, "offer/spring", tags=["law"])
        page = (await world.get(f"{ITEMS}?limit=1")).json()
        assert (page["items"][0]["name"], page["next"]) == ("footer", "fragment/footer")
        rest = (await world.get(f"{ITEMS}?after=fragment/footer")).json()
        assert ([each["name"] for each in rest["items"]], rest["next"]) == (["spring"], None)
        tagged = (await world.get(f"{ITEMS}?tag=law&kind=offer")).json()["items"]
        assert [each["name"] for each in tagged] == ["spring"]


async def test_what_a_kind_does_not_declare_is_refused_with_what_was_meant() -> None:
    """Kinds, fields, variants and types, each at its place."""
    async with serving() as world:
        path = f"{ITEMS}/offer/spring"
        wrong = await refused(world, 400, "PUT", path, {"fields": {"titel": {}}})
        assert (wrong["message"], wrong["hint"]) == ("the kind offer has no field 'titel'", "did you mean 'title'?")
        wrong = await refused(world, 400, "PUT", path, {"fields": {"title": {"@smss": "x"}}})
        assert (wrong["place"], wrong["hint"]) == ("fields.title", "did you mean 'sms'?")
        wrong = await refused(world, 400, "PUT", path, {"fields": {"value": {"kind": "percent", "percent": 120}}})
        assert wrong["place"] == "fields.value.percent"
        wrong = await refused(world, 400, "PUT", path, {"fields": {"image": "offer/x"}})
        assert wrong["message"] == "expected an item of the kind image, got 'offer/x'"
        assert (await refused(world, 404, "PUT", f"{ITEMS}/ofer/x", {}))["hint"] == "did you mean 'offer'?"
        assert (await refused(world, 400, "PUT", f"{ITEMS}/offer/Spring", {}))["code"] == "invalid"
        assert (await refused(world, 400, "PUT", path, {"valid_from": "next week!"}))["place"] == "valid_from"


async def test_a_change_of_what_somebody_else_changed_is_refused_with_both_sides() -> None:
    """So nobody's work is lost by accident."""
    async with serving() as world:
        ada, bob = await keys(world, "ada", "bob")
        await write(world, "fragment/footer", fields=text("Bye"))
        await write(world, "fragment/footer", 1, ada, fields=text("Bye", de="Tschüs"), title="Footer")
        clash = await refused(
            world, 409, "PUT", f"{ITEMS}/fragment/footer", {"revision": 1, "fields": text("Ciao", de="Ade")}, bob
        )
        assert clash["yours"]["revision"] == 1
        assert clash["yours"]["places"] == ["fields.text.de", "fields.text.default"]
        assert (clash["theirs"]["revision"], clash["theirs"]["changed_by"]) == (2, "ada")
        assert clash["theirs"]["places"] == ["fields.text.de", "title"]
        assert "you both changed fields.text.de" in clash["hint"]
        again = await refused(world, 409, "PUT", f"{ITEMS}/fragment/footer", {"fields": text("new")})
        assert again["theirs"]["revision"] == 2


async def test_a_version_never_changes_and_pins_what_it_stands_on() -> None:
    """An edit is not shown before it is published, nor in what was published with the version before."""
    async with serving() as world:
        await write(world, "fragment/footer", fields=text("Bye"))
        await write(world, "template/mail", fields={"text": {"default": "Hi {% include 'footer' %}"}})
        blocked = await refused(world, 409, "POST", f"{ITEMS}/template/mail/publish", {})
        assert [each["finding"]["code"] for each in blocked["findings"]] == ["reference"]
        assert await publish(world, "fragment/footer") == 1
        assert await publish(world, "template/mail") == 1
        assert await publish(world, "template/mail") == 1  # nothing changed
        await write(world, "fragment/footer", 1, fields=text("So long"))
        assert await publish(world, "fragment/footer") == 2
        mail = (await world.get(f"{ITEMS}/template/mail/versions/1")).json()
        assert mail["pins"] == [{"kind": "fragment", "name": "footer", "version": 1}]
        first = (await world.get(f"{ITEMS}/fragment/footer/versions/1")).json()
        assert first["body"]["fields"]["text"]["default"] == "Bye"
        assert await publish(world, "template/mail") == 2  # now with the new footer
        uses = (await world.get(f"{ITEMS}/fragment/footer/uses")).json()["uses"]
        assert [(each["kind"], each["name"], each["version"], each["live"]) for each in uses] == [
            ("draft", "template/mail", None, False),
            ("version", "template/mail@1", 1, False),
            ("version", "template/mail@2", 2, True),
        ]


async def test_what_is_used_can_be_neither_dropped_nor_archived() -> None:
    """Withdrawing it is warned of, for in an emergency it must be possible."""
    async with serving() as world:
        await write(world, "fragment/footer", fields=text("Bye"))
        await write(world, "template/mail", fields={"text": {"default": "{% include 'footer' %}"}})
        await publish(world, "fragment/footer")
        await publish(world, "template/mail")
        footer = f"{ITEMS}/fragment/footer"
        assert "is live" in (await refused(world, 409, "DELETE", f"{footer}/versions/1"))["message"]
        held = await refused(world, 409, "POST", f"{footer}/archive")
        assert held["message"] == "fragment/footer is used by version template/mail@1"
        done = await good(world, "POST", f"{footer}/withdraw")
        assert (done["item"]["state"], done["findings"][0]["finding"]["severity"]) == ("withdrawn", "warning")
        used = await refused(world, 409, "DELETE", f"{footer}/versions/1")
        assert used["message"] == "version 1 of fragment/footer is used by version template/mail@1"
        assert (await world.get(f"{footer}/shown")).status_code == 404
        await good(world, "POST", f"{ITEMS}/template/mail/withdraw")
        await good(world, "DELETE", f"{ITEMS}/template/mail/versions/1")
        assert (await good(world, "DELETE", f"{footer}/versions/1"))["versions"] == []
        assert (await good(world, "POST", f"{footer}/archive"))["state"] == "archived"
        assert (await refused(world, 409, "PUT", footer, {"revision": 1, "fields": text("x")}))["hint"]
        assert (await good(world, "POST", f"{footer}/restore"))["state"] == "withdrawn"
        assert await publish(world, "fragment/footer") == 2  # numbers are not given again


async def test_people_see_the_variant_that_fits_them_best() -> None:
    """Language goes before channel; who has neither gets the default."""
    async with serving() as world:
        fields = {"text": {"default": "Hello", "@sms": "Hi", "de": "Guten Tag", "de@sms": "Tag", "fr": "Bonjour"}}
        await write(world, "fragment/hello", fields=fields)
        await publish(world, "fragment/hello")
        seen = {}
        for query in ("", "locale=de-CH", "locale=de-CH&channel=sms", "locale=fr&channel=sms", "channel=sms"):
            seen[query] = (await world.get(f"{ITEMS}/fragment/hello/shown?{query}")).json()["fields"]["text"]
        assert list(seen.values()) == ["Hello", "Guten Tag", "Tag", "Bonjour", "Hi"]


async def test_nobody_approves_what_they_wrote_and_an_edit_voids_approvals() -> None:
    """Four eyes, by kind and locale."""
    async with serving() as world:
        ada, bob, eve = await keys(world, "ada", "bob", "eve")
        rules = [{"kinds": ["fragment"], "locales": ["de"], "approvals": 1, "by": ["bob"]}, {"approvals": 1}]
        await good(world, "PUT", "/v1/content/workflow", {"rules": rules})
        item = f"{ITEMS}/fragment/footer"
        await write(world, "fragment/footer", 0, ada, fields=text("Bye", de="Tschüs"))
        assert await codes(world, "fragment/footer") == ["approval"] * 3
        own = await refused(world, 409, "POST", f"{item}/approvals", {"revision": 1}, ada)
        assert own["message"].startswith("ada changed fragment/footer")
        await good(world, "POST", f"{item}/approvals", {"revision": 1, "locale": "default"}, eve)
        assert len(await codes(world, "fragment/footer")) == 2
        await good(world, "POST", f"{item}/approvals", {"revision": 1, "locale": "de", "note": "gut"}, bob)
        assert await codes(world, "fragment/footer") == []
        await write(world, "fragment/footer", 1, eve, fields=text("Bye!", de="Tschüs"))
        blocked = await refused(world, 409, "POST", f"{item}/publish", {}, eve)
        assert len(blocked["findings"]) == 3
        stale = await refused(world, 409, "POST", f"{item}/approvals", {"revision": 1}, bob)
        assert stale["place"] == "revision"
        assert (await refused(world, 409, "POST", f"{item}/approvals", {"revision": 2}, ada))["code"] == "conflict"
        await good(world, "POST", f"{item}/approvals", {"revision": 2}, bob)
        assert await publish(world, "fragment/footer") == 1
        # What ada wrote is published, so that she may look over what others write now.
        await write(world, "fragment/footer", 2, bob, fields=text("Ade", de="Ade"))
        await good(world, "POST", f"{item}/approvals", {"revision": 3, "locale": "default"}, ada)
        shown = (await world.get(f"{item}/approvals")).json()["approvals"]
        assert [(each["revision"], each["by"]) for each in shown] == [(1, "bob"), (1, "eve"), (2, "bob"), (3, "ada")]


async def test_comments_and_requests_are_kept_until_they_are_settled() -> None:
    """Who asked for what, and by when."""
    async with serving() as world:
        (ada,) = await keys(world, "ada")
        await write(world, "news/opening")
        said = await good(world, "POST", f"{ITEMS}/news/opening/notes", {"text": "Longer?", "place": "fields.text.de"})
        asked = {"text": "French, please", "kind": "request", "due": "2026-12-01T00:00:00Z"}
        wanted = await good(world, "POST", f"{ITEMS}/news/opening/notes", asked, ada)
        assert (wanted["by"], wanted["due"], wanted["settled"]) == ("ada", "2026-12-01T00:00:00.000Z", None)
        done = await good(world, "POST", f"{ITEMS}/news/opening/notes/{said['number']}/settle")
        assert done["settled_by"] == "admin"
        open_ = (await world.get("/v1/content/notes")).json()["notes"]
        assert [each["number"] for each in open_] == [wanted["number"]]
        every = (await world.get(f"{ITEMS}/news/opening/notes?settled=true&kind=comment")).json()["notes"]
        assert every == [done]
        assert (await refused(world, 404, "POST", f"{ITEMS}/news/opening/notes/99/settle"))["code"] == "not_found"


async def test_all_that_keeps_an_item_from_being_published_is_told_at_once() -> None:
    """What is missing, rights that ran out, and expressions that mean nothing."""
    async with serving() as world:
        await write(
            world,
            "offer/spring",
            fields={"title": {"de": "Rabatt"}, "eligibility": "did (", "fallback": "offer/summer"},
            rights={"holder": "Pictures Ltd", "expires": "2025-11-01"},
            valid_to="2025-11-02",
        )
        assert await codes(world, "offer/spring") == [
            "missing", "default", "expression", "rights", "validity", "reference",
        ]  # fmt: skip
        soon = {"holder": "Pictures Ltd", "expires": "2025-12-01"}
        offer = {"title": {"default": "10 % off"}, "value": {"kind": "percent", "percent": 10}}
        await write(world, "offer/spring", 1, fields=offer, rights=soon)
        assert await codes(world, "offer/spring") == ["rights"]
        assert await publish(world, "offer/spring") == 1
        warned = (await world.get("/v1/content/warnings")).json()["findings"]
        assert [(each["item"], each["finding"]["code"]) for each in warned] == [("offer/spring", "rights")]
