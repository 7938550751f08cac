"""Whatever form a bounce or complaint has, letter, address and cause are found; what a person writes is no report."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.delivery.cause import DeliveryCause as Cause
from courtesy.delivery.outcome import Outcome, OutcomeKind
from courtesy.delivery.return_path import return_path, signed_token
from courtesy.delivery.returned import Returned, outcomes_of
from tests.unit.delivery import returned_mail as forms
from tests.unit.delivery.returned_mail import returned

KEY = b"k" * 32
MESSAGE = bytes(range(16))
ADDRESS = return_path(MESSAGE, "bounce.shop.example", KEY)
TOKEN = signed_token(MESSAGE, KEY)
AT_MS = 1_763_780_700_000


def told(form: str, envelope_to: str = "", key: bytes = KEY) -> tuple[Outcome, ...]:
    """What a mail in this form tells."""
    return outcomes_of(Returned(returned(form, ADDRESS), envelope_to, AT_MS), key)


@pytest.mark.parametrize(
    ("form", "kind", "cause", "recipient", "status"),
    [
        (forms.POSTFIX, OutcomeKind.BOUNCED, Cause.DEAD_ADDRESS, "ann@home.example", "5.1.1"),
        (forms.DELAYED, OutcomeKind.DEFERRED, Cause.NO_ANSWER, "ann@home.example", "4.4.1"),
        (forms.EXCHANGE, OutcomeKind.BOUNCED, Cause.FULL, "ann@home.example", "5.2.2"),
        (forms.GMAIL, OutcomeKind.BOUNCED, Cause.POLICY, "ann@home.example", "5.7.1"),
        (forms.SENDMAIL, OutcomeKind.BOUNCED, Cause.BAD_DOMAIN, "ann@nowhere.example", "5.1.2"),
        (forms.EXIM, OutcomeKind.BOUNCED, Cause.INACTIVE, "ann@home.example", "5.2.1"),
        (forms.QMAIL, OutcomeKind.BOUNCED, Cause.DEAD_ADDRESS, "ann@home.example", "5.1.1"),
        (forms.YAHOO, OutcomeKind.BOUNCED, Cause.DEAD_ADDRESS, "ann@yahoo.example", ""),
        (forms.GERMAN, OutcomeKind.BOUNCED, Cause.FULL, "ann@home.example", ""),
        (forms.COMPLAINT, OutcomeKind.COMPLAINED, Cause.COMPLAINT, "ann@home.example", ""),
        (forms.COMPLAINT_WITHOUT_RECIPIENT, OutcomeKind.COMPLAINED, Cause.COMPLAINT, "", ""),
        (forms.VACATION, OutcomeKind.AUTOREPLIED, Cause.AUTO_REPLY, "ann@home.example", ""),
        (forms.OLD_VACATION, OutcomeKind.AUTOREPLIED, Cause.AUTO_REPLY, "ann@home.example", ""),
    ],
)
def test_what_comes_back_is_one_outcome_of_the_letter(
    form: str, kind: OutcomeKind, cause: Cause, recipient: str, status: str
) -> None:
    """With our token, from wherever it stands."""
    (outcome,) = told(form)
    assert (outcome.kind, outcome.cause, outcome.recipient) == (kind, cause, recipient)
    assert (outcome.status, outcome.token, outcome.at_ms) == (status, TOKEN, AT_MS)


def test_the_letters_own_id_is_found_in_what_came_back() -> None:
    """Where the report brings its headers along."""
    (outcome,) = told(forms.POSTFIX)
    assert outcome.message_id == "20251122.1@shop.example"


def test_only_a_token_that_we_made_is_believed() -> None:
    """Anybody may send us a bounce; without the key it leads to no message."""
    (outcome,) = told(forms.POSTFIX, key=b"x" * 32)
    assert (outcome.kind, outcome.token) == (OutcomeKind.BOUNCED, "")


def test_the_envelope_counts_before_what_stands_inside() -> None:
    """A letter that came back may quote another one."""
    other = bytes(16)
    (outcome,) = told(forms.POSTFIX, envelope_to=return_path(other, "bounce.shop.example", KEY))
    assert outcome.token == signed_token(other, KEY)


def test_what_a_person_writes_is_no_report() -> None:
    """Even about deliveries."""
    assert told(forms.PERSON) == ()


def test_a_broken_report_tells_what_can_be_read() -> None:
    """And raises nothing."""
    assert all(outcome.kind is OutcomeKind.BOUNCED for outcome in told(forms.BROKEN.replace("{", "{{")))


@settings(max_examples=60)
@given(
    form=st.sampled_from([forms.POSTFIX, forms.EXCHANGE, forms.COMPLAINT, forms.EXIM, forms.QMAIL, forms.VACATION]),
    at=st.integers(0, 2_000),
    length=st.integers(0, 40),
    noise=st.binary(max_size=40),
)
def test_no_mail_however_broken_raises(form: str, at: int, length: int, noise: bytes) -> None:
    """Anybody may send anything there."""
    content = returned(form, ADDRESS)
    for outcome in outcomes_of(Returned(content[:at] + noise + content[at + length :], "", AT_MS), KEY):
        assert outcome.token in ("", TOKEN)
        assert len(outcome.detail) <= 500
        assert outcome.detail.isprintable()


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_no_bytes_raise(content: bytes) -> None:
    """Nor what is no mail at all."""
    assert all(isinstance(each, Outcome) for each in outcomes_of(Returned(content, "", AT_MS), KEY))


@pytest.mark.parametrize(
    "content",
    [
        b"To: " + b"a" * 900_000,
        b"X-Failed-Recipients: " + b"a" * 900_000,
        b"Subject: " + b"=?utf-8?q?" * 90_000,
        b"From: mailer-daemon@x.example\r\nSubject: Undeliverable\r\n\r\n" + b"a" * 900_000,
        b"From: mailer-daemon@x.example\r\nSubject: Undeliverable\r\n\r\n" + b"\n" * 900_000,
        b"From: mailer-daemon@x.example\r\nSubject: Undeliverable\r\n\r\n<html" + b"<" * 900_000,
        b"From: mailer-daemon@x.example\r\nSubject: Undeliverable\r\n\r\n<html" + b"<p" * 400_000,
    ],
)
def test_no_mail_however_long_holds_up_the_others(content: bytes) -> None:
    """Reading it takes time in proportion to its length; with its square, this test would not end."""
    assert len(outcomes_of(Returned(content, "", AT_MS), KEY)) <= 1
