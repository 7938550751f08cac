"""What sealed bytes commit to, show and hide."""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from courtesy.consent.sealing import (
    NONCE,
    ciphertext_of,
    commitment_key,
    encryption_key,
    opens,
    salt_of,
    sealed,
)

KEYS = st.binary(min_size=32, max_size=32)
SALTS = st.binary(min_size=16, max_size=16)


@given(KEYS, SALTS, st.binary(max_size=200))
def test_a_key_of_the_person_reads_what_was_sealed(person_key: bytes, salt: bytes, content: bytes) -> None:
    """With a real cipher: out comes what went in, and it is what the ledger is committed to."""
    cipher = AESGCM(encryption_key(person_key, salt))
    kept = sealed(person_key, salt, content, cipher.encrypt(NONCE, content, None))
    again = AESGCM(encryption_key(person_key, salt_of(kept))).decrypt(NONCE, ciphertext_of(kept), None)
    assert again == content
    assert opens(kept, commitment_key(person_key, salt_of(kept)), again)


@given(KEYS, SALTS, st.binary(), st.binary(), KEYS)
def test_no_other_content_and_no_other_key_opens(
    person_key: bytes, salt: bytes, content: bytes, other: bytes, key: bytes
) -> None:
    """The ledger can't say later that an entry said something else."""
    kept = sealed(person_key, salt, content, b"")
    right = commitment_key(person_key, salt)
    assert opens(kept, right, other) == (content == other)
    assert opens(kept, key, content) == (key == right)
    assert not opens(kept, right + b"\x00", content)


def test_entries_of_a_person_share_no_key() -> None:
    """Showing one entry to an auditor shows nothing of the next; committing and encrypting never share a key either."""
    keys = {derive(b"k" * 32, salt) for derive in (commitment_key, encryption_key) for salt in (b"1" * 16, b"2" * 16)}
    assert len(keys) == 4


def test_the_commitment_is_the_documented_one() -> None:
    """So that a stranger can compute it with any library."""
    key = hmac.digest(b"k" * 32, b"courtesy commitment" + b"s" * 16 + b"\x01", "sha256")
    assert commitment_key(b"k" * 32, b"s" * 16) == key
    assert sealed(b"k" * 32, b"s" * 16, b"yes", b"...") == hmac.digest(key, b"yes", "sha256") + b"s" * 16 + b"..."
