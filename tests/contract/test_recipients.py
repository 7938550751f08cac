"""Recipients on a store, over HTTP: whatever fails on the way, in the end they have what is so, or somebody is told."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, ManualClock
from courtesy.channel.address import permitted_networks
from courtesy.channel.contract import Outside
from courtesy.channel.guard import GuardedNetwork, SystemResolver
from courtesy.channel.subjects import SubjectCalls
from courtesy.engine.contract import Engine
from courtesy.engine.propagation import ChangeKind, Receipt, ReceiptFilter, ReceiptState
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.erase import Eraser
from courtesy.runtime.held import HeldEvents
from courtesy.runtime.history import History
from courtesy.runtime.propagation import OPEN, Propagation
from courtesy.runtime.recipient import Recipient, SubjectIds
from courtesy.runtime.settings import Settings
from courtesy.runtime.telling import IN_FLIGHT_MAX, Teller
from sim.recipient import Fault
from sim.recipient import Recipient as Other
from tests.contract.test_engine_repair import ANN as ANNS
from tests.contract.test_engine_repair import DEVICE, World, login, seen, world_of
from tests.contract.test_ledger import chooses

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
SETTINGS = Settings(link_key="k" * 32)
PASSES_MAX = 1_000
EVERY_FAULT = {
    Fault.DROP: 0.06, Fault.DROP_AFTER: 0.06, Fault.ERROR: 0.06, Fault.BUSY: 0.02, Fault.SLOW: 0.02, Fault.LIE: 0.06,
    Fault.STALE: 0.06, Fault.RESTART: 0.004,
}  # fmt: skip


@dataclass(slots=True)
class Told:
    """A world, what tells its recipients, and one of these as it really runs."""

    world: World
    teller: Teller
    propagation: Propagation
    eraser: Eraser
    ids: SubjectIds
    other: Other
    url: str

    @property
    def engine(self) -> Engine:
        """The store."""
        return self.world.engine

    async def define(self, name: str = "crm", **fields: Any) -> None:
        """Define a recipient there."""
        await self.propagation.define(name, Recipient(**{"url": self.url, "secrets": (SECRET,)} | fields), "eve")

    async def pass_once(self, name: str = "crm") -> None:
        """Look for changes, and tell what is due."""
        while await self.teller.feed_once():
            pass
        await self.teller.tell_once(name)
        await self.teller.drain()

    async def settle(self, name: str = "crm") -> None:
        """Let time go by until no change is under way."""
        for _ in range(PASSES_MAX):
            await self.pass_once(name)
            if not {each.state for each in await self.engine.tallies() if each.recipient == name} & OPEN:
                return
            self.world.clock.advance(5 * SECOND_MS)
        raise AssertionError(f"changes are under way for ever: {await self.receipts(name)}")

    async def receipts(self, name: str = "crm") -> list[Receipt]:
        """All receipts of a recipient, the oldest first."""
        return (await self.engine.receipts(ReceiptFilter(name), None, 100_000))[::-1]

    async def person(self, identifier: str) -> PersonId:
        """Who that is."""
        return (await self.world.state(identifier)).person

    async def held(self, identifier: str, name: str = "crm") -> dict[str, Any]:
        """What the recipient has of somebody; empty for nothing."""
        return self.other.held.get(self.ids.of(name, await self.person(identifier)).hex(), {})


@asynccontextmanager
async def told_world(engine: Engine, clock: ManualClock) -> AsyncIterator[Told]:
    """A world with recipients, of which one runs and is well."""
    other = Other(SECRET, clock)
    port = await other.start()
    calls = SubjectCalls(Outside(clock, GuardedNetwork(SystemResolver(), permitted_networks(allow_private=True))))
    catalog, ids = CatalogCache(engine, clock), SubjectIds(SETTINGS)
    async with world_of(engine, clock) as world:
        await catalog.refresh()
        teller = Teller(engine, lambda: catalog.now.recipients, calls, ids, clock)
        eraser = Eraser(
            engine, History(engine, None), None, HeldEvents(engine, catalog), clock, None, catalog.recipients
        )
        propagation = Propagation(engine, catalog, ids, clock)
        try:
            yield Told(world, teller, propagation, eraser, ids, other, f"http://127.0.0.1:{port}/courtesy")
        finally:
            await teller.drain()
            await calls.aclose()
            await other.stop()


def answers(document: Mapping[str, Any]) -> dict[tuple[str, str], bool]:
    """What a document says of each purpose and channel."""
    return {(each["purpose"], each["channel"]): each["allowed"] for each in document["allowed"]}


async def test_a_choice_is_told_and_read_back(engine: Engine, clock: ManualClock) -> None:
    """With identifiers, the choice and what it comes to; the receipt says when, and which version of theirs it is."""
    async with told_world(engine, clock) as told:
        await told.define()
        await told.world.store({"type": "identify", "userId": "ann", "messageId": "i1", "traits": {"country": "DE"}})
        await told.world.store(chooses("c1", "grant", anonymousId="device-1"))
        await told.settle()
        held = await told.held(ANNS)
        assert held["identifiers"] == [{"kind": "user_id", "value": "ann"}]
        assert answers(held) == {("marketing", "email"): True, ("marketing", "sms"): False}
        assert [each["action"] for each in held["choices"]] == ["grant"]
        (receipt,) = await told.receipts()
        assert (receipt.state, receipt.kind, receipt.urgent, receipt.entry) == ("verified", "consent", False, 0)
        assert receipt.read_back == f'"v{held["version"]}"'
        await told.world.store(chooses("c2", "withdraw"))
        await told.settle()
        assert answers(await told.held(ANNS)) == {("marketing", "email"): False, ("marketing", "sms"): False}
        assert [each.urgent for each in await told.receipts()] == [False, True]
        assert told.other.counts["forged"] == 0
        (view,) = await told.propagation.told_of([await told.person(ANNS)])
        assert (view["recipient"], len(view["receipts"]), view["last_verified"] is None) == ("crm", 2, False)
        summary = await told.propagation.summary("crm")
        assert (summary["verified"], summary["escalated"], summary["oldest_waiting"]) == (2, 0, None)


async def test_a_recipient_is_told_of_what_it_does_and_no_more(engine: Engine, clock: ManualClock) -> None:
    """Purposes, channels and kinds of identifiers that it has no business with stay here."""
    async with told_world(engine, clock) as told:
        await told.define(purposes=("analytics",), channels=("web",), kinds=("anonymous_id",))
        await told.world.store(chooses("c1", "grant", anonymousId="device-1"))
        await told.settle()
        assert await told.receipts() == []
        other = {"action": "grant", "purpose": "analytics", "channel": "web"}
        await told.world.store(chooses("c2", "", choices=[other]))
        await told.settle()
        held = await told.held(ANNS)
        assert held["identifiers"] == [{"kind": "anonymous_id", "value": "device-1"}]
        assert answers(held) == {("analytics", "web"): True}
        assert [each["purpose"] for each in held["choices"]] == ["analytics"]


async def test_what_was_there_before_is_told_if_it_is_asked_for(engine: Engine, clock: ManualClock) -> None:
    """Each person once; a recipient that does not ask for it hears of what comes."""
    async with told_world(engine, clock) as told:
        await told.world.store(chooses("c1", "grant"), chooses("c2", "withdraw"), chooses("b1", "grant", userId="bob"))
        await told.define(backfill=True)
        await told.define("new")
        await told.settle()
        await told.settle("new")
        assert [(each.kind, each.urgent) for each in await told.receipts()] == [(ChangeKind.BACKFILL, False)] * 2
        assert await told.receipts("new") == []
        await told.world.store(chooses("c3", "grant"))
        await told.settle("new")
        assert [each.kind for each in await told.receipts("new")] == [ChangeKind.CONSENT]
        first, second = await told.held(ANNS), await told.held(ANNS, "new")
        assert first["subject"] != second["subject"]


async def test_who_became_one_and_was_taken_apart_is_told_again(engine: Engine, clock: ManualClock) -> None:
    """The stricter holds for both while they are one, and each has their own back after."""
    async with told_world(engine, clock) as told:
        await told.define(kinds=("user_id", "anonymous_id"))
        await told.world.store(chooses("c1", "grant"), seen("d1"))
        await told.world.store(chooses("d2", "object", userId=None, anonymousId="device-1"))
        await told.settle()
        mine, devices = await told.held(ANNS), await told.held(DEVICE)
        email = ("marketing", "email")
        assert [answers(each)[email] for each in (mine, devices)] == [True, False]
        await told.world.store(login("l1"))
        await told.settle()
        both = told.other.held[mine["subject"]], told.other.held[devices["subject"]]
        assert [answers(each)[email] for each in both] == [False, False]
        root = (await told.held(ANNS))["subject"]
        assert sorted(each["part_of"] or "" for each in both) == ["", root]
        assert sorted(len(each["identifiers"]) for each in both) == [0, 2]
        await told.world.repairs.unmerge(ANNS, DEVICE, "eve", "", dry=False)
        await told.world.fold()
        await told.settle()
        assert [answers(await told.held(each))[email] for each in (ANNS, DEVICE)] == [True, False]
        assert [(await told.held(each))["part_of"] for each in (ANNS, DEVICE)] == [None, None]
        assert {each.state for each in await told.receipts()} == {ReceiptState.VERIFIED}


@pytest.mark.parametrize("needs", [False, True])
async def test_who_is_erased_here_is_erased_there(engine: Engine, clock: ManualClock, needs: bool) -> None:
    """And read back as gone; the receipt is found by its request, and names nobody."""
    async with told_world(engine, clock) as told:
        await told.define(needs_identifiers=needs)
        await told.world.store(chooses("c1", "grant", anonymousId="device-1"), chooses("b1", "grant", userId="bob"))
        await told.settle()
        subject = (await told.held(ANNS))["subject"]
        await told.eraser.erase(ANNS, "eve", "asked to", suppress=False, request="R-7")
        await told.world.fold()
        await told.settle()
        assert subject not in told.other.held
        assert told.other.erased == {subject: [ANNS] if needs else []}
        assert (await told.held("user_id:bob"))["identifiers"] == [{"kind": "user_id", "value": "bob"}]
        (receipt,) = await engine.receipts(ReceiptFilter(request="R-7"), None, 10)
        assert (receipt.kind, receipt.state, receipt.person) == ("erasure", "verified", None)
        await told.world.store(chooses("c2", "grant"))
        await told.settle()
        assert (await told.held(ANNS))["subject"] != subject


async def test_a_withdrawal_overtakes_what_waits(engine: Engine, clock: ManualClock) -> None:
    """It goes with the first, however many grants were there before it."""
    async with told_world(engine, clock) as told:
        await told.define()
        names = [f"user-{number}" for number in range(40)]
        await told.world.store(*(chooses(f"g-{name}", "grant", userId=name) for name in names))
        await told.world.store(chooses("w", "withdraw", userId=names[-1]))
        await told.pass_once()
        first = {subject for subject, _ in told.other.arrived}
        assert told.ids.of("crm", await told.person(f"user_id:{names[-1]}")).hex() in first
        assert len(first) <= IN_FLIGHT_MAX < len(names)
        await told.settle()


async def test_what_it_lost_is_told_again(engine: Engine, clock: ManualClock) -> None:
    """Though it was read back before: it is looked at again, soon and then ever again."""
    async with told_world(engine, clock) as told:
        await told.define()
        await told.world.store(chooses("c1", "grant"), chooses("c2", "withdraw"))
        await told.settle()
        assert await told.held(ANNS) != {}
        told.other.restart()
        assert await told.held(ANNS) == {}
        clock.advance(MINUTE_MS)
        await told.settle()
        assert answers(await told.held(ANNS))["marketing", "email"] is False
        assert [each.kind for each in await told.receipts()][2:] == [ChangeKind.DRIFT]
        clock.advance(DAY_MS)
        await told.settle()
        assert len(await told.receipts()) == 3


async def test_what_ends_by_itself_is_told_when_it_ends(engine: Engine, clock: ManualClock) -> None:
    """Nobody says anything then, and still the recipient hears of it within the second."""
    async with told_world(engine, clock) as told:
        await told.define()
        ends = clock.now_ms() + 2 * HOUR_MS
        grant = {"action": "grant", "purpose": "marketing", "channel": "email", "heldTo": ends}
        await told.world.store(chooses("c1", "", choices=[grant]))
        await told.settle()
        assert answers(await told.held(ANNS))["marketing", "email"] is True
        clock.set(ends)
        await told.settle()
        assert answers(await told.held(ANNS))["marketing", "email"] is False


async def test_what_is_refused_or_overdue_is_for_people_to_look_at(engine: Engine, clock: ManualClock) -> None:
    """It is counted, and there is an event of it; tried again when it is well, it arrives."""
    async with told_world(engine, clock) as told:
        await told.define(secrets=("whsec_" + base64.b64encode(bytes(24)).decode(),))
        await told.define("down", url="http://127.0.0.1:9/", escalate_after_ms=HOUR_MS)
        await told.world.store(chooses("c1", "withdraw"))
        await told.settle()
        await told.pass_once("down")
        (waiting,) = await told.receipts("down")
        assert (waiting.state, waiting.error.partition(":")[0]) == ("sent", "connection")
        clock.advance(HOUR_MS)
        await told.pass_once("down")
        (refused,), (overdue,) = await told.receipts(), await told.receipts("down")
        assert (refused.state, refused.error) == ("escalated", "rejected: 401")
        assert (overdue.state, overdue.escalated_ms) == ("escalated", clock.now_ms())
        for name in ("crm", "down"):
            reading = await engine.read_person(f"event_source:{name}")
            assert reading is not None
            assert [b"Propagation Escalated" in each.payload for each in reading.tail] == [True]
        await told.define()
        assert await told.propagation.retry("crm") == 1
        await told.settle()
        assert answers(await told.held(ANNS))["marketing", "email"] is False
        await told.propagation.remove("down", "eve")
        assert await engine.propagation_cursor("down") is None


async def test_what_was_put_right_is_told_to_those_who_know(engine: Engine, clock: ManualClock) -> None:
    """By the request that asked for it; who never heard of them does not hear of them now."""
    async with told_world(engine, clock) as told:
        await told.define()
        await told.world.store(chooses("c1", "grant"))
        await told.settle()
        await told.define("stranger")
        assert await told.propagation.rectified(await told.person(ANNS), "R-8") == 1
        await told.settle()
        (receipt,) = await engine.receipts(ReceiptFilter(request="R-8"), None, 10)
        assert (receipt.kind, receipt.state, receipt.recipient) == ("rectification", "verified", "crm")


async def test_a_recipient_that_can_t_be_read_back_ends_with_its_word(engine: Engine, clock: ManualClock) -> None:
    """It is not asked what it has."""
    async with told_world(engine, clock) as told:
        await told.define(reads_back=False)
        await told.world.store(chooses("c1", "withdraw"))
        for _ in range(3):
            await told.pass_once()
            clock.advance(DAY_MS // 2)
        (receipt,) = await told.receipts()
        assert (receipt.state, receipt.verified_ms, receipt.escalated_ms) == ("accepted", None, None)
        assert told.other.counts == {"PUT well": 1}
        await told.eraser.erase(ANNS, "eve", "", suppress=False)
        await told.pass_once()
        assert told.other.held == {}


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_fails_it_has_what_is_so_in_the_end(engine: Engine, clock: ManualClock, seed: int) -> None:
    """Broken connections, lost answers, lies, stale answers, lost writes: each change is verified or escalated, and
    what the recipient has of everybody is what is so; who is erased is gone."""
    draw = Random(seed)
    async with told_world(engine, clock) as told:
        told.other.random, told.other.faults = Random(seed), EVERY_FAULT
        await told.define(check_every_ms=MINUTE_MS)
        names = [f"user-{number}" for number in range(30)]
        for round_ in range(6):
            calls = [_draw_call(draw, draw.choice(names), f"{round_}-{number}") for number in range(40)]
            await told.world.store(*calls)
            await told.pass_once()
            clock.advance(SECOND_MS)
            gone = names.pop()
            if await engine.read_person(f"user_id:{gone}") is not None:
                await told.eraser.erase(f"user_id:{gone}", "eve", "", suppress=True)
                await told.world.fold()
        await told.settle()
        told.other.faults = {}
        # Whatever it lost after it was read back shows when it is looked at again.
        for _ in range(3):
            clock.advance(MINUTE_MS)
            await told.settle()
        await _check_equal(told, names)
    assert told.other.counts["forged"] == 0


def _draw_call(draw: Random, name: str, message_id: str) -> dict[str, Any]:
    action = draw.choice(["grant", "grant", "withdraw", "object"])
    return chooses(message_id, "", userId=name, choices=[
        {"action": action, "purpose": draw.choice(["marketing", "analytics"]), "channel": draw.choice(["email", "sms"])}
    ])  # fmt: skip


async def _check_equal(told: Told, names: list[str]) -> None:
    receipts = await told.receipts()
    assert {each.state for each in receipts} <= {ReceiptState.VERIFIED, ReceiptState.ESCALATED}
    known = {}
    for name in names:
        if await told.engine.read_person(f"user_id:{name}") is not None:
            held = await told.held(f"user_id:{name}")
            standing = (await told.world.state(f"user_id:{name}")).standing
            assert standing is not None
            assert {each["id"] for each in held["choices"]} == {
                kept.id for kept_ in standing.scopes.values() for kept in kept_
            }
            known[held["subject"]] = held
    assert told.other.held == known
