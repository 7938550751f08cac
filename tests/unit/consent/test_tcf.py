"""TC strings: equal to the reference library on every vector, written back letter for letter, refused with a place."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.bits import TEXT_CHARS_MAX
from courtesy.consent.fields import CustomPurposes, Restriction
from courtesy.consent.tcf import (
    PublisherTc,
    TcString,
    decode_tcf,
    decode_tcf_canada,
    decode_tcf_v1,
    encode_tcf,
    encode_tcf_canada,
    encode_tcf_v1,
)
from courtesy.consent.vendors import Vendors
from tests.unit.consent.vectors import TCF, in_words_of_iabtcf, v1_in_words_of_iabtcf

GOOD = [each for each in TCF if each["ok"]]
V2 = [each for each in GOOD if each["decoded"]["version"] == 2]
V1 = [each for each in GOOD if each["decoded"]["version"] == 1]
MALFORMED = [each for each in TCF if not each["ok"]]

EMPTY = TcString(
    created_ms=1_768_435_200_000,
    updated_ms=1_768_435_200_000,
    cmp_id=31,
    cmp_version=1,
    consent_screen=1,
    consent_language="EN",
    vendor_list_version=7,
    policy_version=5,
    service_specific=True,
    non_standard_texts=False,
    special_features=(),
    purpose_consents=(),
    purpose_interests=(),
    purpose_one_treatment=False,
    publisher_country="DE",
    vendor_consents=Vendors(),
    vendor_interests=Vendors(),
    restrictions=(),
)

# Written by others in a way that is longer than it need be: empty ranges for no vendors, a range for each vendor,
# a largest vendor that is not in the set.
LONGER_THAN_NEED_BE = {"CO5dPi4O5dPx", "CO4VGswO4VGs", "CQd924AQd924"}


def refusal(text: str) -> CourtesyError:
    """What `decode_tcf` says to what is no TC string."""
    with pytest.raises(CourtesyError) as caught:
        decode_tcf(text)
    assert caught.value.code is Code.INVALID
    return caught.value


def test_the_vectors_are_all_there() -> None:
    """No test below passes for want of a vector."""
    assert (len(V2), len(V1), len(MALFORMED)) == (14, 2, 1)


@pytest.mark.parametrize("vector", V2, ids=lambda vector: vector["tc"][:16])
def test_a_string_says_what_the_reference_library_reads(vector: dict[str, Any]) -> None:
    """Every field of every vector, and nothing else."""
    assert in_words_of_iabtcf(decode_tcf(vector["tc"])) == vector["decoded"]


@pytest.mark.parametrize("vector", V1, ids=lambda vector: vector["tc"][:16])
def test_a_string_of_version_1_says_what_the_reference_library_reads(vector: dict[str, Any]) -> None:
    """Also what was signed before 2020 can be read, and is written back as it was."""
    tc = decode_tcf_v1(vector["tc"])
    assert v1_in_words_of_iabtcf(tc) == vector["decoded"]
    assert encode_tcf_v1(tc) == vector["tc"]


@pytest.mark.parametrize("vector", V2, ids=lambda vector: vector["tc"][:16])
def test_a_string_is_written_as_it_was_read(vector: dict[str, Any]) -> None:
    """Letter for letter, but for three vectors, which become shorter and mean the same."""
    tc = decode_tcf(vector["tc"])
    written = encode_tcf(tc)
    assert (written == vector["tc"]) is (vector["tc"][:12] not in LONGER_THAN_NEED_BE)
    assert len(written) <= len(vector["tc"])
    assert decode_tcf(written) == tc


@pytest.mark.parametrize("vector", MALFORMED, ids=lambda vector: vector["tc"][:16])
def test_what_the_reference_library_refuses_is_refused(vector: dict[str, Any]) -> None:
    """The disclosed vendors end in the middle: the error names the segment and the bit."""
    error = refusal(vector["tc"])
    assert error.place == "TC string, segment 2, bit 20"
    assert error.message == "disclosed_vendors: expected 733 bits, found 28 before the end of the segment"


def test_every_segment_is_kept() -> None:
    """Disclosed and allowed vendors, the publisher's own purposes and all restrictions come back."""
    tc = replace(
        EMPTY,
        restrictions=(Restriction(1, 0, Vendors.of([65_535, 1, 2])), Restriction(63, 3, Vendors())),
        disclosed_vendors=Vendors.of(range(1, 900)),
        allowed_vendors=Vendors(),
        publisher=PublisherTc((1, 24), (2,), CustomPurposes(3, (1, 3), (2,))),
    )
    text = encode_tcf(tc)
    assert decode_tcf(text) == tc
    assert [part[0] for part in text.split(".")] == ["C", "I", "Q", "c"]


