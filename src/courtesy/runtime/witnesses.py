"""Having checkpoints signed by witnesses: each is sent to everyone who has not signed it, with the proof that they ask
for (c2sp.org/tlog-witness), and kept with the signatures that came back.

A witness that is down, slow or refuses holds up nothing: the next round asks it again, about the checkpoint that is the
last one then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore
import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.checkpoint import KeyKind, Note, PublicKey, read_key
from courtesy.consent.witnessing import (
    PATH,
    Refusal,
    Submission,
    cosigned,
    has_signed,
    read_size,
    with_signatures,
)
from courtesy.engine.contract import Engine
from courtesy.runtime.sealer import Proofs
from courtesy.runtime.signing import verify

ANSWER_S = 10.0
ANSWER_BYTES_MAX = 65_536
TRIES = 3
"""The first tells how far the witness is, if that was not known; the others are for a log that several hosts seal."""

_FAILURES = (OSError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, UnicodeDecodeError)

log = structlog.get_logger("witnesses")


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a witness listens, and by which key it signs."""

    url: str
    key: PublicKey


def read_witnesses(text: str) -> tuple[Witness, ...]:
    """Those of the setting `ledger_witnesses`: URL and key each, with commas between. Raises CourtesyError(INVALID)."""
    return tuple(_witness(part.strip()) for part in text.split(",") if part.strip())


def _witness(text: str) -> Witness:
    url, _, key = text.partition(" ")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CourtesyError(
            Code.INVALID,
            f"expected the URL of a witness and its key, got {text!r:.200}",
            hint="like `https://witness.example name+id+key`, several with commas between",
            place="ledger_witnesses",
        )
    found = read_key(key.strip())
    if found.kind is not KeyKind.COSIGNATURE:
        raise CourtesyError(
            Code.INVALID, f"expected the key of a witness, got that of a log: {key.strip()}", place="ledger_witnesses"
        )
    return Witness(url.rstrip("/"), found)


class Refused(Exception):
    """A witness does not sign; the message says why."""


class Witnesses:
    """The log's side of one process."""

    def __init__(self, engine: Engine, witnesses: Sequence[Witness]) -> None:
        self._engine = engine
        self._proofs = Proofs(engine)
        self._witnesses = witnesses
        self._sizes: dict[PublicKey, int] = {}
        self._http = httpcore.AsyncConnectionPool(max_connections=max(1, len(witnesses)), retries=0)

    async def aclose(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def sign(self, note: Note) -> Note:
        """The last checkpoint of the log with the signatures that could be had, kept like that. Never raises for what
        witnesses do."""
        asked = [witness for witness in self._witnesses if not has_signed(note, witness.key)]
        if not asked:
            return note
        answers = await asyncio.gather(*(self._signed_by(witness, note) for witness in asked))
        signed = note
        for answer in answers:
            signed = with_signatures(signed, answer.signatures[len(note.signatures) :])
        if signed != note and not await self._engine.sign_checkpoint(note.text(), signed.text()):
            # Another host was faster; what is still missing is asked for in the next round.
            return note
        return signed

    async def _signed_by(self, witness: Witness, note: Note) -> Note:
        """The note with one more signature, or as it was."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._ask(witness, note)
        except Refused as refused:
            log.error("witness_refuses", witness=witness.key.name, size=note.checkpoint.size, cause=str(refused))
        except TimeoutError:
            log.warning("witness_waits", witness=witness.key.name, cause=f"no answer within {ANSWER_S:g} s")
        except _FAILURES as error:
            log.warning("witness_waits", witness=witness.key.name, cause=f"{type(error).__name__}: {error}")
        return note

    async def _ask(self, witness: Witness, note: Note) -> Note:
        size = note.checkpoint.size
        known = self._sizes.get(witness.key, 0)
        for _ in range(TRIES):
            path = await self._proofs.path(known, size)
            status, answer = await self._post(witness, Submission(known, tuple(path), note))
            if status == 200:
                self._sizes[witness.key] = size
                return _with_answer(note, answer, witness)
            told = read_size(answer) if status == Refusal.CONFLICT else None
            if told is None or told == known:
                raise Refused(f"status {status}: {answer:.200}")
            if told > size:
                raise Refused(f"it has signed {told} entries of this log already, which has only {size}")
            known = self._sizes[witness.key] = told
        raise Refused(f"it changed its mind {TRIES} times, the last time to {known} entries")

    async def _post(self, witness: Witness, submission: Submission) -> tuple[int, str]:
        headers = [("content-type", "text/plain; charset=utf-8")]
        url = f"{witness.url}/{PATH}"
        async with self._http.stream("POST", url, headers=headers, content=submission.text().encode()) as answer:
            content = bytearray()
            async for part in answer.aiter_stream():
                content += part
                if len(content) > ANSWER_BYTES_MAX:
                    raise Refused(f"expected an answer of at most {ANSWER_BYTES_MAX} bytes, got more")
        return answer.status, content.decode()


def _with_answer(note: Note, answer: str, witness: Witness) -> Note:
    try:
        return cosigned(note, answer, witness.key, verify)
    except CourtesyError as error:
        raise Refused(error.message) from error
