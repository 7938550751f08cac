"""Upkeep: old records are dropped, but nothing that is not folded; and the status of each partition is exact."""

from __future__ import annotations

from courtesy.base.ids import Partition, PersonId, Position, partition_of
from courtesy.base.time import DAY_MS
from courtesy.engine.contract import Engine, PartitionStatus
from courtesy.identity.resolve import Changes, Owner
from courtesy.person.state import decode_state
from courtesy.runtime.trimming import trim
from tests.contract.builders import (
    ANN,
    BOB,
    NOW_MS,
    claim_all,
    commit,
    evidence,
    fold,
    fold_all,
    lease_of,
    log_of,
    person_in,
    read,
    record,
    records,
    seen,
    state_of,
    write,
)

EMAIL = "email:ann@example.com"
ANNS = Changes(owners={EMAIL: (Owner(ANN), evidence())})


async def status_of(engine: Engine, person: PersonId) -> PartitionStatus:
    """The status of a person's partition."""
    return (await engine.status())[partition_of(person)]


# -- dropping old records


async def test_old_folded_records_are_dropped_and_counted(engine: Engine) -> None:
    """What arrived before the instant goes; what arrived at it or after it stays."""
    await write(engine, *(record(ANN, f"m{n}", received=NOW_MS + n) for n in range(5)))
    log = await log_of(engine, ANN)
    await fold_all(engine)
    assert await trim(engine, NOW_MS + 3) == 3
    assert await log_of(engine, ANN) == log[3:]


async def test_records_are_dropped_one_by_one_but_only_folded_ones(engine: Engine) -> None:
    """Those that are named; what is not folded stays, and what is gone already does not count."""
    await write(engine, *records(3), record(BOB, "b1"))
    log = await log_of(engine, ANN)
    await engine.commit_fold(commit(await lease_of(engine), log[1].position, states=[(ANN, b"")]))
    assert await engine.drop([log[0], log[2]]) == 1
    assert await log_of(engine, ANN) == log[1:]
    assert await engine.drop([log[0], log[2], *await log_of(engine, BOB)]) == 0
    assert await engine.drop([]) == 0


async def test_what_is_not_folded_is_never_dropped(engine: Engine) -> None:
    """However old it is, and though others of its partition are folded."""
    await write(engine, *records(4))
    log = await log_of(engine, ANN)
    await engine.commit_fold(commit(await lease_of(engine), log[1].position, states=[(ANN, b"")]))
    assert await trim(engine, NOW_MS + 1_000 * DAY_MS) == 2
    assert await log_of(engine, ANN) == log[2:]
    assert await engine.unfolded([await lease_of(engine)], 10) == log[2:]


async def test_records_are_dropped_by_arrival_and_not_by_the_time_of_their_event(engine: Engine) -> None:
    """A late event is as new as its arrival: an import of ten years is not dropped tomorrow."""
    await write(engine, record(ANN, "m1", at=NOW_MS, received=NOW_MS - 1), record(ANN, "m2", at=0, received=NOW_MS))
    await fold_all(engine)
    assert await trim(engine, NOW_MS) == 1
    assert [each.key for each in await log_of(engine, ANN)] == [record(ANN, "m2").key]


async def test_no_record_is_dropped_from_behind_one_that_stays(engine: Engine) -> None:
    """After a clock was set forward and back, what arrived in between goes with what came after it."""
    for number, received in enumerate((NOW_MS - 9, NOW_MS + DAY_MS, NOW_MS - 8, NOW_MS)):
        await write(engine, record(ANN, f"m{number}", received=received))
    await fold_all(engine)
    log = await log_of(engine, ANN)
    assert await trim(engine, NOW_MS) in (1, 3)
    assert await log_of(engine, ANN) in (log[1:], log[3:])


async def test_dropping_in_one_partition_leaves_the_others(engine: Engine) -> None:
    """Each partition is dropped as far as it is folded itself."""
    await write(engine, *records(3, ANN, "a"), *records(3, BOB, "b"))
    await fold(engine, [partition_of(ANN)])
    assert await trim(engine, NOW_MS + 1) == 3
    assert (len(await log_of(engine, ANN)), len(await log_of(engine, BOB))) == (0, 3)


