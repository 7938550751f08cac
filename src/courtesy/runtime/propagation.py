"""What recipients were told of whom, for whoever asks; and what they are told because somebody asks for it: that what
is known was put right, or once more what was given up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import PersonId
from courtesy.base.time import Clock, to_iso
from courtesy.engine.contract import Engine
from courtesy.engine.propagation import Change, ChangeKind, Receipt, ReceiptFilter, ReceiptState, Tally
from courtesy.runtime.catalog import CatalogCache, check_name
from courtesy.runtime.recipient import Recipient, SubjectIds, Told

ALL = 2**31 - 1
OPEN = frozenset({ReceiptState.QUEUED, ReceiptState.SENT, ReceiptState.ACCEPTED})
"""States of what is under way; ACCEPTED is also the end at a recipient that can't be read back."""


class Propagation:
    """The asking side of one process."""

    def __init__(self, engine: Engine, catalog: CatalogCache, ids: SubjectIds, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._ids = ids
        self._clock = clock

    async def define(self, name: str, recipient: Recipient, by: str) -> None:
        """Define or change a recipient. From then on it is told of choices; with `backfill` of earlier ones, too, if it
        is new. Raises CourtesyError(INVALID)."""
        check_name(name)
        recipient.checked()
        # Before it is known, so that it misses nothing from then on.
        await self._engine.start_propagation(name, from_start=recipient.backfill)
        await self._catalog.define_recipient(name, recipient, by)

    async def remove(self, name: str, by: str) -> None:
        """Tell a recipient nothing any more; what is under way is given up. Raises CourtesyError(NOT_FOUND)."""
        await self._catalog.remove_recipient(name, by)
        await self._engine.stop_propagation(name, self._clock.now_ms())

    async def rectified(self, person: PersonId, request: str = "") -> int:
        """Tell those who were told of a person what is so now, because what is known of them was put right (GDPR 19);
        how many recipients."""
        reading = await self._engine.read_person(f"person:{person}")
        people = set() if reading is None else {reading.person, *reading.merged}
        count, head = 0, await self._engine.head()
        for name, recipient in (await self._catalog.recipients()).items():
            told = await self._engine.subjects(name, people) if Told.RECTIFICATION in recipient.tells else {}
            changes = [
                Change(each, subject, ChangeKind.RECTIFICATION, True, head, request=request)
                for each, subject in sorted(told.items())
            ]
            if changes and await self._engine.queue_changes(name, changes, self._clock.now_ms()):
                count += 1
        return count

    async def retry(self, name: str, numbers: Collection[int] | None = None) -> int:
        """Take up again what was given up at a recipient: these receipts, or all; how many. Raises
        CourtesyError(NOT_FOUND)."""
        await self.recipient(name)
        return await self._engine.retry_receipts(name, numbers, self._clock.now_ms())

    async def recipient(self, name: str) -> Recipient:
        """A recipient as it is defined now. Raises CourtesyError(NOT_FOUND)."""
        known = await self._catalog.recipients()
        if name not in known:
            raise CourtesyError(Code.NOT_FOUND, f"no recipient named {name!r:.120}", hint=nearest(name, known))
        return known[name]

    async def receipts(self, which: ReceiptFilter, before: int | None, limit: int) -> dict[str, Any]:
        """A page of receipts, the newest first."""
        found = await self._engine.receipts(which, before, limit)
        return {
            "receipts": [receipt_view(each) for each in found],
            "next_before": found[-1].number if len(found) == limit else None,
        }

    async def summary(self, name: str) -> dict[str, Any]:
        """How many receipts of a recipient are in which state, and since when the oldest that is under way waits.
        Raises CourtesyError(NOT_FOUND)."""
        recipient = await self.recipient(name)
        tallies = {each.state: each for each in await self._engine.tallies() if each.recipient == name}
        return {"recipient": name, **_summary(recipient, tallies)}

    async def told_of(self, people: Collection[PersonId]) -> list[dict[str, Any]]:
        """The recipients that were told of a person (all who are one), or are to be: since when, and what last came of
        it (GDPR 19, last sentence; 15(1)(c))."""
        found = await self._engine.receipts(ReceiptFilter(people=frozenset(people)), None, ALL)
        by_name: dict[str, list[Receipt]] = {}
        for each in reversed(found):
            by_name.setdefault(each.recipient, []).append(each)
        return [_recipient_of_person(name, receipts) for name, receipts in sorted(by_name.items())]


def _summary(recipient: Recipient, tallies: Mapping[ReceiptState, Tally]) -> dict[str, Any]:
    under_way = OPEN if recipient.reads_back else OPEN - {ReceiptState.ACCEPTED}
    oldest = min((each.oldest_ms for state, each in tallies.items() if state in under_way), default=None)
    counts = {str(state): tallies[state].receipt_count if state in tallies else 0 for state in ReceiptState}
    return {**counts, "oldest_waiting": None if oldest is None else to_iso(oldest)}


def _recipient_of_person(name: str, receipts: Iterable[Receipt]) -> dict[str, Any]:
    known = list(receipts)
    return {
        "recipient": name,
        "first_told": _iso(min((each.sent_ms for each in known if each.sent_ms is not None), default=None)),
        "last_accepted": _iso(max((each.accepted_ms for each in known if each.accepted_ms is not None), default=None)),
        "last_verified": _iso(max((each.verified_ms for each in known if each.verified_ms is not None), default=None)),
        "receipts": [receipt_view(each) for each in known],
    }


def receipt_view(receipt: Receipt) -> dict[str, Any]:
    """A receipt, for people and programs to read."""
    return {
        "number": receipt.number,
        "recipient": receipt.recipient,
        "person": None if receipt.person is None else str(receipt.person),
        "kind": str(receipt.kind),
        "urgent": receipt.urgent,
        "state": str(receipt.state),
        "entry": receipt.entry,
        "request": receipt.request,
        "queued": to_iso(receipt.queued_ms),
        "sent": _iso(receipt.sent_ms),
        "accepted": _iso(receipt.accepted_ms),
        "verified": _iso(receipt.verified_ms),
        "escalated": _iso(receipt.escalated_ms),
        "attempts": receipt.attempts,
        "error": receipt.error,
        "read_back": receipt.read_back,
    }


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else to_iso(at_ms)
