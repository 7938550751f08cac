"""What accepting leaves beside records: the keys of duplicates, counts that add up, and the quarantine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.engine.contract import Count, Engine, Quarantined, QuarantineGroup
from courtesy.event.cause import Cause, Fate
from tests.contract.builders import HOUR, NOW_MS, SHOP, TILL, Store, batch, everything, record, records, seen, write

WEEK_MS = 7 * DAY_MS


def rejected(detail: str, cause: Cause = Cause.UNREADABLE, source: SourceId = SHOP) -> Quarantined:
    """A rejected event that can be told from others."""
    return Quarantined(source, cause, detail, NOW_MS, f"id of {detail}", f"raw of {detail}".encode())


# -- duplicates


async def test_keys_are_seen_once_they_were_appended(engine: Engine) -> None:
    """A message that comes again is recognised, and one that never came is not."""
    one, two = records(2)
    await write(engine, one)
    assert await seen(engine, one.key, two.key) == {one.key}


async def test_asking_for_no_keys_answers_none(engine: Engine) -> None:
    """A batch in which nothing is acceptable asks for nothing."""
    await write(engine, record())
    assert await seen(engine) == set()


async def test_keys_are_remembered_without_records(engine: Engine) -> None:
    """Which keys stand for a batch is the caller's choice, whatever its records are."""
    await write(engine, keys=[bytes(16), bytes([255] * 16)])
    assert await seen(engine, bytes(16), bytes([255] * 16)) == {bytes(16), bytes([255] * 16)}


async def test_old_keys_are_forgotten_and_young_ones_are_not(engine: Engine) -> None:
    """Duplicates are known for as long as was promised, and the memory of them does not grow for ever."""
    old, young = records(2)
    await write(engine, old, now_ms=NOW_MS - WEEK_MS - DAY_MS)
    await write(engine, young, now_ms=NOW_MS - WEEK_MS)
    assert await engine.forget_keys(NOW_MS - WEEK_MS) == 1
    assert await seen(engine, old.key, young.key) == {young.key}


async def test_keys_to_be_kept_are_never_forgotten(engine: Engine) -> None:
    """A file imported again years later adds nothing twice."""
    kept, other = records(2)
    await write(engine, kept, other, keep_keys=[kept.key])
    assert await engine.forget_keys(NOW_MS + 1_000 * WEEK_MS) == 1
    assert await seen(engine, kept.key, other.key) == {kept.key}


async def test_a_forgotten_key_can_be_appended_again(engine: Engine) -> None:
    """After its time a key is as if it had never been."""
    await write(engine, record())
    await engine.forget_keys(NOW_MS + WEEK_MS)
    await write(engine, record())
    assert await seen(engine, record().key) == {record().key}


async def test_forgetting_keys_leaves_records_alone(engine: Engine) -> None:
    """Only the memory of duplicates is given up."""
    position = await write(engine, record())
    await engine.forget_keys(NOW_MS + WEEK_MS)
    assert [each.position for each in await engine.records_of([record().person], None, 10)] == [position]


# -- counts


async def test_counts_of_one_kind_are_summed_over_appends_and_processes(engine: Engine, store: Store) -> None:
    """For each source, hour, fate and cause there is one number, whoever counted."""
    one = Count(SHOP, HOUR, Fate.STORED, None, 3)
    await write(engine, counts=[one, one])
    async with store.another() as other:
        await write(other, counts=[one._replace(event_count=36)])
    assert await engine.counts(HOUR, HOUR + HOUR_MS) == [one._replace(event_count=42)]


async def test_counts_differ_by_source_hour_fate_and_cause(engine: Engine) -> None:
    """What is counted apart stays apart, with its cause or without one."""
    one = Count(SHOP, HOUR, Fate.QUARANTINED, Cause.UNREADABLE, 1)
    others = [
        one._replace(source=TILL),
        one._replace(hour_ms=HOUR + HOUR_MS),
        one._replace(fate=Fate.SUPPRESSED, cause=Cause.OPTED_OUT_OF_COURTESY),
        one._replace(cause=Cause.WRONG_TYPE),
        one._replace(fate=Fate.RECEIVED, cause=None),
    ]
    await write(engine, counts=[one, *others])
    assert set(await engine.counts(0, 2 * NOW_MS)) == {one, *others}


async def test_counts_are_told_for_hours_that_begin_in_the_span(engine: Engine) -> None:
    """The span's first instant is in it, its last is not."""
    by_hour = [Count(SHOP, HOUR + n * HOUR_MS, Fate.STORED, None, 1 + n) for n in range(4)]
    await write(engine, counts=by_hour)
    assert await engine.counts(HOUR + HOUR_MS, HOUR + 3 * HOUR_MS) == by_hour[1:3]


