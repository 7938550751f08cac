"""The carrier `ses`: letters by Amazon SES (API version 2), and what SES reports by SNS."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
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
    json_value,
    not_theirs,
)
from courtesy.channel.email.sigv4 import Credentials, signed_headers
from courtesy.channel.email.sns import CONFIRMATIONS, amazon_url, certificate_url, check_topic, verify
from courtesy.channel.message import Accepted, Answer, Later, Refused
from courtesy.component.declaration import Component, Field, FieldType, Kind
from courtesy.component.validation import validated
from courtesy.delivery.cause import DeliveryCause as Cause
from courtesy.delivery.diagnosis import diagnosed
from courtesy.delivery.outcome import Outcome, OutcomeKind, shortened, text_at

REPORTER = "ses"
_CERTIFICATES_MAX = 16
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")

COMPONENT = Component(
    name="ses",
    kind=Kind.CHANNEL,
    summary="Sends e-mail through Amazon SES.",
    doc="""
Letters go to `SendEmail` of the API version 2, as they are; SES signs them for the domains that are verified there.
Create a configuration set that publishes events to an SNS topic, subscribe the address for reports to that topic over
HTTPS, and name both here: the subscription is confirmed by itself. What comes in is taken only with Amazon's signature
and of a topic that is listed.

SES has no key by which it would recognise a letter that comes twice. So a call that breaks before its answer is unsure,
and not repeated.
""",
    fields=(
        Field(
            "region",
            FieldType.STRING,
            "The region of AWS.",
            example="eu-central-1",
            required=True,
            check=lambda region: "" if _REGION.fullmatch(region) else "a region such as eu-central-1",
        ),
        Field(
            "access_key_id",
            FieldType.STRING,
            "The id of a key that may do `ses:SendEmail`.",
            example="AKIDEXAMPLE",
            required=True,
            secret=True,
        ),
        Field(
            "secret_access_key",
            FieldType.STRING,
            "The key itself.",
            example="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            required=True,
            secret=True,
        ),
        Field(
            "configuration_set",
            FieldType.STRING,
            "The configuration set that publishes events; empty for the usual one of the account.",
            example="courtesy",
            default="",
        ),
        Field(
            "topics",
            FieldType.STRINGS,
            "The ARNs of the SNS topics whose reports are believed.",
            example=("arn:aws:sns:eu-central-1:111111111111:courtesy",),
            default=(),
        ),
        api_url_field(""),
    ),
)


class _Settings(msgspec.Struct, frozen=True):
    """The fields of COMPONENT, validated."""

    region: str
    access_key_id: str
    secret_access_key: str
    configuration_set: str
    topics: tuple[str, ...]
    api_url: str

    @property
    def send_url(self) -> str:
        base = self.api_url or f"https://email.{self.region}.amazonaws.com"
        return f"{base.rstrip('/')}/v2/email/outbound-emails"


class Ses:
    """The carrier `ses`, which is also a reporter."""

    component: ClassVar[Component] = COMPONENT

    def __init__(self, outside: Outside) -> None:
        self._clock = outside.clock
        self._api = Api(outside)
        self._certificates: dict[str, bytes] = {}

    async def carry(self, letter: Letter, config: dict[str, Any]) -> Answer:
        try:
            settings = _settings(config)
        except CourtesyError as error:
            return Later(Cause.SET_UP, str(error))
        try:
            body = _request(letter, settings)
        except CourtesyError as error:
            return Refused(Cause.NOT_UNDERSTOOD, str(error))
        credentials = Credentials(settings.access_key_id, settings.secret_access_key, settings.region)
        now_ms = self._clock.now_ms()
        headers = signed_headers(credentials, "ses", "POST", settings.send_url, body, now_ms)
        answer = await self._api.post(settings.send_url, {**headers, "Content-Type": "application/json"}, body)
        return self._meant(answer) if isinstance(answer, ApiAnswer) else answer

    async def told(self, received: Received, config: dict[str, Any]) -> tuple[Outcome, ...]:
        """As a `Reporter`; a subscription to a topic of ours is confirmed."""
        settings = _settings(config)
        message = json_object(received.body)
        if message is None:
            raise not_theirs("Amazon", "it is no JSON object")
        check_topic(message, settings.topics)
        verify(message, await self._certificate(certificate_url(message)))
        if text_at(message, "Type") in CONFIRMATIONS:
            if text_at(message, "Type") == CONFIRMATIONS[0]:
                await self._api.get(amazon_url(message, "SubscribeURL"))
            return ()
        return tuple(outcomes(json_value(text_at(message, "Message").encode()), message, self._clock.now_ms()))

    async def aclose(self) -> None:
        await self._api.aclose()

    async def _certificate(self, url: str) -> bytes:
        """Fetched once; a new one has another address."""
        if url not in self._certificates:
            if len(self._certificates) >= _CERTIFICATES_MAX:
                self._certificates.clear()
            self._certificates[url] = await self._api.get(url)
        return self._certificates[url]

    def _meant(self, answer: ApiAnswer) -> Answer:
        """SES names its errors; what a status alone would say is vaguer."""
        if answer.status == 200:
            return Accepted("200", text_at(answer.data, "MessageId"))
        kind = (answer.headers.get("x-amzn-errortype") or text_at(answer.data, "__type")).partition(":")[0]
        if "not verified" in answer.said.lower():
            return Later(Cause.SET_UP, answer.said)
        match kind.rpartition("#")[2]:
            case "MessageRejected":
                return Refused(Cause.POLICY, answer.said)
            case "LimitExceededException" | "TooManyRequestsException" | "ThrottlingException" | "Throttling":
                return Later(Cause.THROTTLED, answer.said)
            case "AccountSuspendedException" | "SendingPausedException" | "MailFromDomainNotVerifiedException":
                return Later(Cause.SET_UP, answer.said)
            case _:
                return self._api.by_status(answer)


def _settings(config: dict[str, Any]) -> _Settings:
    return msgspec.convert(validated(COMPONENT, config), _Settings)


def _request(letter: Letter, settings: _Settings) -> bytes:
    """The body of `SendEmail`. Raises CourtesyError (INVALID) for a letter that no message can be made of."""
    data: dict[str, Any] = {
        "Destination": {"ToAddresses": [address(letter.to, "to")]},
        "Content": {"Raw": {"Data": base64.b64encode(composed(letter).content).decode()}},
    }
    if settings.configuration_set:
        data["ConfigurationSetName"] = settings.configuration_set
    if letter.token:
        data["EmailTags"] = [{"Name": TOKEN, "Value": letter.token}]
    return msgspec.json.encode(data)


_BY_SUBTYPE = {
    "Suppressed": Cause.SUPPRESSED,
    "OnAccountSuppressionList": Cause.SUPPRESSED,
    "UnsubscribedRecipient": Cause.UNSUBSCRIBED,
    "NoEmail": Cause.DEAD_ADDRESS,
    "MailboxFull": Cause.FULL,
    "MessageTooLarge": Cause.TOO_LARGE,
    "ContentRejected": Cause.POLICY,
    "AttachmentRejected": Cause.POLICY,
    "CustomTimeoutExceeded": Cause.NO_ANSWER,
}
_BY_TYPE = {"Permanent": Cause.DEAD_ADDRESS, "Transient": Cause.TEMPORARY}
_NOT_OF_THE_ADDRESS = (Cause.SUPPRESSED, Cause.UNSUBSCRIBED)


# What each event becomes, where it tells of it, and where it lists those whom it is about; else it is all whom the
# letter was for.
_EVENTS: dict[str, tuple[OutcomeKind, str, str]] = {
    "Send": (OutcomeKind.SENT, "send", ""),
    "Delivery": (OutcomeKind.DELIVERED, "delivery", "recipients"),
    "Bounce": (OutcomeKind.BOUNCED, "bounce", "bouncedRecipients"),
    "DeliveryDelay": (OutcomeKind.DEFERRED, "deliveryDelay", "delayedRecipients"),
    "Complaint": (OutcomeKind.COMPLAINED, "complaint", "complainedRecipients"),
    "Reject": (OutcomeKind.REJECTED, "reject", ""),
    "Rendering Failure": (OutcomeKind.REJECTED, "failure", ""),
    "Open": (OutcomeKind.OPENED, "open", ""),
    "Click": (OutcomeKind.CLICKED, "click", ""),
    "Subscription": (OutcomeKind.UNSUBSCRIBED, "subscription", ""),
}


def outcomes(event: Any, envelope: Mapping[str, Any], now_ms: int) -> Iterator[Outcome]:
    """What an event of SES tells, one outcome for each recipient. `envelope` is the notification that it came in."""
    if not isinstance(event, Mapping):
        return
    name = text_at(event, "eventType") or text_at(event, "notificationType")
    if name not in _EVENTS or text_at(event, "complaint", "complaintFeedbackType") == "not-spam":
        return
    kind, section, recipients = _EVENTS[name]
    about, mail = _object(event, section), _object(event, "mail")
    listed = about.get(recipients) if recipients else mail.get("destination")
    for each in listed if isinstance(listed, list) else [""]:
        one = each if isinstance(each, Mapping) else {"emailAddress": each}
        yield _outcome(kind, about, one, mail, envelope, now_ms)


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def _outcome(
    kind: OutcomeKind,
    about: Mapping[str, Any],
    one: Mapping[str, Any],
    mail: Mapping[str, Any],
    envelope: Mapping[str, Any],
    now_ms: int,
) -> Outcome:
    to = text_at(one, "emailAddress").lower()
    tokens = _object(mail, "tags").get(TOKEN)
    at_ms = instant(about.get("timestamp") or mail.get("timestamp") or text_at(envelope, "Timestamp"), now_ms)
    words = text_at(one, "diagnosticCode") or text_at(about, "reason") or text_at(about, "errorMessage")
    return Outcome(
        kind=kind,
        at_ms=at_ms,
        reporter=REPORTER,
        recipient=to,
        cause=_cause(kind, about, one),
        token=str(tokens[0]) if isinstance(tokens, list) and tokens else "",
        message_id=text_at(mail, "messageId"),
        event_id=f"{text_at(envelope, 'MessageId')}/{to}",
        status=text_at(one, "status"),
        detail=shortened(words or text_at(about, "smtpResponse") or text_at(about, "complaintFeedbackType")),
        url=text_at(about, "link"),
        user_agent=text_at(about, "userAgent") if kind is not OutcomeKind.COMPLAINED else "",
        ip=text_at(about, "ipAddress"),
    )


def _cause(kind: OutcomeKind, about: Mapping[str, Any], one: Mapping[str, Any]) -> Cause | None:
    match kind:
        case OutcomeKind.COMPLAINED:
            return Cause.COMPLAINT
        case OutcomeKind.UNSUBSCRIBED:
            return Cause.UNSUBSCRIBED
        case OutcomeKind.REJECTED:
            return Cause.POLICY if "reason" in about else Cause.NOT_UNDERSTOOD
        case OutcomeKind.BOUNCED | OutcomeKind.DEFERRED:
            return _bounce_cause(kind, about, one)
        case _:
            return None


def _bounce_cause(kind: OutcomeKind, about: Mapping[str, Any], one: Mapping[str, Any]) -> Cause:
    """By what the server said, unless it was not asked; else by how SES sorts it."""
    by_subtype = _BY_SUBTYPE.get(text_at(about, "bounceSubType"))
    if by_subtype in _NOT_OF_THE_ADDRESS:
        return by_subtype
    words, is_final = text_at(one, "diagnosticCode"), kind is OutcomeKind.BOUNCED
    found = diagnosed(words, text_at(one, "status"), is_final=is_final).cause
    if words and found is not Cause.UNKNOWN:
        return found
    return by_subtype or _BY_TYPE.get(text_at(about, "bounceType"), Cause.UNKNOWN if is_final else Cause.TEMPORARY)
