"""The fold worker: who owns what, crashes at any point, broken records, timers, and what is kept in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PARTITION_COUNT, PersonId, SourceId, message_key
from courtesy.base.time import HOUR_MS, MINUTE_MS
from courtesy.engine.contract import AppendBatch, StorageFull, Unavailable
from courtesy.identity.resolve import Changes
from courtesy.person.catalog import EMPTY_CATALOG, Catalog, Subscription
from courtesy.person.record import NewRecord, RecordKind, moved_from
from courtesy.person.state import PersonState, decode_state
from courtesy.runtime.fold import HOT_BYTES_MAX, HOT_STATES_MAX, LEASE_MS, TRIES, FoldWorker, _HotStates
from tests.unit.runtime.world import NOW_MS, SHOP, Engine, Trouble, call, ingesting, opened, receive, visit

CATALOG = Catalog(
    1,
    (
        Subscription("orders", "https://remote.example", ("Order Completed",)),
        Subscription("carts", "https://remote.example", ("Cart Updated",), HOUR_MS, ("Order Completed",)),
    ),
)


def _worker(engine: Engine, name: str = "one", catalog: Catalog = CATALOG) -> FoldWorker:
    return FoldWorker(engine, lambda: catalog, engine.clock, name)


async def _fold_all(worker: FoldWorker) -> None:
    """Own what there is to own, fold what is unfolded and fire what is due until nothing is left."""
    await worker.claim()
    while await worker.fold_once() + await worker.fire_due():
        pass


async def _states(engine: Engine) -> dict[PersonId, bytes]:
    people = {record.person for record in engine.log()}
    return await engine.states(people)


async def _unfolded_count(engine: Engine) -> int:
    return sum(each.unfolded_count for each in await engine.status())


async def _append(engine: Engine, *records: NewRecord) -> None:
    """Records as no ingest would write them."""
    async with engine.appending() as append:
        keys = [record.key for record in records]
        await append.write(AppendBatch(records, keys, Changes(), (), (), engine.clock.now_ms()))


def _broken(person: PersonId, message_id: str, kind: RecordKind = RecordKind.EVENT) -> NewRecord:
    return NewRecord(person, kind, NOW_MS, NOW_MS, SourceId(1), message_key(SourceId(1), message_id), b"\xc1")


@asynccontextmanager
async def _stocked() -> AsyncIterator[Engine]:
    """An engine with a merge, a delayed and an immediate subscription, and people in many partitions; unfolded."""
    async with opened() as engine:
        calls = [
            *(call(f"m{n}", userId=f"u{n}", event="Order Completed", properties={"revenue": n}) for n in range(30)),
            *(visit(f"v{n}", f"a{n}", event="Cart Updated") for n in range(10)),
            *(call(f"l{n}", userId=f"u{n}", anonymousId=f"a{n}", event="Login") for n in range(5)),
        ]
        await receive(engine, *calls)
        yield engine


# -- folding


async def test_everything_is_folded_once() -> None:
    """Every event counts at its person, those of a visitor who turned out to be somebody included."""
    async with _stocked() as engine:
        await _fold_all(_worker(engine))
        states = {person: decode_state(state) for person, state in (await _states(engine)).items()}
        assert sum(state.event_count for state in states.values()) == 45
        assert sum(state.merged_into is not None for state in states.values()) == 5
        assert states[engine.owner("user_id:u3")].event_count == 3
        assert await _unfolded_count(engine) == 0
        assert len(await engine.effects(None, 100)) == 30


async def test_two_workers_fold_what_one_would() -> None:
    """How people are spread over owners makes no difference to their states."""
    async with _stocked() as alone, _stocked() as shared:
        await _fold_all(_worker(alone))
        workers = [_worker(shared, "one"), _worker(shared, "two")]
        for worker in [*workers, *workers]:
            await worker.claim()
        while sum([await worker.fold_once() for worker in workers]):
            pass
        assert await _states(alone) == await _states(shared)


async def test_a_worker_runs_until_it_is_stopped() -> None:
    """It folds what comes while it runs, outlives an outage, and gives its partitions back in the end."""
    async with opened() as engine, ingesting(engine) as ingest:
        worker, stop = _worker(engine), asyncio.Event()
        running = asyncio.ensure_future(worker.run(stop))
        for n in range(3):
            engine.before = [StorageFull("full")] if n == 1 else []
            with suppress(CourtesyError):
                await ingest.append([call(f"m{n}")], SHOP)
            while await _unfolded_count(engine):
                await asyncio.sleep(0.001)
        assert len(worker.partitions) == PARTITION_COUNT
        stop.set()
        await running
        assert [each.owner for each in await engine.status()] == [None] * PARTITION_COUNT


# -- who owns what


async def test_workers_share_the_partitions() -> None:
    """As many each, whoever joins or leaves, and none twice."""
    async with opened() as engine:
        workers = [_worker(engine, f"w{n}") for n in range(3)]
        for count in (1, 2, 3):
            await _settle(workers[:count])
            _check_shares(workers[:count], -(-PARTITION_COUNT // count))
        await workers[0].release()
        engine.clock.advance(LEASE_MS - 1)
        await _settle(workers[1:])
        engine.clock.advance(1)
        await _settle(workers[1:])
        _check_shares(workers[1:], PARTITION_COUNT // 2)


async def _settle(workers: Sequence[FoldWorker]) -> None:
    for _ in range(3):
        for worker in workers:
            await worker.claim()


def _check_shares(workers: Sequence[FoldWorker], most: int) -> None:
    owned = [partition for worker in workers for partition in worker.partitions]
    assert len(owned) == len(set(owned)) == PARTITION_COUNT
    assert max(len(worker.partitions) for worker in workers) == most


async def test_a_dead_workers_partitions_are_taken_over() -> None:
    """Not before its lease has run out; then another goes on where it had committed."""
    async with _stocked() as engine:
        await _fold_all(_worker(engine, "dead"))
        await receive(engine, call("later", userId="u1"))
        heir = _worker(engine, "heir")
        await heir.claim()
        assert heir.partitions == frozenset()
        engine.clock.advance(LEASE_MS)
        await _fold_all(heir)
        assert len(heir.partitions) == PARTITION_COUNT
        assert decode_state((await _states(engine))[engine.owner("user_id:u1")]).event_count == 4


async def test_an_owner_that_does_not_know_that_it_lost_changes_nothing() -> None:
    """What it folds after its lease was taken over is not written, and it drops what it holds."""
    async with _stocked() as engine:
        zombie, heir = _worker(engine, "zombie"), _worker(engine, "heir")
        await zombie.claim()
        engine.clock.advance(LEASE_MS)
        await _fold_all(heir)
        expected = await _states(engine)
        await receive(engine, call("later", userId="u1"))
        assert await zombie.fold_once() == 0
        assert zombie.partitions == frozenset()
        assert await _states(engine) == expected
        await _fold_all(heir)
        assert decode_state((await _states(engine))[engine.owner("user_id:u1")]).event_count == 4


async def test_a_zombie_fires_no_timers() -> None:
    """Nor does it move any into the log."""
    async with _stocked() as engine:
        zombie = _worker(engine, "zombie")
        await _fold_all(zombie)
        engine.clock.advance(2 * HOUR_MS)
        heir = _worker(engine, "heir")
        await heir.claim()
        assert await zombie.fire_due() == 0
        assert zombie.partitions == frozenset()
        assert await heir.fire_due() == 5


async def test_what_came_back_is_read_anew() -> None:
    """Partitions that somebody else had meanwhile are not folded on from states in memory."""
    async with opened() as engine:
        first, second = _worker(engine, "first"), _worker(engine, "second")
        await receive(engine, call("m1"))
        await _fold_all(first)
        engine.clock.advance(LEASE_MS)
        await receive(engine, call("m2"))
        await _fold_all(second)
        engine.clock.advance(LEASE_MS)
        await receive(engine, call("m3"))
        await _fold_all(first)
        assert decode_state((await _states(engine))[engine.owner("user_id:ann")]).event_count == 3


# -- crashes


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "error", [Unavailable("gone"), StorageFull("full"), Trouble("a bug"), asyncio.CancelledError()]
)
async def test_a_commit_that_fails_is_made_again(after: bool, error: BaseException) -> None:
    """Whether it had been written or not, the next try leaves each event counted once, with this worker or another."""
    async with _stocked() as clean, _stocked() as engine:
        await _fold_all(_worker(clean))
        worker = _worker(engine)
        await worker.claim()
        (engine.after if after else engine.before).append(error)
        with pytest.raises(type(error)):
            await worker.fold_once()
        await _fold_all(worker)
        await _fold_all(worker)
        assert await _states(engine) == await _states(clean)
        assert len(await engine.effects(None, 100)) == 30


@pytest.mark.parametrize(("point", "after"), list(itertools.product(range(5), [False, True])))
async def test_a_crash_at_any_point_leaves_each_effect_once(point: int, after: bool) -> None:
    """Folding, firing and folding again, broken off at each write, before or after it: the heir finishes the work."""
    async with opened() as engine:
        await receive(
            engine,
            call("m1", event="Cart Updated", anonymousId="a"),
            call("m2", event="Order Completed", userId="bob"),
            visit("m3", "b", event="Cart Updated"),
        )
        writes = itertools.count()
        engine.crash = lambda committed: committed is after and next(writes) == point
        with suppress(Trouble):
            await _fold_all(_worker(engine, "crashes"))
            engine.clock.advance(HOUR_MS)
            await _fold_all(_worker(engine, "crashes"))
        engine.crash = lambda committed: False
        engine.clock.advance(2 * HOUR_MS)
        heir = _worker(engine, "heir")
        await _fold_all(heir)
        engine.clock.advance(2 * HOUR_MS)
        await _fold_all(heir)
        told = sorted(each.target for each in await engine.effects(None, 100))
        assert told == ["carts", "carts", "orders"]
        assert all(state.timers == {} for state in map(decode_state, (await _states(engine)).values()))


# -- timers


async def test_a_timer_fires_when_it_is_due() -> None:
    """Not before, once, and not when it was called off; nothing is asked of the store while none is due."""
    async with opened() as engine:
        worker = _worker(engine)
        await receive(engine, call("m1", event="Cart Updated"), call("m2", userId="bob", event="Cart Updated"))
        await _fold_all(worker)
        engine.clock.advance(HOUR_MS - 1)
        await _fold_all(worker)
        assert await engine.effects(None, 10) == []
        await receive(engine, call("m3", userId="bob", event="Order Completed", at=engine.clock.now_ms()))
        await _fold_all(worker)
        engine.clock.advance(1)
        await _fold_all(worker)
        await _fold_all(worker)
        assert sorted(each.target for each in await engine.effects(None, 10)) == ["carts", "orders"]


async def test_a_wait_survives_its_person_becoming_part_of_another() -> None:
    """The timer goes along with the state, and the effect is the survivor's."""
    async with opened() as engine:
        worker = _worker(engine)
        await receive(engine, call("m1"), visit("m2", "a", event="Cart Updated"))
        await _fold_all(worker)
        await receive(engine, call("m3", anonymousId="a"))
        await _fold_all(worker)
        engine.clock.advance(HOUR_MS)
        await _fold_all(worker)
        (effect,) = await engine.effects(None, 10)
        assert (effect.target, effect.person) == ("carts", engine.owner("user_id:ann"))


