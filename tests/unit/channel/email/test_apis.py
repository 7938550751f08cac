"""Letters by API: what a provider is sent, and what each of its answers means for the letter."""

from __future__ import annotations

import asyncio
import base64
import json
from email import message_from_bytes, policy
from typing import Any

import pytest

from courtesy.channel.email import CARRIERS
from courtesy.channel.email.carrier import Carrier
from courtesy.channel.email.mailgun import Mailgun
from courtesy.channel.email.postmark import Postmark
from courtesy.channel.email.provider import TOKEN
from courtesy.channel.email.sendgrid import Sendgrid
from courtesy.channel.email.ses import Ses
from courtesy.channel.email.smtp import Smtp
from courtesy.channel.message import Accepted, Answer, Later, Refused, Unsure
from courtesy.delivery.cause import DeliveryCause as Cause
from tests.unit.channel.email.letters import FULL, letter, loopback
from tests.unit.channel.receiver import Request, Script, answering, receiving, saying

APIS: list[type[Carrier]] = [carrier for carrier in CARRIERS if carrier is not Smtp]
each_api = pytest.mark.parametrize("carrier", APIS, ids=lambda carrier: carrier.component.name)


def carried(carrier: type[Carrier], script: Script, **more: Any) -> tuple[Answer, Request]:
    """What a letter comes to at a provider that answers so, and what it was sent."""

    async def scenario() -> tuple[Answer, Request]:
        async with receiving(script) as receiver:
            opened = carrier(loopback())
            config = {**carrier.component.example, "api_url": f"http://127.0.0.1:{receiver.port}"}
            answer = await opened.carry(letter(**more), config)
            await opened.aclose()
            return answer, receiver.requests[0]

    return asyncio.run(scenario())


def test_ses_gets_the_letter_as_it_is_with_our_token() -> None:
    """Signed by version 4; the id that comes back is the one in its reports."""
    answer, request = carried(Ses, answering(200, body=b'{"MessageId": "0001-ses"}'))
    assert answer == Accepted("200", "0001-ses")
    sent = json.loads(request.body)
    assert request.line == "POST /v2/email/outbound-emails HTTP/1.1"
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert (sent["Destination"], sent["ConfigurationSetName"]) == ({"ToAddresses": ["ann@home.example"]}, "courtesy")
    assert sent["EmailTags"] == [{"Name": TOKEN, "Value": "abc"}]
    message = message_from_bytes(base64.b64decode(sent["Content"]["Raw"]["Data"]), policy=policy.default)
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"


def test_sendgrid_gets_parts_and_headers_and_tracks_nothing() -> None:
    """It composes by itself, so that what the letter's headers say is told in its own words."""
    answer, request = carried(Sendgrid, answering(202, "X-Message-Id: sg-1"))
    assert answer == Accepted("202", "sg-1")
    sent = json.loads(request.body)
    assert (request.line, request.headers["authorization"]) == ("POST /v3/mail/send HTTP/1.1", "Bearer SG.example")
    assert sent["personalizations"] == [{"to": [{"email": "ann@home.example", "name": "Ann"}]}]
    assert [part["type"] for part in sent["content"]] == ["text/plain", "text/html"]
    assert sent["headers"] == {
        "List-Id": "<news.shop.example>",
        "List-Unsubscribe": "<https://go.shop.example/u/abc>, <mailto:unsubscribe@shop.example?subject=abc>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Feedback-ID": "autumn:a:marketing:shop",
    }
    assert sent["custom_args"] == {TOKEN: "abc"}
    assert [each["enable"] for each in sent["tracking_settings"].values()] == [False] * 3


def test_mailgun_gets_the_letter_as_it_is_in_a_form() -> None:
    """Byte for byte, with our token beside it."""
    answer, request = carried(Mailgun, answering(200, body=b'{"id": "<mg-1@mg.shop.example>", "message": "Queued."}'))
    assert answer == Accepted("200", "mg-1@mg.shop.example")
    assert request.line == "POST /v3/mg.shop.example/messages.mime HTTP/1.1"
    form = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode() + request.body
    parts = list(message_from_bytes(form, policy=policy.default).iter_parts())
    names = [part.get_param("name", header="content-disposition") for part in parts]
    assert names == ["to", "o:tracking", f"v:{TOKEN}", "message"]
    assert [parts[at].get_content() for at in range(3)] == ["ann@home.example", "no", "abc"]
    assert b"List-Unsubscribe-Post" in request.body


