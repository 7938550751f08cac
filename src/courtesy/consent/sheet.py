"""Every choice of a person with its evidence as CSV (RFC 4180), for a regulator's spreadsheet.

What spreadsheets would run as a formula is defused by an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from courtesy.base.time import to_iso
from courtesy.consent.terms import basis_term, purpose_term
from courtesy.consent.told import Told, corrections
from courtesy.event.choice import Action, Evidence

EVIDENCE = Evidence.__struct_fields__
COLUMNS = (
    "person", "id", "entry", "recorded", "held_from", "held_to", "action", "purpose", "dpv_purpose", "channel",
    "topic", "brand", "jurisdiction", "value", "basis", "dpv_basis", "policy", "corrects", "corrected", "method",
    "actor", "request", "source", "message_id", *(f"evidence_{name}" for name in EVIDENCE),
)  # fmt: skip

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_records(person: str, told: Sequence[Told]) -> str:
    """All choices, the oldest first, under a line with the names of the columns; lines end with CR LF."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    corrected = corrections(told)
    for each in sorted(told, key=lambda one: one.order):
        writer.writerow([defused(cell) for cell in _row(person, each, corrected.get(each.id))])
    return out.getvalue()


def defused(text: str) -> str:
    """The text, after an apostrophe if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.lstrip(" \u00a0\ufeff\u200b").startswith(FORMULA_STARTS) else text


def _row(person: str, one: Told, corrected_ms: int | None) -> list[str]:
    choice = one.choice
    shown = choice.evidence or Evidence()
    allows = choice.action is Action.GRANT
    return [
        person,
        one.id,
        str(one.index),
        to_iso(one.recorded_ms),
        to_iso(choice.held_from),
        "" if choice.held_to is None else to_iso(choice.held_to),
        str(choice.action),
        choice.purpose,
        purpose_term(choice.purpose),
        choice.channel,
        choice.topic,
        choice.brand,
        choice.jurisdiction,
        "" if choice.value is None else _value(choice.value),
        str(choice.basis or ""),
        basis_term(choice.basis) if allows or choice.basis is not None else "",
        choice.policy or "",
        choice.corrects or "",
        "" if corrected_ms is None else to_iso(corrected_ms),
        choice.method or "",
        choice.actor or "",
        choice.request or "",
        one.source,
        one.message,
        *(_shown(getattr(shown, name)) for name in EVIDENCE),
    ]


def _value(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _shown(value: str | bool | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value).lower()
