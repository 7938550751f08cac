"""Permits on a store: none is issued on what was withdrawn before, whatever happens at once; and they are audited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import msgspec
import pytest

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, ManualClock
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import Standing, State, verdict
from courtesy.engine.contract import Engine, PersonReading
from courtesy.engine.permit import JudgedSend, NewPermit, Permit, PermitFilter, Place, Send, SendAudit, SendFault
from courtesy.event.accept import Draft, SourcePolicy, accept
from courtesy.event.choice import ANY, Basis, Scope
from courtesy.runtime.audit import Audit, Told
from courtesy.runtime.permits import UNSETTLED, Ask, Permits, Refusal, decide
from tests.contract.builders import NOW_MS, SHOP, Store, batch, record
from tests.contract.test_engine_repair import ANN, DEVICE, World, by_ann, login, seen, world_of
from tests.contract.test_ledger import MAIL, chooses

AMY, BOB = "user_id:amy", "user_id:bob"
HASH = bytes(range(32))
EVERYTHING = PermitFilter()
LATER = 2**42
PAGE = 1_000


def letter(user: str = "ann", message: str = "letter") -> Ask:
    """A letter to somebody is to leave."""
    return Ask("user_id", user, MAIL["purpose"], MAIL["channel"], message, HASH)


async def decided(world: World, user: str = "ann", message: str = "letter") -> NewPermit:
    """A permit for a letter to somebody who allowed it, not yet issued."""
    reading = await world.engine.read_person(f"user_id:{user}")
    assert reading is not None
    found = decide(letter(user, message), f"user_id:{user}", reading, world.clock.now_ms(), Laws(LAWS))
    assert isinstance(found, NewPermit), found
    return found


async def issued(world: World, user: str = "ann", message: str = "letter") -> Permit:
    """A permit for a letter to somebody who allowed it."""
    (permit,) = await Permits(world.engine, world.people, world.clock).issue([letter(user, message)])
    assert isinstance(permit, Permit), permit
    return permit


async def test_a_permit_lies_there_as_it_was_issued(engine: Engine, clock: ManualClock) -> None:
    """With all that decided, in order, page after page."""
    async with world_of(engine, clock) as world:
        await world.store(login("l1"), chooses("c1", "grant"))
        first = await issued(world)
        clock.advance(1)
        await world.store(by_ann("a1"))
        second = await issued(world, message="second")
        assert await engine.permits(EVERYTHING, None, 10) == [first, second]
        assert await engine.permits(EVERYTHING, None, 1) == [first]
        assert await engine.permits(EVERYTHING, Place(first.terms.issued_ms, first.number), 10) == [second]
        for which, found in (
            (PermitFilter(message="second"), [second]),
            (PermitFilter(channel="email", purpose="marketing"), [first, second]),
            (PermitFilter(channel="sms"), []),
            (PermitFilter(purpose="news"), []),
            (PermitFilter(to_ms=second.terms.issued_ms), [first]),
            (PermitFilter(from_ms=second.terms.issued_ms), [second]),
            (PermitFilter(people=frozenset({cast("PersonId", first.person)})), [first, second]),
            (PermitFilter(people=frozenset({PersonId(8_999)})), []),
        ):
            assert await engine.permits(which, None, 10) == found
        assert (first.position, second.position) == (Position(2), await engine.head())
        assert await engine.issue_permits([]) == []


Change = Callable[[World], Awaitable[object]]


def _correct(world: World) -> Awaitable[object]:
    choices = [{"action": "correct", "corrects": "0" * 32}]
    return world.store({**chooses("c9", "correct"), "choices": choices})


def _and_trimmed(change: Change) -> Change:
    """A change of which nothing is left in the log."""

    async def changed(world: World) -> None:
        await change(world)
        await world.fold()
        engine = world.engine
        await engine.drop(await engine.trimmable(await engine.head(), 100))
        assert await engine.log_after(Position(0), 100) == []

    return changed


def _withdraw(world: World) -> Awaitable[object]:
    return world.store(chooses("c9", "withdraw"))


def _merge(world: World) -> Awaitable[object]:
    return world.repairs.merge(ANN, BOB, "eve", "", dry=False)


def _merge_into_another(world: World) -> Awaitable[object]:
    return world.repairs.merge(AMY, ANN, "eve", "", dry=False)


def _erase(world: World) -> Awaitable[object]:
    return world.eraser.erase(ANN, "eve", "", suppress=False)


async def _merge_and_unmerge(world: World) -> None:
    await _merge(world)
    await world.fold()
    await world.repairs.unmerge(ANN, BOB, "eve", "", dry=False)


async def _outlive(world: World) -> None:
    world.clock.advance(MINUTE_MS)


CHANGES: Mapping[str, Change] = {
    "withdrawn": _withdraw,
    "withdrawn for another channel": lambda world: world.store(
        {**chooses("c9", ""), "choices": [{"action": "withdraw", "purpose": "marketing", "channel": "sms"}]}
    ),
    "withdrawn, folded and gone from the log": _and_trimmed(_withdraw),
    "corrected": _correct,
    "moved to another country": lambda world: world.store(by_ann("t9", type="identify", traits={"country": "FR"})),
    "became one with who refused": lambda world: world.store(login("l9")),
    "merged by hand": _merge,
    "merged by hand, folded and gone from the log": _and_trimmed(_merge),
    "merged into another by hand": _merge_into_another,
    "merged into another by hand, folded and gone from the log": _and_trimmed(_merge_into_another),
    "merged and unmerged": _merge_and_unmerge,
    "erased": _erase,
    "erased, folded and gone from the log": _and_trimmed(_erase),
    "too old": _outlive,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_what_was_decided_before_a_change_is_not_issued(
    engine: Engine, clock: ManualClock, change: Change
) -> None:
    """By a name or by number, whatever changed; and what is about others stops nobody's permit."""
    async with world_of(engine, clock) as world:
        await world.store(by_ann("a0", userId="amy"), by_ann("a1"), by_ann("b0", userId="bob"))
        await world.store(chooses("d1", "object", userId=None, anonymousId="device-1"))
        await world.store(chooses("c1", "grant"), chooses("c2", "grant", userId="cleo"))
        ann, cleo = await decided(world), await decided(world, "cleo")
        by_number = msgspec.structs.replace(ann, identifier=f"person:{ann.person}")
        await change(world)
        after = await engine.issue_permits([ann, by_number, cleo])
        assert after[:2] == [None, None]
        assert (after[2] is not None) == (change is not _outlive)
        assert len(await engine.permits(EVERYTHING, None, 10)) == sum(each is not None for each in after)


