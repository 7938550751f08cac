"""What accepting leaves beside records: the keys of duplicates, counts that add up, and the quarantine."""

from __future__ import annotations

from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.engine.contract import Count, Engine, Quarantined
from courtesy.event.cause import Cause, Fate
from tests.contract.builders import HOUR, NOW_MS, SHOP, TILL, Store, record, records, seen, write

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
