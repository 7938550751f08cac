"""Permits, refusals, sends and what audits found, as they are shown over HTTP and on the command line."""

from __future__ import annotations

from typing import Any

from courtesy.base.time import to_iso
from courtesy.engine.permit import JudgedSend, Permit, SendAudit, SendFault
from courtesy.runtime.audit import Recheck
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
