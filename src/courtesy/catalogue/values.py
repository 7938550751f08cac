"""Values of an entry: held to the declared type, or taken for what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import from_iso
from courtesy.catalogue.definition import CatalogueDefinition, EntryField, FieldType

STOCK_NAMES = frozenset({"stock", "quantity", "inventory", "in_stock", "available"})
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{4})?(-[A-Z]{2}|-\d{3})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_URL = re.compile(r"https?://[^\s/]+(/\S*)?")
_ASSET = re.compile(r"[0-9a-f]{64}")
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif")


class Money(NamedTuple):
    """An amount of a currency, exactly as it was written; no currency when nobody said."""

    amount: Decimal
    currency: str


def check_values(definition: CatalogueDefinition, values: Mapping[str, Any]) -> None:
    """Raise CourtesyError(INVALID) for the first field that is not as declared, with the field as its place."""
    for name, field in definition.fields.items():
        if values.get(name) is None:
            if field.required:
                raise CourtesyError(Code.INVALID, f"expected a value of type {field.type}, got none", place=name)
            continue
        said = _breach(field, values[name])
        if said:
            raise CourtesyError(Code.INVALID, f"{said}, got {values[name]!r:.80}", place=name)
    if definition.strict:
        for name in values:
            if name not in definition.fields:
                hint = nearest(name, definition.fields)
                raise CourtesyError(Code.INVALID, f"there is no field {name!r:.60}", hint=hint, place=name)


def _breach(field: EntryField, value: Any) -> str:
    """What was expected of a value that is not so; empty for a good one."""
    if not field.many:
        return _breach_of_one(field, value)
    if not isinstance(value, list):
        return f"expected a list of values of type {field.type}"
    return next((said for each in value if (said := _breach_of_one(field, each))), "")


def _breach_of_one(field: EntryField, value: Any) -> str:
    match field.type:
        case FieldType.TEXT:
            is_good = isinstance(value, str)
        case FieldType.NUMBER:
            is_good = _is_number(value)
        case FieldType.BOOLEAN:
            is_good = isinstance(value, bool)
        case FieldType.MONEY:
            is_good = money_of(field, value) is not None
            return "" if is_good else "expected an amount like {'amount': 19.9, 'currency': 'EUR'}"
        case FieldType.STOCK:
            is_good = isinstance(value, bool) or (isinstance(value, int) and value >= 0)
        case FieldType.IMAGE:
            is_good = isinstance(value, str) and bool(_URL.fullmatch(value) or _ASSET.fullmatch(value))
            return "" if is_good else "expected the address of an image, or the SHA-256 of an asset"
        case FieldType.URL:
            is_good = isinstance(value, str) and _URL.fullmatch(value) is not None
        case FieldType.INSTANT:
            is_good = isinstance(value, str) and from_iso(value) is not None
        case FieldType.LOCALISED:
            is_good = _is_localised(value)
        case FieldType.OBJECT:
            is_good = isinstance(value, dict)
    return "" if is_good else f"expected a value of type {field.type}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_localised(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(_LOCALE.fullmatch(key) and isinstance(text, str) for key, text in value.items())
    )


def money_of(field: EntryField, value: Any) -> Money | None:
    """A price that is not negative: a number in the currency of the field, or an object with its own; None for what is
    no price."""
    currency = field.currency
    if isinstance(value, dict):
        if value.keys() != {"amount", "currency"} or not isinstance(value["currency"], str):
            return None
        currency, value = value["currency"], value["amount"]
        if not _CURRENCY.fullmatch(currency):
            return None
    if not _is_number(value) or value < 0 or not currency:
        return None
    return Money(Decimal(str(value)), currency)


def has_stock(value: Any) -> bool | None:
    """Whether there is any; None when nothing is said of it."""
    if isinstance(value, bool):
        return value
    return value > 0 if isinstance(value, int) else None


def inferred(name: str, value: Any) -> EntryField:
    """What a value of a field that is not declared looks like."""
    if isinstance(value, list):
        kinds = {inferred(name, each).type for each in value}
        kind = kinds.pop() if len(kinds) == 1 else FieldType.OBJECT
        return EntryField(FieldType.NUMBER if kind is FieldType.STOCK else kind, many=True)
    if isinstance(value, bool | int) and name.lower() in STOCK_NAMES:
        return EntryField(FieldType.STOCK)
    if isinstance(value, bool):
        return EntryField(FieldType.BOOLEAN)
    if _is_number(value):
        return EntryField(FieldType.NUMBER)
    if isinstance(value, str):
        return EntryField(_of_text(value))
    if money_of(EntryField(FieldType.MONEY), value) is not None:
        return EntryField(FieldType.MONEY)
    return EntryField(FieldType.LOCALISED if _is_localised(value) else FieldType.OBJECT)


def _of_text(value: str) -> FieldType:
    if _URL.fullmatch(value):
        is_image = value.partition("?")[0].lower().endswith(_IMAGE_SUFFIXES)
        return FieldType.IMAGE if is_image else FieldType.URL
    if _ASSET.fullmatch(value):
        return FieldType.IMAGE
    return FieldType.INSTANT if "T" in value and from_iso(value) is not None else FieldType.TEXT


def field_of(definition: CatalogueDefinition, name: str, *values: Any) -> EntryField:
    """A field as it is declared, or else as the last of the values that is one looks."""
    declared = definition.fields.get(name)
    if declared is not None:
        return declared
    said = [each for each in values if each is not None]
    return inferred(name, said[-1] if said else None)


def paths_of(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every text, number and boolean in a value with the path to it; those in a list under the path of the list."""
    if isinstance(value, dict) and depth < DEPTH_MAX:
        for name, each in value.items():
            yield from paths_of(each, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list) and depth < DEPTH_MAX:
        for each in value:
            yield from paths_of(each, path, depth + 1)
    elif isinstance(value, str | int | float):
        yield path, value


DEPTH_MAX = 4
