"""Reading a person: one snapshot of all they are, the same at every stage of folding."""

from __future__ import annotations

import pytest

from courtesy.base.ids import Partition, PersonId, partition_of
from courtesy.engine.contract import Engine, HeldIdentifier
from courtesy.identity.resolve import Changes, Owner
from courtesy.person.record import RecordKind
from courtesy.person.state import decode_state
from tests.contract.builders import (
    ANN,
    BOB,
    NOW_MS,
    SHOP,
    TILL,
    Message,
    commit,
    evidence,
    fold,
    fold_all,
    lease_of,
    log_of,
    read,
    receive,
    record,
    records,
    state_of,
    write,
)

EMAIL, LOGIN, DEVICE, COOKIE = "email:ann@example.com", "user_id:ann", "device_id:tablet", "anonymous_id:c1"


def owned(person: PersonId, *keys: str) -> Changes:
    """That these identifiers are a person's."""
    return Changes(owners={key: (Owner(person), evidence()) for key in keys})


async def test_nobody_is_read_by_an_unknown_identifier(engine: Engine) -> None:
    """Not to know somebody is an answer."""
    await receive(engine, Message("m1", (EMAIL,)))
    assert await engine.read_person("email:nobody@example.com") is None


@pytest.mark.parametrize("name", ["person:999", "person:", "person:ann", "person:-1", "person:1e3", f"person:{2**64}"])
async def test_nobody_is_read_by_an_id_that_is_nobodys(engine: Engine, name: str) -> None:
    """Whatever is asked for, what is no person's id finds nobody."""
    await receive(engine, Message("m1", (EMAIL,)))
    assert await engine.read_person(name) is None


async def test_a_person_is_read_by_each_of_their_identifiers_and_by_id(engine: Engine) -> None:
    """All ways lead to the same reading."""
    await receive(engine, Message("m1", (LOGIN, EMAIL)))
    reading = await read(engine, EMAIL)
    assert await read(engine, LOGIN) == reading
    assert await read(engine, f"person:{reading.person}") == reading


async def test_identifiers_are_told_with_where_they_came_from(engine: Engine) -> None:
    """Each identifier has its first message, the source of it, and its time."""
    changes = Changes(
        owners={
            EMAIL: (Owner(ANN), evidence("m1", NOW_MS, SHOP)),
            DEVICE: (Owner(ANN, shared=True), evidence("m2", NOW_MS + 1, TILL)),
        }
    )
    await write(engine, changes=changes)
    assert (await read(engine, EMAIL)).identifiers == [
        HeldIdentifier(EMAIL, False, SHOP, "m1", NOW_MS),
        HeldIdentifier(DEVICE, True, TILL, "m2", NOW_MS + 1),
    ]


async def test_an_identifier_keeps_its_first_message_through_a_merge(engine: Engine) -> None:
    """Becoming another's does not make an identifier younger."""
    await receive(engine, Message("m1", (EMAIL,), at=NOW_MS - 9), Message("m2", (LOGIN,), at=NOW_MS - 5))
    await receive(engine, Message("m3", (LOGIN, EMAIL), at=NOW_MS))
    told = {each.identifier: (each.message_id, each.since_ms) for each in (await read(engine, EMAIL)).identifiers}
    assert told == {EMAIL: ("m1", NOW_MS - 9), LOGIN: ("m2", NOW_MS - 5)}


async def test_a_reading_is_complete_up_to_its_head(engine: Engine) -> None:
    """Whoever asks for `after=<position>` is answered by a reading whose head is not before it."""
    await receive(engine, Message("m1", (EMAIL,)))
    position = await receive(engine, Message("m2", (LOGIN,)))
    assert (await read(engine, EMAIL)).head == position == await engine.head()


async def test_what_is_not_folded_is_in_the_tail(engine: Engine) -> None:
    """A call sees all that was acknowledged before it, though no worker ran."""
    await write(engine, *records(3), record(BOB, "other"), changes=owned(ANN, EMAIL))
    reading = await read(engine, EMAIL)
    assert reading.states == []
    assert reading.tail == await log_of(engine, ANN)
    assert decode_state(await state_of(engine, EMAIL)).event_count == 3


