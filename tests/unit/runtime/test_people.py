"""Reading people: at once after writing, by any identifier, page by page, and with the reasons for who is who."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.engine.contract import PersonReading
from courtesy.event.event import Party
from courtesy.runtime.catalog import CatalogCache, Scope, Source
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.history import History
from courtesy.runtime.people import RECORDS_MAX, People
from tests.unit.runtime.world import NOW_MS, Engine, call, receive, visit


@asynccontextmanager
async def _reading(engine: Engine | None = None) -> AsyncIterator[tuple[Engine, People]]:
    """An engine with a source named `shop`, and who reads from it."""
    engine = engine or Engine()
    await engine.open()
    catalog = CatalogCache(engine, engine.clock)
    await catalog.define_source("shop", Source(party=Party.ZERO), "a test")
    yield engine, People(engine, catalog, History(engine))
    await engine.close()


async def _fold(engine: Engine) -> None:
    worker = FoldWorker(engine, CatalogCache(engine, engine.clock).catalog, engine.clock, "one")
    await worker.claim()
    while await worker.fold_once():
        pass
    await worker.release()


async def _refused(doing: object) -> CourtesyError:
    with pytest.raises(CourtesyError) as caught:
        await doing  # type: ignore[misc]
    return caught.value


async def test_a_person_is_read_as_of_what_was_acknowledged() -> None:
    """Folded or not makes no difference, through a merge as well."""
    async with _reading() as (engine, people):
        await receive(engine, call("m1", type="identify", traits={"city": "Bonn"}), visit("m2", "a"))
        receipt = await receive(engine, call("m3", anonymousId="a"))
        before = await people.view("user_id", "ann", receipt.position)
        await _fold(engine)
        after = await people.view("anonymous_id", "a", receipt.position)
        assert after == before | {"position": after["position"]}
        assert (before["event_count"], before["traits"]) == (3, {"city": "Bonn"})
        assert before["trait_origins"]["city"]["source"] == "shop"
        assert [(each["kind"], each["value"]) for each in before["identifiers"]] == [
            ("anonymous_id", "a"),
            ("user_id", "ann"),
        ]
        assert len(before["merged_people"]) == 1


async def test_a_person_is_found_by_every_form_of_their_identifiers() -> None:
    """As a sender may write it, by their own number, and by the number of who became part of them."""
    async with _reading() as (engine, people):
        await receive(engine, visit("m1", "a"), call("m2", context={"traits": {"email": "Ann@Shop.com"}}))
        await receive(engine, call("m3", anonymousId="a"))
        person = (await people.view("email", " ANN@shop.com "))["person"]
        for number in (person, (await people.view("person", person))["merged_people"][0]):
            assert (await people.view("person", number))["person"] == person


@pytest.mark.parametrize(
    ("kind", "value"),
    [("user_id", "null"), ("email", "ann"), ("person", "x"), ("person", "-1"), ("person", "9" * 19), ("person", "１")],
)
async def test_what_can_identify_nobody_is_refused(kind: str, value: str) -> None:
    """With its place, rather than as somebody who is not there."""
    async with _reading() as (_, people):
        error = await _refused(people.view(kind, value))
        assert (error.code, error.place) == (Code.INVALID, "value")


async def test_who_is_not_there_is_not_found() -> None:
    """With a hint when the kind was probably meant to be another one."""
    async with _reading() as (_, people):
        assert (await _refused(people.view("user_id", "ann"))).code is Code.NOT_FOUND
        assert (await _refused(people.view("emial", "ann@shop.com"))).hint == "did you mean 'email'?"
        assert (await _refused(people.view("person", "77"))).code is Code.NOT_FOUND


async def test_a_position_that_is_on_its_way_is_waited_for() -> None:
    """Whoever reads elsewhere than they wrote gets what they wrote, and not a person without it."""
    async with _reading() as (engine, people):
        await receive(engine, call("m1"))
        for user in ("ann", "bob"):
            position = Position(await engine.head() + 1)
            reading = asyncio.ensure_future(people.view("user_id", user, position))
            await asyncio.sleep(0.01)
            assert not reading.done()
            await receive(engine, call(f"later {user}", userId=user))
            assert (await reading)["position"] == str(position)


async def test_somebody_who_comes_while_nobody_is_found_is_found() -> None:
    """The head that was reached must be one before which nobody was there."""
    engine = _Late()
    async with _reading(engine) as (_, people):
        engine.comes = call("m1")
        assert (await people.view("user_id", "ann", Position(1)))["event_count"] == 1


class _Late(Engine):
    """An engine to which somebody comes right after nobody was found."""

    comes: object = None

    async def read_person(self, identifier: str) -> PersonReading | None:
        found = await super().read_person(identifier)
        coming, self.comes = self.comes, None
        if coming is not None:
            await receive(self, coming)  # type: ignore[arg-type]
        return found


async def test_events_are_read_page_by_page() -> None:
    """Newest first, each once, of everybody who became part of the person; a page too large is cut and goes on."""
    async with _reading() as (engine, people):
        await receive(engine, *(call(f"m{n}") for n in range(RECORDS_MAX)))
        await receive(engine, visit("first", "a"), call("last", anonymousId="a"))
        for limit in (200, 10 * RECORDS_MAX):
            found: list[str] = []
            before: Position | None = None
            while True:
                page = await people.events("user_id", "ann", before, limit)
                assert len(page["events"]) <= RECORDS_MAX
                found += [each["message_id"] for each in page["events"]]
                if page["next_before"] is None:
                    break
                before = Position(int(page["next_before"]))
            assert found == ["last", "first", *(f"m{n}" for n in reversed(range(RECORDS_MAX)))]


async def test_an_event_is_shown_whole() -> None:
    """As it was accepted, with the name of its source; what the system itself put into the log is not an event."""
    async with _reading() as (engine, people):
        await receive(engine, visit("m0", "a"), call("m1", anonymousId="a", properties={"n": 1}, context={"ip": "::1"}))
        await receive(engine, call("m2", anonymousId="a"))
        page = await people.events("user_id", "ann", None, 10)
        assert [each["message_id"] for each in page["events"]] == ["m2", "m1", "m0"]
        shown = page["events"][1]
        assert (shown["source"], shown["properties"], shown["context"]) == ("shop", {"n": 1}, {"ip": "::1"})
        assert shown["identifiers"] == ["user_id:ann", "anonymous_id:a"]
        assert msgspec.json.decode(msgspec.json.encode(page)) == page


async def test_why_two_identifiers_are_one_person() -> None:
    """The chain of messages that say so, through a merge and past a device that was set apart."""
    async with _reading() as (engine, people):
        email = {"context": {"traits": {"email": "ann@shop.com"}}}
        await receive(engine, visit("m1", "tablet", **email), call("m2", anonymousId="tablet"))
        await receive(engine, call("m3", anonymousId="mobile"), call("m4", userId="bob", anonymousId="tablet"))
        why = await people.why("email", "ann@shop.com", ("anonymous_id", "mobile"))
        assert why["same_person"] is True
        assert [(each["a"], each["b"], each["message_id"]) for each in why["path"]] == [
            ("user_id:ann", "email:ann@shop.com", "m4"),
            ("user_id:ann", "anonymous_id:mobile", "m3"),
        ]
        apart = await people.why("user_id", "bob", ("anonymous_id", "tablet"))
        assert (apart["same_person"], apart["path"]) == (False, None)
        assert [(each["identifier"], each["reason"]) for each in apart["refused"]] == [
            ("anonymous_id:tablet", "other_person")
        ]


async def test_a_group_is_read_like_a_person() -> None:
    """With its own traits, and who said to belong to it; the members keep theirs."""
    async with _reading() as (engine, people):
        await receive(
            engine,
            call("m1", type="group", groupId="acme", traits={"plan": "pro"}),
            call("m2", type="group", groupId="acme", userId="bob"),
        )
        acme = await people.view("group", "acme")
        assert (acme["traits"], acme["members"], acme["event_count"]) == (
            {"plan": "pro"},
            ["user_id:ann", "user_id:bob"],
            2,
        )
        ann = await people.view("user_id", "ann")
        assert ([each["group"] for each in ann["groups"]], ann["traits"]) == (["acme"], {})


async def test_a_source_that_is_gone_is_shown_by_its_number() -> None:
    """What it told stays."""
    async with _reading() as (engine, _):
        await receive(engine, call("m1", at=NOW_MS))
        await engine.define("source", "shop", None, "a test", NOW_MS)
        catalog = CatalogCache(engine, engine.clock)
        await catalog.create_key("other", Scope.READ, "a test")
        page = await People(engine, catalog, History(engine)).events("user_id", "ann", None, 10)
        assert page["events"][0]["source"] == "1"
