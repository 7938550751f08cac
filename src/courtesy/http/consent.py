"""Asking what somebody allows, and whether they may be used for something."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.consent.law import Why
from courtesy.event.choice import ANY, Place, Word
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.http.people import PERSON_PATH, ChoiceView, PositionNumber, past_instant
from courtesy.runtime.catalog import Scope
from courtesy.runtime.consent import Question

LocalTime = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class AllowedQuery(msgspec.Struct, frozen=True):
    """`purpose`, `channel`, `topic`, `brand`: what for. `jurisdiction`: where the person is (`DE`, `US-CA`), by what is
    known of them unless it is said. `at`: at which instant (ISO 8601), now unless it is said. `known`: by what was
    known at an instant, by everything unless it is said. `local_time`: what time it is where they are, like 09:30, by
    their time zone unless it is said. `after`: a position that the answer must include.
    """

    purpose: Word
    channel: Word
    topic: Word = ANY
    brand: Word = ANY
    jurisdiction: Place | None = None
    at: str | None = None
    known: str | None = None
    local_time: LocalTime | None = None
    after: PositionNumber | None = None


class AllowedView(msgspec.Struct, frozen=True):
    """Whether somebody may be used for something, and why: the choices and the rule that decided.

    `policy` is the version of the policy that the rule is in, and `source` says where that is written. `known_at` is
    null when everything counts that is known.
    """

    person: str
    allowed: bool
    why: Why
    purpose: str
    channel: str
    topic: str
    brand: str
    jurisdiction: str
    at: str
    known_at: str | None
    local_time: str | None
    rule: str
    policy: str
    source: str
    choices: list[ChoiceView]


class GpcView(msgspec.Struct, frozen=True):
    """Of Global Privacy Control: whether a browser of theirs sent it, and whether all that it asks is refused now. What
    they allowed themselves later counts instead."""

    recorded: bool
    honoured: bool


class ChoicesView(msgspec.Struct, frozen=True):
    """All that somebody allows, refuses and likes, the latest first."""

    person: str
    gpc: GpcView
    choices: list[ChoiceView]


async def ask(asked: Asked[AllowedQuery, None]) -> dict[str, Any]:
    """Yes or no."""
    query = asked.query
    if query.known is not None and query.after is not None:
        raise CourtesyError(Code.INVALID, "expected `after` or `known`, got both", place="query.known")
    question = Question(
        query.purpose,
        query.channel,
        query.topic,
        query.brand,
        query.jurisdiction,
        None if query.at is None else past_instant(query.at, "query.at"),
        None if query.known is None else past_instant(query.known, "query.known"),
        None if query.local_time is None else int(query.local_time[:2]) * 60 + int(query.local_time[3:]),
    )
    after = None if query.after is None else Position(query.after)
    return await asked.app.consents.allowed(asked.path["kind"], asked.path["value"], question, after)


async def read_choices(asked: Asked[NoQuery, None]) -> dict[str, Any]:
    """What somebody chose."""
    return await asked.app.consents.choices(asked.path["kind"], asked.path["value"])


OPERATIONS = (
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/allowed",
        "consent",
        "Ask whether a person may be used for a purpose over a channel.",
        ask,
        doc="By the laws in force where they are and by what they chose; at any instant, and by what was known then.",
        scope=Scope.READ,
        query=AllowedQuery,
        answer=AllowedView,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs=PERSON_PATH,
    ),
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/choices",
        "consent",
        "Read what a person allows, refuses and likes.",
        read_choices,
        scope=Scope.READ,
        answer=ChoicesView,
        codes=(Code.NOT_FOUND,),
        path_docs=PERSON_PATH,
    ),
)