async def test_by_number_too(engine: Engine, clock: ManualClock) -> None:
    """Of somebody who became part of another, the number stands for both; until they do no more."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"))
        device = (await world.state(DEVICE)).person
        await world.store(login("l1"), chooses("c1", "grant"))
        for number in (device, (await world.state(ANN)).person):
            reading = await engine.read_person(f"person:{number}")
            assert reading is not None
            found = decide(letter(), f"person:{number}", reading, clock.now_ms(), Laws(LAWS))
            assert isinstance(found, NewPermit)
            (permit,) = await engine.issue_permits([found])
            assert permit is not None
            assert (permit.person, permit.others) == (found.person, found.others)
            assert len(found.others) == 1
            await world.store(seen(f"d{number + 10}"))
            assert await engine.issue_permits([found]) == [None]


async def test_a_permit_waits_for_the_append_under_way(store: Store, engine: Engine, clock: ManualClock) -> None:
    """What it brings is known before anything is issued, whichever process appends."""
    async with world_of(engine, clock) as world, store.another() as other:
        await world.store(chooses("c1", "grant"))
        before = await decided(world)
        async with other.appending() as append:
            issuing = asyncio.create_task(engine.issue_permits([before]))
            await asyncio.wait([issuing], timeout=0.3)
            assert not issuing.done()
            await append.write(batch([record(before.person, "late")]))
        assert await issuing == [None]


async def test_a_clock_that_was_set_back_gives_nobody_leave(engine: Engine, clock: ManualClock) -> None:
    """What was refused by an hour that comes once more is refused; and asked again, each permit is as it was."""
    async with world_of(engine, clock) as world:
        await world.store(chooses("c1", "grant"))
        await issued(world)
        await world.store(chooses("c2", "withdraw"))
        clock.advance(-5 * HOUR_MS)
        (answer,) = await Permits(engine, world.people, clock).issue([letter()])
        assert isinstance(answer, Refusal)
        assert answer.why == "refused"
        clock.advance(6 * HOUR_MS)
        await world.store(chooses("c3", "grant"))
        clock.advance(-6 * HOUR_MS)
        await issued(world)
        found = await Audit(engine, world.people).recheck(EVERYTHING, None, 10)
        assert (found.checked_count, found.differences) == (2, [])


# -- everything at once


@dataclass(slots=True)
class Hasty:
    """An engine whose readers take a while to decide; and, when it is `careless`, issues whatever they decided."""

    engine: Engine
    random: Random
    careless: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def read_person(self, identifier: str) -> PersonReading | None:
        """The person as they were a moment ago."""
        reading = await self.engine.read_person(identifier)
        await asyncio.sleep(self.random.random() * 0.004)
        return reading

    async def issue_permits(self, asked: list[NewPermit]) -> list[Permit | None]:
        """As the engine does; a careless one takes every decision for one of this instant."""
        if self.careless:
            for place, each in enumerate(asked):
                reading = await self.engine.read_person(each.identifier)
                assert reading is not None
                others = tuple(reading.merged)
                now = msgspec.structs.replace(each, person=reading.person, others=others, read=Position(2**62))
                asked[place] = now
        return await self.engine.issue_permits(asked)


@dataclass(slots=True)
class Rush:
    """Many who refuse, each in one way or another, while many ask for permits."""

    world: World
    permits: Permits
    random: Random
    refused: dict[str, Position] = field(default_factory=dict)
    asked_late: list[Permit] = field(default_factory=list)

    async def run(self, users: list[str]) -> list[str]:
        """Whoever got a permit after what they had said was acknowledged; empty when nobody did."""
        async with asyncio.TaskGroup() as tasks:
            for user in users:
                tasks.create_task(self._refuse(user))
            for _ in range(4):
                tasks.create_task(self._ask(users))
        permits = await self.world.engine.permits(EVERYTHING, None, 100_000)
        late = late_permits(permits, self.refused)
        assert {each.number for each in self.asked_late} <= {each.number for each in late}
        assert permits
        return sorted({each.terms.message for each in late})

    async def _refuse(self, user: str) -> None:
        await asyncio.sleep(0.02 + self.random.random() * 0.2)
        call = chooses(f"no-{user}", "withdraw", userId=user)
        if user.startswith("joined"):
            call = {"messageId": f"no-{user}", "type": "identify", "userId": user, "anonymousId": f"device-{user}"}
        self.refused[user] = await _append(self.world, call)

    async def _ask(self, users: list[str]) -> None:
        while len(self.refused) < len(users):
            before = set(self.refused)
            some = self.random.sample(users, len(users) // 2)
            answers = await self.permits.issue([letter(user, user) for user in some])
            self.asked_late += [
                each for user, each in zip(some, answers, strict=True) if user in before and isinstance(each, Permit)
            ]


async def _append(world: World, call: dict[str, Any]) -> Position:
    """As a server appends it; the position of the append's last record."""
    policy = SourcePolicy(SHOP)
    draft = Draft(msgspec.json.encode(call), policy, world.clock.now_ms(), None, bytes.decode, None, True)
    return (await world.ingest.append([accept(draft)], policy)).position


