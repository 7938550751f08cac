"""Propagation in memory: the subjects of recipients, and the receipts of what they were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from courtesy.base.ids import PersonId
from courtesy.engine.propagation import (
    GONE,
    AttemptEnd,
    Change,
    ChangeKind,
    ClaimedSubject,
    Cursor,
    Ended,
    Receipt,
    ReceiptFilter,
    ReceiptState,
    Tally,
)
from courtesy.identity.repair import Erasure

Place = tuple[str, bytes]
"""A recipient and a subject."""


@dataclass(slots=True)
class _Subject:
    """A person as a recipient knows them; the fields are those of the contract."""

    person: PersonId | None
    next_ms: int | None
    urgent: bool = False
    is_claimed: bool = False
    attempt: int = 0
    tries: int = 0
    find_by: tuple[str, ...] = ()


@dataclass(slots=True)
class _Row:
    """A receipt as it stands. `since_ms`: from when on it is overdue some day."""

    number: int
    recipient: str
    subject: bytes | None
    change: Change
    queued_ms: int
    since_ms: int
    state: ReceiptState = ReceiptState.QUEUED
    is_open: bool = True
    request: str = ""
    sent_ms: int | None = None
    accepted_ms: int | None = None
    verified_ms: int | None = None
    escalated_ms: int | None = None
    attempts: int = 0
    error: str = ""
    read_back: str = ""

    def ended(self) -> Ended:
        """What is told of its end."""
        return Ended(self.change.kind, self.change.urgent, self.queued_ms)

    def shown(self, person: PersonId | None) -> Receipt:
        """The receipt, of that person."""
        change = self.change
        return Receipt(
            self.number, self.recipient, person, change.kind, change.urgent, self.state, change.entry, self.request,
            self.queued_ms, self.sent_ms, self.accepted_ms, self.verified_ms, self.escalated_ms, self.attempts,
            self.error, self.read_back,
        )  # fmt: skip


class Propagation:
    """All subjects by recipient and id, all receipts in order, and how far changes were looked for."""

    def __init__(self) -> None:
        self.cursors: dict[str, Cursor] = {}
        self._subjects: dict[Place, _Subject] = {}
        self._rows: list[_Row] = []
        self._count = 0

    def subjects(self, recipient: str, people: Collection[PersonId]) -> dict[PersonId, bytes]:
        """The subjects that these people have at a recipient."""
        return {
            each.person: subject
            for (own, subject), each in self._subjects.items()
            if own == recipient and each.person is not None and each.person in people
        }

    def queue(self, recipient: str, changes: Sequence[Change], now_ms: int, lives: Callable[[PersonId], bool]) -> None:
        """Write a receipt for each change of somebody who lives or has a subject."""
        known = self.subjects(recipient, {each.person for each in changes})
        for change in changes:
            if change.person not in known and not lives(change.person):
                continue
            subject = known.setdefault(change.person, change.subject)
            standing = self._subjects.setdefault((recipient, subject), _Subject(change.person, now_ms))
            standing.urgent = standing.urgent or change.urgent
            if not standing.is_claimed:
                standing.next_ms = now_ms if standing.next_ms is None else min(standing.next_ms, now_ms)
            self._add(recipient, subject, change, now_ms)

    def _add(self, recipient: str, subject: bytes, change: Change, now_ms: int) -> None:
        self._count += 1
        self._rows.append(_Row(self._count, recipient, subject, change, now_ms, now_ms, request=change.request))

    def _open(self, place: Place) -> list[_Row]:
        return [row for row in self._rows if (row.recipient, row.subject) == place and row.is_open]

    def claim(self, recipient: str, now_ms: int, ttl_ms: int, limit: int, *, urgent: bool) -> list[ClaimedSubject]:
        """Claim subjects that are due, the longest due first."""
        due = sorted(
            (each.next_ms, subject)
            for (own, subject), each in self._subjects.items()
            if own == recipient and each.urgent == urgent and each.next_ms is not None and each.next_ms <= now_ms
        )
        return [self._claim((recipient, subject), now_ms, now_ms + ttl_ms) for _, subject in due[:limit]]

    def _claim(self, place: Place, now_ms: int, until_ms: int) -> ClaimedSubject:
        standing, rows = self._subjects[place], self._open(place)
        standing.is_claimed, standing.next_ms = True, until_ms
        standing.attempt += 1
        for row in rows:
            row.sent_ms = now_ms if row.sent_ms is None else row.sent_ms
            row.attempts += 1
            row.state = ReceiptState.SENT if row.state is ReceiptState.QUEUED else row.state
        return ClaimedSubject(place[1], standing.person, standing.attempt, standing.tries, standing.find_by, bool(rows))

    def end(self, ended: AttemptEnd) -> list[Ended] | None:
        """Settle what an attempt was about."""
        place = (ended.recipient, ended.subject)
        standing = self._subjects.get(place)
        if standing is None or standing.attempt != ended.attempt:
            return None
        about = [row for row in self._of(place) if row.change.version <= ended.version and _is_settled_by(row, ended)]
        for row in about:
            _settle(row, ended)
        if ended.forgets:
            self._forget(place)
        else:
            self._rest(place, ended)
        return [] if ended.end is None else [row.ended() for row in about]

    def _of(self, place: Place) -> list[_Row]:
        return [row for row in self._rows if (row.recipient, row.subject) == place]

    def _rest(self, place: Place, ended: AttemptEnd) -> None:
        standing, rows = self._subjects[place], self._open(place)
        standing.is_claimed = False
        standing.tries = standing.tries + 1 if ended.end is None else 0
        standing.urgent = any(row.change.urgent for row in rows)
        standing.next_ms = ended.at_ms if rows and ended.end is not None else ended.next_ms

    def _forget(self, place: Place) -> None:
        for row in self._of(place):
            row.subject = None
        del self._subjects[place]

    def escalate_overdue(self, recipient: str, before_ms: int, now_ms: int, next_ms: int | None) -> list[Ended]:
        """Give up what was queued at or before an instant."""
        late = [row for row in self._rows if row.recipient == recipient and row.is_open and row.since_ms <= before_ms]
        for row in late:
            row.is_open, row.state, row.escalated_ms = False, ReceiptState.ESCALATED, now_ms
            row.error = row.error or "not confirmed in time"
        for subject in {row.subject for row in late if row.subject is not None}:
            standing = self._subjects[recipient, subject]
            if not standing.is_claimed and not self._open((recipient, subject)):
                standing.urgent, standing.tries = False, 0
                standing.next_ms = None if standing.person is None else next_ms
        return [row.ended() for row in late]

    def retry(self, recipient: str, numbers: Collection[int] | None, now_ms: int) -> int:
        """Take up again what was given up."""
        count = 0
        for row in self._rows:
            wanted = row.recipient == recipient and (numbers is None or row.number in numbers)
            if wanted and row.state is ReceiptState.ESCALATED and row.subject is not None:
                row.is_open, row.state, row.escalated_ms, row.since_ms = True, ReceiptState.QUEUED, None, now_ms
                standing = self._subjects[recipient, row.subject]
                standing.tries, standing.urgent = 0, standing.urgent or row.change.urgent
                standing.next_ms = standing.next_ms if standing.is_claimed else now_ms
                count += 1
        return count

    def receipts(self, which: ReceiptFilter, before: int | None, limit: int) -> list[Receipt]:
        """Receipts, the newest first."""
        shown = (
            row.shown(None if row.subject is None else self._subjects[row.recipient, row.subject].person)
            for row in reversed(self._rows)
        )
        found = [each for each in shown if (before is None or each.number < before) and _is_in(each, which)]
        return found[:limit]

    def tallies(self) -> list[Tally]:
        """How many receipts there are, by recipient and state."""
        counts = Counter((row.recipient, row.state) for row in self._rows)
        return [
            Tally(*key, count, min(row.queued_ms for row in self._rows if (row.recipient, row.state) == key))
            for key, count in sorted(counts.items())
        ]

    def forget(self, erasure: Erasure) -> None:
        """Let those who were told of some people erase them, and forget whom they were told of."""
        for place, standing in list(self._subjects.items()):
            if standing.person is None or standing.person not in erasure.people:
                continue
            if standing.attempt == 0 or place[0] not in erasure.recipients:
                self._rows = [row for row in self._rows if not row.is_open or (row.recipient, row.subject) != place]
                for row in self._of(place):
                    row.error = row.read_back = row.request = ""
                self._forget(place)
            else:
                self._let_erase(place, standing, erasure)

    def _let_erase(self, place: Place, standing: _Subject, erasure: Erasure) -> None:
        for row in self._of(place):
            row.error = row.read_back = row.request = ""
        gone = Change(PersonId(0), place[1], ChangeKind.ERASURE, True, GONE, request=erasure.request)
        self._add(*place, gone, erasure.note.at_ms)
        standing.person, standing.urgent, standing.tries = None, True, 0
        standing.find_by = tuple(erasure.recipients[place[0]])
        standing.next_ms = standing.next_ms if standing.is_claimed else erasure.note.at_ms


def _is_settled_by(row: _Row, ended: AttemptEnd) -> bool:
    late = row.state is ReceiptState.ESCALATED and ended.end in (ReceiptState.VERIFIED, ReceiptState.ACCEPTED)
    return row.is_open or late


def _settle(row: _Row, ended: AttemptEnd) -> None:
    row.error, row.read_back = ended.error, ended.read_back
    if ended.accepted:
        row.accepted_ms = ended.at_ms if row.accepted_ms is None else row.accepted_ms
        row.state = ReceiptState.ACCEPTED
    if ended.end is not None:
        row.is_open, row.state = False, ended.end
    if ended.end is ReceiptState.VERIFIED:
        row.verified_ms = ended.at_ms
    if ended.end is ReceiptState.ESCALATED:
        row.escalated_ms = ended.at_ms


def _is_in(receipt: Receipt, which: ReceiptFilter) -> bool:
    return (
        which.recipient in (None, receipt.recipient)
        and which.state in (None, receipt.state)
        and which.request in (None, receipt.request)
        and (which.people is None or receipt.person in which.people)
    )
