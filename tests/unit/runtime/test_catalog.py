"""The catalogue: keys and their rotation, sources, rules, subscriptions, and what other processes define."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine.contract import Definition, Unavailable
from courtesy.event.event import TRUST_RANK, Party
from courtesy.identity.rules import IdentifierKind, IdentityRules
from courtesy.person.catalog import DELAY_MS_MAX, Subscription
from courtesy.person.record import SYSTEM_SOURCE
from courtesy.runtime.catalog import (
    KEY,
    NAME_CHARS_MAX,
    ROTATION_MS,
    RULES,
    SOURCE,
    CatalogCache,
    Grant,
    Key,
    Scope,
    Source,
    digest_of,
)
from tests.unit.runtime.world import NOW_MS, Engine, opened

BY = "a test"
HOOK = Subscription("orders", "https://remote.example", ("Order Completed",), secrets=("whsec_x",))


@asynccontextmanager
async def _catalogs() -> AsyncIterator[tuple[Engine, CatalogCache, CatalogCache]]:
    """An engine, and the catalogues of two processes over one disk."""
    async with opened() as engine, opened(engine.clock, engine.disk) as other:
        yield engine, CatalogCache(engine, engine.clock), CatalogCache(other, other.clock)


async def _refused(doing: object) -> CourtesyError:
    with pytest.raises(CourtesyError) as caught:
        await doing  # type: ignore[misc]
    return caught.value


# -- keys


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_grants_its_scope(scope: Scope) -> None:
    """Its secret says what it is for, is told once, and is kept as a hash."""
    async with _catalogs() as (engine, catalog, _):
        secret = await catalog.create_key("app", scope, BY)
        assert secret.startswith(f"{scope}_")
        source = "app" if scope is Scope.WRITE else None
        assert catalog.grant(secret) == Grant("app", scope, source)
        _, definitions = await engine.definitions()
        assert all(secret.encode() not in each.body for each in definitions)
        assert {each.kind for each in definitions} == ({KEY, SOURCE} if scope is Scope.WRITE else {KEY})


@pytest.mark.parametrize("secret", ["", "write_", "write_unknown", "a\0b", "\ud800"])
async def test_what_is_no_key_grants_nothing(secret: str) -> None:
    """Whatever is sent in its place."""
    async with _catalogs() as (_, catalog, _other):
        await catalog.create_key("app", Scope.WRITE, BY)
        assert catalog.grant(secret) is None


async def test_a_write_key_belongs_to_a_source() -> None:
    """To one of its own name unless another is named, which is made when it is missing and left as it is otherwise."""
    async with _catalogs() as (_, catalog, _other):
        await catalog.define_source("shop", Source(party=Party.THIRD), BY)
        for name in ("web", "app"):
            secret = await catalog.create_key(name, Scope.WRITE, BY, source="shop")
            assert catalog.grant(secret) == Grant(name, Scope.WRITE, "shop")
        assert catalog.policy("shop").party is Party.THIRD
        assert "web" not in catalog.now.sources


@pytest.mark.parametrize("name", ["app", "x" * NAME_CHARS_MAX])
async def test_a_replaced_key_stays_valid_for_a_week(name: str) -> None:
    """Long enough for every client to be given the new one, to the millisecond; the new one has no end."""
    async with _catalogs() as (engine, catalog, _):
        old, new = [await catalog.create_key(name, Scope.READ, BY) for _ in range(2)]
        engine.clock.advance(ROTATION_MS - 1)
        assert {catalog.grant(secret) is not None for secret in (old, new)} == {True}
        engine.clock.advance(1)
        assert catalog.grant(old) is None
        assert catalog.grant(new) == Grant(name, Scope.READ, None)


async def test_keys_replaced_at_once_are_all_kept() -> None:
    """Each for its week, though the clock did not move in between."""
    async with _catalogs() as (_, catalog, _other):
        secrets = [await catalog.create_key("app", Scope.READ, BY) for _ in range(4)]
        assert all(catalog.grant(secret) is not None for secret in secrets)


async def test_a_rotation_that_is_broken_off_leaves_the_old_key_as_it_was() -> None:
    """Written under its new name with an end, but not yet replaced: it stays without one."""
    async with _catalogs() as (engine, catalog, _):
        secret = await catalog.create_key("app", Scope.READ, BY)
        ends = msgspec.json.encode(Key(digest_of(secret), Scope.READ, expires_ms=NOW_MS + 1))
        for name in ("a", "z"):
            await engine.define(KEY, name, ends, BY, NOW_MS)
        await catalog.refresh()
        engine.clock.advance(ROTATION_MS)
        assert catalog.grant(secret) == Grant("app", Scope.READ, None)


async def test_a_revoked_key_is_invalid_at_once() -> None:
    """For the process that revoked it, and for others when they look."""
    async with _catalogs() as (_, catalog, other):
        secret = await catalog.create_key("app", Scope.READ, BY)
        await other.refresh()
        await catalog.revoke_key("app", BY)
        await other.refresh()
        assert (catalog.grant(secret), other.grant(secret)) == (None, None)


async def test_what_another_process_made_can_be_revoked() -> None:
    """Though this one has not heard of it yet."""
    async with _catalogs() as (_, catalog, other):
        await other.create_key("app", Scope.READ, BY)
        await catalog.revoke_key("app", BY)
        assert catalog.now.keys == {}


# -- errors


async def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    """For sources, keys and subscriptions alike."""
    async with _catalogs() as (_, catalog, _other):
        await catalog.create_key("mobile", Scope.WRITE, BY)
        await catalog.define_subscription(HOOK, BY)
        refusals = [
            await _refused(catalog.revoke_key("mobil", BY)),
            await _refused(catalog.remove_subscription("order", BY)),
        ]
        with pytest.raises(CourtesyError) as caught:
            catalog.policy("mobille")
        for error, meant in zip([*refusals, caught.value], ["mobile", "orders", "mobile"], strict=True):
            assert (error.code, error.hint) == (Code.NOT_FOUND, f"did you mean {meant!r}?")


@pytest.mark.parametrize("name", ["", "x" * (NAME_CHARS_MAX + 1), "a\0b"])
async def test_a_name_that_can_not_be_is_refused(name: str) -> None:
    """With its place, for whatever is to be defined; nothing is left of it."""
    async with _catalogs() as (_, catalog, _other):
        hook = msgspec.structs.replace(HOOK, name=name)
        for doing in (
            catalog.create_key(name, Scope.WRITE, BY),
            catalog.create_key(name, Scope.READ, BY),
            catalog.define_source(name, Source(), BY),
            catalog.define_subscription(hook, BY),
        ):
            error = await _refused(doing)
            assert (error.code, error.place) == (Code.INVALID, "name")
        assert catalog.now.revisions == {}


@pytest.mark.parametrize(("rank", "fits"), [(0, True), (99, True), (-1, False), (100, False)])
async def test_a_rank_lies_between_0_and_99(rank: int, fits: bool) -> None:
    """100 is for corrections, which a sender asks for event by event."""
    async with _catalogs() as (_, catalog, _other):
        if fits:
            await catalog.define_source("shop", Source(rank=rank), BY)
            assert catalog.policy("shop").rank == rank
        else:
            error = await _refused(catalog.define_source("shop", Source(rank=rank), BY))
            assert (error.code, error.place) == (Code.INVALID, "rank")
            assert str(rank) in error.message


@pytest.mark.parametrize(
    ("hook", "place"),
    [
        (msgspec.structs.replace(HOOK, delay_ms=-1), "delay_ms"),
        (msgspec.structs.replace(HOOK, delay_ms=DELAY_MS_MAX + 1), "delay_ms"),
        (msgspec.structs.replace(HOOK, events=()), "events"),
    ],
)
async def test_a_subscription_that_can_not_be_is_refused(hook: Subscription, place: str) -> None:
    """With what was expected of which field."""
    async with _catalogs() as (_, catalog, _other):
        error = await _refused(catalog.define_subscription(hook, BY))
        assert (error.code, error.place) == (Code.INVALID, place)
        assert error.message.startswith("expected")


async def test_rules_that_can_not_work_are_not_defined() -> None:
    """Those in force stay."""
    async with _catalogs() as (_, catalog, _other):
        error = await _refused(catalog.define_rules(IdentityRules(kinds=()), BY))
        assert error.code is Code.INVALID
        assert catalog.rules() == IdentityRules()


# -- what is in force


async def test_a_source_has_the_rank_of_its_party_unless_it_says_otherwise() -> None:
    """Zero before first before second before third; the number stays when a source is declared anew."""
    async with _catalogs() as (_, catalog, _other):
        for party in Party:
            number = await catalog.define_source("shop", Source(party=party), BY)
            assert (catalog.policy("shop").rank, catalog.policy("shop").source) == (TRUST_RANK[party], number)
        told = Source(Party.SECOND, "sales", 7, True, ("marketing",), False)
        assert await catalog.define_source("shop", told, BY) == number
        policy = catalog.policy("shop")
        assert (policy.rank, policy.paused, policy.consent_categories) == (7, True, ("marketing",))
        assert policy.traits_identify is False
        await catalog.ensure_source("shop", Source(), BY)
        assert catalog.policy("shop") == policy


async def test_definitions_reach_other_processes() -> None:
    """Rules, sources and subscriptions, each as it was made; the version of the fold's catalogue rises."""
    rules = IdentityRules(kinds=(*IdentityRules().kinds, IdentifierKind("till", 25, 1)))
    async with _catalogs() as (_, catalog, other):
        before = other.catalog().version
        await catalog.define_rules(rules, BY)
        await catalog.define_source("shop", Source(owner="sales"), BY)
        await catalog.define_subscription(HOOK, BY)
        await other.refresh()
        assert other.rules() == rules
        assert other.now.sources["shop"][1].owner == "sales"
        assert other.catalog().subscriptions == (HOOK,)
        assert await other.subscription("orders") == HOOK
        assert other.catalog().version > before
        await catalog.remove_subscription("orders", BY)
        await other.refresh()
        assert other.catalog().subscriptions == ()


