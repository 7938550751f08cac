"""Messages on a store: every one that is asked for comes to one end, none leaves without a permit, none over budget."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, ClassVar

import msgspec
import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, ManualClock
from courtesy.channel.in_app import InApp
from courtesy.channel.message import Accepted, Answer, Later, MessageChannel, Outgoing, Refused, Unsure
from courtesy.component.declaration import Component, Kind
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.content.items import Body, ItemKey
from courtesy.delivery.cause import DeliveryCause
from courtesy.delivery.contact import ContactPolicy, Window
from courtesy.delivery.desk import Connection, Desk, No
from courtesy.delivery.message import Admitted, Message, Priority, Skip
from courtesy.engine.contract import Engine, FoldCommit
from courtesy.engine.delivery import RunState
from courtesy.engine.outbox import EffectState
from courtesy.engine.permit import PermitFilter
from courtesy.engine.segment import MembershipChange
from courtesy.event.accept import Draft, SourcePolicy, accept
from courtesy.offer.standing import What, standings
from courtesy.offer.terms import AmountOff, MintedCode, OfferTerms
from courtesy.person.catalog import Catalog
from courtesy.person.conversion import Goal, holding
from courtesy.person.state import PersonState
from courtesy.person.whereabouts import KnownZone, ZoneBy
from courtesy.runtime.app import App, make_app
from courtesy.runtime.asked import Asking, Campaigner
from courtesy.runtime.catalog import Source
from courtesy.runtime.connection import Campaign, ConnectionBody
from courtesy.runtime.connections import DefinedConnections, SignedTokens
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.links import Signer
from courtesy.runtime.message_offers import MessageOffers
from courtesy.runtime.sending import Sender, Written
from courtesy.runtime.settings import Settings
from courtesy.segment.definition import SegmentBody
from courtesy.segment.parsing import parse
from tests.contract.builders import NOW_MS

MORNING_MS = NOW_MS // DAY_MS * DAY_MS + 10 * HOUR_MS
SETTINGS = Settings(link_key="x" * 40, data="/nonexistent")
POST = Component("post", Kind.CHANNEL, "Carries letters.", "It does.", ())


TROUBLES: list[Answer] = [
    Refused(DeliveryCause.DEAD_ADDRESS, "no"),
    Later(DeliveryCause.TEMPORARY, "soon"),
    Unsure("gone"),
]


@dataclass
class PostOffice:
    """A channel that notes what left, and answers as it is told."""

    answers: list[Answer] = field(default_factory=list)
    left: list[Outgoing] = field(default_factory=list)
    refuses: Random | None = None
    component: Component = POST
    channel: ClassVar[str] = "email"
    address_kinds: ClassVar[tuple[str, ...]] = ("email",)
    may_repeat: ClassVar[bool] = False

    async def carry(self, outgoing: Outgoing, config: dict[str, Any]) -> Answer:
        answer: Answer = self.answers.pop(0) if self.answers else Accepted("taken")
        if self.refuses is not None and self.refuses.random() < 0.2:
            answer = self.refuses.choice(TROUBLES)
        if isinstance(answer, Accepted | Unsure):
            self.left.append(outgoing)
        await asyncio.sleep(0)
        return answer

    async def aclose(self) -> None:
        """Nothing to give back."""


class PlainWords:
    """Everybody is told the same."""

    async def write(
        self, each: Admitted, key: bytes, state: PersonState, now_ms: int, offer: Mapping[str, Any]
    ) -> Written:
        return Written({"subject": each.message.content, "text": offer.get("code", f"for {state.person}")}, "en")

    async def why_not(self, each: Admitted, state: PersonState, now_ms: int) -> No | None:
        return No(Skip.CONTENT, "unwritten") if each.message.content == "unwritten@1" else None


@dataclass(slots=True)
class Shop:
    """A shop that writes to its customers, over a store of its own."""

    engine: Engine
    clock: ManualClock
    app: App
    worker: FoldWorker
    sender: Sender
    post: PostOffice
    policy: SourcePolicy

    async def tell(self, *calls: dict[str, Any]) -> None:
        """Something comes in."""
        drafts = [
            Draft(msgspec.json.encode(each), self.policy, self.clock.now_ms(), None, lambda _: "no id", None, True)
            for each in calls
        ]
        await self.app.ingest.append([accept(draft) for draft in drafts], self.policy)

    async def fold(self) -> None:
        """Fold until nothing is left."""
        await self.worker.claim()
        while await self.worker.fold_once() + await self.worker.fire_due():
            pass

    async def send(self) -> None:
        """Fold and send until nothing is left that may leave now."""
        for _ in range(20):
            await self.fold()
            if not await self.sender.send_once("post") + await self.sender.send_once("in_app"):
                return

    async def ask(self, message: str, email: str = "ann@shop.example", **more: Any) -> bool:
        """A message is asked for."""
        given = {"purpose": "marketing", "channels": ("email",), "content": "hello@1"}
        fields = {**given, "expires": self.clock.now_ms() + 2 * DAY_MS, **more}
        return await Asking(self.engine, self.clock).ask(f"email:{email}", Message(message=message, **fields))

    async def ends(self) -> dict[str, tuple[str, str]]:
        """What every message came to, and why, by what its person's log says."""
        told = {}
        for record in await self.engine.log_after(0, 100_000):  # type: ignore[arg-type]
            if record.payload[:1] == b"{":
                event = msgspec.json.decode(record.payload)
                name, properties = event.get("name", ""), event.get("properties", {})
                if name.startswith("Message ") and name != "Message Asked":
                    assert properties["message"] not in told, "one end each"
                    told[properties["message"]] = (name, properties.get("reason") or properties.get("cause", ""))
        return told


