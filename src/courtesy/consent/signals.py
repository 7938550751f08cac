"""What consent strings and the Global Privacy Control say of consent: plain facts, each with the field that said it.

What counts here is the string alone; which of two facts wins, and for how long, is for whoever keeps them.

Sources of the tables: purposes, the Global Vendor List (IAB Europe), field `purposes`; the meaning of bits,
"Transparency and Consent String with Global Vendor & CMP List Formats" and "IAB TCF Canada Technical Specification";
opt-outs, the "Privacy Technical Specification" of each state (all IAB Tech Lab); `Sec-GPC`, "Global Privacy Control"
(W3C).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from courtesy.consent.bits import invalid
from courtesy.consent.gpp import Gpp, OpaqueSection, Section, decode_gpp
from courtesy.consent.tcf import CanadianTcString, TcString, TcStringV1, decode_tcf, decode_tcf_v1
from courtesy.consent.us_sections import US_SECTIONS, UsPrivacy, UsSection, decode_us_privacy

ANY_CHANNEL = "*"
EUROPE, CANADA, UNITED_STATES = "EU", "CA", "US"

DISCLOSURE_REQUIRED_FROM_MS = 1_772_236_800_000
"""2026-02-28, 00:00 UTC: a TC string of this day or later must tell which vendors were disclosed (TCF 2.3)."""

TCF_PURPOSES: Mapping[int, str] = {
    1: "storage",
    2: "advertising",
    3: "advertising_profiling",
    4: "personalised_advertising",
    5: "content_profiling",
    6: "personalised_content",
    7: "advertising_measurement",
    8: "content_measurement",
    9: "analytics",
    10: "service_improvement",
    11: "content",
}
"""Our names of the purposes of TCF 2. 1: store or access information on a device; 2: select advertising by limited
data; 3 and 4: make profiles for advertising, and use them; 5 and 6: the same for content; 7 and 8: measure how
advertising and content do; 9: statistics of audiences; 10: improve services; 11: select content by limited data."""

US_OPT_OUTS: Mapping[str, str] = {
    "SaleOptOut": "sale",
    "SharingOptOut": "sharing",
    "TargetedAdvertisingOptOut": "targeted_advertising",
}
"""The purpose that each opt-out of a US section is about."""

_OPTED_OUT = 1
_NOT_ALLOWED, _CONSENT_ONLY, _INTEREST_ONLY = 0, 1, 2
_STORAGE = 1

Signal = TcString | TcStringV1 | Gpp | UsPrivacy


class Action(StrEnum):
    """What a person did, as far as a signal tells."""

    GRANT = "grant"
    WITHDRAW = "withdraw"
    OBJECT = "object"


class Said(msgspec.Struct, frozen=True):
    """One fact that a signal states.

    `purpose` is a name of `TCF_PURPOSES` or `US_OPT_OUTS`. `jurisdiction` is `EU`, or a country or state of ISO 3166.
    `field` names what said it, as its specification spells it: `usca.SaleOptOut`. A grant or withdrawal is about
    consent, an objection about the purpose as a legitimate interest.
    """

    purpose: str
    jurisdiction: str
    action: Action
    field: str
    channel: str = ANY_CHANNEL


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What the fields of one framework are called, and where it holds."""

    section: str
    jurisdiction: str
    purpose_consents: str
    purpose_interests: str
    vendor_consents: str
    vendor_interests: str
    publisher_consents: str
    publisher_interests: str


_EUROPEAN = _Dialect(
    "tcfeuv2",
    EUROPE,
    purpose_consents="PurposesConsent",
    purpose_interests="PurposesLITransparency",
    vendor_consents="VendorConsent",
    vendor_interests="VendorLegitimateInterest",
    publisher_consents="PubPurposesConsent",
    publisher_interests="PubPurposesLITransparency",
)
_CANADIAN = _Dialect(
    "tcfcav1",
    CANADA,
    purpose_consents="PurposesExpressConsent",
    purpose_interests="PurposesImpliedConsent",
    vendor_consents="VendorExpressConsent",
    vendor_interests="VendorImpliedConsent",
    publisher_consents="PubPurposesExpressConsent",
    publisher_interests="PubPurposesImpliedConsent",
)