async def test_a_subscription_is_looked_for_in_the_store_before_it_is_gone() -> None:
    """A dispatcher may be asked for one of which it has not heard."""
    async with _catalogs() as (_, catalog, other):
        await catalog.define_subscription(HOOK, BY)
        assert await other.subscription("orders") == HOOK
        assert await other.subscription("unknown") is None


class _Counting(Engine):
    """An engine that counts how often it is asked for definitions or their version."""

    asked_count = 0

    async def catalog_version(self) -> int:
        self.asked_count += 1
        return await super().catalog_version()


async def test_the_store_is_asked_for_a_source_only_when_its_number_is_new() -> None:
    """Once for all who read meanwhile; and for one that was removed never again."""
    async with opened() as engine:
        catalog, counting = CatalogCache(engine, engine.clock), _Counting(engine.clock, engine.disk)
        await counting.open()
        reading = CatalogCache(counting, counting.clock)
        shop, gone, new = [await catalog.define_source(name, Source(), BY) for name in ("shop", "gone", "new")]
        await engine.define(SOURCE, "gone", None, BY, NOW_MS)
        await reading.refresh()
        counting.asked_count = 0
        assert await reading.source_names([]) == {0: "courtesy", shop: "shop", new: "new"}
        await reading.source_names([SYSTEM_SOURCE, shop, new])
        assert counting.asked_count == 0
        answers = await asyncio.gather(*(reading.source_names([shop, gone]) for _ in range(5)))
        assert all(gone not in each for each in answers)
        assert counting.asked_count == 1
        latest = await catalog.define_source("latest", Source(), BY)
        answers = await asyncio.gather(*(reading.source_names([gone, latest]) for _ in range(5)))
        assert {each[latest] for each in answers} == {"latest"}
        assert counting.asked_count == 2
        await counting.close()


