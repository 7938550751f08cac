"""Catalogues over every engine: entries and what they said before, and that exactly the interested hear of a change."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId, Position, partition_of
from courtesy.base.time import DAY_MS, ManualClock
from courtesy.catalogue.change import BACK_IN_STOCK, CHANGED, OUT_OF_STOCK, PRICE_DROPPED, PRICE_ROSE, RETIRED, RETURNED
from courtesy.catalogue.definition import CatalogueDefinition, EntryField, FieldType, Interest
from courtesy.catalogue.entry import VERSIONS_KEPT, EntryKey
from courtesy.catalogue.interest import Seen
from courtesy.engine.catalogue import EntryFilter, InterestState
from courtesy.engine.contract import Engine
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.person.record import RecordKind
from courtesy.runtime.app import App
from courtesy.runtime.catalogues import Given, Outcome
from courtesy.runtime.interest import InterestFollower
from tests.contract.builders import NOW_MS, SHOP, Message, Store, fold_all, read, receive, record, write
from tests.contract.test_offers import working

VIEWED = Interest("Product Viewed", "product_id", 30)
CART = Interest("Cart Viewed", "products.product_id", 5)
PRODUCTS = CatalogueDefinition(
    fields={"price": EntryField(FieldType.MONEY, currency="EUR"), "stock": EntryField(FieldType.STOCK)},
    interest=(VIEWED, CART),
)


async def put(app: App, id_: str, **values: Any) -> Outcome:
    """Have an entry of the products say something."""
    (made,) = await app.shelf.catalogues.write("products", [Given(id_, values)], "test")
    return made.outcome


async def known(engine: Engine, user: str) -> PersonId:
    """Somebody is known."""
    await receive(engine, Message(f"known-{user}", (f"user_id:{user}",)))
    return (await read(engine, f"user_id:{user}")).person


async def view(
    engine: Engine, user: str, *skus: str, at: int = NOW_MS, name: str = "Product Viewed", key: str = ""
) -> Position:
    """Somebody shows interest in products."""
    person = (await read(engine, user if ":" in user else f"user_id:{user}")).person
    named = {"product_id": skus[0]} if name == VIEWED.event else {"products": [{"product_id": sku} for sku in skus]}
    message = key or f"{name}-{user}-{'-'.join(skus)}-{at}"
    ids = (user if ":" in user else f"user_id:{user}",)
    properties = msgspec.Raw(msgspec.json.encode(named))
    event = Event(message, EventType.TRACK, at, at, SHOP, 30, Party.FIRST, ids, name=name, properties=properties)
    return await write(engine, record(person, message, at=at, received=at, payload=encode(event)))


def follower(engine: Engine, definition: CatalogueDefinition = PRODUCTS, now_ms: int = NOW_MS) -> InterestFollower:
    """What tells of changes of the products."""
    return InterestFollower(engine, lambda: {"products": definition}, ManualClock(now_ms))


async def follow(engine: Engine, definition: CatalogueDefinition = PRODUCTS) -> None:
    """Tell all that there is to be told."""
    one = follower(engine, definition)
    while await one.follow():
        continue


async def told(engine: Engine, user: str) -> list[dict[str, Any]]:
    """What somebody heard of changes, in order, with the name of each event."""
    found = await read(engine, user if ":" in user else f"user_id:{user}")
    records = await engine.records_of([found.person, *found.merged], None, 1_000)
    events = [msgspec.json.decode(each.payload) for each in records[::-1] if each.kind == RecordKind.EVENT]
    return [{"name": each["name"], **each["properties"]} for each in events if each["type"] == "system"]


async def names(engine: Engine, user: str) -> list[str]:
    """The names of what somebody heard."""
    return [each["name"] for each in await told(engine, user)]


# -- entries


async def test_an_entry_says_what_it_was_told_last(engine: Engine) -> None:
    """What is the same makes no version, the price before stays known with its end, and retired ones come back."""
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        assert await put(app, "p1", price=20, stock=3, title={"de": "Tasse"}) is Outcome.NEW
        assert await put(app, "p1", price=20, stock=3, title={"de": "Tasse"}) is Outcome.SAME
        assert await put(app, "p1", price=15.5, stock=3, title={"de": "Tasse"}) is Outcome.CHANGED
        (patched,) = await app.shelf.catalogues.write(
            "products", [Given("p1", {"title": {"en": "Mug"}}, patch=True)], "test"
        )
        assert (patched.outcome, patched.fields) == (Outcome.CHANGED, ("title",))
        entry = await app.shelf.catalogues.entry("products", "p1")
        assert entry.values == {"price": 15.5, "stock": 3, "title": {"de": "Tasse", "en": "Mug"}}
        assert {name: (each.value, each.until_ms) for name, each in entry.was.items()} == {"price": (20, NOW_MS)}
        assert (entry.version, entry.changed_by, entry.retired_ms) == (3, "test", None)
        (gone,) = await app.shelf.catalogues.write("products", [Given("p1", None)], "test")
        assert (gone.outcome, gone.entry.retired_ms) == (Outcome.RETIRED, NOW_MS)
        assert await app.shelf.catalogues.page("products", "", "", None, "", 10) == []
        assert tuple(await app.shelf.catalogues.count("products")) == (0, 1)
        assert await put(app, "p1", price=15.5) is Outcome.RETURNED
        versions = await app.shelf.catalogues.versions("products", "p1")
        assert [(each.number, each.is_retired) for each in versions] == [
            (5, False), (4, True), (3, False), (2, False), (1, False)
        ]  # fmt: skip
        assert versions[-1].body == b'{"price":20,"stock":3,"title":{"de":"Tasse"}}'


async def test_all_of_a_batch_or_nothing(engine: Engine) -> None:
    """One that is not as declared keeps out the others, and is named; ids are once in it."""
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        given = [Given("p1", {"price": 1}), Given("p2", {"price": "cheap"})]
        with pytest.raises(CourtesyError) as caught:
            await app.shelf.catalogues.write("products", given, "test")
        assert caught.value.place == "p2.price"
        with pytest.raises(CourtesyError, match="twice"):
            await app.shelf.catalogues.write("products", [Given("p1", {}), Given("p1", {})], "test")
        with pytest.raises(CourtesyError, match="no entry"):
            await app.shelf.catalogues.write("products", [Given("p1", {}), Given("p3", None)], "test")
        with pytest.raises(CourtesyError, match="did you mean 'products'"):
            await app.shelf.catalogues.write("product", [Given("p1", {})], "test")
        assert tuple(await app.shelf.catalogues.count("products")) == (0, 0)


async def test_entries_are_found_by_what_they_have(engine: Engine) -> None:
    """By a text, a number, one of a list or something inside a field; page by page, and by when they changed."""
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        for number in range(7):
            sizes = ["S", "M"] if number % 2 else ["L"]
            await put(
                app, f"p{number}", size=sizes, made={"in": "Köln"}, weight=number, price=number + 1, note="x" * 300
            )

        async def found(field: str, value: str, after: str = "", limit: int = 10) -> list[str]:
            page = await app.shelf.catalogues.page("products", field, value, None, after, limit)
            return [each.id for each in page]

        assert await found("size", "M") == ["p1", "p3", "p5"]
        assert await found("made.in", "Köln", after="p2", limit=2) == ["p3", "p4"]
        assert await found("weight", "3") == ["p3"]
        assert await found("size", "XL") == []
        assert await found("", "", after="p5") == ["p6"]
        assert await engine.catalogue_page("products", EntryFilter(since_ms=NOW_MS + 1), "", 10) == []
        keys = [EntryKey("products", "p1"), EntryKey("products", "none"), EntryKey("stores", "p1")]
        assert list(await engine.catalogue_entries(keys)) == keys[:1]


async def test_of_many_versions_the_newest_stay(engine: Engine) -> None:
    """A price that changes every minute does not fill the disk."""
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", CatalogueDefinition(), "test")
        for number in range(VERSIONS_KEPT + 3):
            await put(app, "p1", price=number)
        versions = await app.shelf.catalogues.versions("products", "p1")
    assert [each.number for each in versions] == list(range(VERSIONS_KEPT + 3, 3, -1))


async def test_edits_at_once_lose_nothing(engine: Engine, store: Store) -> None:
    """Each builds on the one before, whichever process makes it."""
    async with store.another() as other, working(engine) as one, working(other) as two:
        await one.shelf.catalogues.define("products", CatalogueDefinition(), "test")
        await put(one, "p1")
        patches = [
            app.shelf.catalogues.write("products", [Given("p1", {f"f{number}": number}, patch=True)], "test")
            for number, app in enumerate((one, two) * 6)
        ]
        await asyncio.gather(*patches)
        entry = await one.shelf.catalogues.entry("products", "p1")
    assert entry.values == {f"f{number}": number for number in range(12)}
    assert entry.version == 13


async def test_a_catalogue_that_is_removed_is_gone(engine: Engine) -> None:
    """With its entries, and with what was to be told."""
    await known(engine, "ann")
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await put(app, "p1", price=2)
        await view(engine, "ann", "p1")
        await put(app, "p1", price=1)
        await app.shelf.catalogues.remove("products", "test")
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        assert tuple(await app.shelf.catalogues.count("products")) == (0, 0)
        await follow(engine)
    assert await told(engine, "ann") == []


# -- who hears of a change


async def test_who_showed_interest_before_a_change_hears_of_it(engine: Engine) -> None:
    """Though nothing of it was indexed yet; not who did so afterwards, nor in something else, nor too long ago."""
    for user in ("ann", "bob", "cyd", "dan", "eve"):
        await known(engine, user)
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await put(app, "p1", price=20)
        await view(engine, "ann", "p1")
        await view(engine, "bob", "p2")
        await view(engine, "cyd", "p1", at=NOW_MS - 30 * DAY_MS)
        await view(engine, "dan", "p0", "p1", at=NOW_MS - 4 * DAY_MS, name="Cart Viewed")
        await put(app, "p1", price=15)
        await view(engine, "eve", "p1")
        await follow(engine)
        expected = {
            "name": PRICE_DROPPED, "product_id": "p1", "catalogue": "products", "item": "p1",
            "field": "price", "from": 20, "to": 15,
        }  # fmt: skip
        assert {user: await told(engine, user) for user in ("ann", "bob", "cyd", "dan", "eve")} == {
            "ann": [expected], "bob": [], "cyd": [], "dan": [expected], "eve": [],
        }  # fmt: skip
        await put(app, "p1", price=16)
        await follow(engine)
    assert await names(engine, "eve") == [PRICE_ROSE]
    assert await names(engine, "ann") == [PRICE_DROPPED, PRICE_ROSE]


async def test_each_kind_of_news_has_its_name(engine: Engine) -> None:
    """Stock that comes and goes, not how much there is; any field that is declared to tell; retiring and returning."""
    await known(engine, "ann")
    fields = {**PRODUCTS.fields, "shelf": EntryField(FieldType.TEXT, tells=True), "note": EntryField(FieldType.TEXT)}
    definition = msgspec.structs.replace(PRODUCTS, fields=fields)
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", definition, "test")
        await put(app, "p1", stock=3, shelf="A", note="x", price=1)
        await view(engine, "ann", "p1")
        await put(app, "p1", stock=2, shelf="A", note="y", price=1.0)
        await put(app, "p1", stock=0, shelf="A", price=1)
        await put(app, "p1", stock=9, shelf="B", price={"amount": 1, "currency": "CHF"})
        await app.shelf.catalogues.write("products", [Given("p1", None)], "test")
        await put(app, "p1", stock=1)
        await follow(engine, definition)
    assert await names(engine, "ann") == [OUT_OF_STOCK, CHANGED, CHANGED, BACK_IN_STOCK, RETIRED, RETURNED]


async def test_everybody_is_told_once(engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By two processes at once, of which one dies before it notes how far it came."""
    monkeypatch.setattr("courtesy.runtime.interest.PAGE_PEOPLE", 2)
    users = [f"u{number}" for number in range(7)]
    for user in users:
        await known(engine, user)
    async with store.another() as other, working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await put(app, "p1", price=20)
        for user in users:
            await view(engine, user, "p1")
        await put(app, "p1", price=10)
        with monkeypatch.context() as patched:
            patched.setattr(engine, "move_change", _dies)
            with pytest.raises(ConnectionError):
                await follow(engine)
        assert sum([len(await told(engine, user)) for user in users]) == 2
        await asyncio.gather(follow(engine), follow(other))
    assert Counter([len(await told(engine, user)) for user in users]) == {1: 7}