async def test_counts_beyond_32_bits_are_summed(engine: Engine) -> None:
    """A busy source is counted to the end."""
    one = Count(SHOP, HOUR, Fate.STORED, None, 2**62)
    await write(engine, counts=[one])
    await write(engine, counts=[one._replace(event_count=2**62 - 1)])
    assert [each.event_count for each in await engine.counts(HOUR, HOUR + 1)] == [2**63 - 1]


# -- quarantine


async def test_a_rejected_event_is_kept_whole(engine: Engine) -> None:
    """All that is needed to mend and replay it is there: cause, detail, raw body byte for byte."""
    one = rejected("a")._replace(raw=bytes(range(256)), message_id=None)
    await write(engine, quarantined=[one])
    (kept,) = await engine.quarantined(None, None, None, 10)
    assert kept._replace(number=0) == one
    assert isinstance(kept.cause, Cause)


async def test_rejected_events_come_newest_first_under_rising_numbers(engine: Engine) -> None:
    """What was rejected last is what somebody is looking for."""
    await write(engine, quarantined=[rejected("a"), rejected("b")])
    await write(engine, quarantined=[rejected("c")])
    kept = await engine.quarantined(None, None, None, 10)
    assert [each.detail for each in kept] == ["c", "b", "a"]
    assert kept[0].number > kept[1].number > kept[2].number > 0


async def test_the_quarantine_is_leafed_through_page_by_page(engine: Engine) -> None:
    """Each page goes on before the last number of the one before, and the pages are the whole."""
    await write(engine, quarantined=[rejected(str(number)) for number in range(7)])
    found: list[Quarantined] = []
    while page := await engine.quarantined(None, None, found[-1].number if found else None, 3):
        assert len(page) <= 3
        found += page
    assert [each.detail for each in found] == ["6", "5", "4", "3", "2", "1", "0"]


async def test_the_quarantine_is_searched_by_source_and_cause(engine: Engine) -> None:
    """Each filter narrows on its own, and both together."""
    await write(
        engine,
        quarantined=[
            rejected("a", Cause.UNREADABLE, SHOP),
            rejected("b", Cause.WRONG_TYPE, SHOP),
            rejected("c", Cause.UNREADABLE, TILL),
        ],
    )

    async def details(source: SourceId | None, cause: Cause | None) -> list[str]:
        return [each.detail for each in await engine.quarantined(source, cause, None, 10)]

    assert await details(SHOP, None) == ["b", "a"]
    assert await details(None, Cause.UNREADABLE) == ["c", "a"]
    assert await details(SHOP, Cause.UNREADABLE) == ["a"]
    assert await details(TILL, Cause.WRONG_TYPE) == []


async def test_what_came_beside_a_rejected_event_is_kept_with_it(engine: Engine) -> None:
    """Its signature, its circumstances and what became of it so far."""
    one = rejected("a")._replace(signature="$.event", circumstances=b'{"live":false}', mended=bytes(range(256)))
    await write(engine, quarantined=[one])
    (kept,) = await engine.quarantined(None, None, None, 10)
    assert kept._replace(number=0) == one


async def test_the_quarantine_is_searched_by_signature_and_numbers(engine: Engine) -> None:
    """Beside source and cause; no numbers are none."""
    some = [rejected("a")._replace(signature="x"), rejected("b")._replace(signature="y"), rejected("c")]
    await write(engine, quarantined=some)

    async def details(**more: Any) -> list[str]:
        return [each.detail for each in await engine.quarantined(None, None, None, 10, **more)]

    assert await details(signature="x") == ["a"]
    assert await details(signature="") == ["c"]
    numbers = {each.detail: each.number for each in await engine.quarantined(None, None, None, 10)}
    assert await details(numbers=[numbers["c"], numbers["a"], 10**18]) == ["c", "a"]
    assert await details(numbers=[numbers["a"]], signature="y") == []
    assert await details(numbers=[]) == []


async def test_the_quarantine_is_grouped_by_source_cause_and_signature(engine: Engine) -> None:
    """How many, when the first and the last came, and the latest of each; most first, then the latest."""
    one = rejected("a")._replace(signature="x")
    others = [one._replace(signature="y"), one._replace(source=TILL), one._replace(cause=Cause.WRONG_TYPE)]
    again = [one._replace(received_ms=NOW_MS + 5), one._replace(received_ms=NOW_MS - 5)]
    await write(engine, quarantined=[one, *others, *again])
    numbers = [each.number for each in await engine.quarantined(None, None, None, 10)][::-1]
    assert await engine.quarantine_groups(None, None) == [
        QuarantineGroup(SHOP, Cause.UNREADABLE, "x", 3, NOW_MS - 5, NOW_MS + 5, numbers[5]),
        QuarantineGroup(SHOP, Cause.WRONG_TYPE, "x", 1, NOW_MS, NOW_MS, numbers[3]),
        QuarantineGroup(TILL, Cause.UNREADABLE, "x", 1, NOW_MS, NOW_MS, numbers[2]),
        QuarantineGroup(SHOP, Cause.UNREADABLE, "y", 1, NOW_MS, NOW_MS, numbers[1]),
    ]
    assert [each.last_number for each in await engine.quarantine_groups(TILL, None)] == [numbers[2]]
    assert [each.last_number for each in await engine.quarantine_groups(SHOP, Cause.WRONG_TYPE)] == [numbers[3]]
    assert await engine.quarantine_groups(TILL, Cause.WRONG_TYPE) == []


