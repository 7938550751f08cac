"""Corrections on a store: cut apart, put back, asked for the past, and erased, with the parts that really do so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position, message_key
from courtesy.base.time import HOUR_MS, ManualClock
from courtesy.engine.contract import AppendBatch, Engine
from courtesy.engine.outbox import EffectState, Settlement
from courtesy.event.accept import Draft, SourcePolicy, accept
from courtesy.identity.resolve import Changes, Evidence, Merge
from courtesy.person.assemble import assemble
from courtesy.person.catalog import Subscription
from courtesy.person.record import FACTS, NewRecord, Record, RecordKind, hand_over_payload
from courtesy.person.state import PersonState, encode_state
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.erase import Eraser
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.held import HeldEvents
from courtesy.runtime.history import History
from courtesy.runtime.ingest import Ingest, Receipt
from courtesy.runtime.people import People
from courtesy.runtime.register import Register
from courtesy.runtime.repair import Repairs
from courtesy.runtime.segment_unready import Unready
from courtesy.runtime.trimming import trim
from tests.contract.builders import NOW_MS, SHOP
from tests.sim.store import Archive

ANN, DEVICE, OTHER_DEVICE = "user_id:ann", "anonymous_id:device-1", "anonymous_id:device-2"
AT_ONCE = Subscription("seen", "http://127.0.0.1/", ("Product Viewed",))


@dataclass(slots=True)
class World:
    """The parts of a server over one engine."""

    engine: Engine
    clock: ManualClock
    catalog: CatalogCache
    ingest: Ingest
    worker: FoldWorker
    repairs: Repairs
    eraser: Eraser
    people: People

    async def store(self, *calls: dict[str, Any]) -> Receipt:
        """Store calls of the shop one by one, and fold them; the last receipt."""
        for each in calls:
            given = {"type": "track", "event": "Product Viewed"} | each
            draft = Draft(
                msgspec.json.encode(given), SourcePolicy(SHOP), self.clock.now_ms(), None, bytes.decode, None, True
            )
            receipt = await self.ingest.append([accept(draft)], SourcePolicy(SHOP))
        await self.fold()
        return receipt

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


@asynccontextmanager
async def world_of(
    engine: Engine, clock: ManualClock, register: Register | None = None, archive: Archive | None = None
) -> AsyncIterator[World]:
    """A world over the engine under test."""
    catalog = CatalogCache(engine, clock)
    await catalog.refresh()
    await catalog.define_subscription(AT_ONCE, "tests")
    clock.set(NOW_MS + HOUR_MS)
    ingest, history = Ingest(engine, catalog.rules, clock), History(engine, archive)
    worker = FoldWorker(engine, catalog.catalog, clock, "folder")
    ingest.start()
    try:
        yield World(
            engine,
            clock,
            catalog,
            ingest,
            worker,
            Repairs(engine, catalog, history, clock),
            Eraser(
                engine,
                history,
                archive,
                HeldEvents(engine, catalog),
                clock,
                register,
                catalog=catalog.catalog,
                unready=Unready(engine, history, catalog, clock),
            ),
            People(engine, catalog, history),
        )
    finally:
        await ingest.stop()
        await worker.release()


def seen(message_id: str, **fields: Any) -> dict[str, Any]:
    """Somebody looks at something on the device."""
    return {"messageId": message_id, "anonymousId": "device-1", **fields}


def by_ann(message_id: str, **fields: Any) -> dict[str, Any]:
    """Ann looks at something."""
    return {"messageId": message_id, "userId": "ann", **fields}


def login(message_id: str) -> dict[str, Any]:
    """Ann identifies herself on the device."""
    traits = {"email": "ann@example.com", "city": "Kutaisi"}
    return {"messageId": message_id, "type": "identify", "userId": "ann", "anonymousId": "device-1", "traits": traits}


async def test_cut_apart_and_put_back_nothing_has_changed(engine: Engine, clock: ManualClock) -> None:
    """Byte for byte, with what came in between; effects not yet sent follow their events."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"))
        device, ann = (await world.state(DEVICE)).person, (await world.state(ANN)).person
        await world.store(login("l1"), seen("d2", properties={"price": 7}), by_ann("a2"))
        before = encode_state(await world.state(ANN))
        cut = await world.repairs.unmerge(ANN, DEVICE, "eve", "a look", dry=False)
        for _ in range(2):
            assert {piece.person for piece in cut.pieces} == {ann, device}
            assert (await world.state(DEVICE)).event_count == 2
            assert {each.message_id for each in (await world.state(ANN)).recent} == {"a1", "l1", "a2"}
            await world.fold()
        waiting = {effect.body: effect.person for effect in await world.engine.waiting_effects([ann, device])}
        assert {person for body, person in waiting.items() if b'"messageId":"d' in body} == {device}
        await world.store(login("l2"))
        assert (await world.state(ANN)).person != (await world.state(DEVICE)).person
        await world.repairs.merge(DEVICE, ANN, "eve", "as it was", dry=False)
        await world.fold()
        merged = await world.state(ANN)
        assert merged.event_count == 6
        assert [note.kind for note in await world.engine.notes(ann, 10)] == ["merge", "unmerge"]
        assert encode_state(merged) != before


