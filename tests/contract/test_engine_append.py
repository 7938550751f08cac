"""Appending: one at a time, all or nothing, at positions that rise; and what was written comes back as it was."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from courtesy.base.ids import PersonId, Position, SourceId, partition_of
from courtesy.engine.contract import Count, Engine, Quarantined
from courtesy.event.cause import Cause, Fate
from courtesy.identity.resolve import Changes, Link, LinkRefusal, Merge, Owner, RefusalReason
from courtesy.person.record import Record, RecordKind
from tests.contract.builders import (
    ANN,
    BOB,
    HOUR,
    NOW_MS,
    ODD_TEXTS,
    SHOP,
    Store,
    batch,
    claim_all,
    everything,
    evidence,
    log_of,
    record,
    records,
    seen,
    soon,
    write,
)


class _Broken(Exception):
    """What goes wrong in the middle of an append."""


WHOLE_BATCH = batch(
    [record(ANN, "m1"), record(BOB, "m2")],
    changes=Changes(
        people={ANN: evidence(), BOB: evidence()},
        owners={"email:ann@example.com": (Owner(ANN), evidence()), "user_id:ann": (Owner(ANN), evidence())},
        links=[Link("email:ann@example.com", "user_id:ann", evidence(), "same event")],
        merges=[Merge(BOB, ANN, "email:ann@example.com", "user_id:ann", evidence(), "alias")],
        refusals=[LinkRefusal("device_id:till", ANN, RefusalReason.OTHER_PERSON, evidence())],
    ),
    counts=[Count(SHOP, HOUR, Fate.STORED, None, 2)],
    quarantined=[Quarantined(SHOP, Cause.UNREADABLE, "no JSON", NOW_MS, None, b"{")],
)
"""A batch with one of everything that a batch can hold."""


async def write_and_break(engine: Engine) -> None:
    """Write everything, and fail before leaving."""
    async with engine.appending() as append:
        await append.write(WHOLE_BATCH)
        raise _Broken


async def test_the_position_of_an_append_is_that_of_its_last_record(engine: Engine) -> None:
    """Whoever is told a position can ask for a state that includes all they wrote."""
    position = await write(engine, record(ANN, "m1"), record(BOB, "m2"), record(ANN, "m3"))
    last = (await log_of(engine, ANN))[-1]
    assert position == last.position == await engine.head()


async def test_an_empty_log_has_its_head_at_0(engine: Engine) -> None:
    """A position of 0 asks for nothing."""
    assert await engine.head() == 0


async def test_positions_rise_with_each_record_and_each_append(engine: Engine) -> None:
    """The log has one order: that of the commits, and within a batch that in which it was written."""
    for number in range(3):
        await write(engine, *records(3, prefix=f"{number}-"))
    log = await log_of(engine, ANN)
    assert [each.key for each in log] == [each.key for n in range(3) for each in records(3, prefix=f"{n}-")]
    assert all(one.position < next_one.position for one, next_one in pairwise(log))


async def test_an_append_without_records_gives_the_head(engine: Engine) -> None:
    """A batch of nothing but rejected events has a position too: everything before it is included."""
    assert await write(engine, counts=[Count(SHOP, HOUR, Fate.QUARANTINED, Cause.UNREADABLE, 1)]) == 0
    position = await write(engine, record())
    assert await write(engine, counts=[Count(SHOP, HOUR, Fate.QUARANTINED, Cause.UNREADABLE, 1)]) == position


async def test_an_append_that_writes_nothing_changes_nothing(engine: Engine) -> None:
    """Looking whether everything is a duplicate, and finding that it is, leaves no trace."""
    async with engine.appending() as append:
        assert await append.seen([record().key]) == set()
    assert await engine.head() == 0


async def test_a_record_comes_back_as_it_was_written_with_its_place(engine: Engine) -> None:
    """Nothing of a record is lost or changed, for each kind of record."""
    written = [record(ANN, f"m{kind}", kind=kind, at=NOW_MS - 5, received=NOW_MS + 7) for kind in RecordKind]
    position = await write(engine, *written)
    first = position - len(written) + 1
    expected = [Record(Position(first + place), partition_of(ANN), *each) for place, each in enumerate(written)]
    log = await log_of(engine, ANN)
    assert log == expected
    assert [type(each.kind) for each in log] == [RecordKind] * len(written)


async def test_records_of_everybody_lie_in_the_partition_of_their_person(engine: Engine) -> None:
    """One writer at a time per person needs all of a person's records in one partition."""
    people = [PersonId(number) for number in range(1, 50)]
    await write(engine, *(record(person, f"m{person}") for person in people))
    assert {each.person: each.partition for each in await log_of(engine, *people)} == {
        person: partition_of(person) for person in people
    }


