"""What real servers say, and the cause behind it: whose fault it is decides whether an address is lost."""

from __future__ import annotations

import pytest

from courtesy.delivery.cause import REACTION, DeliveryCause, Reaction
from courtesy.delivery.diagnosis import diagnosed

Cause = DeliveryCause

# In the forms in which large providers and widely used servers answer.
SAID = [
    ("550-5.1.1 The email account that you tried to reach does not exist. Please try", Cause.DEAD_ADDRESS, True),
    ("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", Cause.DEAD_ADDRESS, True),
    ("554 delivery error: dd This user doesn't have a yahoo.com account (ann@yahoo.com) [0]", Cause.DEAD_ADDRESS, True),
    ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", Cause.DEAD_ADDRESS, True),
    ("550 <ann@gmx.example> Mailbox unavailable", Cause.DEAD_ADDRESS, True),
    ("550 5.1.1 <ann@aol.example>: Recipient address rejected: aol.example", Cause.DEAD_ADDRESS, True),
    ("sorry, no mailbox here by that name. (#5.1.1)", Cause.DEAD_ADDRESS, True),
    ("550 Requested action not taken: mailbox unavailable", Cause.DEAD_ADDRESS, True),
    ("550 5.7.1 User unknown; rejecting", Cause.DEAD_ADDRESS, True),
    ("550 5.1.2 Host unknown (Name server: host not found)", Cause.BAD_DOMAIN, True),
    ("Sorry, I couldn't find any host named nowhere.example. (#5.1.2)", Cause.BAD_DOMAIN, True),
    ("556 5.1.10 Domain does not accept mail (nullMX)", Cause.BAD_DOMAIN, True),
    ("550-5.2.1 The email account that you tried to reach is disabled.", Cause.INACTIVE, True),
    (
        "554 30 Sorry, your message to ann@yahoo.example cannot be delivered. This mailbox is disabled",
        Cause.INACTIVE,
        True,
    ),
    ("550 5.2.1 Mailbox for ann is suspended", Cause.INACTIVE, True),
    ("552-5.2.2 The email account that you tried to reach is over quota", Cause.FULL, True),
    ("452-4.2.2 The email account that you tried to reach is over quota", Cause.FULL, False),
    ("552 5.2.2 Mailbox size limit exceeded", Cause.FULL, True),
    ("554 5.2.2 mailbox full; STOREDRV.Deliver; quota exceeded", Cause.FULL, True),
    ("550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using zen.spamhaus.org", Cause.POLICY, True),
    (
        "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. part of their network is on our block list "
        "(S3140)",
        Cause.POLICY,
        True,
    ),
    ("550-5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail.", Cause.POLICY, True),
    ("554 5.7.1 Spam message rejected", Cause.POLICY, True),
    ("554 Denied by policy", Cause.POLICY, True),
    ("550-5.7.26 This mail has been blocked because the sender is unauthenticated.", Cause.AUTHENTICATION, True),
    (
        "550 5.7.509 Access denied, sending domain shop.example does not pass DMARC verification",
        Cause.AUTHENTICATION,
        True,
    ),
    ("550 5.7.23 The message was rejected because of Sender Policy Framework violation", Cause.AUTHENTICATION, True),
    ("550 5.7.25 The IP address sending this message does not have a PTR record", Cause.AUTHENTICATION, True),
    ("530 5.7.0 Must issue a STARTTLS command first", Cause.AUTHENTICATION, True),
    ("421-4.7.28 Gmail has detected an unusual rate of unsolicited mail", Cause.THROTTLED, False),
    ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume", Cause.THROTTLED, False),
    ("450-4.2.1 The user you are trying to contact is receiving mail at a rate that", Cause.THROTTLED, False),
    ("451 4.7.1 Greylisting in action, please come back later", Cause.TEMPORARY, False),
    ("450 4.7.1 <ann@home.example>: Recipient address rejected: Greylisted", Cause.TEMPORARY, False),
    ("450 4.1.1 <ann@home.example>: Recipient address rejected: unverified address", Cause.TEMPORARY, False),
    ("451 4.3.0 Internal server error", Cause.TEMPORARY, False),
    ("connect to mx.home.example[192.0.2.1]:25: Connection timed out", Cause.NO_ANSWER, False),
    ("552 5.3.4 Message size exceeds fixed maximum message size", Cause.TOO_LARGE, True),
    ("535 5.7.8 Error: authentication failed", Cause.SET_UP, True),
    ("550 5.6.7 Address includes non-ASCII; SMTPUTF8 required", Cause.NOT_UNDERSTOOD, True),
    ("550 Rejected", Cause.UNKNOWN, True),
]


@pytest.mark.parametrize(("words", "cause", "is_permanent"), SAID)
def test_what_a_server_says_has_a_cause(words: str, cause: DeliveryCause, is_permanent: bool) -> None:
    """By its words, or else its codes; and whether it may pass."""
    found = diagnosed(words)
    assert (found.cause, found.is_permanent) == (cause, is_permanent)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("5.1.1", Cause.DEAD_ADDRESS),
        ("5.1.2", Cause.BAD_DOMAIN),
        ("5.2.1", Cause.INACTIVE),
        ("5.2.2", Cause.FULL),
        ("5.3.4", Cause.TOO_LARGE),
        ("5.7.1", Cause.POLICY),
        ("5.7.26", Cause.AUTHENTICATION),
        ("4.4.1", Cause.NO_ANSWER),
        ("4.7.0", Cause.THROTTLED),
        ("4.0.0", Cause.TEMPORARY),
        ("5.0.0", Cause.UNKNOWN),
    ],
)
def test_a_code_alone_has_a_cause(status: str, cause: DeliveryCause) -> None:
    """By the registry of enhanced codes."""
    assert diagnosed("", status).cause is cause


def test_an_address_or_a_link_in_the_words_is_no_cause() -> None:
    """Somebody may be called spam, and a help page may be about block lists."""
    assert diagnosed("550 <spam.dmarc@quota.example> https://blacklist.example/virus refused").cause is Cause.UNKNOWN


def test_no_address_is_lost_by_a_refusal_that_may_pass() -> None:
    """What a server says with a 4 is not final, unless somebody gave up on it."""
    assert diagnosed("450 4.1.1 user unknown").cause is Cause.TEMPORARY
    assert diagnosed("450 4.1.1 user unknown", is_final=True).cause is Cause.DEAD_ADDRESS


def test_only_causes_of_the_address_suppress_it() -> None:
    """Whoever is refused for what they send must not lose their customers' addresses."""
    assert set(REACTION) == set(DeliveryCause)
    suppressing = {cause for cause, reaction in REACTION.items() if reaction is Reaction.SUPPRESS}
    assert suppressing == {Cause.DEAD_ADDRESS, Cause.BAD_DOMAIN, Cause.INACTIVE, Cause.SUPPRESSED}
    for cause in (Cause.POLICY, Cause.AUTHENTICATION, Cause.THROTTLED, Cause.TOO_LARGE):
        assert REACTION[cause] is Reaction.BRAKE
