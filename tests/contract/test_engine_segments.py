"""Who is in which segment is kept with the fold, and every hour's coming and going is counted once."""

from __future__ import annotations

import random

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import HOUR_MS
from courtesy.engine.contract import Engine, FoldCommit
from courtesy.engine.segment import (
    HourFlow,
    Member,
    MembershipChange,
    SegmentSize,
    SegmentStage,
    SegmentState,
    ValueSize,
)
from courtesy.identity.repair import Erasure, Note
from tests.contract.builders import ANN, BOB, NOW_MS, ODD_TEXTS, Message, Store, batch, claim_all, receive

BUYERS, STAFF, WATCHERS = 7, 8, 9
ZOE = PersonId(103)


def enters(person: PersonId, segment: int = BUYERS, value: str = "", at_ms: int = NOW_MS) -> MembershipChange:
    """Somebody enters a segment."""
    return MembershipChange(person, segment, value, True, at_ms)


def leaves(person: PersonId, segment: int = BUYERS, value: str = "", at_ms: int = NOW_MS) -> MembershipChange:
    """Somebody leaves a segment."""
    return MembershipChange(person, segment, value, False, at_ms)


async def change(engine: Engine, *changes: MembershipChange) -> None:
    """Commit a fold that lets people enter and leave, and nothing else."""
    leases = await claim_all(engine)
    folded = {lease.partition: lease.folded for lease in leases}
    await engine.commit_fold(FoldCommit(leases, folded, memberships=changes))


async def test_who_enters_is_in_until_they_leave(engine: Engine, store: Store) -> None:
    """Of several segments and values, told by person, by any engine over the store."""
    await change(engine, enters(ANN), enters(ANN, STAFF, at_ms=NOW_MS + 1), enters(BOB), enters(ANN, WATCHERS, '"tea"'))
    await change(engine, leaves(ANN))
    async with store.another() as other:
        assert await other.segments_of([ANN]) == [
            Member(STAFF, "", ANN, NOW_MS + 1),
            Member(WATCHERS, '"tea"', ANN, NOW_MS),
        ]
        assert await other.segments_of([BOB, ZOE]) == [Member(BUYERS, "", BOB, NOW_MS)]
    assert await engine.segments_of([]) == []


async def test_entering_twice_changes_and_counts_nothing(engine: Engine) -> None:
    """Neither does leaving what one is not in, in one commit or in several; since when stays what it was."""
    await change(engine, enters(ANN), enters(ANN, at_ms=NOW_MS + 5), leaves(BOB))
    await change(engine, enters(ANN, at_ms=NOW_MS + HOUR_MS))
    assert await engine.segments_of([ANN]) == [Member(BUYERS, "", ANN, NOW_MS)]
    assert await engine.segment_flows(BUYERS, 0) == [HourFlow(BUYERS, NOW_MS, 1, 0)]


async def test_changes_of_one_commit_come_in_their_order(engine: Engine) -> None:
    """Who leaves and enters again within a commit is in since the second time, and all of it is counted."""
    await change(engine, enters(ANN))
    later = NOW_MS + HOUR_MS
    await change(engine, leaves(ANN, at_ms=later), enters(ANN, at_ms=later + 1), enters(BOB), leaves(BOB, at_ms=later))
    assert await engine.segments_of([ANN, BOB]) == [Member(BUYERS, "", ANN, later + 1)]
    assert await engine.segment_flows(BUYERS, NOW_MS + 1) == [HourFlow(BUYERS, later, 1, 2)]
    assert await engine.segment_flows(BUYERS, 0) == [HourFlow(BUYERS, NOW_MS, 2, 0), HourFlow(BUYERS, later, 1, 2)]


async def test_sizes_tell_people_and_members(engine: Engine) -> None:
    """In a segment for each value a person is in for several of them, and one person all the same."""
    await change(engine, *(enters(ANN, WATCHERS, value) for value in ('"a"', '"b"')), enters(BOB, WATCHERS, '"a"'))
    assert await engine.segment_sizes([WATCHERS, STAFF]) == {WATCHERS: SegmentSize(2, 3), STAFF: SegmentSize(0, 0)}
    assert await engine.segment_values(WATCHERS, 9) == [ValueSize('"a"', 2), ValueSize('"b"', 1)]
    assert await engine.segment_values(WATCHERS, 1) == [ValueSize('"a"', 2)]
    assert await engine.segment_values(STAFF, 9) == []


async def test_members_come_in_pages(engine: Engine) -> None:
    """By value and person, over all values or one, each member on one page however small they are."""
    values = sorted(ODD_TEXTS)
    await change(engine, *(enters(person, WATCHERS, value) for value in values for person in (ANN, BOB, ZOE)))
    expected = [Member(WATCHERS, value, person, NOW_MS) for value in values for person in (ANN, BOB, ZOE)]
    for limit in (1, 4, 100):
        found: list[Member] = []
        after = None
        while page := await engine.members(WATCHERS, None, after, limit):
            found += page
            after = (page[-1].value, page[-1].person)
        assert found == expected
    one = [each for each in expected if each.value == values[3]]
    assert await engine.members(WATCHERS, values[3], None, 9) == one
    assert await engine.members(WATCHERS, values[3], (values[3], ANN), 9) == one[1:]
    assert await engine.members(WATCHERS, values[3], (values[2], ZOE), 9) == one
    assert await engine.members(WATCHERS, values[3], (values[4], ANN), 9) == []


