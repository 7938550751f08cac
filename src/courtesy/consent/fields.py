"""Kinds of fields: how a value stands in a row of bits. A segment is a table of names and kinds, both read and written.

Source: "Global Privacy Platform String", IAB Tech Lab, section Section Encoding; "Transparency and Consent String with
Global Vendor & CMP List Formats", IAB Tech Lab, section The Core String.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from courtesy.consent.bits import BitReader, BitWriter
from courtesy.consent.vendors import Vendors, read_ranges, read_vector, write_ranges, write_vector

_TENTH_MS = 100


class FieldKind(Protocol):
    """Reads what it wrote: `read` of what `write` added gives an equal value.

    Both raise CourtesyError INVALID and nothing else, for bits that stand for no value, and values that do not fit.
    """

    def read(self, reader: BitReader) -> Any:
        """The value whose bits come next."""
        ...

    def write(self, writer: BitWriter, value: Any) -> None:
        """Add the bits of a value."""
        ...


FieldTable = Mapping[str, FieldKind]
"""The fields of a segment in their order. A name that begins with `_` is of a constant, which is no value."""


def read_fields(table: FieldTable, reader: BitReader) -> dict[str, Any]:
    """The values of a segment by name."""
    values = {}
    for reader.field, kind in table.items():
        values[reader.field] = kind.read(reader)
    return {name: value for name, value in values.items() if not name.startswith("_")}


def write_fields(table: FieldTable, writer: BitWriter, values: Mapping[str, Any]) -> None:
    """Add the values of a segment; constants need none."""
    for writer.field, kind in table.items():
        kind.write(writer, values.get(writer.field))


def values_of(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields of a struct by name, not those of structs in it."""
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number of so many bits, at most `highest` if that is given."""

    bits: int
    highest: int | None = None

    def read(self, reader: BitReader) -> int:
        value = reader.number(self.bits)
        if self.highest is not None and value > self.highest:
            raise reader.error(f"expected at most {self.highest}, found {value}", self.bits)
        return value

    def write(self, writer: BitWriter, value: int) -> None:
        if self.highest is not None and value > self.highest:
            raise writer.error(f"expected at most {self.highest}, found {value}")
        writer.number(value, self.bits)


@dataclass(frozen=True, slots=True)
class Constant:
    """The one number that may stand here."""

    bits: int
    value: int

    def read(self, reader: BitReader) -> None:
        found = reader.number(self.bits)
        if found != self.value:
            raise reader.error(f"expected {self.value}, found {found}", self.bits)

    def write(self, writer: BitWriter, value: None) -> None:
        writer.number(self.value, self.bits)


@dataclass(frozen=True, slots=True)
class Flag:
    """One bit."""

    def read(self, reader: BitReader) -> bool:
        return reader.number(1) == 1

    def write(self, writer: BitWriter, value: bool) -> None:
        writer.number(value, 1)


@dataclass(frozen=True, slots=True)
class Instant:
    """Milliseconds since 1970, UTC; written as 36 bits of tenths of a second, which it must be a multiple of."""

    def read(self, reader: BitReader) -> int:
        return reader.number(36) * _TENTH_MS

    def write(self, writer: BitWriter, value: int) -> None:
        if value % _TENTH_MS:
            raise writer.error(f"expected whole tenths of a second, found {value} ms")
        writer.number(value // _TENTH_MS, 36)


@dataclass(frozen=True, slots=True)
class TwoLetters:
    """Two letters from A to Z, six bits each: a language or a country."""

    def read(self, reader: BitReader) -> str:
        values = (reader.number(6), reader.number(6))
        if max(values) > 25:
            raise reader.error(f"expected two letters, 0 to 25 each, found {values[0]} and {values[1]}", 12)
        return "".join(chr(ord("A") + value) for value in values)

    def write(self, writer: BitWriter, value: str) -> None:
        if len(value) != 2 or not all("A" <= letter <= "Z" for letter in value):
            raise writer.error(f"expected two letters from A to Z, found {value!r}")
        for letter in value:
            writer.number(ord(letter) - ord("A"), 6)


@dataclass(frozen=True, slots=True)
class Ids:
    """Which of the ids 1 to `count` are set, one bit each; the value is those that are, ascending."""

    count: int

    def read(self, reader: BitReader) -> tuple[int, ...]:
        return _ids(reader.bits(self.count))

    def write(self, writer: BitWriter, value: tuple[int, ...]) -> None:
        _write_ids(writer, value, self.count)


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of answers, two bits each, of a fixed length: 0 not applicable, 1 and 2 as the field says; 3 is none."""

    count: int

    def read(self, reader: BitReader) -> tuple[int, ...]:
        return tuple(Whole(2, 2).read(reader) for _ in range(self.count))

    def write(self, writer: BitWriter, value: tuple[int, ...]) -> None:
        if len(value) != self.count:
            raise writer.error(f"expected {self.count} answers, found {len(value)}")
        for each in value:
            Whole(2, 2).write(writer, each)


