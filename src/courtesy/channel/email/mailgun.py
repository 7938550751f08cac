"""The carrier `mailgun`: letters by Mailgun's API, and what it reports by webhooks."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.channel.contract import Outside
from courtesy.channel.email.composing import composed
from courtesy.channel.email.headers import address
from courtesy.channel.email.letter import Letter
from courtesy.channel.email.provider import (
    TOKEN,
    Api,
    ApiAnswer,
    Received,
    api_url_field,
    instant,
    json_object,
    not_theirs,
)
from courtesy.channel.message import Accepted, Answer, Later, Refused
from courtesy.component.declaration import Component, Field, FieldType, Kind
from courtesy.component.validation import validated
from courtesy.delivery.cause import DeliveryCause as Cause
from courtesy.delivery.diagnosis import diagnosed
from courtesy.delivery.outcome import Outcome, OutcomeKind, shortened, text_at

REPORTER = "mailgun"
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)

COMPONENT = Component(
    name="mailgun",
    kind=Kind.CHANNEL,
    summary="Sends e-mail through Mailgun.",
    doc="""
Letters go to `messages.mime` as they are; Mailgun signs them for your domain, and neither counts opens nor rewrites
links, since Courtesy does. Add the address for reports as a webhook for all events, and put the HTTP webhook signing
key here: what comes in without its signature is refused. For accounts in Europe `api_url` is
`https://api.eu.mailgun.net`.
""",
    fields=(
        Field(
            "domain",
            FieldType.STRING,
            "The domain that sends, as it is set up at Mailgun.",
            example="mg.shop.example",
            required=True,
            check=lambda domain: "" if _DOMAIN.fullmatch(domain) else "a domain in ASCII",
        ),
        Field("api_key", FieldType.STRING, "A key that may send.", example="key-example", required=True, secret=True),
        Field(
            "webhook_signing_key",
            FieldType.STRING,
            "The key that signs reports; empty to take none.",
            example="",
            default="",
            secret=True,
        ),
        api_url_field("https://api.mailgun.net"),
    ),
)


class _Settings(msgspec.Struct, frozen=True):
    """The fields of COMPONENT, validated."""

    domain: str
    api_key: str
    webhook_signing_key: str
    api_url: str


class Mailgun:
    """The carrier `mailgun`, which is also a reporter."""

    component: ClassVar[Component] = COMPONENT

    def __init__(self, outside: Outside) -> None:
        self._clock = outside.clock
        self._api = Api(outside)

    async def carry(self, letter: Letter, config: dict[str, Any]) -> Answer:
        try:
            settings = _settings(config)
        except CourtesyError as error:
            return Later(Cause.SET_UP, str(error))
        try:
            boundary, body = _form(letter)
        except CourtesyError as error:
            return Refused(Cause.NOT_UNDERSTOOD, str(error))
        login = base64.b64encode(f"api:{settings.api_key}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": f"multipart/form-data; boundary={boundary}"}
        url = f"{settings.api_url.rstrip('/')}/v3/{settings.domain}/messages.mime"
        answer = await self._api.post(url, headers, body)
        if isinstance(answer, ApiAnswer) and answer.status == 200:
            return Accepted("200", text_at(answer.data, "id").strip("<>"))
        return self._api.by_status(answer) if isinstance(answer, ApiAnswer) else answer

    async def told(self, received: Received, config: dict[str, Any]) -> tuple[Outcome, ...]:
        report = json_object(received.body)
        if report is None:
            raise not_theirs("Mailgun", "it is no JSON object")
        verify(report, _settings(config).webhook_signing_key)
        found = outcome(report, self._clock.now_ms())
        return () if found is None else (found,)

    async def aclose(self) -> None:
        await self._api.aclose()


def _settings(config: dict[str, Any]) -> _Settings:
    return msgspec.convert(validated(COMPONENT, config), _Settings)


def _form(letter: Letter) -> tuple[str, bytes]:
    """The boundary and the body of the form. Raises CourtesyError (INVALID) with the field of the letter."""
    content = composed(letter).content
    fields = {"to": address(letter.to, "to"), "o:tracking": "no"}
    if letter.token:
        fields[f"v:{TOKEN}"] = letter.token
    boundary = sha256(content).hexdigest()
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="message"; filename="message.mime"\r\n\r\n'
    return boundary, b"".join((*parts, head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))


def verify(report: Mapping[str, Any], key: str) -> None:
    """Raises CourtesyError (UNAUTHENTICATED) unless the report's time and token are signed with the key.

    That is all that Mailgun signs: TLS has to keep the rest as it was.
    """
    if not key:
        raise not_theirs("Mailgun", "no signing key is configured")
    signed = text_at(report, "signature", "timestamp") + text_at(report, "signature", "token")
    expected = hmac.digest(key.encode(), signed.encode(), "sha256").hex()
    if not signed or not hmac.compare_digest(expected.encode(), text_at(report, "signature", "signature").encode()):
        raise not_theirs("Mailgun", "the signature does not fit")


_KINDS = {
    "accepted": OutcomeKind.SENT,
    "delivered": OutcomeKind.DELIVERED,
    "rejected": OutcomeKind.REJECTED,
    "complained": OutcomeKind.COMPLAINED,
    "opened": OutcomeKind.OPENED,
    "clicked": OutcomeKind.CLICKED,
    "unsubscribed": OutcomeKind.UNSUBSCRIBED,
}
# Why Mailgun itself does not try any more.
_SUPPRESSED = {
    "suppress-bounce": Cause.SUPPRESSED,
    "suppress-unsubscribe": Cause.UNSUBSCRIBED,
    "suppress-complaint": Cause.COMPLAINT,
}
_BY_REASON = {"espblock": Cause.POLICY, "old": Cause.NO_ANSWER, "greylisted": Cause.TEMPORARY}


def outcome(report: Mapping[str, Any], now_ms: int) -> Outcome | None:
    """What a report tells; None when it is nothing of interest."""
    event = report.get("event-data")
    if not isinstance(event, Mapping):
        return None
    kind = _kind(event)
    if kind is None:
        return None
    bot = text_at(event, "client-info", "bot")
    return Outcome(
        kind=kind,
        at_ms=instant(event.get("timestamp"), now_ms),
        reporter=REPORTER,
        recipient=text_at(event, "recipient").lower(),
        cause=_cause(kind, event),
        token=text_at(event, "user-variables", TOKEN),
        message_id=text_at(event, "message", "headers", "message-id"),
        event_id=text_at(event, "id") or text_at(report, "signature", "token"),
        status=diagnosed(_words(event)).status if kind in (OutcomeKind.BOUNCED, OutcomeKind.DEFERRED) else "",
        detail=shortened(_words(event)),
        url=text_at(event, "url"),
        user_agent=text_at(event, "client-info", "user-agent"),
        ip=text_at(event, "ip"),
        is_machine=True if bot else None,
    )


def _kind(event: Mapping[str, Any]) -> OutcomeKind | None:
    if text_at(event, "event") != "failed":
        return _KINDS.get(text_at(event, "event"))
    if text_at(event, "reason") in _SUPPRESSED:
        return OutcomeKind.REJECTED
    return OutcomeKind.DEFERRED if text_at(event, "severity") == "temporary" else OutcomeKind.BOUNCED


def _words(event: Mapping[str, Any]) -> str:
    status = "delivery-status"
    said = text_at(event, status, "message") or text_at(event, status, "description")
    return said or text_at(event, "reject", "reason") or text_at(event, "reason")


def _cause(kind: OutcomeKind, event: Mapping[str, Any]) -> Cause | None:
    match kind:
        case OutcomeKind.COMPLAINED:
            return Cause.COMPLAINT
        case OutcomeKind.UNSUBSCRIBED:
            return Cause.UNSUBSCRIBED
        case OutcomeKind.REJECTED:
            return _SUPPRESSED.get(text_at(event, "reason"), Cause.POLICY)
        case OutcomeKind.BOUNCED | OutcomeKind.DEFERRED:
            return _failure_cause(kind, event)
        case _:
            return None


def _failure_cause(kind: OutcomeKind, event: Mapping[str, Any]) -> Cause:
    code = text_at(event, "delivery-status", "code")
    is_final = kind is OutcomeKind.BOUNCED
    found = diagnosed(_words(event), code=int(code) if code.isdecimal() else 0, is_final=is_final).cause
    if found in (Cause.UNKNOWN, Cause.TEMPORARY):
        return _BY_REASON.get(text_at(event, "reason"), found)
    return found
