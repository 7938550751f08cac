"""The forms in which consent is handed out, with their media types."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from courtesy.consent.controller import Controller
from courtesy.consent.kantara import kantara_receipt, kantara_receipts
from courtesy.consent.records import iso_receipt, iso_records
from courtesy.consent.sheet import csv_records
from courtesy.consent.told import Told

JSON_LD = "application/ld+json"
JSON = "application/json"
CSV = "text/csv; charset=utf-8; header=present"


class RecordForm(StrEnum):
    """ISO_27560: ISO/IEC TS 27560 in JSON-LD; KANTARA: consent receipts 1.1; CSV: every choice in a table."""

    ISO_27560 = "iso-27560"
    KANTARA = "kantara"
    CSV = "csv"


class ReceiptForm(StrEnum):
    """As `RecordForm`, for one choice."""

    ISO_27560 = "iso-27560"
    KANTARA = "kantara"


class Document(NamedTuple):
    """What is handed out."""

    content: bytes
    media_type: str


def records_as(form: RecordForm, person: str, told: Sequence[Told], controller: Controller | None) -> Document:
    """The choices of a person in a form. Raises CourtesyError(CONFLICT) when the form needs to know more of the
    controller."""
    match form:
        case RecordForm.ISO_27560:
            return Document(msgspec.json.encode(iso_records(person, told, controller)), JSON_LD)
        case RecordForm.KANTARA:
            receipts = {"receipts": kantara_receipts(person, told, controller)}
            return Document(msgspec.json.encode(receipts), JSON)
        case RecordForm.CSV:
            return Document(csv_records(person, told).encode("utf-8", "replace"), CSV)


def receipt_as(
    form: ReceiptForm, person: str, told: Sequence[Told], wanted: str, controller: Controller | None, now_ms: int
) -> Document:
    """A receipt for the choice with an id. Raises as `records_as`, and NOT_FOUND when there is none for it."""
    match form:
        case ReceiptForm.ISO_27560:
            return Document(msgspec.json.encode(iso_receipt(person, told, wanted, controller, now_ms)), JSON_LD)
        case ReceiptForm.KANTARA:
            return Document(msgspec.json.encode(kantara_receipt(person, told, wanted, controller)), JSON)
