"""Checkpoints: what the log says, signed, of the entries that it has; and the signatures of witnesses on them.

The text is a C2SP checkpoint (c2sp.org/tlog-checkpoint): origin, number of entries, root of their Merkle tree in
base64, each on a line, and as the one extension line `time_ms N`. With signatures it is a C2SP signed note
(c2sp.org/signed-note). Two kinds of Ed25519 signatures are known: those of the text itself, and the cosignatures of
witnesses (c2sp.org/tlog-cosignature), which sign the time of their signing too.

Keys are kept elsewhere: to sign and to verify is handed in.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import IntEnum
from hashlib import sha256

import msgspec

from courtesy.base.errors import Code, CourtesyError

Signer = Callable[[bytes], bytes]
"""Signs a message with an Ed25519 key: 64 bytes."""

Verifier = Callable[[bytes, bytes, bytes], bool]
"""Whether, for an Ed25519 public key, a message and a signature, in this order, the signature is good."""

SIGNATURE_BYTES = 64
PUBLIC_KEY_BYTES = 32

_NAME, _BASE64, _NUMBER = r"([^\s+]+)", "([A-Za-z0-9+/]+={0,2})", "(0|[1-9][0-9]{0,18})"
_SIGNATURE = re.compile(f"— {_NAME} {_BASE64}\n")
_NOTE = re.compile(f"{_NAME}\n{_NUMBER}\n{_BASE64}\ntime_ms {_NUMBER}\n\n((?:{_SIGNATURE.pattern})+)")
_BETWEEN_NOTES = re.compile("(?<=\n)\n(?!—)")


class KeyKind(IntEnum):
    """How a key signs a checkpoint; the byte that C2SP gives to the kind."""

    TEXT = 1
    COSIGNATURE = 4


class Checkpoint(msgspec.Struct, frozen=True):
    """The first `size` entries have this root. `origin` names the log: no blanks, no plus."""

    origin: str
    size: int
    root: bytes
    time_ms: int

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\ntime_ms {self.time_ms}\n"


class PublicKey(msgspec.Struct, frozen=True):
    """Who signs, and how. `name` is the log's origin, or what a witness is called: no blanks, no plus."""

    name: str
    public: bytes
    kind: KeyKind = KeyKind.TEXT

    def id(self) -> bytes:
        """The 4 bytes by which a signature says whose it is."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def text(self) -> str:
        """The key as it is handed out: name, id, and kind with key, with plus signs between them."""
        return f"{self.name}+{self.id().hex()}+{_base64(bytes([self.kind]) + self.public)}"


class Signature(msgspec.Struct, frozen=True):
    """One signature line: whose it is, and what the key gave; before a cosignature lie 8 bytes with its time."""

    name: str
    key_id: bytes
    data: bytes

    def line(self) -> str:
        """The line, with its end."""
        return f"— {self.name} {_base64(self.key_id + self.data)}\n"


class Note(msgspec.Struct, frozen=True):
    """A checkpoint and the signatures on it, of whomever; nothing is verified yet."""

    checkpoint: Checkpoint
    signatures: tuple[Signature, ...]

    def text(self) -> str:
        """The signed note. `read_note` gives the same note back, and no other text does."""
        return f"{self.checkpoint.text()}\n{''.join(signature.line() for signature in self.signatures)}"


def check_name(name: str) -> None:
    """Raises CourtesyError (INVALID) when no log and no witness can be called so."""
    if re.fullmatch(_NAME, name) is None or not name.isprintable():
        raise CourtesyError(
            Code.INVALID,
            f"expected a name without blanks and plus signs, got {name!r}",
            hint="an address without its scheme is usual: example.org/ledger",
        )


def sign(checkpoint: Checkpoint, key: PublicKey, signer: Signer) -> Signature:
    """The log's signature; `signer` has the private half of the key."""
    return Signature(key.name, key.id(), signer(checkpoint.text().encode()))


def cosign(checkpoint: Checkpoint, key: PublicKey, signer: Signer, at_s: int) -> Signature:
    """A witness's signature, which says that it knew of no larger tree of this log at `at_s`, seconds since 1970."""
    return Signature(key.name, key.id(), at_s.to_bytes(8, "big") + signer(_cosigned(checkpoint, at_s)))


