"""Requests of people as they are shown: plain values ready for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from courtesy.base.time import to_iso
from courtesy.consent.request import PENDING, name_of
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


def log_view(lines: Iterable[RequestLine]) -> list[dict[str, str]]:
    """What was done about a request, the oldest first."""
    return [{"at": to_iso(line.at_ms), "by": line.by, "what": line.what, "note": line.note} for line in lines]
