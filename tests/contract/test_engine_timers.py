"""Timers: set, replaced, cancelled, and fired exactly once, as records of their person."""

from __future__ import annotations

import asyncio

import pytest

from courtesy.base.ids import PersonId, partition_of
from courtesy.base.time import ManualClock
from courtesy.engine.contract import Engine, LeaseLost, TimerChange
from courtesy.person.record import SYSTEM_SOURCE, RecordKind, input_of
from courtesy.person.step import TimerFired
from tests.contract.builders import (
    ANN,
    BOB,
    NOW_MS,
    TTL_MS,
    Store,
    batch,
    claim_all,
    commit,
    lease_of,
    log_of,
    person_in,
    record,
    set_timers,
    soon,
    write,
)

LATER_MS = NOW_MS + 1_000


async def fired(engine: Engine, *people: PersonId) -> list[tuple[PersonId, TimerFired]]:
    """The timers of some people that came into the log, in order."""
    found = []
    for each in await log_of(engine, *people):
        given = input_of(each)
        assert isinstance(given, TimerFired)
        found.append((each.person, given))
    return found


async def fire(engine: Engine, now_ms: int = LATER_MS, limit: int = 100) -> int:
    """Fire what is due, as the owner of all partitions."""
    return await engine.fire_timers(await claim_all(engine), now_ms, limit)


async def test_a_due_timer_becomes_a_record_of_its_person(engine: Engine) -> None:
    """It says which timer and when it was due, comes from the system, and lies where the person's owner folds it."""
    await set_timers(engine, TimerChange(ANN, "remind", NOW_MS))
    assert await fire(engine, LATER_MS) == 1
    (given,) = await log_of(engine, ANN)
    assert input_of(given) == TimerFired("remind", NOW_MS)
    assert (given.kind, given.at, given.received) == (RecordKind.TIMER, NOW_MS, LATER_MS)
    assert (given.source, given.partition) == (SYSTEM_SOURCE, partition_of(ANN))
    assert given.position == await engine.head()
    assert await engine.unfolded([await lease_of(engine)], 10) == [given]


async def test_a_timer_fires_once(engine: Engine) -> None:
    """What has fired is no timer any more."""
    await set_timers(engine, TimerChange(ANN, "remind", NOW_MS))
    assert [await fire(engine), await fire(engine)] == [1, 0]
    assert len(await log_of(engine, ANN)) == 1


async def test_a_timer_that_fires_from_two_processes_at_once_fires_once(engine: Engine, store: Store) -> None:
    """Whoever is faster, it is one record."""
    await set_timers(engine, *(TimerChange(person_in(n), "remind", NOW_MS) for n in range(16)))
    leases = await claim_all(engine)
    async with store.another() as other:
        counts = await asyncio.gather(*(each.fire_timers(leases, LATER_MS, 100) for each in (engine, other) * 3))
    assert sum(counts) == 16
    assert len(await log_of(engine, *(person_in(n) for n in range(16)))) == 16


async def test_a_timer_fires_at_its_instant_and_not_before(engine: Engine) -> None:
    """Due is due: at the very millisecond."""
    await set_timers(engine, TimerChange(ANN, "remind", NOW_MS))
    assert [await fire(engine, NOW_MS - 1), await fire(engine, NOW_MS)] == [0, 1]


async def test_setting_a_timer_again_replaces_it(engine: Engine) -> None:
    """A person has one timer of a name: put off it fires later, brought forward it fires earlier, and once."""
    await set_timers(engine, TimerChange(ANN, "later", NOW_MS), TimerChange(ANN, "sooner", NOW_MS + 2))
    await set_timers(engine, TimerChange(ANN, "later", NOW_MS + 3), TimerChange(ANN, "sooner", NOW_MS + 1))
    await fire(engine, LATER_MS)
    assert await fired(engine, ANN) == [
        (ANN, TimerFired("sooner", NOW_MS + 1)),
        (ANN, TimerFired("later", NOW_MS + 3)),
    ]


async def test_a_cancelled_timer_does_not_fire(engine: Engine) -> None:
    """What was called off leaves no trace, and cancelling what is not there does nothing."""
    await set_timers(engine, TimerChange(ANN, "remind", NOW_MS), TimerChange(ANN, "other", NOW_MS))
    await set_timers(engine, TimerChange(ANN, "remind", None), TimerChange(BOB, "remind", None))
    await fire(engine)
    assert await fired(engine, ANN, BOB) == [(ANN, TimerFired("other", NOW_MS))]


@pytest.mark.parametrize("last", [None, NOW_MS + 5])
async def test_the_last_word_of_a_commit_on_a_timer_counts(engine: Engine, last: int | None) -> None:
    """A batch that sets, cancels and sets a timer again leaves what came last."""
    changes = [TimerChange(ANN, "remind", due) for due in (NOW_MS, None, NOW_MS + 9, last)]
    await set_timers(engine, *changes)
    assert await engine.next_due_ms(await claim_all(engine)) == last
    assert await fire(engine) == (0 if last is None else 1)


async def test_a_timer_can_be_set_again_after_it_fired(engine: Engine) -> None:
    """The same name and even the same instant is a new timer."""
    for _ in range(2):
        await set_timers(engine, TimerChange(ANN, "remind", NOW_MS))
        assert await fire(engine) == 1
    assert await fired(engine, ANN) == [(ANN, TimerFired("remind", NOW_MS))] * 2


async def test_timers_of_one_name_are_each_persons_own(engine: Engine) -> None:
    """Cancelling one leaves the other's alone."""
    await set_timers(engine, TimerChange(ANN, "remind", NOW_MS), TimerChange(BOB, "remind", NOW_MS))
    await set_timers(engine, TimerChange(ANN, "remind", None))
    await fire(engine)
    assert await fired(engine, ANN, BOB) == [(BOB, TimerFired("remind", NOW_MS))]


