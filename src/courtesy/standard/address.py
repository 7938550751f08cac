"""Postal addresses, lightly: their parts, and how their country writes them.

Not a geocoder: nothing is looked up on a map, and a text is only taken apart where its country's form allows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from courtesy.standard.country import countries, country_of
from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.name_order import is_east_asian
from courtesy.standard.postcode import countries_with_postcodes, find_postcode, standard_postcode
from courtesy.standard.shipped import lines_of
from courtesy.standard.text import comparable, folded_width, one_line, text_or_reason
from courtesy.standard.value import Confidence, Kind, Mark, Reason, Standard, refused

ADDRESS_CHARS_MAX = 500
PART_CHARS_MAX = 200

# The names that widely used clients, shops and CRMs give to the parts; compared without case, `_`, `-` and blanks.
FIELDS = {
    "recipient": "recipient name company attention careof",
    "street": "street road streetaddress street1 address1 line1 addressline1 addressline streetname thoroughfare",
    "number": "number housenumber streetnumber house",
    "unit": "unit street2 address2 line2 addressline2 apartment apt suite flat",
    "suburb": "suburb district neighbourhood neighborhood sublocality locality2",
    "postcode": "postcode postalcode zip zipcode plz cep pincode",
    "city": "city town village locality municipality place",
    "region": "region state province county statecode regioncode administrativearea",
    "country": "country countrycode countryname",
}
_FIELD_NAMES = {name: field for field, names in FIELDS.items() for name in names.split()}

_NUMBER = r"\d+\s?[a-zA-Z]?(?:\s?[-–/]\s?\d+\s?[a-zA-Z]?)*(?:\s(?:bis|ter|quater)\b)?|\d+\S*号|\d+번?"
_NUMBER_FIRST = re.compile(rf"(?P<number>{_NUMBER})\.?,?\s+(?P<street>\D.*)", re.IGNORECASE)
_NUMBER_LAST = re.compile(rf"(?P<street>.*[^\W\d_].*?),?\s+(?:nr?\.?º?\s?)?(?P<number>{_NUMBER})\.?", re.IGNORECASE)
_UNIT = re.compile(
    r"(?:^|[,\s]+)(?P<unit>(?:apt|apartment|unit|suite|ste|flat|top|whg|wohnung|appt|app|floor|fl|room|rm|kv|кв|piso"
    r"|interior|int|lok|bus|m\.)\.?\s?#?\s?[\w-]{1,8}|#\s?[\w-]{1,8})$",
    re.IGNORECASE,
)
_UNIT_FIRST = re.compile(
    r"(?P<unit>(?:flat|unit|apt|apartment|suite)\.?\s?[\w-]{1,8}),?\s+(?P<rest>\d.*)", re.IGNORECASE
)
_NUMBER_FIRST_COUNTRIES = frozenset("US CA AU NZ GB IE ZA IN SG HK FR MC LU TH PH MY IM JE GG".split())


class AddressParts(msgspec.Struct, frozen=True):
    """Empty where an address has no such part.

    `country`: alpha-2, or as it was written where no such country is known; `region`: its code where the country uses
    codes. `lines`: as it is written in its country, without an empty line.
    """

    recipient: str = ""
    street: str = ""
    number: str = ""
    unit: str = ""
    suburb: str = ""
    postcode: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    lines: tuple[str, ...] = ()


def standard_address(raw: Any, hints: Hints = NO_HINTS) -> Standard[AddressParts]:
    """The parts of an address, given as an object of parts or as text; the form is its lines with commas between.

    The parts, given as an object, are their own standard parts. A text whose country is known neither from itself nor
    from a hint is `WEAK`.
    """
    if isinstance(raw, Mapping):
        return _of_parts(raw, hints)
    text = text_or_reason(raw, ADDRESS_CHARS_MAX)
    if isinstance(text, Reason):
        return refused(Kind.ADDRESS, raw, text)
    if not any(char.isalpha() for char in text):
        return refused(Kind.ADDRESS, raw, Reason.MALFORMED)
    return _of_text(raw, text, hints)


def _of_parts(raw: Mapping[Any, Any], hints: Hints) -> Standard[AddressParts]:
    told: dict[str, str] = {}
    for name, value in raw.items():
        field = _FIELD_NAMES.get(re.sub(r"[\s_-]", "", str(name)).lower()) if isinstance(name, str) else None
        text = text_or_reason(value, PART_CHARS_MAX)
        if field is not None and not isinstance(text, Reason):
            told.setdefault(field, one_line(text))
    if not told.keys() - {"recipient"}:
        return refused(Kind.ADDRESS, raw, Reason.EMPTY if not raw else Reason.MALFORMED)
    marks: tuple[Mark, ...] = ()
    country = hints.region if "country" not in told else country_of(told["country"], hints.language)
    if country is not None:
        told["country"] = country
    elif "country" in told:
        marks = (Mark.COUNTRY_UNKNOWN,)
    if "street" in told and "number" not in told:
        told = _with_number(told, country)
    return _standard(raw, told, country, Confidence.LIKELY, marks)


def _with_number(told: dict[str, str], country: str | None) -> dict[str, str]:
    street, number, unit = _split_street(told["street"], country)
    more = {"unit": unit} if unit and "unit" not in told else {}
    if unit and "unit" in told:
        return told
    return told | {"street": street, "number": number} | more


def _split_street(text: str, country: str | None) -> tuple[str, str, str]:
    """Street, house number and unit of a line such as `12 High Street, Flat 3` or `Hauptstraße 5a`."""
    unit = ""
    if match := _UNIT_FIRST.fullmatch(text):
        unit, text = match["unit"], match["rest"]
    elif (match := _UNIT.search(text)) and match.start() > 0:
        unit, text = match["unit"], text[: match.start()].strip(" ,")
    ways = (_NUMBER_FIRST, _NUMBER_LAST) if country in _NUMBER_FIRST_COUNTRIES else (_NUMBER_LAST, _NUMBER_FIRST)
    for way in ways:
        if match := way.fullmatch(text):
            return match["street"].strip(" ,"), one_line(match["number"]), unit
    return text, "", unit


def _of_text(raw: Any, text: str, hints: Hints) -> Standard[AddressParts]:
    segments = [one_line(folded_width(part)).strip(" .") for part in re.split(r"[\n,;،、]+", text)]
    segments = [segment for segment in segments if segment]
    told: dict[str, str] = {}
    country = hints.region
    named = country_of(segments[-1], hints.language) if len(segments) > 1 else None
    # CA and IN are regions of the United States, too.
    if named is not None and not (country == "US" and segments[-1] in _regions()["US"]):
        country, segments = named, segments[:-1]
    place = _take_postcode(segments, told, country)
    if place is not None:
        _take_city(segments, place, told, country)
    elif len(segments) > 1:
        told["city"] = segments.pop()
    _take_street(segments, told, country)
    if not told:
        return refused(Kind.ADDRESS, raw, Reason.MALFORMED)
    sure = country is not None and place is not None and "street" in told
    if country is not None:
        told["country"] = country
    return _standard(raw, told, country, Confidence.LIKELY if sure else Confidence.WEAK, ())


def _take_postcode(segments: list[str], told: dict[str, str], country: str | None) -> int | None:
    """The segment in which the postcode stood, which is taken out; None when there is none."""
    if country not in countries_with_postcodes() or country is None:
        return None
    for place in range(len(segments) - 1, -1, -1):
        match = find_postcode(segments[place], country)
        # A house number can look like a postcode; it stands in the first of several segments.
        if match is not None and (place > 0 or len(segments) == 1):
            told["postcode"] = match[1]
            segments[place] = one_line(segments[place][: match.start()] + " " + segments[place][match.end() :]).strip(
                " -"
            )
            return place
    return None


def _take_city(segments: list[str], place: int, told: dict[str, str], country: str | None) -> None:
    """City and region: what stands by the postcode, or before it where that is only a region or nothing."""
    rest = segments.pop(place)
    known = _regions().get(country or "", {})
    words = rest.split()
    region = next((" ".join(words[start:]) for start in range(len(words)) if _code(words[start:], known)), "")
    if region:
        told["region"], rest = region, rest.removesuffix(region).strip()
    if not rest and place < len(segments):
        rest = segments.pop(place)
    if not rest and len(segments) > 1:
        rest = segments.pop()
    if rest:
        told["city"] = rest


def _code(words: list[str], known: Mapping[str, str]) -> str | None:
    return known.get(" ".join(words)) or known.get(comparable(" ".join(words)))


def _take_street(segments: list[str], told: dict[str, str], country: str | None) -> None:
    if not segments:
        return
    numbered = (
        each for each, segment in enumerate(segments) if re.search(r"\d", segment) and not _UNIT.fullmatch(segment)
    )
    place = next(numbered, 0)
    line = segments.pop(place)
    if place < len(segments) and re.fullmatch(_NUMBER, segments[place], re.IGNORECASE):
        line = f"{line} {segments.pop(place)}"
    street, number, unit = _split_street(line, country)
    told["street"] = street
    if number:
        told["number"] = number
    more = {
        "unit": [unit, *filter(_UNIT.fullmatch, segments)],
        "recipient": [segment for segment in segments[:place] if not _UNIT.fullmatch(segment)],
        "suburb": [segment for segment in segments[place:] if not _UNIT.fullmatch(segment)],
    }
    told |= {field: ", ".join(filter(None, found)) for field, found in more.items() if any(found)}


@cache
def _regions() -> dict[str, dict[str, str]]:
    """Codes by code and by name, for each country that uses them."""
    found: dict[str, dict[str, str]] = {}
    for line in lines_of("regions.txt"):
        country, code, name = line.split(" ", 2)
        found.setdefault(country, {}).update({code: code, comparable(name): code})
    return found


def _standard(
    raw: Any, told: dict[str, str], country: str | None, confidence: Confidence, marks: tuple[Mark, ...]
) -> Standard[AddressParts]:
    if "postcode" in told:
        told["postcode"], right = standard_postcode(told["postcode"], country)
        marks = marks if right else (*marks, Mark.POSTCODE_WRONG)
    if "region" in told:
        told["region"] = _code([told["region"]], _regions().get(country or "", {})) or told["region"]
    parts = msgspec.convert(told, AddressParts)
    lines = format_address(parts)
    if not lines:
        return refused(Kind.ADDRESS, raw, Reason.UNKNOWN, None, marks)
    parts = msgspec.structs.replace(parts, lines=lines)
    return Standard(Kind.ADDRESS, raw, ", ".join(lines), parts, marks, confidence)


@cache
def _formats() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in lines_of("address_formats.txt"):
        codes, _, form = re.sub(r"^((?:[A-Z]{2}(?:-LOCAL)? |\* )+)(?:= )?", r"\1\t", line).partition("\t")
        lines = found["*"] if form == "*" else tuple(part.strip() for part in form.split(" / "))
        found |= dict.fromkeys(codes.split(), lines)
    return found


def format_address(parts: AddressParts, country_name: str | None = None) -> tuple[str, ...]:
    """The lines of an address in the order of its country; where that is unknown, as in most of Europe.

    `country_name`: how to call the country; its English name when it is None, no country when it is empty.
    """
    country = countries().get(parts.country)
    name = country_name if country_name is not None else country.name if country is not None else parts.country
    fields = {field: getattr(parts, field) for field in FIELDS} | {"country": name}
    fields["number."] = f"{parts.number}." if parts.number else ""
    forms = _formats()
    local = f"{parts.country}-LOCAL" if is_east_asian(parts.city) else ""
    lines = (_line(form, fields) for form in forms.get(local) or forms.get(parts.country) or forms["*"])
    return tuple(line for line in lines if line)


def _line(form: str, fields: Mapping[str, str]) -> str:
    """One line, without the signs that stood next to parts that are missing."""
    text, separator = "", ""
    for sign, field in re.findall(r"([^{}]*)\{([a-z.]+)\}", form):
        value = fields[field]
        if text and value:
            text += (
                max(sign, separator, key=len) + value if sign.strip() or not separator.strip() else separator + value
            )
            separator = ""
        elif value:
            text = value
        elif text:
            separator = sign if sign.strip() else separator
    return text
