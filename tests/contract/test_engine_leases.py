"""Leases: one owner per partition, for a time, under an epoch that fences off whoever owned it before."""

from __future__ import annotations

import asyncio

from courtesy.base.ids import Partition
from courtesy.base.time import HOUR_MS, ManualClock
from courtesy.engine.contract import Engine, Lease
from tests.contract.builders import ANN, TTL_MS, Store, claim_all, commit, lease_of, record, write


def partitions(leases: list[Lease]) -> set[Partition]:
    """Which partitions are leased."""
    return {lease.partition for lease in leases}


def all_of(engine: Engine) -> set[Partition]:
    """Every partition that there is."""
    return {Partition(number) for number in range(engine.partition_count)}


async def test_a_lone_worker_gets_all_it_wants(engine: Engine) -> None:
    """Every partition has an owner, each once, with nothing folded."""
    leases = await engine.claim("one", engine.partition_count, TTL_MS)
    assert partitions(leases) == all_of(engine)
    assert len(leases) == engine.partition_count
    assert {lease.folded for lease in leases} == {0}


async def test_a_worker_gets_no_more_than_it_wants(engine: Engine) -> None:
    """What a worker leaves is there for others."""
    assert len(await engine.claim("one", 5, TTL_MS)) == 5
    assert len(await engine.claim("two", 100, TTL_MS)) == engine.partition_count - 5


async def test_workers_never_share_a_partition(engine: Engine) -> None:
    """What one holds another does not get, and is not told of."""
    one = await engine.claim("one", 5, TTL_MS)
    two = await engine.claim("two", engine.partition_count, TTL_MS)
    assert partitions(one) | partitions(two) == all_of(engine)
    assert not partitions(one) & partitions(two)


async def test_workers_who_claim_at_once_never_share_a_partition(engine: Engine, store: Store) -> None:
    """Two processes that start together split the partitions somehow, and cleanly."""
    async with store.another() as other:
        shares = await asyncio.gather(
            engine.claim("one", 10, TTL_MS), other.claim("two", 10, TTL_MS), engine.claim("three", 10, TTL_MS)
        )
    claimed = [lease.partition for share in shares for lease in share]
    assert len(claimed) == len(set(claimed))


async def test_claiming_again_tells_what_is_held(engine: Engine) -> None:
    """A claim renews, and its answer is the whole truth: the same leases under the same epochs."""
    first = await engine.claim("one", 5, TTL_MS)
    assert await engine.claim("one", 5, TTL_MS) == first
    assert await engine.claim("one", 0, TTL_MS) == first


async def test_claiming_more_adds_to_what_is_held(engine: Engine) -> None:
    """`want` is how many in all, and what was held stays."""
    first = await engine.claim("one", 5, TTL_MS)
    more = await engine.claim("one", 8, TTL_MS)
    assert len(more) == 8
    assert set(first) < set(more)


async def test_a_lease_holds_until_its_time(engine: Engine, clock: ManualClock) -> None:
    """A worker that is only slow is left in peace."""
    await claim_all(engine, "one")
    clock.advance(TTL_MS - 1)
    assert await engine.claim("two", engine.partition_count, TTL_MS) == []


async def test_a_dead_owners_partitions_are_free_after_its_time(engine: Engine, clock: ManualClock) -> None:
    """Nobody has to say that a worker died."""
    await claim_all(engine, "one")
    clock.advance(TTL_MS)
    assert partitions(await engine.claim("two", engine.partition_count, TTL_MS)) == all_of(engine)


async def test_renewing_holds_a_lease_from_the_renewal_on(engine: Engine, clock: ManualClock) -> None:
    """Who renews in time keeps its partitions for ever."""
    for _ in range(3):
        await claim_all(engine, "one")
        clock.advance(TTL_MS - 1)
        assert await engine.claim("two", engine.partition_count, TTL_MS) == []


async def test_a_clock_set_back_keeps_nobody_waiting(engine: Engine, clock: ManualClock) -> None:
    """The lease of an owner that died before the clock was set back runs out as soon as any other, and it counts
    among the workers no longer."""
    await claim_all(engine, "dead")
    clock.advance(-HOUR_MS)
    assert await engine.claim("two", engine.partition_count, TTL_MS) == []
    clock.advance(TTL_MS)
    assert partitions(await engine.claim("two", engine.partition_count, TTL_MS)) == all_of(engine)
    assert await engine.workers() == 1