_Checks = tuple[tuple[str, bool], ...]
"""Names of fields, and whether each allows; the last is the one that grants when all do."""


def decode_signal(text: str) -> Signal:
    """Read a consent string of whatever kind its first character says: C for TCF 2, B for TCF 1, D for GPP, 1 for USP.

    Raises:
        CourtesyError: INVALID.
    """
    match text[:1]:
        case "C":
            return decode_tcf(text)
        case "D":
            return decode_gpp(text)
        case "B":
            return decode_tcf_v1(text)
        case "1":
            return decode_us_privacy(text)
        case first:
            raise invalid(f"expected a first character of B, C, D or 1, found {first!r}", "consent string")


def said_by(signal: Signal, vendor: int | None = None) -> list[Said]:
    """What a consent string says, of whatever kind it is; `vendor` is as for `said_by_tcf`."""
    return said_by_gpp(signal, vendor) if isinstance(signal, Gpp) else _said_by_section(signal, vendor)


def said_by_gpp(gpp: Gpp, vendor: int | None = None) -> list[Said]:
    """What the sections of a GPP string say, in their order; `vendor` is as for `said_by_tcf`.

    An `OpaqueSection` says nothing, though it may hold an opt-out that we could not read.
    """
    return [said for section in gpp.sections for said in _said_by_section(section, vendor)]


def said_by_tcf(tc: TcString | CanadianTcString | TcStringV1, vendor: int | None = None) -> list[Said]:
    """What a TC string says to one vendor, or to the publisher when `vendor` is None.

    For each purpose of `TCF_PURPOSES` a grant if there is consent, and a withdrawal if not; and an objection as well if
    it is not allowed as a legitimate interest either. A bit that is not set does not tell whether somebody objected or
    was never asked: both are taken for a refusal. `field` is the first that refused. In Canada express consent is
    consent, and implied consent takes the place of legitimate interest.

    For a vendor, it must have been disclosed, the publisher must not rule it out, and both the purpose and the vendor
    must be allowed. A string that does not tell who was disclosed passes if it was last changed before 2026-02-28, or
    is Canadian. Every restriction counts, because the string does not tell for which purposes a vendor takes them.

    For the publisher, what counts is its own segment; without one, nothing is said.

    Purpose 1 is left out where it was not asked for (`PurposeOneTreatment`), and in Canada. A string of TCF 1, whose
    purposes were others, says nothing.
    """
    if isinstance(tc, TcStringV1) or (vendor is None and tc.publisher is None):
        return []
    dialect = _EUROPEAN if isinstance(tc, TcString) else _CANADIAN
    skipped = _STORAGE if isinstance(tc, CanadianTcString) or tc.purpose_one_treatment else None
    return [said for purpose in TCF_PURPOSES if purpose != skipped for said in _said(tc, dialect, purpose, vendor)]


def said_by_us_section(section: UsSection) -> list[Said]:
    """What the section of a state or of the country says: a withdrawal for each opt-out, and for each purpose of
    `US_OPT_OUTS` if it passes on the Global Privacy Control.

    Not having opted out is no consent: it says nothing. The section must be one of `US_SECTIONS`, as all are that were
    read or written.
    """
    place = US_SECTIONS[section.name].jurisdiction
    opted_out = [name for name in US_OPT_OUTS if section.choices.get(name) == _OPTED_OUT]
    said = [_withdrawal(US_OPT_OUTS[name], place, f"{section.name}.{name}") for name in opted_out]
    if section.gpc:
        said += [_withdrawal(purpose, place, f"{section.name}.Gpc") for purpose in US_OPT_OUTS.values()]
    return said


