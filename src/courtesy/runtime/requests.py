"""Requests of people about their data: taken in, answered in time, and done.

To fulfil a request is to do what it asks, then to note that it is done. What is done can be done again without harm, so
a crash in between ends right when it is fulfilled once more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import Clock, to_iso
from courtesy.consent.deadline import deadline_for, end_of
from courtesy.consent.request import (
    NO_DETAILS,
    PENDING,
    REQUEST_OVERDUE,
    Details,
    RequestKind,
    RequestState,
    check,
    choices_of,
    decode_details,
    encode_details,
    name_of,
    sameness,
)
from courtesy.engine.contract import Engine, PersonReading
from courtesy.engine.propagation import ReceiptFilter
from courtesy.engine.request import NewRequest, Request, RequestFilter, RequestLine, RequestPlace
from courtesy.event.event import EventType
from courtesy.identity.rules import SOURCE_KIND, split_identifier
from courtesy.person.whereabouts import place_of
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.erase import Eraser
from courtesy.runtime.ingest import Ingest
from courtesy.runtime.people import GROUP, PERSON, People
from courtesy.runtime.propagation import Propagation, receipt_view
from courtesy.runtime.request_view import log_view, request_view, telling_of
from courtesy.runtime.saying import Sayings, telling
from courtesy.runtime.system_events import SourceReport, report

SOURCE_NAME = "requests"
"""The source of what requests set right and choose, and of the events that tell of late ones."""

OVERDUE_PAGE = 500
RIGHTING = {"courtesy": {"overwrite": True}}
"""The context in which traits are put right: they count before what any source says, until they are put right again."""

Deed = Callable[[Request, PersonReading, str], Awaitable[str]]


class Requests:
    """Requests, of one process."""

    def __init__(
        self,
        engine: Engine,
        catalog: CatalogCache,
        ingest: Ingest,
        people: People,
        eraser: Eraser,
        propagation: Propagation,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._people = people
        self._eraser = eraser
        self._propagation = propagation
        self._clock = clock
        self._sayings = Sayings(catalog, ingest, clock, SOURCE_NAME)
        self._deeds: dict[RequestKind, Deed] = {
            RequestKind.ACCESS: self._hand_out,
            RequestKind.PORTABILITY: self._hand_out,
            RequestKind.RECTIFICATION: self._put_right,
            RequestKind.ERASURE: self._erase,
            RequestKind.RESTRICTION: self._choose,
            RequestKind.OBJECTION: self._choose,
        }

    # -- coming in

    async def open(
        self, kind: RequestKind, identifier: str, by: str, details: Details = NO_DETAILS, *, is_confirmed: bool = True
    ) -> Request:
        """Take in a request of the person who owns an identifier; the pending one if they asked the same already.

        `by`: who took it in. Unless it `is_confirmed` that they asked it themselves, it waits for `confirm`; the
        deadline runs all the same. Raises CourtesyError: NOT_FOUND, and INVALID for details that make no sense.
        """
        check(kind, details)
        reading, state = await self._person(identifier)
        asked_by = telling(reading, self._catalog.rules()) if identifier.startswith(f"{PERSON}:") else identifier
        if details.traits:
            self._sayings.check(reading, _righting(0, details.traits), RIGHTING)
        now_ms = self._clock.now_ms()
        law = deadline_for(kind, place_of(state), now_ms)
        new = NewRequest(
            kind,
            RequestState.OPEN if is_confirmed else RequestState.CONFIRMING,
            (reading.person, *reading.merged),
            asked_by,
            tuple(await self._engine.suppression_hashes([each.identifier for each in reading.identifiers])),
            sameness(kind, details),
            encode_details(details),
            law.name,
            law.source,
            now_ms,
            end_of(law.period, now_ms),
            None if law.extended is None else end_of(law.extended, now_ms),
        )
        request, _ = await self._engine.open_request(new, RequestLine(now_ms, by, "received"))
        return request

    async def confirm(self, number: int, by: str, note: str = "") -> Request:
        """Note that it is sure who asked. Raises CourtesyError: NOT_FOUND, or CONFLICT when it was not in doubt."""
        request = await self.get(number)
        if request.state is not RequestState.CONFIRMING:
            raise _not_possible(request, "confirmed")
        return await self._change(request, replace(request, state=RequestState.OPEN), by, "confirmed", note)

    async def _person(self, identifier: str) -> tuple[PersonReading, Any]:
        kind, value = split_identifier(identifier)
        if kind in (GROUP, SOURCE_KIND):
            raise CourtesyError(Code.INVALID, f"a {kind.removeprefix('event_')} is no person, and asks for nothing")
        return await self._people.whole(kind, value)

    # -- answering

    async def fulfil(self, number: int, by: str) -> Request:
        """Do what is asked, and note it; what is fulfilled already stays so.

        Raises CourtesyError: NOT_FOUND, CONFLICT when it is refused, or to be confirmed first, and what doing it
        raises; then it is still open.
        """
        request = await self.get(number)
        if request.state is RequestState.FULFILLED:
            return request
        if request.state is not RequestState.OPEN:
            raise _not_possible(request, "fulfilled")
        note = await self._do(request, by)
        # An erasure has emptied it.
        request = await self.get(number)
        done = replace(request, state=RequestState.FULFILLED, settled_ms=self._clock.now_ms())
        return await self._change(request, done, by, "fulfilled", note)

    async def _do(self, request: Request, by: str) -> str:
        """Do what is asked; what to note of it."""
        if request.identifier is None:
            if request.kind is RequestKind.ERASURE:
                return "forgotten"
            raise CourtesyError(
                Code.CONFLICT,
                f"who asked {name_of(request.number)} is forgotten, nothing is left to answer it with",
                hint="refuse it, and say so",
            )
        reading, _ = await self._person(request.identifier)
        return await self._deeds[request.kind](request, reading, by)

    async def _hand_out(self, request: Request, reading: PersonReading, by: str) -> str:
        return ""

    async def _put_right(self, request: Request, reading: PersonReading, by: str) -> str:
        traits = decode_details(request.details).traits or {}
        receipt = await self._sayings.say(reading, [_righting(request.number, traits)], RIGHTING)
        await self._propagation.rectified(reading.person, name_of(request.number))
        return f"counts from position {receipt.position}"

    async def _choose(self, request: Request, reading: PersonReading, by: str) -> str:
        details = decode_details(request.details)
        call = {
            "type": EventType.CONSENT,
            "messageId": f"request-{request.number}",
            "choices": choices_of(request.kind, details, request.number, by),
        }
        receipt = await self._sayings.say(reading, [call], {})
        return f"counts from position {receipt.position}"

    async def _erase(self, request: Request, reading: PersonReading, by: str) -> str:
        assert request.identifier is not None, "of nobody nothing is erased"
        details = decode_details(request.details)
        suppress = details.suppress is not False
        name = name_of(request.number)
        done = await self._eraser.erase(request.identifier, by, f"request {name}", suppress=suppress, request=name)
        return "forgotten" if done.archived else "forgotten; the lake follows"

    async def refuse(self, number: int, by: str, reason: str) -> Request:
        """Answer that it is not done, and why. Raises CourtesyError: NOT_FOUND, CONFLICT when it was answered already,
        INVALID without a reason."""
        if not reason.strip():
            raise CourtesyError(Code.INVALID, "expected a reason: the person has to be told it", place="reason")
        request = await self.get(number)
        if request.state not in PENDING:
            raise _not_possible(request, "refused")
        refused = replace(request, state=RequestState.REFUSED, settled_ms=self._clock.now_ms())
        return await self._change(request, refused, by, "refused", reason)

    async def extend(self, number: int, by: str, reason: str) -> Request:
        """Put the answer off to the later deadline, once. Raises CourtesyError: NOT_FOUND, INVALID without a reason,
        CONFLICT when it was answered or put off already, is late, or its law knows no later deadline."""
        if not reason.strip():
            raise CourtesyError(Code.INVALID, "expected a reason: the person has to be told it", place="reason")
        request = await self.get(number)
        if request.state not in PENDING or request.is_extended:
            raise _not_possible(request, "put off")
        if request.extended_due_ms is None:
            raise CourtesyError(Code.CONFLICT, f"{name_of(number)} can't be put off: {request.source}")
        now_ms = self._clock.now_ms()
        if now_ms >= request.due_ms:
            raise CourtesyError(
                Code.CONFLICT, f"{name_of(number)} was due at {to_iso(request.due_ms)}, it is too late to put it off"
            )
        later = replace(request, due_ms=request.extended_due_ms, is_extended=True)
        return await self._change(request, later, by, "extended", reason)

    async def _change(self, known: Request, changed: Request, by: str, what: str, note: str = "") -> Request:
        line = RequestLine(self._clock.now_ms(), by, what, note)
        if await self._engine.change_request(known, changed, line):
            return changed
        now = await self.get(known.number)
        if now.state is changed.state and now.due_ms == changed.due_ms:
            return now
        raise CourtesyError(
            Code.CONFLICT, f"{name_of(known.number)} has changed meanwhile: it is {now.state}", hint="look at it again"
        )

    # -- looking

    async def view(self, number: int) -> dict[str, Any]:
        """A request with its log, and with what recipients were told because of it. Raises CourtesyError(NOT_FOUND)."""
        request = await self.get(number)
        receipts = await self._engine.receipts(ReceiptFilter(request=name_of(number)), None, 2**31 - 1)
        known = await self._catalog.recipients()
        silent = {name for name, recipient in known.items() if not recipient.reads_back}
        return {
            **request_view(request, self._clock.now_ms()),
            "log": log_view(await self._engine.request_log(number)),
            "told": str(telling_of(receipts, silent)),
            "receipts": [receipt_view(each) for each in reversed(receipts)],
        }

    async def get(self, number: int) -> Request:
        """One request. Raises CourtesyError(NOT_FOUND)."""
        request = await self._engine.request(number)
        if request is None:
            raise CourtesyError(Code.NOT_FOUND, f"there is no request {name_of(number)}")
        return request

    async def log(self, number: int) -> Sequence[RequestLine]:
        """What was done about a request, oldest first."""
        return await self._engine.request_log(number)

    async def found(self, which: RequestFilter, after: RequestPlace | None, limit: int) -> list[Request]:
        """Requests in order of when they are due, after a place if given, at most `limit`."""
        return await self._engine.requests(which, after, limit)

    async def of(self, kind: str, value: str) -> list[Request]:
        """All that the owner of an identifier ever asked, also if they are forgotten since: then by its salted hash,
        if it was theirs when they asked. Raises CourtesyError(INVALID) for what can't identify anybody."""
        key = self._people.key_of(kind, value)
        reading = await self._engine.read_person(key)
        people: frozenset[PersonId] = frozenset() if reading is None else frozenset({reading.person, *reading.merged})
        (hashed,) = await self._engine.suppression_hashes([key])
        return await self._engine.requests(RequestFilter(people=people, hash=hashed), None, 2**31 - 1)


