"""What holds for every consent string and every value: what is written is read, and nothing but INVALID is raised."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.bits import FIBONACCI_BITS_MAX, TEXT_CHARS_MAX, BitReader, BitWriter
from courtesy.consent.fields import Choices, CustomPurposes, Restriction
from courtesy.consent.gpp import Gpp, OpaqueSection, decode_gpp, encode_gpp, section_id
from courtesy.consent.signals import decode_signal, said_by
from courtesy.consent.tcf import (
    CanadianTcString,
    PublisherTc,
    TcString,
    TcStringV1,
    decode_tcf,
    decode_tcf_canada,
    decode_tcf_v1,
    encode_tcf,
    encode_tcf_canada,
    encode_tcf_v1,
)
from courtesy.consent.us_sections import US_SECTIONS, Second, UsPrivacy, UsSection, core_fields, second_fields
from courtesy.consent.vendors import VENDOR_ID_MAX, Vendors, read_ranges, read_vector
from tests.unit.consent.vectors import GPP, TCF

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
STRINGS = [vector["tc"] for vector in TCF] + [vector["gpp"] for vector in GPP] + ["1YNN"]


def whole(bits: int) -> st.SearchStrategy[int]:
    """Numbers of so many bits."""
    return st.integers(0, (1 << bits) - 1)


def ids(count: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Ids from 1 to `count`, ascending."""
    return st.sets(st.integers(1, count)).map(lambda found: tuple(sorted(found))) if count else st.just(())


INSTANTS = whole(36).map(lambda tenths: tenths * 100)
TWO_LETTERS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2)
SPANS = st.tuples(st.integers(1, VENDOR_ID_MAX), st.integers(0, 300)).map(
    lambda span: range(span[0], min(sum(span), VENDOR_ID_MAX) + 1)
)
VENDORS = st.lists(SPANS | st.integers(1, 1500).map(lambda each: range(each, each + 1)), max_size=8).map(
    lambda spans: Vendors.of(each for span in spans for each in span)
)
RESTRICTIONS = st.lists(st.builds(Restriction, whole(6), whole(2), VENDORS), max_size=3).map(tuple)
CUSTOM = whole(6).flatmap(lambda count: st.builds(CustomPurposes, st.just(count), ids(count), ids(count)))
PUBLISHERS = st.none() | st.builds(PublisherTc, ids(24), ids(24), CUSTOM)
HEAD = {
    "created_ms": INSTANTS,
    "updated_ms": INSTANTS,
    "cmp_id": whole(12),
    "cmp_version": whole(12),
    "consent_screen": whole(6),
    "consent_language": TWO_LETTERS,
    "vendor_list_version": whole(12),
    "purpose_consents": ids(24),
    "vendor_consents": VENDORS,
}
BODY = {
    **HEAD,
    "policy_version": whole(6),
    "special_features": ids(12),
    "purpose_interests": ids(24),
    "vendor_interests": VENDORS,
    "restrictions": RESTRICTIONS,
    "disclosed_vendors": st.none() | VENDORS,
    "publisher": PUBLISHERS,
}
EUROPEAN = st.builds(
    TcString,
    **BODY,
    publisher_country=TWO_LETTERS,
    allowed_vendors=st.none() | VENDORS,
)
CANADIAN = st.builds(CanadianTcString, **BODY)
OLD = st.builds(TcStringV1, **HEAD)
ANSWERS = st.sampled_from("YN-")


@st.composite
def us_sections(draw: st.DrawFn) -> UsSection:
    """A section of any state and version, with any answers."""
    name = draw(st.sampled_from(sorted(US_SECTIONS)))
    version = draw(st.sampled_from(sorted(US_SECTIONS[name].fields)))
    second = US_SECTIONS[name].second
    table = dict(core_fields(name, version))
    if second is Second.SENSITIVE and draw(st.booleans()):
        table |= second_fields(name)
    answer = st.integers(0, 2)
    choices = {
        field: tuple(draw(answer) for _ in range(kind.count)) if isinstance(kind, Choices) else draw(answer)
        for field, kind in table.items()
        if not field.startswith("_")
    }
    return UsSection(name, version, choices, draw(st.none() | st.booleans()) if second is Second.GPC else None)


SECTIONS = (
    EUROPEAN
    | CANADIAN
    | us_sections()
    | st.builds(UsPrivacy, ANSWERS, ANSWERS, ANSWERS)
    | st.builds(OpaqueSection, st.integers(28, 5000), st.text("abc.-_", min_size=1, max_size=9))
)
GPPS = st.lists(SECTIONS, max_size=5, unique_by=section_id).map(
    lambda sections: Gpp(tuple(sorted(sections, key=section_id)))
)


@given(EUROPEAN)
def test_european_strings_are_read_as_written(tc: TcString) -> None:
    """Any value comes back from its string."""
    assert decode_tcf(encode_tcf(tc)) == tc


@given(CANADIAN)
def test_canadian_strings_are_read_as_written(tc: CanadianTcString) -> None:
    """Any value comes back from its string."""
    assert decode_tcf_canada(encode_tcf_canada(tc)) == tc