@pytest.mark.parametrize("fold_between", [True, False])
async def test_a_timer_that_fires_into_a_merge_is_told_once(fold_between: bool) -> None:
    """It lies in the log of who became part of another meanwhile, and is sent on."""
    async with opened() as engine:
        worker = _worker(engine)
        await receive(engine, call("m1"), visit("m2", "a", event="Cart Updated"))
        await _fold_all(worker)
        engine.clock.advance(HOUR_MS)
        await worker.claim()
        if fold_between:
            await worker.fire_due()
            await receive(engine, call("m3", anonymousId="a"))
        else:
            await receive(engine, call("m3", anonymousId="a"))
            await worker.fire_due()
        await _fold_all(worker)
        await _fold_all(worker)
        assert [each.target for each in await engine.effects(None, 10)] == ["carts"]


# -- broken records


async def test_a_broken_record_is_set_aside_and_nothing_else() -> None:
    """Others of the same batch are folded, those of the same person too, and the partition goes on."""
    async with opened() as engine:
        await receive(engine, call("m1", event="Order Completed"), call("m2", userId="bob"))
        ann = engine.owner("user_id:ann")
        await _append(engine, _broken(ann, "bad"), _broken(ann, "worse", RecordKind.HAND_OVER))
        await receive(engine, call("m3", event="Order Completed"))
        worker = _worker(engine)
        await _fold_all(worker)
        assert await _unfolded_count(engine) == 0
        assert decode_state((await _states(engine))[ann]).event_count == 2
        assert len(await engine.effects(None, 10)) == 2
        poisoned = await engine.poisoned(10)
        assert [each.record.key for each in poisoned] == [message_key(SourceId(1), name) for name in ("worse", "bad")]
        assert "DecodeError" in poisoned[1].error
        assert "\0" not in poisoned[0].error


