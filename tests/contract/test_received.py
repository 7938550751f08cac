"""Who received what, on what basis, on a store: the same as a plain model says, page by page, and provable."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import HOUR_MS, MINUTE_MS, SECOND_MS, ManualClock
from courtesy.engine.contract import Engine
from courtesy.engine.permit import NewPermit, Permit, Send, SendFilter, SendPlace
from courtesy.event.accept import Draft, SourcePolicy, accept
from courtesy.runtime.audit import Audit, Recipient
from courtesy.runtime.bundle import PROOFS, RECIPIENTS, pages, write_bundle
from courtesy.runtime.permits import Ask, Permits
from courtesy.runtime.sealer import Proofs, Sealer, signing_key
from tests.contract.builders import SHOP
from tests.contract.test_engine_repair import ANN, World, login, seen, world_of
from tests.contract.test_ledger import chooses
from tests.contract.test_permits import BOB, issued
from tests.contract.test_sealing import verified

PEOPLE_COUNT, CAMPAIGN_COUNT = 210, 8
OFFSETS_MS = (0, 1, MINUTE_MS - 1, MINUTE_MS)
COUNTRIES = ("DE", "FR", "AT")
CHANNELS = ("email", "sms")
EVERYTHING = SendFilter()


class Sent(NamedTuple):
    """A message that left, and what an audit must say of it."""

    at_ms: int
    message: str
    channel: str
    country: str | None
    user: str | None
    verdict: str
    notice: str | None


@dataclass(slots=True)
class Town:
    """People who said yes before anything left; some of whom had said no by then, which came in after."""

    random: Random
    countries: dict[str, str] = field(default_factory=dict)
    refused_ms: dict[str, int] = field(default_factory=dict)
    people: dict[str, PersonId] = field(default_factory=dict)

    async def settle(self, world: World) -> None:
        """Everybody lives somewhere, and says yes to everything after having read something of their own."""
        users = [f"u{number}" for number in range(PEOPLE_COUNT)]
        self.countries = {user: self.random.choice(COUNTRIES) for user in users}
        await _tell(world, [_lives(user, country) for user, country in self.countries.items()])
        await _tell(world, [_agrees(user) for user in users])
        for user in users:
            reading = await world.engine.read_person(f"user_id:{user}")
            assert reading is not None
            self.people[user] = reading.person

    async def refuse_late(self, world: World, from_ms: int, to_ms: int) -> None:
        """A third of them had refused at some instant of the past."""
        self.refused_ms = {
            user: self.random.randrange(from_ms, to_ms) for user in self.people if self.random.random() < 0.3
        }
        await _tell(world, [_refuses(user, at_ms) for user, at_ms in self.refused_ms.items()])


async def _tell(world: World, calls: list[dict[str, Any]]) -> None:
    policy = SourcePolicy(SHOP)
    drafts = [
        Draft(msgspec.json.encode(each), policy, world.clock.now_ms(), None, bytes.decode, None, True) for each in calls
    ]
    await world.ingest.append([accept(each) for each in drafts], policy)


def _lives(user: str, country: str) -> dict[str, Any]:
    return {"messageId": f"lives-{user}", "type": "identify", "userId": user, "traits": {"country": country}}


def _agrees(user: str) -> dict[str, Any]:
    choice = {"action": "grant", "purpose": "marketing", "evidence": {"notice": _notice(user)}}
    return {"messageId": f"yes-{user}", "type": "consent", "userId": user, "choices": [choice]}


def _refuses(user: str, at_ms: int) -> dict[str, Any]:
    choice = {"action": "withdraw", "purpose": "marketing", "heldFrom": at_ms}
    return {"messageId": f"no-{user}", "type": "consent", "userId": user, "choices": [choice]}


def _notice(user: str) -> str:
    return sha256(user.encode()).hexdigest()


async def _send_all(world: World, town: Town) -> list[tuple[Send, str, Permit | None]]:
    """Some campaigns, one after the other: each message with a permit or without, at once, late or too late."""
    sends: list[tuple[Send, str, Permit | None]] = []
    permits = Permits(world.engine, world.people, world.clock)
    for number in range(CAMPAIGN_COUNT):
        world.clock.advance(HOUR_MS)
        channel = CHANNELS[number % 2]
        asks = [Ask("user_id", user, "marketing", channel, f"c{number}/{user}", bytes(32)) for user in town.people]
        for user, permit in zip(town.people, await permits.issue(asks), strict=True):
            assert isinstance(permit, Permit), permit
            for offset_ms in (*OFFSETS_MS, town.random.randrange(MINUTE_MS), town.random.randrange(MINUTE_MS)):
                if town.random.random() < 0.05:
                    message, own = f"c{number}", None
                    offset_ms += MINUTE_MS + number
                else:
                    message, own = permit.terms.message, permit
                at_ms = world.clock.now_ms() + offset_ms
                sends.append((Send(message, (town.people[user],), channel, at_ms), user, own))
    await world.engine.put_sends([send for send, _, _ in sends])
    return sends


def _expected(town: Town, told: list[tuple[Send, str, Permit | None]], erased: set[str]) -> Counter[Sent]:
    """What a plain look at each says: once though it left twice in a millisecond."""
    distinct = {(send.at_ms, send.message, send.channel, user): (send, user, permit) for send, user, permit in told}
    found: Counter[Sent] = Counter()
    for send, user, permit in distinct.values():
        is_gone, refused_ms = user in erased, town.refused_ms.get(user)
        if permit is None:
            verdict = "no_permit"
        elif send.at_ms >= permit.terms.expires_ms:
            verdict = "expired"
        elif is_gone:
            verdict = "forgotten"
        else:
            verdict = "lawful" if refused_ms is None or refused_ms > send.at_ms else "lawful_then"
        country = None if permit is None else town.countries[user]
        notice = None if permit is None or is_gone else _notice(user)
        found[Sent(send.at_ms, send.message, send.channel, country, None if is_gone else user, verdict, notice)] += 1
    return found


def _seen(each: Recipient, users: dict[PersonId, str]) -> Sent:
    send, permit = each.received.send, each.received.permit
    user = None if send.person is None else users[send.person]
    country = None if permit is None else permit.terms.scope.jurisdiction
    notice = next((shown.notice for shown in each.choices), None)
    return Sent(send.at_ms, send.message, send.channel, country, user, str(each.finding or send.fault), notice)


async def _all(audit: Audit, which: SendFilter, limit: int) -> list[Recipient]:
    found: list[Recipient] = []
    after: SendPlace | None = None
    while page := await audit.recipients(which, after, limit):
        found += page
        after = page[-1].received.place
    return found


async def test_ten_thousand_sends_are_as_a_plain_model_says(engine: Engine, clock: ManualClock) -> None:
    """Whoever it was, wherever and whenever; with late refusals, with people who are forgotten, in pages of any size,
    and whatever is asked for."""
    async with world_of(engine, clock) as world:
        town, audit = Town(Random(4)), Audit(engine, world.people)
        await town.settle(world)
        begin_ms = clock.now_ms()
        sends = await _send_all(world, town)
        clock.advance(HOUR_MS)
        await town.refuse_late(world, begin_ms, clock.now_ms())
        await world.fold()
        erased = {"u7", "u11"}
        for user in sorted(erased):
            await world.eraser.erase(f"user_id:{user}", "eve", "", suppress=False)
        expected = _expected(town, sends, erased)
        assert expected.total() > 9_000
        assert {each.verdict for each in expected} == {"lawful", "lawful_then", "forgotten", "expired", "no_permit"}
        users = {person: user for user, person in town.people.items()}
        found = await _all(audit, EVERYTHING, 1_000)
        assert Counter(_seen(each, users) for each in found) == expected
        assert [each.received.send.at_ms for each in found] == sorted(each.received.send.at_ms for each in found)
        middle_ms = begin_ms + 4 * HOUR_MS
        asked: dict[SendFilter, Any] = {
            SendFilter(campaign="c3"): lambda one: one.message == "c3" or one.message.startswith("c3/"),
            SendFilter(middle_ms, middle_ms + HOUR_MS): lambda one: middle_ms <= one.at_ms < middle_ms + HOUR_MS,
            SendFilter(channel="sms", place="DE", campaign="c5"): lambda one: (
                one.channel == "sms" and one.country in ("DE", None) and one.message.split("/")[0] == "c5"
            ),
            SendFilter(campaign="c"): lambda one: False,
        }
        for which, is_meant in asked.items():
            some = Counter({one: count for one, count in expected.items() if is_meant(one)})
            for limit in (1_000, 97):
                assert Counter(_seen(each, users) for each in await _all(audit, which, limit)) == some, which


async def test_what_was_said_since_is_found_with_whom_they_became(engine: Engine, clock: ManualClock) -> None:
    """Who had refused under another number, which turned out to be theirs, was lawfully written to by what was
    known."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), chooses("d2", "object", userId=None, anonymousId="device-1"))
        await world.store(chooses("c1", "grant"))
        permit = await issued(world)
        await engine.put_sends([Send("letter", (permit.person or PersonId(0),), "email", clock.now_ms())])
        audit = Audit(engine, world.people)
        (before,) = await audit.recipients(EVERYTHING, None, 10)
        assert (before.finding, [each.id for each in before.choices]) == ("lawful", list(permit.terms.choices))
        clock.advance(SECOND_MS)
        await world.store(login("l1"))
        (after,) = await audit.recipients(EVERYTHING, None, 10)
        assert after.since is not None
        assert (after.finding, after.since.why, len(after.later)) == ("lawful_then", "refused", 1)
        assert after.later[0].entry == 0


