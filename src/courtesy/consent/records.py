"""Records and receipts of consent as ISO/IEC TS 27560:2023 has them, in JSON-LD by the profile of the W3C community
group for the Data Privacy Vocabulary (https://w3id.org/dpv/guides/consent-27560).

Each choice that is about consent is a record of its own, as the guide allows; of those for one scope each names the one
that it replaces. Fields that the guide asks for come from the choice, its evidence, and the controller.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from courtesy.base.time import to_iso
from courtesy.consent.controller import Controller, controller_for
from courtesy.consent.places import EU, larger_places
from courtesy.consent.terms import CONTEXT, basis_term, data_term, purpose_term
from courtesy.consent.told import Told, corrections, find, gives_consent, is_about_consent, refuses, uuid_of
from courtesy.event.choice import ANY, Action, Basis, Choice, Evidence, Scope

RECORD_PROFILE = "https://w3id.org/dpv/schema/dpv-27560#record"
RECEIPT_PROFILE = "https://w3id.org/dpv/schema/dpv-27560#receipt-record"
NEEDED = ("choices_url", "storage_countries", "retention")
CONTROLLER, SUBJECT = "_:controller", "_:subject"

Node = dict[str, Any]


def iso_records(person: str, told: Sequence[Told], controller: Controller | None) -> Node:
    """All records of a person, the oldest first, as one JSON-LD document. Raises CourtesyError(CONFLICT) when the
    controller, or what is needed of it, is not known."""
    known = controller_for("a record of ISO/IEC TS 27560", controller, NEEDED)
    wanted = sorted((each for each in told if is_about_consent(each.choice)), key=lambda each: each.order)
    records = [_record(person, each, told, known) for each in wanted]
    return {"@context": dict(CONTEXT), "@graph": [*records, _entity(known)]}


def iso_receipt(person: str, told: Sequence[Told], wanted: str, controller: Controller | None, now_ms: int) -> Node:
    """A receipt for one choice, with a copy of its record. Raises as `iso_records`, and NOT_FOUND."""
    known = controller_for("a receipt of ISO/IEC TS 27560", controller, NEEDED)
    one = find(told, wanted)
    own_id = uuid_of(blake2b(f"receipt/{one.id}/{now_ms}".encode(), digest_size=16).hexdigest())
    return {
        "@context": dict(CONTEXT),
        "@id": f"urn:uuid:{own_id}",
        "@type": "dpv:ConsentReceipt",
        "dpv:hasIdentifier": own_id,
        "dct:conformsTo": {"@id": RECEIPT_PROFILE},
        "dct:created": _instant(now_ms),
        "dpv:hasRecordOfActivity": [_record(person, one, told, known)],
        "dpv:hasEntity": [_entity(known)],
    }


def _record(person: str, one: Told, told: Sequence[Told], controller: Controller) -> Node:
    choice = one.choice
    shown = choice.evidence or Evidence()
    language = shown.locale or controller.language
    return {
        "@id": _name_of(one),
        "@type": "dpv:ConsentRecord",
        "dct:identifier": one.id,
        "dpv:hasIdentifier": uuid_of(one.id),
        "dct:conformsTo": {"@id": RECORD_PROFILE},
        "dct:created": _instant(one.recorded_ms),
        "dct:source": f"{one.source}: {one.message}; entry {one.index} of the ledger",
        "dpv:hasDataSubject": {"@id": SUBJECT, "@type": "dpv:DataSubject", "dct:identifier": person},
        "dpv:hasDataController": {"@id": CONTROLLER},
        "dpv:hasNotice": _notices(choice, shown, language, controller),
        "dpv:hasProcess": _process(choice, controller),
        "dpv:hasConsentStatus": _statuses(one, told),
        **_neighbours(one, told),
    }


def _name_of(one: Told) -> str:
    return f"urn:uuid:{uuid_of(one.id)}"


def _instant(at_ms: int) -> Node:
    return {"@type": "xsd:dateTime", "@value": to_iso(at_ms)}


def _iri(term: str) -> Node:
    return {"@id": term}


def _neighbours(one: Told, told: Sequence[Told]) -> Node:
    """Which record this one replaces, and which replaces it."""
    same = sorted(
        (each for each in told if each.choice.scope == one.choice.scope and is_about_consent(each.choice)),
        key=lambda each: each.order,
    )
    place = [each.id for each in same].index(one.id)
    before = {"dct:replaces": _iri(_name_of(same[place - 1]))} if place else {}
    after = {"dct:isReplacedBy": _iri(_name_of(same[place + 1]))} if place + 1 < len(same) else {}
    return {**before, **after}


def _notices(choice: Choice, shown: Evidence, language: str, controller: Controller) -> list[Node]:
    policy: Node = {"@id": controller.privacy_url, "@type": "dpv:PrivacyNotice", "dct:language": language}
    if choice.policy is not None:
        policy["dct:hasVersion"] = choice.policy
    if shown.notice is None:
        return [policy]
    notice = {"@id": _digest_iri(shown.notice), "@type": "dpv:ConsentNotice", "dct:identifier": shown.notice,
              "dct:language": language}  # fmt: skip
    return [notice, policy]


def _digest_iri(digest: str) -> str:
    """The name of content by its SHA-256 (RFC 6920)."""
    return f"ni:///sha-256;{base64.urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip('=')}"


def _process(choice: Choice, controller: Controller) -> Node:
    place = controller.address.country if choice.jurisdiction == ANY else choice.jurisdiction
    rights_at = controller.rights_url or controller.privacy_url
    service = controller.service if choice.brand == ANY else choice.brand
    return {
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@type": "dpv:Purpose",
            "skos:broader": _iri(purpose_term(choice.purpose)),
            "dct:title": "any purpose" if choice.purpose == ANY else choice.purpose,
            "dct:description": described(choice.scope),
        },
        "dpv:hasPersonalData": {"@type": "dpv:PersonalData", "skos:broader": _iri(data_term(choice.channel))},
        "dpv:hasLegalBasis": _iri(basis_term(choice.basis)),
        "dpv:hasStorageCondition": [
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": [_iri(f"loc:{each}") for each in
                                                                 controller.storage_countries]},
            {"@type": "dpv:StorageDuration", "dpv:hasDuration": {"@type": "dpv:TemporalDuration",
                                                                 "rdf:value": controller.retention}},
        ],
        "dpv:hasDataController": _iri(CONTROLLER),
        "dpv:hasRecipient": [
            _iri(CONTROLLER),
            *({"@type": ["dpv:Recipient", "dpv:ThirdParty"], "dpv:hasName": each} for each in controller.recipients),
        ],
        "dpv:hasConsentControl": {
            "@type": ["dpv:ProvideConsent", "dpv:WithdrawConsent"],
            "dpv:isExercisedAt": _iri(controller.choices_url),
        },
        "dpv:hasJurisdiction": _iri(f"loc:{place}"),
        "dpv:hasRight": _rights(place, controller.choices_url, rights_at),
        **({"dpv:hasService": {"@type": "dpv:Service", "dct:title": service}} if service else {}),
    }  # fmt: skip


def described(scope: Scope) -> str:
    """For what a choice counts, in a line for people."""
    parts = (
        "any purpose" if scope.purpose == ANY else scope.purpose,
        "over any channel" if scope.channel == ANY else f"over {scope.channel}",
        "" if scope.topic == ANY else f"about {scope.topic}",
        "" if scope.brand == ANY else f"for {scope.brand}",
        "" if scope.jurisdiction == ANY else f"in {scope.jurisdiction}",
    )
    return ", ".join(part for part in parts if part)


def _rights(place: str, choices_url: str, rights_url: str) -> list[Node]:
    in_europe = place == EU or EU in larger_places(place)
    withdraw = ["dpv:DataSubjectRight", "eu-gdpr:A7-3"] if in_europe else ["dpv:DataSubjectRight"]
    return [
        {"@type": withdraw, "dct:title": "Right to withdraw consent", "dpv:isExercisedAt": _iri(choices_url)},
        {"@type": ["dpv:DataSubjectRight"], "dct:title": "Other rights", "dpv:isExercisedAt": _iri(rights_url)},
    ]


def _statuses(one: Told, told: Sequence[Told]) -> list[Node]:
    """The event that the choice was; and that it was invalid, if it was corrected."""
    choice = one.choice
    status: Node = {
        "@type": [_state(one, told), *_kinds_of_consent(choice)],
        "dpv:isIndicatedBy": _iri("dpv:DataSubject"),
        "dpv:isIndicatedAtTime": _instant(choice.held_from),
        "dpv:hasDuration": _duration(choice),
    }
    if choice.method is not None:
        status["dpv:hasIndicationMethod"] = choice.method
    if choice.actor is not None:
        status["dpv:isImplementedByEntity"] = {"@type": "dpv:Entity", "dpv:hasName": choice.actor}
    corrected = corrections(told).get(one.id)
    if corrected is None:
        return [status]
    invalid = {
        "@type": ["dpv:ConsentInvalidated"],
        "dpv:isIndicatedBy": _iri(CONTROLLER),
        "dpv:isIndicatedAtTime": _instant(corrected),
        "dpv:hasDuration": {"@type": "dpv:EndlessDuration"},
    }
    return [status, invalid]


def _state(one: Told, told: Sequence[Told]) -> str:
    if one.choice.action is Action.GRANT:
        return "dpv:ConsentGiven"
    if one.choice.action is Action.EXPIRE:
        return "dpv:ConsentExpired"
    assert refuses(one.choice), "all that is about consent gives, refuses or ends it"
    scope = one.choice.scope
    was_given = any(
        gives_consent(each.choice)
        and each.order < one.order
        and (each.choice.scope.is_within(scope) or scope.is_within(each.choice.scope))
        for each in told
    )
    return "dpv:ConsentWithdrawn" if was_given else "dpv:ConsentRefused"


def _kinds_of_consent(choice: Choice) -> list[str]:
    """What kind of consent was given, by its evidence; none for a choice that gives none."""
    if choice.action is not Action.GRANT:
        return []
    shown = choice.evidence or Evidence()
    if choice.basis in (Basis.PURCHASE, Basis.INQUIRY):
        return ["dpv:ImpliedConsent"]
    if shown.double_opt_in:
        return ["dpv:ExplicitlyExpressedConsent"]
    if shown.affirmative:
        return ["dpv:ExpressedConsent"]
    return ["dpv:InformedConsent" if shown.notice is not None else "dpv:Consent"]


def _duration(choice: Choice) -> Node:
    if choice.held_to is not None:
        return {"@type": "dpv:UntilTimeDuration", "rdf:value": _instant(choice.held_to)}
    return {"@type": "dpv:UntilEventDuration", "rdf:value": "a later choice"}


def _entity(controller: Controller) -> Node:
    address = controller.address
    postal = {
        "@type": "schema:PostalAddress",
        "schema:streetAddress": address.street,
        "schema:addressLocality": address.city,
        "schema:postalCode": address.postal_code,
        "schema:addressRegion": address.region,
        "schema:addressCountry": address.country,
    }
    entity = {
        "@id": CONTROLLER,
        "@type": ["dpv:LegalEntity", "dpv:DataController"],
        "dpv:hasIdentifier": controller.url or controller.privacy_url,
        "dpv:hasName": controller.name,
        "schema:contactPoint": {"@type": "schema:ContactPoint", "schema:name": controller.contact},
        "schema:address": {name: value for name, value in postal.items() if value},
        "schema:email": controller.email,
        "schema:telephone": controller.phone,
        "schema:url": controller.url,
    }
    return {name: value for name, value in entity.items() if value}