def late_permits(permits: Iterable[Permit], refused: Mapping[str, Position]) -> list[Permit]:
    """Those issued after what their person (named by the message) said lay in the log."""
    return [each for each in permits if each.position >= refused[each.terms.message]]


@pytest.mark.parametrize("careless", [False, True], ids=["as it is", "canary"])
async def test_after_a_refusal_no_permit_is_issued(
    store: Store, engine: Engine, clock: ManualClock, careless: bool
) -> None:
    """Whoever asks, from whichever process, while whoever says whatever. One that skips the check is caught."""
    async with world_of(engine, clock) as world, store.another() as other:
        users = [f"{'joined' if number % 3 == 0 else 'user'}-{number}" for number in range(24)]
        for user in users:
            await _append(world, chooses(f"yes-{user}", "grant", userId=user))
            await _append(world, chooses(f"ob-{user}", "object", userId=None, anonymousId=f"device-{user}"))
        random = Random(7)
        permits = Permits(cast("Engine", Hasty(other, random, careless)), world.people, clock)
        late = await Rush(world, permits, random).run(users)
        assert bool(late) == careless, late
        if not careless:
            found = await Audit(engine, world.people).recheck(EVERYTHING, None, 100_000)
            assert found.checked_count > 0
            assert (found.forgotten_count, found.differences) == (0, [])


