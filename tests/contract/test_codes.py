"""Codes: counted by every process alike, right once, and gone with the person."""

from __future__ import annotations

import asyncio

from courtesy.base.ids import PersonId
from courtesy.base.time import HOUR_MS, MINUTE_MS
from courtesy.engine.code import NewCode, Rate, Tried
from courtesy.engine.contract import Engine
from courtesy.identity.repair import Erasure, Note
from tests.contract.builders import ANN, BOB, NOW_MS, Store, batch

ABOUT, OTHER = b"a" * 32, b"o" * 32
RIGHT, WRONG = b"r" * 32, b"w" * 32
RATES = (Rate(3, HOUR_MS), Rate(4, 24 * HOUR_MS))


async def add(
    engine: Engine, *people: PersonId, at_ms: int = NOW_MS, about: bytes = ABOUT, digest: bytes = RIGHT
) -> bool:
    """A new code for Ann, or the first of some people who are one."""
    people = people or (ANN,)
    return await engine.add_code(NewCode(people[0], about, digest, at_ms), people, RATES)


async def enter(engine: Engine, digest: bytes = RIGHT, about: bytes = ABOUT, after_ms: int = NOW_MS - 1) -> Tried:
    """Something entered by Ann, who has five tries."""
    return await engine.try_code([ANN], about, digest, after_ms, 5)


async def test_the_right_code_is_right_once(engine: Engine, store: Store) -> None:
    """In whatever process; then there is none any more."""
    assert await add(engine)
    async with store.another() as other:
        assert await enter(other, WRONG) is Tried.WRONG
        assert await enter(other) is Tried.RIGHT
    assert await enter(engine) is Tried.OVER


async def test_a_code_is_for_one_thing_and_one_person(engine: Engine) -> None:
    """Nobody else's opens anything, nor does one about something else."""
    assert await enter(engine) is Tried.OVER
    await add(engine)
    await add(engine, BOB, about=OTHER)
    assert await enter(engine, about=OTHER) is Tried.OVER
    assert await engine.try_code([BOB], ABOUT, RIGHT, NOW_MS - 1, 5) is Tried.OVER
    assert await engine.try_code([BOB, ANN], ABOUT, RIGHT, NOW_MS - 1, 5) is Tried.RIGHT


async def test_only_the_latest_counts(engine: Engine) -> None:
    """Also when it was tried in vain, or is too old."""
    await add(engine, digest=WRONG)
    await add(engine, at_ms=NOW_MS + 1)
    assert await enter(engine, WRONG) is Tried.WRONG
    assert await enter(engine) is Tried.RIGHT
    assert await enter(engine, WRONG) is Tried.OVER


async def test_it_ends_after_its_tries_and_its_time(engine: Engine) -> None:
    """The right one comes too late after five wrong ones, or later than it may."""
    await add(engine)
    assert [await enter(engine, WRONG) for _ in range(6)] == [Tried.WRONG] * 5 + [Tried.OVER]
    assert await enter(engine) is Tried.OVER
    await add(engine)
    assert await enter(engine, after_ms=NOW_MS) is Tried.OVER
    assert await enter(engine) is Tried.RIGHT


async def test_tries_at_once_are_all_counted(engine: Engine, store: Store) -> None:
    """Nobody gets a sixth by asking several processes, and one of many gets in."""
    await add(engine)
    async with store.another() as other:
        wrong = await asyncio.gather(*(enter(each, WRONG) for each in (engine, other) * 10))
        assert sorted(wrong) == [Tried.OVER] * 15 + [Tried.WRONG] * 5
        await add(engine)
        right = await asyncio.gather(*(enter(each) for each in (engine, other) * 4))
        assert sorted(right) == [Tried.OVER] * 7 + [Tried.RIGHT]


async def test_no_more_are_made_than_may_be(engine: Engine, store: Store) -> None:
    """Each of the rates holds, over all processes at once, and for who became one together."""
    async with store.another() as other:
        made = await asyncio.gather(*(add(each) for each in (engine, other) * 4))
    assert sum(made) == 3
    assert not await add(engine, BOB, ANN, at_ms=NOW_MS + HOUR_MS - 1)
    assert await add(engine, BOB, at_ms=NOW_MS)
    assert await add(engine, at_ms=NOW_MS + HOUR_MS)
    assert not await add(engine, at_ms=NOW_MS + 23 * HOUR_MS)
    assert await add(engine, at_ms=NOW_MS + 24 * HOUR_MS + MINUTE_MS)


async def test_what_nothing_is_counted_by_is_forgotten(engine: Engine) -> None:
    """With the next code that anybody is sent."""
    await add(engine)
    await add(engine, BOB, at_ms=NOW_MS + 24 * HOUR_MS)
    assert await enter(engine) is Tried.OVER


async def test_who_is_erased_has_no_codes(engine: Engine) -> None:
    """Somebody else's stay."""
    await add(engine)
    await add(engine, BOB)
    note = Note("erase", ANN, "test", "", NOW_MS)
    erasure = Erasure(note, [ANN], [])
    async with engine.appending() as append:
        await append.write(batch()._replace(erasure=erasure))
    assert await enter(engine) is Tried.OVER
    assert await engine.try_code([BOB], ABOUT, RIGHT, NOW_MS - 1, 5) is Tried.RIGHT
