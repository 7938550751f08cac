"""TC strings of the IAB Transparency & Consent Framework: Europe's 2 (2.0 to 2.3), Canada's 1, and Europe's old 1.

Sources: "Transparency and Consent String with Global Vendor & CMP List Formats", IAB Tech Lab, version 2.3; "IAB TCF
Canada Technical Specification", IAB Tech Lab; "Consent string and vendor list formats v1.1", IAB Tech Lab. What
strings of each look like, to the last bit of padding, is the reference libraries': @iabtcf/core and @iabgpp/cmpapi.
"""

from __future__ import annotations

import msgspec

from courtesy.consent.bits import GPP_PADDING, TCF_PADDING
from courtesy.consent.fields import (
    Constant,
    Custom,
    CustomPurposes,
    FieldTable,
    Flag,
    Ids,
    Instant,
    Record,
    Restriction,
    Restrictions,
    TwoLetters,
    VendorVector,
    Whole,
    values_of,
)
from courtesy.consent.segments import Segments, read_segments, write_segments
from courtesy.consent.vendors import Vendors

_VENDORS = VendorVector()


class PublisherTc(msgspec.Struct, frozen=True):
    """What a person allowed the publisher itself: purposes by consent, and those that are a legitimate interest and
    were not objected to, ascending.

    In a Canadian string read express consent for consent, and implied consent for legitimate interest.
    """

    consents: tuple[int, ...] = ()
    interests: tuple[int, ...] = ()
    custom: CustomPurposes = CustomPurposes()


class TcString(msgspec.Struct, frozen=True, tag="tcfeuv2"):
    """A TC string of TCF 2.0 to 2.3, all segments.

    Times are milliseconds since 1970 in UTC, whole tenths of a second. Purposes and special features are ids,
    ascending. `purpose_interests` and `vendor_interests` hold what is a legitimate interest and was not objected to;
    what is missing there was never established, or was objected to, and nothing tells which.
    `disclosed_vendors`, `allowed_vendors` and `publisher` are None when the string has no such segment, which is not
    the same as an empty one.
    """

    created_ms: int
    updated_ms: int
    cmp_id: int
    cmp_version: int
    consent_screen: int
    consent_language: str
    vendor_list_version: int
    policy_version: int
    service_specific: bool
    non_standard_texts: bool
    special_features: tuple[int, ...]
    purpose_consents: tuple[int, ...]
    purpose_interests: tuple[int, ...]
    purpose_one_treatment: bool
    publisher_country: str
    vendor_consents: Vendors
    vendor_interests: Vendors
    restrictions: tuple[Restriction, ...]
    disclosed_vendors: Vendors | None = None
    allowed_vendors: Vendors | None = None
    publisher: PublisherTc | None = None


class CanadianTcString(msgspec.Struct, frozen=True, tag="tcfcav1"):
    """A TC string of TCF Canada, version 1, all segments. As `TcString`, with express and implied consent."""

    created_ms: int
    updated_ms: int
    cmp_id: int
    cmp_version: int
    consent_screen: int
    consent_language: str
    vendor_list_version: int
    policy_version: int
    non_standard_texts: bool
    special_features: tuple[int, ...]
    purpose_consents: tuple[int, ...]
    purpose_interests: tuple[int, ...]
    vendor_consents: Vendors
    vendor_interests: Vendors
    restrictions: tuple[Restriction, ...] = ()
    disclosed_vendors: Vendors | None = None
    publisher: PublisherTc | None = None


class TcStringV1(msgspec.Struct, frozen=True, tag="tcfeuv1"):
    """A consent string of TCF 1.0 and 1.1, which ended in 2020: its purposes are others than those of version 2."""

    created_ms: int
    updated_ms: int
    cmp_id: int
    cmp_version: int
    consent_screen: int
    consent_language: str
    vendor_list_version: int
    purpose_consents: tuple[int, ...]
    vendor_consents: Vendors


def _head(version: int) -> FieldTable:
    return {
        "_version": Constant(6, version),
        "created_ms": Instant(),
        "updated_ms": Instant(),
        "cmp_id": Whole(12),
        "cmp_version": Whole(12),
        "consent_screen": Whole(6),
        "consent_language": TwoLetters(),
        "vendor_list_version": Whole(12),
    }


_PUBLISHER = Record(PublisherTc, {"consents": Ids(24), "interests": Ids(24), "custom": Custom()})

_EUROPE = Segments(
    core={
        **_head(2),
        "policy_version": Whole(6),
        "service_specific": Flag(),
        "non_standard_texts": Flag(),
        "special_features": Ids(12),
        "purpose_consents": Ids(24),
        "purpose_interests": Ids(24),
        "purpose_one_treatment": Flag(),
        "publisher_country": TwoLetters(),
        "vendor_consents": _VENDORS,
        "vendor_interests": _VENDORS,
        "restrictions": Restrictions(),
    },
    more={1: ("disclosed_vendors", _VENDORS), 2: ("allowed_vendors", _VENDORS), 3: ("publisher", _PUBLISHER)},
    padding=TCF_PADDING,
)

_CANADA = Segments(
    core={
        **_head(1),
        "policy_version": Whole(6),
        "non_standard_texts": Flag(),
        "special_features": Ids(12),
        "purpose_consents": Ids(24),
        "purpose_interests": Ids(24),
        "vendor_consents": _VENDORS,
        "vendor_interests": _VENDORS,
        "restrictions": Restrictions(trailing=True),
    },
    more={1: ("disclosed_vendors", _VENDORS), 3: ("publisher", _PUBLISHER)},
    padding=GPP_PADDING,
)


_OLD_EUROPE = Segments(
    core={**_head(1), "purpose_consents": Ids(24), "vendor_consents": VendorVector(with_default=True)},
    padding=GPP_PADDING,
)


def decode_tcf(text: str, place: str = "TC string") -> TcString:
    """Read a TC string of version 2.

    A string of 65,536 characters takes some milliseconds, whatever is in it. `place` begins the place of errors.

    Raises:
        CourtesyError: INVALID, for all that is not such a string, with the segment and the bit.
    """
    return TcString(**read_segments(_EUROPE, text, place))


def encode_tcf(tc: TcString, place: str = "TC string") -> str:
    """Write a TC string: core, disclosed vendors, allowed vendors, publisher; vendors in the shorter of the two ways.

    `decode_tcf` gives an equal value.

    Raises:
        CourtesyError: INVALID, when a value does not fit, with its name.
    """
    return write_segments(_EUROPE, values_of(tc), place)


def decode_tcf_canada(text: str, place: str = "TC string of Canada") -> CanadianTcString:
    """Read a TC string of TCF Canada; as `decode_tcf`."""
    return CanadianTcString(**read_segments(_CANADA, text, place))


def encode_tcf_canada(tc: CanadianTcString, place: str = "TC string of Canada") -> str:
    """Write a TC string of TCF Canada; as `encode_tcf`."""
    return write_segments(_CANADA, values_of(tc), place)


def decode_tcf_v1(text: str, place: str = "TC string of version 1") -> TcStringV1:
    """Read a consent string of TCF 1; as `decode_tcf`. One that names the vendors without consent is refused."""
    return TcStringV1(**read_segments(_OLD_EUROPE, text, place))


def encode_tcf_v1(tc: TcStringV1, place: str = "TC string of version 1") -> str:
    """Write a consent string of TCF 1; as `encode_tcf`."""
    return write_segments(_OLD_EUROPE, values_of(tc), place)
