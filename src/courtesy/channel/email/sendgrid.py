"""The carrier `sendgrid`: letters by SendGrid's API (version 3), and what it reports by its event webhook."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from courtesy.base.errors import CourtesyError
from courtesy.channel.contract import Outside
from courtesy.channel.email.headers import address, plain
from courtesy.channel.email.letter import Letter
from courtesy.channel.email.provider import (
    TOKEN,
    Api,
    ApiAnswer,
    Received,
    api_url_field,
    instant,
    json_value,
    list_headers,
    not_theirs,
)
from courtesy.channel.message import Accepted, Answer, Later, Refused
from courtesy.component.declaration import Component, Field, FieldType, Kind
from courtesy.component.validation import validated
from courtesy.delivery.cause import DeliveryCause as Cause
from courtesy.delivery.diagnosis import diagnosed
from courtesy.delivery.outcome import Outcome, OutcomeKind, shortened, text_at

REPORTER = "sendgrid"
_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


def _public_key(text: str) -> EllipticCurvePublicKey | None:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except ValueError:
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None


def check_webhook_key(text: str) -> str:
    """What was expected instead of `text`; empty when it is a key, or empty."""
    return "" if not text or _public_key(text) is not None else "the verification key that SendGrid shows, in base64"


COMPONENT = Component(
    name="sendgrid",
    kind=Kind.CHANNEL,
    summary="Sends e-mail through SendGrid.",
    doc="""