async def test_the_latest_to_enter_come_first(engine: Engine) -> None:
    """As many as are asked for, from an instant on."""
    await change(engine, enters(ANN), enters(BOB, at_ms=NOW_MS + 2), enters(ZOE, at_ms=NOW_MS + 1), enters(ANN, STAFF))
    assert [each.person for each in await engine.members_since(BUYERS, NOW_MS + 1, 9)] == [BOB, ZOE]
    assert [each.person for each in await engine.members_since(BUYERS, 0, 2)] == [BOB, ZOE]
    assert [await engine.entered_count(BUYERS, NOW_MS + later) for later in (0, 1, 3)] == [3, 2, 0]


async def test_a_sample_is_even_and_the_same_each_time(engine: Engine) -> None:
    """Of a thousand people from all over, with all of them when they are fewer than asked for."""
    people = [PersonId(number) for number in range(1, 3_001, 3)]
    await change(engine, *map(enters, people))
    sample = [each.person for each in await engine.sample_members(BUYERS, "", 10)]
    assert sample == [each.person for each in await engine.sample_members(BUYERS, "", 10)]
    assert [number // 300 for number in sample] == list(range(10))
    await change(engine, enters(ANN, WATCHERS, '"a"'))
    assert [each.person for each in await engine.sample_members(WATCHERS, '"a"', 5)] == [ANN]
    assert await engine.sample_members(WATCHERS, '"b"', 5) == []


async def test_overlap_tells_who_is_in_exactly_which(engine: Engine) -> None:
    """Each person counts once, under all of the named segments that they are in."""
    both = (enters(ANN), enters(ANN, STAFF), enters(ANN, WATCHERS, '"a"'), enters(ANN, WATCHERS, '"b"'))
    await change(engine, *both, enters(BOB), enters(ZOE, STAFF))
    assert await engine.segment_overlap([BUYERS, STAFF]) == {
        frozenset({BUYERS, STAFF}): 1,
        frozenset({BUYERS}): 1,
        frozenset({STAFF}): 1,
    }
    assert await engine.segment_overlap([BUYERS, WATCHERS]) == {
        frozenset({BUYERS, WATCHERS}): 1,
        frozenset({BUYERS}): 1,
    }


async def test_how_far_a_segment_is_is_what_was_said_last(engine: Engine) -> None:
    """And only of its present revision."""
    building = SegmentState(BUYERS, 1, SegmentStage.BUILDING, Position(0), NOW_MS, 0)
    live = SegmentState(BUYERS, 1, SegmentStage.LIVE, Position(12), NOW_MS + 1, 40)
    assert await engine.segment_states() == {}
    await engine.set_segment_state(building)
    await engine.set_segment_state(live)
    assert await engine.segment_states() == {BUYERS: live}


async def test_a_segment_is_forgotten_whole(engine: Engine) -> None:
    """Members, hours and how far it was; others keep theirs."""
    await change(engine, enters(ANN), enters(ANN, STAFF))
    await engine.set_segment_state(SegmentState(BUYERS, 1, SegmentStage.LIVE, Position(1), NOW_MS, 1))
    await engine.forget_segment(BUYERS)
    assert await engine.segments_of([ANN]) == [Member(STAFF, "", ANN, NOW_MS)]
    assert (await engine.segment_flows(BUYERS, 0), await engine.segment_states()) == ([], {})


async def test_who_is_erased_is_in_nothing_and_counts_as_gone(engine: Engine) -> None:
    """So the hours go on telling how many were in before; somebody else stays."""
    await change(engine, enters(ANN), enters(BOB), enters(ANN, WATCHERS, '"secret"'))
    erasure = Erasure(Note("erase", ANN, "test", "", NOW_MS + HOUR_MS + 1), [ANN], [])
    async with engine.appending() as append:
        await append.write(batch()._replace(erasure=erasure))
    assert await engine.segments_of([ANN, BOB]) == [Member(BUYERS, "", BOB, NOW_MS)]
    gone = HourFlow(BUYERS, NOW_MS + HOUR_MS, 0, 1)
    assert await engine.segment_flows(BUYERS, 0) == [HourFlow(BUYERS, NOW_MS, 2, 0), gone]


async def test_identifiers_of_members_are_read_together(engine: Engine) -> None:
    """Of many people at once, in order; nobody is told of who has none."""
    await receive(engine, Message("m1", ("user_id:zoë", "email:b@x.org")), Message("m2", ("user_id:bob",)))
    people = [reading.person for name in ("zoë", "bob") if (reading := await engine.read_person(f"user_id:{name}"))]
    told = await engine.identifiers_of([*people, PersonId(9_999)])
    assert told == {people[0]: ["email:b@x.org", "user_id:zoë"], people[1]: ["user_id:bob"]}


async def test_the_hours_add_up_to_who_is_in(engine: Engine) -> None:
    """Whatever comes and goes, in any order, and however it is cut into commits."""
    chance = random.Random(5)
    for _ in range(20):
        await change(
            engine,
            *(
                MembershipChange(
                    PersonId(chance.randrange(1, 12)),
                    chance.choice((BUYERS, STAFF)),
                    "",
                    chance.random() < 0.5,
                    NOW_MS + chance.randrange(5) * HOUR_MS,
                )
                for _ in range(chance.randrange(30))
            ),
        )
    sizes = await engine.segment_sizes([BUYERS, STAFF])
    for segment in (BUYERS, STAFF):
        flows = await engine.segment_flows(segment, 0)
        assert sum(each.entered_count - each.left_count for each in flows) == sizes[segment].people_count
        assert sizes[segment].people_count == len(await engine.members(segment, None, None, 100))