async def test_the_past_is_told_as_it_was_known(engine: Engine, clock: ManualClock) -> None:
    """Two, then one, then two: by what the store knew at each instant, and by what it knows today."""
    async with world_of(engine, clock) as world:
        start = world.clock.now_ms()
        await world.store(seen("d1"), by_ann("a1"))
        world.clock.advance(1_000)
        await world.store(login("l1"))
        world.clock.advance(1_000)
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()

        async def counts(at_ms: int, *, today: bool) -> list[int]:
            views = [
                await world.people.view_at(kind, value, at_ms, knowing_today=today)
                for kind, value in (("user_id", "ann"), ("anonymous_id", "device-1"))
            ]
            return [int(view["event_count"]) for view in views]

        assert await counts(start + 500, today=False) == [1, 1]
        assert await counts(start + 1_500, today=False) == [3, 3]
        assert await counts(start + 2_500, today=False) == [2, 1]
        assert await counts(start + 1_500, today=True) == [2, 1]
        with pytest.raises(CourtesyError) as raised:
            await world.people.view_at("user_id", "ann", start - 1, knowing_today=False)
        assert raised.value.code is Code.NOT_FOUND


async def test_whose_events_a_repair_gave_to_another_is_known_as_of_then(engine: Engine, clock: ManualClock) -> None:
    """Who is left with an identifier, but with no event that carries it, is found by it: from when it was learnt on."""
    async with world_of(engine, clock) as world:
        start = clock.now_ms()
        clock.advance(1_000)
        await world.store(login("l1"), seen("d2", anonymousId="device-2"))
        other = (await world.state(OTHER_DEVICE)).person
        await world.repairs.merge(DEVICE, OTHER_DEVICE, "eve", "by hand", dry=False)
        await world.fold()
        clock.advance(1_000)
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        live = await world.people.view("anonymous_id", "device-1")
        assert (live["person"], live["event_types"]) == (str(other), {"track": 1})
        for today in (False, True):
            then = await world.people.view_at("anonymous_id", "device-1", clock.now_ms(), knowing_today=today)
            assert (then["person"], then["event_types"]) == (live["person"], live["event_types"])
        assert await engine.person_at(DEVICE, clock.now_ms()) == (other, [])
        assert await engine.person_at(DEVICE, start) is None
        with pytest.raises(CourtesyError) as raised:
            await world.people.view_at("anonymous_id", "device-1", start, knowing_today=False)
        assert raised.value.code is Code.NOT_FOUND


async def test_after_an_erasure_nothing_is_left(engine: Engine, clock: ManualClock) -> None:
    """Nobody finds them, nothing of them waits or is held, their group forgot them, and others are untouched."""
    async with world_of(engine, clock) as world:
        bad = SourcePolicy(SHOP)
        await world.store(seen("d1"), login("l1"), by_ann("a1"), by_ann("g1", type="group", groupId="acme"))
        await world.store(
            {"messageId": "b1", "userId": "bob"},
            {"messageId": "g2", "userId": "bob", "type": "group", "groupId": "acme"},
        )
        raw = b'{"type": "track", "userId": "\\u0061nn@EXAMPLE.com", "email": "Ann@Example.com"}'
        await world.ingest.append([accept(Draft(raw, bad, NOW_MS, None, lambda _: "held", None, True))], bad)
        bob = encode_state(await world.state("user_id:bob"))
        ann = (await world.state(ANN)).person
        done = await world.eraser.erase(ANN, "eve", "asked to", suppress=True)
        await world.fold()
        assert (done.person, done.event_count, done.held_count, done.archived) == (ann, 4, 1, True)
        for identifier in (ANN, DEVICE, "email:ann@example.com"):
            assert await world.engine.read_person(identifier) is None
        assert await world.engine.history([ann]) == []
        assert await world.engine.waiting_effects([ann]) == []
        assert await world.engine.quarantined(None, None, None, 10) == []
        assert (await world.state("group:acme")).members.keys() == {"user_id:bob"}
        assert encode_state(await world.state("user_id:bob")) == bob
        evidence = await world.engine.identity_of(ann)
        assert (evidence.links, evidence.merges) == ([], [])
        assert await world.engine.pending_erasures() == []


