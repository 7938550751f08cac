"""Making segments ready: everybody in turn, who was found anew, and timers for many at once."""

from __future__ import annotations

from courtesy.base.ids import PersonId, Position
from courtesy.engine.contract import Engine, FoldCommit, TimerChange
from courtesy.person.record import RecordKind
from tests.contract.builders import ANN, BOB, NOW_MS, Store, batch, claim_all, record

ZOE = PersonId(103)


async def with_states(engine: Engine, *people: PersonId, timers: tuple[TimerChange, ...] = ()) -> None:
    """Commit a fold that leaves each of these people a state."""
    leases = await claim_all(engine)
    folded = {lease.partition: lease.folded for lease in leases}
    await engine.commit_fold(FoldCommit(leases, folded, [(person, b"state") for person in people], timers))


async def test_people_are_told_in_turn(engine: Engine) -> None:
    """By number, each once, however small the pages."""
    await with_states(engine, BOB, ZOE, ANN)
    everybody = sorted([ANN, BOB, ZOE])
    assert await engine.stored_people(None, 10) == everybody
    assert await engine.stored_people(None, 2) == everybody[:2]
    assert await engine.stored_people(everybody[1], 2) == everybody[2:]
    assert await engine.stored_people(everybody[2], 2) == []


async def test_a_timer_is_set_for_whoever_has_none(engine: Engine, store: Store) -> None:
    """Other timers stay, one of that name stays as it was, and all fire when they are due."""
    await with_states(
        engine, ANN, BOB, timers=(TimerChange(ANN, "look", NOW_MS + 5), TimerChange(BOB, "x", NOW_MS + 9))
    )
    await engine.wake([ANN, BOB], "look", NOW_MS)
    await engine.wake([BOB], "look", NOW_MS + 1)
    assert (await engine.waiting_count("look"), await engine.waiting_count("x")) == (2, 1)
    leases = await claim_all(engine)
    assert await engine.next_due_ms(leases) == NOW_MS
    assert await engine.fire_timers(leases, NOW_MS, 10) == 1
    async with store.another() as other:
        assert await other.waiting_count("look") == 1


async def test_who_has_a_record_of_a_kind_is_told_from_a_position_on(engine: Engine) -> None:
    """Those for whom one was appended after it, with the last of each, and nobody else."""
    async with engine.appending() as append:
        first = await append.write(batch([record(ANN, "m1", kind=RecordKind.RESTORE)]))
    async with engine.appending() as append:
        await append.write(batch([record(BOB, "m2", kind=RecordKind.RESTORE), record(ZOE, "m3")]))
    async with engine.appending() as append:
        last = await append.write(batch([record(BOB, "m4", kind=RecordKind.RESTORE)]))
    assert await engine.latest_since(Position(0), RecordKind.RESTORE) == {ANN: first, BOB: last}
    assert await engine.latest_since(first, RecordKind.RESTORE) == {BOB: last}
    assert await engine.latest_since(Position(0), RecordKind.HAND_OVER) == {}
    assert await engine.latest_since(await engine.head(), RecordKind.RESTORE) == {}
