"""One function for every kind, for those to whom the kind comes as a word: the command line, HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from courtesy.standard.address import standard_address
from courtesy.standard.country import standard_country
from courtesy.standard.currency import standard_currency
from courtesy.standard.date import standard_date
from courtesy.standard.email import standard_email
from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.name import standard_name
from courtesy.standard.phone import standard_phone
from courtesy.standard.unit import standard_unit
from courtesy.standard.value import Kind, Standard

_BY_KIND: dict[Kind, Callable[[Any, Hints], Standard[Any]]] = {
    Kind.EMAIL: lambda raw, _: standard_email(raw),
    Kind.PHONE: standard_phone,
    Kind.NAME: standard_name,
    Kind.ADDRESS: standard_address,
    Kind.DATE: standard_date,
    Kind.COUNTRY: lambda raw, hints: standard_country(raw, hints.language),
    Kind.CURRENCY: standard_currency,
    Kind.UNIT: standard_unit,
}


def standard(kind: Kind, raw: Any, hints: Hints = NO_HINTS) -> Standard[Any]:
    """What is made of a value of this kind. Never raises, whatever the value."""
    return _BY_KIND[kind](raw, hints)