async def test_a_permit_that_was_wrong_is_shown(engine: Engine, clock: ManualClock) -> None:
    """One that a broken process had issued against what the ledger said."""
    async with world_of(engine, clock) as world:
        await world.store(chooses("c1", "grant"))
        right = await issued(world)
        await world.store(chooses("c2", "withdraw"))
        reading = await engine.read_person(ANN)
        assert reading is not None
        clock.advance(1)
        terms = msgspec.structs.replace(right.terms, issued_ms=clock.now_ms(), message="wrong")
        await engine.issue_permits([NewPermit(ANN, reading.person, (), reading.head, terms)])
        await engine.put_sends([Send("wrong", (reading.person,), "email", clock.now_ms())])
        (found,) = await Audit(engine, world.people).recipients(EVERYTHING, None, 10)
        assert (found.finding, found.since) == ("differs", None)


async def test_a_bundle_convinces_a_stranger(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """Each choice behind a message is proven to be in the ledger and to say what it is told to say; a lie is not."""
    key, out = signing_key(tmp_path / "data"), tmp_path / "out"
    async with world_of(engine, clock) as world:
        audit, proofs = Audit(engine, world.people), Proofs(engine)
        await world.store(*(chooses(f"o{n}", "object", userId=f"u{n}") for n in range(9)))
        await world.store(chooses("c1", "grant"), chooses("c2", "grant", userId="bob"))
        for user in ("ann", "bob"):
            permit = await issued(world, user)
            await engine.put_sends([Send("letter", (permit.person or PersonId(0),), "email", clock.now_ms())])
        clock.advance(SECOND_MS)
        choice = {"action": "withdraw", "purpose": "marketing", "heldFrom": clock.now_ms() - SECOND_MS}
        await world.store({**chooses("c3", "withdraw"), "choices": [choice]})
        await world.eraser.erase(BOB, "eve", "", suppress=False)
        await Sealer(engine, key, clock).seal()
        tally = await write_bundle(out, audit, proofs, EVERYTHING, key.public)
        assert (tally.send_count, tally.forgotten_count) == (2, 1)
        assert (dict(tally.by_finding), tally.faulty_count) == ({"lawful_then": 1, "forgotten": 1}, 0)
        with pytest.raises(CourtesyError) as refused:
            await write_bundle(out, audit, proofs, EVERYTHING, key.public)
        assert refused.value.code is Code.INVALID
        assert [len(page) async for page in pages(audit, EVERYTHING)] == [2]
    lines = [json.loads(line) for line in (out / RECIPIENTS).read_text().splitlines()]
    entries = {shown["entry"] for each in lines for shown in each["choices"] if shown["entry"] is not None}
    later = {shown["entry"] for each in lines if each["since"] for shown in each["since"]["choices"]}
    files = sorted((out / PROOFS).iterdir())
    assert {int(each.stem) for each in files} == entries | later
    assert len(files) == 2
    for file in files:
        said = verified("--inclusion", str(file), key.public.text())
        assert (said.returncode, said.stderr) == (0, "")
        assert "it says" in said.stdout
        proof = json.loads(file.read_text())
        proof["content"] = proof["content"].replace("marketing", "analytics")
        file.write_text(json.dumps(proof))
        assert verified("--inclusion", str(file), key.public.text()).returncode == 1
