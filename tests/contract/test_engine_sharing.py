"""Several engines over one store, as several processes: opening, waking each other, and crashes between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.engine.contract import Engine, TimerChange
from courtesy.engine.outbox import ClaimedEffect, EffectState, NewEffect
from courtesy.identity.resolve import Changes, Owner
from tests.contract.builders import (
    ANN,
    NOW_MS,
    PATIENCE_S,
    TTL_MS,
    Message,
    Store,
    batch,
    claim_all,
    commit,
    effect,
    everything,
    evidence,
    fold_all,
    lease_of,
    put,
    receive,
    record,
    seen,
    set_timers,
    settlement,
    soon,
    state_of,
    write,
)

T = TypeVar("T")

LONG_MS = 20 * PATIENCE_S * 1_000

# -- opening


async def test_processes_may_open_a_store_at_once(store: Store) -> None:
    """Whoever comes first brings the schema up to date, and the others find it so."""
    engines = [store.engine() for _ in range(4)]
    await asyncio.gather(*(each.open() for each in engines))
    assert [await each.head() for each in engines] == [0] * 4
    await asyncio.gather(*(each.close() for each in engines))


async def test_a_store_keeps_the_number_of_partitions_it_was_made_with(engine: Engine, store: Store) -> None:
    """Another number would scatter people over other partitions, so it is refused, with what to do."""
    other = store.engine(engine.partition_count // 2)
    with pytest.raises(CourtesyError) as refused:
        await other.open()
    assert refused.value.code is Code.SETUP
    await other.close()


async def test_what_was_committed_is_there_after_a_restart(store: Store) -> None:
    """Closing and opening again changes nothing that can be read."""
    async with store.another() as first:
        await receive(first, Message("m1", ("user_id:ann",)), Message("m2", ("email:ann@example.com",)))
        await receive(first, Message("m3", ("user_id:ann", "email:ann@example.com")))
        await fold_all(first)
        await write(first, record(ANN, "m4"))
        people = [PersonId(number) for number in range(1, 7)]
        before, state = await everything(first, ANN, *people), await state_of(first, "user_id:ann")
    async with store.another() as second:
        assert await everything(second, ANN, *people) == before
        assert await state_of(second, "user_id:ann") == state


async def test_what_was_not_committed_when_an_engine_went_is_gone(engine: Engine, store: Store) -> None:
    """A process that ends in the middle of an append leaves no trace, and holds nobody up."""
    before = await everything(engine, ANN)
    written = asyncio.Event()

    async def write_and_linger(through: Engine) -> None:
        async with through.appending() as append:
            changes = Changes(owners={"email:ann@example.com": (Owner(ANN), evidence())})
            await append.write(batch([record()], changes=changes))
            written.set()
            await asyncio.Event().wait()

    crashing = store.engine()
    await crashing.open()
    task = asyncio.create_task(write_and_linger(crashing))
    await soon(written.wait())
    await crashing.close()
    assert await everything(engine, ANN) == before
    assert await soon(seen(engine, record().key)) == set()
    assert await soon(write(engine, record())) == await engine.head()
    task.cancel()
    await asyncio.wait({task})


# -- waking


async def next_of(look: Callable[[], Awaitable[list[T]]], wait: Callable[[int], Awaitable[None]]) -> list[T]:
    """What the looking finds, looking again whenever the waiting returns."""
    while not (found := await look()):
        await wait(LONG_MS)
    return found


async def test_waiting_for_records_ends_after_its_time(engine: Engine) -> None:
    """A worker looks after its leases though nothing comes."""
    for _ in range(3):
        await soon(engine.wait_for_records(1))
        await soon(engine.wait_for_effects(1))


async def test_what_was_heard_of_once_wakes_nobody_again(engine: Engine) -> None:
    """A worker with nothing to do sleeps, and does not go round and round."""
    await write(engine, record())
    await put(engine, effect())
    for _ in range(3):
        await asyncio.gather(engine.wait_for_records(100), engine.wait_for_effects(100))
    waiting = {asyncio.create_task(wait(LONG_MS)) for wait in (engine.wait_for_records, engine.wait_for_effects)}
    woken, asleep = await asyncio.wait(waiting, timeout=0.2)
    for each in asleep:
        each.cancel()
    assert not woken


async def records_come(engine: Engine) -> None:
    """By an append."""
    await write(engine, record())


async def records_are_forwarded(engine: Engine) -> None:
    """By a fold."""
    await engine.commit_fold(commit(await lease_of(engine), forwards=[record()]))


async def timers_fire(engine: Engine) -> None:
    """By a timer."""
    await set_timers(engine, TimerChange(ANN, "remind", NOW_MS))
    await engine.fire_timers(await claim_all(engine), NOW_MS, 10)


async def reports_come(engine: Engine) -> None:
    """By an outcome."""
    await put(engine, effect())
    (claimed,) = await engine.claim_effects("webhook", NOW_MS, TTL_MS, 10)
    await engine.settle(settlement(claimed, EffectState.DELIVERED, report=record()))


@pytest.mark.parametrize("happens", [records_come, records_are_forwarded, timers_fire, reports_come])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "other process"])
async def test_whoever_waits_for_records_is_woken(
    engine: Engine, store: Store, happens: Callable[[Engine], Awaitable[None]], elsewhere: bool
) -> None:
    """Whatever appends a record wakes the workers of all processes."""
    lease = await lease_of(engine)
    async with store.another() as other:
        waiting = asyncio.create_task(next_of(lambda: engine.unfolded([lease], 10), engine.wait_for_records))
        await asyncio.sleep(0.05)
        await happens(other if elsewhere else engine)
        assert len(await soon(waiting)) == 1


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "other process"])
async def test_whoever_waits_for_effects_is_woken(engine: Engine, store: Store, elsewhere: bool) -> None:
    """An effect that is put wakes the dispatchers of all processes."""
    async with store.another() as other:
        waiting = asyncio.create_task(
            next_of(lambda: engine.claim_effects("webhook", NOW_MS, TTL_MS, 10), engine.wait_for_effects)
        )
        await asyncio.sleep(0.05)
        await put(other if elsewhere else engine, effect())
        assert len(await soon(waiting)) == 1


async def test_what_came_between_two_waits_is_not_missed(engine: Engine) -> None:
    """A record that is appended after a worker looked and before it waits does not lie there until the time is up."""
    lease = await lease_of(engine)
    await soon(engine.wait_for_records(50))
    for number in range(5):
        await write(engine, record(ANN, f"m{number}"))
        await soon(engine.wait_for_records(LONG_MS))
        assert len(await engine.unfolded([lease], 10)) == number + 1


async def test_what_came_between_two_waits_for_effects_is_not_missed(engine: Engine) -> None:
    """The same holds for effects."""
    await soon(engine.wait_for_effects(50))
    for number in range(5):
        await put(engine, effect(f"e{number}"))
        await soon(engine.wait_for_effects(LONG_MS))
        assert len(await engine.effects(None, 10)) == number + 1


async def test_all_who_wait_are_woken(engine: Engine) -> None:
    """Several dispatchers of one process wait at once, and what comes is news for each of them."""
    kinds = ["email", "webhook", "sms"]

    async def dispatch(kind: str) -> list[ClaimedEffect]:
        return await next_of(lambda: engine.claim_effects(kind, NOW_MS, TTL_MS, 10), engine.wait_for_effects)

    waiting = [asyncio.create_task(dispatch(kind)) for kind in kinds]
    await asyncio.sleep(0.05)
    effects: list[NewEffect] = [effect(f"e {kind}", kind=kind) for kind in kinds]
    await put(engine, *effects)
    assert [len(each) for each in await soon(asyncio.gather(*waiting))] == [1, 1, 1]
