"""Sections of GPP strings for the United States: the country's, and that of each state, as one table of their fields.

Sources: the "Privacy Technical Specification" of each state and of the "US National" section, and "USPrivacy String"
(CCPA Compliance Framework), IAB Tech Lab; for what the specifications and the reference library @iabgpp/cmpapi 3.2.0
write differently (Indiana, Kentucky, Maryland, Rhode Island), the library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import msgspec

from courtesy.consent.bits import GPP_PADDING, BitReader, BitWriter, check_length, invalid
from courtesy.consent.fields import Choices, Constant, FieldKind, FieldTable, Flag, Whole, read_fields, write_fields

Choice = int | tuple[int, ...]


class UsPrivacy(msgspec.Struct, frozen=True, tag="uspv1"):
    """A US Privacy string, version 1: `Y`, `N`, or `-` for not applicable. `sale_opt_out` is `Y` for who opted out."""

    notice: str
    sale_opt_out: str
    lspa_covered: str


class UsSection(msgspec.Struct, frozen=True, tag="us"):
    """The section of a state or of the country.

    `name` is that of `US_SECTIONS`, such as `usca`. `choices` has each field of the section's version under the name
    that its specification gives it; one answer as a number, a list of them as a tuple. 0 is not applicable. In a field
    named `…OptOut` 1 is opted out and 2 is not; in one named `…Notice` 1 is given and 2 is not; consents are 1 for no
    and 2 for yes. `gpc`: what the browser's Global Privacy Control said; None when the section does not tell.

    The fields of a second segment, other than `gpc`, are left out of `choices` when the segment is not there.
    """

    name: str
    version: int
    choices: dict[str, Choice]
    gpc: bool | None = None


class Second(Enum):
    """What may stand in a section's second segment."""

    NOTHING = "nothing"
    GPC = "gpc"
    SENSITIVE = "sensitive"


@dataclass(frozen=True, slots=True)
class UsLayout:
    """`fields`, by version: names, each with `*n` when it is a list of n answers. `jurisdiction`: ISO 3166-2."""

    id: int
    jurisdiction: str
    fields: Mapping[int, str]
    second: Second = Second.GPC


_MSPA = "MspaCoveredTransaction MspaOptOutOptionMode MspaServiceProviderMode"
_SHARING_NOTICES = "SharingNotice SaleOptOutNotice TargetedAdvertisingOptOutNotice"
_PROCESSING_NOTICES = "ProcessingNotice SaleOptOutNotice TargetedAdvertisingOptOutNotice"
_OPT_OUTS = "SaleOptOut TargetedAdvertisingOptOut"
_SENSITIVE = "SensitiveDataProcessing"
_CHILD = "KnownChildSensitiveDataConsents"
_MORE = "AdditionalDataProcessingConsent"
_NATIONAL = (
    "SharingNotice SaleOptOutNotice SharingOptOutNotice TargetedAdvertisingOptOutNotice"
    " SensitiveDataProcessingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut"
    " TargetedAdvertisingOptOut"
)
_CALIFORNIA = "SaleOptOutNotice SharingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut"


def _usual(sensitive: int, child: str) -> dict[int, str]:
    """The fields of most states that came after the first five; they differ in two lists."""
    return {1: f"{_PROCESSING_NOTICES} {_OPT_OUTS} {_SENSITIVE}*{sensitive} {child} {_MORE} {_MSPA}"}


_MODE_FIRST = {1: f"MspaCoveredTransaction MspaMode {_PROCESSING_NOTICES} {_OPT_OUTS} {_CHILD} {_MORE}"}

US_SECTIONS: Mapping[str, UsLayout] = {
    "usnat": UsLayout(
        7,
        "US",
        {
            1: f"{_NATIONAL} {_SENSITIVE}*12 {_CHILD}*2 PersonalDataConsents {_MSPA}",
            2: f"{_NATIONAL} {_SENSITIVE}*16 {_CHILD}*3 PersonalDataConsents {_MSPA}",
        },
    ),
    "usca": UsLayout(8, "US-CA", {1: f"{_CALIFORNIA} {_SENSITIVE}*9 {_CHILD}*2 PersonalDataConsents {_MSPA}"}),
    "usva": UsLayout(
        9, "US-VA", {1: f"{_SHARING_NOTICES} {_OPT_OUTS} {_SENSITIVE}*8 {_CHILD} {_MSPA}"}, Second.NOTHING
    ),
    "usco": UsLayout(10, "US-CO", {1: f"{_SHARING_NOTICES} {_OPT_OUTS} {_SENSITIVE}*7 {_CHILD} {_MSPA}"}),
    "usut": UsLayout(
        11,
        "US-UT",
        {
            1: f"{_SHARING_NOTICES} SensitiveDataProcessingOptOutNotice {_OPT_OUTS} {_SENSITIVE}*8 {_CHILD} {_MSPA}",
        },
        Second.NOTHING,
    ),
    "usct": UsLayout(12, "US-CT", {1: f"{_SHARING_NOTICES} {_OPT_OUTS} {_SENSITIVE}*8 {_CHILD}*3 {_MSPA}"}),
    "usfl": UsLayout(13, "US-FL", _usual(8, f"{_CHILD}*3"), Second.NOTHING),
    "usmt": UsLayout(14, "US-MT", {1: f"{_SHARING_NOTICES} {_OPT_OUTS} {_SENSITIVE}*8 {_CHILD}*3 {_MORE} {_MSPA}"}),
    "usor": UsLayout(15, "US-OR", _usual(11, f"{_CHILD}*3")),
    "ustx": UsLayout(16, "US-TX", _usual(8, _CHILD)),
    "usde": UsLayout(17, "US-DE", _usual(9, f"{_CHILD}*5")),
    "usia": UsLayout(
        18,
        "US-IA",
        {1: f"{_PROCESSING_NOTICES} SensitiveDataOptOutNotice {_OPT_OUTS} {_SENSITIVE}*8 {_CHILD} {_MSPA}"},
    ),
    "usne": UsLayout(19, "US-NE", _usual(8, _CHILD)),
    "usnh": UsLayout(20, "US-NH", _usual(8, f"{_CHILD}*3")),
    "usnj": UsLayout(21, "US-NJ", _usual(10, f"{_CHILD}*5")),
    "ustn": UsLayout(22, "US-TN", _usual(8, _CHILD)),
    "usmn": UsLayout(23, "US-MN", _usual(8, _CHILD)),
    "usmd": UsLayout(24, "US-MD", {1: f"MspaCoveredTransaction MspaMode {_PROCESSING_NOTICES} {_OPT_OUTS} {_MORE}"}),
    "usin": UsLayout(25, "US-IN", _MODE_FIRST, Second.SENSITIVE),
    "usky": UsLayout(26, "US-KY", _MODE_FIRST, Second.SENSITIVE),
    "usri": UsLayout(27, "US-RI", _MODE_FIRST, Second.SENSITIVE),
}