async def test_an_unknown_source_is_asked_for_again_after_an_outage() -> None:
    """That nobody answered does not mean that it is gone."""
    async with _catalogs() as (engine, catalog, other):
        shop = await other.define_source("shop", Source(), BY)
        await engine.close()
        with pytest.raises(Unavailable):
            await catalog.source_names([shop])
        await engine.open()
        assert (await catalog.source_names([shop]))[shop] == "shop"


async def test_a_running_catalogue_follows_the_store() -> None:
    """Through an outage, and past a definition that it can't read: what it knows stays in force until it can."""
    async with opened() as engine, opened(engine.clock, engine.disk) as own:
        catalog = CatalogCache(own, own.clock, refresh_ms=1)
        await catalog.start()
        await engine.define(RULES, "default", b'{"from": "a newer version"}', BY, NOW_MS)
        await asyncio.sleep(0.01)
        await own.close()
        await asyncio.sleep(0.01)
        assert catalog.rules() == IdentityRules()
        await own.open()
        await engine.define(RULES, "default", msgspec.json.encode(IdentityRules(alarm_degree=9)), BY, NOW_MS)
        while catalog.rules().alarm_degree != 9:
            await asyncio.sleep(0.001)
        await catalog.stop()


async def test_an_answer_that_comes_late_does_not_undo_a_newer_one() -> None:
    """Two refreshes at once, of which the one that read first ends last."""
    async with opened() as engine:
        slow = _Slow(engine.clock, engine.disk)
        await slow.open()
        catalog = CatalogCache(slow, slow.clock)
        await engine.define(SOURCE, "first", msgspec.json.encode(Source()), BY, NOW_MS)
        slow.hold = asyncio.Event()
        late = asyncio.ensure_future(catalog.refresh())
        await asyncio.sleep(0)
        held, slow.hold = slow.hold, None
        await engine.define(SOURCE, "second", msgspec.json.encode(Source()), BY, NOW_MS)
        await catalog.refresh()
        held.set()
        await late
        assert set(catalog.now.sources) == {"first", "second"}
        await slow.close()


class _Slow(Engine):
    """An engine whose answers about definitions wait while `hold` is there."""

    hold: asyncio.Event | None = None

    async def definitions(self) -> tuple[int, list[Definition]]:
        hold, answer = self.hold, await super().definitions()
        if hold is not None:
            await hold.wait()
        return answer


async def test_starting_without_a_store_is_refused() -> None:
    """A process must not run by rules that it made up."""
    async with opened() as engine:
        catalog = CatalogCache(engine, engine.clock)
        await engine.close()
        with pytest.raises(Unavailable):
            await catalog.start()
        await catalog.stop()
