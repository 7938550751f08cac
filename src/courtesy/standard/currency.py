"""Currencies and amounts of money: ISO 4217 and an exact decimal."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from babel.core import get_global
from babel.numbers import get_currency_precision, get_territory_currencies

from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.number import NUMBER, number_of, plain_text
from courtesy.standard.shipped import names_by_language
from courtesy.standard.text import comparable, folded_width, text_or_reason
from courtesy.standard.value import Confidence, Kind, Mark, Reason, Standard, refused

# Signs that one currency has, as far as shops are concerned.
SIGNS = {
    "€": "EUR",
    "₹": "INR",
    "₽": "RUB",
    "₩": "KRW",
    "₺": "TRY",
    "₴": "UAH",
    "₪": "ILS",
    "฿": "THB",
    "₫": "VND",
    "₦": "NGN",
    "₱": "PHP",
    "₡": "CRC",
    "₲": "PYG",
    "₸": "KZT",
    "₾": "GEL",
    "֏": "AMD",
    "₼": "AZN",
    "₭": "LAK",
    "៛": "KHR",
    "₮": "MNT",
    "৳": "BDT",
    "zł": "PLN",
    "kč": "CZK",
    "ft": "HUF",
    "лв": "BGN",
    "руб": "RUB",
    "грн": "UAH",
    "r$": "BRL",
    "us$": "USD",
    "u$s": "USD",
    "a$": "AUD",
    "au$": "AUD",
    "c$": "CAD",
    "ca$": "CAD",
    "nz$": "NZD",
    "hk$": "HKD",
    "nt$": "TWD",
    "s$": "SGD",
    "mx$": "MXN",
    "元": "CNY",
    "人民币": "CNY",
    "rmb": "CNY",
    "円": "JPY",
    "원": "KRW",
    "fr": "CHF",
    "sfr": "CHF",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "rs": "INR",
    "tl": "TRY",
    "rm": "MYR",
    "rp": "IDR",
}
# Signs of several; the country decides.
SHARED_SIGNS = {
    "$": frozenset("USD CAD AUD NZD MXN ARS CLP COP HKD SGD TWD UYU DOP JMD TTD BBD BSD BZD FJD XCD NAD".split()),
    "£": frozenset("GBP EGP SYP LBP GIP FKP SHP SSP SDG".split()),
    "¥": frozenset(("JPY", "CNY")),
    "kr": frozenset("SEK NOK DKK ISK".split()),
    "lei": frozenset(("RON", "MDL")),
    "dinar": frozenset("RSD KWD BHD JOD TND DZD IQD LYD".split()),
}
LANGUAGES = "en de fr es it pt nl sv da nb pl cs hu ro ru uk tr ar ja ko zh th hi".split()
_MONEY = re.compile(rf"(?P<minus>[\-−–]\s*)?(?P<before>[^\d+\-−–]*?)\s*(?P<number>{NUMBER})\s*(?P<after>\D*)")


class MoneyParts(msgspec.Struct, frozen=True):
    """`amount`: an exact decimal as text; None where only a currency was named."""

    currency: str
    amount: str | None


@cache
def _codes() -> frozenset[str]:
    return frozenset(get_global("all_currencies"))


def standard_currency(raw: Any, hints: Hints = NO_HINTS) -> Standard[MoneyParts]:
    """`EUR`, or `EUR 1234.5` with an amount. A sign of several currencies ($) is decided by the country alone."""
    text = text_or_reason(raw, 80)
    if isinstance(text, Reason):
        return refused(Kind.CURRENCY, raw, text)
    match = _MONEY.fullmatch(folded_width(text).replace("\n", " "))
    if match is None:
        return _without_amount(raw, folded_width(text), hints)
    words = [word for word in (match["before"].strip(), match["after"].strip()) if word]
    if not words:
        return refused(Kind.CURRENCY, raw, Reason.UNKNOWN)
    found = [_code_of(word, hints) for word in words]
    code, sure = found[0]
    if code is None or any(other[0] != code for other in found[1:]):
        return refused(Kind.CURRENCY, raw, Reason.AMBIGUOUS if _is_shared(words[0]) else Reason.UNKNOWN)
    return _amount(raw, code, match["number"], match["minus"] is not None, hints, sure)


def _without_amount(raw: Any, text: str, hints: Hints) -> Standard[MoneyParts]:
    code, sure = _code_of(text, hints)
    if code is None:
        return refused(Kind.CURRENCY, raw, Reason.AMBIGUOUS if _is_shared(text) else Reason.UNKNOWN)
    marks = () if sure else (Mark.AMBIGUOUS,)
    confidence = Confidence.CERTAIN if sure else Confidence.LIKELY
    return Standard(Kind.CURRENCY, raw, code, MoneyParts(code, None), marks, confidence)


def _amount(raw: Any, code: str, digits: str, negative: bool, hints: Hints, sure_of_code: bool) -> Standard[MoneyParts]:
    number = number_of(digits, hints.babel_locale, get_currency_precision(code))
    if number is None:
        return refused(Kind.CURRENCY, raw, Reason.AMBIGUOUS, MoneyParts(code, None))
    amount, sure = number
    text = plain_text(-abs(amount) if negative else amount)
    sure = sure and sure_of_code
    marks = () if sure else (Mark.AMBIGUOUS,)
    confidence = Confidence.CERTAIN if sure else Confidence.LIKELY
    return Standard(Kind.CURRENCY, raw, f"{code} {text}", MoneyParts(code, text), marks, confidence)


def amount_of(parts: MoneyParts) -> Decimal | None:
    """The amount as a number."""
    return None if parts.amount is None else Decimal(parts.amount)


def _is_shared(word: str) -> bool:
    return word.casefold().strip(". ") in SHARED_SIGNS


def _code_of(word: str, hints: Hints) -> tuple[str | None, bool]:
    """The currency of a sign, code or name, and whether it can be no other."""
    sign = word.casefold().strip(". ")
    if sign in SHARED_SIGNS:
        return _by_country(SHARED_SIGNS[sign], hints.region), False
    if sign in SIGNS:
        return SIGNS[sign], True
    if word.strip().upper() in _codes():
        return word.strip().upper(), True
    names = (comparable(word), comparable(word).removesuffix("s"))
    tables = names_by_language("currency_names.tsv").values()
    found = (table.get(name) for table in tables for name in names)
    return next(filter(None, found), None), True


def _by_country(codes: frozenset[str], country: str | None) -> str | None:
    if country is None:
        return None
    return next((code for code in get_territory_currencies(country) if code in codes), None)
