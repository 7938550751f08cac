"""Letters and keys for the tests of e-mail."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import httpcore
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from courtesy.base.time import SystemClock
from courtesy.channel.address import EVERYWHERE
from courtesy.channel.contract import Outside
from courtesy.channel.email.letter import Letter
from courtesy.channel.guard import GuardedNetwork, SystemResolver

NOW_MS = 1_763_780_645_000

FULL = Letter(
    from_address="hello@shop.example",
    from_name="Shoes & More",
    to="ann@home.example",
    to_name="Ann",
    reply_to="people@shop.example",
    subject="Your shoes are waiting",
    text="Hello Ann,\n\nyour shoes are waiting for you in our shop.\n",
    html="<html><body><p>Hello Ann,</p><p>your shoes are waiting for you in our shop.</p></body></html>",
    message_id="20251122.1@shop.example",
    date_ms=NOW_MS,
    locale="en",
    list_id="news.shop.example",
    feedback_id="autumn:a:marketing:shop",
    unsubscribe_url="https://go.shop.example/u/abc",
    unsubscribe_mailto="mailto:unsubscribe@shop.example?subject=abc",
    return_path="b-abc@bounce.shop.example",
    token="abc",
)


def letter(**changed: Any) -> Letter:
    """The full letter, but for what is given."""
    return msgspec.structs.replace(FULL, **changed)


@cache
def rsa_pem() -> str:
    """An RSA key, the same all the time."""
    return _pem(rsa.generate_private_key(65537, 2048))


@cache
def ed25519_pem() -> str:
    """An ed25519 key, the same all the time."""
    return _pem(Ed25519PrivateKey.generate())


def _pem(key: rsa.RSAPrivateKey | Ed25519PrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def loopback() -> Outside:
    """The world, with its private addresses."""
    return Outside(SystemClock(), GuardedNetwork(SystemResolver(), EVERYWHERE), _tls())


@cache
def _tls() -> ssl.SSLContext:
    """Read once: the authorities that everybody believes are many."""
    return httpcore.default_ssl_context()
