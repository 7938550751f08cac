"""What a log asks of a witness, and what the witness decides (c2sp.org/tlog-witness).

A witness remembers of each log the last checkpoint that it signed, and signs another only if the log proves that it
continues that one. So a log that shows two people two histories gets at most one of them signed, and whoever asks for
the witness's signature sees which.

Nothing here knows the network or the disk.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from enum import IntEnum

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.checkpoint import (
    Checkpoint,
    Note,
    PublicKey,
    Signature,
    Verifier,
    read_note,
    read_signatures,
    signers,
)
from courtesy.consent.leaf import DIGEST_BYTES
from courtesy.consent.tree import EMPTY_ROOT, verify_consistency

PATH = "add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
STEPS_MAX = 63
SUBMISSION_BYTES_MAX = 16_384
"""A proof of 63 steps takes 2,835 bytes; the rest is for signatures, of which a note may have many."""

_OLD = re.compile("old (0|[1-9][0-9]{0,18})")
_SIZE = re.compile("(0|[1-9][0-9]{0,18})\n")


class Refusal(IntEnum):
    """Why a witness does not sign, as the status of HTTP."""

    BACKWARDS = 400
    NOT_SIGNED = 403
    UNKNOWN_LOG = 404
    CONFLICT = 409
    INCONSISTENT = 422


class Submission(msgspec.Struct, frozen=True):
    """A checkpoint to be signed, and the proof that it continues the one of `old_size` entries."""

    old_size: int
    path: tuple[bytes, ...]
    note: Note

    def text(self) -> str:
        """As it is sent. `read_submission` gives it back."""
        steps = "".join(f"{b64encode(step).decode()}\n" for step in self.path)
        return f"old {self.old_size}\n{steps}\n{self.note.text()}"


def read_submission(text: str) -> Submission:
    """What was sent. Raises CourtesyError (UNREADABLE)."""
    head, _, note = text.partition("\n\n")
    first, *steps = head.split("\n")
    old = _OLD.fullmatch(first)
    if old is None or len(steps) > STEPS_MAX:
        raise CourtesyError(
            Code.UNREADABLE, f"expected `old`, a size, and at most {STEPS_MAX} hashes on lines, got {head:.200}"
        )
    return Submission(int(old[1]), tuple(_digest(step) for step in steps), read_note(note))


def _digest(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        data = b""
    if len(data) != DIGEST_BYTES:
        raise CourtesyError(Code.UNREADABLE, f"expected a hash of {DIGEST_BYTES} bytes in base64, got {text:.60}")
    return data


def refusal_of(
    submission: Submission, logs: Collection[PublicKey], known: Checkpoint | None, verify: Verifier
) -> Refusal | None:
    """Why the witness of these logs must not sign; None when it may. `known`: what it signed last of this log."""
    checkpoint = submission.note.checkpoint
    keys = [key for key in logs if key.name == checkpoint.origin]
    if not keys:
        return Refusal.UNKNOWN_LOG
    if not _is_signed(submission.note, keys, verify):
        return Refusal.NOT_SIGNED
    if submission.old_size > checkpoint.size:
        return Refusal.BACKWARDS
    size, root = (0, EMPTY_ROOT) if known is None else (known.size, known.root)
    if submission.old_size != size or (size == checkpoint.size and root != checkpoint.root):
        return Refusal.CONFLICT
    if not verify_consistency(size, checkpoint.size, root, checkpoint.root, submission.path):
        return Refusal.INCONSISTENT
    return None


def _is_signed(note: Note, keys: Collection[PublicKey], verify: Verifier) -> bool:
    try:
        return bool(signers(note, keys, verify))
    except CourtesyError:
        return False


def read_size(text: str) -> int | None:
    """The size that a witness answers in a conflict; None when it says something else."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) if match else None


def cosigned(note: Note, answer: str, witness: PublicKey, verify: Verifier) -> Note:
    """The note with the signature that a witness answered; those of others are left out.

    Raises CourtesyError (UNREADABLE, or INVALID when there is none that fits).
    """
    ours = [each for each in read_signatures(answer) if (each.name, each.key_id) == (witness.name, witness.id())]
    if not ours or not signers(Note(note.checkpoint, tuple(ours)), [witness], verify):
        raise CourtesyError(Code.INVALID, f"expected a signature of {witness.name}, got {answer!r:.200}")
    return with_signatures(note, ours[:1])


def with_signatures(note: Note, more: Sequence[Signature]) -> Note:
    """The note with more signatures; one of a key that has signed it already is left out."""
    known = {(each.name, each.key_id) for each in note.signatures}
    fresh = tuple(each for each in more if (each.name, each.key_id) not in known)
    return Note(note.checkpoint, note.signatures + fresh)


def has_signed(note: Note, key: PublicKey) -> bool:
    """Whether a signature of the note claims to be of the key."""
    return any((each.name, each.key_id) == (key.name, key.id()) for each in note.signatures)