@asynccontextmanager
async def shop_of(engine: Engine, clock: ManualClock, policy: ContactPolicy | None = None) -> AsyncIterator[Shop]:
    """A shop with one connection for e-mail and one for in-app messages."""
    clock.set(MORNING_MS)
    app = make_app(SETTINGS, engine, clock)
    await app.catalog.refresh()
    app.ingest.start()
    await app.catalog.ensure_source("shop", Source(), "tests")
    await app.catalog.define_connection("app", ConnectionBody("in_app"), "tests")
    desk = Desk(
        Laws(LAWS),
        policy or ContactPolicy(windows=(Window(7, 2),)),
        (Connection("letters", "email", "post", ("email",)), Connection("app", "in_app", "in_app", ())),
    )

    def catalog() -> Catalog:
        return msgspec.structs.replace(app.catalog.catalog(), desk=desk)

    post = PostOffice()

    class Told(DefinedConnections):
        @property
        def desk(self) -> Desk:
            return desk

        def config(self, connection: str) -> dict[str, Any] | None:
            return {}

    connections = Told(engine, app.catalog, clock)
    channels: dict[str, MessageChannel] = {"post": post, "in_app": InApp(engine)}
    tokens = SignedTokens(SETTINGS, Signer(SETTINGS))
    giving = MessageOffers(app.shelf.offers, app.shelf.offer_desk, app.catalog)
    sender = Sender(engine, channels, connections, PlainWords(), giving, tokens, clock)
    worker = FoldWorker(engine, catalog, clock, "folder")
    try:
        yield Shop(engine, clock, app, worker, sender, post, app.catalog.policy("shop"))
    finally:
        await app.ingest.stop()
        await worker.release()


def customer(name: str, *, allows: bool = True, **traits: Any) -> list[dict[str, Any]]:
    """Somebody with an address and a choice."""
    who = {"userId": name, "context": {}}
    return [
        {"messageId": f"{name}-1", "type": "identify", "traits": {"email": f"{name}@shop.example", **traits}, **who},
        {
            "messageId": f"{name}-2",
            "type": "consent",
            "choices": [{"action": "grant" if allows else "withdraw", "purpose": "marketing"}],
            **who,
        },
    ]


