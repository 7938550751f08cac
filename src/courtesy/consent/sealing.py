"""Sealing: what of an entry's content the ledger is committed to, so that a key opens it and its loss erases it.

Sealed bytes are, in this order:

| bytes | what |
|---|---|
| 32 | commitment: HMAC-SHA256 of the content under the entry's commitment key |
| 16 | salt, drawn anew for each entry |
| rest | the content, packed (see `packing.py`), encrypted (AES-256-GCM, with tag) under the entry's encryption key |

Both keys of an entry come from the key of its person and the salt. So an auditor can be given the commitment key of one
entry, with its content, and check that this and nothing else was committed to, without learning anything of the
person's other entries. When the key of the person is destroyed, neither key of any entry can be had again: the content
can't be read, and not be tried out against the commitment either, however few contents are thinkable.

An encryption key is used once, so the nonce of AES-GCM is 12 zero bytes. Encrypting needs a library, and is not done
here.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

KEY_BYTES = 32
COMMITMENT_BYTES = 32
SALT_BYTES = 16
NONCE = bytes(12)


def commitment_key(person_key: bytes, salt: bytes) -> bytes:
    """The 32 bytes that show what one entry says. They may be shown to an auditor; the person's key never is."""
    return _derived(person_key, b"courtesy commitment", salt)


def encryption_key(person_key: bytes, salt: bytes) -> bytes:
    """The 32 bytes under which one content, and no second, is encrypted."""
    return _derived(person_key, b"courtesy encryption", salt)


def _derived(person_key: bytes, use: bytes, salt: bytes) -> bytes:
    # HMAC as a pseudo-random function of a uniform key: HKDF-Expand (RFC 5869) for one block.
    assert len(person_key) == KEY_BYTES, "a key is 32 bytes"
    assert len(salt) == SALT_BYTES, "a salt is 16 bytes"
    return hmac.digest(person_key, use + salt + b"\x01", sha256)


def commitment(key: bytes, content: bytes) -> bytes:
    """What the ledger is bound to. Keys are all of one length, so no two pairs of key and content share it."""
    assert len(key) == KEY_BYTES, "a key is 32 bytes"
    return hmac.digest(key, content, sha256)


def sealed(person_key: bytes, salt: bytes, content: bytes, ciphertext: bytes) -> bytes:
    """The sealed bytes of a content and its ciphertext under `encryption_key`."""
    return commitment(commitment_key(person_key, salt), content) + salt + ciphertext


def salt_of(sealed: bytes) -> bytes:
    """The salt that sealed bytes carry."""
    return sealed[COMMITMENT_BYTES : COMMITMENT_BYTES + SALT_BYTES]


def ciphertext_of(sealed: bytes) -> bytes:
    """The ciphertext that sealed bytes carry."""
    return sealed[COMMITMENT_BYTES + SALT_BYTES :]


def opens(sealed: bytes, key: bytes, content: bytes) -> bool:
    """Whether the ledger is committed to this content by these sealed bytes; `key` is the entry's commitment key."""
    return len(key) == KEY_BYTES and hmac.compare_digest(sealed[:COMMITMENT_BYTES], commitment(key, content))
