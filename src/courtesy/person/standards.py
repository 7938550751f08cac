"""The standard forms of what is known of a person: beside the traits as they were sent, made when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from courtesy.standard.address import standard_address
from courtesy.standard.country import standard_country
from courtesy.standard.currency import standard_currency
from courtesy.standard.date import standard_date
from courtesy.standard.email import standard_email
from courtesy.standard.hints import Hints
from courtesy.standard.name import Whole, standard_name
from courtesy.standard.phone import standard_phone
from courtesy.standard.value import Standard, as_plain

REMEMBERED_MAX = 4_096

# The traits of the tracking protocol that have a standard form, in the order in which they are shown.
TRAITS = ("email", "phone", "name", "firstName", "lastName", "address", "birthday", "country", "currency")


def standard_traits(traits: Mapping[str, Any]) -> dict[str, Any]:
    """What is made of each of `TRAITS` that is there, with the value as it was sent; plain values, ready for JSON.

    Hints are the person's own traits alone, so that the same traits always give the same answer.
    """
    hints = _hints(traits)
    return {name: as_plain(found) for name, found in _standards(traits, hints)}


def _standards(traits: Mapping[str, Any], hints: Hints) -> Iterator[tuple[str, Standard[Any]]]:
    for name in TRAITS:
        if name in traits:
            raw = traits[name]
            # Only text is remembered: 1, 1.0 and True are one key of a cache, and an address is none.
            yield name, _of_text(name, raw, hints) if type(raw) is str else _standard(name, raw, hints)


# The same few people are read again and again; a phone number takes half a millisecond.
@lru_cache(maxsize=REMEMBERED_MAX)
def _of_text(name: str, raw: str, hints: Hints) -> Standard[Any]:
    return _standard(name, raw, hints)


def _standard(name: str, raw: Any, hints: Hints) -> Standard[Any]:
    match name:
        case "email":
            return standard_email(raw)
        case "phone":
            return standard_phone(raw, hints)
        case "name":
            return standard_name(raw, hints)
        case "firstName":
            return standard_name(raw, hints, Whole.GIVEN)
        case "lastName":
            return standard_name(raw, hints, Whole.FAMILY)
        case "address":
            return standard_address(raw, hints)
        case "birthday":
            return standard_date(raw, hints)
        case "country":
            return standard_country(raw, hints.language)
        case _:
            return standard_currency(raw, hints)


def _hints(traits: Mapping[str, Any]) -> Hints:
    address = traits.get("address")
    told = {
        "country": traits.get("country"),
        "address_country": address.get("country") if isinstance(address, Mapping) else None,
        "locale": traits.get("locale") or traits.get("language"),
        "email": traits.get("email"),
    }
    return Hints(**{name: text for name, text in told.items() if isinstance(text, str)})
