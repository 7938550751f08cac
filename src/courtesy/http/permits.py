"""Permits over HTTP: asking for them before messages leave, and auditing what left."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.consent.forms import CSV
from courtesy.engine.permit import PermitFilter, Place, SendFault, SendFilter, SendPlace
from courtesy.event.choice import ANY, INSTANT_MAX, Basis, Digest, Word
from courtesy.http.operation import JSON, Answer, Asked, Operation
from courtesy.http.people import past_instant
from courtesy.person.whereabouts import ZoneBy
from courtesy.runtime.audit import Finding, MessageId, Told
from courtesy.runtime.catalog import Scope
from courtesy.runtime.days import span_of_day
from courtesy.runtime.permit_view import (
    RECIPIENT_COLUMNS,
    csv_of,
    differences_view,
    judged_view,
    permit_view,
    recipient_row,
    recipient_view,
    refusal_view,
    sends_view,
)
from courtesy.runtime.permits import Ask, Refusal

PERMITS_MAX = 1_000
SENDS_MAX = 2_000
PAGE_MAX = 1_000

JSONL = "application/jsonl"
NEXT = "courtesy-next"
"""The header that tells where the next page of lines begins."""

Country = Annotated[str, Meta(pattern="^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
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


class ZoneView(msgspec.Struct, frozen=True):
    """A time zone in which the person may be, and by what that is known: the trait that they `declared`, the prefix of
    a `phone` number, or the `place` where they live."""

    zone: str
    by: ZoneBy


class PermitView(msgspec.Struct, frozen=True):
    """A permit: for whom, for what, on what, and from when until when. `permit` is its number; numbers rise in the
    order in which permits are issued.

    `why`, `rule`, `policy`, `source` are what decided; `choices` the ids of the choices that did, and `basis` that on
    which the one that allows rests, null when none was needed. `jurisdiction` and `local_time` are what was known of
    where they are, and `zones` by what: the hour was allowed in each, and the time is that of the first. `position` is
    where the log ended then. `person` is null once they are forgotten.
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
    zones: list[ZoneView]
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


class RecipientForm(StrEnum):
    """How a page of recipients is given."""

    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a page of recipients ended."""

    at: Annotated[int, Meta(ge=0, lt=INSTANT_MAX)]
    message: MessageId
    channel: Word
    person: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None


class RecipientsQuery(msgspec.Struct, frozen=True):
    """`campaign`: messages of that id, or whose id begins with it and a slash. `channel`: over it alone. `day`: those
    that left on that day of the calendar in `zone` (UTC unless said); or `from`, `to`: at or after one instant and
    before another (ISO 8601). `country`: who was there by the permit, `DE` or `US-CA`; what left without a permit may
    have been anywhere, and is always shown. `after`: the `next` of the page before. `format`: `json`, or `csv` or
    `jsonl` for a page of lines; then the header `courtesy-next` tells the next."""

    campaign: MessageId | None = None
    channel: Word | None = None
    day: Annotated[str, Meta(max_length=10)] | None = None
    zone: Annotated[str, Meta(max_length=60)] = "UTC"
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    country: Country | None = None
    after: Annotated[str, Meta(max_length=2_000)] | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 500
    format: RecipientForm = RecipientForm.JSON


class ShownView(msgspec.Struct, frozen=True):
    """A choice that decided: its entry in the ledger, and the SHA-256 of the wording and the form that were shown."""

    id: str
    entry: int | None
    notice: str | None
    form: str | None


class SinceView(msgspec.Struct, frozen=True):
    """What is answered for the instant at which a message left by all that is known today."""

    allowed: bool
    why: str
    rule: str
    policy: str
    choices: list[ShownView]


class ReceivedView(msgspec.Struct, frozen=True):
    """A message that left, with its permit as `basis`. `finding` says what asking again comes to: `lawful`;
    `lawful_then`, by what was known, though not by what came in since; `differs`, when the ledger does not bear the
    permit out; `forgotten`, when somebody is. It is null where the message has no permit of its own: see `fault`."""

    message: str
    person: str | None
    channel: str
    at: str
    permit: str | None
    fault: SendFault | None
    finding: Finding | None
    message_hash: str | None
    basis: PermitView | None
    choices: list[ShownView]
    since: SinceView | None


class ReceivedPage(msgspec.Struct, frozen=True):
    """Who received what, in order of when it left. `forgotten`: how many of them are. `next` leads to more; null at the
    end."""

    recipients: list[ReceivedView]
    forgotten: int
    next: str | None


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


def _span(query: PermitsQuery | SendsQuery | RecipientsQuery) -> tuple[int, int]:
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


async def read_recipients(asked: Asked[RecipientsQuery, None]) -> Answer:
    """A page of who received what."""
    query = asked.query
    after = None if query.after is None else _send_place(query.after)
    which = SendFilter(*_days(query), query.channel, query.campaign, query.country)
    page = await asked.app.audit.recipients(which, after, query.limit)
    following = _cursor(page[-1].received.place) if len(page) >= query.limit else None
    if query.format is RecipientForm.JSON:
        forgotten_count = sum(each.received.send.person is None for each in page)
        views = [recipient_view(each) for each in page]
        return Answer(msgspec.json.encode({"recipients": views, "forgotten": forgotten_count, "next": following}))
    headers = () if following is None else ((NEXT, following),)
    if query.format is RecipientForm.CSV:
        text = csv_of([RECIPIENT_COLUMNS, *map(recipient_row, page)])
        return Answer(text.encode(), media_type=CSV, headers=headers)
    lines = b"".join(msgspec.json.encode(recipient_view(each)) + b"\n" for each in page)
    return Answer(lines, media_type=JSONL, headers=headers)


def _days(query: RecipientsQuery) -> tuple[int, int]:
    if query.day is None:
        return _span(query)
    if query.from_ is not None or query.to is not None:
        raise CourtesyError(Code.INVALID, "expected a day, or from and to, got both", place="query.day")
    return span_of_day(query.day, query.zone, "query.")


_CURSOR = msgspec.json.Decoder(_Cursor)


def _cursor(place: SendPlace) -> str:
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def _send_place(text: str) -> SendPlace:
    try:
        told = _CURSOR.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, msgspec.MsgspecError):
        raise CourtesyError(Code.INVALID, "expected the `next` of a page", place="query.after") from None
    return SendPlace(told.at, told.message, told.channel, None if told.person is None else PersonId(told.person))


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
    Operation(
        "GET",
        "/v1/audit/recipients",
        "permits",
        "List who received what, with the basis at that instant.",
        read_recipients,
        doc="All of a campaign over a channel on a day in a country, say. Each is asked about again: by the ledger as"
        " it was when its permit was issued, and by all that is known today.",
        scope=Scope.ADMIN,
        query=RecipientsQuery,
        answer=ReceivedPage,
        answered={
            JSON: {"schema": {"$ref": "#/components/schemas/ReceivedPage"}},
            **{each: {"schema": {"type": "string"}} for each in (CSV, JSONL)},
        },
    ),
)
