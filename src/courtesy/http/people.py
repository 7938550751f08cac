"""Reading people and groups: one by any identifier, their events, and why their identifiers are one person."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import from_iso
from courtesy.event.choice import Action, Basis
from courtesy.http.operation import Asked, Operation
from courtesy.http.standards import StandardView
from courtesy.runtime.catalog import Scope
from courtesy.runtime.people import GROUP, RECORDS_MAX

POSITION_MAX = 2**63 - 1
PositionNumber = Annotated[int, Meta(ge=0, le=POSITION_MAX)]


class Knowing(StrEnum):
    """By which knowledge the past is told."""

    THEN = "then"
    TODAY = "today"


class AfterQuery(msgspec.Struct, frozen=True):
    """`after`: a position that the answer must include. Without it, it includes all that was acknowledged before."""

    after: PositionNumber | None = None


class PersonQuery(msgspec.Struct, frozen=True):
    """`after`: a position that the answer must include. `as_of`: the person at an instant of the past (ISO 8601).

    `knowing=then`: what was known then, by the events received until then. `knowing=today`: what we know today of that
    instant, by the events that had happened until then, whenever they came in.
    """

    after: PositionNumber | None = None
    as_of: str | None = None
    knowing: Knowing = Knowing.THEN


class EventsQuery(msgspec.Struct, frozen=True):
    """`before`: only events before this position, from the `next_before` of the last answer."""

    before: PositionNumber | None = None
    limit: Annotated[int, Meta(ge=1, le=RECORDS_MAX)] = 50


class WhyQuery(msgspec.Struct, frozen=True):
    """Another identifier, to ask whether and why it is the same person."""

    kind: str | None = None
    value: str | None = None


class TraitOrigin(msgspec.Struct, frozen=True):
    """Where the value of a trait came from, and when."""

    source: str
    party: str
    rank: int
    at: str


class BehaviourView(msgspec.Struct, frozen=True):
    """What somebody did under one name. `sums` are those of numeric properties; `days` counts the latest days, UTC."""

    count: int
    first: str
    last: str
    sums: dict[str, float]
    recent: list[str]
    days: dict[str, int]


class RecentView(msgspec.Struct, frozen=True):
    """One of the latest events, in short."""

    at: str
    type: str
    name: str | None
    source: str
    message_id: str


class MembershipView(msgspec.Struct, frozen=True):
    """A group to which somebody belongs."""

    group: str
    first: str
    last: str


class ChoiceView(msgspec.Struct, frozen=True):
    """Something that somebody allowed, refused or wished. Each part of what it is about is a word, or `*` for any."""

    id: str
    action: Action
    purpose: str
    channel: str
    topic: str
    brand: str
    jurisdiction: str
    value: Any
    basis: Basis | None
    held_from: str
    held_to: str | None
    recorded: str


class QuestionPastView(msgspec.Struct, frozen=True):
    """A question that somebody was asked: how often, when last, and when they last answered it or put it off."""

    question: str
    asked_count: int
    asked: str | None
    answered: str | None
    declined: str | None


class WaitingView(msgspec.Struct, frozen=True):
    """A moment that is waited for."""

    timer: str
    subscription: str
    due: str


class IdentifierView(msgspec.Struct, frozen=True):
    """An identifier, and the message that told it first. A shared one links nobody."""

    kind: str
    value: str
    shared: bool
    source: str
    message_id: str
    since: str


class OfferStandingView(msgspec.Struct, frozen=True):
    """Where somebody stands on an offer, over all channels. `code` and `expires` are those of the grant that they hold;
    `channel` and `placement` those of what happened last; the rest is when each thing happened last."""

    offer: str
    stage: str
    code: str | None
    expires: str | None
    redeemed_count: int
    channel: str
    placement: str
    chosen: str | None
    granted: str | None
    sent: str | None
    seen: str | None
    clicked: str | None
    redeemed: str | None
    declined: str | None
    expired: str | None


class PersonView(msgspec.Struct, frozen=True):
    """All that is known of a person, up to `position`. `members` only for a group, `as_of` only of the past.

    `standard`: standard forms of the traits that have one, by the trait's name, beside the values as they were sent.
    """

    person: str
    position: str
    identifiers: list[IdentifierView]
    merged_people: list[str]
    traits: dict[str, Any]
    standard: dict[str, StandardView]
    trait_origins: dict[str, TraitOrigin]
    event_count: int
    event_types: dict[str, int]
    first_seen: str | None
    last_seen: str | None
    events: dict[str, BehaviourView]
    recent: list[RecentView]
    groups: list[MembershipView]
    choices: list[ChoiceView]
    questions: list[QuestionPastView]
    offers: list[OfferStandingView]
    waiting: list[WaitingView]
    members: list[str] | UnsetType = UNSET
    as_of: str | UnsetType = UNSET


class EventView(msgspec.Struct, frozen=True):
    """An event as it was accepted."""

    position: str
    at: str
    received: str
    source: str
    message_id: str
    type: str
    name: str | None
    group: str | None
    identifiers: list[str]
    live: bool
    properties: dict[str, Any]
    traits: dict[str, Any]
    group_traits: dict[str, Any]
    context: dict[str, Any]


class EventsView(msgspec.Struct, frozen=True):
    """Events, newest first. `next_before` leads to older ones; null at the end."""

    person: str
    events: list[EventView]
    next_before: str | None


class LinkView(msgspec.Struct, frozen=True):
    """Why two identifiers are one person: the message that said so."""

    a: str
    b: str
    reason: str
    source: str
    message_id: str
    at: str


class MergeView(msgspec.Struct, frozen=True):
    """That `loser` became part of `survivor`, and why."""

    loser: str
    survivor: str
    a: str
    b: str
    reason: str
    source: str
    message_id: str
    at: str


class CorrectionView(msgspec.Struct, frozen=True):
    """What somebody corrected, and why."""

    kind: str
    by: str
    reason: str
    at: str


class RefusedView(msgspec.Struct, frozen=True):
    """An identifier that came with this person's and was not linked to them."""

    identifier: str
    reason: str
    source: str
    message_id: str
    at: str


