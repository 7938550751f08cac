"""Folding: what is unfolded, in order and shared out fairly; and commits of it, all or nothing, by the owner only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from courtesy.base.ids import PersonId, Position, partition_of
from courtesy.base.time import ManualClock
from courtesy.engine.contract import Engine, FoldCommit, Lease, LeaseLost, Poisoned, TimerChange
from courtesy.person.record import RecordKind
from tests.contract.builders import (
    ANN,
    BOB,
    NOW_MS,
    TTL_MS,
    Store,
    batch,
    claim_all,
    commit,
    effect,
    everything,
    lease_of,
    log_of,
    person_in,
    record,
    records,
    soon,
    write,
)

# -- what is unfolded


async def test_unfolded_records_come_in_order_from_where_the_lease_is(engine: Engine) -> None:
    """A fold worker sees each record once, and in the order in which it happened."""
    await write(engine, *records(5))
    log = await log_of(engine, ANN)
    lease = await lease_of(engine)
    assert await engine.unfolded([lease], 100) == log
    assert await engine.unfolded([lease._replace(folded=log[2].position)], 100) == log[3:]
    assert await engine.unfolded([lease._replace(folded=log[-1].position)], 100) == []


async def test_only_records_of_the_leased_partitions_are_given(engine: Engine) -> None:
    """What another worker owns is not one's business."""
    await write(engine, *(record(person_in(partition), f"m{partition}") for partition in range(4)))
    leases = (await claim_all(engine))[1:3]
    assert [each.partition for each in await engine.unfolded(leases, 100)] == [1, 2]
    assert await engine.unfolded([], 100) == []


async def test_a_limit_cuts_the_batch_off(engine: Engine) -> None:
    """A batch fits into memory, and its first records are the oldest."""
    await write(engine, *records(100))
    log = await log_of(engine, ANN)
    assert await engine.unfolded([await lease_of(engine)], 10) == log[:10]


async def test_a_limit_over_all_partitions_is_kept_about(engine: Engine) -> None:
    """With many leases the batch is still about as long as asked for."""
    people = [person_in(partition) for partition in range(engine.partition_count)]
    await write(engine, *(each for person in people for each in records(20, person, f"{person}-")))
    leases = await claim_all(engine)
    assert 0 < len(await engine.unfolded(leases, 64)) <= 64 + len(leases)


async def test_a_long_partition_does_not_starve_the_others(engine: Engine) -> None:
    """Every partition with something unfolded has a share in each batch."""
    first, second, third = (person_in(partition) for partition in range(3))
    await write(engine, *records(500, first, "a"), *records(3, second, "b"), *records(500, third, "c"))
    given = await engine.unfolded((await claim_all(engine))[:3], 30)
    assert {each.partition for each in given} == {0, 1, 2}
    assert [each for each in given if each.person == second] == await log_of(engine, second)
    for person in (first, third):
        own = [each for each in given if each.person == person]
        assert own == (await log_of(engine, person))[: len(own)]


async def test_a_limit_below_the_number_of_partitions_still_gets_on(engine: Engine) -> None:
    """Even the smallest batch moves every partition."""
    people = [person_in(partition) for partition in range(engine.partition_count)]
    await write(engine, *(record(person, f"m{person}") for person in people))
    given = await engine.unfolded(await claim_all(engine), 1)
    assert given != []


# -- commits


async def test_a_commit_moves_its_partition_on(engine: Engine) -> None:
    """What was folded is not given again, under a lease that is claimed anew."""
    await write(engine, *records(3))
    log = await log_of(engine, ANN)
    await engine.commit_fold(commit(await lease_of(engine), log[1].position, states=[(ANN, b"two")]))
    lease = await lease_of(engine)
    assert lease.folded == log[1].position
    assert await engine.unfolded([lease], 100) == log[2:]


async def test_a_commit_may_cover_several_partitions(engine: Engine) -> None:
    """A batch of all partitions is one transaction, and others' positions stay."""
    people = [person_in(partition) for partition in range(3)]
    position = await write(engine, *(record(person, f"m{person}") for person in people))
    leases = (await claim_all(engine))[:2]
    await engine.commit_fold(
        FoldCommit(leases, {lease.partition: position for lease in leases}, [(each, b"state") for each in people[:2]])
    )
    assert [lease.folded for lease in await claim_all(engine)][:3] == [position, position, 0]
    assert await engine.states(people) == dict.fromkeys(people[:2], b"state")