async def _dies(*_: object) -> None:
    raise ConnectionError


async def test_who_became_one_meanwhile_hears_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the one who was told already became part of the other."""
    monkeypatch.setattr("courtesy.runtime.interest.PAGE_PEOPLE", 1)
    await known(engine, "ann")
    await receive(engine, Message("known-x1", ("anonymous_id:x1",)))
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await put(app, "p1", price=20)
        await view(engine, "ann", "p1")
        await view(engine, "anonymous_id:x1", "p1")
        await put(app, "p1", price=10)
        with monkeypatch.context() as patched:
            patched.setattr(engine, "move_change", _dies)
            with pytest.raises(ConnectionError):
                await follow(engine)
        await receive(engine, Message("same", ("user_id:ann", "anonymous_id:x1")))
        await follow(engine)
    assert await names(engine, "ann") == [PRICE_DROPPED]


async def test_interest_goes_with_its_event(engine: Engine) -> None:
    """To whom it belongs once two are cut apart."""
    await known(engine, "ann")
    await receive(engine, Message("known-x1", ("anonymous_id:x1",)))
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await put(app, "p1", price=20)
        await receive(engine, Message("same", ("user_id:ann", "anonymous_id:x1")))
        await view(engine, "anonymous_id:x1", "p1")
        await fold_all(engine)
        await follow(engine)
        await app.repairs.unmerge("user_id:ann", "anonymous_id:x1", "test", "", dry=False)
        await put(app, "p1", price=10)
        await follow(engine)
        assert await names(engine, "anonymous_id:x1") == [PRICE_DROPPED]
        assert await names(engine, "user_id:ann") == []


async def test_each_part_keeps_the_interest_that_it_showed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the other part showed the same later, when both were one; together they hear once, also where a page of
    the index ends between them."""
    monkeypatch.setattr("courtesy.runtime.interest.PAGE_PEOPLE", 1)
    await known(engine, "ann")
    await receive(engine, Message("known-x1", ("anonymous_id:x1",)))
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await put(app, "p1", price=20)
        await receive(engine, Message("same", ("user_id:ann", "anonymous_id:x1")))
        await view(engine, "user_id:ann", "p1")
        await view(engine, "anonymous_id:x1", "p1")
        await put(app, "p1", price=15)
        await follow(engine)
        assert await names(engine, "user_id:ann") == [PRICE_DROPPED]
        await fold_all(engine)
        await app.repairs.unmerge("user_id:ann", "anonymous_id:x1", "test", "", dry=False)
        before = {who: await names(engine, who) for who in ("user_id:ann", "anonymous_id:x1")}
        await put(app, "p1", price=10)
        await follow(engine)
        for who, had in before.items():
            assert await names(engine, who) == [*had, PRICE_DROPPED]


