"""Where clients put their key, what it allows, and that a new key is not turned away."""

from __future__ import annotations

import asyncio
import base64

import pytest

from courtesy.base.time import ManualClock
from courtesy.engine_memory import Disk, MemoryEngine
from courtesy.http.auth import bearer_in, keys_of, write_keys_in
from courtesy.runtime.app import make_app
from courtesy.runtime.catalog import ROTATION_MS, Scope, Source
from courtesy.runtime.settings import Settings
from tests.unit.http.world import NOW_MS, World, batch, serving, track


def basic(text: str) -> str:
    """A Basic header."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def keys_in(authorization: bytes, x_write_key: bytes = b"") -> tuple[str, ...]:
    """The keys in these headers."""
    return write_keys_in({b"authorization": authorization, b"x-write-key": x_write_key})


@pytest.mark.parametrize(
    ("authorization", "x_write_key", "keys"),
    [
        (basic("k:"), "", ("k",)),
        (basic("k"), "", ("k",)),
        (basic("id:k"), "", ("k", "id")),
        (basic("k:").rstrip("="), "", ("k",)),
        ("basic " + basic("k:")[6:], "", ("k",)),
        ("Bearer k", "", ("k",)),
        ("bearer  k ", "", ("k",)),
        ("Bearer token", "k", ("token", "k")),
        ("", "k", ("k",)),
        ("", "id:k", ("k", "id")),
        (basic("a:"), "b", ("a", "b")),
        ("Basic !!!", "k", ("k",)),
        ("Digest k", "", ()),
        ("Basic", "", ()),
        ("", "", ()),
        ("", "k" * 600, ()),
    ],
)
def test_the_headers_may_carry_a_key_in_many_ways(authorization: str, x_write_key: str, keys: tuple[str, ...]) -> None:
    """In the order in which they are tried."""
    assert keys_in(authorization.encode(), x_write_key.encode()) == keys


def test_headers_of_any_bytes_carry_no_key() -> None:
    """And do not make it raise."""
    assert keys_in(b"\xff \xfe") == ()
    assert keys_in(b"Basic \xff\xfe", b"\xff") == ("\xff",)
    assert keys_in(b"Basic " + base64.b64encode(b"\xff\xff:")) == ("\ufffd\ufffd",)
    assert keys_in(b"Bearer " + b"x" * 100_000, b"k") == ()


def test_a_pair_is_tried_from_its_end() -> None:
    """The secret, then the id."""
    assert keys_of("id:secret") == ("secret", "id")
    assert keys_of("") == keys_of(":") == ()


def test_only_bearer_reads() -> None:
    """Remembered Basic credentials, which browsers send by themselves, change nothing."""
    assert bearer_in({b"authorization": b"Bearer k"}) == "k"
    assert bearer_in({b"authorization": basic("k:").encode()}) == ""


async def send(world: World, headers: dict[str, str], key_in_body: str | None = None, **more: object) -> int:
    """The status that a batch of one is answered with."""
    body = batch(track(), **({} if key_in_body is None else {"writeKey": key_in_body}), **more)
    return (await world.post("/v1/batch", body, headers=headers)).status_code


async def test_all_ways_to_send_a_write_key_work() -> None:
    """Header or body, with or without an id."""
    async with serving() as world:
        key = world.write
        assert await send(world, {"authorization": basic(f"{key}:")}) == 200
        assert await send(world, {"authorization": basic(f"shop:{key}")}) == 200
        assert await send(world, {"x-write-key": key}) == 200
        assert await send(world, {"x-write-key": f"shop:{key}"}) == 200
        assert await send(world, {"authorization": f"Bearer {key}"}) == 200
        assert await send(world, {}, key) == 200
        assert await send(world, {"authorization": "Bearer oauth-token"}, key) == 200
        assert await send(world, {"authorization": basic("wrong:")}, key) == 200
        assert await send(world, {}, f"shop:{key}") == 200
        only_in_items = {"batch": [{**track(), "writeKey": key}]}
        assert (await world.post("/v1/batch", only_in_items, headers={})).status_code == 200
        assert (await world.post("/v1/track", {**track(), "writeKey": key}, headers={})).status_code == 200


async def test_without_a_valid_key_nothing_is_stored() -> None:
    """401, with the way to do better; the body of such a request leaves no trace."""
    async with serving() as world:
        for headers, in_body in (({}, None), ({"x-write-key": "no"}, "neither"), ({"authorization": "Bearer x"}, None)):
            response = await world.post("/v1/batch", batch(track(), writeKey=in_body), headers=headers)
            assert response.status_code == 401
            assert response.json()["code"] == "unauthenticated"
            assert response.headers["www-authenticate"].startswith("Basic")
        assert (await world.post("/v1/batch", b"garbage", headers={"x-write-key": "no"})).status_code == 401
        assert await world.fates() == {}


async def test_a_key_that_may_not_write_is_told_so() -> None:
    """It is a mistake of the set-up, not of the key."""
    async with serving() as world:
        response = await world.post("/v1/batch", batch(track()), headers={"x-write-key": world.read})
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_an_admin_key_writes_only_to_a_source_that_it_names() -> None:
    """It belongs to none."""
    async with serving() as world:
        headers = {"authorization": f"Bearer {world.admin}"}
        assert (await world.post("/v1/batch", batch(track()), headers=headers)).status_code == 400
        assert (await world.post("/v1/batch?source=shop", batch(track()), headers=headers)).status_code == 200
        wrong = await world.post("/v1/batch?source=shap", batch(track()), headers=headers)
        assert (wrong.status_code, wrong.json()["hint"]) == (404, "did you mean 'shop'?")


async def test_a_write_key_writes_to_no_other_source() -> None:
    """Naming its own does no harm."""
    async with serving() as world:
        assert (await world.post("/v1/batch?source=shop", batch(track()))).status_code == 200
        assert (await world.post("/v1/batch?source=else", batch(track()))).status_code == 403


async def test_a_replaced_key_stays_valid_for_a_week() -> None:
    """Clients that still have it lose nothing."""
    async with serving() as world:
        await world.app.catalog.create_key("write", Scope.WRITE, "test", source="shop")
        assert await send(world, {"x-write-key": world.write}) == 200
        world.clock.advance(ROTATION_MS)
        assert await send(world, {"x-write-key": world.write}) == 401


async def test_the_key_of_a_source_that_is_gone_is_no_key() -> None:
    """Rather than an error of the server."""
    async with serving() as world:
        await world.app.engine.define("source", "shop", None, "test", NOW_MS)
        await world.app.catalog.refresh()
        assert await send(world, {"x-write-key": world.write}) == 401


async def test_a_key_made_in_another_process_is_known_at_once() -> None:
    """A client that was just given its key must not be turned away, or it drops its events for good."""
    disk = Disk()
    async with serving(MemoryEngine(ManualClock(NOW_MS), disk=disk)) as world:
        other_engine = MemoryEngine(world.clock, disk=disk)
        await other_engine.open()
        other = make_app(Settings(), other_engine, world.clock)
        await other.catalog.refresh()
        write = await other.catalog.create_key("new", Scope.WRITE, "test", source="shop")
        admin = await other.catalog.create_key("boss", Scope.ADMIN, "test")
        assert await send(world, {"x-write-key": write}) == 200
        await other.catalog.define_source("late", Source(), "test")
        assert (await world.get("/v1/status", key=admin)).status_code == 200
        await other_engine.close()


async def test_many_unknown_keys_at_once_cause_few_looks_at_the_store() -> None:
    """Whoever tries keys out is slowed down, and does not slow down the store."""

    class Counting(MemoryEngine):
        looks = 0

        async def catalog_version(self) -> int:
            type(self).looks += 1
            return await super().catalog_version()

    async with serving(Counting(ManualClock(NOW_MS))) as world:
        before = Counting.looks
        answers = await asyncio.gather(*(send(world, {"x-write-key": f"guess-{number}"}) for number in range(50)))
        assert set(answers) == {401}
        # One for those who came first, one for those who came while it was under way, and the catalogue's own watch.
        assert Counting.looks - before <= 4


async def test_when_the_store_is_silent_an_unknown_key_is_asked_to_come_again() -> None:
    """For it may be a good one; a known one is told the same when its events can't be stored."""
    async with serving() as world:
        await world.app.engine.close()
        for key in ("unknown", world.write):
            response = await world.post("/v1/batch", batch(track()), headers={"x-write-key": key})
            assert response.status_code == 503
            assert 0 < int(response.headers["retry-after"]) <= 300
        assert (await world.get("/v1/status", key="unknown")).status_code == 503
        await world.app.engine.open()


async def test_reading_needs_a_key_that_reads() -> None:
    """Read keys read people, admin keys everything, write keys nothing."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track()))
        path = "/v1/people/user_id/ann"
        assert (await world.get(path, world.read)).status_code == 200
        assert (await world.get(path, world.admin)).status_code == 200
        assert (await world.get(path, world.write)).status_code == 403
        assert (await world.get("/v1/status", world.read)).status_code == 403
        denied = await world.get(path, "")
        assert denied.status_code == 401
        assert denied.headers["www-authenticate"].startswith("Bearer")
        remembered = {"authorization": basic(f"{world.admin}:")}
        assert (await world.client.get(path, headers=remembered)).status_code == 401