def _cosigned(checkpoint: Checkpoint, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{checkpoint.text()}".encode()


def read_key(text: str) -> PublicKey:
    """The key that `PublicKey.text` gave. Raises CourtesyError (INVALID) for any other text."""
    match = re.fullmatch(rf"{_NAME}\+([0-9a-f]{{8}})\+{_BASE64}", text)
    data = _from_base64(match[3]) if match else None
    if match and data and len(data) == 1 + PUBLIC_KEY_BYTES and data[0] in tuple(KeyKind):
        key = PublicKey(match[1], data[1:], KeyKind(data[0]))
        if key.id().hex() == match[2]:
            return key
    raise CourtesyError(Code.INVALID, f"expected an Ed25519 key as name+id+base64, got {text!r}")


def read_note(text: str) -> Note:
    """The note that this is the text of. Raises CourtesyError (UNREADABLE) when it is none."""
    match = _NOTE.fullmatch(text)
    root = _from_base64(match[3]) if match else None
    if not match or root is None:
        raise CourtesyError(
            Code.UNREADABLE,
            f"expected origin, size, root, time_ms, a blank line and signatures, got {text[:200]!r}",
            place="checkpoint",
        )
    checkpoint = Checkpoint(match[1], int(match[2]), root, int(match[4]))
    return Note(checkpoint, read_signatures(match[5]))


def read_signatures(text: str) -> tuple[Signature, ...]:
    """The signatures of lines that are nothing else. Raises CourtesyError (UNREADABLE)."""
    if re.fullmatch(f"(?:{_SIGNATURE.pattern})+", text) is None:
        raise CourtesyError(Code.UNREADABLE, f"expected lines of signatures, got {text[:200]!r}")
    return tuple(_signature(name, data) for name, data in _SIGNATURE.findall(text))


def _signature(name: str, text: str) -> Signature:
    data = _from_base64(text)
    if data is None or len(data) <= 4:
        raise CourtesyError(Code.UNREADABLE, f"expected a signature in base64, got {text!r}", place=name)
    return Signature(name, data[:4], data[4:])


def read_notes(text: str) -> list[Note]:
    """The notes of a file of them, a blank line between each and the next. Raises as `read_note`."""
    return [read_note(part) for part in _BETWEEN_NOTES.split(text)]


def notes_text(notes: Iterable[Note]) -> str:
    """The file that `read_notes` reads."""
    return "\n".join(note.text() for note in notes)


def signers(note: Note, keys: Collection[PublicKey], verify: Verifier) -> set[PublicKey]:
    """Those of the keys that signed the note. Signatures of others are passed over, as their names prove nothing.

    Raises CourtesyError (INVALID) when a signature claims to be of one of the keys and is not.
    """
    found = set()
    for signature in note.signatures:
        for key in keys:
            if (key.name, key.id()) == (signature.name, signature.key_id):
                if not _fits(note.checkpoint, signature.data, key, verify):
                    raise CourtesyError(
                        Code.INVALID,
                        f"expected a signature of {key.name} on this checkpoint, got one that does not fit",
                        place=f"checkpoint of {note.checkpoint.size} entries",
                    )
                found.add(key)
    return found


def _fits(checkpoint: Checkpoint, data: bytes, key: PublicKey, verify: Verifier) -> bool:
    message = checkpoint.text().encode()
    if key.kind is KeyKind.COSIGNATURE:
        message = _cosigned(checkpoint, int.from_bytes(data[:8], "big"))
        data = data[8:]
    return len(data) == SIGNATURE_BYTES and verify(key.public, message, data)


def trusted(
    note: Note, log: PublicKey, verify: Verifier, *, witnesses: Sequence[PublicKey] = (), quorum: int = 0
) -> Checkpoint:
    """The checkpoint, now known to be of this log, signed by it, and by at least `quorum` of the witnesses.

    A witness counts once, by its name, however many keys it has. Raises CourtesyError (INVALID).
    """
    place = f"checkpoint of {note.checkpoint.size} entries"
    if note.checkpoint.origin != log.name:
        raise CourtesyError(
            Code.INVALID, f"expected a checkpoint of {log.name}, got one of {note.checkpoint.origin}", place=place
        )
    if not signers(note, [log], verify):
        raise CourtesyError(Code.INVALID, f"expected a signature of {log.name}, got none", place=place)
    seen = {key.name for key in signers(note, witnesses, verify)}
    if len(seen) < quorum:
        names = ", ".join(sorted(seen)) or "none"
        raise CourtesyError(Code.INVALID, f"expected signatures of {quorum} witnesses, got {names}", place=place)
    return note.checkpoint


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _from_base64(text: str) -> bytes | None:
    """The bytes; None unless this is the one proper way of writing them, so that no note has two texts."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        return None
    return data if _base64(data) == text else None