async def test_commits_follow_one_another_under_one_lease(engine: Engine) -> None:
    """A worker that keeps count of its position need not claim between commits."""
    await write(engine, *records(2))
    lease = await lease_of(engine)
    for number, each in enumerate(await log_of(engine, ANN)):
        await engine.commit_fold(commit(lease, each.position, states=[(ANN, b"%d" % number)]))
        lease = lease._replace(folded=each.position)
    assert await engine.states([ANN]) == {ANN: b"1"}


async def test_a_state_replaces_the_one_before(engine: Engine) -> None:
    """A person has one state, the last."""
    for content in (b"first", b"", b"last" * 1_000):
        await engine.commit_fold(commit(await lease_of(engine), states=[(ANN, content)]))
        assert await engine.states([ANN]) == {ANN: content}


async def test_states_of_2500_people_are_committed_and_read_at_once(engine: Engine) -> None:
    """A batch of many people is one commit."""
    leases = await claim_all(engine)
    states = {PersonId(number): b"state of %d" % number for number in range(1, 2_501)}
    await engine.commit_fold(
        FoldCommit(leases, {lease.partition: lease.folded for lease in leases}, list(states.items()))
    )
    assert await engine.states(states) == states
    assert await engine.states([]) == {}


async def test_a_commit_with_nothing_but_positions_is_fine(engine: Engine) -> None:
    """Records that change nothing are passed all the same."""
    position = await write(engine, record())
    await engine.commit_fold(commit(await lease_of(engine), position))
    assert (await lease_of(engine)).folded == position


async def test_forwarded_records_come_last_in_the_log_of_their_person(engine: Engine) -> None:
    """A fold that hands something to another person appends it, within the same transaction."""
    position = await write(engine, record(ANN, "m1"))
    forward = record(BOB, "m1", kind=RecordKind.ABSORB, payload=b"state of Ann")
    await engine.commit_fold(commit(await lease_of(engine), position, forwards=[forward]))
    (given,) = await log_of(engine, BOB)
    assert given[2:] == forward
    assert (given.partition, given.kind) == (partition_of(BOB), RecordKind.ABSORB)
    assert given.position == await engine.head() > position
    assert await engine.unfolded([await lease_of(engine, BOB)], 10) == [given]


async def test_forwarded_records_wait_for_an_append_under_way(engine: Engine) -> None:
    """Their position is after that of an append that began before: positions rise in commit order."""
    lease = await lease_of(engine)
    async with engine.appending() as append:
        position = await append.write(batch([record(ANN, "m1")]))
        folding = asyncio.create_task(engine.commit_fold(commit(lease, forwards=[record(BOB, "m2")])))
        await asyncio.wait({folding}, timeout=0.05)
        assert await engine.head() == 0
    await soon(folding)
    assert [each.position > position for each in await log_of(engine, BOB)] == [True]


async def test_effects_and_states_of_a_commit_do_not_wait_for_an_append(engine: Engine) -> None:
    """A fold that appends nothing is not held up by those who append."""
    lease = await lease_of(engine)
    async with engine.appending():
        await soon(engine.commit_fold(commit(lease, states=[(ANN, b"state")], effects=[effect()])))
    assert await engine.states([ANN]) == {ANN: b"state"}


async def test_a_record_set_aside_is_kept_whole_with_its_cause(engine: Engine) -> None:
    """What could not be folded can be looked at, and its partition goes on."""
    await write(engine, record(payload=b"\x00 no event"))
    (bad,) = await log_of(engine, ANN)
    poisoned = Poisoned(bad, "DecodeError: \\ malformed 👻", NOW_MS + 1)
    await engine.commit_fold(commit(await lease_of(engine), bad.position, poisoned=[poisoned]))
    assert await engine.poisoned(10) == [poisoned]
    assert await engine.unfolded([await lease_of(engine)], 10) == []


async def test_records_set_aside_come_newest_first(engine: Engine) -> None:
    """The latest trouble is at the top, and the limit cuts off the oldest."""
    await write(engine, *records(3))
    log = await log_of(engine, ANN)
    poisoned = [Poisoned(each, "broken", NOW_MS) for each in log]
    await engine.commit_fold(commit(await lease_of(engine), log[-1].position, poisoned=poisoned))
    assert await engine.poisoned(2) == [poisoned[2], poisoned[1]]


