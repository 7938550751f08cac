"""Reading events by their place in the log, whoever's they are: of a span, of a source, and since an instant."""

from __future__ import annotations

import pytest

from courtesy.base.ids import Position
from courtesy.engine.contract import Engine
from courtesy.person.record import Record, RecordKind
from courtesy.runtime.trimming import trim
from tests.contract.builders import ANN, BOB, NOW_MS, SHOP, TILL, fold_all, person_in, record, write

ALL = 1_000


def positions(found: list[Record]) -> list[int]:
    """Where records lie."""
    return [each.position for each in found]


async def test_events_of_a_span_come_newest_first(engine: Engine) -> None:
    """Of everybody, in whichever partition they lie; the beginning of the span is not part of it, its end is."""
    people = [person_in(partition) for partition in range(8)]
    head = await write(engine, *(record(person, f"m{n}") for n, person in enumerate(people)))
    assert positions(await engine.events_between(Position(0), head, None, ALL)) == list(range(head, 0, -1))
    assert positions(await engine.events_between(Position(2), Position(5), None, ALL)) == [5, 4, 3]
    assert positions(await engine.events_between(Position(0), head, None, 3)) == [head, head - 1, head - 2]
    assert await engine.events_between(head, head, None, ALL) == []


async def test_events_of_one_source_leave_out_the_others(engine: Engine) -> None:
    """However few they are among the others; what was read is what was written."""
    written = [record(ANN, f"m{n}", source=TILL if n == 3 else SHOP) for n in range(20)]
    head = await write(engine, *written)
    (found,) = await engine.events_between(Position(0), head, TILL, ALL)
    assert (found.position, found.payload, found.person) == (4, written[3].payload, ANN)
    assert len(await engine.events_between(Position(0), head, SHOP, ALL)) == 19


async def test_only_events_are_read(engine: Engine) -> None:
    """Not what merges and timers leave, nor a group's copy of an event."""
    kinds = [RecordKind.EVENT, RecordKind.GROUP, RecordKind.TIMER, RecordKind.HAND_OVER, RecordKind.ABSORB]
    head = await write(engine, *(record(ANN, f"m{n}", kind=kind) for n, kind in enumerate(kinds)))
    assert positions(await engine.events_between(Position(0), head, None, ALL)) == [1]


@pytest.mark.parametrize(
    ("at", "position"), [(0, 0), (1_000, 0), (1_001, 2), (2_000, 2), (2_001, 3), (5_000, 3), (9_000, 40)]
)
async def test_the_log_is_found_by_time(engine: Engine, at: int, position: int) -> None:
    """The last record that arrived before an instant, whichever partition it lies in."""
    arrivals = [1_000, 1_000, 2_000, *[5_000 + n for n in range(37)]]
    for n, received in enumerate(arrivals):
        await write(engine, record(ANN if n % 3 else BOB, f"m{n}", received=NOW_MS + received))
    assert await engine.position_before(NOW_MS + at) == position


async def test_the_log_is_found_by_time_after_it_was_trimmed(engine: Engine) -> None:
    """What is gone leaves a hole, and no mistake."""
    assert await engine.position_before(NOW_MS) == 0
    for n in range(10):
        await write(engine, record(ANN, f"m{n}", received=NOW_MS + n))
    await fold_all(engine)
    assert await trim(engine, NOW_MS + 6) == 6
    assert await engine.position_before(NOW_MS + 8) == 8
    assert await engine.position_before(NOW_MS + 3) == 0
    assert await engine.position_before(NOW_MS + 100) == 10
