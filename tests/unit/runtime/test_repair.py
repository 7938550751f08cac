"""Repairs: people cut apart and put back, as if what linked them had never been believed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import HOUR_MS, ManualClock
from courtesy.event.accept import Accepted, Rejected
from courtesy.person.assemble import assemble
from courtesy.person.catalog import Subscription
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.messages import Held, Messages
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.history import History
from courtesy.runtime.repair import Cut, Repairs, cut_view
from tests.unit.runtime.world import NOW_MS, SHOP, Engine, call, ingesting, opened

ANN, DEVICE, MAIL = "user_id:ann", "anonymous_id:device-1", "email:ann@example.com"
HOOK = Subscription("cart", "http://127.0.0.1/", ("Cart Viewed",), 2 * HOUR_MS, ("Order Completed",))


@dataclass(slots=True)
class World:
    """A store with all that repairs need, folded when asked."""

    engine: Engine
    repairs: Repairs
    worker: FoldWorker

    async def store(self, *calls: Accepted | Rejected) -> None:
        """Store calls one by one, and fold them."""
        async with ingesting(self.engine) as ingest:
            for each in calls:
                receipt = await ingest.append([each], SHOP)
                assert receipt.stored_count == 1
        await self.fold()

    async def fold(self) -> None:
        """Fold until nothing is left."""
        await self.worker.claim()
        while await self.worker.fold_once():
            pass

    async def state(self, identifier: str) -> PersonState:
        """The person as they are read."""
        reading = await self.engine.read_person(identifier)
        assert reading is not None
        return assemble(reading.person, reading.merged, reading.states, reading.tail)

    async def stored(self, identifier: str) -> bytes:
        """The person's state as it is stored, all being folded; None and they have none."""
        (content,) = (await self.engine.states([self.engine.owner(identifier)])).values()
        return content

    async def hold(self, message: str, person: PersonId, held: Held) -> None:
        """Hold room for a message in somebody's state, as if the fold had let it through."""
        state = decode_state(self.engine.disk.folding.states[person])
        state.messages = state.messages or Messages()
        state.messages.held[message] = held
        self.engine.disk.folding.states[person] = encode_state(state)
        await self.worker.release()

    async def held(self, identifier: str) -> set[str]:
        """The messages for which somebody has room held."""
        return set(((await self.state(identifier)).messages or Messages()).held)

    async def unmerge(self, a: str, b: str) -> Cut:
        """Cut two identifiers apart, after a look at what would be, which must change nothing."""
        before = self.engine.log()
        planned = await self.repairs.unmerge(a, b, "eve", "not hers", dry=True)
        assert self.engine.log() == before
        cut = await self.repairs.unmerge(a, b, "eve", "not hers", dry=False)
        assert [piece.part.identifiers for piece in cut.pieces] == [each.part.identifiers for each in planned.pieces]
        return cut


@asynccontextmanager
async def world(*subscriptions: Subscription) -> AsyncIterator[World]:
    """A world in which these subscriptions are defined."""
    clock = ManualClock(NOW_MS - HOUR_MS)
    async with opened(clock) as engine:
        catalog = CatalogCache(engine, clock)
        await catalog.refresh()
        for each in subscriptions:
            await catalog.define_subscription(each, "tests")
        worker = FoldWorker(engine, catalog.catalog, clock, "folder")
        clock.set(NOW_MS)
        yield World(engine, Repairs(engine, catalog, History(engine), clock), worker)


def login(message_id: str, **fields: Any) -> Accepted | Rejected:
    """Ann identifies herself on the device: what links the two."""
    return call(message_id, type="identify", event=None, anonymousId="device-1", traits={"plan": "pro"}, **fields)


def seen(message_id: str, **fields: Any) -> Accepted | Rejected:
    """Somebody looks at something on the device."""
    return call(message_id, userId=None, anonymousId="device-1", **fields)


async def test_what_a_link_joined_is_two_again() -> None:
    """Both have their own number, identifiers, events and facts, those of after the merge too."""
    async with world() as shop:
        await shop.store(seen("d1"), seen("d2", properties={"price": 5}), call("a1"))
        device, ann = shop.engine.owner(DEVICE), shop.engine.owner(ANN)
        await shop.store(login("link"), seen("d3"), call("a2"))
        assert shop.engine.owner(DEVICE) == ann
        cut = await shop.unmerge(ANN, DEVICE)
        await shop.fold()
        assert (shop.engine.owner(ANN), shop.engine.owner(DEVICE)) == (ann, device)
        assert (await shop.state(DEVICE)).event_count == 3
        assert {each.message_id for each in (await shop.state(ANN)).recent} == {"a1", "link", "a2"}
        view = cut_view(cut)
        assert [each["events"] for each in view["people"]] == [3, 3]
        assert view["events_moved"] == 1


