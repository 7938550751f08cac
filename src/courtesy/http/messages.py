"""Messages that people send back: read for what they allow and refuse. The text is kept nowhere, only its SHA-256."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import to_iso
from courtesy.consent.intake import choices_of
from courtesy.consent.words import Heard, Meaning, heard
from courtesy.event.accept import SourcePolicy
from courtesy.event.cause import Fate
from courtesy.event.choice import Action, Word
from courtesy.event.event import EventType
from courtesy.http.auth import write_keys_in
from courtesy.http.body import Envelope, accept_by_turns
from courtesy.http.metrics import count_fates
from courtesy.http.operation import Asked, Operation
from courtesy.http.people import PERSON_PATH, past_instant
from courtesy.http.tracking import headers_of
from courtesy.runtime.catalog import Scope
from courtesy.runtime.people import GROUP, PERSON


class MessageQuery(msgspec.Struct, frozen=True):
    """`source`: where to write to, for an admin key, which belongs to none."""

    source: str | None = None


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wrote, over which channel. `id`: the message's own, by which it counts once however often it is
    sent. `at`: when they sent it (ISO 8601), now unless it is said."""

    id: Annotated[str, Meta(min_length=1, max_length=80)]
    channel: Word
    text: Annotated[str, Meta(max_length=20_000)]
    at: str | None = None


class MadeChoice(msgspec.Struct, frozen=True):
    """A choice that the message made."""

    action: Action
    purpose: str
    channel: str


class Understood(msgspec.Struct, frozen=True):
    """What the message means, and the choices that it made. `everything`: it is about all channels. `ask`: it is in
    doubt, was taken for a refusal, and is to be confirmed once. `words`: those that decided. `position`: a read
    `?after=<position>` sees the choices; null when there are none."""

    meaning: Meaning
    everything: bool
    ask: bool
    words: str
    choices: list[MadeChoice]
    position: str | None


async def hear(asked: Asked[MessageQuery, Message]) -> Understood:
    """Read a message, and store what it says."""
    policy = await asked.door.writer(write_keys_in(headers_of(asked)), asked.query.source)
    found = heard(asked.body.text)
    call = _call_of(asked, found)
    if call is None:
        return _understood(found, [], None)
    return _understood(found, call["choices"], await _stored(asked, msgspec.json.encode(call), policy))


def _understood(found: Heard, choices: list[dict[str, str]], position: Position | None) -> Understood:
    made = [MadeChoice(Action(each["action"]), each["purpose"], each.get("channel", "*")) for each in choices]
    told = None if position is None else str(position)
    return Understood(found.meaning, found.everything, found.meaning is Meaning.UNSURE, found.words, made, told)


def _call_of(asked: Asked[MessageQuery, Message], found: Heard) -> dict[str, Any] | None:
    """The consent call that the message comes to; None when it chooses nothing."""
    message, (kind, value) = asked.body, (asked.path["kind"], asked.path["value"])
    if kind in (PERSON, GROUP):
        raise CourtesyError(Code.INVALID, f"expected an identifier of who wrote it, got a {kind}", place="kind")
    asked.app.people.key_of(kind, value)
    at_ms = asked.app.clock.now_ms() if message.at is None else past_instant(message.at, "at")
    choices = choices_of(found, message.text, message.channel)
    if not choices:
        return None
    return {
        "messageId": f"message:{message.id}",
        "timestamp": to_iso(at_ms),
        "context": {"externalIds": [{"type": kind, "id": value}]},
        "choices": choices,
    }


async def _stored(asked: Asked[MessageQuery, Message], call: bytes, policy: SourcePolicy) -> Position:
    app = asked.app
    now_ms = app.clock.now_ms()
    items = await accept_by_turns(app.ingest.turn, Envelope([call]), policy, now_ms, forced_type=EventType.CONSENT)
    receipt = await app.ingest.append(items, policy)
    count_fates(receipt)
    for each in receipt.results:
        if each.fate not in (Fate.STORED, Fate.DUPLICATE):
            raise CourtesyError(
                Code.CONFLICT,
                f"the message was understood, and its choice was not stored: {each.cause}",
                hint=each.detail or "the source may be paused, or demand consent of its own",
            )
    return receipt.position


OPERATIONS = (
    Operation(
        "POST",
        "/v1/people/{kind}/{value}/messages",
        "consent",
        "Read what somebody wrote for what they allow and refuse.",
        hear,
        doc="STOP and its like, in 32 languages: a refusal counts before the answer, and so does one in doubt.",
        scope=Scope.WRITE,
        query=MessageQuery,
        body=Message,
        answer=Understood,
        codes=(Code.NOT_FOUND, Code.CONFLICT, Code.TOO_MANY),
        path_docs=PERSON_PATH,
    ),
)
