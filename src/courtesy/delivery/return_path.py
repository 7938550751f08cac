"""The address that bounces return to: one for each message, with a signed token in it (VERP).

A report about a message may come without anything else that says which message it was, but it comes to this address.
The token is in base32, as mail servers may write the part before the @ in lower or upper case.
"""

from __future__ import annotations

import base64
import hmac
import re

MESSAGE_BYTES = 16
_MAC_BYTES = 10
_TEXT_CHARS = 42  # of 26 bytes, eight characters for each five, without padding
_PREFIX = "b-"
_FOUND = re.compile(rf"(?<![a-z0-9-]){_PREFIX}([a-z2-7]{{{_TEXT_CHARS}}})@", re.IGNORECASE)


def return_path(message: bytes, domain: str, key: bytes) -> str:
    """The address for the message with these 16 bytes as its name; 44 characters before the @ (RFC 5321 has 64)."""
    assert len(message) == MESSAGE_BYTES
    return f"{_PREFIX}{signed_token(message, key)}@{domain}"


def signed_token(message: bytes, key: bytes) -> str:
    """The token alone: the message's name and a tag that only who has `key` can make, in 42 characters a-z and 2-7."""
    return base64.b32encode(message + _tag(message, key)).rstrip(b"=").decode().lower()


def message_of(token: str, key: bytes) -> bytes | None:
    """The message that a token names; None when it is none, or its tag was not made with `key`."""
    try:
        told = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except ValueError:
        return None
    message, tag = told[:MESSAGE_BYTES], told[MESSAGE_BYTES:]
    return message if len(message) == MESSAGE_BYTES and hmac.compare_digest(tag, _tag(message, key)) else None


def tokens_in(text: str) -> list[str]:
    """The tokens of all return paths that stand in a text, in lower case, in their order. Nothing is verified."""
    return [found.lower() for found in _FOUND.findall(text)]


def _tag(message: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"return path\0" + message, "sha256")[:_MAC_BYTES]
