"""DKIM signatures (RFC 6376; ed25519 by RFC 8463), relaxed/relaxed, of messages that our composer made.

Its bodies are already in relaxed form, so the body is hashed as it is, once for all signatures.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS
from courtesy.channel.email.composing import Composed

RSA_BITS_MIN = 2048
_VALUE_LINE = 70
_LABELS = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*", re.IGNORECASE)

SIGNED = (
    "from to subject date message-id reply-to list-id list-unsubscribe list-unsubscribe-post feedback-id mime-version "
    "content-type content-transfer-encoding".split()
)
"""Headers that a signature covers where they are there: RFC 6376, 5.4.1, and what RFC 8058 demands."""
# Signed once more than they are there, so that nobody can add a second one that readers are shown.
OVERSIGNED = ("from", "subject")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for a domain by the key whose public half stands under `<selector>._domainkey.<domain>`."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        """As the signature names it."""
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    @property
    def record(self) -> str:
        """What to publish in DNS, as one text under the selector's name."""
        public = self.key.public_key()
        if isinstance(self.key, RSAPrivateKey):
            encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            return f"v=DKIM1; k=rsa; p={base64.b64encode(public.public_bytes(encoding, form)).decode()}"
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"

    def signature(self, data: bytes) -> bytes:
        """Over the hashed headers."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(sha256(data).digest())  # RFC 8463, 3: what is signed is the hash


def signer(domain: str, selector: str, private_key: str) -> Signer:
    """A signer by a private key in PEM. Raises CourtesyError (INVALID), which does not repeat the key."""
    if not _LABELS.fullmatch(domain) or not _LABELS.fullmatch(selector):
        raise CourtesyError(Code.INVALID, "expected a domain and a selector in ASCII", place="dkim_domain")
    try:
        key = serialization.load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError):
        raise CourtesyError(
            Code.INVALID, "expected a private key in PEM, without a password", place="dkim_key"
        ) from None
    if (isinstance(key, RSAPrivateKey) and key.key_size >= RSA_BITS_MIN) or isinstance(key, Ed25519PrivateKey):
        return Signer(domain.lower(), selector.lower(), key)
    message = f"expected an RSA key of at least {RSA_BITS_MIN} bits, or an ed25519 key"
    raise CourtesyError(Code.INVALID, message, place="dkim_key")


def signed(message: Composed, signers: Sequence[Signer], now_ms: int) -> Composed:
    """The message with a signature by each signer before its headers. `now_ms` is the time that they tell."""
    body_hash = base64.b64encode(sha256(message.body).digest()).decode()
    names, headers = _relaxed(message.headers)
    lines = [_signature_line(each, names, headers, body_hash, now_ms) for each in signers]
    return Composed((*lines, *message.headers), message.body)


def _signature_line(signer: Signer, names: str, headers: bytes, body_hash: str, now_ms: int) -> bytes:
    tags = (
        f"v=1; a={signer.algorithm}; c=relaxed/relaxed; d={signer.domain};",
        f"s={signer.selector}; t={now_ms // SECOND_MS};",
        *_in_lines(f"h={names};", ":"),
        f"bh={body_hash};",
        "b=",
    )
    # In relaxed form a fold and its blank are one blank (3.4.2); the signature signs itself with an empty `b=`.
    unsigned = "dkim-signature:" + " ".join(tags)
    value = base64.b64encode(signer.signature(headers + unsigned.encode())).decode()
    pieces = [value[at : at + _VALUE_LINE] for at in range(0, len(value), _VALUE_LINE)]
    return ("DKIM-Signature: " + "\r\n ".join(tags) + "\r\n ".join(pieces) + "\r\n").encode()


def _in_lines(text: str, separator: str) -> list[str]:
    """A list of names on lines that end with its separator; a verifier ignores blanks there."""
    lines = [""]
    for piece in re.findall(rf"[^{separator}]+{separator}?", text):
        if len(lines[-1]) + len(piece) > _VALUE_LINE:
            lines.append("")
        lines[-1] += piece
    return lines


def _relaxed(headers: Sequence[bytes]) -> tuple[str, bytes]:
    """The names to be signed as `h=` has them, and their lines in relaxed form (3.4.2), in that order.

    A name beyond those that are there stands for a header that is not: it adds nothing (5.4.2).
    """
    lines = {}
    for line in headers:
        name, _, value = line.partition(b":")
        lines[name.lower().decode()] = b" ".join(value.split())
    there = [name for name in SIGNED if name in lines]
    relaxed = b"".join(b"%b:%b\r\n" % (name.encode(), lines[name]) for name in there)
    return ":".join([*there, *OVERSIGNED]), relaxed