_SECOND_TABLES: Mapping[Second, FieldTable] = {
    Second.NOTHING: {},
    Second.GPC: {"_type": Constant(2, 1), "gpc": Flag()},
    Second.SENSITIVE: {_SENSITIVE: Choices(8)},
}
_US_PRIVACY = re.compile(r"1([YN-])([YN-])([YN-])")


def decode_us_section(name: str, version: int, text: str, place: str) -> UsSection:
    """Read a section of a version that `US_SECTIONS` has.

    Raises:
        CourtesyError: INVALID, for all that is not such a section, with the segment and the bit.
    """
    core, *more = check_length(text, place).split(".", 1)
    choices = read_fields(core_fields(name, version), BitReader(core, f"{place}, core"))
    second = _read_second(US_SECTIONS[name].second, more[0], f"{place}, segment 2") if more else {}
    gpc = second.pop("gpc", None)
    return UsSection(name, version, choices | second, gpc)


def encode_us_section(section: UsSection, place: str) -> str:
    """Write a section; `decode_us_section` gives an equal value.

    Raises:
        CourtesyError: INVALID, when there is no such section or version, or a field is missing, not one of it, or
            holds what does not fit.
    """
    _check_names(section, place)
    core = BitWriter(f"{place}, core")
    write_fields(core_fields(section.name, section.version), core, section.choices)
    parts = [core.text(GPP_PADDING)]
    second = _SECOND_TABLES[US_SECTIONS[section.name].second]
    values: dict[str, Any] = {**section.choices, "gpc": section.gpc}
    if any(values.get(name) is not None for name in second):
        writer = BitWriter(f"{place}, segment 2")
        write_fields(second, writer, values)
        parts.append(writer.text(GPP_PADDING))
    return ".".join(parts)


def decode_us_privacy(text: str, place: str = "US Privacy string") -> UsPrivacy:
    """Read a US Privacy string, such as `1YNN`.

    Raises:
        CourtesyError: INVALID.
    """
    found = _US_PRIVACY.fullmatch(text)
    if found is None:
        raise invalid(f"expected 1 and three of Y, N and -, found {text[:8]!r}", place)
    return UsPrivacy(*found.groups())


def encode_us_privacy(privacy: UsPrivacy, place: str = "US Privacy string") -> str:
    """Write a US Privacy string.

    Raises:
        CourtesyError: INVALID, when an answer is none of `Y`, `N` and `-`.
    """
    text = f"1{privacy.notice}{privacy.sale_opt_out}{privacy.lspa_covered}"
    decode_us_privacy(text, place)
    return text


@cache
def core_fields(name: str, version: int) -> FieldTable:
    """The fields of the first segment of a section that `US_SECTIONS` has, by name."""
    table: dict[str, FieldKind] = {"_version": Constant(6, version)}
    for each in US_SECTIONS[name].fields[version].split():
        field, _, count = each.partition("*")
        table[field] = Choices(int(count)) if count else Whole(2, 2)
    return table


def second_fields(name: str) -> FieldTable:
    """The fields of the second segment of a section, by name; empty when it can't have one."""
    return _SECOND_TABLES[US_SECTIONS[name].second]


def _read_second(second: Second, text: str, place: str) -> dict[str, Any]:
    if second is Second.NOTHING:
        raise invalid("expected no segment after the first, found one", place)
    return read_fields(_SECOND_TABLES[second], BitReader(text, place))


def _check_names(section: UsSection, place: str) -> None:
    layout = US_SECTIONS.get(section.name)
    if layout is None or section.version not in layout.fields:
        raise invalid(f"expected a section that is known, found {section.name!r} version {section.version}", place)
    core = {name for name in core_fields(section.name, section.version) if not name.startswith("_")}
    if missing := core - section.choices.keys():
        raise invalid(f"expected an answer for {min(missing)}, found none", place)
    allowed = core | (second_fields(section.name).keys() - {"gpc"})
    if beyond := section.choices.keys() - allowed:
        raise invalid(f"expected fields of {section.name}, found {min(beyond)!r}", place)
    if section.gpc is not None and layout.second is not Second.GPC:
        raise invalid(f"expected no gpc, which {section.name} has no place for, found {section.gpc}", place)
