"""Records, receipts and tables made of choices, without a server."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.consent.controller import Controller, PostalAddress
from courtesy.consent.kantara import kantara_receipt, kantara_receipts
from courtesy.consent.records import iso_receipt, iso_records
from courtesy.consent.sheet import COLUMNS, FORMULA_STARTS, csv_records, defused
from courtesy.consent.signals import TCF_PURPOSES, US_OPT_OUTS
from courtesy.consent.terms import BASES, CONTEXT, DATA, PURPOSES, expanded, purpose_term
from courtesy.consent.told import Told, find
from courtesy.event.choice import Action, Basis, Choice, Evidence

CONTROLLER = Controller(
    "Shop Ltd",
    "Data protection office",
    "privacy@shop.example",
    PostalAddress("DE", "Main St 1", "Berlin"),
    "https://shop.example/privacy",
    phone="+49 30 1234",
    choices_url="https://shop.example/choices",
    storage_countries=("DE",),
    retention="P2Y",
    recipients=("Post Ltd",),
)
AT_MS = 1_763_780_645_000


def told(number: int, action: Action, **fields: Any) -> Told:
    """A choice about marketing mail, unless said otherwise, each a second after the other."""
    at_ms = AT_MS + number * 1_000
    choice = Choice(action, **{"purpose": "marketing", "channel": "email", "held_from": at_ms, **fields})
    return Told(f"{number:032x}", number, at_ms, "shop", f"m{number}", choice)


def records(*some: Told) -> list[dict[str, Any]]:
    """The records of choices, without the controller."""
    found: list[dict[str, Any]] = iso_records("7", some, CONTROLLER)["@graph"]
    return found[:-1]


def state(record: dict[str, Any], place: int = 0) -> str:
    """What a record says was done."""
    found: str = record["dpv:hasConsentStatus"][place]["@type"][0]
    return found


def test_the_fields_that_the_profile_asks_for_are_there() -> None:
    """Those marked MUST in the guide, in the record, its process, its notices and its events."""
    (record,) = records(told(1, Action.GRANT))
    assert {"dct:conformsTo", "dct:identifier", "dpv:hasDataSubject", "dpv:hasNotice"} <= record.keys()
    assert {
        "dpv:hasPurpose",
        "dpv:hasPersonalData",
        "dpv:hasStorageCondition",
        "dpv:hasDataController",
        "dpv:hasRecipient",
        "dpv:hasConsentControl",
        "dpv:hasJurisdiction",
        "dpv:hasRight",
        "dpv:hasLegalBasis",
    } <= record["dpv:hasProcess"].keys()
    assert all("dct:language" in each for each in record["dpv:hasNotice"])
    (event,) = record["dpv:hasConsentStatus"]
    assert {"@type", "dpv:isIndicatedAtTime", "dpv:isIndicatedBy", "dpv:hasDuration"} <= event.keys()


def _terms(node: Any) -> set[str]:
    """Every name with a prefix in a document: keys, types and references."""
    if isinstance(node, list):
        return set().union(*map(_terms, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    types = node.get("@type", [])
    own = {*node.keys(), *([types] if isinstance(types, str) else types), str(node.get("@id", ""))}
    return {each for each in own if re.match(r"[a-z][a-z-]*:[A-Za-z]", each)} | _terms(list(node.values()))


def test_every_prefix_is_in_the_context() -> None:
    """So that every term stands for an IRI; no key is without one, for JSON-LD would drop it."""
    document = iso_receipt(
        "7", [told(1, Action.GRANT, jurisdiction="FR", held_to=AT_MS * 2)], f"{1:032x}", CONTROLLER, 1
    )
    body = {name: value for name, value in document.items() if name != "@context"}
    known = {"urn", "https", "ni", *CONTEXT}
    assert {each.partition(":")[0] for each in _terms(body)} <= known

    def keys(node: Any) -> set[str]:
        if isinstance(node, list):
            return set().union(*map(keys, node)) if node else set()
        return set(node) | keys(list(node.values())) if isinstance(node, dict) else set()

    assert {key for key in keys(body) if ":" not in key} == {"@id", "@type", "@value"}


def test_a_refusal_without_consent_before_it_is_no_withdrawal() -> None:
    """DPV tells the two apart; what counts is a consent for the same, or for more, or for a part."""
    assert state(records(told(1, Action.WITHDRAW))[0]) == "dpv:ConsentRefused"
    assert state(records(told(1, Action.OBJECT))[0]) == "dpv:ConsentRefused"
    assert state(records(told(1, Action.GRANT), told(2, Action.WITHDRAW, channel="*"))[1]) == "dpv:ConsentWithdrawn"
    assert state(records(told(1, Action.GRANT, channel="sms"), told(2, Action.WITHDRAW))[1]) == "dpv:ConsentRefused"
    assert state(records(told(1, Action.GRANT), told(2, Action.EXPIRE))[1]) == "dpv:ConsentExpired"
    assert state(records(told(1, Action.SIGNAL, value=False))[0]) == "dpv:ConsentRefused"


def test_a_corrected_choice_stays_a_record_and_is_invalid() -> None:
    """With the instant at which the correction came in."""
    wrong, right = told(1, Action.GRANT), told(2, Action.CORRECT, corrects=f"{1:032x}")
    (record,) = records(wrong, right)
    assert (state(record), state(record, 1)) == ("dpv:ConsentGiven", "dpv:ConsentInvalidated")


def test_what_was_taken_back_is_invalid_and_has_no_kantara_receipt() -> None:
    """As what was corrected; the table says since when."""
    gone = replace(told(1, Action.GRANT), retracted_ms=AT_MS + 9_000)
    assert state(records(gone)[0], 1) == "dpv:ConsentInvalidated"
    assert kantara_receipts("7", [gone], CONTROLLER) == []
    with pytest.raises(CourtesyError, match="this one was corrected"):
        kantara_receipt("7", [gone], gone.id, CONTROLLER)
    assert to_iso(AT_MS + 9_000) in csv_records("7", [gone])


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "dpv:Consent"),
        ({"evidence": Evidence(notice="ab" * 32)}, "dpv:InformedConsent"),
        ({"evidence": Evidence(affirmative=True)}, "dpv:ExpressedConsent"),
        ({"evidence": Evidence(affirmative=True, double_opt_in=True)}, "dpv:ExplicitlyExpressedConsent"),
        ({"basis": Basis.PURCHASE}, "dpv:ImpliedConsent"),
    ],
)
def test_no_more_is_claimed_of_a_consent_than_its_evidence_shows(fields: dict[str, Any], kind: str) -> None:
    """Expressed only where an act is on record, explicit only where it was confirmed."""
    (record,) = records(told(1, Action.GRANT, **fields))
    assert record["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentGiven", kind]


@pytest.mark.parametrize(
    "basis", [Basis.CONTRACT, Basis.LEGITIMATE_INTEREST, Basis.LEGAL_OBLIGATION, Basis.SOFT_OPT_IN]
)
def test_what_rests_on_something_else_is_no_consent(basis: Basis) -> None:
    """It is in the table, and in no record or receipt of consent."""
    one = told(1, Action.GRANT, basis=basis)
    assert records(one) == []
    assert kantara_receipts("7", [one], CONTROLLER) == []
    assert BASES[basis] in csv_records("7", [one])
    with pytest.raises(CourtesyError, match="not about consent") as failed:
        find([one], one.id)
    assert failed.value.code is Code.NOT_FOUND


def test_records_name_their_neighbours_of_the_same_scope() -> None:
    """Whatever the order in which they are given."""
    first, other, last = told(1, Action.GRANT), told(2, Action.GRANT, topic="hats"), told(3, Action.WITHDRAW)
    found = {each["dct:identifier"]: each for each in records(last, other, first)}
    assert found[first.id]["dct:isReplacedBy"] == {"@id": found[last.id]["@id"]}
    assert found[last.id]["dct:replaces"] == {"@id": found[first.id]["@id"]}
    assert not {"dct:replaces", "dct:isReplacedBy"} & found[other.id].keys()


def test_a_kantara_receipt_has_the_fields_of_the_specification() -> None:
    """Required ones of version 1.1; the time is in seconds, and third parties are named."""
    (receipt,) = kantara_receipts("7", [told(1, Action.GRANT, method="web form"), told(2, Action.WITHDRAW)], CONTROLLER)
    assert receipt["consentTimestamp"] == (AT_MS + 1_000) // 1_000
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", receipt["consentReceiptID"])
    assert {"piiController", "contact", "address", "email", "phone"} <= receipt["piiControllers"][0].keys()
    (purpose,) = receipt["services"][0]["purposes"]
    assert (purpose["thirdPartyDisclosure"], purpose["thirdPartyName"]) == (True, "Post Ltd")
    assert purpose["purposeCategory"] == ["https://w3id.org/dpv#DirectMarketing"]


def test_every_word_has_a_term_of_a_known_vocabulary() -> None:
    """Purposes of consent strings too; bases all of them; a word of the operator's own is any purpose."""
    assert {*TCF_PURPOSES.values(), *US_OPT_OUTS.values()} <= PURPOSES.keys()
    assert set(Basis) == set(BASES)
    assert all(expanded(each).startswith("https://w3id.org/dpv") for each in (*PURPOSES.values(), *DATA.values()))
    assert purpose_term("our own purpose") == "dpv:Purpose"


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_cell_of_a_table_is_a_formula_and_nothing_is_lost(method: str, topic: str) -> None:
    """Whatever was told: a cell begins with nothing that a spreadsheet runs, and is the text but for an apostrophe."""
    content = csv_records("7", [told(1, Action.GRANT, method=method, topic=topic)])
    header, row = csv.reader(io.StringIO(content, newline=""))
    assert tuple(header) == COLUMNS
    assert not any(cell.lstrip(" ").startswith(FORMULA_STARTS) for cell in row)
    assert row[COLUMNS.index("method")].removeprefix("'") == method.removeprefix("'")


@pytest.mark.parametrize("text", ["=1+1", "+49", "-2", "@SUM(A1)", "\t=1", " =1", "＝1"])
def test_what_a_spreadsheet_runs_is_defused(text: str) -> None:
    """By an apostrophe before it."""
    assert defused(text) == f"'{text}"
    assert defused("plain = text") == "plain = text"
