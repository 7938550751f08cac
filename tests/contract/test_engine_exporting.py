"""Reading the log from end to end, remembering how far the lake has it, and never dropping what it lacks."""

from __future__ import annotations

from courtesy.base.ids import Position
from courtesy.engine.contract import Engine
from courtesy.person.record import Record, RecordKind, hand_over_payload
from courtesy.runtime.trimming import trim
from tests.contract.builders import ANN, BOB, NOW_MS, Store, fold, log_of, person_in, record, records, write

START = Position(0)


async def whole_log(engine: Engine, limit: int) -> list[Record]:
    """All records, read `limit` at a time."""
    found: list[Record] = []
    while page := await engine.log_after(found[-1].position if found else START, limit):
        assert len(page) <= limit
        found += page
    return found


async def test_the_log_is_read_in_order_over_all_partitions(engine: Engine) -> None:
    """Whatever the size of a page, every record comes once, by position, and as the person's own log has it."""
    people = [person_in(number) for number in range(engine.partition_count)]
    await write(engine, *(record(person, f"a{person}-{n}") for n in range(3) for person in people))
    expected = sorted(await log_of(engine, *people))
    assert len(expected) == 3 * engine.partition_count
    for limit in (1, 7, 1_000):
        assert await whole_log(engine, limit) == expected


async def test_the_log_is_read_with_records_of_all_kinds(engine: Engine) -> None:
    """A reader that keeps events alone must still see that the others are behind it."""
    handed = record(ANN, "m2", kind=RecordKind.HAND_OVER, payload=hand_over_payload(BOB))
    await write(engine, record(ANN, "m1"), handed)
    assert [each.kind for each in await engine.log_after(START, 10)] == [RecordKind.EVENT, RecordKind.HAND_OVER]


async def test_an_empty_log_and_the_end_of_one_have_nothing_more(engine: Engine) -> None:
    """Nothing is how a reader knows that it has everything."""
    assert await engine.log_after(START, 10) == []
    await write(engine, *records(3))
    assert await engine.log_after(await engine.head(), 10) == []


async def test_reading_the_log_passes_over_what_was_dropped(engine: Engine) -> None:
    """A gap far wider than a page does not look like the end."""
    await write(engine, *records(50, ANN, "old"))
    await fold(engine)
    await write(engine, record(BOB, "young", received=NOW_MS + 1_000))
    await fold(engine)
    assert await trim(engine, NOW_MS + 1) == 50
    assert [each.position for each in await engine.log_after(START, 5)] == [51]


async def test_the_position_of_the_lake_is_remembered(store: Store, engine: Engine) -> None:
    """By the store, not by the process; nothing before it was ever said, and the last word counts."""
    assert await engine.lake_position() is None
    for position in (7, 40, 12):
        await engine.save_lake_position(Position(position))
    async with store.another() as other:
        assert await other.lake_position() == 12


async def test_nothing_is_dropped_that_the_lake_lacks(engine: Engine) -> None:
    """Old and folded is not enough when a position is given; in every partition what lies behind it stays."""
    people = [person_in(number) for number in range(engine.partition_count)]
    await write(engine, *(record(person, f"m{person}") for person in people))
    await fold(engine)
    assert await trim(engine, NOW_MS + 1, START) == 0
    assert await trim(engine, NOW_MS + 1, Position(5)) == 5
    assert [each.position for each in await engine.log_after(START, 100)] == list(range(6, len(people) + 1))
    assert await trim(engine, NOW_MS + 1) == len(people) - 5


async def test_a_lake_that_is_ahead_lets_nothing_unfolded_be_dropped(engine: Engine) -> None:
    """To be in the lake is one condition of two."""
    await write(engine, *records(3))
    assert await trim(engine, NOW_MS + 1, Position(3)) == 0
