"""E-mail against programs of others: they take it, they find its signatures good, and we read what they send back."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

from courtesy.channel.email.composing import composed
from courtesy.channel.email.dkim import signed, signer
from courtesy.channel.email.ses import Ses
from courtesy.channel.email.smtp import Smtp
from courtesy.channel.message import Accepted, Answer, Refused
from courtesy.delivery.cause import DeliveryCause
from courtesy.delivery.outcome import OutcomeKind
from courtesy.delivery.return_path import return_path, signed_token
from courtesy.delivery.returned import Returned, outcomes_of
from tests.e2e.asking import until
from tests.e2e.mail_peers import opendkim_says, postfix, smtp_sink, spam_score
from tests.unit.channel.email.letters import FULL, NOW_MS, ed25519_pem, letter, loopback, rsa_pem
from tests.unit.channel.mailbox import mailbox

KEY = b"k" * 32
KEYS = [f"r1:{rsa_pem()}", f"e1:{ed25519_pem()}"]


def records() -> dict[str, str]:
    """What the shop publishes in DNS."""
    keys = [signer("shop.example", selector, pem) for selector, pem in (each.split(":", 1) for each in KEYS)]
    return {f"{each.selector}._domainkey.shop.example": each.record for each in keys}


def signed_content() -> bytes:
    """The full letter, signed by both keys."""
    keys = [signer("shop.example", selector, pem) for selector, pem in (each.split(":", 1) for each in KEYS)]
    return signed(composed(FULL), keys, NOW_MS).content


def carried(port: int, letters: list[Any], **more: Any) -> list[Answer]:
    """The answers to letters that are carried at once."""

    async def scenario() -> list[Answer]:
        carrier = Smtp(loopback())
        config = {"host": "127.0.0.1", "port": port, "security": "none", **more}
        answers = await asyncio.gather(*(carrier.carry(each, config) for each in letters))
        await carrier.aclose()
        return list(answers)

    return asyncio.run(scenario())


def test_opendkim_finds_both_signatures_good_and_none_after_a_change() -> None:
    """RSA and ed25519 over the same mail."""
    content = signed_content()
    assert opendkim_says(content, records()) == ["pass", "pass"]
    assert opendkim_says(content.replace(b"SGVsbG8", b"SGVsbG9"), records()) == ["fail", "fail"]
    assert opendkim_says(content.replace(b"One-Click", b"Two-Click"), records()) == ["fail", "fail"]


def test_smtp_sink_takes_many_letters_whose_signatures_hold_on_the_other_side() -> None:
    """Over four connections at once, each letter once."""
    letters = [letter(message_id=f"{number}@shop.example", subject=f"Letter {number}") for number in range(200)]
    with smtp_sink() as (port, taken):
        answers = carried(port, letters, dkim_domain="shop.example", dkim_keys=KEYS)
        assert {type(each) for each in answers} == {Accepted}
        until(lambda: taken.read_bytes().count(b"Message-ID:") == 200, "the sink to write down all letters")
        content = taken.read_bytes()
    for number in range(200):
        assert content.count(f"Message-ID: <{number}@shop.example>".encode()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix' master starts as root only")
def test_a_bounce_that_postfix_writes_leads_back_to_its_letter() -> None:
    """A recipient that the next server refuses: Postfix takes the letter, gives it up, and writes a report to us."""
    message = bytes(range(16))
    token = signed_token(message, KEY)
    written = letter(return_path=return_path(message, "bounce.shop.example", KEY), token=token)
    with mailbox() as refusing, mailbox() as ours:
        refusing.refusal = "550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        with postfix({"home.example": refusing.port, "bounce.shop.example": ours.port}) as port:
            (answer,) = carried(port, [written], dkim_domain="shop.example", dkim_keys=KEYS)
            assert isinstance(answer, Accepted)
            until(lambda: bool(ours.envelopes), "Postfix to send its report")
    (envelope,) = ours.envelopes
    assert isinstance(envelope.content, bytes)
    (outcome,) = outcomes_of(Returned(envelope.content, envelope.rcpt_tos[0], NOW_MS), KEY)
    assert (outcome.kind, outcome.cause, outcome.status) == (OutcomeKind.BOUNCED, DeliveryCause.DEAD_ADDRESS, "5.1.1")
    assert (outcome.recipient, outcome.token) == ("ann@home.example", token)
    assert outcome.message_id == FULL.message_id
    (without_envelope,) = outcomes_of(Returned(envelope.content, "", NOW_MS), KEY)
    assert without_envelope.token == token


def test_spamassassin_finds_little_to_object() -> None:
    """None of the points that a missing date, id or text part costs, nor for base64."""
    score = spam_score(signed_content())
    assert score.points < 2.0, score
    for rule in ("MISSING_DATE", "MISSING_MID", "MIME_HTML_ONLY", "MPART_ALT_DIFF", "MIME_BASE64_TEXT", "INVALID_DATE"):
        assert rule not in score.rules


async def test_ses_as_moto_plays_it_takes_the_letter() -> None:
    """Once the domain is verified there, and not before."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    account = get_backend("ses")["123456789012"]["eu-central-1"]
    config = {**Ses.component.example, "api_url": f"http://{host}:{port}", "configuration_set": ""}
    carrier = Ses(loopback())
    try:
        early = await carrier.carry(letter(), config)
        account.create_email_identity_v2("shop.example", None, None, None)
        taken = await carrier.carry(letter(), config)
    finally:
        await carrier.aclose()
        server.stop()
    assert isinstance(early, Refused)
    assert "MessageRejected" in early.words
    assert isinstance(taken, Accepted)
    (sent,) = account.sent_messages
    assert sent.id == taken.message_id
    assert "ann@home.example" in sent.destinations
    assert "List-Unsubscribe-Post" in sent.raw_data
