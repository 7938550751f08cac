"""Reports of providers as they come in, signed with keys that were made for the test."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from courtesy.channel.email.provider import Received

TOPIC = "arn:aws:sns:eu-central-1:111111111111:courtesy"
CERTIFICATE_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem"


@cache
def amazon_key() -> rsa.RSAPrivateKey:
    """The key of who says to be Amazon."""
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate() -> bytes:
    """Its certificate."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(amazon_key().public_key())
    built = built.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    return built.sign(amazon_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def notification(event: dict[str, Any], version: str = "2", **changed: str) -> dict[str, str]:
    """An event of SES as SNS brings it, signed; fields given here are changed before that."""
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps(event),
        "Timestamp": "2026-11-22T03:04:05.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **changed,
    }
    if message["Type"] == "Notification":
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - the older version is spoken still
    signature = amazon_key().sign(text, padding.PKCS1v15(), algorithm)
    return {**message, "Signature": base64.b64encode(signature).decode()}


def as_received(message: Any, **headers: str) -> Received:
    """A report in JSON."""
    return Received(headers, json.dumps(message).encode())


@cache
def sendgrid_key() -> ec.EllipticCurvePrivateKey:
    """The key that signs SendGrid's reports."""
    return ec.generate_private_key(ec.SECP256R1())


def sendgrid_public() -> str:
    """Its public half, as SendGrid shows it."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(sendgrid_key().public_key().public_bytes(encoding, form)).decode()


def from_sendgrid(events: Any) -> Received:
    """Events, signed."""
    body = json.dumps(events, indent=1).encode()
    signature = sendgrid_key().sign(b"1793448000" + body, ec.ECDSA(hashes.SHA256()))
    prefix = "x-twilio-email-event-webhook-"
    headers = {f"{prefix}signature": base64.b64encode(signature).decode(), f"{prefix}timestamp": "1793448000"}
    return Received(headers, body)


def from_mailgun(event: dict[str, Any], key: str = "mailgun-key") -> Received:
    """An event, signed."""
    timestamp, token = "1793448000", "0123456789abcdef"
    signature = hmac.digest(key.encode(), f"{timestamp}{token}".encode(), "sha256").hex()
    signed = {"timestamp": timestamp, "token": token, "signature": signature}
    return as_received({"signature": signed, "event-data": event})


def from_postmark(event: dict[str, Any], login: str = "postmark:pass word") -> Received:
    """An event, with its login."""
    return as_received(event, authorization="Basic " + base64.b64encode(login.encode()).decode())
