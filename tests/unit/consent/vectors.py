"""The consent strings of the reference libraries, and what our values are in the words of those libraries."""

from __future__ import annotations

import gzip
import json
from typing import Any

from courtesy.base.time import to_iso
from courtesy.consent.gpp import Section
from courtesy.consent.tcf import CanadianTcString, TcString, TcStringV1
from courtesy.consent.us_sections import US_SECTIONS, Second, UsPrivacy, UsSection
from courtesy.consent.vendors import Vendors
from tests.tidy.checkout import ROOT

_DATA = ROOT.parent / "shared" / "data" / "consent_iab"


def lines(name: str) -> list[dict[str, Any]]:
    """The vectors of one file."""
    with gzip.open(_DATA / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def vendor_list() -> dict[str, Any]:
    """The Global Vendor List of version 7."""
    with gzip.open(_DATA / "gvl_v2.2_vendor-list.json.gz", "rt", encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
        return found


TCF = lines("tcf_vectors.jsonl.gz")
GPP = lines("gpp_vectors.jsonl.gz")


def in_words_of_iabtcf(tc: TcString) -> dict[str, Any]:
    """As @iabtcf/core gives it: a segment that is not there is an empty one."""
    publisher = tc.publisher
    return {
        **_head(tc, 2),
        "policyVersion": tc.policy_version,
        "isServiceSpecific": tc.service_specific,
        "purposeOneTreatment": tc.purpose_one_treatment,
        "publisherCountryCode": tc.publisher_country,
        "specialFeatureOptins": list(tc.special_features),
        "purposeConsents": list(tc.purpose_consents),
        "purposeLegitimateInterests": list(tc.purpose_interests),
        "vendorConsents": list(tc.vendor_consents),
        "vendorLegitimateInterests": list(tc.vendor_interests),
        "vendorsDisclosed": list(tc.disclosed_vendors or ()),
        "publisherConsents": list(publisher.consents) if publisher else [],
        "publisherLegitimateInterests": list(publisher.interests) if publisher else [],
        "publisherRestrictions": [
            {"purposeId": each.purpose, "type": each.kind, "vendors": list(each.vendors)} for each in tc.restrictions
        ],
    }


def v1_in_words_of_iabtcf(tc: TcStringV1) -> dict[str, Any]:
    """As @iabtcf/core gives it: what version 1 did not have is at the default of version 2."""
    return {
        **_head(tc, 1),
        "policyVersion": 2,
        "isServiceSpecific": False,
        "purposeOneTreatment": False,
        "publisherCountryCode": "AA",
        "specialFeatureOptins": [],
        "purposeConsents": list(tc.purpose_consents),
        "purposeLegitimateInterests": [],
        "vendorConsents": list(tc.vendor_consents),
        "vendorLegitimateInterests": [],
        "vendorsDisclosed": [],
        "publisherConsents": [],
        "publisherLegitimateInterests": [],
        "publisherRestrictions": [],
    }


def in_words_of_iabgpp(section: Section) -> dict[str, Any]:
    """As @iabgpp/cmpapi gives it: names begin with a capital, purposes are lists of bits, all segments are there."""
    match section:
        case TcString():
            return _europe(section)
        case CanadianTcString():
            return _canada(section)
        case UsPrivacy():
            answers = (section.notice, section.sale_opt_out, section.lspa_covered)
            return {"Version": 1, **dict(zip(("Notice", "OptOutSale", "LspaCovered"), answers, strict=True))}
        case UsSection():
            return _us(section)
        case _:
            raise AssertionError(section)


def _head(tc: TcString | TcStringV1 | CanadianTcString, version: int) -> dict[str, Any]:
    return {
        "version": version,
        "created": to_iso(tc.created_ms),
        "lastUpdated": to_iso(tc.updated_ms),
        "cmpId": tc.cmp_id,
        "cmpVersion": tc.cmp_version,
        "consentScreen": tc.consent_screen,
        "consentLanguage": tc.consent_language,
        "vendorListVersion": tc.vendor_list_version,
    }


def _capital(values: dict[str, Any]) -> dict[str, Any]:
    return {name[0].upper() + name[1:]: value for name, value in values.items()}


def _bits(ids: tuple[int, ...], count: int = 24) -> list[bool]:
    return [each in ids for each in range(1, count + 1)]


def _ids(vendors: Vendors | None) -> list[int]:
    return list(vendors or ())


def _europe(tc: TcString) -> dict[str, Any]:
    publisher = tc.publisher
    custom = publisher.custom if publisher else None
    return {
        **_capital(_head(tc, 2)),
        "PolicyVersion": tc.policy_version,
        "IsServiceSpecific": tc.service_specific,
        "UseNonStandardStacks": tc.non_standard_texts,
        "SpecialFeatureOptins": _bits(tc.special_features, 12),
        "PurposeConsents": _bits(tc.purpose_consents),
        "PurposeLegitimateInterests": _bits(tc.purpose_interests),
        "PurposeOneTreatment": tc.purpose_one_treatment,
        "PublisherCountryCode": tc.publisher_country,
        "VendorConsents": _ids(tc.vendor_consents),
        "VendorLegitimateInterests": _ids(tc.vendor_interests),
        "PublisherRestrictions": list(tc.restrictions),
        "PublisherPurposesSegmentType": 3,
        "PublisherConsents": _bits(publisher.consents if publisher else ()),
        "PublisherLegitimateInterests": _bits(publisher.interests if publisher else ()),
        "NumCustomPurposes": custom.count if custom else 0,
        "PublisherCustomConsents": list(custom.consents if custom else ()),
        "PublisherCustomLegitimateInterests": list(custom.interests if custom else ()),
        "VendorsAllowedSegmentType": 2,
        "VendorsAllowed": _ids(tc.allowed_vendors),
        "VendorsDisclosedSegmentType": 1,
        "VendorsDisclosed": _ids(tc.disclosed_vendors),
    }


def _canada(tc: CanadianTcString) -> dict[str, Any]:
    publisher = tc.publisher
    custom = publisher.custom if publisher else None
    return {
        **_capital(_head(tc, 1)),
        "TcfPolicyVersion": tc.policy_version,
        "UseNonStandardStacks": tc.non_standard_texts,
        "SpecialFeatureExpressConsent": _bits(tc.special_features, 12),
        "PurposesExpressConsent": _bits(tc.purpose_consents),
        "PurposesImpliedConsent": _bits(tc.purpose_interests),
        "VendorExpressConsent": _ids(tc.vendor_consents),
        "VendorImpliedConsent": _ids(tc.vendor_interests),
        "PubRestrictions": list(tc.restrictions),
        "PubPurposesSegmentType": 3,
        "PubPurposesExpressConsent": _bits(publisher.consents if publisher else ()),
        "PubPurposesImpliedConsent": _bits(publisher.interests if publisher else ()),
        "NumCustomPurposes": custom.count if custom else 0,
        "CustomPurposesExpressConsent": list(custom.consents if custom else ()),
        "CustomPurposesImpliedConsent": list(custom.interests if custom else ()),
        "DisclosedVendorsSegmentType": 1,
        "DisclosedVendors": _ids(tc.disclosed_vendors),
    }


def _us(section: UsSection) -> dict[str, Any]:
    with_mode = "MspaMode" in section.choices
    choices = {name: list(value) if isinstance(value, tuple) else value for name, value in section.choices.items()}
    has_gpc = US_SECTIONS[section.name].second is Second.GPC
    gpc = {"GpcSegmentType": 1, "Gpc": bool(section.gpc)} if has_gpc else {}
    return {"MspaVersion" if with_mode else "Version": section.version, **choices, **gpc}
