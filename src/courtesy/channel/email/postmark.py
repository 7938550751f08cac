"""The carrier `postmark`: letters by Postmark's API, and what it reports by webhooks."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

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
    json_object,
    list_headers,
    not_theirs,
)
from courtesy.channel.message import Accepted, Answer, Later, Refused
from courtesy.component.declaration import Component, Field, FieldType, Kind
from courtesy.component.validation import validated
from courtesy.delivery.cause import DeliveryCause as Cause
from courtesy.delivery.diagnosis import diagnosed
from courtesy.delivery.outcome import Outcome, OutcomeKind, shortened, text_at

REPORTER = "postmark"

COMPONENT = Component(
    name="postmark",
    kind=Kind.CHANNEL,
    summary="Sends e-mail through Postmark.",
    doc="""
Letters go to `email`, one at a time. Postmark composes and signs them, and neither counts opens nor rewrites links,
since Courtesy does. It does not sign its reports: give the webhook a user and a password in its address, and put the
same here; what comes in without them is refused.
""",
    fields=(
        Field(
            "server_token",
            FieldType.STRING,
            "The API token of the server at Postmark.",
            example="00000000-0000-0000-0000-000000000000",
            required=True,
            secret=True,
        ),
        Field(
            "message_stream",
            FieldType.STRING,
            "The stream that letters go by: `outbound` for what people wait for, a broadcast stream for the rest.",
            example="broadcast",
            default="broadcast",
        ),
        Field("webhook_user", FieldType.STRING, "Who reports; empty to take none.", example="postmark", default=""),
        Field(
            "webhook_password",
            FieldType.STRING,
            "The password of who reports.",
            example="correct horse",
            default="",
            secret=True,
        ),
        api_url_field("https://api.postmarkapp.com"),
    ),
)


class _Settings(msgspec.Struct, frozen=True):
    """The fields of COMPONENT, validated."""

    server_token: str
    message_stream: str
    webhook_user: str
    webhook_password: str
    api_url: str


class Postmark:
    """The carrier `postmark`, which is also a reporter."""

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
            body = msgspec.json.encode(_request(letter, settings.message_stream))
        except CourtesyError as error:
            return Refused(Cause.NOT_UNDERSTOOD, str(error))
        headers = {
            "X-Postmark-Server-Token": settings.server_token,
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        answer = await self._api.post(f"{settings.api_url.rstrip('/')}/email", headers, body)
        return self._meant(answer) if isinstance(answer, ApiAnswer) else answer

    async def told(self, received: Received, config: dict[str, Any]) -> tuple[Outcome, ...]:
        settings = _settings(config)
        verify(received, settings.webhook_user, settings.webhook_password)
        event = json_object(received.body)
        found = None if event is None else outcome(event, self._clock.now_ms())
        return () if found is None else (found,)

    async def aclose(self) -> None:
        await self._api.aclose()

    def _meant(self, answer: ApiAnswer) -> Answer:
        """By the code in the answer, which is finer than the status."""
        code = text_at(answer.data, "ErrorCode")
        if answer.status == 200 and code in ("", "0"):
            return Accepted("200", text_at(answer.data, "MessageID"))
        match code:
            case "406":
                return Refused(Cause.SUPPRESSED, answer.said)
            case "10" | "400" | "401" | "405" | "412" | "1224" | "1226" | "1235":
                return Later(Cause.SET_UP, answer.said)
            case "100" | "500":
                return Later(Cause.TEMPORARY, answer.said)
            case _:
                return self._api.by_status(answer)


def _settings(config: dict[str, Any]) -> _Settings:
    return msgspec.convert(validated(COMPONENT, config), _Settings)


def _request(letter: Letter, stream: str) -> dict[str, Any]:
    """The body of `email`. Raises CourtesyError (INVALID) with the field of the letter."""
    data: dict[str, Any] = {
        "From": _person(address(letter.from_address, "from_address"), letter.from_name),
        "To": _person(address(letter.to, "to"), letter.to_name),
        "Subject": plain(letter.subject),
        "TextBody": letter.text,
        "MessageStream": stream,
        "TrackOpens": False,
        "TrackLinks": "None",
        "Headers": [{"Name": name, "Value": value} for name, value in list_headers(letter)],
    }
    if letter.html:
        data["HtmlBody"] = letter.html
    if letter.reply_to:
        data["ReplyTo"] = address(letter.reply_to, "reply_to")
    if letter.token:
        data["Metadata"] = {TOKEN: letter.token}
    return data


def _person(mailbox: str, name: str) -> str:
    quoted = plain(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{mailbox}>' if quoted else mailbox


def verify(received: Received, user: str, password: str) -> None:
    """Raises CourtesyError (UNAUTHENTICATED) unless the report came with this user and password."""
    if not user or not password:
        raise not_theirs("Postmark", "no user and password are configured for it")
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if not hmac.compare_digest(expected.encode(), received.headers.get("authorization", "").encode()):
        raise not_theirs("Postmark", "the user or the password do not fit")


_KINDS = {
    "Delivery": OutcomeKind.DELIVERED,
    "Bounce": OutcomeKind.BOUNCED,
    "SpamComplaint": OutcomeKind.COMPLAINED,
    "Open": OutcomeKind.OPENED,
    "Click": OutcomeKind.CLICKED,
}
_TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
# Kinds of what Postmark calls bounces; some are none.
_NO_BOUNCES = {
    "AutoResponder": (OutcomeKind.AUTOREPLIED, Cause.AUTO_REPLY),
    "AddressChange": (OutcomeKind.AUTOREPLIED, Cause.AUTO_REPLY),
    "ChallengeVerification": (OutcomeKind.AUTOREPLIED, Cause.AUTO_REPLY),
    "Subscribe": (OutcomeKind.RESUBSCRIBED, None),
    "Unsubscribe": (OutcomeKind.UNSUBSCRIBED, Cause.UNSUBSCRIBED),
    "SpamComplaint": (OutcomeKind.COMPLAINED, Cause.COMPLAINT),
    "OpenRelayTest": (OutcomeKind.AUTOREPLIED, Cause.AUTO_REPLY),
    "ManuallyDeactivated": (OutcomeKind.REJECTED, Cause.SUPPRESSED),
    "SMTPApiError": (OutcomeKind.REJECTED, Cause.SET_UP),
    "TemplateRenderingFailed": (OutcomeKind.REJECTED, Cause.NOT_UNDERSTOOD),
}
_BOUNCES = {
    "HardBounce": Cause.DEAD_ADDRESS,
    "BadEmailAddress": Cause.DEAD_ADDRESS,
    "SoftBounce": Cause.TEMPORARY,
    "Transient": Cause.TEMPORARY,
    "DnsError": Cause.NO_ANSWER,
    "SpamNotification": Cause.POLICY,
    "VirusNotification": Cause.POLICY,
    "Blocked": Cause.POLICY,
    "DMARCPolicy": Cause.AUTHENTICATION,
}


def outcome(event: Mapping[str, Any], now_ms: int) -> Outcome | None:
    """What a report tells; None when it is nothing of interest, or told by another report too."""
    kind, cause = _kind_and_cause(event)
    if kind is None:
        return None
    record, message_id = text_at(event, "RecordType"), text_at(event, "MessageID")
    told_at = next((text_at(event, name) for name in _TIMES if name in event), "")
    return Outcome(
        kind=kind,
        at_ms=instant(told_at, now_ms),
        reporter=REPORTER,
        recipient=(text_at(event, "Recipient") or text_at(event, "Email")).lower(),
        cause=cause,
        token=text_at(event, "Metadata", TOKEN),
        message_id=message_id,
        event_id=text_at(event, "ID") or f"{record}/{message_id}/{told_at}",
        status=diagnosed(text_at(event, "Details")).status if kind is OutcomeKind.BOUNCED else "",
        detail=shortened(text_at(event, "Details") or text_at(event, "Description")),
        url=text_at(event, "OriginalLink"),
        user_agent=text_at(event, "UserAgent"),
        ip=text_at(event, "Geo", "IP"),
    )


def _kind_and_cause(event: Mapping[str, Any]) -> tuple[OutcomeKind | None, Cause | None]:
    record = text_at(event, "RecordType")
    if record == "SubscriptionChange":
        if not event.get("SuppressSending"):
            return OutcomeKind.RESUBSCRIBED, None
        # Suppressed after a bounce or a complaint is told by those.
        is_own_wish = text_at(event, "SuppressionReason") == "ManualSuppression"
        return (OutcomeKind.UNSUBSCRIBED, Cause.UNSUBSCRIBED) if is_own_wish else (None, None)
    if record == "Bounce":
        return _NO_BOUNCES.get(text_at(event, "Type")) or (OutcomeKind.BOUNCED, _bounce_cause(event))
    return _KINDS.get(record), Cause.COMPLAINT if record == "SpamComplaint" else None


def _bounce_cause(event: Mapping[str, Any]) -> Cause:
    """By what the server said, or else by how Postmark sorts it."""
    found = diagnosed(text_at(event, "Details"), is_final=True).cause
    by_type = _BOUNCES.get(text_at(event, "Type"), Cause.UNKNOWN)
    return by_type if found in (Cause.UNKNOWN, Cause.TEMPORARY) else found
