"""What providers report becomes one form, and only what is certainly theirs is believed."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import ManualClock
from courtesy.channel.contract import Outside
from courtesy.channel.email import mailgun, postmark, sendgrid, ses
from courtesy.channel.email.provider import TOKEN, Received, Reporter
from courtesy.delivery.cause import DeliveryCause as Cause
from courtesy.delivery.outcome import Outcome, OutcomeKind
from tests.unit.channel.email.letters import loopback
from tests.unit.channel.email.reports import (
    CERTIFICATE_URL,
    TOPIC,
    as_received,
    certificate,
    from_mailgun,
    from_postmark,
    from_sendgrid,
    notification,
    sendgrid_public,
)

NOW_MS = 1_793_448_000_000
SAMPLES = Path(__file__).parents[5] / "shared" / "data" / "webhooks_anymail_esp" / "payloads.jsonl.gz"

SES = {"region": "eu-central-1", "access_key_id": "a", "secret_access_key": "s", "topics": [TOPIC]}
SENDGRID = {"api_key": "SG.x", "webhook_verification_key": sendgrid_public()}
MAILGUN = {"domain": "mg.shop.example", "api_key": "k", "webhook_signing_key": "mailgun-key"}
POSTMARK = {"server_token": "t", "webhook_user": "postmark", "webhook_password": "pass word"}


def told(reporter: type[Reporter], received: Received, config: dict[str, Any]) -> tuple[Outcome, ...]:
    """What a report tells; the certificate of Amazon is already known."""

    async def scenario() -> tuple[Outcome, ...]:
        opened: Any = reporter(Outside(ManualClock(NOW_MS), loopback().network, loopback().tls))  # type: ignore[call-arg]
        if isinstance(opened, ses.Ses):
            opened._certificates[CERTIFICATE_URL] = certificate()
        return tuple(await opened.told(received, config))

    return asyncio.run(scenario())


def one(reporter: type[Reporter], received: Received, config: dict[str, Any]) -> Outcome:
    """The one thing that a report tells."""
    (outcome,) = told(reporter, received, config)
    return outcome


BOUNCE_OF_SES = {
    "eventType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "timestamp": "2026-11-22T03:04:04.101Z",
        "bouncedRecipients": [
            {
                "emailAddress": "Ann@home.example",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 <ann@home.example>... User unknown",
            }
        ],
    },
    "mail": {"messageId": "0001-ses", "destination": ["ann@home.example"], "tags": {TOKEN: ["abc"]}},
}


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_bounce_by_ses_leads_back_to_its_letter(version: str) -> None:
    """With either signature of Amazon's."""
    outcome = one(ses.Ses, as_received(notification(BOUNCE_OF_SES, version)), SES)
    assert outcome == Outcome(
        kind=OutcomeKind.BOUNCED,
        cause=Cause.DEAD_ADDRESS,
        at_ms=1_795_316_644_101,
        reporter="ses",
        recipient="ann@home.example",
        token="abc",
        message_id="0001-ses",
        event_id="22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324/ann@home.example",
        status="5.1.1",
        detail="smtp; 550 5.1.1 <ann@home.example>... User unknown",
    )


@pytest.mark.parametrize(
    "message",
    [
        {**notification(BOUNCE_OF_SES), "Message": "{}"},
        {**notification(BOUNCE_OF_SES), "MessageId": "other"},
        {**notification(BOUNCE_OF_SES), "Signature": "AAAA"},
        {**notification(BOUNCE_OF_SES), "Signature": "?"},
        {**notification(BOUNCE_OF_SES), "SignatureVersion": "3"},
        notification(BOUNCE_OF_SES, TopicArn="arn:aws:sns:eu-central-1:222222222222:other"),
        notification(BOUNCE_OF_SES, SigningCertURL="https://sns.eu-central-1.amazonaws.com.evil.example/a.pem"),
        notification(BOUNCE_OF_SES, SigningCertURL="https://evil.example/sns.eu-central-1.amazonaws.com/a.pem"),
        notification(BOUNCE_OF_SES, SigningCertURL="http://sns.eu-central-1.amazonaws.com/a.pem"),
        notification(BOUNCE_OF_SES, SigningCertURL="https://a@sns.eu-central-1.amazonaws.com/a.pem"),
        notification(BOUNCE_OF_SES, SigningCertURL="https://bucket.s3.amazonaws.com/a.pem"),
        notification(BOUNCE_OF_SES, SigningCertURL="https://[::1/a.pem"),
        {},
        [],
    ],
)
def test_what_amazon_did_not_sign_for_our_topic_is_refused(message: Any) -> None:
    """A changed message, another topic, a certificate from elsewhere."""
    with pytest.raises(CourtesyError) as caught:
        told(ses.Ses, as_received(message), SES)
    assert caught.value.code is Code.UNAUTHENTICATED