async def test_held_copies_of_what_an_erased_person_did_go_too(engine: Engine, clock: ManualClock) -> None:
    """Sent twice and broken, one was mended: the other is known by its name, though it names nobody that is theirs."""
    async with world_of(engine, clock) as world:
        bad = SourcePolicy(SHOP)
        await world.store(by_ann("a1"))
        for raw in (b'{"messageId": "a1", "type": "trak", "note": 1}', b'{"messageId": "z1", "type": "trak"}'):
            await world.ingest.append([accept(Draft(raw, bad, NOW_MS, None, lambda _: "held", None, True))], bad)
        assert (await world.eraser.erase(ANN, "eve", "asked to", suppress=False)).held_count == 1
        assert [b"z1" in each.raw for each in await world.engine.quarantined(None, None, None, 10)] == [True]


async def test_who_is_erased_is_not_stored_again(engine: Engine, clock: ManualClock) -> None:
    """Not by any of their identifiers, as often as they come; without suppression they begin anew."""
    async with world_of(engine, clock) as world:
        await world.store(login("l1"), by_ann("a1"))
        first = (await world.state(ANN)).person
        await world.eraser.erase(DEVICE, "eve", "", suppress=True)
        receipt = await world.store(by_ann("a2"), login("l2"), seen("d2"))
        assert receipt.stored_count == 0
        assert [str(each.cause) for each in receipt.results] == ["forgotten"]
        assert await world.engine.read_person(ANN) is None
        await world.store({"messageId": "c1", "userId": "cid"})
        await world.eraser.erase("user_id:cid", "eve", "", suppress=False)
        await world.store({"messageId": "c2", "userId": "cid"})
        assert (await world.state("user_id:cid")).event_count == 1
        assert (await world.state("user_id:cid")).person > PersonId(first)


async def test_what_was_moved_away_is_not_erased(engine: Engine, clock: ManualClock) -> None:
    """Of two who were one for a while each is erased alone, with what belongs to them and nothing else."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"), login("l1"), seen("d2"), by_ann("a2"))
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        device = encode_state(await world.state(DEVICE))
        await world.eraser.erase(ANN, "eve", "", suppress=True)
        await world.fold()
        assert encode_state(await world.state(DEVICE)) == device
        history = History(world.engine)
        assert len(await history.of([(await world.state(DEVICE)).person])) == 2
        await world.eraser.erase(DEVICE, "eve", "", suppress=True)
        await world.fold()
        records = await world.engine.records_of([PersonId(each) for each in range(1, 9_000)], None, 100)
        assert [each for each in records if b"device-1" in each.payload or b"ann" in each.payload] == []


async def test_what_others_had_of_them_is_erased(engine: Engine, clock: ManualClock) -> None:
    """States that were handed over or found anew while they were one, and effects that went out, are gone with them;
    the others stay as they were."""
    secret = {"properties": {"note": "secret-7"}, "traits": {"note": "secret-8"}}
    async with world_of(engine, clock) as world:
        await world.store(seen("d1") | secret, by_ann("a1"), login("link"), seen("d2") | secret)
        for effect in await engine.claim_effects("webhook", clock.now_ms(), HOUR_MS, 10):
            settled = Settlement(effect.key, effect.attempt, EffectState.DELIVERED, "", "", clock.now_ms())
            assert await engine.settle(settled)
        await world.repairs.split(ANN, ["email:ann@example.com"], "eve", "", dry=False)
        await world.fold()
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        ann, before = (await world.state(ANN)).person, encode_state(await world.state(ANN))
        effect_count = len(await engine.effects(ann, 10))
        await world.eraser.erase(DEVICE, "eve", "asked to", suppress=False)
        await world.fold()
        payloads = b" ".join(record.payload for record in await engine.log_after(Position(0), 1_000))
        assert b"secret" not in payloads
        assert encode_state(await world.state(ANN)) == before
        assert len(await engine.effects(ann, 10)) < effect_count


async def test_what_went_out_is_not_forgotten_with_somebody_else(engine: Engine, clock: ManualClock) -> None:
    """After an erasure the outbox still knows what the events of others started while they were one with the erased,
    or a wait that is found anew could send it again; it is erased with those whose events they are."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"), login("l1"), seen("d2"), by_ann("a2"))
        started = await engine.claim_effects("webhook", clock.now_ms(), HOUR_MS, 10)
        assert len(started) == 4
        for effect in started:
            settled = Settlement(effect.key, effect.attempt, EffectState.DELIVERED, "", "", clock.now_ms())
            assert await engine.settle(settled)
        await world.fold()
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        ann, device = (await world.state(ANN)).person, (await world.state(DEVICE)).person
        # What either did after the login went out in the name of one of the two.
        in_their_name = started[-1].person
        assert in_their_name in (ann, device)
        erased, others, left, other = (
            (ANN, b'"d', device, DEVICE) if in_their_name == ann else (DEVICE, b'"a', ann, ANN)
        )
        theirs = {effect.key for effect in started if b'"messageId":' + others in effect.body}
        await world.eraser.erase(erased, "eve", "", suppress=False)
        await world.fold()
        kept = await engine.effects(None, 10)
        assert {(each.key, each.person, each.state) for each in kept} == {
            (key, left, EffectState.DELIVERED) for key in theirs
        }
        await world.eraser.erase(other, "eve", "", suppress=False)
        await world.fold()
        assert await engine.effects(None, 10) == []