async def test_nobody_hears_who_is_erased(engine: Engine, tmp_path: Path) -> None:
    """Neither by what the index had of them, nor by what was read of the log before and comes to it after."""
    ann = await known(engine, "ann")
    await known(engine, "bob")
    async with working(engine, str(tmp_path)) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await put(app, "p1", price=20)
        await view(engine, "ann", "p1")
        await follow(engine)
        position = await view(engine, "ann", "p1", key="again")
        state = await engine.interest_state("products")
        await fold_all(engine)
        await app.eraser.erase("user_id:ann", "test", "asked", suppress=True)
        late = Seen("p1", ann, NOW_MS + DAY_MS, position, partition_of(ann))
        assert await engine.save_interest("products", state, position, [late])
        await put(app, "p1", price=10)
        change = await engine.next_change("products")
        assert change is not None
        assert await engine.interested(change, 10) == []
        head = await engine.head()
        await follow(engine)
    assert await engine.head() == head


async def test_the_index_waits_for_changes(engine: Engine) -> None:
    """Its cursor does not pass one that is not told, nor does one who is not up to date move it."""
    ann = await known(engine, "ann")
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await engine.watch_catalogue("products", PRODUCTS.watched)
        await put(app, "p1", price=20)
        await put(app, "p1", price=10)
        change = await engine.next_change("products")
        assert change is not None
        position = await view(engine, "ann", "p1")
        seen = [Seen("p1", ann, NOW_MS + DAY_MS, position, partition_of(ann))]
        start = InterestState(PRODUCTS.watched, Position(0))
        assert change.position < position
        assert not await engine.save_interest("products", start, position, seen)
        assert await engine.interested(change, 10) == []
        assert await engine.save_interest("products", start, change.position, [])
        assert not await engine.save_interest("products", start, change.position, [])
        await engine.end_change(change)
        assert await engine.save_interest("products", start._replace(position=change.position), position, seen)
        assert await engine.interest_position(["products", "stores"]) == position
        assert await engine.interest_position(["stores"]) is None


