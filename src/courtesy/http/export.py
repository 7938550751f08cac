"""The export of a person: everything that is held of them, for programs and for people to read."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code
from courtesy.event.choice import Action, Basis
from courtesy.http.operation import HTML, Answer, Asked, Operation
from courtesy.http.people import PERSON_PATH, CorrectionView, LinkView, MergeView, PersonView, RefusedView
from courtesy.http.permits import PermitView, SendView
from courtesy.http.recipients import ToldRecipientView
from courtesy.http.requests import RequestLineView, RequestView
from courtesy.runtime.catalog import Scope
from courtesy.runtime.export import FORMAT
from courtesy.runtime.export_page import page
from courtesy.runtime.offer_view import GrantView, RedemptionView


class ExportFormat(StrEnum):
    """For programs, or for people."""

    JSON = "json"
    HTML = "html"


class ExportQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format=html`: as a page that needs nothing else, for the person to read."""

    format: ExportFormat = ExportFormat.JSON


class ExportedEvent(msgspec.Struct, frozen=True):
    """An event as it was accepted. `unreadable` is its content where that could not be read, else null."""

    position: str
    at: str
    received: str
    source: str
    message_id: str | None
    type: str | None
    name: str | None
    group: str | None
    identifiers: list[str]
    live: bool
    properties: dict[str, Any]
    traits: dict[str, Any]
    group_traits: dict[str, Any]
    context: dict[str, Any]
    unreadable: str | None


class ExportedEffect(msgspec.Struct, frozen=True):
    """A call that was made, or is to be made, because of them. `settled` is set once its outcome is final."""

    key: str
    kind: str
    target: str
    state: str
    attempts: int
    cause: str
    detail: str
    created: str
    settled: str | None


class ExportedHeld(msgspec.Struct, frozen=True):
    """An event in quarantine that names them: as it came, as mended so far (null when it is not), and why it waits."""

    number: int
    source: str
    received: str
    cause: str
    detail: str
    message_id: str | None
    raw: str
    raw_encoding: str
    mended: str | None
    mended_encoding: str | None


class ExportedRequest(RequestView, frozen=True):
    """A request of theirs, with what was done about it."""

    log: list[RequestLineView]


class OwnerBeforeView(msgspec.Struct, frozen=True):
    """Who had one of their identifiers until an instant."""

    identifier: str
    person: str
    until: str


class UndoneMergeView(MergeView, frozen=True):
    """A merge that was undone since."""

    undone: str


class ExportedChoice(msgspec.Struct, frozen=True):
    """An entry of the ledger: a choice with everything that shows it. `retracts`: the index of an entry that counts
    no more, because what told it was taken back."""

    index: int
    id: str
    action: Action
    purpose: str
    channel: str
    topic: str
    brand: str
    jurisdiction: str
    value: Any
    basis: Basis | None
    policy: str | None
    corrects: str | None
    method: str | None
    actor: str | None
    request: str | None
    evidence: dict[str, Any] | None
    held_from: str
    held_to: str | None
    recorded: str
    source: str
    message_id: str
    retracts: int | None


class ExportedWaiting(msgspec.Struct, frozen=True):
    """A message that waits to be shown within an application or a page."""

    message: str
    channel: str
    created: str
    expires: str
    content: dict[str, Any]


class PersonExport(msgspec.Struct, frozen=True):
    """Everything that is held of a person. Choices, events, effects and held events are in the order in which they
    came.

    `links`, `merges`, `refused`, `corrections`, `owners_before` and `merges_undone` say who was taken for whom and why.
    """

    format: Annotated[str, Meta(pattern=f"^{FORMAT}$")]
    exported: str
    person: PersonView
    links: list[LinkView]
    merges: list[MergeView]
    refused: list[RefusedView]
    corrections: list[CorrectionView]
    owners_before: list[OwnerBeforeView]
    merges_undone: list[UndoneMergeView]
    choices: list[ExportedChoice]
    requests: list[ExportedRequest]
    events: list[ExportedEvent]
    effects: list[ExportedEffect]
    permits: list[PermitView]
    sends: list[SendView]
    grants: list[GrantView]
    redemptions: list[RedemptionView]
    inbox: list[ExportedWaiting]
    recipients: list[ToldRecipientView]
    held: list[ExportedHeld]


async def export_person(asked: Asked[ExportQuery, None]) -> dict[str, Any] | Answer:
    """Everything that is held of one person."""
    document = await asked.app.exports.of(asked.path["kind"], asked.path["value"])
    if asked.query.format is ExportFormat.JSON:
        return document
    content = await asyncio.to_thread(lambda: page(document).encode())
    name = f'attachment; filename="person-{document["person"]["person"]}.html"'
    return Answer(content, media_type=f"{HTML}; charset=utf-8", headers=(("content-disposition", name),))


OPERATIONS = (
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/export",
        "people",
        "Export everything that is held of one person.",
        export_person,
        doc="From log and lake, the outbox and the quarantine. `format=html` answers with a page to hand to them.",
        scope=Scope.ADMIN,
        query=ExportQuery,
        answer=PersonExport,
        codes=(Code.NOT_FOUND,),
        path_docs=PERSON_PATH,
        page=True,
    ),
)