def test_postmark_gets_parts_and_headers_and_tracks_nothing() -> None:
    """By the stream that is configured."""
    answer, request = carried(Postmark, answering(200, body=b'{"ErrorCode": 0, "MessageID": "pm-1"}'))
    assert answer == Accepted("200", "pm-1")
    sent = json.loads(request.body)
    assert (sent["From"], sent["To"]) == ('"Shoes & More" <hello@shop.example>', '"Ann" <ann@home.example>')
    assert (sent["TextBody"], sent["HtmlBody"]) == (FULL.text, FULL.html)
    assert (sent["TrackOpens"], sent["TrackLinks"], sent["MessageStream"]) == (False, "None", "broadcast")
    assert (sent["Metadata"], sent["ReplyTo"]) == ({TOKEN: "abc"}, "people@shop.example")
    assert {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"} in sent["Headers"]


@each_api
@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        (400, Refused, Cause.NOT_UNDERSTOOD),
        (401, Later, Cause.SET_UP),
        (403, Later, Cause.SET_UP),
        (404, Later, Cause.SET_UP),
        (413, Refused, Cause.TOO_LARGE),
        (429, Later, Cause.THROTTLED),
        (500, Later, Cause.TEMPORARY),
        (503, Later, Cause.TEMPORARY),
        (302, Later, Cause.SET_UP),
    ],
)
def test_a_status_says_whose_fault_it_is(carrier: type[Carrier], status: int, kind: type[Answer], cause: Cause) -> None:
    """The letter's, the provider's, or that of the set-up."""
    answer, _ = carried(carrier, answering(status, "Retry-After: 7", body=b"why"))
    assert isinstance(answer, Later | Refused)
    assert (type(answer), answer.cause, answer.words) == (kind, cause, f"{status} why")
    assert not isinstance(answer, Later) or answer.after_ms == (7_000 if status == 429 else None)


@each_api
@pytest.mark.parametrize(
    "script", [saying(b""), saying(b"HTTP/1.1 2"), saying(b"nonsense\r\n\r\n"), answering(502), answering(504)]
)
def test_a_call_without_an_answer_of_the_provider_leaves_the_letter_unsure(
    carrier: type[Carrier], script: Script
) -> None:
    """It arrived whole, so the letter may go out; nobody sends it again."""
    answer, _ = carried(carrier, script)
    assert isinstance(answer, Unsure)


@pytest.mark.parametrize(
    ("carrier", "script", "kind", "cause"),
    [
        (Ses, answering(400, "x-amzn-ErrorType: MessageRejected:http://x", body=b"{}"), Refused, Cause.POLICY),
        (Ses, answering(400, body=b'{"__type": "MessageRejected", "message": "not verified"}'), Later, Cause.SET_UP),
        (Ses, answering(400, body=b'{"__type": "com.amazonaws#LimitExceededException"}'), Later, Cause.THROTTLED),
        (Ses, answering(400, body=b'{"__type": "SendingPausedException"}'), Later, Cause.SET_UP),
        (Postmark, answering(422, body=b'{"ErrorCode": 406, "Message": "inactive"}'), Refused, Cause.SUPPRESSED),
        (Postmark, answering(422, body=b'{"ErrorCode": 405, "Message": "no credits"}'), Later, Cause.SET_UP),
        (Postmark, answering(422, body=b'{"ErrorCode": 300, "Message": "invalid"}'), Refused, Cause.NOT_UNDERSTOOD),
    ],
)
def test_a_provider_says_more_than_its_status(
    carrier: type[Carrier], script: Script, kind: type[Answer], cause: Cause
) -> None:
    """Where it names its errors."""
    answer, _ = carried(carrier, script)
    assert isinstance(answer, Later | Refused)
    assert (type(answer), answer.cause) == (kind, cause)


async def test_connections_are_used_again_and_closed_at_the_end() -> None:
    """A campaign makes no connection for each letter."""
    ok = b"HTTP/1.1 202 Any\r\nContent-Length: 0\r\n\r\n"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ok)
        while head := await reader.readline():
            while (line := await reader.readline()) != b"\r\n":
                head = line if line.lower().startswith(b"content-length") else head
            await reader.readexactly(int(head.split(b":")[1]))
            writer.write(ok)

    async with receiving(script) as receiver:
        carrier = Sendgrid(loopback())
        config = {**Sendgrid.component.example, "api_url": f"http://127.0.0.1:{receiver.port}"}
        answers = [await carrier.carry(letter(), config) for _ in range(3)]
        await carrier.aclose()
    assert [type(each) for each in answers] == [Accepted] * 3
    assert len(receiver.requests) == 1