class WhyView(msgspec.Struct, frozen=True):
    """The evidence. `path` and `same_person` only when another identifier was named; no path is null."""

    person: str
    identifiers: list[IdentifierView]
    links: list[LinkView]
    merges: list[MergeView]
    corrections: list[CorrectionView]
    refused: list[RefusedView]
    path: list[LinkView] | UnsetType | None = UNSET
    same_person: bool | UnsetType = UNSET


def _position(number: int | None) -> Position | None:
    return None if number is None else Position(number)


async def read_person(asked: Asked[PersonQuery, None]) -> dict[str, Any]:
    """One person."""
    path, query = asked.path, asked.query
    if query.as_of is None:
        return await asked.app.people.view(path["kind"], path["value"], _position(query.after))
    if query.after is not None:
        raise CourtesyError(Code.INVALID, "expected `after` or `as_of`, got both", place="query.as_of")
    today = query.knowing is Knowing.TODAY
    return await asked.app.people.view_at(path["kind"], path["value"], past_instant(query.as_of), knowing_today=today)


def past_instant(text: str, place: str = "query.as_of") -> int:
    """The ms UTC of an instant in ISO 8601. Raises CourtesyError(INVALID) for anything else."""
    at_ms = from_iso(text)
    if at_ms is None or at_ms < 0:
        raise CourtesyError(
            Code.INVALID,
            f"expected an instant since 1970 in ISO 8601, got {text!r:.60}",
            hint="like 2026-05-03T14:05:00Z",
            place=place,
        )
    return at_ms


async def read_group(asked: Asked[AfterQuery, None]) -> dict[str, Any]:
    """One group."""
    return await asked.app.people.view(GROUP, asked.path["id"], _position(asked.query.after))


async def read_events(asked: Asked[EventsQuery, None]) -> dict[str, Any]:
    """The latest events of one person."""
    path, query = asked.path, asked.query
    return await asked.app.people.events(path["kind"], path["value"], _position(query.before), query.limit)


async def explain(asked: Asked[WhyQuery, None]) -> dict[str, Any]:
    """The evidence for one person."""
    kind, value = asked.query.kind, asked.query.value
    if (kind is None) != (value is None):
        place = "query.kind" if kind is None else "query.value"
        raise CourtesyError(Code.INVALID, "expected both `kind` and `value`, or neither", place=place)
    other = None if kind is None or value is None else (kind, value)
    return await asked.app.people.why(asked.path["kind"], asked.path["value"], other)


PERSON_PATH = {
    "kind": "user_id, email, phone, device_id, anonymous_id, person, or the type of an external id.",
    "value": "The identifier's value, percent-encoded; it may hold anything, slashes too.",
}

OPERATIONS = (
    Operation(
        "GET",
        "/v1/people/{kind}/{value}",
        "people",
        "Read one person by any identifier.",
        read_person,
        doc="Traits and where each came from, identifiers, what they did, groups; now, or as of any past instant.",
        scope=Scope.READ,
        query=PersonQuery,
        answer=PersonView,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs=PERSON_PATH,
    ),
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/events",
        "people",
        "Read the latest events of one person.",
        read_events,
        scope=Scope.READ,
        query=EventsQuery,
        answer=EventsView,
        codes=(Code.NOT_FOUND,),
        path_docs=PERSON_PATH,
    ),
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/why",
        "people",
        "Explain why the identifiers of a person are one person.",
        explain,
        doc="With `kind` and `value` also the chain of evidence between the two identifiers.",
        scope=Scope.READ,
        query=WhyQuery,
        answer=WhyView,
        codes=(Code.NOT_FOUND,),
        path_docs=PERSON_PATH,
    ),
    Operation(
        "GET",
        "/v1/groups/{id}",
        "people",
        "Read one group, such as a company.",
        read_group,
        scope=Scope.READ,
        query=AfterQuery,
        answer=PersonView,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs={"id": "The group's id."},
    ),
)
