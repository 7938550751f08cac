"""A string of segments joined by dots: a core, and more that say by their first three bits which they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from courtesy.consent.bits import BitReader, BitWriter, check_length
from courtesy.consent.fields import FieldKind, FieldTable, read_fields, write_fields

_TYPE_BITS = 3


@dataclass(frozen=True, slots=True)
class Segments:
    """How a format is put together.

    `more` has, for each type of segment that may follow the core, its name and its kind, in the order in which they
    are written; each may be there once, or not.
    """

    core: FieldTable
    padding: tuple[int, ...]
    more: Mapping[int, tuple[str, FieldKind]] = field(default_factory=dict)


def read_segments(segments: Segments, text: str, place: str) -> dict[str, Any]:
    """The values of all segments by name; a segment that is not there has none.

    Raises:
        CourtesyError: INVALID.
    """
    core, *rest = check_length(text, place).split(".", len(segments.more) + 1)
    values = read_fields(segments.core, BitReader(core, f"{place}, core"))
    for number, part in enumerate(rest, start=2):
        name, value = _read_more(segments, BitReader(part, f"{place}, segment {number}"), values)
        values[name] = value
    return values


def write_segments(segments: Segments, values: Mapping[str, Any], place: str) -> str:
    """The text; a segment whose value is None or absent is left out.

    Raises:
        CourtesyError: INVALID, when a value does not fit, or the text would be too long to be read.
    """
    core = BitWriter(f"{place}, core")
    write_fields(segments.core, core, values)
    parts = [core.text(segments.padding)]
    for number, (name, kind) in segments.more.items():
        if values.get(name) is not None:
            writer = BitWriter(f"{place}, {name}")
            writer.number(number, _TYPE_BITS)
            kind.write(writer, values[name])
            parts.append(writer.text(segments.padding))
    return check_length(".".join(parts), place)


def _read_more(segments: Segments, reader: BitReader, known: Mapping[str, Any]) -> tuple[str, Any]:
    found = reader.number(_TYPE_BITS)
    if found not in segments.more:
        expected = ", ".join(str(each) for each in segments.more) or "none"
        raise reader.error(f"expected a segment of type {expected}, found {found}", _TYPE_BITS)
    name, kind = segments.more[found]
    if name in known:
        raise reader.error(f"expected each segment once, found a second of type {found}", _TYPE_BITS)
    reader.field = name
    return name, kind.read(reader)