async def test_a_message_leaves_with_a_permit_and_is_told_of(engine: Engine, clock: ManualClock) -> None:
    """It is asked for once, whoever repeats that; it leaves once; its permit is for the words that left."""
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann"))
        assert await shop.ask("m1")
        assert not await shop.ask("m1")
        await shop.send()
        (left,) = shop.post.left
        assert (left.message, left.address, left.parts["subject"]) == ("m1", "ann@shop.example", "hello@1")
        assert await shop.ends() == {"m1": ("Message Sent", "")}
        audit = await engine.audit_sends(0, 2**62, 10)
        assert (audit.send_count, audit.faulty) == (1, [])
        (effect,) = await engine.effects(None, 10)
        assert (effect.state, effect.target) == (EffectState.DELIVERED, "letters/shop.example")


async def test_who_refused_or_has_no_address_is_left_alone(engine: Engine, clock: ManualClock) -> None:
    """Each ends as skipped, with the reason; what was withdrawn while the message waited counts as well."""
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann", allows=False), *customer("bob"), *customer("cid"))
        await shop.ask("m1")
        await shop.ask("m2", "bob@shop.example", channels=("sms",))
        await shop.ask("m3", "cid@shop.example")
        await shop.ask("m4", "bob@shop.example", expires=MORNING_MS)
        await shop.fold()
        await shop.tell(*customer("cid", allows=False)[1:])
        clock.advance(1)
        await shop.tell({**customer("cid", allows=False)[1], "messageId": "cid-3"})
        await shop.send()
        assert shop.post.left == []
        assert await shop.ends() == {
            "m1": ("Message Skipped", "not_allowed"),
            "m2": ("Message Skipped", "no_connection"),
            "m3": ("Message Skipped", "not_allowed"),
            "m4": ("Message Skipped", "expired"),
        }
        fates = {(each.outcome, each.reason): n for each, n in (await engine.message_fates("m3")).items()}
        assert fates == {("skipped", "not_allowed"): 1}


async def test_nobody_hears_more_than_the_budget_has_room_for(engine: Engine, clock: ManualClock) -> None:
    """Two in seven days: the third is skipped, a service message passes, and room comes back a week later."""
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann"))
        for message in ("m1", "m2", "m3"):
            await shop.ask(message)
        await shop.ask("s1", purpose="service", priority=Priority.SERVICE)
        await shop.send()
        ends = await shop.ends()
        assert Counter(ends.values()) == {("Message Sent", ""): 3, ("Message Skipped", "budget"): 1}
        assert ends["s1"] == ("Message Sent", "")
        clock.advance(7 * DAY_MS)
        await shop.ask("m4")
        await shop.send()
        assert (await shop.ends())["m4"] == ("Message Sent", "")


async def test_room_is_given_back_when_a_message_does_not_leave(engine: Engine, clock: ManualClock) -> None:
    """One that the other side refuses takes no room from the next."""
    async with shop_of(engine, clock, ContactPolicy(windows=(Window(7, 1),))) as shop:
        await shop.tell(*customer("ann"))
        shop.post.answers = [Refused(DeliveryCause.TOO_LARGE, "too large")]
        await shop.ask("m1")
        await shop.send()
        clock.advance(MINUTE_MS)
        await shop.ask("m2")
        await shop.send()
        assert await shop.ends() == {"m1": ("Message Failed", "too_large"), "m2": ("Message Sent", "")}


async def test_two_who_become_one_hear_no_more_than_one(engine: Engine, clock: ManualClock) -> None:
    """Each had room for a message that waits; together they have room for one, and the first that was let through
    goes, whichever is looked at first."""
    async with shop_of(engine, clock, ContactPolicy(windows=(Window(7, 1),))) as shop:
        await shop.tell(*customer("ann"))
        visitor = {"messageId": "v-1", "type": "identify", "anonymousId": "v", "traits": {"email": "v@shop.example"}}
        choice = {"messageId": "v-2", "type": "consent", "anonymousId": "v", "choices": [
            {"action": "grant", "purpose": "marketing"}]}  # fmt: skip
        await shop.tell(visitor, choice)
        await shop.ask("m2", "v@shop.example")
        await shop.fold()
        clock.advance(1)
        await shop.ask("m1")
        await shop.fold()
        await shop.tell({"messageId": "both", "type": "identify", "anonymousId": "v", "userId": "ann"})
        await shop.send()
        assert [each.message for each in shop.post.left] == ["m2"]
        assert await shop.ends() == {"m2": ("Message Sent", ""), "m1": ("Message Skipped", "budget")}