async def test_what_was_set_aside_with_others_is_erased(engine: Engine, clock: ManualClock) -> None:
    """A broken event that was forwarded is set aside with whom they were part of, and goes with them though the log
    has the copy no more; what is set aside of the other stays."""
    archive = Archive()
    async with world_of(engine, clock, archive=archive) as world:
        await world.store(seen("d1"), by_ann("a1"))
        numbers = {name: (await world.state(name)).person for name in (ANN, DEVICE)}
        await world.store(login("l1"))
        log = await engine.log_after(Position(0), 100)
        async with engine.appending() as append:
            broken = [_broken(next(each for each in log if each.person == number)) for number in numbers.values()]
            await append.write(AppendBatch(broken, [each.key for each in broken], Changes(), [], [], clock.now_ms()))
        await world.fold()
        archive.records = [each for each in await engine.log_after(Position(0), 100) if each.kind in FACTS]
        await trim(engine, clock.now_ms() + HOUR_MS)
        assert {each.record.person for each in await engine.poisoned(10)} == {(await world.state(ANN)).person}
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        await world.eraser.erase(DEVICE, "eve", "asked to", suppress=False)
        assert [b"device-1" in each.record.payload for each in await engine.poisoned(10)] == [False]


def _broken(record: Record) -> NewRecord:
    """The like of an event, which decodes, but can't be folded."""
    payload = msgspec.json.encode(msgspec.json.decode(record.payload) | {"at": 10**30})
    key = message_key(record.source, f"like {record.position}")
    return NewRecord(record.person, record.kind, record.at, record.received, record.source, key, payload)


async def test_others_are_still_known_to_have_been_one_after_an_erasure(engine: Engine, clock: ManualClock) -> None:
    """Though what they were taken for one by was by then the erased one's; it is named no more."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"), {"messageId": "b1", "userId": "bob", "anonymousId": "device-2"})
        device, ann = (await world.state(DEVICE)).person, (await world.state(ANN)).person
        why = Evidence(SHOP, "m1", clock.now_ms())
        merge = Merge(device, ann, "user_id:bob", ANN, why, "seen together")
        async with engine.appending() as append:
            changes = Changes(merges=[merge])
            records = [
                NewRecord(device, RecordKind.HAND_OVER, 0, clock.now_ms(), SHOP, bytes(16), hand_over_payload(ann))
            ]
            await append.write(AppendBatch(records, [], changes, [], [], clock.now_ms()))
        await world.fold()
        then = clock.now_ms()
        clock.set(then + HOUR_MS)
        await world.eraser.erase("user_id:bob", "eve", "asked to", suppress=False)
        await world.fold()
        assert await engine.person_at(f"person:{ann}", then) == (ann, [device])
        (told,) = (await engine.identity_of(ann)).merges
        assert (told.loser, told.survivor, told.a, told.b) == (device, ann, "", ANN)


async def test_a_look_back_into_a_circle_ends(engine: Engine, clock: ManualClock) -> None:
    """After a clock was set back, two merges that undo one another may seem to hold at one instant."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"))
        device, ann = (await world.state(DEVICE)).person, (await world.state(ANN)).person
        await world.repairs.merge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        clock.set(NOW_MS + 3 * HOUR_MS)
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        clock.set(NOW_MS + 2 * HOUR_MS)
        changes = Changes(merges=[Merge(ann, device, ANN, DEVICE, Evidence(SHOP, "m", NOW_MS), "as told")])
        async with engine.appending() as append:
            await append.write(AppendBatch([], [], changes, [], [], clock.now_ms()))
        found = await engine.person_at(f"person:{ann}", clock.now_ms())
        assert found is not None
        assert found[0] in (ann, device)