async def test_what_is_folded_is_in_the_state_and_not_in_the_tail(engine: Engine) -> None:
    """Nothing counts twice."""
    await write(engine, *records(3), changes=owned(ANN, EMAIL))
    await fold_all(engine)
    reading = await read(engine, EMAIL)
    assert reading.tail == []
    assert [decode_state(each).event_count for each in reading.states] == [3]
    assert decode_state(await state_of(engine, EMAIL)).event_count == 3


async def test_the_tail_starts_where_the_state_ends(engine: Engine) -> None:
    """What came after the last fold is laid over what it left."""
    await write(engine, *records(3), changes=owned(ANN, EMAIL))
    await fold_all(engine)
    position = await write(engine, record(ANN, "later"))
    reading = await read(engine, EMAIL)
    assert [each.position for each in reading.tail] == [position]
    assert decode_state(await state_of(engine, EMAIL)).event_count == 4


async def test_a_person_with_a_state_and_no_identifier_is_read_by_id(engine: Engine) -> None:
    """Who lost their identifiers to somebody else still has a past."""
    await write(engine, record(ANN, "m1"))
    assert (await read(engine, f"person:{ANN}")).tail != []
    await fold_all(engine)
    assert [decode_state(each).event_count for each in (await read(engine, f"person:{ANN}")).states] == [1]


async def test_many_are_read_as_each_is(engine: Engine) -> None:
    """By id, whole and from one snapshot: a part of somebody as whom they became part of, nobody not at all."""
    survivor, loser = await one_of_two(engine)
    await receive(engine, Message("m9", (EMAIL,)))
    await fold_all(engine)
    await receive(engine, Message("m10", (EMAIL,)), Message("m11", (LOGIN,)))
    other = (await read(engine, EMAIL)).person
    found = await engine.read_people([survivor, loser, other, PersonId(999_999)])
    assert found == {each: await engine.read_person(f"person:{each}") for each in (survivor, loser, other)}
    assert {each.head for each in found.values()} == {await engine.head()}
    assert [len(found[each].tail) > 0 for each in (survivor, other)] == [True, True]
    assert await engine.read_people([]) == {}


# -- people who became one


async def one_of_two(engine: Engine) -> tuple[PersonId, PersonId]:
    """Two people with some history each, and the event that shows that they are one. Survivor and loser."""
    await receive(engine, *(Message(f"a{n}", (LOGIN,), at=NOW_MS - n, traits={f"a{n}": n}) for n in range(3)))
    await receive(engine, *(Message(f"b{n}", (COOKIE,), at=NOW_MS - 2 * n, traits={f"b{n}": n}) for n in range(3)))
    survivor, loser = (await read(engine, LOGIN)).person, (await read(engine, COOKIE)).person
    await receive(engine, Message("both", (LOGIN, COOKIE), at=NOW_MS + 1, traits={"both": True}))
    await receive(engine, Message("after", (COOKIE,), at=NOW_MS + 2))
    return survivor, loser


async def test_two_who_became_one_are_read_as_one_by_any_identifier(engine: Engine) -> None:
    """Also by the id of the one who is no more: links and reports that name it still work."""
    survivor, loser = await one_of_two(engine)
    reading = await read(engine, LOGIN)
    assert (reading.person, reading.merged) == (survivor, [loser])
    assert {each.identifier for each in reading.identifiers} == {LOGIN, COOKIE}
    for name in (COOKIE, f"person:{survivor}", f"person:{loser}"):
        assert await read(engine, name) == reading


async def test_a_merge_is_in_the_log_of_both(engine: Engine) -> None:
    """What happened to the loser is read with the survivor, and the hand-over is the loser's."""
    survivor, loser = await one_of_two(engine)
    tail = (await read(engine, LOGIN)).tail
    assert [each.person for each in tail].count(survivor) == 5
    assert [each.kind for each in tail if each.person == loser] == [RecordKind.EVENT] * 3 + [RecordKind.HAND_OVER]
    assert sorted(tail) == tail


async def test_two_who_became_one_are_the_same_person_at_every_stage_of_folding(engine: Engine) -> None:
    """Unfolded, half folded, handed over and not yet absorbed, and folded: it is one state, byte for byte."""
    survivor, loser = await one_of_two(engine)
    theirs, other = partition_of(survivor), partition_of(loser)
    unfolded = await state_of(engine, LOGIN)
    assert decode_state(unfolded).event_count == 8
    for partition in (theirs, other, theirs):
        await fold(engine, [partition])
        assert await state_of(engine, LOGIN) == unfolded
        assert await state_of(engine, COOKIE) == unfolded
    assert (await read(engine, LOGIN)).tail == []
    assert (await engine.states([survivor]))[survivor] == unfolded