async def test_a_dead_address_is_left_alone(engine: Engine, clock: ManualClock) -> None:
    """Whoever's it is: the next message there is skipped."""
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann"))
        shop.post.answers = [Refused(DeliveryCause.DEAD_ADDRESS, "5.1.1 no such user")]
        await shop.ask("m1")
        await shop.send()
        await shop.ask("m2")
        await shop.send()
        assert (await shop.ends())["m2"] == ("Message Skipped", "suppressed")


async def test_the_suppression_list_is_changed_by_hand(engine: Engine, clock: ManualClock) -> None:
    """However an address is written. One that complained gets service messages; lifted, it is written to again; and an
    address that is none spoils the whole list, so that nobody thinks that it was taken."""
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann"))
        listed = shop.app.post.suppressions
        anns = "ANN@shop.example "
        assert await listed.add("email", [anns, "ann@shop.example", "bob@shop.example"], DeliveryCause.SUPPRESSED) == 2
        await shop.ask("m1")
        await shop.send()
        assert (await shop.ends())["m1"] == ("Message Skipped", "suppressed")
        found = await listed.look_up("email", [anns, "eve@shop.example"])
        assert [each.found is not None for each in found] == [True, False]
        assert await listed.lift("email", [anns, "eve@shop.example"], "eve") == 1
        await listed.add("email", ["bob@shop.example"], DeliveryCause.COMPLAINT)
        assert await listed.counts() == [("email", "suppressed", 1)], "what was suppressed for good is not spared"
        await listed.add("email", [anns], DeliveryCause.UNSUBSCRIBED)
        (ann,) = await listed.look_up("email", [anns])
        assert ann.found is not None
        assert ann.found.spares_service
        assert await listed.counts() == [("email", "suppressed", 1), ("email", "unsubscribed", 1)]
        for channel, addresses, cause in (
            ("email", ["carl@shop.example", "no address"], DeliveryCause.SUPPRESSED),
            ("emial", ["carl@shop.example"], DeliveryCause.SUPPRESSED),
            ("email", ["carl@shop.example"], DeliveryCause.FULL),
        ):
            with pytest.raises(CourtesyError):
                await listed.add(channel, addresses, cause)
        assert (await listed.look_up("email", ["carl@shop.example"]))[0].found is None


async def test_an_address_that_is_full_is_left_alone_after_a_while(engine: Engine, clock: ManualClock) -> None:
    """Not at the first time, but at the third within a month; two weeks later it is tried again."""
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann"))
        for number in range(4):
            shop.post.answers = [Refused(DeliveryCause.FULL, "5.2.2 over quota")]
            await shop.ask(f"m{number}")
            await shop.send()
            clock.advance(DAY_MS)
        ends = await shop.ends()
        assert [ends[f"m{number}"][1] for number in range(4)] == ["full", "full", "full", "suppressed"]
        clock.advance(14 * DAY_MS)
        shop.post.answers = []
        await shop.ask("m4")
        await shop.send()
        assert (await shop.ends())["m4"] == ("Message Sent", "")


async def test_quiet_hours_are_waited_for(engine: Engine, clock: ManualClock) -> None:
    """What is asked for at night leaves in the morning, where the person is; by what that is known the permit keeps."""
    policy = ContactPolicy(quiet_exempt=())
    async with shop_of(engine, clock, policy) as shop:
        await shop.tell(*customer("ann", timezone="America/New_York"))
        await shop.ask("m1")
        await shop.send()
        assert shop.post.left == []
        clock.set(MORNING_MS // DAY_MS * DAY_MS + 13 * HOUR_MS + 5 * MINUTE_MS)
        await shop.send()
        assert [each.message for each in shop.post.left] == ["m1"]
        (permit,) = await engine.permits(PermitFilter(message="m1"), None, 5)
        assert permit.terms.zones == (KnownZone("America/New_York", ZoneBy.DECLARED),)
        assert permit.terms.local_minute == 8 * 60 + 5


async def test_what_may_have_left_is_not_sent_again(engine: Engine, clock: ManualClock) -> None:
    """An attempt that is broken off with a permit in hand ends as unsure; one that is broken off before is made
    again."""
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann"), *customer("bob"))
        await shop.ask("m1")
        await shop.fold()

        async def dies(*_: Any) -> None:
            raise asyncio.CancelledError

        for step in ("_written", "_hand_over"):
            broken = replace(shop.sender)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Sender, step, dies)
                with pytest.raises(asyncio.CancelledError):
                    await broken.send_once("post")
            clock.advance(10 * MINUTE_MS)
            if step == "_written":
                await shop.ask("m2", "bob@shop.example")
        await shop.send()
        assert {each.message for each in shop.post.left} <= {"m2"}
        assert (await shop.ends())["m1"] == ("Message Unsure", "")