@given(OLD)
def test_strings_of_version_1_are_read_as_written(tc: TcStringV1) -> None:
    """Any value comes back from its string."""
    assert decode_tcf_v1(encode_tcf_v1(tc)) == tc


@given(GPPS)
def test_gpp_strings_are_read_as_written(gpp: Gpp) -> None:
    """Any sections come back from their string, from JSON as well, and can be told in facts."""
    text = encode_gpp(gpp)
    assert decode_gpp(text) == gpp
    assert encode_gpp(decode_gpp(text)) == text
    assert msgspec.json.decode(msgspec.json.encode(gpp), type=Gpp) == gpp
    assert all(said.field for said in said_by(gpp, 7))


@given(st.sets(st.integers(1, 75_024), max_size=40).map(sorted))
def test_any_header_is_read_as_written(numbers: list[int]) -> None:
    """Also ranges, and numbers of the longest Fibonacci code."""
    gpp = Gpp(tuple(OpaqueSection(number, "x") for number in numbers))
    assert [section_id(section) for section in decode_gpp(encode_gpp(gpp)).sections] == numbers


@given(st.integers(1, 75_024))
def test_fibonacci_codes_end_with_the_first_11(value: int) -> None:
    """Numbers follow each other without a length, because no code holds 11 but at its end."""
    writer = BitWriter("here")
    writer.fibonacci(value)
    bits = BitReader(writer.text((6,)), "here").bits(6)
    code = BitReader(writer.text((6,)), "here")
    assert code.fibonacci() == value
    assert code.at <= FIBONACCI_BITS_MAX
    assert (code.at == 2) is bits.startswith("11")


def _read_or_refused(text: str) -> None:
    """Reading gives a value that can be written and read again, or INVALID, which says where."""
    try:
        signal = decode_signal(text)
    except CourtesyError as refusal:
        signal, error = None, refusal
    if signal is None:
        assert (error.code, bool(error.place), "expected" in error.message) == (Code.INVALID, True, True)
        return
    said_by(signal, 7)
    said_by(signal)
    if isinstance(signal, Gpp):
        assert decode_gpp(encode_gpp(signal)) == signal
    elif isinstance(signal, TcString):
        assert decode_tcf(encode_tcf(signal)) == signal


@given(st.text() | st.text(LETTERS + ".~").map(lambda text: f"D{text}") | st.text(LETTERS + "."))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing that a stranger sends raises anything else."""
    _read_or_refused(text)


@given(st.sampled_from(STRINGS), st.data())
def test_real_strings_with_a_few_letters_changed_are_read_or_refused(text: str, data: st.DataObject) -> None:
    """Cut, longer, or with other letters: chance finds the lengths and counts that lie."""
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        until = data.draw(st.integers(at, min(at + 3, len(text))))
        text = text[:at] + data.draw(st.text(LETTERS + ".~=", max_size=3)) + text[until:]
    _read_or_refused(text)


@given(st.lists(st.integers(1, 400) | st.integers(1, VENDOR_ID_MAX)))
def test_a_set_of_vendors_is_a_set(vendors: list[int]) -> None:
    """Whatever the order, twice or once: the same value, with the same members."""
    made = Vendors.of(vendors)
    assert made == Vendors.of(reversed(vendors))
    assert list(made) == sorted(set(vendors))
    assert {each for each in range(1, 402) if each in made} == {each for each in vendors if each < 402}
    assert bool(made) is bool(vendors)


def _bits_as_text(bits: str) -> str:
    writer = BitWriter("here")
    writer.bits(bits)
    return writer.text((24,))


def test_hostile_ranges_cost_no_more_than_their_length() -> None:
    """65,535 vendors in each of 4,095 restrictions are 268 million ids, and stay the ranges they were."""
    head = decode_tcf("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA")
    everybody = Vendors(((1, VENDOR_ID_MAX),))
    text = encode_tcf(replace(head, restrictions=tuple(Restriction(1, 0, everybody) for _ in range(4095))))
    assert len(text) < TEXT_CHARS_MAX
    tc = decode_tcf(text)
    assert len(tc.restrictions) == 4095
    assert {each.vendors.ranges for each in tc.restrictions} == {((1, VENDOR_ID_MAX),)}


def test_overlapping_ranges_are_one() -> None:
    """The same vendors said 4,095 times are said once."""
    entry = f"1{1:016b}{VENDOR_ID_MAX:016b}"
    reader = BitReader(_bits_as_text(f"{VENDOR_ID_MAX:016b}1{4095:012b}" + entry * 4095), "here")
    assert read_vector(reader) == Vendors(((1, VENDOR_ID_MAX),))


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 5), (6, 5)])
def test_ranges_that_are_none_are_refused(first: int, last: int) -> None:
    """Vendors begin at 1, and a range ends where it began or later."""
    bits = f"{1:012b}1{first:016b}{last:016b}"
    with pytest.raises(CourtesyError, match=f"found {first} to {last}") as caught:
        read_ranges(BitReader(_bits_as_text(bits), "here"))
    assert caught.value.place == "here, bit 13"
