"""Consent receipts by the Consent Receipt Specification 1.1 of the Kantara Initiative.

A receipt says what was agreed to, so there is one for each consent that was given; a withdrawal has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS, to_iso
from courtesy.consent.controller import Controller, controller_for
from courtesy.consent.records import described
from courtesy.consent.terms import data_term, expanded, purpose_term
from courtesy.consent.told import Told, corrections, find, gives_consent, uuid_of
from courtesy.event.choice import ANY, Basis, Choice, Evidence

VERSION = "KI-CR-v1.1.0"
NEEDED = ("phone",)
NOT_RECORDED = "not recorded"

Receipt = dict[str, Any]


def kantara_receipts(person: str, told: Sequence[Told], controller: Controller | None) -> list[Receipt]:
    """A receipt for each consent that a person gave, the oldest first, but for those that count as never
    made. Raises CourtesyError(CONFLICT) when the controller, or what is needed of it, is not known."""
    known = controller_for("a Kantara receipt", controller, NEEDED)
    never = corrections(told)
    given = (each for each in told if gives_consent(each.choice) and each.id not in never)
    return [_receipt(person, each, known) for each in sorted(given, key=lambda each: each.order)]


def kantara_receipt(person: str, told: Sequence[Told], wanted: str, controller: Controller | None) -> Receipt:
    """A receipt for one choice. Raises as `kantara_receipts`, and NOT_FOUND."""
    known = controller_for("a Kantara receipt", controller, NEEDED)
    one = find(told, wanted)
    if not gives_consent(one.choice):
        raise CourtesyError(
            Code.NOT_FOUND, f"a Kantara receipt is for a consent that was given, this is a {one.choice.action}"
        )
    if one.id in corrections(told):
        raise CourtesyError(Code.NOT_FOUND, "a Kantara receipt is for a consent that was given, this one was corrected")
    return _receipt(person, one, known)


def _receipt(person: str, one: Told, controller: Controller) -> Receipt:
    choice = one.choice
    shown = choice.evidence or Evidence()
    return {
        "version": VERSION,
        "jurisdiction": controller.address.country if choice.jurisdiction == ANY else choice.jurisdiction,
        "consentTimestamp": choice.held_from // SECOND_MS,
        "collectionMethod": choice.method or NOT_RECORDED,
        "consentReceiptID": uuid_of(one.id),
        "language": shown.locale or controller.language,
        "piiPrincipalId": person,
        "piiControllers": [_controller(controller)],
        "policyUrl": controller.privacy_url,
        "services": [_service(choice, controller)],
        "sensitive": False,
        "spiCat": [],
    }


def _controller(controller: Controller) -> dict[str, Any]:
    address = controller.address
    postal = {
        "streetAddress": address.street,
        "addressLocality": address.city,
        "addressRegion": address.region,
        "postalCode": address.postal_code,
        "addressCountry": address.country,
    }
    return {
        "piiController": controller.name,
        "onBehalf": False,
        "contact": controller.contact,
        "address": {name: value for name, value in postal.items() if value},
        "email": controller.email,
        "phone": controller.phone,
        **({"piiControllerUrl": controller.url} if controller.url else {}),
    }


def _service(choice: Choice, controller: Controller) -> dict[str, Any]:
    until = (
        "until it is withdrawn" if choice.held_to is None else f"until {to_iso(choice.held_to)}, or withdrawn before"
    )
    recipients = ", ".join(controller.recipients)
    return {
        "service": choice.brand if choice.brand != ANY else controller.service or controller.name,
        "purposes": [
            {
                "purpose": described(choice.scope),
                "purposeCategory": [expanded(purpose_term(choice.purpose))],
                "consentType": "IMPLICIT" if choice.basis in (Basis.PURCHASE, Basis.INQUIRY) else "EXPLICIT",
                "piiCategory": [expanded(data_term(choice.channel))],
                "primaryPurpose": False,
                "termination": f"{until}{f', at {controller.choices_url}' if controller.choices_url else ''}",
                "thirdPartyDisclosure": bool(recipients),
                **({"thirdPartyName": recipients} if recipients else {}),
            }
        ],
    }
