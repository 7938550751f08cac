"""Amazon's notifications (SNS), by which SES reports: whether one is Amazon's, and what is in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from courtesy.channel.email.provider import not_theirs
from courtesy.delivery.outcome import text_at

NOTIFICATION = "Notification"
CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_NOTIFICATION_FIELDS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION_FIELDS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def amazon_url(message: Mapping[str, Any], name: str) -> str:
    """The address of Amazon's that a message gives under a name. Raises CourtesyError (UNAUTHENTICATED) for others'."""
    url = text_at(message, name)
    try:
        parts = urlsplit(url)
        is_amazons = parts.scheme == "https" and parts.port in (None, 443) and "@" not in parts.netloc
    except ValueError:
        is_amazons = False
    if not is_amazons or not _HOST.fullmatch(parts.hostname or ""):
        raise not_theirs("Amazon", f"{name} is no address of Amazon's")
    return url


def certificate_url(message: Mapping[str, Any]) -> str:
    """Where the certificate is. Raises CourtesyError (UNAUTHENTICATED) unless it is Amazon's."""
    url = amazon_url(message, "SigningCertURL")
    if not url.endswith(".pem"):
        raise not_theirs("Amazon", "SigningCertURL is no certificate")
    return url


def verify(message: Mapping[str, Any], certificate: bytes) -> None:
    """Raises CourtesyError (UNAUTHENTICATED) unless the certificate's key signed the message.

    The certificate (PEM) is to be trusted for where it was fetched from: over TLS, from an address of Amazon's.
    """
    from cryptography.x509 import load_pem_x509_certificate  # a twentieth of a second, which only these reports cost

    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}.get(text_at(message, "SignatureVersion"))  # noqa: S303
    try:
        key = load_pem_x509_certificate(certificate).public_key()
        signature = base64.b64decode(text_at(message, "Signature"), validate=True)
    except ValueError:
        raise not_theirs("Amazon", "the certificate or the signature can't be read") from None
    if algorithm is None or not isinstance(key, RSAPublicKey):
        raise not_theirs("Amazon", "the signature is of an unknown kind")
    try:
        key.verify(signature, _signed_text(message), padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        raise not_theirs("Amazon", "the signature does not fit") from None


def _signed_text(message: Mapping[str, Any]) -> bytes:
    is_confirmation = text_at(message, "Type") in CONFIRMATIONS
    fields = _CONFIRMATION_FIELDS if is_confirmation else _NOTIFICATION_FIELDS
    return "".join(f"{name}\n{text_at(message, name)}\n" for name in fields if name in message).encode()


def check_topic(message: Mapping[str, Any], topics: tuple[str, ...]) -> None:
    """Raises CourtesyError (UNAUTHENTICATED) unless the message is of one of our topics: anybody may have some."""
    if text_at(message, "TopicArn") not in topics:
        raise not_theirs("Amazon", "it is of a topic that is not among `topics`")