def test_a_subscription_is_confirmed_at_amazon_only() -> None:
    """The address to visit is Amazon's, or nobody goes there."""
    confirmation = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://evil.example/"}
    with pytest.raises(CourtesyError, match="SubscribeURL"):
        told(ses.Ses, as_received(notification({}, **confirmation)), SES)


DROPPED = {
    "email": "Ann@home.example",
    "event": "dropped",
    "reason": "Bounced Address",
    "sg_event_id": "e1",
    TOKEN: "abc",
}


def test_sendgrid_is_believed_by_its_signature_over_the_bytes_that_came() -> None:
    """Not when a byte, the time or the key differs, nor without a key."""
    received = from_sendgrid([DROPPED])
    outcome = one(sendgrid.Sendgrid, received, SENDGRID)
    assert (outcome.kind, outcome.cause) == (OutcomeKind.REJECTED, Cause.SUPPRESSED)
    assert (outcome.recipient, outcome.token, outcome.event_id) == ("ann@home.example", "abc", "e1")
    later = {**received.headers, "x-twilio-email-event-webhook-timestamp": "1793448001"}
    for forged in (
        Received(received.headers, received.body.replace(b"home", b"bome")),
        Received(received.headers, json.dumps(json.loads(received.body)).encode()),
        Received(later, received.body),
        Received({}, received.body),
    ):
        with pytest.raises(CourtesyError) as caught:
            told(sendgrid.Sendgrid, forged, SENDGRID)
        assert caught.value.code is Code.UNAUTHENTICATED
    with pytest.raises(CourtesyError, match="no verification key"):
        told(sendgrid.Sendgrid, received, {"api_key": "SG.x"})


def test_mailgun_is_believed_by_its_key() -> None:
    """Not with another one, nor without any."""
    event = {"event": "complained", "recipient": "ann@home.example", "id": "e1", "user-variables": {TOKEN: "abc"}}
    outcome = one(mailgun.Mailgun, from_mailgun(event), MAILGUN)
    assert (outcome.kind, outcome.cause, outcome.token) == (OutcomeKind.COMPLAINED, Cause.COMPLAINT, "abc")
    for received, config in (
        (from_mailgun(event, "other"), MAILGUN),
        (as_received({"event-data": event}), MAILGUN),
        (from_mailgun(event, ""), {**MAILGUN, "webhook_signing_key": ""}),
        (Received({}, b"no json"), MAILGUN),
    ):
        with pytest.raises(CourtesyError) as caught:
            told(mailgun.Mailgun, received, config)
        assert caught.value.code is Code.UNAUTHENTICATED


def test_postmark_is_believed_by_its_login() -> None:
    """Not with another password, nor while none is set."""
    event = {"RecordType": "SpamComplaint", "Email": "ann@home.example", "ID": 7, "Metadata": {TOKEN: "abc"}}
    outcome = one(postmark.Postmark, from_postmark(event), POSTMARK)
    assert (outcome.kind, outcome.token, outcome.event_id) == (OutcomeKind.COMPLAINED, "abc", "7")
    for received, config in (
        (from_postmark(event, "postmark:other"), POSTMARK),
        (as_received(event), POSTMARK),
        (from_postmark(event, ":"), {"server_token": "t"}),
    ):
        with pytest.raises(CourtesyError) as caught:
            told(postmark.Postmark, received, config)
        assert caught.value.code is Code.UNAUTHENTICATED


def test_what_is_signed_but_no_report_tells_nothing() -> None:
    """Providers add events; ours is not to fail for that."""
    assert told(mailgun.Mailgun, from_mailgun({"event": "new"}), MAILGUN) == ()
    assert told(postmark.Postmark, from_postmark({"RecordType": "New"}), POSTMARK) == ()
    assert told(sendgrid.Sendgrid, from_sendgrid([{"event": "new"}, 7, None]), SENDGRID) == ()
    assert told(ses.Ses, as_received(notification({"eventType": "New"})), SES) == ()