def said_by_us_privacy(privacy: UsPrivacy) -> list[Said]:
    """What a US Privacy string says: a withdrawal of `sale` if somebody opted out of it, and otherwise nothing."""
    return [_withdrawal("sale", UNITED_STATES, "uspv1.OptOutSale")] if privacy.sale_opt_out == "Y" else []


def said_by_gpc(header: str | None) -> list[Said]:
    """What the header `Sec-GPC` of a request says: withdrawals of `sale` and `sharing` if it is `1`, else nothing."""
    on = header is not None and header.strip(" \t") == "1"
    return [_withdrawal(purpose, UNITED_STATES, "Sec-GPC") for purpose in ("sale", "sharing") if on]


def _said_by_section(section: Section | TcStringV1, vendor: int | None) -> list[Said]:
    match section:
        case TcString() | CanadianTcString() | TcStringV1():
            return said_by_tcf(section, vendor)
        case UsSection():
            return said_by_us_section(section)
        case UsPrivacy():
            return said_by_us_privacy(section)
        case OpaqueSection():
            return []


def _withdrawal(purpose: str, jurisdiction: str, field: str) -> Said:
    return Said(purpose, jurisdiction, Action.WITHDRAW, field)


def _said(tc: TcString | CanadianTcString, dialect: _Dialect, purpose: int, vendor: int | None) -> Iterator[Said]:
    consent, interest = (
        _publisher_checks(tc, dialect, purpose) if vendor is None else _vendor_checks(tc, dialect, purpose, vendor)
    )
    no_consent, no_interest = _refusal(consent), _refusal(interest)
    action = Action.GRANT if no_consent is None else Action.WITHDRAW
    yield _fact(dialect, purpose, action, no_consent or consent[-1][0])
    if no_consent is not None and no_interest is not None:
        yield _fact(dialect, purpose, Action.OBJECT, no_interest)


def _fact(dialect: _Dialect, purpose: int, action: Action, field: str) -> Said:
    return Said(TCF_PURPOSES[purpose], dialect.jurisdiction, action, f"{dialect.section}.{field}")


def _publisher_checks(tc: TcString | CanadianTcString, dialect: _Dialect, purpose: int) -> tuple[_Checks, _Checks]:
    publisher = tc.publisher
    assert publisher is not None, "without its segment nothing is said to the publisher"
    return (
        ((dialect.publisher_consents, purpose in publisher.consents),),
        ((dialect.publisher_interests, purpose in publisher.interests),),
    )


def _vendor_checks(
    tc: TcString | CanadianTcString, dialect: _Dialect, purpose: int, vendor: int
) -> tuple[_Checks, _Checks]:
    disclosed = ("DisclosedVendors", _is_disclosed(tc, vendor))
    ruled_out = {each.kind for each in tc.restrictions if each.purpose == purpose and vendor in each.vendors}
    return (
        (
            disclosed,
            ("PubRestrictions", ruled_out.isdisjoint((_NOT_ALLOWED, _INTEREST_ONLY))),
            (dialect.vendor_consents, vendor in tc.vendor_consents),
            (dialect.purpose_consents, purpose in tc.purpose_consents),
        ),
        (
            disclosed,
            ("PubRestrictions", ruled_out.isdisjoint((_NOT_ALLOWED, _CONSENT_ONLY))),
            (dialect.vendor_interests, vendor in tc.vendor_interests),
            (dialect.purpose_interests, purpose in tc.purpose_interests),
        ),
    )


def _is_disclosed(tc: TcString | CanadianTcString, vendor: int) -> bool:
    if tc.disclosed_vendors is not None:
        return vendor in tc.disclosed_vendors
    return isinstance(tc, CanadianTcString) or tc.updated_ms < DISCLOSURE_REQUIRED_FROM_MS


def _refusal(checks: Iterable[tuple[str, bool]]) -> str | None:
    """The name of the first field that does not allow; None when all do."""
    return next((name for name, allows in checks if not allows), None)
