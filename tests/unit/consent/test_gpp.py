"""GPP strings: equal to the reference library on every vector, written back letter for letter, refused with a place."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.gpp import Gpp, OpaqueSection, decode_gpp, encode_gpp, section_id
from courtesy.consent.us_sections import US_SECTIONS, UsPrivacy, UsSection
from tests.unit.consent.vectors import GPP, in_words_of_iabgpp

# Written before headers were filled up to whole bytes.
OLD_PADDING = "DBACNY~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN"
OPTED_OUT = decode_gpp("DBABBg~BUUAAABA.YA").sections[0]


def refusal(text: str) -> CourtesyError:
    """What `decode_gpp` says to what is no GPP string."""
    with pytest.raises(CourtesyError) as caught:
        decode_gpp(text)
    assert caught.value.code is Code.INVALID
    return caught.value


def test_the_vectors_cover_every_section() -> None:
    """No section below passes for want of a vector."""
    assert len(GPP) == 75
    assert {number for vector in GPP for number in vector["section_ids"]} == {2, 5, 6} | set(range(7, 28))
    assert {layout.id for layout in US_SECTIONS.values()} == set(range(7, 28))


@pytest.mark.parametrize("vector", GPP, ids=lambda vector: vector["gpp"][:24])
def test_a_string_says_what_the_reference_library_reads(vector: dict[str, Any]) -> None:
    """Every field of every section, and nothing else."""
    sections = decode_gpp(vector["gpp"]).sections
    assert [section_id(section) for section in sections] == vector["section_ids"]
    assert [in_words_of_iabgpp(section) for section in sections] == list(vector["sections"].values())


@pytest.mark.parametrize("vector", GPP, ids=lambda vector: vector["gpp"][:24])
def test_a_string_is_written_as_it_was_read(vector: dict[str, Any]) -> None:
    """Letter for letter, but for one vector, whose header is older than the way of filling it up."""
    gpp = decode_gpp(vector["gpp"])
    assert (
        encode_gpp(gpp) == vector["gpp"].replace(OLD_PADDING[:6], "DBACNYA") if vector["gpp"] == OLD_PADDING else True
    )
    assert (encode_gpp(gpp) == vector["gpp"]) is (vector["gpp"] != OLD_PADDING)
    assert decode_gpp(encode_gpp(gpp)) == gpp


def test_headers_of_the_specification() -> None:
    """Its three examples, of which the third has two sections in one range."""
    canada, usp = decode_gpp("DBABDA~BPXuQIAPXuQIAAfKABENB-CgAAAAAAAAAAAAAAAA").sections[0], UsPrivacy("Y", "N", "N")
    europe = decode_gpp(OLD_PADDING).sections[0]
    headers = [encode_gpp(Gpp(sections)).split("~")[0] for sections in ((europe,), (europe, usp), (canada, usp))]
    assert headers == ["DBABMA", "DBACNYA", "DBABjw"]
    assert decode_gpp(encode_gpp(Gpp((canada, usp)))).sections == (canada, usp)


def test_a_string_may_hold_no_section() -> None:
    """The reference library writes one before anybody chose."""
    assert decode_gpp("DBAA") == Gpp(())
    assert encode_gpp(Gpp(())) == "DBAA"


def test_what_a_section_does_not_tell_is_not_made_up() -> None:
    """No segment for the Global Privacy Control is not the same as one that says no."""
    silent, off = (decode_gpp(f"DBABBg~BAAAAACA{more}").sections[0] for more in ("", ".QA"))
    assert isinstance(silent, UsSection)
    assert isinstance(off, UsSection)
    assert (silent.gpc, off.gpc) == (None, False)
    (indiana,) = decode_gpp("DBABUYA~BgAA").sections
    assert isinstance(indiana, UsSection)
    assert "SensitiveDataProcessing" not in indiana.choices
    assert encode_gpp(Gpp((indiana,))) == "DBABUYA~BgAA"


def test_the_first_version_of_the_national_section_is_read_too() -> None:
    """It has 12 kinds of sensitive data where the second has 16, and two ages of children where that has three."""
    (section,) = decode_gpp("DBABLA~BVVqAAAAAWA.QA").sections
    assert isinstance(section, UsSection)
    assert (section.name, section.version, section.gpc) == ("usnat", 1, False)
    assert section.choices["SaleOptOut"] == 2
    assert section.choices["SensitiveDataProcessing"] == (0,) * 12
    assert section.choices["KnownChildSensitiveDataConsents"] == (0, 0)
    assert [section.choices[f"Mspa{name}"] for name in ("CoveredTransaction", "ServiceProviderMode")] == [1, 2]


def test_sections_that_we_do_not_know_do_not_hide_the_others() -> None:
    """A section of tomorrow, and a version of tomorrow, keep their text, and California is read."""
    future = Gpp((OPTED_OUT, OpaqueSection(9, "CAAAABA"), OpaqueSection(28, "whatever; it says")))
    assert decode_gpp(encode_gpp(future)) == future


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "GPP string, header", "expected a segment of base64url letters, found nothing"),
        ("CBABBg~BAAAAACA", "GPP string, header, bit 0", "type: expected 3, found 2"),
        ("DCABBg~BAAAAACA", "GPP string, header, bit 6", "version: expected 1, found 2"),
        ("DBABBg", "GPP string, header, bit 31", "expected 0 sections, as follow the header, found more"),
        ("DBABBg~BAAAAACA~1YNN", "GPP string, header, bit 31", "expected 2 sections, as follow the header, found 1"),
        ("DBABBg~", "GPP string, section 8 (usca)", "expected a section, found nothing"),
        ("DBABAA~BAAAAACA", "GPP string, header, bit 25", "expected a Fibonacci code, which ends with 11"),
        ("DBABTA~1YYX", "GPP string, section 6 (uspv1)", "expected 1 and three of Y, N and -, found '1YYX'"),
        ("DBABBg~BAAAAAC", "GPP string, section 8 (usca), core, bit 42", "expected 2 bits, found 0"),
        ("DBABBg~BDAAAACA", "GPP string, section 8 (usca), core, bit 10", "expected at most 2, found 3"),
        ("DBABBg~BAAAAACA.gA", "GPP string, section 8 (usca), segment 2, bit 0", "expected 1, found 2"),
        ("DBABRg~BAAAACA.YA", "GPP string, section 9 (usva), segment 2", "expected no segment after the first"),
        ("DBABMA~CPXx", "GPP string, section 2 (tcfeuv2), core, bit 6", "expected 36 bits, found 18"),
    ],
)
def test_a_refusal_says_what_was_expected_what_came_and_where(text: str, place: str, message: str) -> None:
    """Whoever made the string can find the mistake."""
    error = refusal(text)
    assert error.place == place
    assert message in error.message


def _changed(**changes: Any) -> UsSection:
    assert isinstance(OPTED_OUT, UsSection)
    return replace(OPTED_OUT, **changes)


def _answered(**choices: Any) -> UsSection:
    assert isinstance(OPTED_OUT, UsSection)
    return _changed(choices={**OPTED_OUT.choices, **choices})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (_changed(name="ushi"), "found 'ushi'"),
        (_changed(version=2), "expected a section that is known, found 'usca' version 2"),
        (_changed(choices={}), "expected an answer for KnownChildSensitiveDataConsents, found none"),
        (_answered(Mood=1), "expected fields of usca, found 'Mood'"),
        (_answered(SaleOptOut=3), "expected at most 2, found 3"),
        (_answered(SaleOptOut=-1), "expected a number from 0 to 3, found -1"),
        (_answered(KnownChildSensitiveDataConsents=(1,)), "expected 2 answers, found 1"),
        (UsPrivacy("Y", "yes", "N"), "found '1YyesN'"),
        (OpaqueSection(28, "a~b"), "expected text without ~"),
        (OpaqueSection(28, ""), "expected text without ~"),
        (OpaqueSection(0, "a"), "expected a number from 1 to 75024, found 0"),
        (OpaqueSection(75_025, "a"), "expected a number from 1 to 75024, found 75025"),
    ],
)
def test_what_does_not_fit_is_not_written(section: Any, message: str) -> None:
    """No value is cut or left out."""
    with pytest.raises(CourtesyError) as caught:
        encode_gpp(Gpp((section,)))
    assert caught.value.code is Code.INVALID
    assert message in caught.value.message


def test_a_place_for_gpc_is_not_invented() -> None:
    """Virginia's section can't tell, so a value that says it can is refused."""
    (virginia,) = decode_gpp("DBABRg~BAAAACA").sections
    assert isinstance(virginia, UsSection)
    with pytest.raises(CourtesyError, match="expected no gpc, which usva has no place for, found True"):
        encode_gpp(Gpp((replace(virginia, gpc=True),)))


def test_each_section_stands_once_and_in_order() -> None:
    """The header is an ascending list, so no other order can be written."""
    with pytest.raises(CourtesyError, match="expected sections that ascend, found 6 after 8"):
        encode_gpp(Gpp((OPTED_OUT, UsPrivacy("Y", "Y", "N"))))
    with pytest.raises(CourtesyError, match="expected sections that ascend, found 8 after 8"):
        encode_gpp(Gpp((OPTED_OUT, OPTED_OUT)))
