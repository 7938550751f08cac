"""Keys of one's own, with which a ledger or a witness signs: a file each, made once and never replaced.

A key lies in a folder and not in the database: who can change what is in the database can't sign it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.checkpoint import KeyKind, PublicKey, check_name


class _KeyFile(msgspec.Struct, frozen=True):
    name: str
    private: bytes


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key, and what its owner is called."""

    public: PublicKey
    private: Ed25519PrivateKey


def key_in(path: Path, owner: str, new_name: str, kind: KeyKind, hint: str) -> SigningKey:
    """The key in a file; made under a name when there is none.

    Raises CourtesyError: SETUP, with whose key it is and the hint, when it can't be read or made; INVALID for a name
    that nobody can have.
    """
    check_name(new_name)
    try:
        if not path.exists():
            _make(path, new_name)
        found = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
        check_name(found.name)
        private = Ed25519PrivateKey.from_private_bytes(found.private)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise CourtesyError(
            Code.SETUP, f"expected the key of {owner}, got {type(error).__name__}: {error}", hint=hint, place=str(path)
        ) from error
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return SigningKey(PublicKey(found.name, public, kind), private)


def _make(path: Path, name: str) -> None:
    """Put a key there, unless somebody else does so at the same time: then theirs stays."""
    private = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    content = msgspec.json.encode(_KeyFile(name, private))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of an Ed25519 key is good; False also for a key that there can't be."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