@pytest.mark.parametrize("folded", [True, False])
async def test_both_are_as_if_the_link_had_never_been_believed(*, folded: bool) -> None:
    """Byte for byte what two people come to whose events were kept apart all the time."""
    before = [seen("d1"), call("a1", properties={"price": 3}), seen("d2")]
    after = [
        seen("d3", properties={"price": 7}),
        call("a2"),
        call("a3", type="identify", event=None, traits={"plan": "free"}),
    ]
    async with world() as joined, world() as apart:
        await joined.store(*before, login("link"), *after)
        cut = await joined.unmerge(ANN, DEVICE)
        if folded:
            await joined.fold()
        await apart.store(*before)
        await apart.store(*(each for each in after))
        # Who carried both was refused the device: it is Ann's event.
        alone = await apart.state(DEVICE)
        found = await joined.state(DEVICE)
        alone.person = found.person
        assert encode_state(found) == encode_state(alone)
        assert cut.position == joined.engine.log()[-1].position


async def test_a_split_that_is_put_back_gives_the_same_bytes() -> None:
    """Split off by hand, and merged by hand again: the person is stored as before."""
    async with world() as shop:
        await shop.store(seen("d1"), call("a1"), login("link"), seen("d2"), call("a2", properties={"price": 9.5}))
        before = await shop.stored(ANN)
        await shop.repairs.split(ANN, [DEVICE], "eve", "a look", dry=False)
        await shop.fold()
        assert await shop.stored(ANN) != before
        await shop.repairs.merge(ANN, DEVICE, "eve", "it was hers", dry=False)
        await shop.fold()
        assert await shop.stored(ANN) == before
        await shop.unmerge(ANN, DEVICE)
        await shop.fold()
        await shop.repairs.merge(ANN, DEVICE, "eve", "after all", dry=False)
        await shop.fold()
        assert await shop.stored(ANN) == before


async def test_a_ban_keeps_them_apart() -> None:
    """An event that carries both links them no more, until somebody merges them by hand."""
    async with world() as shop:
        await shop.store(seen("d1"), call("a1"), login("link"))
        await shop.unmerge(ANN, DEVICE)
        await shop.store(login("once more"), seen("d2"))
        assert shop.engine.owner(ANN) != shop.engine.owner(DEVICE)
        assert not shop.engine.owners(DEVICE)[0].shared
        await shop.repairs.merge(DEVICE, ANN, "eve", "it was hers", dry=False)
        await shop.store(seen("d3"))
        assert shop.engine.owner(ANN) == shop.engine.owner(DEVICE)
        assert (await shop.state(ANN)).event_count == 6


async def test_a_chain_is_cut_where_it_is_youngest() -> None:
    """Two that are linked through a third are parted by the last link between them; the third stays with the first."""
    async with world() as shop:
        await shop.store(
            call("1", at=NOW_MS - 9, type="identify", event=None, traits={"email": "ann@example.com"}),
            call("2", userId=None, anonymousId="device-1", type="identify", traits={"email": "ann@example.com"}),
        )
        assert shop.engine.owner(ANN) == shop.engine.owner(DEVICE) == shop.engine.owner(MAIL)
        cut = await shop.unmerge(ANN, DEVICE)
        assert [sorted((link.a, link.b)) for link in cut.links] == [[DEVICE, MAIL]]
        assert shop.engine.owner(ANN) == shop.engine.owner(MAIL) != shop.engine.owner(DEVICE)


async def test_waits_and_effects_follow_their_events() -> None:
    """A wait that the other's order called off is back; an effect not yet sent names whose event it was."""
    at_once = Subscription("seen", "http://127.0.0.1/", ("Product Viewed",))
    async with world(HOOK, at_once) as shop:
        await shop.store(login("link"), call("cart", event="Cart Viewed"), seen("d1"))
        await shop.store(seen("order", event="Order Completed"))
        assert (await shop.state(ANN)).timers == {}
        await shop.unmerge(ANN, DEVICE)
        await shop.fold()
        device = shop.engine.owner(DEVICE)
        (waiting,) = await shop.engine.waiting_effects([device, shop.engine.owner(ANN)])
        assert waiting.person == device
        assert f'"person":"{device}"'.encode() in waiting.body
        assert [pending.subscription for pending in (await shop.state(ANN)).timers.values()] == ["cart"]
        assert await shop.engine.next_due_ms(list(shop.worker._leases.values())) == NOW_MS + 2 * HOUR_MS


async def test_room_for_what_is_on_its_way_goes_with_its_person() -> None:
    """What becomes of a message is told to whom it was let through; so nobody else keeps room for it."""
    async with world() as shop:
        await shop.store(seen("d1"), call("a1"))
        device, ann = shop.engine.owner(DEVICE), shop.engine.owner(ANN)
        await shop.hold("hers", ann, Held(NOW_MS, "email", 1_000, ann))
        await shop.hold("the device's", device, Held(NOW_MS, "email", 1_000, device))
        await shop.hold("an old one", ann, Held(NOW_MS, "email", 1_000))
        await shop.store(login("link"))
        assert await shop.held(ANN) == {"hers", "the device's", "an old one"}
        await shop.unmerge(ANN, DEVICE)
        assert await shop.held(DEVICE) == {"the device's"}
        await shop.fold()
        assert await shop.held(ANN) == {"hers", "an old one"}
        assert await shop.held(DEVICE) == {"the device's"}