async def test_interest_is_forgotten_when_it_is_over(engine: Engine) -> None:
    """But not while a change may still ask for it."""
    await known(engine, "ann")
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", PRODUCTS, "test")
        await put(app, "p1", price=20)
        await view(engine, "ann", "p1")
        await follow(engine)
        await put(app, "p1", price=10)
        assert await engine.forget_interest(NOW_MS + 31 * DAY_MS) == 0
        await follow(engine)
        assert await engine.forget_interest(NOW_MS + 29 * DAY_MS) == 0
        assert await engine.forget_interest(NOW_MS + 31 * DAY_MS) == 1
    assert await names(engine, "ann") == [PRICE_DROPPED]


async def test_another_interest_is_found_from_the_beginning(engine: Engine) -> None:
    """What the log still has counts, also of before it was declared; with none declared nobody is told any more."""
    await known(engine, "ann")
    await view(engine, "ann", "p1", name="Cart Viewed")
    carts = msgspec.structs.replace(PRODUCTS, interest=(CART,))
    nobody = msgspec.structs.replace(PRODUCTS, interest=())
    async with working(engine) as app:
        await app.shelf.catalogues.define("products", carts, "test")
        await put(app, "p1", price=20)
        await put(app, "p1", price=10)
        await follow(engine, carts)
        assert await names(engine, "ann") == [PRICE_DROPPED]
        await put(app, "p1", price=5)
        await follow(engine, nobody)
        assert await engine.next_change("products") is None
        await follow(engine, carts)
    assert await names(engine, "ann") == [PRICE_DROPPED]
