"""Signed links: who holds one may see and change the choices of one person, or end one subscription, until it runs out.

A link says whose it is, what for and until when, and is signed (HMAC-SHA-256) with a key of the installation, so nobody
can guess or alter one. It opens no API. The key lies in the data folder and not in the database: who gets hold of a
backup or a replica of that must not be able to make links. Hosts that share a database share a key by the setting
`link_key`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from enum import StrEnum
from pathlib import Path

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.event.choice import ANY, Evidence, Note, Place, Word
from courtesy.runtime.settings import Settings

KEY_FILE = "links.key"
"""Its name in the data folder."""

KEY_BYTES = 32
SIGNATURE_BYTES = 16
TEXT_CHARS_MAX = 4_096


class LinkKind(StrEnum):
    """What a link is for. PREFERENCES: seeing and changing the choices of a person. UNSUBSCRIBE: withdrawing what they
    allowed for one purpose over one channel. CONFIRM: allowing what they asked for, which is the second step of a
    double opt-in."""

    PREFERENCES = "preferences"
    UNSUBSCRIBE = "unsubscribe"
    CONFIRM = "confirm"


class Unconfirmed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that somebody asked for and has not confirmed yet, with the evidence of the first step."""

    purpose: Word
    channel: Word = ANY
    topic: Word = ANY
    brand: Word = ANY
    jurisdiction: Place = ANY
    policy: Note | None = None
    evidence: Evidence | None = None


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What a link says. `expires_s`: seconds UTC. `purpose`, `channel`, `topic` only for UNSUBSCRIBE: what it
    withdraws. `brand`: the one whose page it opens, for which alone everything counts. The last two only for CONFIRM:
    what it allows, and the request that it belongs to."""

    kind: LinkKind
    person: PersonId
    expires_s: int
    purpose: str = ANY
    channel: str = ANY
    topic: str = ANY
    brand: str = ANY
    unconfirmed: tuple[Unconfirmed, ...] = ()
    request: str = ""


_LINK = msgspec.json.Decoder(Link)


class Signer:
    """Signs, and knows again what it signed. The key is read, or made, when it is needed first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key: bytes | None = None

    def signed(self, use: str, content: bytes) -> str:
        """Content and its signature as text for an address or a form. `use` keeps texts for different ends apart."""
        return _text(content + self._signature(use, content))

    def opened(self, use: str, text: str) -> bytes | None:
        """What was signed for that use; None for anything else."""
        content = _bytes(text)
        if content is None or len(content) <= SIGNATURE_BYTES:
            return None
        told, signature = content[:-SIGNATURE_BYTES], content[-SIGNATURE_BYTES:]
        return told if hmac.compare_digest(signature, self._signature(use, told)) else None

    def token(self, link: Link) -> str:
        """The last part of a link's address."""
        return self.signed("link", msgspec.json.encode(link))

    def link(self, token: str) -> Link | None:
        """What a token says, which may have run out; None for one that was not made here."""
        content = self.opened("link", token)
        return None if content is None else _LINK.decode(content)

    def hashed(self, use: str, content: bytes) -> bytes:
        """32 bytes by which content is known again, and from which nobody without the key can find it by trial."""
        if self._key is None:
            self._key = key_of(self._settings)
        return hmac.digest(self._key, use.encode() + b"\0" + content, "sha256")

    def _signature(self, use: str, content: bytes) -> bytes:
        return self.hashed(use, content)[:SIGNATURE_BYTES]


def key_of(settings: Settings) -> bytes:
    """The key of an installation: from the setting, or else from its file, which is made when it is missing.

    Raises CourtesyError(UNAVAILABLE) when it can be neither read nor made, and SETUP for a file with something else.
    """
    if settings.link_key is not None:
        return hashlib.sha256(settings.link_key.encode("utf-8", "surrogatepass")).digest()
    path = Path(settings.data) / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CourtesyError(
            Code.UNAVAILABLE,
            f"the key of links can't be read: {error}",
            hint="let the server read and write its data folder, or set COURTESY_LINK_KEY",
            place=str(path),
        ) from None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise CourtesyError(Code.SETUP, f"expected {KEY_BYTES} bytes as hexadecimal digits", place=str(path))
    return key


def _make(path: Path) -> None:
    """Make the file whole or not at all; of several processes the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, secrets.token_hex(KEY_BYTES).encode() + b"\n")
        os.fsync(file)
        os.close(file)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    """The inverse of `_text`; None for what it can't have made."""
    if len(text) > TEXT_CHARS_MAX or not text.isascii():
        return None
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return content if _text(content) == text else None