async def test_an_append_of_2500_records_is_whole(engine: Engine) -> None:
    """The largest batch that accept lets in is written in one go."""
    written = [record(PersonId(1 + n % 100), f"m{n}") for n in range(2_500)]
    position = await write(engine, *written)
    log = await log_of(engine, *(PersonId(number) for number in range(1, 101)))
    assert [each.key for each in log] == [each.key for each in written]
    assert log[-1].position == position
    assert await seen(engine, *(each.key for each in written)) == {each.key for each in written}


async def test_the_outermost_numbers_of_64_bits_are_kept(engine: Engine) -> None:
    """Times and person ids are signed 64-bit numbers to the last one."""
    last, first = 2**63 - 1, -(2**63)
    most = record(PersonId(last), "m1", at=last, received=first, source=SourceId(2**31 - 1))
    least = record(PersonId(last), "m2", at=first, received=last)
    await write(engine, most, least)
    assert [each[2:] for each in await log_of(engine, PersonId(last))] == [tuple(most), tuple(least)]


@pytest.mark.parametrize("payload", [b"", bytes(range(256)), b"\\N\n\\.", b"x" * 200_000])
async def test_a_payload_may_be_any_bytes(engine: Engine, payload: bytes) -> None:
    """The store does not look into payloads, and has room for those at the limit of accept and more."""
    await write(engine, record(payload=payload))
    assert [each.payload for each in await log_of(engine, ANN)] == [payload]


@pytest.mark.parametrize("text", ODD_TEXTS)
async def test_texts_in_any_script_come_back_as_they_were(engine: Engine, text: str) -> None:
    """Identifiers, message ids and details are kept to the letter."""
    key, why = f"email:{text}", evidence(text)
    changes = Changes(
        people={ANN: why},
        owners={key: (Owner(ANN), why)},
        links=[Link(key, "user_id:ann", why, text)],
        refusals=[LinkRefusal(f"phone:{text}", ANN, RefusalReason.OVER_CAP, why)],
    )
    rejected = Quarantined(SHOP, Cause.WRONG_TYPE, text, NOW_MS, text, b"\x00\xff")
    await write(engine, record(ANN, text), changes=changes, quarantined=[rejected])

    reading = await engine.read_person(key)
    assert reading is not None
    assert [(each.identifier, each.message_id) for each in reading.identifiers] == [(key, text)]
    identity = await engine.identity_of(ANN)
    assert identity.links == changes.links
    assert identity.refusals == changes.refusals
    assert [each[:6] for each in await engine.quarantined(None, None, None, 10)] == [rejected[:6]]


async def test_identifiers_that_look_alike_are_different(engine: Engine) -> None:
    """No collation folds case, accents or blanks: normalising is done before, and on purpose."""
    alike = ["email:Zoë", "email:zoë", "email:Zoe", "email:Zoe\u0308", "email:Zoë ", "email:ZOË"]
    owners = {key: (Owner(PersonId(number)), evidence()) for number, key in enumerate(alike, start=1)}
    await write(engine, changes=Changes(owners=owners))
    async with engine.appending() as append:
        found = await append.owners(alike)
    assert [found[key].person for key in alike] == list(range(1, len(alike) + 1))


async def test_an_error_before_leaving_leaves_no_trace(engine: Engine) -> None:
    """Nothing of a batch is kept when what comes after its write fails."""
    await write(engine, record(ANN, "m0"))
    before = await everything(engine, ANN, BOB)
    with pytest.raises(_Broken):
        await write_and_break(engine)
    assert await everything(engine, ANN, BOB) == before
    assert await seen(engine, *WHOLE_BATCH.keys) == set()


async def test_an_append_can_be_done_again_after_an_error(engine: Engine) -> None:
    """What was rolled back is written as if nothing had been."""
    with pytest.raises(_Broken):
        await write_and_break(engine)
    async with engine.appending() as append:
        position = await append.write(WHOLE_BATCH)
    assert await engine.head() == position
    assert [each.key for each in await log_of(engine, ANN, BOB)] == [each.key for each in WHOLE_BATCH.records]
    assert await seen(engine, *WHOLE_BATCH.keys) == set(WHOLE_BATCH.keys)


