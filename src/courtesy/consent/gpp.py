"""Strings of the IAB Global Privacy Platform: a header that lists sections by number, and the sections.

Source: "Global Privacy Platform String" and "Section Information", IAB Tech Lab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise

import msgspec

from courtesy.consent.bits import GPP_PADDING, BitReader, BitWriter, check_length, invalid
from courtesy.consent.tcf import (
    CanadianTcString,
    TcString,
    decode_tcf,
    decode_tcf_canada,
    encode_tcf,
    encode_tcf_canada,
)
from courtesy.consent.us_sections import (
    US_SECTIONS,
    UsPrivacy,
    UsSection,
    decode_us_privacy,
    decode_us_section,
    encode_us_privacy,
    encode_us_section,
)

_HEADER_TYPE = 3
_VERSION = 1
_TCF_EUROPE, _TCF_CANADA, _US_PRIVACY = 2, 5, 6


class OpaqueSection(msgspec.Struct, frozen=True, tag="opaque"):
    """A section, or a version of one, that we can't read: its text as it came. It may say anything."""

    id: int
    text: str


Section = TcString | CanadianTcString | UsPrivacy | UsSection | OpaqueSection


class Gpp(msgspec.Struct, frozen=True, tag="gpp"):
    """A GPP string: its sections in the order of their ids, each id once."""

    sections: tuple[Section, ...]


_Reader = Callable[[str, str], Section]


def _readers() -> dict[tuple[int, str], _Reader]:
    """Who reads a section, by its id and its first character, which is its version."""
    readers: dict[tuple[int, str], _Reader] = {
        (_TCF_EUROPE, "C"): decode_tcf,
        (_TCF_CANADA, "B"): decode_tcf_canada,
        (_US_PRIVACY, "1"): decode_us_privacy,
    }
    for name, layout in US_SECTIONS.items():
        for version in layout.fields:
            readers[layout.id, "ABC"[version]] = partial(decode_us_section, name, version)
    return readers


_READERS = _readers()
_NAMES = {
    _TCF_EUROPE: "tcfeuv2",
    _TCF_CANADA: "tcfcav1",
    _US_PRIVACY: "uspv1",
    **{layout.id: name for name, layout in US_SECTIONS.items()},
}


def decode_gpp(text: str) -> Gpp:
    """Read a GPP string.

    A section that we don't know, or whose version we don't know, becomes an `OpaqueSection`: the others are read.

    Raises:
        CourtesyError: INVALID, for all that is not such a string, with the section, the segment and the bit.
    """
    header, *parts = check_length(text, "GPP string").split("~")
    ids = _read_header(BitReader(header, "GPP string, header"), len(parts))
    return Gpp(tuple(_read_section(each, part) for each, part in zip(ids, parts, strict=True)))


def encode_gpp(gpp: Gpp) -> str:
    """Write a GPP string; `decode_gpp` gives an equal value, but for opaque sections that can be read after all.

    Raises:
        CourtesyError: INVALID, when a value does not fit, ids do not ascend, or the text would be too long to be read.
    """
    ids = [section_id(section) for section in gpp.sections]
    parts = [_write_section(each, section) for each, section in zip(ids, gpp.sections, strict=True)]
    return check_length("~".join([_write_header(ids), *parts]), "GPP string")


def section_id(section: Section) -> int:
    """The number under which a header lists a section.

    Raises:
        CourtesyError: INVALID, for a `UsSection` of no name that we know.
    """
    match section:
        case TcString():
            return _TCF_EUROPE
        case CanadianTcString():
            return _TCF_CANADA
        case UsPrivacy():
            return _US_PRIVACY
        case UsSection(name=name):
            if name not in US_SECTIONS:
                raise invalid(f"expected one of {', '.join(US_SECTIONS)}, found {name!r}", "GPP string")
            return US_SECTIONS[name].id
        case OpaqueSection(id=number):
            return number


def _place(number: int) -> str:
    name = _NAMES.get(number)
    return f"GPP string, section {number} ({name})" if name else f"GPP string, section {number}"


def _read_section(number: int, text: str) -> Section:
    if not text:
        raise invalid("expected a section, found nothing", _place(number))
    reader = _READERS.get((number, text[0]))
    return OpaqueSection(number, text) if reader is None else reader(text, _place(number))


def _write_section(number: int, section: Section) -> str:
    match section:
        case TcString():
            return encode_tcf(section, _place(number))
        case CanadianTcString():
            return encode_tcf_canada(section, _place(number))
        case UsPrivacy():
            return encode_us_privacy(section, _place(number))
        case UsSection():
            return encode_us_section(section, _place(number))
        case OpaqueSection(text=text):
            if not text or "~" in text:
                raise invalid(f"expected text without ~, found {text[:8]!r}", _place(number))
            return text


def _read_header(reader: BitReader, section_count: int) -> list[int]:
    for reader.field, expected in (("type", _HEADER_TYPE), ("version", _VERSION)):
        found = reader.number(6)
        if found != expected:
            raise reader.error(f"expected {expected}, found {found}", 6)
    reader.field = "sections"
    ids: list[int] = []
    for _ in range(reader.number(12)):
        is_group = reader.number(1)
        first = (ids[-1] if ids else 0) + reader.fibonacci()
        last = first + reader.fibonacci() if is_group else first
        if len(ids) + last - first >= section_count:
            raise reader.error(f"expected {section_count} sections, as follow the header, found more")
        ids.extend(range(first, last + 1))
    if len(ids) != section_count:
        raise reader.error(f"expected {section_count} sections, as follow the header, found {len(ids)}")
    return ids


def _write_header(ids: list[int]) -> str:
    writer = BitWriter("GPP string, header")
    writer.number(_HEADER_TYPE, 6)
    writer.number(_VERSION, 6)
    writer.field = "sections"
    for one, other in pairwise(ids):
        if other <= one:
            raise writer.error(f"expected sections that ascend, found {other} after {one}")
    groups = _groups(ids)
    writer.number(len(groups), 12)
    at = 0
    for first, last in groups:
        writer.number(first != last, 1)
        writer.fibonacci(first - at)
        if first != last:
            writer.fibonacci(last - first)
        at = last
    return writer.text(GPP_PADDING)


def _groups(ids: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of ids that follow each other, as their first and last."""
    groups: list[tuple[int, int]] = []
    for each in ids:
        if groups and each == groups[-1][1] + 1:
            groups[-1] = (groups[-1][0], each)
        else:
            groups.append((each, each))
    return groups
