"""Signatures verify with an independent implementation, and only over what was signed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.channel.email.composing import composed
from courtesy.channel.email.dkim import Signer, signed, signer
from courtesy.channel.email.letter import Letter
from tests.unit.channel.email.letters import FULL, NOW_MS, ed25519_pem, letter, rsa_pem

RSA_1024 = """-----BEGIN PRIVATE KEY-----
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAOk+short+key
-----END PRIVATE KEY-----"""


def rsa_signer() -> Signer:
    """Of the shop, by RSA."""
    return signer("shop.example", "r2025", rsa_pem())


def verifies(content: bytes, key: Signer) -> bool:
    """Whether dkimpy finds the first signature good."""
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout=5: key.record.encode()))


def signed_content(written: Letter = FULL) -> bytes:
    """A letter with its signature."""
    return signed(composed(written), [rsa_signer()], NOW_MS).content


def test_another_implementation_verifies_what_was_signed() -> None:
    """And nothing else: not a changed body, subject, sender, or way to unsubscribe."""
    content = signed_content()
    assert verifies(content, rsa_signer())
    for old, new in (
        (b"Your shoes", b"Your boots"),
        (b"hello@shop", b"hallo@shop"),
        (b"u/abc", b"u/xyz"),
        (b"One-Click", b"Two-Click"),
        (b"20251122.1@", b"20251122.2@"),
        (b"autumn:a", b"autumn:b"),
        (b"SGVsbG8", b"SGVsbG9"),
    ):
        assert old in content
        assert not verifies(content.replace(old, new), rsa_signer())


def test_nobody_can_add_a_second_sender_or_subject() -> None:
    """They are signed as being there once."""
    content = signed_content()
    for line in (b"From: eve@shop.example\r\n", b"Subject: Other\r\n"):
        assert not verifies(line + content, rsa_signer())
        assert not verifies(content.replace(b"MIME-Version", line + b"MIME-Version"), rsa_signer())


@settings(max_examples=25)
@given(subject=st.text(max_size=200), name=st.text(max_size=80), text=st.text(min_size=1, max_size=200))
def test_whatever_is_in_a_letter_its_signature_holds(subject: str, name: str, text: str) -> None:
    """Folds, encoded words and blanks are read by the verifier as by the signer."""
    assert verifies(signed_content(letter(subject=subject, from_name=name, text=text)), rsa_signer())


def test_all_that_providers_ask_for_is_signed() -> None:
    """RFC 8058 wants both headers of one-click unsubscription covered."""
    head = signed_content().partition(b"MIME-Version")[0]
    (listed,) = re.findall(rb" h=([^;]+);", head)
    names = listed.replace(b"\r\n ", b"").decode().split(":")
    assert {"from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post"} < set(names)
    assert {"list-id", "feedback-id", "mime-version", "content-type", "reply-to"} < set(names)
    assert (names.count("from"), names.count("subject")) == (2, 2)


def test_two_keys_make_two_signatures_over_the_same() -> None:
    """The one by RSA verifies beside the other; both lines are short."""
    keys = [rsa_signer(), signer("shop.example", "e2025", ed25519_pem())]
    content = signed(composed(FULL), keys, NOW_MS).content
    assert content.count(b"DKIM-Signature:") == 2
    assert b"a=ed25519-sha256" in content
    assert verifies(content, keys[0])
    assert all(len(line) <= 78 for line in content.partition(b"\r\n\r\n")[0].split(b"\r\n"))


@pytest.mark.parametrize(
    ("domain", "selector", "pem"),
    [
        ("shop.example", "r 1", ""),
        ("shop;example", "r1", ""),
        ("shop.example", "r1", "no key"),
        ("shop.example", "r1", RSA_1024),
    ],
)
def test_what_can_not_sign_is_refused_without_telling_the_key(domain: str, selector: str, pem: str) -> None:
    """A wrong name, no key, or a broken one."""
    with pytest.raises(CourtesyError) as caught:
        signer(domain, selector, pem)
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize(("name", "tail"), [("r1", ""), ("e1", "| tail -c 32")])
def test_the_record_is_what_openssl_prints_as_the_guide_says(name: str, tail: str, tmp_path: Path) -> None:
    """Nobody has to trust us to publish a key."""
    pem = rsa_pem() if name == "r1" else ed25519_pem()
    (tmp_path / "key.pem").write_text(pem)
    command = f"openssl pkey -in key.pem -pubout -outform DER {tail} | base64 -w0"
    printed = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    kind = "rsa" if name == "r1" else "ed25519"
    assert signer("shop.example", name, pem).record == f"v=DKIM1; k={kind}; p={printed}"