async def test_the_past_stays_as_it_was_known() -> None:
    """Before the merge two, after it one, after the cut two: by what was known at each instant."""
    async with world() as shop:
        clock = shop.engine.clock
        await shop.store(seen("d1"), call("a1"))
        device, ann = shop.engine.owner(DEVICE), shop.engine.owner(ANN)
        clock.set(NOW_MS + 1_000)
        await shop.store(login("link", at=NOW_MS + 1_000))
        clock.set(NOW_MS + 2_000)
        await shop.unmerge(ANN, DEVICE)
        engine = shop.engine
        assert await engine.person_at(DEVICE, NOW_MS) == (device, [])
        assert await engine.person_at(DEVICE, NOW_MS + 1_500) == (ann, [device])
        assert await engine.person_at(DEVICE, NOW_MS + 2_500) == (device, [])


async def test_what_cant_be_done_is_said() -> None:
    """Nobody there, two already, nothing linked, shared, groups: each with what is wrong."""
    async with world() as shop:
        await shop.store(call("a1"), call("b1", userId="bob"), login("x"), login("y", userId="bob"))
        for work, code in (
            (shop.repairs.unmerge("user_id:none", ANN, "", "", dry=False), Code.NOT_FOUND),
            (shop.repairs.unmerge(ANN, "user_id:bob", "", "", dry=False), Code.CONFLICT),
            (shop.repairs.unmerge(ANN, ANN, "", "", dry=False), Code.CONFLICT),
            (shop.repairs.split(ANN, [ANN], "", "", dry=False), Code.CONFLICT),
            (shop.repairs.split(DEVICE, [DEVICE], "", "", dry=False), Code.INVALID),
            (shop.repairs.merge(ANN, ANN, "", "", dry=False), Code.CONFLICT),
            (shop.repairs.merge(ANN, DEVICE, "", "", dry=False), Code.INVALID),
        ):
            with pytest.raises(CourtesyError) as raised:
                await work
            assert raised.value.code is code


@pytest.mark.parametrize("seed", range(40))
async def test_cutting_loses_and_invents_nothing(seed: int) -> None:
    """Random people of few identifiers, cut apart and merged at random: every event is somebody's, exactly once, and a
    state folded anew from a person's history is the stored one."""
    chance = random.Random(seed)
    async with world() as shop:
        count = 0
        for _ in range(12):
            for _ in range(chance.randrange(1, 5)):
                count += 1
                await shop.store(_random_call(chance, count))
            if chance.random() < 0.6:
                await _random_repair(chance, shop)
        await shop.fold()
        await _check_all(shop, count)


def _random_call(chance: random.Random, number: int) -> Accepted | Rejected:
    fields: dict[str, Any] = {"userId": chance.choice([None, "ann", "bob", "cid"])}
    fields["anonymousId"] = chance.choice([None, "d1", "d2", "d3"]) if fields["userId"] else chance.choice(["d1", "d2"])
    if chance.random() < 0.3:
        fields |= {"type": "identify", "traits": {"email": f"{chance.choice('xyz')}@example.com"}}
    return call(f"m{number}", at=NOW_MS + number, properties={"price": number}, **fields)


async def _random_repair(chance: random.Random, shop: World) -> None:
    known = sorted(key for key in shop.engine.disk.identity._owners)
    a, b = chance.sample(known, 2) if len(known) > 1 else (known[0], known[0])
    # What can't be done is refused, and changes nothing.
    with suppress(CourtesyError):
        if chance.random() < 0.6:
            await shop.repairs.unmerge(a, b, "eve", "", dry=False)
        elif chance.random() < 0.5:
            await shop.repairs.split(a, [a], "eve", "", dry=False)
        else:
            await shop.repairs.merge(a, b, "eve", "", dry=False)
    if chance.random() < 0.7:
        await shop.fold()


async def _check_all(shop: World, count: int) -> None:
    engine, history = shop.engine, History(shop.engine)
    people = {engine.owner(key) for key in engine.disk.identity._owners}
    total = 0
    for person in people:
        reading = await engine.read_person(f"person:{person}")
        assert reading is not None
        assert reading.person == person
        state = assemble(reading.person, reading.merged, reading.states, reading.tail)
        records = list(await history.of([person, *reading.merged]))
        again = refold(person, records, NO_CATALOGS, NOW_MS)
        assert encode_state(state) == encode_state(again)
        total += state.event_count
    assert total == count