async def test_taking_over_raises_the_epoch(engine: Engine, clock: ManualClock) -> None:
    """The old owner's commits can be told from the new one's."""
    old = {lease.partition: lease.epoch for lease in await claim_all(engine, "one")}
    clock.advance(TTL_MS)
    new = {lease.partition: lease.epoch for lease in await claim_all(engine, "two")}
    assert all(new[partition] > old[partition] for partition in old)


async def test_a_lease_that_ran_out_is_not_renewed_but_taken_anew(engine: Engine, clock: ManualClock) -> None:
    """An owner that was away may have been replaced meanwhile, so it starts again under a new epoch."""
    old = await claim_all(engine, "one")
    clock.advance(TTL_MS)
    new = await claim_all(engine, "one")
    assert [lease.epoch for lease in new] > [lease.epoch for lease in old]


async def test_an_owner_that_was_replaced_is_told_so(engine: Engine, clock: ManualClock) -> None:
    """Claiming after the time of the lease, it finds what is left for it: nothing."""
    await claim_all(engine, "one")
    clock.advance(TTL_MS)
    await claim_all(engine, "two")
    assert await engine.claim("one", engine.partition_count, TTL_MS) == []


async def test_released_partitions_are_free_at_once(engine: Engine) -> None:
    """A worker that stops in order makes nobody wait, and keeps what it did not release."""
    leases = await claim_all(engine, "one")
    given = [lease.partition for lease in leases[:6]]
    await engine.release("one", given)
    assert partitions(await engine.claim("two", engine.partition_count, TTL_MS)) == set(given)
    assert partitions(await engine.claim("one", engine.partition_count, TTL_MS)) == all_of(engine) - set(given)


async def test_taking_what_was_released_raises_the_epoch(engine: Engine) -> None:
    """Whatever the former owner still had under way is fenced off."""
    (old,) = await engine.claim("one", 1, TTL_MS)
    await engine.release("one", [old.partition])
    new = {lease.partition: lease.epoch for lease in await claim_all(engine, "two")}
    assert new[old.partition] > old.epoch


async def test_nobody_can_release_what_is_anothers(engine: Engine) -> None:
    """A worker that was replaced gives nothing away when it stops."""
    held = await claim_all(engine, "one")
    await engine.release("two", [lease.partition for lease in held])
    assert await engine.claim("two", engine.partition_count, TTL_MS) == []
    assert await engine.claim("one", engine.partition_count, TTL_MS) == held


async def test_a_lease_tells_how_far_its_partition_is_folded(engine: Engine, clock: ManualClock) -> None:
    """The next owner goes on where the last one stopped."""
    position = await write(engine, record())
    lease = await lease_of(engine, worker="one")
    await engine.commit_fold(commit(lease, position))
    clock.advance(TTL_MS)
    assert (await lease_of(engine, worker="two")).folded == position


async def test_leases_are_the_stores_and_not_the_process(engine: Engine, store: Store) -> None:
    """A worker's leases outlive its connection, for their time."""
    async with store.another() as gone:
        await claim_all(gone, "one")
    assert await engine.claim("two", engine.partition_count, TTL_MS) == []


async def test_workers_are_counted_while_they_ask_for_leases(engine: Engine, clock: ManualClock) -> None:
    """A fair share is all partitions by the number of workers; whoever got nothing counts, whoever is gone does not."""
    assert await engine.workers() == 1
    await engine.claim("one", engine.partition_count, TTL_MS)
    await engine.claim("two", engine.partition_count, TTL_MS)
    assert await engine.workers() == 2
    clock.advance(TTL_MS - 1)
    await engine.claim("two", engine.partition_count, TTL_MS)
    clock.advance(1)
    assert await engine.workers() == 1


async def test_status_tells_who_owns_a_partition(engine: Engine, clock: ManualClock) -> None:
    """An operator sees which partitions nobody folds: never claimed, or with an owner that is gone."""
    assert {each.owner for each in await engine.status()} == {None}
    await engine.claim("one", 5, TTL_MS)
    assert [each.owner for each in await engine.status()].count("one") == 5
    clock.advance(TTL_MS)
    assert {each.owner for each in await engine.status()} == {None}


async def test_status_tells_nobody_for_what_was_released(engine: Engine) -> None:
    """A partition that was given back is shown as nobody's."""
    lease = await lease_of(engine, ANN)
    await engine.release("folder", [lease.partition])
    assert (await engine.status())[lease.partition].owner is None
