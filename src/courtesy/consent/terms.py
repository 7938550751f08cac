"""Our words for purposes, bases and channels as terms of the Data Privacy Vocabulary (DPV 2, W3C community group)."""

from __future__ import annotations

from collections.abc import Mapping

from courtesy.event.choice import Basis

CONTEXT: Mapping[str, str] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "loc": "https://w3id.org/dpv/loc#",
    "pd": "https://w3id.org/dpv/pd#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "https://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
"""What the prefixes stand for, as the `@context` of a JSON-LD document."""

ANY_PURPOSE = "dpv:Purpose"

PURPOSES: Mapping[str, str] = {
    "service": "dpv:ServiceProvision",
    "marketing": "dpv:DirectMarketing",
    "analytics": "dpv:ServiceUsageAnalytics",
    "personalisation": "dpv:Personalisation",
    "personalization": "dpv:Personalisation",
    "sale": "dpv:SellDataToThirdParties",
    "sharing": "dpv:SellDataToThirdParties",
    "targeted_advertising": "dpv:TargetedAdvertising",
    "advertising": "dpv:Advertising",
    "advertising_profiling": "dpv:PersonalisedAdvertising",
    "personalised_advertising": "dpv:PersonalisedAdvertising",
    "advertising_measurement": "dpv:Advertising",
    "content_profiling": "dpv:ServicePersonalisation",
    "personalised_content": "dpv:ServicePersonalisation",
    "content_measurement": "dpv:ServiceUsageAnalytics",
    "service_improvement": "dpv:ImproveExistingProductsAndServices",
    "content": "dpv:ServiceProvision",
    "storage": "dpv:TechnicalServiceProvision",
    "newsletter": "dpv:DirectMarketing",
    "recommendations": "dpv:ProvidePersonalisedRecommendations",
    "customer_care": "dpv:CustomerCare",
    "fraud_prevention": "dpv:FraudPreventionAndDetection",
    "research": "dpv:ResearchAndDevelopment",
}
"""The nearest term that is not narrower. Sharing for money or its worth is what DPV calls selling."""

BASES: Mapping[Basis, str] = {
    Basis.CONSENT: "dpv:Consent",
    Basis.SOFT_OPT_IN: "dpv:LegitimateInterestOfController",
    Basis.PURCHASE: "dpv:ImpliedConsent",
    Basis.INQUIRY: "dpv:ImpliedConsent",
    Basis.CONTRACT: "dpv:Contract",
    Basis.LEGITIMATE_INTEREST: "dpv:LegitimateInterestOfController",
    Basis.LEGAL_OBLIGATION: "dpv:LegalObligation",
}
"""CASL calls consent implied that comes with a purchase or an inquiry; of a soft opt-in recital 47 of the GDPR says
that marketing may be a legitimate interest."""

CONSENT_BASES = frozenset({Basis.CONSENT, Basis.PURCHASE, Basis.INQUIRY})
"""Bases that are consent, given or implied; the others need none."""

DATA: Mapping[str, str] = {
    "email": "pd:EmailAddress",
    "sms": "pd:TelephoneNumber",
    "voice": "pd:TelephoneNumber",
    "whatsapp": "pd:TelephoneNumber",
    "post": "pd:PhysicalAddress",
    "push": "pd:DeviceBased",
}
"""What data it takes to reach somebody over a channel."""

ANY_DATA = "dpv:PersonalData"


def purpose_term(purpose: str) -> str:
    """The term for one of our purposes; for a word of the operator's own, any purpose."""
    return PURPOSES.get(purpose, ANY_PURPOSE)


def basis_term(basis: Basis | None) -> str:
    """The term for a basis; a grant that names none rests on consent."""
    return BASES[basis or Basis.CONSENT]


def data_term(channel: str) -> str:
    """The term for the data that a channel takes."""
    return DATA.get(channel, ANY_DATA)


def expanded(term: str) -> str:
    """The whole IRI of a term that is written with a prefix."""
    prefix, _, name = term.partition(":")
    return CONTEXT[prefix] + name
