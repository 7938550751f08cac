"""Signatures for Amazon are those that Amazon's own library makes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.channel.email.sigv4 import Credentials, signed_headers

AT = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
PATHS = st.sampled_from(["", "/", "/v2/email/outbound-emails", "/a-b_c.d~e/f"])


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their library reads the machine's clock; it is the one place where it can be told the time."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: AT.replace(tzinfo=None))


@settings(max_examples=30)
@given(path=PATHS, body=st.binary(max_size=200), token=st.sampled_from(["", "lent"]))
def test_the_signature_is_the_one_that_amazons_library_makes(path: str, body: bytes, token: str) -> None:
    """For any body, with and without a token of lent credentials."""
    url = f"https://email.eu-central-1.amazonaws.com{path}"
    theirs = AWSRequest("POST", url, data=body)
    SigV4Auth(TheirCredentials("AKID", "secret", token or None), "ses", "eu-central-1").add_auth(theirs)
    now_ms = int(AT.timestamp() * 1000)
    ours = signed_headers(Credentials("AKID", "secret", "eu-central-1", token), "ses", "POST", url, body, now_ms)
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]