@pytest.mark.parametrize(
    ("event", "kind", "cause"),
    [
        (
            {"event": "failed", "severity": "permanent", "reason": "suppress-bounce"},
            OutcomeKind.REJECTED,
            Cause.SUPPRESSED,
        ),
        ({"event": "failed", "severity": "temporary", "reason": "greylisted"}, OutcomeKind.DEFERRED, Cause.TEMPORARY),
        (
            {
                "event": "failed",
                "severity": "permanent",
                "delivery-status": {"code": 552, "message": "5.2.2 over quota"},
            },
            OutcomeKind.BOUNCED,
            Cause.FULL,
        ),
    ],
)
def test_failures_by_mailgun_have_their_cause(event: dict[str, Any], kind: OutcomeKind, cause: Cause) -> None:
    """By what the server said, or else by Mailgun's own reason."""
    outcome = one(mailgun.Mailgun, from_mailgun(event), MAILGUN)
    assert (outcome.kind, outcome.cause) == (kind, cause)


def test_a_machine_that_a_provider_knows_is_marked() -> None:
    """By Mailgun's bot flag, and by SendGrid's for Apple."""
    clicked = {"event": "clicked", "client-info": {"bot": "gmail"}}
    assert one(mailgun.Mailgun, from_mailgun(clicked), MAILGUN).is_machine is True
    opened = {"event": "open", "sg_machine_open": True}
    assert one(sendgrid.Sendgrid, from_sendgrid([opened]), SENDGRID).is_machine is True
    assert one(sendgrid.Sendgrid, from_sendgrid([{"event": "open"}]), SENDGRID).is_machine is None


def recorded(provider: str) -> list[Any]:
    """Webhooks of a provider in the form of its documentation, as another library tests with them."""
    with gzip.open(SAMPLES, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["payload"] for row in rows if row["esp"] == provider and row["kind"] == "webhooks"]


def kinds(outcomes: list[Outcome]) -> list[str]:
    """Each outcome and its cause, in alphabetical order."""
    return sorted(f"{each.kind} {each.cause or ''}".strip() for each in outcomes)


RECORDED = {
    "amazon_ses": [
        *["bounced dead_address"] * 3,
        "clicked",
        "complained complaint",
        "delivered",
        "opened",
        "rejected not_understood",
        "rejected policy",
        "sent",
    ],
    "sendgrid": [
        "bounced dead_address",
        "clicked",
        "deferred throttled",
        *["delivered"] * 2,
        "opened",
        "rejected dead_address",
        "rejected suppressed",
        "rejected unsubscribed",
        *["sent"] * 2,
    ],
    "mailgun": [
        "bounced dead_address",
        "clicked",
        "complained complaint",
        *["deferred temporary"] * 2,
        "delivered",
        "opened",
        "rejected policy",
        "unsubscribed unsubscribed",
    ],
    "postmark": [
        "bounced dead_address",
        "clicked",
        "complained complaint",
        "delivered",
        "opened",
        "resubscribed",
        *["unsubscribed unsubscribed"] * 2,
    ],
}
"""What each provider's recorded webhooks tell; those left out are of other lists, or told twice."""


@pytest.mark.skipif(not SAMPLES.exists(), reason="the recorded webhooks lie beside the checkout, where they are kept")
def test_recorded_webhooks_are_understood() -> None:
    """Of each provider, every event that has a meaning for us."""
    found = {
        "amazon_ses": [x for each in recorded("amazon_ses") for x in ses.outcomes(each, {}, NOW_MS)],
        "sendgrid": [
            x for each in recorded("sendgrid") for event in each if (x := sendgrid.outcome(event, NOW_MS)) is not None
        ],
        "mailgun": [x for each in recorded("mailgun") if (x := mailgun.outcome(each, NOW_MS)) is not None],
        "postmark": [x for each in recorded("postmark") if (x := postmark.outcome(each, NOW_MS)) is not None],
    }
    assert {name: kinds(outcomes) for name, outcomes in found.items()} == RECORDED
    for outcomes in found.values():
        assert all(outcome.at_ms > 0 for outcome in outcomes)