async def test_timers_fire_oldest_first_up_to_the_limit(engine: Engine) -> None:
    """After a pause what was due first comes first, over all partitions, in batches."""
    due = [(person_in(n), NOW_MS + (7 * n) % 10) for n in range(10)]
    await set_timers(engine, *(TimerChange(person, "remind", at) for person, at in due))
    in_order = [(person, TimerFired("remind", at)) for person, at in sorted(due, key=lambda each: each[1])]
    assert await fire(engine, limit=4) == 4
    assert await fired(engine, *(person for person, _ in due)) == in_order[:4]
    assert [await fire(engine, limit=4), await fire(engine, limit=4), await fire(engine, limit=4)] == [4, 2, 0]
    assert await fired(engine, *(person for person, _ in due)) == in_order


async def test_only_timers_of_the_leased_partitions_fire(engine: Engine) -> None:
    """What another worker owns is left to it."""
    mine, other = person_in(3), person_in(4)
    await set_timers(engine, TimerChange(mine, "remind", NOW_MS), TimerChange(other, "remind", NOW_MS))
    leases = await claim_all(engine)
    assert await engine.fire_timers([leases[3]], LATER_MS, 100) == 1
    assert await fired(engine, mine, other) == [(mine, TimerFired("remind", NOW_MS))]
    assert await engine.fire_timers([], LATER_MS, 100) == 0


async def test_an_owner_that_was_replaced_fires_nothing(engine: Engine, clock: ManualClock) -> None:
    """It is told that its partition is lost, and the timer is left to the new owner."""
    await set_timers(engine, TimerChange(ANN, "remind", NOW_MS))
    lease = await lease_of(engine, worker="folder")
    clock.advance(TTL_MS)
    await claim_all(engine, "two")
    with pytest.raises(LeaseLost):
        await engine.fire_timers([lease], LATER_MS, 100)
    assert await engine.head() == 0
    assert await engine.fire_timers(await claim_all(engine, "two"), LATER_MS, 100) == 1


async def test_firing_waits_for_an_append_under_way(engine: Engine) -> None:
    """A timer's record too comes after what was appended before it."""
    await set_timers(engine, TimerChange(BOB, "remind", NOW_MS))
    leases = await claim_all(engine)
    async with engine.appending() as append:
        position = await append.write(batch([record(ANN, "m1")]))
        firing = asyncio.create_task(engine.fire_timers(leases, LATER_MS, 100))
        await asyncio.wait({firing}, timeout=0.05)
        assert await engine.head() == 0
    assert await soon(firing) == 1
    assert [each.position > position for each in await log_of(engine, BOB)] == [True]


async def test_the_next_instant_is_that_of_the_earliest_timer(engine: Engine) -> None:
    """A worker knows how long it may sleep, for its own partitions."""
    leases = await claim_all(engine)
    assert await engine.next_due_ms(leases) is None
    early, late = person_in(3), person_in(4)
    await set_timers(
        engine,
        TimerChange(early, "a", NOW_MS + 5),
        TimerChange(early, "b", NOW_MS + 3),
        TimerChange(late, "a", NOW_MS + 7),
    )
    assert await engine.next_due_ms(leases) == NOW_MS + 3
    assert await engine.next_due_ms([leases[4]]) == NOW_MS + 7
    assert await engine.next_due_ms([leases[5]]) is None
    assert await engine.next_due_ms([]) is None


async def test_what_fired_is_not_due_any_more(engine: Engine) -> None:
    """The next instant moves on with each timer that fires."""
    await set_timers(engine, TimerChange(ANN, "a", NOW_MS), TimerChange(ANN, "b", NOW_MS + 5))
    await fire(engine, NOW_MS)
    assert await engine.next_due_ms(await claim_all(engine)) == NOW_MS + 5


async def test_firing_nothing_appends_nothing(engine: Engine) -> None:
    """A worker that looks too often does not fill the log."""
    position = await write(engine, record())
    assert await fire(engine) == 0
    assert await engine.head() == position


async def test_a_timers_name_and_instant_may_be_odd(engine: Engine) -> None:
    """Any text is a name, and any 64-bit instant is an instant."""
    timers = [("remind/\\ 'me' 👋\n", -(2**63)), ("", 2**63 - 1)]
    await set_timers(engine, *(TimerChange(ANN, name, due) for name, due in timers))
    assert await fire(engine, 2**63 - 1) == 2
    assert await fired(engine, ANN) == [(ANN, TimerFired(name, due)) for name, due in timers]


async def test_a_commit_may_set_thousands_of_timers(engine: Engine) -> None:
    """A campaign's reminders are one commit, and fire in batches until none is left."""
    people = [PersonId(number) for number in range(1, 2_501)]
    await set_timers(engine, *(TimerChange(person, "remind", NOW_MS + person) for person in people))
    leases = await claim_all(engine)
    counts = []
    while count := await engine.fire_timers(leases, LATER_MS * 2, 1_000):
        counts.append(count)
    assert counts == [1_000, 1_000, 500]
    assert [each.person for each in await log_of(engine, *people)] == people


async def test_a_timer_of_a_refused_commit_is_not_set(engine: Engine) -> None:
    """A worker that lost its lease sets nothing."""
    lease = await lease_of(engine)
    with pytest.raises(LeaseLost):
        await engine.commit_fold(
            commit(lease._replace(epoch=lease.epoch - 1), timers=[TimerChange(ANN, "remind", NOW_MS)])
        )
    assert await fire(engine) == 0
