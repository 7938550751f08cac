"""A witness: signs a checkpoint of a log that it knows if it continues the last one that it signed, and remembers that.

What it remembers is a file for each log, written anew and on the disk before the signature is given. It holds the
checkpoint with the signature, so whoever audits the witness can read it. A witness that lost its files must not go on
under its name: it could sign a second history.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS, Clock
from courtesy.consent.checkpoint import KeyKind, Note, PublicKey, Signature, cosign, read_note
from courtesy.consent.witnessing import Refusal, read_submission, refusal_of
from courtesy.runtime.signing import SigningKey, key_in, verify

KEY_FILE = "witness.key"
_LOCK_FILE = "witness.lock"


def witness_key(folder: Path, name: str) -> SigningKey:
    """The key in a witness's folder; made under a name when there is none. Raises CourtesyError(SETUP, INVALID)."""
    hint = "put the file back from a backup, or begin as another witness in another folder"
    return key_in(folder / KEY_FILE, "the witness", name, KeyKind.COSIGNATURE, hint)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a witness answers: a signature, or why not, and then how many entries it has signed last."""

    signature: Signature | None
    refusal: Refusal | None
    size: int


class Witness:
    """One witness of some logs. Several threads may ask it at once; no second one may use its folder, see `alone_in`.

    `folder` is there already.
    """

    def __init__(self, folder: Path, key: SigningKey, logs: Collection[PublicKey], clock: Clock) -> None:
        self._folder = folder
        self._key = key
        self._logs = logs
        self._clock = clock
        self._lock = Lock()

    def add_checkpoint(self, text: str) -> Verdict:
        """Sign what was submitted and remember it, or refuse. Raises CourtesyError: UNREADABLE for what is no
        submission, SETUP when it can't be remembered, and then nothing is signed."""
        submission = read_submission(text)
        note = submission.note
        with self._lock:
            last = self.last(note.checkpoint.origin)
            known = None if last is None else last.checkpoint
            refusal = refusal_of(submission, self._logs, known, verify)
            if refusal is not None:
                return Verdict(None, refusal, 0 if known is None else known.size)
            at_s = self._clock.now_ms() // SECOND_MS
            signature = cosign(note.checkpoint, self._key.public, self._key.private.sign, at_s)
            self._remember(Note(note.checkpoint, (*_without(note, self._key.public), signature)))
            return Verdict(signature, None, note.checkpoint.size)

    def last(self, origin: str) -> Note | None:
        """What was signed last of a log; None while nothing was. Raises CourtesyError(SETUP)."""
        path = self._path(origin)
        try:
            return read_note(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, CourtesyError, UnicodeDecodeError) as error:
            raise _broken(path, error) from error

    def _remember(self, note: Note) -> None:
        path = self._path(note.checkpoint.origin)
        fresh = path.with_suffix(".new")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(note.text())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            _sync(self._folder)
        except OSError as error:
            raise _broken(path, error) from error

    def _path(self, origin: str) -> Path:
        return self._folder / f"{sha256(origin.encode()).hexdigest()}.checkpoint"


def _without(note: Note, key: PublicKey) -> tuple[Signature, ...]:
    return tuple(each for each in note.signatures if (each.name, each.key_id) != (key.name, key.id()))


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _broken(path: Path, error: Exception) -> CourtesyError:
    return CourtesyError(
        Code.SETUP,
        f"a witness must remember what it signed, got {type(error).__name__}: {error}",
        hint="a witness that lost its memory must not sign again under its name",
        place=str(path),
    )


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """This process is the only witness in a folder, which is made if need be. Raises CourtesyError(SETUP)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK_FILE).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except OSError as error:
        raise CourtesyError(
            Code.SETUP,
            f"expected a folder that no other witness uses: {error.strerror or error}",
            hint="end the other one, or name another folder with --data",
            place=str(folder),
        ) from error