async def test_a_record_that_breaks_only_where_it_is_forwarded_to_is_set_aside_there() -> None:
    """It decodes, so whoever became part of another sends it on; it is set aside once, as the copy."""
    async with opened() as engine:
        await receive(engine, call("m1"), visit("m2", "a"))
        visitor = engine.owner("anonymous_id:a")
        await receive(engine, call("m3", anonymousId="a"))
        worker = _worker(engine)
        await _fold_all(worker)
        late = next(record for record in engine.log() if record.person == visitor)
        payload = msgspec.json.encode(msgspec.json.decode(late.payload) | {"at": 10**30})
        await _append(engine, _broken(visitor, "late")._replace(payload=payload))
        await _fold_all(worker)
        (poisoned,) = await engine.poisoned(10)
        ann = engine.owner("user_id:ann")
        assert (poisoned.record.person, poisoned.record.kind) == (ann, RecordKind.FORWARDED_EVENT)
        assert poisoned.record.key == message_key(SourceId(1), "late")
        assert moved_from(poisoned.record)[1] == payload
        assert decode_state((await _states(engine))[ann]).event_count == 3
        assert await _unfolded_count(engine) == 0


@pytest.mark.parametrize(("failures", "set_aside"), [(TRIES, 0), (TRIES + 1, 1)])
async def test_a_record_is_tried_a_bounded_number_of_times(failures: int, set_aside: int) -> None:
    """First with its batch and then alone: what fails for a while gets through, what fails on is given up."""
    async with opened() as engine:
        await receive(engine, call("m1"), call("m2", userId="bob"))
        tries = itertools.count(1)

        def catalog() -> Catalog:
            if next(tries) <= failures:
                raise Trouble("for a while \0 \ud800")
            return EMPTY_CATALOG

        await _fold_all(FoldWorker(engine, catalog, engine.clock, "one"))
        poisoned = await engine.poisoned(10)
        assert len(poisoned) == set_aside
        assert all("for a while \\0 \\ud800" in each.error for each in poisoned)
        folded = map(decode_state, (await _states(engine)).values())
        assert [state.event_count for state in folded] == [1] * (2 - set_aside)


