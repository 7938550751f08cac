"""Permits over HTTP: asking for them before messages leave, and auditing what left."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine.permit import PermitFilter, Place, SendFault
from courtesy.event.choice import ANY, INSTANT_MAX, Basis, Digest, Word
from courtesy.http.operation import Asked, Operation
from courtesy.http.people import past_instant
from courtesy.runtime.audit import MessageId, Told
from courtesy.runtime.catalog import Scope
from courtesy.runtime.permit_view import differences_view, judged_view, permit_view, refusal_view, sends_view
from courtesy.runtime.permits import Ask, Refusal

PERMITS_MAX = 1_000
SENDS_MAX = 2_000
PAGE_MAX = 1_000

Identifying = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]


class PermitAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that is to leave. `kind` and `value`: any identifier of the person. `message`: the sender's id of it;
    `message_hash`: the SHA-256 of its bytes, in hex."""

    kind: Identifying
    value: Identifying
    purpose: Word
    channel: Word
    message: MessageId
    message_hash: Digest
    topic: Word = ANY
    brand: Word = ANY


class PermitsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to leave: one message, or up to 1,000."""

    permits: Annotated[list[PermitAsked], Meta(min_length=1, max_length=PERMITS_MAX)]


class PermitView(msgspec.Struct, frozen=True):
    """A permit: for whom, for what, on what, and from when until when. `permit` is its number; numbers rise in the
    order in which permits are issued.

    `why`, `rule`, `policy`, `source` are what decided; `choices` the ids of the choices that did, and `basis` that on
    which the one that allows rests, null when none was needed. `jurisdiction` and `local_time` are what was known of
    where they are. `position` is where the log ended then. `person` is null once they are forgotten.
    """

    permit: str
    person: str | None
    message: str
    message_hash: str
    purpose: str
    channel: str
    topic: str
    brand: str
    jurisdiction: str
    local_time: str | None
    why: str
    basis: Basis | None
    rule: str
    policy: str
    source: str
    choices: list[str]
    issued: str
    expires: str
    position: str


class RefusalView(msgspec.Struct, frozen=True):
    """Why there is no permit. `why` is as in the answer to whether somebody may be used, or `nobody` when nobody is
    known by that identifier, or `unsettled` when so much came in about them meanwhile that nothing could be decided:
    then, ask again."""

    why: str
    person: str | None
    rule: str
    policy: str
    source: str
    choices: list[str]


class PermitAnswer(msgspec.Struct, frozen=True):
    """A permit or a refusal; the other is null."""

    message: str
    permit: PermitView | None
    refusal: RefusalView | None


class PermitsView(msgspec.Struct, frozen=True):
    """An answer for each message that was asked about, in the same order."""

    answers: list[PermitAnswer]


class PermitsQuery(msgspec.Struct, frozen=True):
    """`from`, `to`: issued at or after one instant and before another (ISO 8601). `channel`, `purpose`, `message`: only
    these. `after`: the `next` of the page before."""

    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    channel: Word | None = None
    purpose: Word | None = None
    message: MessageId | None = None
    after: Annotated[str, Meta(pattern="^[0-9]{1,15}-[0-9]{1,18}$")] | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 500


class PermitPage(msgspec.Struct, frozen=True):
    """Permits in the order in which they were issued. `next` leads to more; null at the end."""

    permits: list[PermitView]
    next: str | None


class DifferenceView(msgspec.Struct, frozen=True):
    """A permit, and what the ledger says when it is asked again."""

    permit: PermitView
    allowed: bool
    why: str
    rule: str
    policy: str
    choices: list[str]


class RecheckView(msgspec.Struct, frozen=True):
    """What asking again came to: how many permits of this page were asked about, how many can't be any more because
    somebody is forgotten, and all that differ. `next` leads to more; null at the end."""

    checked: int
    forgotten: int
    differences: list[DifferenceView]
    next: str | None


class SendTold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message that left: its id, to whom, over which channel, when (ISO 8601 or ms), and the SHA-256 of its bytes if
    it is known."""

    message: MessageId
    kind: Identifying
    value: Identifying
    channel: Word
    at: str | int
    message_hash: Digest | None = None


class SendsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Messages that left: one, or up to 2,000."""

    sends: Annotated[list[SendTold], Meta(min_length=1, max_length=SENDS_MAX)]


class SendView(msgspec.Struct, frozen=True):
    """A message that left, its permit, and what is wrong: null when nothing is. `person` is null for nobody that is
    known, or who is forgotten."""

    message: str
    person: str | None
    channel: str
    at: str
    permit: str | None
    fault: SendFault | None


class ToldView(msgspec.Struct, frozen=True):
    """What each send comes to, in the order in which they were told."""

    sends: list[SendView]


class SendsQuery(msgspec.Struct, frozen=True):
    """`from`, `to`: left at or after one instant and before another (ISO 8601). `limit`: how many to show of those with
    a fault."""

    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 500


class SendsView(msgspec.Struct, frozen=True):
    """How many left, how many of them with which fault, and the first of those, oldest first."""

    sends: int
    no_permit: int
    other_message: int
    expired: int
    faulty: list[SendView]


async def issue(asked: Asked[Any, PermitsBody]) -> dict[str, Any]:
    """A permit or a refusal for each."""
    asks = [
        Ask(
            each.kind,
            each.value,
            each.purpose,
            each.channel,
            each.message,
            bytes.fromhex(each.message_hash),
            each.topic,
            each.brand,
        )
        for each in asked.body.permits
    ]
    answers = await asked.app.permits.issue(asks)
    return {
        "answers": [
            {
                "message": ask.message,
                "permit": None if isinstance(each, Refusal) else permit_view(each),
                "refusal": refusal_view(each) if isinstance(each, Refusal) else None,
            }
            for ask, each in zip(asks, answers, strict=True)
        ]
    }


def _span(query: PermitsQuery | SendsQuery) -> tuple[int, int]:
    from_ms = 0 if query.from_ is None else past_instant(query.from_, "query.from")
    return from_ms, INSTANT_MAX if query.to is None else past_instant(query.to, "query.to")


def _which(query: PermitsQuery) -> tuple[PermitFilter, Place | None]:
    after = None if query.after is None else Place(*map(int, query.after.split("-")))
    return PermitFilter(*_span(query), query.channel, query.purpose, query.message), after


def _next(place: Place | None, *, has_more: bool) -> str | None:
    return f"{place.issued_ms}-{place.number}" if has_more and place is not None else None


async def read_permits(asked: Asked[PermitsQuery, None]) -> dict[str, Any]:
    """A page of permits."""
    permits = await asked.app.audit.permits(*_which(asked.query), asked.query.limit)
    end = Place(permits[-1].terms.issued_ms, permits[-1].number) if permits else None
    has_more = len(permits) == asked.query.limit
    return {"permits": [permit_view(each) for each in permits], "next": _next(end, has_more=has_more)}


async def recheck(asked: Asked[PermitsQuery, None]) -> dict[str, Any]:
    """What asking again says of a page of permits."""
    found = await asked.app.audit.recheck(*_which(asked.query), asked.query.limit)
    has_more = found.checked_count + found.forgotten_count == asked.query.limit
    return {**differences_view(found), "next": _next(found.end, has_more=has_more)}


async def tell_sends(asked: Asked[Any, SendsBody]) -> dict[str, Any]:
    """Keep and judge what left."""
    told = [
        Told(
            each.kind,
            each.value,
            each.message,
            each.channel,
            _instant(each.at, f"sends[{place}].at"),
            None if each.message_hash is None else bytes.fromhex(each.message_hash),
        )
        for place, each in enumerate(asked.body.sends)
    ]
    return {"sends": [judged_view(each) for each in await asked.app.audit.tell(told)]}


def _instant(told: str | int, place: str) -> int:
    at_ms = past_instant(told, place) if isinstance(told, str) else told
    if not 0 <= at_ms < INSTANT_MAX:
        raise CourtesyError(Code.INVALID, f"expected an instant since 1970, got {told!r:.60}", place=place)
    return at_ms


async def read_sends(asked: Asked[SendsQuery, None]) -> dict[str, Any]:
    """What left in a span."""
    return sends_view(await asked.app.audit.sends(*_span(asked.query), asked.query.limit))


OPERATIONS = (
    Operation(
        "POST",
        "/v1/permits",
        "permits",
        "Ask for permits to send messages, the last thing before they leave.",
        issue,
        doc="Each is issued only on what is true at that instant, in one order with all that people choose, and holds"
        " for a minute. It is kept for good.",
        scope=Scope.DECIDE,
        body=PermitsBody,
        answer=PermitsView,
    ),
    Operation(
        "GET",
        "/v1/audit/permits",
        "permits",
        "List permits: who could be written to, on what basis.",
        read_permits,
        doc="In the order in which they were issued.",
        scope=Scope.ADMIN,
        query=PermitsQuery,
        answer=PermitPage,
    ),
    Operation(
        "GET",
        "/v1/audit/differences",
        "permits",
        "Ask again for each permit, by the ledger as it was then.",
        recheck,
        doc="Lists all permits whose answer differs.",
        scope=Scope.ADMIN,
        query=PermitsQuery,
        answer=RecheckView,
    ),
    Operation(
        "POST",
        "/v1/audit/sends",
        "permits",
        "Tell which messages left, and learn which had no permit.",
        tell_sends,
        doc="Each is kept, once though it be told again, and joined to its permit.",
        scope=Scope.DECIDE,
        body=SendsBody,
        answer=ToldView,
    ),
    Operation(
        "GET",
        "/v1/audit/sends",
        "permits",
        "Join all messages that left in a span to their permits.",
        read_sends,
        scope=Scope.ADMIN,
        query=SendsQuery,
        answer=SendsView,
    ),
)
