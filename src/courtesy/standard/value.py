"""What is made of a raw value: its standard form, its parts, marks, and how sure that is; or the reason for none."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

P = TypeVar("P")


class Kind(StrEnum):
    """What a value is said to be."""

    EMAIL = "email"
    PHONE = "phone"
    NAME = "name"
    ADDRESS = "address"
    DATE = "date"
    COUNTRY = "country"
    CURRENCY = "currency"
    UNIT = "unit"


FORMS: dict[Kind, str] = {
    Kind.EMAIL: "The address in lower case, its domain in ASCII.",
    Kind.PHONE: "E.164: `+`, country code and number in digits.",
    Kind.NAME: "The name in its natural order and its own script, without title and nickname.",
    Kind.ADDRESS: "The lines as its country writes them, with commas between.",
    Kind.DATE: "ISO 8601: `2024-03-05`; with a time, in UTC where the zone is known: `2024-03-05T10:00:00Z`.",
    Kind.COUNTRY: "ISO 3166-1 alpha-2.",
    Kind.CURRENCY: "ISO 4217, and the amount if there is one: `EUR 1234.5`.",
    Kind.UNIT: "The value in m, kg, m3 or K.",
}


class Confidence(StrEnum):
    """How sure a standard form is. `WEAK`: good enough to be shown to somebody who can judge, not to act upon."""

    CERTAIN = "certain"
    LIKELY = "likely"
    WEAK = "weak"


class Reason(StrEnum):
    """Why a value has no standard form; each is explained in `REASONS`."""

    EMPTY = "empty"
    WRONG_TYPE = "wrong_type"
    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    NO_COUNTRY = "no_country"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"
    IMPOSSIBLE = "impossible"
    PLACEHOLDER = "placeholder"


REASONS: dict[Reason, str] = {
    Reason.EMPTY: "There is nothing in it but blanks.",
    Reason.WRONG_TYPE: "It is no text or number, or, for an address, no object.",
    Reason.TOO_LONG: "It is longer than any value of its kind.",
    Reason.MALFORMED: "It does not have the form of a value of its kind.",
    Reason.NO_COUNTRY: "It is a national number, and nothing says of which country.",
    Reason.AMBIGUOUS: "It can mean several things, and nothing says which.",
    Reason.UNKNOWN: "No such country, currency or unit is known.",
    Reason.IMPOSSIBLE: "Nothing can have this value: 31 February, a phone number that is not given out.",
    Reason.PLACEHOLDER: "It is what people and programs write where they know nothing.",
}


class Mark(StrEnum):
    """What is to be known of a value before it is used; each is explained in `MARKS`."""

    ROLE = "role"
    DISPOSABLE = "disposable"
    FREE_PROVIDER = "free_provider"
    PRIVATE_RELAY = "private_relay"
    PLACEHOLDER = "placeholder"
    TAGGED = "tagged"
    RESERVED = "reserved"
    INTERNATIONAL = "international"
    AMBIGUOUS = "ambiguous"
    UNASSIGNED = "unassigned"
    EXTENSION = "extension"
    ORDER_ASSUMED = "order_assumed"
    CENTURY_ASSUMED = "century_assumed"
    SERIAL = "serial"
    EPOCH = "epoch"
    BUDDHIST_ERA = "buddhist_era"
    IMPERIAL_ERA = "imperial_era"
    NO_ZONE = "no_zone"
    NO_YEAR = "no_year"
    POSTCODE_WRONG = "postcode_wrong"
    COUNTRY_UNKNOWN = "country_unknown"
    ORGANISATION = "organisation"


MARKS: dict[Mark, str] = {
    Mark.ROLE: "An address of a function (info@, sales@), read by whoever is on duty.",
    Mark.DISPOSABLE: "An address at a provider of mailboxes to be thrown away.",
    Mark.FREE_PROVIDER: "An address at a provider where anybody gets one.",
    Mark.PRIVATE_RELAY: "An address that forwards to one that is kept secret; another shop sees another address.",
    Mark.PLACEHOLDER: "What people and programs write where they know nothing.",
    Mark.TAGGED: "The address has a tag that its provider ignores (ann+news@).",
    Mark.RESERVED: "A domain that never has mail, such as example.com.",
    Mark.INTERNATIONAL: "The address has letters outside ASCII; some servers can't send to it.",
    Mark.AMBIGUOUS: "It could mean something else, too; a hint decided.",
    Mark.UNASSIGNED: "The number has a possible length, but is in no range that is given out.",
    Mark.EXTENSION: "The number has an extension: a switchboard, not a person.",
    Mark.ORDER_ASSUMED: "Which word is the family name follows from the usual order alone.",
    Mark.CENTURY_ASSUMED: "The year was written with two digits.",
    Mark.SERIAL: "The date was a spreadsheet's number of days.",
    Mark.EPOCH: "The date was a number of seconds or milliseconds since 1970.",
    Mark.BUDDHIST_ERA: "The year was counted in the Buddhist era.",
    Mark.IMPERIAL_ERA: "The year was counted in a Japanese era.",
    Mark.NO_ZONE: "The time of day has no time zone.",
    Mark.NO_YEAR: "The date has no year, as of a birthday.",
    Mark.POSTCODE_WRONG: "The postcode does not have the form of its country.",
    Mark.COUNTRY_UNKNOWN: "No country is known by this name.",
    Mark.ORGANISATION: "The name looks like a company's.",
}


class Standard(msgspec.Struct, Generic[P], frozen=True):
    """What was made of one raw value. Exactly one of `form` and `reason` is None.

    `form` is the text by which values are compared, and is its own standard form under the same hints (for an address,
    its parts are). `raw` is what was given, untouched. `parts` may be there without a form, for what was understood
    all the same. `confidence` speaks of the form, and is None without one.
    """

    kind: Kind
    raw: Any
    form: str | None = None
    parts: P | None = None
    marks: tuple[Mark, ...] = ()
    confidence: Confidence | None = None
    reason: Reason | None = None


def as_plain(made: Standard[Any]) -> dict[str, Any]:
    """The same as plain values, ready for JSON; the raw value as it is."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(made, raw=None)))
    return plain | {"raw": made.raw}


def refused(kind: Kind, raw: Any, reason: Reason, parts: Any = None, marks: tuple[Mark, ...] = ()) -> Standard[Any]:
    """A value that has no standard form."""
    return Standard(kind, raw, None, parts, marks, None, reason)