Letters go to `mail/send` of the API version 3. SendGrid composes and signs them, and neither counts opens nor rewrites
links, since Courtesy does. Switch on the signed event webhook, give it the address for reports, and put its
verification key here: what comes in without that signature is refused.
""",
    fields=(
        Field(
            "api_key",
            FieldType.STRING,
            "A key that may send mail.",
            example="SG.example",
            required=True,
            secret=True,
        ),
        Field(
            "webhook_verification_key",
            FieldType.STRING,
            "The public key that verifies reports, in base64, as SendGrid shows it; empty to take no reports.",
            example="",
            default="",
            secret=True,
            check=check_webhook_key,
        ),
        api_url_field("https://api.sendgrid.com"),
    ),
)


class _Settings(msgspec.Struct, frozen=True):
    """The fields of COMPONENT, validated."""

    api_key: str
    webhook_verification_key: str
    api_url: str


class Sendgrid:
    """The carrier `sendgrid`, which is also a reporter."""

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
            body = msgspec.json.encode(_request(letter))
        except CourtesyError as error:
            return Refused(Cause.NOT_UNDERSTOOD, str(error))
        headers = {"Authorization": f"Bearer {settings.api_key}", "Content-Type": "application/json"}
        answer = await self._api.post(f"{settings.api_url.rstrip('/')}/v3/mail/send", headers, body)
        if isinstance(answer, ApiAnswer) and answer.status == 202:
            return Accepted("202", answer.headers.get("x-message-id", ""))
        return self._api.by_status(answer) if isinstance(answer, ApiAnswer) else answer

    async def told(self, received: Received, config: dict[str, Any]) -> tuple[Outcome, ...]:
        verify(received, _settings(config).webhook_verification_key)
        events = json_value(received.body)
        now_ms = self._clock.now_ms()
        found = (outcome(event, now_ms) for event in events if isinstance(event, Mapping))
        return tuple(each for each in found if each is not None)

    async def aclose(self) -> None:
        await self._api.aclose()


def _settings(config: dict[str, Any]) -> _Settings:
    return msgspec.convert(validated(COMPONENT, config), _Settings)


def _request(letter: Letter) -> dict[str, Any]:
    """The body of `mail/send`. Raises CourtesyError (INVALID) with the field of the letter."""
    content = [("text/plain", letter.text), ("text/html", letter.html)]
    data: dict[str, Any] = {
        "personalizations": [{"to": [_person(address(letter.to, "to"), letter.to_name)]}],
        "from": _person(address(letter.from_address, "from_address"), letter.from_name),
        "subject": plain(letter.subject),
        "content": [{"type": kind, "value": text} for kind, text in content if text],
        "headers": dict(list_headers(letter)),
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }
    if letter.reply_to:
        data["reply_to"] = {"email": address(letter.reply_to, "reply_to")}
    if letter.token:
        data["custom_args"] = {TOKEN: letter.token}
    return data


def _person(mailbox: str, name: str) -> dict[str, str]:
    return {"email": mailbox, "name": plain(name)} if name else {"email": mailbox}


def verify(received: Received, key: str) -> None:
    """Raises CourtesyError (UNAUTHENTICATED) unless the body, as it came, and its time are signed by SendGrid's key."""
    public = _public_key(key)
    if public is None:
        raise not_theirs("SendGrid", "no verification key is configured")
    signed = received.headers.get(_TIMESTAMP, "").encode() + received.body
    try:
        public.verify(base64.b64decode(received.headers.get(_SIGNATURE, "")), signed, ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        raise not_theirs("SendGrid", "the signature does not fit") from None


_KINDS = {
    "processed": OutcomeKind.SENT,
    "delivered": OutcomeKind.DELIVERED,
    "deferred": OutcomeKind.DEFERRED,
    "bounce": OutcomeKind.BOUNCED,
    "dropped": OutcomeKind.REJECTED,
    "spamreport": OutcomeKind.COMPLAINED,
    "open": OutcomeKind.OPENED,
    "click": OutcomeKind.CLICKED,
    "unsubscribe": OutcomeKind.UNSUBSCRIBED,
    "group_unsubscribe": OutcomeKind.UNSUBSCRIBED,
    "group_resubscribe": OutcomeKind.RESUBSCRIBED,
}
# Why SendGrid itself does not try, by the beginning of the reason.
_DROPPED = {
    "bounced address": Cause.SUPPRESSED,
    "unsubscribed address": Cause.UNSUBSCRIBED,
    "spam reporting address": Cause.COMPLAINT,
    "invalid smtpapi": Cause.NOT_UNDERSTOOD,
    "invalid": Cause.DEAD_ADDRESS,
    "spam content": Cause.POLICY,
    "recipient list over package quota": Cause.SET_UP,
}


def outcome(event: Mapping[str, Any], now_ms: int) -> Outcome | None:
    """What one event tells; None when it is nothing of interest."""
    kind = _KINDS.get(text_at(event, "event"))
    if kind is None:
        return None
    words = text_at(event, "reason") or text_at(event, "response")
    machine = event.get("sg_machine_open")
    return Outcome(
        kind=kind,
        at_ms=instant(event.get("timestamp"), now_ms),
        reporter=REPORTER,
        recipient=text_at(event, "email").lower(),
        cause=_cause(kind, event, words),
        token=text_at(event, TOKEN),
        message_id=text_at(event, "sg_message_id").partition(".")[0],
        event_id=text_at(event, "sg_event_id"),
        status=text_at(event, "status"),
        detail=shortened(words),
        url=text_at(event, "url"),
        user_agent=text_at(event, "useragent"),
        ip=text_at(event, "ip") if kind in (OutcomeKind.OPENED, OutcomeKind.CLICKED) else "",
        is_machine=True if machine is True else None,
    )


def _cause(kind: OutcomeKind, event: Mapping[str, Any], words: str) -> Cause | None:
    match kind:
        case OutcomeKind.COMPLAINED:
            return Cause.COMPLAINT
        case OutcomeKind.UNSUBSCRIBED:
            return Cause.UNSUBSCRIBED
        case OutcomeKind.REJECTED:
            reason = words.lower()
            return next((cause for begin, cause in _DROPPED.items() if reason.startswith(begin)), Cause.SUPPRESSED)
        case OutcomeKind.DEFERRED:
            found = diagnosed(words, text_at(event, "status")).cause
            return Cause.TEMPORARY if found is Cause.UNKNOWN else found
        case OutcomeKind.BOUNCED:
            found = diagnosed(words, text_at(event, "status"), is_final=True).cause
            # SendGrid calls `blocked` what was refused for the sender's sake; the address may be fine.
            is_vague = found in (Cause.UNKNOWN, Cause.TEMPORARY)
            return Cause.POLICY if is_vague and text_at(event, "type") == "blocked" else found
        case _:
            return None