async def tell_overdue(engine: Engine, now_ms: int) -> int:
    """Report each request that is late for the first time, as an event of the source `requests`; how many. Raises
    Unavailable or StorageFull."""
    which = RequestFilter(states=PENDING, due_before_ms=now_ms + 1)
    told_count = 0
    after: RequestPlace | None = None
    while late := await engine.requests(which, after, OVERDUE_PAGE):
        fresh = [each for each in late if not each.is_overdue_told]
        await report(engine, [_overdue(each) for each in fresh], now_ms)
        for each in fresh:
            line = RequestLine(now_ms, "courtesy", "overdue")
            await engine.change_request(each, replace(each, is_overdue_told=True), line)
        told_count += len(fresh)
        after = RequestPlace(late[-1].due_ms, late[-1].number)
    return told_count


def _overdue(request: Request) -> SourceReport:
    properties = {
        "request": name_of(request.number),
        "kind": str(request.kind),
        "received": to_iso(request.received_ms),
        "due": to_iso(request.due_ms),
        "law": request.law,
    }
    return SourceReport(SOURCE_NAME, f"request-overdue-{request.number}-{request.due_ms}", REQUEST_OVERDUE, properties)


def _righting(number: int, traits: dict[str, Any]) -> dict[str, Any]:
    return {"type": EventType.IDENTIFY, "messageId": f"request-{number}", "traits": traits}


def _not_possible(request: Request, what: str) -> CourtesyError:
    hint = "confirm first that it is them who asked" if request.state is RequestState.CONFIRMING else ""
    put_off = ", and was put off already" if request.is_extended and what == "put off" else ""
    return CourtesyError(
        Code.CONFLICT, f"{name_of(request.number)} is {request.state}{put_off}, and can't be {what}", hint=hint
    )