# -- who may commit


def whole_commit(lease: Lease, folded: Position) -> FoldCommit:
    """A commit with one of everything that a commit can hold."""
    return commit(
        lease,
        folded,
        states=[(ANN, b"state")],
        timers=[TimerChange(ANN, "remind", NOW_MS)],
        effects=[effect()],
        forwards=[record(BOB, "forwarded")],
        now_ms=NOW_MS,
    )


async def assert_refused(engine: Engine, refused: FoldCommit) -> None:
    """The commit raises LeaseLost and leaves no trace."""
    before = await everything(engine, ANN, BOB)
    with pytest.raises(LeaseLost):
        await engine.commit_fold(refused)
    assert await everything(engine, ANN, BOB) == before
    assert await engine.claim_effects("webhook", NOW_MS, TTL_MS, 10) == []
    assert await engine.next_due_ms(refused.leases) is None


async def test_an_owner_that_was_replaced_can_not_commit(engine: Engine, clock: ManualClock) -> None:
    """Of two who think that they own a partition, only the later one writes."""
    position = await write(engine, record())
    lease = await lease_of(engine, worker="one")
    clock.advance(TTL_MS)
    await claim_all(engine, "two")
    await assert_refused(engine, whole_commit(lease, position))


async def test_an_owner_that_was_late_but_not_replaced_can_commit(engine: Engine, clock: ManualClock) -> None:
    """Nobody else can have folded meanwhile, so the work is not thrown away."""
    position = await write(engine, record())
    lease = await lease_of(engine, worker="one")
    clock.advance(10 * TTL_MS)
    await engine.commit_fold(whole_commit(lease, position))
    assert await engine.states([ANN]) == {ANN: b"state"}


async def test_the_same_commit_counts_once(engine: Engine) -> None:
    """A worker that does not know whether its commit came through may try it again: it is told, and nothing doubles."""
    position = await write(engine, record())
    lease = await lease_of(engine)
    await engine.commit_fold(commit(lease, position, states=[(ANN, b"state")], forwards=[record(BOB)]))
    await assert_refused(engine, whole_commit(lease, position))
    assert len(await log_of(engine, BOB)) == 1


@pytest.mark.parametrize(
    "stale", [lambda lease: lease._replace(epoch=lease.epoch - 1), lambda lease: lease._replace(folded=Position(0))]
)
async def test_one_stale_lease_of_several_refuses_the_whole_commit(
    engine: Engine, stale: Callable[[Lease], Lease]
) -> None:
    """A commit over several partitions is all or nothing, whichever of them was lost."""
    position = await write(engine, record(ANN, "m1"), record(BOB, "m2"))
    await engine.commit_fold(commit(await lease_of(engine, BOB), position))
    leases = [await lease_of(engine, ANN), stale(await lease_of(engine, BOB))]
    refused = whole_commit(leases[0], position)
    refused.leases = leases
    refused.folded = {lease.partition: position for lease in leases}
    await assert_refused(engine, refused)


async def test_of_two_commits_at_once_one_counts(engine: Engine, store: Store) -> None:
    """Two processes that fold the same records under the same lease do not both write."""
    position = await write(engine, record())
    lease = await lease_of(engine)

    async def attempt(through: Engine, name: bytes) -> bool:
        try:
            await through.commit_fold(commit(lease, position, states=[(ANN, name)], forwards=[record(BOB)]))
        except LeaseLost:
            return False
        return True

    async with store.another() as other:
        came_through = await asyncio.gather(attempt(engine, b"one"), attempt(other, b"two"))
    assert sorted(came_through) == [False, True]
    assert await engine.states([ANN]) == {ANN: b"one" if came_through[0] else b"two"}
    assert len(await log_of(engine, BOB)) == 1


async def test_an_error_names_the_partition_that_was_lost(engine: Engine) -> None:
    """The worker, and who reads its log, know which one."""
    lease = await lease_of(engine)
    with pytest.raises(LeaseLost, match=f"partition {lease.partition} "):
        await engine.commit_fold(commit(lease._replace(epoch=lease.epoch + 1)))