async def test_who_never_stands_still_is_told_so(engine: Engine, clock: ManualClock) -> None:
    """Something comes in about them during each try: no permit, and no endless loop."""
    async with world_of(engine, clock) as world:
        await world.store(chooses("c1", "grant"))
        permits = Permits(cast("Engine", Restless(world)), world.people, clock)
        assert await permits.issue([letter()]) == [Refusal(UNSETTLED)]


@dataclass(slots=True)
class Restless:
    """An engine in which something comes in about Ann whenever a permit is to be issued."""

    world: World

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.engine, name)

    async def issue_permits(self, asked: list[NewPermit]) -> list[Permit | None]:
        """As the engine does, after she did something."""
        await self.world.store(by_ann(f"a{await self.world.engine.head()}"))
        return await self.world.engine.issue_permits(asked)


# -- audits


async def test_asking_again_finds_what_was_wrong(engine: Engine, clock: ManualClock) -> None:
    """A permit that the ledger does not bear out is reported with what it says; the others agree, repairs or not."""
    async with world_of(engine, clock) as world:
        audit = Audit(engine, world.people)
        await world.store(seen("d1"), chooses("c0", "grant", userId=None, anonymousId="device-1"), by_ann("a1"))
        await world.store(login("l1"))
        await issued(world)
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        await world.store(chooses("c1", "grant"))
        right = await issued(world)
        await world.store(chooses("c2", "withdraw"))
        assert (await audit.recheck(EVERYTHING, None, 10)).checked_count == 2
        reading = await engine.read_person(ANN)
        assert reading is not None
        forged = NewPermit(ANN, reading.person, (), reading.head, right.terms)
        (wrong,) = await engine.issue_permits([forged])
        found = await audit.recheck(EVERYTHING, None, 10)
        assert (found.checked_count, found.forgotten_count) == (3, 0)
        (difference,) = found.differences
        assert (difference.permit, difference.answer.why) == (wrong, "refused")


async def test_of_somebody_who_is_forgotten_no_trace_is_left(engine: Engine, clock: ManualClock) -> None:
    """Neither number nor choices, also where they were one with somebody else then; that there was a permit stays."""
    async with world_of(engine, clock) as world:
        audit = Audit(engine, world.people)
        await world.store(seen("d1"), by_ann("a1"), login("l1"), chooses("c1", "grant"))
        ann = await issued(world)
        await engine.put_sends([_left(ann, clock.now_ms()), _left(ann, clock.now_ms(), message="none")])
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        device = (await world.state(DEVICE)).person
        assert device in (ann.person, *(ann.others or ()))
        await world.eraser.erase(DEVICE, "eve", "", suppress=False)
        (kept,) = await engine.permits(EVERYTHING, None, 10)
        await world.fold()
        assert device not in (kept.person, *(kept.others or ()))
        assert (kept.others, kept.terms.choices, kept.terms.message) == (None, (), "letter")
        await world.eraser.erase(ANN, "eve", "", suppress=False)
        (kept,) = await engine.permits(EVERYTHING, None, 10)
        assert (kept.person, kept.number, kept.terms.why) == (None, ann.number, "granted")
        found = await audit.recheck(EVERYTHING, None, 10)
        assert (found.checked_count, found.forgotten_count, found.differences) == (0, 1, [])
        left = await engine.audit_sends(0, LATER, 10)
        assert (left.send_count, left.fault_counts) == (2, {SendFault.OTHER_MESSAGE: 1})
        (faulty,) = left.faulty
        assert (faulty.person, faulty.message) == (None, "none")