async def test_messages_with_offers_leave_in_one_round(engine: Engine, clock: ManualClock) -> None:
    """Each carries the code that its person holds; who comes too late is skipped, and so is who would be told nothing,
    without a piece of the stock; a permit is issued over the news that they were granted it."""
    async with shop_of(engine, clock) as shop:
        people = ["ann", "bob", "cid", "dot"]
        await shop.tell(*(call for name in people for call in customer(name)))
        terms = OfferTerms("Ten", AmountOff(10, "EUR"), stock=2, codes=MintedCode("TEN"))
        await shop.app.shelf.offers.define("ten", terms, "test")
        await shop.ask("m-dot", "dot@shop.example", offer="ten", content="unwritten@1")
        for name in people[:3]:
            await shop.ask(f"m-{name}", f"{name}@shop.example", offer="ten")
        await shop.fold()
        await shop.sender.send_once("post")
        (tally,) = await engine.offer_tallies()
        held = {
            each.code.shown
            for each in await engine.grants_of([PersonId(number) for number in range(1, 20)])
            if each.code is not None
        }
        assert (tally.held, len(shop.post.left), {each.parts["text"] for each in shop.post.left}) == (2, 2, held)
        ends = await shop.ends()
        states = [await shop.app.people.state("email", f"{name}@shop.example") for name in people]
        told = [What.SENT in each.last for state in states for each in standings(state.offers).values()]
        assert told == [True, True], "every channel sees that it was sent"
    assert ends.pop("m-dot") == ("Message Skipped", "content")
    assert sorted(ends.values()) == [("Message Sent", ""), ("Message Sent", ""), ("Message Skipped", "offer")]
    assert {each.attempt for each in await engine.effects(None, 10)} == {1}, "none was put off"
    assert (await engine.audit_sends(0, 2**62, 10)).faulty == []


async def test_what_comes_in_while_offers_are_given_counts(engine: Engine, clock: ManualClock) -> None:
    """Who withdraws in that instant is not written to."""
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann"))
        await shop.app.shelf.offers.define("ten", OfferTerms("Ten", AmountOff(10, "EUR")), "test")
        await shop.ask("m1", offer="ten")
        await shop.fold()
        give = shop.sender.giving.give

        async def withdrawn_meanwhile(due: Any) -> Any:
            given = await give(due)
            refusal = customer("ann", allows=False)[1] | {"messageId": "no"}
            await shop.tell(refusal)
            return given

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MessageOffers, "give", lambda _, due: withdrawn_meanwhile(due))
            await shop.sender.send_once("post")
        assert shop.post.left == []
        assert (await shop.ends())["m1"] == ("Message Skipped", "not_allowed")


