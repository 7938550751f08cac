"""What may stand on a page that somebody else may see because a link was forwarded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from courtesy.engine.contract import HeldIdentifier
from courtesy.identity.rules import split_identifier
from courtesy.person.view import split_path

HIDDEN_NAMES = frozenset(
    "address street postalcode postal_code zip birthday birthdate birth_date dateofbirth date_of_birth dob age gender "
    "ssn passport tax_id taxid iban card account password token secret ip latitude longitude location".split()
)
"""Traits, or parts of them, whose values are never shown."""

SHOWN_CHARS_MAX = 200
DIGITS_MIN = 7
PHONE_SHOWN = 2

_EMAIL = re.compile(r"([^\s@<>()]+)@([^\s@<>()]+)")


def masked_identifiers(identifiers: Iterable[HeldIdentifier]) -> list[str]:
    """The e-mail addresses and phone numbers of a person, as much of each as they need to know it again."""
    found = []
    for each in identifiers:
        kind, value = split_identifier(each.identifier)
        if kind == "email":
            found.append(masked_email(value))
        elif kind == "phone":
            found.append(masked_phone(value))
    return found


def masked_email(value: str) -> str:
    """`ann@example.com` as `a***@example.com`."""
    return _EMAIL.sub(lambda found: f"{found[1][0]}***@{found[2]}", value)


def masked_phone(value: str) -> str:
    """`+49 171 1234567` as `***67`."""
    digits = [char for char in value if char.isdigit()]
    return f"***{''.join(digits[-PHONE_SHOWN:])}"


def shown_value(path: str, value: Any) -> Any | None:
    """A trait's value as it may be shown; None when only that it is known may be."""
    names = {name.casefold() for name in split_path(path)}
    if names & HIDDEN_NAMES or isinstance(value, dict):
        return None
    if isinstance(value, list):
        parts = [shown_value(path, each) for each in value]
        return None if None in parts else ", ".join(str(each) for each in parts)
    if isinstance(value, bool):
        return value
    text = str(value)
    if "@" in text:
        # An address that is written in some other way would show.
        return masked_email(text) if _EMAIL.fullmatch(text.strip()) else None
    if sum(char.isdigit() for char in text) >= DIGITS_MIN:
        return masked_phone(text)
    return text[:SHOWN_CHARS_MAX]
