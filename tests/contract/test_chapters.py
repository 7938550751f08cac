"""The past is told the same, whether its events lie in the log or beyond it, and chapters keep nothing that went."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec
import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId, Position
from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, ManualClock, to_iso
from courtesy.engine.contract import Engine
from courtesy.person.chapter import CHAPTER_DAYS_MAX, CHAPTER_EVENTS_MAX, Chapter, written
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.record import FACTS, Record
from courtesy.person.state import decode_state, encode_state
from courtesy.runtime.history import History
from courtesy.runtime.retention import LogRetention, Rule
from courtesy.runtime.trimming import trim
from tests.contract.builders import ANN, NOW_MS, SHOP, fold_all, log_of, record, write
from tests.contract.test_engine_repair import World, world_of
from tests.sim.store import Archive

NAMES = ("user_id:ann", "user_id:bob", "anonymous_id:device-1", "anonymous_id:device-2", "email:ann@example.com")
START = Position(0)
View = dict[str, Any] | None


def calls(chance: Random, clock: ManualClock, number: int) -> list[dict[str, Any]]:
    """What two people do on two devices in an hour, some of it told days late."""
    made: list[dict[str, Any]] = []
    for each in range(chance.randrange(1, 9)):
        who = chance.choice(({"userId": "ann"}, {"userId": "bob"}, {"anonymousId": f"device-{chance.choice((1, 2))}"}))
        late_ms = chance.choice((0, 0, 0, chance.randrange(20 * DAY_MS)))
        traits = {"traits": {"city": chance.choice(("Kutaisi", "Batumi")), f"trait-{each}": number}}
        told = {"type": "identify", **traits} if chance.random() < 0.3 else {"properties": {"price": number}}
        when = to_iso(clock.now_ms() - late_ms)
        made.append({"messageId": f"m{number}-{each}", "timestamp": when, **who, **told})
    if number % 40 == 9:
        made.append({"messageId": f"login-{number}", "type": "identify", "userId": "ann", "anonymousId": "device-1"})
    if number % 40 == 29:
        made.append({"messageId": f"mail-{number}", "type": "identify", "userId": "ann", "traits": EMAIL})
    return made


EMAIL = {"email": "ann@example.com"}


async def views(world: World, instants: Iterable[int]) -> dict[tuple[str, int, bool], View]:
    """Everybody at each of the instants, as known then and as known today; None for who was not known."""
    found: dict[tuple[str, int, bool], View] = {}
    for name in NAMES:
        kind, value = name.split(":")
        for at_ms in instants:
            for today in (False, True):
                try:
                    found[name, at_ms, today] = await world.people.view_at(kind, value, at_ms, knowing_today=today)
                except CourtesyError:
                    found[name, at_ms, today] = None
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_the_past_is_the_same_beyond_the_log(engine: Engine, clock: ManualClock, seed: int) -> None:
    """At any instant, by either knowledge, through merges, repairs and late events, wherever the log was cut."""
    chance, archive, instants = Random(seed), Archive(), [NOW_MS]
    async with world_of(engine, clock, archive=archive) as world:
        for number in range(90):
            clock.set(clock.now_ms() + chance.randrange(12 * HOUR_MS))
            instants.append(clock.now_ms() - MINUTE_MS)
            await world.store(*calls(chance, clock, number))
            repair = {45: world.repairs.unmerge, 60: world.repairs.merge, 75: world.repairs.unmerge}.get(number)
            if repair is not None:
                await repair("user_id:ann", "anonymous_id:device-1", "eve", "", dry=False)
                await world.fold()
        archive.records = [each for each in await engine.log_after(START, 10_000) if each.kind in FACTS]
        asked = [*chance.sample(instants, 12), clock.now_ms()]
        known = await views(world, asked)
        assert sum(view is not None for view in known.values()) > len(known) // 2
        for part in (0.3, 0.6, 1.1):
            cut = int(NOW_MS + part * (clock.now_ms() - NOW_MS))
            assert await trim(engine, cut)
            assert await views(world, asked) == known
        chapters = (await engine.past([PersonId(each) for each in range(1, 9_000)])).chapters
        assert len(chapters) > len({each.person for each in chapters}), "nobody has more than one chapter"
        assert await engine.log_after(START, 1) == []


async def test_chapters_alone_tell_what_they_hold_whole(engine: Engine, clock: ManualClock) -> None:
    """Without an archive the past is still told as of any instant at which a chapter ends."""
    async with world_of(engine, clock) as world:
        ends = []
        for number in range(3 * CHAPTER_DAYS_MAX):
            clock.set(NOW_MS + number * DAY_MS)
            await world.store({"messageId": f"a{number}", "userId": "ann"})
            if number % CHAPTER_DAYS_MAX == CHAPTER_DAYS_MAX - 1:
                ends.append(clock.now_ms())
        known = await views(world, ends)
        assert await trim(engine, clock.now_ms() + 1)
        assert await views(world, ends) == known
        assert [known["user_id:ann", end, False]["event_count"] for end in ends] == [8, 16, 24]  # type: ignore[index]


async def test_a_chapter_is_what_its_records_come_to(engine: Engine) -> None:
    """However they are divided, they are all there once, within bounds, and fold to the same state."""
    await write(engine, *(record(ANN, f"m{n}", received=NOW_MS + n * HOUR_MS) for n in range(3 * CHAPTER_EVENTS_MAX)))
    log = await log_of(engine, ANN)
    at_once = written(None, log)
    bit_by_bit: list[Chapter] = []
    for start in range(0, len(log), 7):
        bit_by_bit = _with(bit_by_bit, log[start : start + 7])
    assert bit_by_bit == at_once
    assert sum(each.event_count for each in at_once) == len(log)
    for each in at_once:
        own = [one for one in log if each.covers(one.position)]
        assert len(each.days) <= CHAPTER_DAYS_MAX
        assert each.event_count == len(own) <= CHAPTER_EVENTS_MAX
        assert each.state == encode_state(refold(ANN, own, NO_CATALOGS, 0))


def _with(chapters: list[Chapter], records: list[Record]) -> list[Chapter]:
    """The chapters with more records, as a store has them."""
    known = {each.first: each for each in chapters}
    known |= {each.first: each for each in written(chapters[-1] if chapters else None, records)}
    return [known[first] for first in sorted(known)]


async def test_dropping_and_writing_are_one(engine: Engine) -> None:
    """Whoever comes second with the same page changes nothing, so nothing is counted twice."""
    await write(engine, *(record(ANN, f"m{n}") for n in range(5)))
    await fold_all(engine)
    page = await engine.trimmable(Position(9), 100)
    chapters = written(None, page)
    assert [await engine.trim(page, {}, chapters), await engine.trim(page, {}, chapters)] == [True, False]
    past = await engine.past([ANN])
    assert (past.records, past.chapters, past.without_chapters) == ([], chapters, START)
    await write(engine, record(ANN, "later"))
    await fold_all(engine)
    (later,) = await engine.trimmable(Position(99), 100)
    assert not await engine.trim([*page, later], {ANN: chapters[0]}, written(chapters[0], [later]))
    assert (await engine.past([ANN])) == ([later], chapters, START)


async def test_what_was_torn_meanwhile_is_not_written_again(engine: Engine) -> None:
    """Or what was erased between reading a chapter and writing on it would come back; the next look finds it torn."""
    for number in range(2):
        await write(engine, record(ANN, f"m{number}"))
        await fold_all(engine)
        if not number:
            assert await trim(engine, NOW_MS + 1) == 1
    page, latest = await engine.trimmable(Position(99), 100), await engine.latest_chapters([ANN])
    assert await engine.tear_chapters(None, NOW_MS + 1) == 1
    before = await engine.past([ANN])
    assert not await engine.trim(page, latest, written(latest[ANN], page))
    assert await engine.past([ANN]) == before
    assert await trim(engine, NOW_MS + 1) == 1
    assert [each.is_torn for each in (await engine.past([ANN])).chapters] == [True, False]


async def test_a_page_ends_before_what_stays(engine: Engine) -> None:
    """Nothing unfolded, nothing beyond the position, and no more than asked for, give or take a partition."""
    await write(engine, *(record(ANN, f"m{n}") for n in range(9)))
    log = await log_of(engine, ANN)
    assert await engine.trimmable(log[-1].position, 5) == []
    await fold_all(engine)
    assert await engine.trimmable(log[3].position, 100) == log[:4]
    assert await engine.trimmable(log[-1].position, 5) == log[:5]


async def test_what_was_erased_is_in_no_chapter(engine: Engine, clock: ManualClock) -> None:
    """Nor in those of a group or of whom they were one with; what is left of these is still told."""
    archive = Archive()
    async with world_of(engine, clock, archive=archive) as world:
        secret = {"traits": {"note": "secret-7"}, "type": "identify"}
        company = {"type": "group", "groupId": "acme"}
        await world.store({"messageId": "b1", "userId": "bob", **company})
        await world.store({"messageId": "a1", "userId": "ann", **secret}, {"messageId": "a2", "userId": "ann"})
        await world.store({"messageId": "a3", "userId": "ann", **company, "traits": {"seats": "secret-8"}})
        await world.store({"messageId": "d1", "anonymousId": "device-1"})
        await world.store({"messageId": "l1", "type": "identify", "userId": "ann", "anonymousId": "device-1"})
        await world.store({"messageId": "d2", "anonymousId": "device-1"})
        await world.repairs.unmerge("user_id:ann", "anonymous_id:device-1", "eve", "", dry=False)
        await world.fold()
        archive.records = [each for each in await engine.log_after(START, 10_000) if each.kind in FACTS]
        now_ms = clock.now_ms()
        assert await trim(engine, now_ms + HOUR_MS)
        people = [PersonId(each) for each in range(1, 9_000)]
        assert b"secret" in _content((await engine.past(people)).chapters)
        device = await world.people.view_at("anonymous_id", "device-1", now_ms, knowing_today=True)
        await world.eraser.erase("user_id:ann", "eve", "asked to", suppress=True)
        await world.fold()
        content = _content((await engine.past(people)).chapters)
        assert [each for each in (b"secret", b"ann", b"a1", b"a2") if each in content] == []
        again = await world.people.view_at("anonymous_id", "device-1", now_ms, knowing_today=True)
        assert again | {"merged_people": []} == device | {"merged_people": []}
        group = await world.people.view_at("group", "acme", now_ms, knowing_today=False)
        assert (group["event_count"], group["members"]) == (1, ["user_id:bob"])


def _content(chapters: Iterable[Chapter]) -> bytes:
    return b"".join((each.state or b"") + msgspec.json.encode(each.message_ids) for each in chapters)


async def test_what_retention_lets_go_of_is_in_no_chapter(engine: Engine, clock: ManualClock) -> None:
    """Chapters with events of that source from before the limit are torn, and no others."""
    other = SHOP + 1
    for day, source in ((0, SHOP), (40, other), (80, SHOP)):
        made = record(PersonId(ANN + day), f"m{day}", received=NOW_MS + day * DAY_MS)
        await write(engine, made._replace(source=type(SHOP)(source)))
    await fold_all(engine)
    clock.set(NOW_MS + 100 * DAY_MS)
    assert await trim(engine, clock.now_ms()) == 3
    people = [PersonId(ANN + day) for day in (0, 40, 80)]
    await LogRetention(engine).run([Rule(SHOP, None, 30)], clock.now_ms())
    assert [each.is_torn for each in (await engine.past(people)).chapters] == [True, False, False]
    await LogRetention(engine).run([Rule(None, "x", 30)], clock.now_ms())
    assert [each.is_torn for each in (await engine.past(people)).chapters] == [True, True, False]


async def test_a_torn_chapter_is_read_from_the_archive_and_not_written_on(engine: Engine, clock: ManualClock) -> None:
    """What is left of it is told as before, and what comes after it begins a chapter of its own."""
    archive = Archive()
    async with world_of(engine, clock, archive=archive) as world:
        await world.store(*({"messageId": f"a{n}", "userId": "ann"} for n in range(3)))
        archive.records = [each for each in await engine.log_after(START, 100) if each.kind in FACTS]
        now_ms = clock.now_ms()
        known = await views(world, [now_ms])
        await trim(engine, now_ms + 1)
        assert await engine.tear_chapters(None, now_ms + 1) == 1
        assert await engine.tear_chapters(None, now_ms + 1) == 0
        assert await views(world, [now_ms]) == known
        clock.set(now_ms + HOUR_MS)
        await world.store({"messageId": "later", "userId": "ann"})
        await trim(engine, clock.now_ms() + 1)
        person = (await world.state("user_id:ann")).person
        past = await engine.past([person])
        assert [each.is_torn for each in past.chapters] == [True, False]
        view = await world.people.view_at("user_id", "ann", clock.now_ms(), knowing_today=False)
        assert view["event_count"] == 4
        assert [decode_state(each.state).event_count for each in past.chapters if each.state] == [1]


async def test_what_was_dropped_before_there_were_chapters_is_in_the_archive(
    engine: Engine, clock: ManualClock
) -> None:
    """A store of an earlier version goes on telling of its past."""
    archive = Archive()
    async with world_of(engine, clock, archive=archive) as world:
        await world.store(*({"messageId": f"a{n}", "userId": "ann"} for n in range(3)))
        log = await engine.log_after(START, 100)
        archive.records = [each for each in log if each.kind in FACTS]
        known = await views(world, [clock.now_ms()])
        past = await engine.past([each.person for each in log])
        history = History(_Older(engine, log[1].position), archive)
        told = await history.at([past.records[0].person], clock.now_ms(), knowing_today=False)
        assert encode_state(told.state(past.records[0].person, clock.now_ms())) == encode_state(
            await world.state("user_id:ann")
        )
        assert told.position == log[-1].position
        assert await views(world, [clock.now_ms()]) == known


class _Older:
    """An engine whose log has lost its first records without chapters."""

    def __init__(self, engine: Engine, up_to: Position) -> None:
        self._engine = engine
        self._up_to = up_to

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def past(self, people: Iterable[PersonId]) -> Any:
        found = await self._engine.past(list(people))
        kept = [each for each in found.records if each.position > self._up_to]
        return found._replace(records=kept, without_chapters=self._up_to)
