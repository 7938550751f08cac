"""Phone numbers: E.164, with the country of a national number told by hints, never guessed."""

from __future__ import annotations

from typing import Any

import msgspec
import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from courtesy.standard.hints import NO_HINTS, Hint, Hints, hinted_countries
from courtesy.standard.placeholder import is_placeholder
from courtesy.standard.text import folded_width, text_or_reason
from courtesy.standard.value import Confidence, Kind, Mark, Reason, Standard, refused

PHONE_CHARS_MAX = 64
DIGITS_MIN = 4

# Hints about where somebody was, or how their program is set, next to where they live. When they contradict each
# other about a number, none of them is believed.
_CIRCUMSTANTIAL = (Hint.LOCATION, Hint.LOCALE, Hint.EMAIL)
# What browsers and phones say all over the world, because it is what they came with.
_FACTORY_SETTING = "US"


class PhoneParts(msgspec.Struct, frozen=True):
    """`hint`: what said which country; None when the number says it. `use`: mobile, fixed_line, toll_free …

    `country` is None for numbers of no country, such as +800.
    """

    country: str | None
    calling_code: int
    national: str
    international: str
    use: str
    extension: str | None
    hint: Hint | None


def standard_phone(raw: Any, hints: Hints = NO_HINTS) -> Standard[PhoneParts]:
    """E.164 of a phone number.

    With a country code it is certain. A national number is taken as one of the country that the first hint names in
    which it is a number that is given out; without such a hint it has no form. It is `WEAK` when circumstances alone
    (where somebody was, their locale, their mail domain) speak for the country and contradict each other, or when it
    is nothing but a locale of the US.
    """
    text = text_or_reason(raw, PHONE_CHARS_MAX)
    if isinstance(text, Reason):
        return refused(Kind.PHONE, raw, text)
    text = folded_width(text)
    if text.startswith("+"):
        number = _parsed(text, None)
        if number is None or not phonenumbers.is_possible_number(number):
            return refused(Kind.PHONE, raw, _why_none(text, True))
        return _standard(raw, number, None, Confidence.CERTAIN)
    return _national(raw, text, hints)


def _national(raw: Any, text: str, hints: Hints) -> Standard[PhoneParts]:
    found: list[tuple[Hint, PhoneNumber]] = []
    told = False
    for hint, country in hinted_countries(hints):
        told = True
        number = _parsed(text, country)
        if number is not None and phonenumbers.is_valid_number(number):
            found.append((hint, number))
            if hint not in _CIRCUMSTANTIAL:
                break
    if not found:
        return refused(Kind.PHONE, raw, _why_none(text, told))
    return _decided(raw, found)


def _decided(raw: Any, found: list[tuple[Hint, PhoneNumber]]) -> Standard[PhoneParts]:
    hint, number = found[0]
    if hint not in _CIRCUMSTANTIAL:
        return _standard(raw, number, hint, Confidence.LIKELY)
    if any(_e164(other) != _e164(number) for _, other in found[1:]):
        return _standard(raw, number, hint, Confidence.WEAK, Mark.AMBIGUOUS)
    alone = len(found) == 1 and hint is Hint.LOCALE
    if alone and phonenumbers.region_code_for_number(number) == _FACTORY_SETTING:
        return _standard(raw, number, hint, Confidence.WEAK)
    return _standard(raw, number, hint, Confidence.LIKELY)


def _why_none(text: str, told: bool) -> Reason:
    if is_placeholder(text):
        return Reason.PLACEHOLDER
    if sum(char.isdigit() for char in text) < DIGITS_MIN:
        return Reason.MALFORMED
    return Reason.IMPOSSIBLE if told else Reason.NO_COUNTRY


def _parsed(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None


def _e164(number: PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def _standard(
    raw: Any, number: PhoneNumber, hint: Hint | None, confidence: Confidence, *more: Mark
) -> Standard[PhoneParts]:
    form = _e164(number)
    marks = [*more]
    if number.extension is not None:
        marks.append(Mark.EXTENSION)
    if is_placeholder(form):
        marks.append(Mark.PLACEHOLDER)
    if not phonenumbers.is_valid_number(number):
        marks.append(Mark.UNASSIGNED)
        confidence = Confidence.WEAK
    country = phonenumbers.region_code_for_number(number)
    parts = PhoneParts(
        country if country != "001" else None,
        number.country_code or 0,
        str(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)),
        str(phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)),
        PhoneNumberType.to_string(phonenumbers.number_type(number)).lower(),
        number.extension,
        hint,
    )
    return Standard(Kind.PHONE, raw, form, parts, tuple(marks), confidence)