# -- taking out of the quarantine


async def still_there(engine: Engine, *numbers: int) -> dict[int, Cause]:
    """What an append is told of held events."""
    async with engine.appending() as append:
        return await append.still_quarantined(numbers)


async def test_an_append_takes_events_out_of_the_quarantine_with_what_it_writes(engine: Engine, store: Store) -> None:
    """The event, its key, the counts and the released row come true together, for every process."""
    await write(engine, quarantined=[rejected("a"), rejected("b")], counts=[held(2)])
    first, second = [each.number for each in await engine.quarantined(None, None, None, 10)][::-1]
    assert await still_there(engine, first, second, 10**18) == dict.fromkeys((first, second), Cause.UNREADABLE)
    async with store.another() as other:
        await write(other, record(), counts=[held(-1), Count(SHOP, HOUR, Fate.STORED, None, 1)], released=[first])
    assert await still_there(engine, first, second) == {second: Cause.UNREADABLE}
    assert [each.detail for each in await engine.quarantined(None, None, None, 10)] == ["b"]
    assert await engine.counts(0, 2 * NOW_MS) == [held(1), Count(SHOP, HOUR, Fate.STORED, None, 1)]


def held(count: int) -> Count:
    """So many in quarantine more or less."""
    return Count(SHOP, HOUR, Fate.QUARANTINED, Cause.UNREADABLE, count)


async def test_an_append_that_fails_takes_nothing_out(engine: Engine) -> None:
    """A replay that dies half way has done nothing."""
    await write(engine, quarantined=[rejected("a")], counts=[held(1)])
    before = await everything(engine)
    (one,) = await engine.quarantined(None, None, None, 10)
    again = one._replace(cause=Cause.WRONG_TYPE)

    async def fail() -> None:
        async with engine.appending() as append:
            await append.write(batch([record()], counts=[held(-1)], released=[one.number], held_again=[again]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await everything(engine) == before


async def test_appends_at_once_take_each_event_once(engine: Engine, store: Store) -> None:
    """Who comes second is told that it is gone."""
    await write(engine, quarantined=[rejected(str(n)) for n in range(10)])
    numbers = [each.number for each in await engine.quarantined(None, None, None, 10)]
    taken: list[int] = []

    async def take(one: Engine) -> None:
        async with one.appending() as append:
            found = list(await append.still_quarantined(numbers))[:7]
            await append.write(batch(released=found))
        taken.extend(found)

    async with store.another() as other:
        await asyncio.gather(*(take(each) for each in (engine, other, engine, other)))
    assert sorted(taken) == sorted(numbers)


async def test_an_event_stays_for_another_cause_under_its_number(engine: Engine) -> None:
    """With what became of it so far; as it came, and all that came beside it, it is for ever."""
    one = rejected("a")._replace(signature="x", circumstances=b"{}")
    await write(engine, quarantined=[one, rejected("b")])
    first, second = (await engine.quarantined(None, None, None, 10))[::-1]
    changed = first._replace(cause=Cause.WRONG_TYPE, detail="so far", signature="y", mended=b"\x00{")
    gone = first._replace(number=10**18)
    await write(engine, held_again=[changed._replace(raw=b"lost", received_ms=0, circumstances=b""), gone])
    assert await engine.quarantined(None, None, None, 10) == [second, changed]
    assert await still_there(engine, first.number) == {first.number: Cause.WRONG_TYPE}


async def test_numbers_are_never_given_again(engine: Engine) -> None:
    """A replay that comes too late must not take another event for its own."""
    await write(engine, quarantined=[rejected("a")])
    (one,) = await engine.quarantined(None, None, None, 10)
    await write(engine, released=[one.number])
    await write(engine, quarantined=[rejected("b")])
    (other,) = await engine.quarantined(None, None, None, 10)
    assert other.number > one.number


async def test_a_count_that_has_come_to_nothing_is_not_told(engine: Engine) -> None:
    """What was quarantined and is stored now left no cause behind."""
    await write(engine, counts=[held(3)])
    await write(engine, counts=[held(-2)])
    assert await engine.counts(0, 2 * NOW_MS) == [held(1)]
    await write(engine, counts=[held(-1)])
    assert await engine.counts(0, 2 * NOW_MS) == []