async def test_a_message_is_converted_once_and_not_if_it_is_undone(engine: Engine, clock: ManualClock) -> None:
    """By the goal of its campaign: in the log, in the state of its person, and among the counts of the campaign."""
    goal = Goal("Order Completed", value="total", undone_by="Order Refunded")
    async with shop_of(engine, clock) as shop:
        await shop.tell(*customer("ann"))
        await shop.app.catalog.define_campaign("autumn", Campaign("all", "hello", goal=goal), "test")
        await shop.ask("autumn/1")
        await shop.send()
        clock.advance(HOUR_MS)
        bought = {"event": "Order Completed", "properties": {"order_id": "o1", "total": 12.5, "currency": "EUR"}}
        back = {"event": "Order Refunded", "properties": {"order_id": "o1"}}
        who = {"type": "track", "userId": "ann", "context": {}}
        counts = []
        for number, call in enumerate([bought, bought, back]):
            await shop.tell({"messageId": f"did-{number}", **who, **call})
            await shop.fold()
            state = await shop.app.people.state("user_id", "ann")
            assert state.conversions is not None
            held = holding(state.conversions, "autumn/1")
            fates = await engine.message_fates("autumn")
            told = {each.reason: count for each, count in fates.items() if each.outcome == "converted"}
            counts.append((None if held is None else (held.micros, held.currency), told))
        once = ((12_500_000, "EUR"), {"last_touch": 1})
        assert counts == [once, once, (None, {"last_touch": 1, "corrected": 1})]


async def test_every_message_of_a_campaign_is_accounted_for(engine: Engine, clock: ManualClock) -> None:
    """Over two campaigns at once to the same people, with a post office that refuses: what was asked for is what was
    sent, skipped, failed or may have left; nothing leaves without a permit, nobody hears too much."""
    random = Random(5)
    async with shop_of(engine, clock, ContactPolicy(windows=(Window(1, 1), Window(7, 2)))) as shop:
        shop.post.refuses = random
        names = [f"p{number}" for number in range(60)]
        calls = [each for name in names for each in customer(name, allows=random.random() < 0.8)]
        await shop.tell(*calls)
        await shop.app.catalog.define_segment("all", SegmentBody(parse("user_id is present").segment, ""), "tests")
        campaigns = shop.app.post.campaigns
        hello = ItemKey("campaign", "hello")
        await shop.app.shelf.contents.put(hello, Body(fields={"title": {"default": "Hello"}}), None, "tests")
        await shop.app.shelf.publications.publish(hello, None, "tests")
        campaigner = Campaigner(engine, shop.app.catalog, clock)
        await put_members(shop, "all")
        for name in ("spring", "summer"):
            campaign = Campaign(audience="all", content="campaign/hello", channels=("email", "in_app"))
            await shop.app.catalog.define_campaign(name, campaign, "tests")
            assert await campaigns.start(name, None) == await campaigns.start(name, None)
        await asyncio.gather(campaigner.turn(), campaigner.turn())
        await shop.send()
        for _ in range(80):
            clock.advance(HOUR_MS)
            await shop.send()
        for name in ("spring", "summer"):
            (run,) = await engine.runs(name)
            fates = await engine.message_fates(name)
            assert (run.state, run.asked_count) == (RunState.DONE, len(names))
            assert sum(fates.values()) == len(names), fates
        ends = await shop.ends()
        assert len(ends) == 2 * len(names)
        assert {name for name, _ in ends.values()} == {
            "Message Sent", "Message Skipped", "Message Failed", "Message Unsure",
        }  # fmt: skip
        audit = await engine.audit_sends(0, 2**62, 10)
        assert (audit.faulty, audit.send_count) == (
            [],
            sum(name in ("Message Sent", "Message Unsure") for name, _ in ends.values()),
        )
        by_person = Counter(each.person for each in shop.post.left)
        assert max(by_person.values()) <= 2
        assert len({each.key for each in shop.post.left}) == len(shop.post.left)


async def put_members(shop: Shop, segment: str) -> None:
    """Have everybody in a segment, as a fold's commit does."""
    await shop.fold()
    number = shop.app.catalog.now.revisions["segment", segment].number
    leases = await shop.engine.claim("folder", shop.engine.partition_count, 60_000)
    people = sorted({record.person for record in await shop.engine.log_after(0, 10_000)})  # type: ignore[arg-type]
    readings = await shop.engine.read_people(people)
    changes = [
        MembershipChange(person, number, "", True, shop.clock.now_ms())
        for person, reading in readings.items()
        if any(each.identifier.startswith("user_id:") for each in reading.identifiers)
    ]
    await shop.engine.commit_fold(
        FoldCommit(leases, {each.partition: each.folded for each in leases}, memberships=changes)
    )
