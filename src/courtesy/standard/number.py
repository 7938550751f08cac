"""Numbers as people write them: `1.234,50`, `1,234.50`, `1 234,5`, `1'234.50`, `١٢٣`."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

from babel import Locale

from courtesy.standard.text import folded_width

DIGITS_MAX = 24
NUMBER = r"[+\-−–]?\s?(?:\d[\d.,'’٬٫\s]*\d|\d)"
_GROUP_BLANKS = re.compile(r"(?<=\d)[\s'’٬](?=\d{3}(?:\D|$))")
_GROUPED = re.compile(r"\d{1,3}([.,])\d{3}(?:\1\d{3})*|\d{1,3}(?:,\d{2})*,\d{3}")


@cache
def decimal_mark(locale: Locale) -> str:
    """What separates the fraction in a locale: a comma or a point."""
    mark = str(locale.number_symbols["latn"]["decimal"]) if "latn" in locale.number_symbols else "."
    return mark if mark in ".," else "."


def number_of(
    text: str, locale: Locale | None = None, fraction_digits: int | None = None
) -> tuple[Decimal, bool] | None:
    """The number, and whether its marks leave no doubt; None for what is none.

    `1.234` may be a thousand or one and a bit. The locale decides then or, where none is known, `fraction_digits`: how
    many the fraction could have (2 for most money). Without either it is None, for it must not be guessed.
    """
    text = folded_width(text).replace("٫", ".").replace("−", "-").replace("–", "-")
    text = _GROUP_BLANKS.sub("", text.strip()).replace(" ", "")
    sign, digits = ("-", text[1:]) if text[:1] == "-" else ("", text.removeprefix("+"))
    if not re.fullmatch(r"\d[\d.,]*", digits) or len(digits) > DIGITS_MAX:
        return None
    plain, sure = _plain(digits, locale, fraction_digits)
    return None if plain is None else (Decimal(sign + plain), sure)


def _plain(digits: str, locale: Locale | None, fraction_digits: int | None) -> tuple[str | None, bool]:
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        last = max(digits.rindex("."), digits.rindex(","))
        mark, group = digits[last], "," if digits[last] == "." else "."
        whole, fraction = digits[:last], digits[last + 1 :]
        if mark in whole or not _GROUPED.fullmatch(whole):
            return None, False
        return f"{whole.replace(group, '')}.{fraction or 0}", True
    if not points and not commas:
        return digits, True
    mark = "." if points else ","
    if points + commas > 1:
        return (digits.replace(mark, ""), True) if _GROUPED.fullmatch(digits) else (None, False)
    whole, fraction = digits.split(mark)
    if len(fraction) != 3 or len(whole) > 3 or whole.startswith("0"):
        return f"{whole}.{fraction or 0}", True
    return _thousands_or_fraction(whole, mark, fraction, locale, fraction_digits)


def _thousands_or_fraction(
    whole: str, mark: str, fraction: str, locale: Locale | None, fraction_digits: int | None
) -> tuple[str | None, bool]:
    if fraction_digits is not None and fraction_digits < 3:
        return whole + fraction, False
    if locale is not None:
        return (f"{whole}.{fraction}", False) if decimal_mark(locale) == mark else (whole + fraction, False)
    return None, False


def plain_text(number: Decimal) -> str:
    """A number in digits, without an exponent and without zeros at the end of its fraction.

    A fraction of three digits gets a fourth, so that nobody takes 1.234 for a thousand: the text has one meaning.
    """
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if len(text.partition(".")[2]) == 3:
        text += "0"
    return "0" if text in ("-0", "") else text
