"""Handing out what somebody chose: records for regulators, receipts for the person."""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.base.errors import Code
from courtesy.consent.forms import CSV, JSON_LD, ReceiptForm, RecordForm, receipt_as, records_as
from courtesy.http.operation import JSON, Answer, Asked, Operation
from courtesy.http.people import PERSON_PATH
from courtesy.runtime.catalog import Scope


class RecordsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format`: `iso-27560` for ISO/IEC TS 27560 in JSON-LD, `kantara` for receipts of version 1.1, `csv` for a table
    of every choice."""

    format: RecordForm = RecordForm.ISO_27560


class ReceiptQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format`: `iso-27560` for ISO/IEC TS 27560 in JSON-LD, `kantara` for version 1.1."""

    format: ReceiptForm = ReceiptForm.ISO_27560


async def read_records(asked: Asked[RecordsQuery, None]) -> Answer:
    """All records of one person."""
    form = asked.query.format
    person, told = await asked.app.consents.told(asked.path["kind"], asked.path["value"])
    document = records_as(form, str(person), told, await asked.app.consents.controller())
    name = f'attachment; filename="consent-{person}.csv"'
    headers = (("content-disposition", name),) if form is RecordForm.CSV else ()
    return Answer(document.content, media_type=document.media_type, headers=headers)


async def read_receipt(asked: Asked[ReceiptQuery, None]) -> Answer:
    """The receipt for one choice."""
    app, path = asked.app, asked.path
    person, told = await app.consents.told(path["kind"], path["value"])
    known = await app.consents.controller()
    document = receipt_as(asked.query.format, str(person), told, path["id"], known, app.clock.now_ms())
    return Answer(document.content, media_type=document.media_type)


def _content(*media_types: str) -> dict[str, Any]:
    """How an answer is described that has one of several forms."""
    shape = {"type": "object"}
    return {each: {"schema": shape if "json" in each else {"type": "string"}} for each in media_types}


OPERATIONS = (
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/consent-records",
        "consent",
        "Hand out records of what a person allowed and refused.",
        read_records,
        doc="With the evidence, from the ledger. A record's identifier is the id of its choice.",
        scope=Scope.READ,
        query=RecordsQuery,
        answered=_content(JSON_LD, JSON, CSV),
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs=PERSON_PATH,
    ),
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/choices/{id}/receipt",
        "consent",
        "Hand out a receipt for one choice.",
        read_receipt,
        doc="For the person to keep.",
        scope=Scope.READ,
        query=ReceiptQuery,
        answered=_content(JSON_LD, JSON),
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs={**PERSON_PATH, "id": "The id of the choice, as `…/choices` lists it; or written like a UUID."},
    ),
)
