"""Requests of people as they are shown: plain values ready for JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Any

import msgspec

from courtesy.base.time import to_iso
from courtesy.consent.request import PENDING, name_of
from courtesy.engine.propagation import Receipt, ReceiptState
from courtesy.engine.request import Request, RequestLine


def request_view(request: Request, now_ms: int) -> dict[str, Any]:
    """A request as it stands at an instant."""
    can_extend = request.state in PENDING and not request.is_extended and now_ms < request.due_ms
    return {
        "number": request.number,
        "request": name_of(request.number),
        "kind": str(request.kind),
        "state": str(request.state),
        "person": None if request.person is None else str(request.person),
        "identifier": request.identifier,
        "details": msgspec.json.decode(request.details),
        "law": request.law,
        "source": request.source,
        "received": to_iso(request.received_ms),
        "due": to_iso(request.due_ms),
        "overdue": request.state in PENDING and request.due_ms <= now_ms,
        "extended": request.is_extended,
        "extendable_to": to_iso(request.extended_due_ms) if can_extend and request.extended_due_ms else None,
        "settled": None if request.settled_ms is None else to_iso(request.settled_ms),
        "hashes": [each.hex() for each in request.hashes],
    }


class Telling(StrEnum):
    """How far recipients know of what was done for a request. NOBODY: none was told of anything yet, or has to be.
    ESCALATED: one was given up, and somebody has to look at it. EVERYBODY: each has confirmed it."""

    NOBODY = "nobody"
    UNDER_WAY = "under_way"
    ESCALATED = "escalated"
    EVERYBODY = "everybody"


def telling_of(receipts: Collection[Receipt], silent: Collection[str]) -> Telling:
    """What receipts come to. Of the `silent`, which can't be read back, it is enough that they accepted it."""
    states = {
        ReceiptState.VERIFIED if each.state is ReceiptState.ACCEPTED and each.recipient in silent else each.state
        for each in receipts
    }
    if not states:
        return Telling.NOBODY
    if states == {ReceiptState.VERIFIED}:
        return Telling.EVERYBODY
    return Telling.ESCALATED if ReceiptState.ESCALATED in states else Telling.UNDER_WAY


def log_view(lines: Iterable[RequestLine]) -> list[dict[str, str]]:
    """What was done about a request, the oldest first."""
    return [{"at": to_iso(line.at_ms), "by": line.by, "what": line.what, "note": line.note} for line in lines]
