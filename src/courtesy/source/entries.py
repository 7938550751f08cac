"""Rows of a file as entries of a catalogue: cells of text become what their fields are declared to be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec

from courtesy.catalogue.definition import CatalogueDefinition, EntryField, FieldType
from courtesy.catalogue.values import STOCK_NAMES
from courtesy.event.casting import Unread, to_boolean, to_number
from courtesy.source.files import DataFile, Reading, sample_of
from courtesy.source.mapping import CsvOptions, Format
from courtesy.source.rows import Rows, encode

SEPARATOR = "|"
"""Between the values of a cell that has many."""

_PRICE = re.compile(r"(?P<amount>[\d.,]+)\s*(?P<currency>[A-Z]{3})|(?P<before>[A-Z]{3})\s*(?P<after>[\d.,]+)")


class EntryRow(NamedTuple):
    """A row: its line or number, the id of the entry as it was read, and its fields; or why it could not be read."""

    number: int
    id: Any
    values: dict[str, Any]
    unread: str = ""


def entry_rows(
    file: DataFile, definition: CatalogueDefinition, id_name: str, format: Format | None = None
) -> Iterator[list[EntryRow]]:
    """All rows of a file in order, some thousands at a time. In CSV a column such as `price.amount` is a part of a
    field, and one such as `title.de` a locale.

    Raises CourtesyError(UNREADABLE) for what is no table, and where the file breaks off.
    """
    sample = sample_of(file, known_only=False, format=format)
    is_text = sample.format is Format.CSV
    for rows in Reading(file, sample, CsvOptions()).batches():
        yield [*_read(rows, definition, id_name, is_text=is_text), *_bad(rows)]


def _bad(rows: Rows) -> Iterator[EntryRow]:
    for each in rows.bad:
        yield EntryRow(each.number, None, {}, each.detail)


def _read(rows: Rows, definition: CatalogueDefinition, id_name: str, *, is_text: bool) -> Iterator[EntryRow]:
    for index, number in enumerate(rows.numbers):
        try:
            # Through JSON: Parquet has values of kinds that entries have not.
            values = msgspec.json.decode(encode(rows.record(index)))
        except (UnicodeEncodeError, msgspec.DecodeError, ValueError) as error:
            yield EntryRow(number, None, {}, str(error))
            continue
        id_ = values.pop(id_name, None)
        yield EntryRow(number, id_, _nested(values, definition) if is_text else values)


def _nested(cells: dict[str, Any], definition: CatalogueDefinition) -> dict[str, Any]:
    """Cells of text as values of fields."""
    out: dict[str, Any] = {}
    for column, cell in cells.items():
        field = definition.fields.get(column)
        name, _, part = column.partition(".")
        if field is not None or not part:
            out[column] = _cast(field, column, cell)
        else:
            inner = out.setdefault(name, {})
            if isinstance(inner, dict):
                inner[part] = _number(cell) if part == "amount" else cell
    return out


def _cast(field: EntryField | None, name: str, cell: Any) -> Any:
    """A cell as its field is declared; as it is where it can't be, which is then told of the value."""
    if not isinstance(cell, str):
        return cell
    if field is None:
        return _number(cell) if name.lower() in STOCK_NAMES else cell
    if field.many:
        values = _json(cell) if cell.startswith("[") else [part.strip() for part in cell.split(SEPARATOR)]
        return [_cast_one(field, each) for each in values] if isinstance(values, list) else values
    return _cast_one(field, cell)


def _cast_one(field: EntryField, cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    match field.type:
        case FieldType.NUMBER:
            return _number(cell)
        case FieldType.BOOLEAN:
            return _read_by(to_boolean, cell)
        case FieldType.STOCK:
            number = _number(cell)
            return number if number is not cell else _read_by(to_boolean, cell)
        case FieldType.MONEY:
            return _price(cell)
        case FieldType.LOCALISED | FieldType.OBJECT:
            return _json(cell)
        case _:
            return cell


def _read_by(cast: Any, cell: str) -> Any:
    found = cast(cell)
    return cell if found is None or isinstance(found, Unread) else found


def _number(cell: Any) -> Any:
    found = _read_by(partial(to_number, decimal="."), cell) if isinstance(cell, str) else cell
    return int(found) if isinstance(found, float) and found.is_integer() else found


def _price(cell: str) -> Any:
    """`19.90`, `19.90 EUR` or `EUR 19.90`."""
    found = _PRICE.fullmatch(cell.strip())
    if found is None:
        return _number(cell)
    amount = _number(found["amount"] or found["after"])
    return {"amount": amount, "currency": found["currency"] or found["before"]}


def _json(cell: str) -> Any:
    try:
        return msgspec.json.decode(cell)
    except msgspec.DecodeError:
        return cell