@dataclass(frozen=True, slots=True)
class VendorVector:
    """A set of vendors, as ranges or as one bit each. `with_default`: ranges begin with a bit for all the others."""

    with_default: bool = False

    def read(self, reader: BitReader) -> Vendors:
        return read_vector(reader, self.with_default)

    def write(self, writer: BitWriter, value: Vendors) -> None:
        write_vector(writer, value, self.with_default)


class Restriction(msgspec.Struct, frozen=True):
    """What a publisher does not let vendors do, whatever a person chose.

    `kind`: 0 the purpose is not allowed, 1 only with consent, 2 only as a legitimate interest; 3 is not defined.
    """

    purpose: int
    kind: int
    vendors: Vendors


@dataclass(frozen=True, slots=True)
class Restrictions:
    """A publisher's restrictions, in their order. `trailing` ones are written only if there are any, as the last field:
    they came to a format that had been without."""

    trailing: bool = False

    def read(self, reader: BitReader) -> tuple[Restriction, ...]:
        if self.trailing and reader.left < 12:
            return ()
        return tuple(_read_restriction(reader) for _ in range(reader.number(12)))

    def write(self, writer: BitWriter, value: tuple[Restriction, ...]) -> None:
        if self.trailing and not value:
            return
        writer.number(len(value), 12)
        for each in value:
            writer.number(each.purpose, 6)
            writer.number(each.kind, 2)
            write_ranges(writer, each.vendors)


class CustomPurposes(msgspec.Struct, frozen=True):
    """A publisher's own purposes, 1 to `count`, and which of them are consented to, or are a legitimate interest."""

    count: int = 0
    consents: tuple[int, ...] = ()
    interests: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Custom:
    """A publisher's own purposes, at most 63."""

    def read(self, reader: BitReader) -> CustomPurposes:
        count = reader.number(6)
        return CustomPurposes(count, _ids(reader.bits(count)), _ids(reader.bits(count)))

    def write(self, writer: BitWriter, value: CustomPurposes) -> None:
        writer.number(value.count, 6)
        _write_ids(writer, value.consents, value.count)
        _write_ids(writer, value.interests, value.count)


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of a table as one struct, whose fields have their names."""

    struct: type[msgspec.Struct]
    table: FieldTable

    def read(self, reader: BitReader) -> msgspec.Struct:
        return self.struct(**read_fields(self.table, reader))

    def write(self, writer: BitWriter, value: msgspec.Struct) -> None:
        write_fields(self.table, writer, values_of(value))


def _read_restriction(reader: BitReader) -> Restriction:
    return Restriction(reader.number(6), reader.number(2), read_ranges(reader))


def _ids(bits: str) -> tuple[int, ...]:
    return tuple(index for index, bit in enumerate(bits, start=1) if bit == "1")


def _write_ids(writer: BitWriter, ids: tuple[int, ...], count: int) -> None:
    beyond = [each for each in ids if not 1 <= each <= count]
    if beyond:
        raise writer.error(f"expected ids from 1 to {count}, found {beyond[0]}")
    writer.bits("".join("1" if each in ids else "0" for each in range(1, count + 1)))