async def test_a_cancelled_append_leaves_no_trace_and_makes_way(engine: Engine) -> None:
    """A caller who is gone neither writes half a batch nor blocks those who come after."""
    before = await everything(engine, ANN, BOB)
    written = asyncio.Event()

    async def write_and_linger() -> None:
        async with engine.appending() as append:
            await append.write(WHOLE_BATCH)
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_and_linger())
    await soon(written.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await everything(engine, ANN, BOB) == before
    assert await soon(write(engine, record())) == await engine.head()


async def test_whoever_gives_up_waiting_for_their_turn_makes_way(engine: Engine) -> None:
    """A cancelled call that had not begun to append leaves the queue, and the next one gets its turn."""
    async with engine.appending() as append:
        impatient = asyncio.create_task(write(engine, record(ANN, "m2")))
        patient = asyncio.create_task(write(engine, record(ANN, "m3")))
        await asyncio.sleep(0.01)
        impatient.cancel()
        await append.write(batch([record(ANN, "m1")]))
    await soon(patient)
    assert impatient.cancelled()
    assert [each.key for each in await log_of(engine, ANN)] == [record(ANN, "m1").key, record(ANN, "m3").key]


async def test_nothing_is_seen_of_an_append_before_it_is_left(engine: Engine) -> None:
    """Readers get what is committed, and only that."""
    before = await everything(engine, ANN, BOB)
    async with engine.appending() as append:
        await append.write(WHOLE_BATCH)
        assert await everything(engine, ANN, BOB) == before
    assert await everything(engine, ANN, BOB) != before


async def test_an_append_waits_for_the_one_before(engine: Engine) -> None:
    """Between entering and leaving nobody else appends, however long that takes."""
    async with engine.appending() as append:
        later = asyncio.create_task(write(engine, record(ANN, "m2")))
        done, _ = await asyncio.wait({later}, timeout=0.1)
        assert not done
        position = await append.write(batch([record(ANN, "m1")]))
    assert await soon(later) > position


async def test_concurrent_appends_of_the_same_message_store_it_once(engine: Engine) -> None:
    """What an append reads is what its write builds on: of ten that bring the same message, nine see it is known."""

    async def append_if_new() -> None:
        async with engine.appending() as append:
            if not await append.seen([record().key]):
                await asyncio.sleep(0)
                await append.write(batch([record()]))

    await asyncio.gather(*(append_if_new() for _ in range(10)))
    assert len(await log_of(engine, ANN)) == 1


async def test_processes_append_one_at_a_time(engine: Engine, store: Store) -> None:
    """The same holds between processes that share a store."""

    async def append_if_new(through: Engine) -> None:
        async with through.appending() as append:
            if not await append.seen([record().key]):
                await asyncio.sleep(0)
                await append.write(batch([record()]))

    async with store.another() as second, store.another() as third:
        await asyncio.gather(*(append_if_new(through) for through in (engine, second, third) * 4))
    assert len(await log_of(engine, ANN)) == 1


async def test_nothing_new_ever_comes_up_at_or_before_a_position_that_was_read(engine: Engine, store: Store) -> None:
    """A fold worker that went past a position has missed nothing, though several processes append at once."""
    person = {PersonId(number) for number in range(1, 20)}
    leases = await claim_all(engine)
    all_written = asyncio.Event()

    async def append_many(through: Engine, name: str) -> None:
        for number in range(20):
            await write(through, *(record(each, f"{name}-{number}-{each}") for each in person))

    async def read_on() -> list[Record]:
        came: dict[Position, Record] = {}
        last_look = False
        while not last_look:
            last_look = all_written.is_set()
            highest = max(came, default=0)
            log = await engine.unfolded(leases, 1_000_000)
            fresh = [each for each in log if each.position not in came]
            assert all(each.position > highest for each in fresh)
            came |= {each.position: each for each in fresh}
            await asyncio.sleep(0)
        return list(came.values())

    async with store.another() as second, store.another() as third:
        reader = asyncio.create_task(read_on())
        await asyncio.gather(append_many(engine, "a"), append_many(second, "b"), append_many(third, "c"))
        all_written.set()
        assert len(await soon(reader)) == 3 * 20 * len(person)


async def test_what_a_caller_does_to_a_batch_after_writing_it_changes_nothing(engine: Engine) -> None:
    """The store keeps what it was given, not a reference to it."""
    changes = Changes(owners={"email:ann@example.com": (Owner(ANN), evidence())})
    written, keys = [record(ANN, "m1")], [record(ANN, "m1").key]
    async with engine.appending() as append:
        await append.write(batch(written, keys=keys, changes=changes))
        written.append(record(ANN, "m2"))
        keys.append(record(ANN, "m2").key)
        changes.owners["email:bob@example.com"] = (Owner(BOB), evidence())
    assert len(await log_of(engine, ANN)) == 1
    assert await seen(engine, record(ANN, "m2").key) == set()
    assert await engine.read_person("email:bob@example.com") is None


async def test_what_a_caller_does_to_an_answer_changes_nothing(engine: Engine) -> None:
    """Answers are the caller's own."""
    await write(engine, record(), changes=Changes(owners={"email:ann@example.com": (Owner(ANN), evidence())}))
    async with engine.appending() as append:
        (await append.owners(["email:ann@example.com"])).clear()
        (await append.held([ANN]))[ANN].clear()
        assert await append.held([ANN]) == {ANN: {"email:ann@example.com"}}
    reading = await engine.read_person("email:ann@example.com")
    assert reading is not None
    for part in (reading.identifiers, reading.tail, reading.merged, reading.states):
        part.clear()
    (await engine.records_of([ANN], None, 10)).clear()
    again = await engine.read_person("email:ann@example.com")
    assert again is not None
    assert (len(again.identifiers), len(again.tail), len(await log_of(engine, ANN))) == (1, 1, 1)