async def test_a_broken_record_leaves_no_effect() -> None:
    """What its first tries asked for is forgotten with them."""
    async with opened() as engine:
        await receive(engine, call("m1", event="Cart Updated"))
        ann = engine.owner("user_id:ann")
        await _append(engine, _broken(ann, "bad"))
        engine.clock.advance(MINUTE_MS)
        worker = _worker(engine)
        await _fold_all(worker)
        engine.clock.advance(HOUR_MS)
        await _fold_all(worker)
        assert len(await engine.effects(None, 10)) == 1
        assert len(await engine.poisoned(10)) == 1


# -- memory


def test_hot_states_are_bounded_by_number_and_by_size() -> None:
    """What was written last stays; the rest is read again when it is needed."""
    hot = _HotStates()
    for person in range(4):
        hot.put(PersonState(PersonId(person)), HOT_BYTES_MAX // 4)
    hot.make_room()
    assert list(hot) == [0, 1, 2, 3]
    hot.put(hot[PersonId(0)], HOT_BYTES_MAX // 4 + 1)
    hot.make_room()
    assert list(hot) == [3, 0]
    hot.drop(PersonId(7))
    hot.drop_all()
    for person in range(HOT_STATES_MAX + 1):
        hot.put(PersonState(PersonId(person)), 1)
    hot.make_room()
    assert len(hot) == HOT_STATES_MAX // 2
    assert PersonId(HOT_STATES_MAX) in hot


async def test_a_state_is_read_once_while_its_partition_stays() -> None:
    """And again after a failure, when what is in memory may be more than what is stored."""
    async with opened() as engine:
        worker = _worker(engine)
        for n in range(3):
            await receive(engine, call(f"m{n}"))
            await _fold_all(worker)
        ann = engine.owner("user_id:ann")
        assert engine.people_read == [{ann}]
        await receive(engine, call("m3"))
        engine.before = [Unavailable("gone")]
        with pytest.raises(Unavailable):
            await worker.fold_once()
        await _fold_all(worker)
        assert engine.people_read == [{ann}, {ann}]
        assert decode_state((await _states(engine))[ann]).event_count == 4