async def test_dropping_changes_no_person(engine: Engine) -> None:
    """The state was folded from what is dropped, and is what it was; so are the identifiers."""
    await write(engine, *records(3), changes=ANNS)
    await fold_all(engine)
    state, identifiers = await state_of(engine, EMAIL), (await read(engine, EMAIL)).identifiers
    await trim(engine, NOW_MS + 1)
    await write(engine, record(ANN, "later"))
    reading = await read(engine, EMAIL)
    assert (reading.states, reading.identifiers) == ([state], identifiers)
    assert decode_state(await state_of(engine, EMAIL)).event_count == 4


async def test_positions_go_on_after_everything_was_dropped(engine: Engine) -> None:
    """The head stays, leases stay, and no position is used again."""
    position = await write(engine, *records(3))
    await fold_all(engine)
    lease = await lease_of(engine)
    assert await trim(engine, NOW_MS + 1) == 3
    assert await engine.head() == position
    assert await lease_of(engine) == lease
    later = await write(engine, record(ANN, "later"))
    assert later > position
    assert [each.position for each in await engine.unfolded([lease], 10)] == [later]


async def test_dropped_messages_are_still_known(engine: Engine) -> None:
    """A message that comes again is a duplicate, though its record is gone."""
    await write(engine, record())
    await fold_all(engine)
    await trim(engine, NOW_MS + 1)
    assert await seen(engine, record().key) == {record().key}


async def test_dropping_twice_drops_once(engine: Engine) -> None:
    """Upkeep that runs again finds nothing to do."""
    await write(engine, *records(3))
    await fold_all(engine)
    assert [await trim(engine, NOW_MS + 1), await trim(engine, NOW_MS + 1)] == [3, 0]


# -- how far partitions are


async def test_the_status_has_every_partition_in_order(engine: Engine) -> None:
    """Also those where nothing ever happened."""
    status = await engine.status()
    assert [each.partition for each in status] == list(range(engine.partition_count))
    assert status[0] == PartitionStatus(Partition(0), Position(0), 0, None, None)


async def test_unfolded_records_are_counted_exactly(engine: Engine) -> None:
    """The lag is a number of records, right at every moment."""
    await write(engine, *records(5, ANN, "a"), *records(3, BOB, "b"))
    counts = [[(await status_of(engine, person)).unfolded_count for person in (ANN, BOB)]]
    await fold(engine, [partition_of(ANN)])
    counts.append([(await status_of(engine, person)).unfolded_count for person in (ANN, BOB)])
    await write(engine, record(ANN, "later"))
    counts.append([(await status_of(engine, person)).unfolded_count for person in (ANN, BOB)])
    assert counts == [[5, 3], [0, 3], [1, 3]]
    assert sum(each.unfolded_count for each in await engine.status()) == 4


async def test_the_oldest_unfolded_arrival_is_told(engine: Engine) -> None:
    """The lag is a time too: that since the first record that is not folded; none when all are."""
    await write(engine, *(record(ANN, f"m{n}", at=n, received=NOW_MS + n) for n in range(3)))
    log = await log_of(engine, ANN)
    assert (await status_of(engine, ANN)).oldest_unfolded_ms == NOW_MS
    await engine.commit_fold(commit(await lease_of(engine), log[0].position))
    assert (await status_of(engine, ANN)).oldest_unfolded_ms == NOW_MS + 1
    await engine.commit_fold(commit(await lease_of(engine), log[2].position))
    assert (await status_of(engine, ANN)).oldest_unfolded_ms is None


async def test_the_status_tells_how_far_each_partition_is_folded(engine: Engine) -> None:
    """It is what the lease says, partition by partition."""
    await write(engine, *(record(person_in(number), f"m{number}") for number in range(4)))
    await fold(engine, [lease.partition for lease in (await claim_all(engine))[:2]])
    assert [each.folded for each in await engine.status()] == [lease.folded for lease in await claim_all(engine)]
    assert [each.folded > 0 for each in await engine.status()][:4] == [True, True, False, False]


async def test_dropping_leaves_the_status_alone(engine: Engine) -> None:
    """What is dropped was folded, and counts no more or less."""
    await write(engine, *records(3))
    await fold_all(engine)
    await write(engine, record(ANN, "later"))
    before = await engine.status()
    await trim(engine, NOW_MS + 1)
    assert await engine.status() == before
