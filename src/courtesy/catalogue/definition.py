"""What a catalogue is declared to be: the fields of its entries, and by which events people show interest in one."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError

FIELDS_MAX = 200
INTERESTS_MAX = 10
DAYS_MAX = 365


class FieldType(StrEnum):
    """What a value is. STOCK: how many there are, or whether there are any. LOCALISED: texts by locale."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    MONEY = "money"
    STOCK = "stock"
    IMAGE = "image"
    URL = "url"
    INSTANT = "instant"
    LOCALISED = "localised"
    OBJECT = "object"


Title = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]
FieldName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Currency = Annotated[str, Meta(pattern=r"^([A-Z]{3})?$")]


class EntryField(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A field of an entry. `many`: it is a list of such values. `currency`: of a price that is sent as a bare number.
    `tells`: whether people who are interested hear when it changes; unless set they do of money and stock."""

    type: FieldType
    many: bool = False
    required: bool = False
    currency: Currency = ""
    tells: bool | None = None

    @property
    def is_telling(self) -> bool:
        """Whether a change of it is news."""
        return self.type in (FieldType.MONEY, FieldType.STOCK) if self.tells is None else self.tells


class Interest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who did `event` is interested for so many days in the entry that is named in its property, or in each of those
    that are. `property` is a path, such as `products.product_id`."""

    event: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    property: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] = 30


class CatalogueDefinition(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A catalogue. What is not among `fields` is taken for what it looks like, or with `strict` refused."""

    title: Title = ""
    fields: Annotated[dict[FieldName, EntryField], Meta(max_length=FIELDS_MAX)] = {}
    strict: bool = False
    interest: Annotated[tuple[Interest, ...], Meta(max_length=INTERESTS_MAX)] = ()

    def checked(self) -> CatalogueDefinition:
        """The same; or CourtesyError(INVALID) for what can't hold."""
        for name, field in self.fields.items():
            place = f"fields.{name}"
            if name == "id":
                raise CourtesyError(Code.INVALID, "expected no field 'id': it is what names an entry", place=place)
            if field.currency and field.type is not FieldType.MONEY:
                raise CourtesyError(Code.INVALID, f"a field of type {field.type} has no currency", place=place)
            if field.many and field.type in (FieldType.MONEY, FieldType.STOCK):
                raise CourtesyError(Code.INVALID, f"expected one value of type {field.type}, not many", place=place)
        if self.strict and not self.fields:
            raise CourtesyError(Code.INVALID, "expected fields, as no others are taken", place="strict")
        return self

    @property
    def watched(self) -> str:
        """By what interest is known: differs whenever it would be found otherwise. Empty when nobody's is."""
        if not self.interest:
            return ""
        return blake2b(msgspec.json.encode(self.interest), digest_size=8).hexdigest()