def test_segments_may_come_in_any_order_but_once() -> None:
    """They say which they are; what is said twice could be said differently."""
    core, disclosed, publisher = encode_tcf(EMPTY), "IAAA", "YAAAAAAAAAAA"
    assert decode_tcf(f"{core}.{publisher}.{disclosed}") == decode_tcf(f"{core}.{disclosed}.{publisher}")
    assert "found a second of type 1" in refusal(f"{core}.{disclosed}.{disclosed}").message


def test_no_vendors_and_no_segment_are_told_apart() -> None:
    """An empty list of disclosed vendors means that none was disclosed; no list says nothing."""
    core = encode_tcf(EMPTY)
    assert decode_tcf(core).disclosed_vendors is None
    assert decode_tcf(f"{core}.IAAA").disclosed_vendors == Vendors()


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "TC string, core", "expected a segment of base64url letters, found nothing"),
        ("C", "TC string, core, bit 6", "created_ms: expected 36 bits, found 0"),
        ("BOhwdph", "TC string, core, bit 0", "_version: expected 2, found 1"),
        ("CPXx=", "TC string, core, character 4", "expected base64url letters (A-Z, a-z, 0-9, - and _), found '='"),
        ("CPXx\ud800", "TC string, core, character 4", "found '\\ud800'"),
        (encode_tcf(EMPTY) + ".", "TC string, segment 2", "found nothing"),
        (encode_tcf(EMPTY) + ".gAAA", "TC string, segment 2, bit 0", "expected a segment of type 1, 2, 3, found 4"),
        ("C" * (TEXT_CHARS_MAX + 1), "TC string", "expected at most 65536 characters, found 65537"),
        ("CPXxRfAPXxRfAAfKABz_B-CgAAAAAAAAAAYgAAAAAAAA", "TC string, core, bit 108", "expected two letters"),
    ],
)
def test_a_refusal_says_what_was_expected_what_came_and_where(text: str, place: str, message: str) -> None:
    """Whoever made the string can find the mistake."""
    error = refusal(text)
    assert error.place == place
    assert message in error.message


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"cmp_id": 4096}, "TC string, core, cmp_id"),
        ({"created_ms": 1_768_435_200_001}, "TC string, core, created_ms"),
        ({"created_ms": -100}, "TC string, core, created_ms"),
        ({"consent_language": "de"}, "TC string, core, consent_language"),
        ({"publisher_country": "DEU"}, "TC string, core, publisher_country"),
        ({"purpose_consents": (25,)}, "TC string, core, purpose_consents"),
        ({"special_features": (0,)}, "TC string, core, special_features"),
        ({"vendor_consents": Vendors(((0, 3),))}, "TC string, core, vendor_consents"),
        ({"vendor_consents": Vendors(((5, 6), (7, 8)))}, "TC string, core, vendor_consents"),
        ({"disclosed_vendors": Vendors.of([65_536])}, "TC string, disclosed_vendors"),
        ({"restrictions": (Restriction(64, 0, Vendors()),)}, "TC string, core, restrictions"),
        ({"restrictions": (Restriction(1, 0, Vendors.of(range(1, 9000, 2))),)}, "TC string, core, restrictions"),
        ({"publisher": PublisherTc(custom=CustomPurposes(1, (2,)))}, "TC string, publisher"),
    ],
)
def test_what_does_not_fit_is_not_written(change: dict[str, Any], place: str) -> None:
    """No value is cut, and the error names the field."""
    with pytest.raises(CourtesyError) as caught:
        encode_tcf(replace(EMPTY, **change))
    assert caught.value.code is Code.INVALID
    assert caught.value.place.startswith(place)


def test_what_is_written_can_be_read() -> None:
    """A string that would be longer than what is read is not written."""
    many = tuple(Restriction(1, 0, Vendors.of(range(1, 8000, 2))) for _ in range(9))
    with pytest.raises(CourtesyError, match="expected at most 65536 characters"):
        encode_tcf(replace(EMPTY, restrictions=many))


def test_restrictions_of_canada_came_later_and_may_be_missing() -> None:
    """A string from before they existed has none, and one without any is written as it was then."""
    text = "BPXuQIAPXuQIAAfKABENB-CgAAAAAAAAAAAAAAAA"
    before = decode_tcf_canada(text)
    assert before.restrictions == ()
    assert encode_tcf_canada(before) == text
    after = replace(before, restrictions=(Restriction(2, 1, Vendors.of([7, 20])),))
    assert decode_tcf_canada(encode_tcf_canada(after)) == after