async def test_a_choice_that_turned_out_to_be_of_somebody_else_goes_with_them(
    engine: Engine, clock: ManualClock
) -> None:
    """The permit that rested on it stays, without it, and can't be asked again."""
    async with world_of(engine, clock) as world:
        await world.store(by_ann("a1"), seen("d1"), login("l1"))
        await world.store(chooses("c1", "grant", userId=None, anonymousId="device-1"))
        permit = await issued(world)
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        assert (await world.state(DEVICE)).standing
        await world.eraser.erase(DEVICE, "eve", "", suppress=False)
        (kept,) = await engine.permits(EVERYTHING, None, 10)
        assert permit.terms.choices
        assert (kept.others, kept.terms.choices) == (None, ())
        found = await Audit(engine, world.people).recheck(EVERYTHING, None, 10)
        assert (found.checked_count, found.forgotten_count, found.differences) == (0, 1, [])


def _left(permit: Permit, at_ms: int, **fields: Any) -> Send:
    """The letter of a permit left."""
    assert permit.person is not None
    told = {"message": permit.terms.message, "people": (permit.person,), "channel": permit.terms.scope.channel} | fields
    return Send(at_ms=at_ms, **told)


async def test_a_send_has_the_permit_that_is_nearest(engine: Engine, clock: ManualClock) -> None:
    """Of its message and in force, before ended ones, before those of other messages; and never one of later."""
    async with world_of(engine, clock) as world:
        await world.store(chooses("c1", "grant"), chooses("c2", "grant", userId="bob"))
        now = clock.now_ms()
        first = await issued(world)
        clock.advance(MINUTE_MS)
        second = await issued(world)
        clock.advance(1_000)
        third = await issued(world, message="third")
        bob = await issued(world, "bob")
        sends = [
            _left(first, now),
            _left(first, now + MINUTE_MS - 1, message_hash=HASH),
            _left(first, now + MINUTE_MS),
            _left(first, now - 1),
            _left(first, now + 2 * MINUTE_MS),
            _left(first, now + MINUTE_MS + 1_000, message="fourth"),
            _left(third, clock.now_ms(), message_hash=bytes(32)),
            _left(bob, clock.now_ms(), people=(PersonId(8_999), bob.person)),
            _left(first, now, people=()),
            _left(first, now, channel="sms"),
        ]
        expected: list[tuple[int | None, SendFault | None]] = [
            (first.number, None),
            (first.number, None),
            (second.number, None),
            (None, SendFault.NO_PERMIT),
            (second.number, SendFault.EXPIRED),
            (third.number, SendFault.OTHER_MESSAGE),
            (third.number, SendFault.OTHER_MESSAGE),
            (bob.number, None),
            (None, SendFault.NO_PERMIT),
            (None, SendFault.NO_PERMIT),
        ]
        for _ in range(2):
            judged = await engine.put_sends(sends)
            assert [(each.permit, each.fault) for each in judged] == expected
            left = await engine.audit_sends(0, LATER, 10)
            counts = {SendFault.NO_PERMIT: 3, SendFault.EXPIRED: 1, SendFault.OTHER_MESSAGE: 2}
            assert (left.send_count, left.fault_counts) == (10, counts)
        faulty = [each for each in judged if each.fault is not None]

        def order(each: JudgedSend) -> tuple[int, str, str]:
            return each.at_ms, each.message, each.channel

        assert sorted(left.faulty, key=repr) == sorted(faulty, key=repr)
        assert list(map(order, left.faulty)) == sorted(map(order, faulty))
        of_bob = await engine.sends_of([bob.person or PersonId(0), PersonId(8_999)])
        assert of_bob == [each for each in judged if each.person == bob.person]
        few = await engine.audit_sends(0, LATER, 2)
        assert (few.fault_counts, few.faulty) == (counts, left.faulty[:2])
        assert await engine.audit_sends(now, now, 10) == SendAudit(0, {}, [])
        assert (await engine.audit_sends(now - 1, now, 10)).fault_counts == {SendFault.NO_PERMIT: 1}
        assert await engine.put_sends([]) == []


