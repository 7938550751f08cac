"""What a store keeps of propagation: which recipient was to be told what of whom, and what became of it.

A *subject* is a person as one recipient knows them, under an opaque id of 16 bytes. A *receipt* is one change that one
recipient is to be told of. What is sent is always the present state of a subject, so an attempt is made for a subject,
and settles all its receipts up to the version that was sent.

The promises that hold for every engine:

- **No change is lost.** `queue_changes` writes receipts and moves the cursor over what they were made from in one step,
  or does neither.
- **One attempt at a time for a subject**, until its claim runs out; only the attempt that was made last settles.
- **Who is erased is not told of again.** In the transaction of an erasure every subject of theirs that a recipient
  was ever told of waits to be erased there, under nothing but its id; nothing else of them stays, and afterwards no
  change is queued for them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from courtesy.base.ids import PersonId, Position

GONE = Position(2**62)
"""The version of an erasure: later than that of every state."""


class ChangeKind(StrEnum):
    """What a recipient is to be told of. CONSENT: a choice. IDENTITY: who is who. RECTIFICATION, ERASURE: what a person
    asked for. BACKFILL: what was there before the recipient. DRIFT: it no longer held what it was told."""

    CONSENT = "consent"
    IDENTITY = "identity"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    BACKFILL = "backfill"
    DRIFT = "drift"


class ReceiptState(StrEnum):
    """How far a change has come. SENT: an attempt began. ACCEPTED: the recipient said so; the end where it can't be
    read back. VERIFIED: it was read back. ESCALATED: given up, for somebody to look at."""

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    VERIFIED = "verified"
    ESCALATED = "escalated"


class Cursor(NamedTuple):
    """How far a recipient's changes were looked for: the next index of the ledger, and the numbers of the last merge
    and of the last correction of who is who. `began`: how many entries the ledger had when it was begun."""

    entry: int
    merge: int
    repair: int
    began: int


class Change(NamedTuple):
    """A change to be told of, and the subject that its person has if they have none yet. It is in every state of that
    version (a position of the log) or later. `entry`: its index in the ledger. `request`: on which occasion."""

    person: PersonId
    subject: bytes
    kind: ChangeKind
    urgent: bool
    version: Position
    entry: int | None = None
    request: str = ""


class IdentityChange(NamedTuple):
    """People of whom some became one, or one was taken apart, and the cursor behind it."""

    people: frozenset[PersonId]
    merge: int
    repair: int


class ClaimedSubject(NamedTuple):
    """A subject that may be told of now. `attempt` fences; `tries`: attempts in vain since the last that was not.

    `person` is None when they are erased, and then `find_by` are identifiers by which the recipient finds them.
    `has_changes`: whether there is something to be told, and not just to be looked at again.
    """

    subject: bytes
    person: PersonId | None
    attempt: int
    tries: int
    find_by: tuple[str, ...]
    has_changes: bool


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """What became of an attempt. It is about all changes up to `version`.

    `end`: the state in which these end; None when they are to be tried again. `accepted`: whether the recipient said
    that it took the state. `error`: what went wrong, without anything that the other side said. `read_back`: its own
    version of what was read back. `next_ms`: when to come back, be it to look again; None for never. `forgets`: whether
    the subject is not needed any more.
    """

    recipient: str
    subject: bytes
    attempt: int
    version: Position
    at_ms: int
    end: ReceiptState | None = None
    accepted: bool = False
    error: str = ""
    read_back: str = ""
    next_ms: int | None = None
    forgets: bool = False


class Ended(NamedTuple):
    """A change that has come to its end: what it was, whether it was urgent, and when it was queued (ms UTC)."""

    kind: ChangeKind
    urgent: bool
    queued_ms: int


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A change and what became of it. `person` is None once they are forgotten. Instants are ms UTC, None until then.

    `attempts`: how many there were. `error`: why the last of them failed.
    """

    number: int
    recipient: str
    person: PersonId | None
    kind: ChangeKind
    urgent: bool
    state: ReceiptState
    entry: int | None
    request: str
    queued_ms: int
    sent_ms: int | None
    accepted_ms: int | None
    verified_ms: int | None
    escalated_ms: int | None
    attempts: int
    error: str
    read_back: str


@dataclass(frozen=True, slots=True)
class ReceiptFilter:
    """Which receipts: of a recipient, in a state, of a request, of any of these people, as far as they are given."""

    recipient: str | None = None
    state: ReceiptState | None = None
    request: str | None = None
    people: frozenset[PersonId] | None = None


class Tally(NamedTuple):
    """How many receipts a recipient has in a state, and when the oldest of them was queued (ms UTC)."""

    recipient: str
    state: ReceiptState
    receipt_count: int
    oldest_ms: int


class PropagationStore(Protocol):
    """The side of an engine that keeps subjects and receipts."""

    async def start_propagation(self, recipient: str, *, from_start: bool) -> None:
        """Look for changes for a recipient from now on, or from the start of the ledger; where they were looked for
        before, from there on."""
        ...

    async def stop_propagation(self, recipient: str, now_ms: int) -> list[Ended]:
        """Look for no more changes, and give up all that are under way."""
        ...

    async def propagation_cursor(self, recipient: str) -> Cursor | None:
        """How far changes were looked for; None before `start_propagation`."""
        ...

    async def identity_changes(self, after: Cursor, limit: int) -> list[IdentityChange]:
        """Merges and corrections behind a cursor; empty only when there are none."""
        ...

    async def roots(self, people: Collection[PersonId]) -> dict[PersonId, PersonId]:
        """Of whom each is a part now; themselves for who is nobody's."""
        ...

    async def subjects(self, recipient: str, people: Collection[PersonId]) -> dict[PersonId, bytes]:
        """The subjects that these people have at a recipient."""
        ...

    async def queue_changes(
        self, recipient: str, changes: Sequence[Change], now_ms: int, moved: tuple[Cursor, Cursor] | None = None
    ) -> bool:
        """Write a receipt for each change of somebody who is not erased, and move the cursor from one place to another.

        False, and nothing is changed, when the cursor is somewhere else, or there is none.
        """
        ...

    async def claim_subjects(
        self, recipient: str, now_ms: int, ttl_ms: int, limit: int, *, urgent: bool
    ) -> list[ClaimedSubject]:
        """Claim subjects that are due or whose claim has run out, the longest due first: those with urgent changes, or
        the others. Their changes that are under way count as sent."""
        ...

    async def end_attempts(self, ended: Sequence[AttemptEnd]) -> list[list[Ended] | None]:
        """Settle the changes that attempts were about, all or none of them; for each attempt those that came to their
        end by it. None, and nothing is changed by it, when another attempt was made since.

        A change that had been given up is settled as well by what was verified or accepted later.
        """
        ...

    async def escalate_overdue(
        self, recipient: str, queued_before_ms: int, now_ms: int, next_ms: int | None
    ) -> list[Ended]:
        """Give up the changes that were queued (or tried anew) at or before an instant and are still under way. Their
        subjects are looked at again at `next_ms`; None for never."""
        ...

    async def retry_receipts(self, recipient: str, numbers: Collection[int] | None, now_ms: int) -> int:
        """Take up again what was given up: these receipts, or all of the recipient; how many."""
        ...

    async def receipts(self, which: ReceiptFilter, before: int | None, limit: int) -> list[Receipt]:
        """Receipts, the newest first, before a number if given."""
        ...

    async def tallies(self) -> list[Tally]:
        """How many receipts there are, by recipient and state."""
        ...