async def test_handing_over_before_the_survivor_is_folded_loses_nothing(engine: Engine) -> None:
    """The loser's partition may be far ahead of the survivor's."""
    _, loser = await one_of_two(engine)
    unfolded = await state_of(engine, LOGIN)
    await fold(engine, [partition_of(loser)])
    reading = await read(engine, LOGIN)
    assert RecordKind.ABSORB in [each.kind for each in reading.tail]
    assert await state_of(engine, LOGIN) == unfolded
    await fold_all(engine)
    assert await state_of(engine, LOGIN) == unfolded


async def test_a_chain_of_merges_is_one_person_at_every_stage_of_folding(engine: Engine) -> None:
    """Three who became one in two steps, folded record by record in either order of partitions."""
    await receive(engine, *(Message(f"first {key}", (key,), traits={key: 1}) for key in (LOGIN, EMAIL, COOKIE, DEVICE)))
    await receive(engine, Message("m1", (EMAIL, COOKIE)))
    await receive(engine, Message("m2", (EMAIL, DEVICE)))
    await receive(engine, Message("m3", (LOGIN, EMAIL)))
    unfolded = await state_of(engine, LOGIN)
    assert decode_state(unfolded).event_count == 7
    assert len((await read(engine, LOGIN)).merged) == 3
    while await fold(engine, limit=1):
        assert await state_of(engine, DEVICE) == unfolded
    assert (await read(engine, LOGIN)).tail == []


async def test_a_late_record_of_the_loser_reaches_the_survivor(engine: Engine) -> None:
    """What was still under way to the loser when they were merged counts for the survivor."""
    _, loser = await one_of_two(engine)
    await fold_all(engine)
    before = decode_state(await state_of(engine, LOGIN)).event_count
    await write(engine, record(loser, "late"))
    for _ in range(3):
        assert decode_state(await state_of(engine, LOGIN)).event_count == before + 1
        await fold(engine)


# -- the log of a person


async def test_the_latest_records_come_newest_first(engine: Engine) -> None:
    """What somebody did last is at the top, whoever else did something between."""
    for number in range(4):
        await write(engine, record(ANN, f"a{number}"), record(BOB, f"b{number}"))
    keys = [record(ANN, f"a{number}").key for number in (3, 2, 1)]
    assert [each.key for each in await engine.records_of([ANN], None, 3)] == keys


async def test_the_records_of_several_people_come_in_one_order(engine: Engine) -> None:
    """A person and those who became part of them have one history."""
    for number in range(3):
        await write(engine, record(ANN, f"a{number}"), record(BOB, f"b{number}"))
    positions = [each.position for each in await engine.records_of([ANN, BOB], None, 10)]
    assert positions == sorted(positions, reverse=True)
    assert len(positions) == 6
    assert await engine.records_of([], None, 10) == []


async def test_records_are_leafed_through_page_by_page(engine: Engine) -> None:
    """Each page goes on before the last position of the one before, and the pages are the whole."""
    await write(engine, *records(7))
    found = await engine.records_of([ANN], None, 3)
    while page := await engine.records_of([ANN], found[-1].position, 3):
        found += page
    assert found[::-1] == await log_of(engine, ANN)
    assert len(found) == 7


async def test_folding_somebody_else_leaves_a_tail_alone(engine: Engine) -> None:
    """How far a person is folded is told by their own partition."""
    other = Partition((partition_of(ANN) + 1) % engine.partition_count)
    await write(engine, *records(3), changes=owned(ANN, EMAIL))
    await fold(engine, [other])
    assert len((await read(engine, EMAIL)).tail) == 3


async def test_a_state_of_any_size_is_read_back(engine: Engine) -> None:
    """The store does not look into states, and has room for giants."""
    content = bytes(range(256)) * 1_000
    await write(engine, record(), changes=owned(ANN, EMAIL))
    await engine.commit_fold(commit(await lease_of(engine), states=[(ANN, content)]))
    assert (await read(engine, EMAIL)).states == [content]
    assert await engine.states([ANN, BOB]) == {ANN: content}