def _told(user_or_device: str, at_ms: int, message: str = "letter") -> Told:
    """Somebody says that a letter left."""
    kind, _, value = user_or_device.partition(":")
    return Told(kind, value, message, MAIL["channel"], at_ms)


async def test_a_send_is_joined_by_whom_it_went_to_then(engine: Engine, clock: ManualClock) -> None:
    """Who came apart since, before it was told, had a permit all the same."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), by_ann("a1"), login("l1"), chooses("c1", "grant"))
        permit = await issued(world)
        at_ms = clock.now_ms()
        clock.advance(1_000)
        await world.repairs.unmerge(ANN, DEVICE, "eve", "", dry=False)
        await world.fold()
        sends = [_told(ANN, at_ms), _told(DEVICE, at_ms, "second")]
        judged = await Audit(engine, world.people).tell(sends)
        assert [(each.permit, each.fault) for each in judged] == [
            (permit.number, None),
            (permit.number, SendFault.OTHER_MESSAGE),
        ]


async def test_a_send_that_is_told_again_after_a_merge_is_kept_once(engine: Engine, clock: ManualClock) -> None:
    """Under the number under which it was told first, with what was said of it then."""
    async with world_of(engine, clock) as world:
        audit = Audit(engine, world.people)
        await world.store(by_ann("a1"), by_ann("b1", userId="bob"))
        told = [_told(ANN, clock.now_ms()), _told(BOB, clock.now_ms())]
        first = await audit.tell(told)
        clock.advance(1_000)
        await world.repairs.merge(ANN, BOB, "eve", "", dry=False)
        await world.fold()
        assert {each.person for each in await audit.tell(told)} <= {each.person for each in first}
        assert (await audit.sends(0, LATER, 10)).send_count == 2


QUESTIONS = [Scope("marketing", channel, topic) for channel in ("email", "sms") for topic in ("hats", ANY)]


def _verdicts(standing: Standing | None) -> list[State]:
    return [verdict(standing or Standing(), each, LATER, frozenset(Basis), {}).state for each in QUESTIONS]


def _says(random: Random, message_id: str, **who: Any) -> dict[str, Any]:
    """Somebody says yes or no to something, at an instant of the last day."""
    choice = {
        "action": random.choice(("grant", "grant", "withdraw", "object")),
        "purpose": random.choice(("marketing", ANY)),
        "channel": random.choice(("email", "sms", ANY)),
        "topic": random.choice(("hats", ANY)),
        "heldFrom": NOW_MS - random.randrange(DAY_MS),
    }
    return {"messageId": message_id, "type": "consent", "choices": [choice], **who}


@pytest.mark.parametrize("seed", range(4))
async def test_merging_keeps_the_stricter_and_unmerging_gives_both_back(
    engine: Engine, clock: ManualClock, seed: int
) -> None:
    """Whatever two people said: as one they are refused what either had refused, and apart each is who they were."""
    random = Random(seed)
    async with world_of(engine, clock) as world:
        await world.store(by_ann("a0"), by_ann("b0", userId="bob"))
        told = [_says(random, f"c{n}", userId=random.choice(("ann", "bob"))) for n in range(12)]
        await world.store(*told)
        before = [(await world.state(each)).standing for each in (ANN, BOB)]
        await world.repairs.merge(ANN, BOB, "eve", "", dry=False)
        await world.fold()
        as_one = _verdicts((await world.state(ANN)).standing)
        for one, ann, bob in zip(as_one, *map(_verdicts, before), strict=True):
            expected = State.REFUSED if State.REFUSED in (ann, bob) else State.GRANTED
            assert one is (expected if {ann, bob} != {State.UNKNOWN} else State.UNKNOWN)
        await world.repairs.unmerge(ANN, BOB, "eve", "", dry=False)
        await world.fold()
        assert [(await world.state(each)).standing for each in (ANN, BOB)] == before
