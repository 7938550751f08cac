"""Requests of people on a store: asked once, changed by one, emptied with their person; and done, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, ManualClock, to_iso
from courtesy.consent.law import Laws, Why, allowed
from courtesy.consent.laws import LAWS
from courtesy.consent.request import PENDING, Details, RequestKind, RequestState
from courtesy.consent.standing import Standing
from courtesy.engine.contract import Engine
from courtesy.engine.request import NewRequest, Request, RequestCount, RequestFilter, RequestLine, RequestPlace
from courtesy.event.choice import Scope
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.propagation import Propagation
from courtesy.runtime.recipient import SubjectIds
from courtesy.runtime.requests import Requests, tell_overdue
from courtesy.runtime.settings import Settings
from sim.recipient import Fault
from tests.contract.builders import ANN, BOB, NOW_MS, Store
from tests.contract.test_engine_repair import ANN as ANNS
from tests.contract.test_engine_repair import DEVICE, World, by_ann, login, seen, world_of
from tests.contract.test_ledger import MAIL, chooses
from tests.contract.test_recipients import Told, answers, told_world

RECEIVED = RequestLine(NOW_MS, "eve", "received")
EVERYTHING = RequestFilter()
HASH = bytes(range(32))


def asked(**fields: Any) -> NewRequest:
    """Ann asks for access."""
    request = NewRequest(
        RequestKind.ACCESS, RequestState.OPEN, (ANN,), "user_id:ann", (HASH,), b"access", b"{}", "gdpr", "12(3)",
        NOW_MS, NOW_MS + 30 * DAY_MS, NOW_MS + 90 * DAY_MS,
    )  # fmt: skip
    return replace(request, **fields)


async def opened(engine: Engine, **fields: Any) -> Request:
    """A request of Ann that was not there before."""
    request, is_new = await engine.open_request(asked(**fields), RECEIVED)
    assert is_new
    return request


async def test_a_request_lies_there_as_it_came(engine: Engine) -> None:
    """With its log, under a number that rises; of a number that was not given there is none."""
    first = await opened(engine)
    second = await opened(engine, kind=RequestKind.ERASURE, sameness=b"erasure", extended_due_ms=None)
    assert first == Request(
        first.number, RequestKind.ACCESS, RequestState.OPEN, ANN, "user_id:ann", (HASH,), b"{}", "gdpr", "12(3)",
        NOW_MS, NOW_MS + 30 * DAY_MS, NOW_MS + 90 * DAY_MS,
    )  # fmt: skip
    assert first.number < second.number
    assert await engine.request(first.number) == first
    assert await engine.request(second.number) == second
    assert await engine.request(second.number + 1) is None
    assert list(await engine.request_log(first.number)) == [RECEIVED]
    assert list(await engine.request_log(second.number + 1)) == []


async def test_asked_twice_is_one_request_while_it_is_pending(engine: Engine) -> None:
    """Of the same person, or of one who became part of them; asked at once by many, too."""
    first = await opened(engine)
    assert await engine.open_request(asked(received_ms=NOW_MS + 1), RECEIVED) == (first, False)
    assert await engine.open_request(asked(people=(BOB, ANN)), RECEIVED) == (first, False)
    await opened(engine, people=(BOB,))
    await opened(engine, sameness=b"something else")
    done = replace(first, state=RequestState.FULFILLED, settled_ms=NOW_MS)
    assert await engine.change_request(first, done, replace(RECEIVED, what="fulfilled"))
    again = await asyncio.gather(*(engine.open_request(asked(), RECEIVED) for _ in range(4)))
    assert len({request.number for request, _ in again}) == 1
    assert sorted(is_new for _, is_new in again) == [False, False, False, True]


async def test_requests_are_found_in_order_of_when_they_are_due(engine: Engine) -> None:
    """By state, kind, deadline, person and hash; page after page."""
    late = await opened(engine, sameness=b"1", due_ms=NOW_MS - 1)
    soon = await opened(engine, sameness=b"2", due_ms=NOW_MS + 1, kind=RequestKind.ERASURE)
    bobs = await opened(engine, people=(BOB,), hashes=(HASH[::-1], bytes(32)), due_ms=NOW_MS + 2)
    doubtful = await opened(engine, sameness=b"3", due_ms=NOW_MS + 2, state=RequestState.CONFIRMING)
    for which, found in (
        (EVERYTHING, [late, soon, bobs, doubtful]),
        (RequestFilter(states=frozenset({RequestState.CONFIRMING})), [doubtful]),
        (RequestFilter(states=PENDING, kind=RequestKind.ACCESS), [late, bobs, doubtful]),
        (RequestFilter(due_before_ms=NOW_MS + 1), [late]),
        (RequestFilter(people=frozenset({BOB})), [bobs]),
        (RequestFilter(people=frozenset(), hash=bytes(32)), [bobs]),
        (RequestFilter(people=frozenset({ANN}), hash=bytes(32)), [late, soon, bobs, doubtful]),
        (RequestFilter(people=frozenset()), []),
    ):
        assert await engine.requests(which, None, 10) == found
    assert await engine.requests(EVERYTHING, None, 2) == [late, soon]
    assert await engine.requests(EVERYTHING, RequestPlace(soon.due_ms, soon.number), 10) == [bobs, doubtful]
    assert await engine.requests(EVERYTHING, RequestPlace(bobs.due_ms, bobs.number), 10) == [doubtful]
    assert await engine.request_counts(NOW_MS) == [
        RequestCount(RequestKind.ACCESS, 3, 1),
        RequestCount(RequestKind.ERASURE, 1, 0),
    ]


async def test_of_two_changes_at_once_one_counts(engine: Engine) -> None:
    """The other learns that the request is not as it was known, and its line is not there."""
    known = await opened(engine)
    later = replace(known, due_ms=known.due_ms + DAY_MS, is_extended=True)
    refused = replace(known, state=RequestState.REFUSED, settled_ms=NOW_MS)
    lines = {True: replace(RECEIVED, what="extended"), False: replace(RECEIVED, what="refused")}
    won = await asyncio.gather(
        engine.change_request(known, later, lines[True]), engine.change_request(known, refused, lines[False])
    )
    assert sorted(won) == [False, True]
    assert await engine.request(known.number) == (later if won[0] else refused)
    await engine.add_request_line(known.number, replace(RECEIVED, what="looked at", note="twice"))
    whats = [line.what for line in await engine.request_log(known.number)]
    assert whats == ["received", lines[won[0]].what, "looked at"]


# -- and done


@dataclass(slots=True)
class Office:
    """Whoever answers requests, in a world."""

    world: World
    requests: Requests
    clock: ManualClock

    async def open(self, kind: RequestKind, key: str = ANNS, **details: Any) -> Request:
        """A request comes in."""
        return await self.requests.open(kind, key, "eve", Details(**details))

    async def done(self, kind: RequestKind, key: str = ANNS, **details: Any) -> Request:
        """It comes in, is fulfilled, and folded."""
        self.clock.advance(1)
        request = await self.requests.fulfil((await self.open(kind, key, **details)).number, "eve")
        await self.world.fold()
        assert request.state is RequestState.FULFILLED
        return request

    async def whats(self, request: Request) -> list[str]:
        """What its log tells."""
        return [line.what for line in await self.requests.log(request.number)]

    async def why(self, key: str = ANNS, purpose: str = "marketing", channel: str = "email") -> Why:
        """Why somebody may or may not be used."""
        standing = (await self.world.state(key)).standing or Standing()
        return allowed(standing, Scope(purpose, channel), self.clock.now_ms(), Laws(LAWS)).why


@asynccontextmanager
async def office_of(engine: Engine, clock: ManualClock) -> AsyncIterator[Office]:
    """An office, in which Ann is known."""
    async with world_of(engine, clock) as world:
        catalog = CatalogCache(engine, clock)
        await catalog.refresh()
        await world.store(login("l1"))
        propagation = Propagation(engine, catalog, SubjectIds(Settings(link_key="k" * 32)), clock)
        requests = Requests(engine, catalog, world.ingest, world.people, world.eraser, propagation, clock)
        yield Office(world, requests, clock)


async def refused(action: Any, code: Code) -> CourtesyError:
    """It is refused."""
    with pytest.raises(CourtesyError) as raised:
        await action
    assert raised.value.code is code
    return raised.value


async def test_a_request_goes_its_way(engine: Engine, clock: ManualClock) -> None:
    """Taken in with its deadline, confirmed, put off once, refused with a reason; each step is in the log."""
    async with office_of(engine, clock) as office:
        requests = office.requests
        request = await requests.open(RequestKind.ACCESS, ANNS, "eve", is_confirmed=False)
        assert request.due_ms > clock.now_ms()
        await refused(requests.fulfil(request.number, "eve"), Code.CONFLICT)
        request = await requests.confirm(request.number, "eve", "showed an identity card")
        await refused(requests.confirm(request.number, "eve"), Code.CONFLICT)
        await refused(requests.extend(request.number, "eve", " "), Code.INVALID)
        later = await requests.extend(request.number, "eve", "there is much of it")
        assert later.due_ms == request.extended_due_ms
        await refused(requests.extend(request.number, "eve", "still much"), Code.CONFLICT)
        await refused(requests.refuse(request.number, "eve", ""), Code.INVALID)
        done = await requests.refuse(request.number, "bob", "asked every day of this year")
        assert (done.state, done.settled_ms) == (RequestState.REFUSED, clock.now_ms())
        for action in (requests.fulfil, lambda number, by: requests.refuse(number, by, "again")):
            await refused(action(request.number, "eve"), Code.CONFLICT)
        log = await requests.log(request.number)
        assert [(line.by, line.what) for line in log] == [
            ("eve", "received"), ("eve", "confirmed"), ("eve", "extended"), ("bob", "refused"),
        ]  # fmt: skip
        assert log[-1].note == "asked every day of this year"
        await refused(requests.get(request.number + 1), Code.NOT_FOUND)


async def test_it_is_put_off_in_time_or_not_at_all(engine: Engine, clock: ManualClock) -> None:
    """Not once it is due; and not where the law knows no later deadline."""
    async with office_of(engine, clock) as office:
        late = await office.open(RequestKind.ACCESS)
        await office.world.store({**login("l2"), "traits": {"address": {"country": "US", "state": "CA"}}})
        opt_out = await office.open(RequestKind.OBJECTION)
        assert (late.law, opt_out.law) == ("courtesy", "ccpa-opt-out")
        error = await refused(office.requests.extend(opt_out.number, "eve", "busy"), Code.CONFLICT)
        assert "15 business days" in error.message
        clock.set(late.due_ms)
        await refused(office.requests.extend(late.number, "eve", "busy"), Code.CONFLICT)


async def test_what_is_put_right_counts_before_all_sources(engine: Engine, clock: ManualClock) -> None:
    """Until it is put right again; null removes; and fulfilled twice it is done once."""
    async with office_of(engine, clock) as office:
        request = await office.done(RequestKind.RECTIFICATION, traits={"city": "Tbilisi", "email": None})
        clock.advance(DAY_MS)
        await office.world.store(login("l2"))
        traits = (await office.world.state(ANNS)).traits
        assert {name: each.value for name, each in traits.items()} == {"city": "Tbilisi", "email": None}
        assert await office.requests.fulfil(request.number, "bob") == request
        assert await office.whats(request) == ["received", "fulfilled"]
        await office.done(RequestKind.RECTIFICATION, traits={"city": "Batumi"})
        assert (await office.world.state(ANNS)).traits["city"].value == "Batumi"


async def test_who_is_restricted_is_used_for_nothing(engine: Engine, clock: ManualClock) -> None:
    """Whatever they allowed or need; until the restriction is lifted, and as of then it still held."""
    async with office_of(engine, clock) as office:
        await office.world.store(chooses("c1", "grant"))
        assert (await office.why(), await office.why(purpose="service")) == (Why.GRANTED, Why.NEEDED)
        request = await office.done(RequestKind.RESTRICTION)
        assert (await office.why(), await office.why(purpose="service")) == (Why.RESTRICTED, Why.RESTRICTED)
        restricted_ms = clock.now_ms()
        await office.done(RequestKind.RESTRICTION, restricted=False)
        assert (await office.why(), await office.why(purpose="service")) == (Why.GRANTED, Why.NEEDED)
        state = await office.world.state(ANNS)
        then = allowed(state.standing or Standing(), Scope(**MAIL), restricted_ms, Laws(LAWS))
        assert (then.allowed, then.why, then.rule) == (False, Why.RESTRICTED, "restriction")
        assert "18" in then.source
        assert len(then.choices) == 1
        assert request.settled_ms == restricted_ms


async def test_of_two_who_become_one_the_restriction_stands(engine: Engine, clock: ManualClock) -> None:
    """Though the other lifted one of their own later; until somebody who is both lifts it."""
    async with office_of(engine, clock) as office:
        await office.world.store(seen("d1", anonymousId="device-2"))
        other = "anonymous_id:device-2"
        await office.done(RequestKind.RESTRICTION, other)
        await office.done(RequestKind.RESTRICTION)
        await office.done(RequestKind.RESTRICTION, restricted=False)
        assert (await office.why(), await office.why(other)) == (Why.NOTHING_SAID, Why.RESTRICTED)
        await office.world.store({**login("l2"), "anonymousId": "device-2"})
        assert await office.why() is Why.RESTRICTED
        await office.done(RequestKind.RESTRICTION, restricted=False)
        assert await office.why() is Why.NOTHING_SAID


async def test_who_objects_is_not_used_for_that(engine: Engine, clock: ManualClock) -> None:
    """For direct marketing over all channels unless they name something else; the ledger names the request."""
    async with office_of(engine, clock) as office:
        await office.world.store(chooses("c1", "grant"))
        await office.done(RequestKind.OBJECTION)
        assert {await office.why(channel=each) for each in ("email", "sms", "post")} == {Why.REFUSED}
        assert await office.why(purpose="service") is Why.NEEDED
        request = await office.done(RequestKind.OBJECTION, purposes=("analytics", "sale"))
        reading = await engine.read_person(ANNS)
        assert reading is not None
        facts = [each for each in await engine.history([reading.person]) if b"analytics" in each.payload]
        assert f'"request":"R-{request.number}"'.encode() in facts[0].payload
        assert b'"method":"request of the person"' in facts[0].payload


async def test_who_is_erased_is_gone_from_their_requests(engine: Engine, clock: ManualClock) -> None:
    """What stays is that they asked, when, and what was done by whom; they can be told so by their identifier."""
    async with office_of(engine, clock) as office:
        requests = office.requests
        access = await office.open(RequestKind.ACCESS, note="my lawyer is Nino")
        await requests.refuse(access.number, "eve", "Ann asked yesterday")
        righting = await office.open(RequestKind.RECTIFICATION, traits={"city": "Zugdidi"})
        done = await office.done(RequestKind.ERASURE)
        assert (done.person, done.identifier, done.details) == (None, None, b"{}")
        for request in (access, righting, done):
            found = await requests.get(request.number)
            assert (found.person, found.identifier, found.details) == (None, None, b"{}")
            assert found.received_ms == request.received_ms
        assert [line.note for line in await requests.log(access.number)] == ["", ""]
        theirs = {access.number, righting.number, done.number}
        for kind, value in (("user_id", "ann"), ("email", "ann@example.com"), ("anonymous_id", "device-1")):
            assert {each.number for each in await requests.of(kind, value)} == theirs
        assert await requests.of("user_id", "bob") == []
        assert await engine.read_person(ANNS) is None
        # What they asked beside it has nothing left to be answered with.
        await refused(requests.fulfil(righting.number, "eve"), Code.CONFLICT)
        assert (await requests.refuse(righting.number, "eve", "forgotten")).state is RequestState.REFUSED
        assert await requests.fulfil(done.number, "eve") == done


async def test_a_crash_between_doing_and_noting_ends_right(engine: Engine, clock: ManualClock) -> None:
    """What was done already is noted when it is fulfilled once more, and not done twice."""
    async with office_of(engine, clock) as office:
        requests, world = office.requests, office.world
        righting = await office.open(RequestKind.RECTIFICATION, traits={"city": "Zugdidi"})
        await requests._do(righting, "eve")
        restriction = await office.open(RequestKind.RESTRICTION)
        await requests._do(restriction, "eve")
        erasure = await office.open(RequestKind.ERASURE)
        for request in (righting, restriction):
            before = await engine.head()
            assert (await requests.fulfil(request.number, "eve")).state is RequestState.FULFILLED
            assert await engine.head() == before
        await world.fold()
        await requests._do(erasure, "eve")
        assert (await requests.get(erasure.number)).state is RequestState.OPEN
        assert (await requests.fulfil(erasure.number, "eve")).state is RequestState.FULFILLED


async def test_what_makes_no_sense_is_not_taken_in(engine: Engine, clock: ManualClock) -> None:
    """And who is not known asks for nothing."""
    async with office_of(engine, clock) as office:
        nonsense: list[tuple[RequestKind, dict[str, Any]]] = [
            (RequestKind.RECTIFICATION, {}),
            (RequestKind.RECTIFICATION, {"traits": {}}),
            (RequestKind.RECTIFICATION, {"traits": {"city": "x" * 20_000}}),
            (RequestKind.ACCESS, {"traits": {"city": "Tbilisi"}}),
            (RequestKind.ACCESS, {"suppress": True}),
            (RequestKind.ERASURE, {"restricted": True}),
            (RequestKind.OBJECTION, {"purposes": ("health",)}),
            (RequestKind.OBJECTION, {"purposes": ("restriction",)}),
        ]
        for kind, details in nonsense:
            await refused(office.open(kind, **details), Code.INVALID)
        await refused(office.open(RequestKind.ACCESS, "user_id:nobody"), Code.NOT_FOUND)
        await refused(office.open(RequestKind.ACCESS, "group:acme"), Code.INVALID)
        assert await engine.requests(EVERYTHING, None, 10) == []


async def test_asked_by_number_it_is_kept_by_name(engine: Engine, clock: ManualClock) -> None:
    """So that after a correction of who is who it is still about whom it was."""
    async with office_of(engine, clock) as office:
        person = (await office.world.state(ANNS)).person
        request = await office.open(RequestKind.ACCESS, f"person:{person}")
        assert request.identifier == ANNS
        assert await office.open(RequestKind.ACCESS, DEVICE, note="once more") == request


async def test_cut_apart_each_is_forgotten_alone(engine: Engine, clock: ManualClock) -> None:
    """What was asked by the device stays with the device, whoever the person behind it was taken for then."""
    async with office_of(engine, clock) as office:
        world = office.world
        await world.store(seen("d1"), by_ann("a1"))
        request = await office.open(RequestKind.RESTRICTION, DEVICE)
        await world.repairs.unmerge(ANNS, DEVICE, "eve", "a look", dry=False)
        await world.fold()
        await office.done(RequestKind.ERASURE)
        kept = await office.requests.get(request.number)
        assert kept.identifier == DEVICE
        await office.requests.fulfil(request.number, "eve")
        await world.fold()
        assert await office.why(DEVICE) is Why.RESTRICTED


async def test_what_is_late_is_reported_once(engine: Engine, clock: ManualClock) -> None:
    """As an event of the source `requests`, without a word of the person."""
    async with office_of(engine, clock) as office:
        late = await office.open(RequestKind.ACCESS)
        clock.set(late.due_ms - 1)
        fresh = await office.open(RequestKind.PORTABILITY)
        assert await tell_overdue(engine, clock.now_ms()) == 0
        clock.advance(1)
        assert [await tell_overdue(engine, clock.now_ms()) for _ in range(2)] == [1, 0]
        await office.world.fold()
        state = await office.world.state("event_source:requests")
        assert {name: each.count for name, each in state.behaviours.items()} == {"Request Overdue": 1}
        record = (await engine.history([state.person]))[0]
        assert to_iso(late.due_ms).encode() in record.payload
        assert b"ann" not in record.payload
        assert await office.whats(late) == ["received", "overdue"]
        assert await office.whats(fresh) == ["received"]


async def test_a_second_process_sees_what_the_first_took_in(store: Store, engine: Engine, clock: ManualClock) -> None:
    """And fulfils it."""
    async with office_of(engine, clock) as office:
        request = await office.open(RequestKind.ACCESS)
        async with store.another() as other:
            assert await other.request(request.number) == request
            assert await other.requests(RequestFilter(people=frozenset({PersonId(8_999)})), None, 10) == []


# -- and told


@asynccontextmanager
async def telling_office(engine: Engine, clock: ManualClock) -> AsyncIterator[tuple[Office, Told]]:
    """An office with a recipient of marketing by e-mail, who knows Ann."""
    async with told_world(engine, clock) as told:
        catalog = CatalogCache(engine, clock)
        await told.define(purposes=("marketing",), channels=("email",))
        await told.world.store(login("l1"), chooses("c1", "grant"))
        await told.settle()
        world, propagation = told.world, told.propagation
        requests = Requests(engine, catalog, world.ingest, world.people, told.eraser, propagation, clock)
        yield Office(world, requests, clock), told


async def how_told(office: Office, request: Request) -> tuple[str, list[tuple[str, bool]]]:
    """Whether recipients know, and which receipts there are: what each is about, and whether it was urgent."""
    view = await office.requests.view(request.number)
    return view["told"], [(each["kind"], each["urgent"]) for each in view["receipts"]]


async def test_recipients_are_told_what_was_done_for_a_request(engine: Engine, clock: ManualClock) -> None:
    """Of rectification, restriction, objection and erasure, each under its request, until each has confirmed it."""
    async with telling_office(engine, clock) as (office, told):
        righting = await office.done(RequestKind.RECTIFICATION, traits={"city": "Batumi"})
        assert await how_told(office, righting) == ("under_way", [("rectification", True)])
        restriction = await office.done(RequestKind.RESTRICTION)
        assert await how_told(office, restriction) == ("nobody", [])
        await told.settle()
        assert await how_told(office, righting) == ("everybody", [("rectification", True)])
        assert await how_told(office, restriction) == ("everybody", [("consent", True)])
        assert answers(await told.held(ANNS)) == {("marketing", "email"): False}
        lifted = await office.done(RequestKind.RESTRICTION, restricted=False)
        await told.settle()
        assert await how_told(office, lifted) == ("everybody", [("consent", False)])
        assert answers(await told.held(ANNS)) == {("marketing", "email"): True}
        objection = await office.done(RequestKind.OBJECTION)
        await told.settle()
        assert await how_told(office, objection) == ("everybody", [("consent", True)])
        assert answers(await told.held(ANNS)) == {("marketing", "email"): False}
        subject = told.ids.of("crm", await told.person(ANNS)).hex()
        erasure = await office.done(RequestKind.ERASURE)
        assert await how_told(office, erasure) == ("under_way", [("erasure", True)])
        await told.settle()
        assert await how_told(office, erasure) == ("everybody", [("erasure", True)])
        assert subject not in told.other.held


async def test_a_recipient_that_does_not_answer_is_for_somebody_to_look_at(engine: Engine, clock: ManualClock) -> None:
    """The request says so; and that everybody knows once it answers again."""
    async with telling_office(engine, clock) as (office, told):
        told.other.faults = {Fault.ERROR: 1.0}
        request = await office.done(RequestKind.RESTRICTION)
        await told.pass_once()
        assert (await how_told(office, request))[0] == "under_way"
        clock.advance(2 * DAY_MS)
        await told.pass_once()
        assert (await how_told(office, request))[0] == "escalated"
        told.other.faults = {}
        assert await told.propagation.retry("crm") >= 1
        await told.settle()
        assert (await how_told(office, request))[0] == "everybody"


async def test_of_who_cannot_be_read_back_it_is_enough_that_they_accepted(engine: Engine, clock: ManualClock) -> None:
    """There is nothing more to be had."""
    async with telling_office(engine, clock) as (office, told):
        await told.define("till", reads_back=False)
        request = await office.done(RequestKind.OBJECTION)
        await told.settle()
        for _ in range(10):
            await told.pass_once("till")
            clock.advance(1_000)
        view = await office.requests.view(request.number)
        assert {(each["recipient"], each["state"]) for each in view["receipts"]} == {
            ("crm", "verified"), ("till", "accepted"),
        }  # fmt: skip
        assert view["told"] == "everybody"
