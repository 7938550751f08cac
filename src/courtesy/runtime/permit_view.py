"""Permits, refusals, sends and what audits found, as they are shown over HTTP and on the command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from courtesy.base.time import to_iso
from courtesy.consent.sheet import defused
from courtesy.engine.permit import JudgedSend, Permit, SendAudit, SendFault
from courtesy.runtime.audit import Recheck, Recipient, Shown
from courtesy.runtime.permits import Refusal

View = dict[str, Any]


def permit_view(permit: Permit) -> View:
    """A permit."""
    told = permit.terms
    minute = told.local_minute
    return {
        "permit": str(permit.number),
        "person": None if permit.person is None else str(permit.person),
        "message": told.message,
        "message_hash": told.message_hash.hex(),
        **told.scope._asdict(),
        "local_time": None if minute is None else f"{minute // 60:02}:{minute % 60:02}",
        "zones": [{"zone": each.name, "by": str(each.by)} for each in told.zones],
        "why": told.why,
        "basis": told.basis,
        "rule": told.rule,
        "policy": told.policy,
        "source": told.source,
        "choices": list(told.choices),
        "issued": to_iso(told.issued_ms),
        "expires": to_iso(told.expires_ms),
        "position": str(permit.position),
    }


def refusal_view(refusal: Refusal) -> View:
    """Why there is no permit."""
    return {
        "why": refusal.why,
        "person": None if refusal.person is None else str(refusal.person),
        "rule": refusal.rule,
        "policy": refusal.policy,
        "source": refusal.source,
        "choices": list(refusal.choices),
    }


def differences_view(found: Recheck) -> View:
    """What asking again came to."""
    return {
        "checked": found.checked_count,
        "forgotten": found.forgotten_count,
        "differences": [
            {
                "permit": permit_view(each.permit),
                "allowed": each.answer.allowed,
                "why": str(each.answer.why),
                "rule": each.answer.rule,
                "policy": each.answer.policy,
                "choices": list(each.answer.choices),
            }
            for each in found.differences
        ],
    }


def judged_view(send: JudgedSend) -> View:
    """A message that left."""
    return {
        "message": send.message,
        "person": str(send.person) if send.person else None,
        "channel": send.channel,
        "at": to_iso(send.at_ms),
        "permit": None if send.permit is None else str(send.permit),
        "fault": send.fault,
    }


def sends_view(found: SendAudit) -> View:
    """What left in a span."""
    return {
        "sends": found.send_count,
        **{str(fault): found.fault_counts.get(fault, 0) for fault in SendFault},
        "faulty": [judged_view(each) for each in found.faulty],
    }


def recipient_view(each: Recipient) -> View:
    """Who received a message, with the basis at that instant."""
    received, since = each.received, each.since
    hashed, permit = received.message_hash, received.permit
    return {
        **judged_view(received.send),
        "finding": each.finding,
        "message_hash": None if hashed is None else hashed.hex(),
        "basis": None if permit is None else permit_view(permit),
        "choices": list(map(_shown_view, each.choices)),
        "since": None
        if since is None
        else {
            "allowed": since.allowed,
            "why": str(since.why),
            "rule": since.rule,
            "policy": since.policy,
            "choices": list(map(_shown_view, each.later)),
        },
    }


def _shown_view(shown: Shown) -> View:
    return {"id": shown.id, "entry": shown.entry, "notice": shown.notice, "form": shown.form}


RECIPIENT_COLUMNS = (
    "at", "message", "channel", "person", "finding", "fault", "permit", "purpose", "topic", "brand", "jurisdiction",
    "why", "basis", "rule", "policy", "source", "issued", "expires", "position", "choices", "entries", "notices",
    "since", "message_hash",
)  # fmt: skip


def recipient_row(each: Recipient) -> list[str]:
    """The same as cells of a table, in the order of `RECIPIENT_COLUMNS`; several values in one are parted by spaces."""
    view = recipient_view(each)
    permit: View = view["basis"] or {}
    found = permit | {name: view[name] for name in ("at", "message", "channel", "person", "finding", "fault", "permit")}
    found |= {
        "choices": " ".join(shown.id for shown in each.choices),
        "entries": " ".join("-" if shown.entry is None else str(shown.entry) for shown in each.choices),
        "notices": " ".join(shown.notice or "-" for shown in each.choices),
        "since": None if each.since is None else str(each.since.why),
        "message_hash": view["message_hash"],
    }
    return [defused("" if found.get(name) is None else str(found[name])) for name in RECIPIENT_COLUMNS]


def csv_of(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180)."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()
