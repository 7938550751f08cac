"""Measures: length, mass, volume, temperature in units of the SI, the raw unit beside it."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from typing import Any

import msgspec

from courtesy.standard.hints import NO_HINTS, Hints
from courtesy.standard.number import number_of, plain_text
from courtesy.standard.text import folded_width, text_or_reason
from courtesy.standard.value import Confidence, Kind, Mark, Reason, Standard, refused

# Twelve digits are more than anybody measures, and hide what division leaves behind.
_EXACT = Context(prec=34)
_ROUNDED = Context(prec=12, rounding=ROUND_HALF_EVEN)


class Quantity(StrEnum):
    """What is measured."""

    LENGTH = "length"
    MASS = "mass"
    VOLUME = "volume"
    TEMPERATURE = "temperature"


SI_UNITS = {Quantity.LENGTH: "m", Quantity.MASS: "kg", Quantity.VOLUME: "m3", Quantity.TEMPERATURE: "K"}


class Unit(msgspec.Struct, frozen=True):
    """A unit: value × `factor` + `offset` is the value in the unit of the SI. Factors are exact by definition.

    Sources: the SI brochure (9th edition); NIST SP 811, appendix B.
    """

    symbol: str
    quantity: Quantity
    factor: Decimal
    offset: Decimal = Decimal(0)


def _units(quantity: Quantity, table: str) -> dict[str, Unit]:
    """From lines `factor symbol other names`."""
    found: dict[str, Unit] = {}
    for line in table.strip().splitlines():
        factor, symbol, *names = line.split()
        unit = Unit(symbol, quantity, Decimal(factor))
        found |= dict.fromkeys((symbol, *names), unit)
    return found


_FAHRENHEIT_FACTOR = _EXACT.divide(Decimal(5), Decimal(9))

UNITS: dict[str, Unit] = {
    **_units(
        Quantity.LENGTH,
        """
        1 m metre metres meter meters mètre mètres metro metros м
        0.01 cm centimetre centimetres centimeter centimeters zentimeter см
        0.001 mm millimetre millimetres millimeter millimeters мм
        1000 km kilometre kilometres kilometer kilometers kilómetros км
        0.1 dm decimetre decimeter dezimeter
        0.000001 μm um micrometre micrometer
        0.0254 in inch inches zoll " ”
        0.3048 ft foot feet fuß ' ′ ’
        0.9144 yd yard yards
        1609.344 mi mile miles
        1852 nmi
        """,
    ),
    **_units(
        Quantity.MASS,
        """
        1 kg kilo kilos kilogram kilograms kilogramm кг
        0.001 g gram grams gramm gr г
        0.000001 mg milligram milligrams milligramm мг
        0.000000001 μg ug microgram micrograms
        1000 t tonne tonnes тонна
        0.45359237 lb lbs pound pounds
        0.028349523125 oz ounce ounces
        6.35029318 st stone stones
        907.18474 ton tons
        """,
    ),
    **_units(
        Quantity.VOLUME,
        """
        1 m3 cbm
        0.001 l litre litres liter liters litro litros л
        0.0001 dl decilitre deciliter
        0.00001 cl centilitre centiliter
        0.000001 ml millilitre milliliter cm3 cc мл
        0.1 hl hectolitre hectoliter
        0.003785411784 gal gallon gallons
        0.000946352946 qt quart quarts
        0.000473176473 pt pint pints
        0.0000295735295625 floz fl.oz
        0.0002365882365 cup cups
        """,
    ),
    **dict.fromkeys(("K", "kelvin"), Unit("K", Quantity.TEMPERATURE, Decimal(1))),
    **dict.fromkeys(("°c", "c", "celsius", "degc"), Unit("°C", Quantity.TEMPERATURE, Decimal(1), Decimal("273.15"))),
    **dict.fromkeys(
        ("°f", "f", "fahrenheit", "degf"),
        Unit(
            "°F",
            Quantity.TEMPERATURE,
            _FAHRENHEIT_FACTOR,
            _EXACT.subtract(Decimal("273.15"), _EXACT.multiply(Decimal(32), _FAHRENHEIT_FACTOR)),
        ),
    ),
}
# Gallons, pints and the like are larger in the United Kingdom: the hint decides, the mark says so.
IMPERIAL = {"gal": "0.00454609", "qt": "0.0011365225", "pt": "0.00056826125", "floz": "0.0000284130625"}
_TWO_SYSTEMS = frozenset(IMPERIAL)

# No apostrophes between digits: here they are feet.
_MEASURE = re.compile(
    r"\s*(?P<number>[+\-−–]?\s?\d+(?:[.,٫\s]\d+)*)\s*(?P<unit>[^\d\s+\-−–.,][^\d+\-−–,]*?[23]?)\s*"
    r"(?:(?:,|and|und)\s*)?(?=[\d+\-−–]|$)"
)


class UnitParts(msgspec.Struct, frozen=True):
    """`value` in `unit` of the SI, both as text; `raw_value` and `raw_unit` as they were, the first where several."""

    quantity: Quantity
    value: str
    unit: str
    raw_value: str
    raw_unit: str


def standard_unit(raw: Any, hints: Hints = NO_HINTS) -> Standard[UnitParts]:
    """A measure in the unit of the SI: `5 ft 11 in` is `1.8034 m`. Its value is rounded to 12 digits."""
    text = text_or_reason(raw, 80)
    if isinstance(text, Reason):
        return refused(Kind.UNIT, raw, text)
    text = folded_width(text).replace("′′", '"').replace("''", '"')
    measured = _measured(text, hints)
    if isinstance(measured, Reason):
        return refused(Kind.UNIT, raw, measured)
    values, units, sure = measured
    if len({unit.quantity for unit in units}) > 1 or (len(units) > 1 and units[0].quantity is Quantity.TEMPERATURE):
        return refused(Kind.UNIT, raw, Reason.MALFORMED)
    return _standard(raw, values, units, sure)


def _measured(text: str, hints: Hints) -> tuple[list[Decimal], list[Unit], bool] | Reason:
    values: list[Decimal] = []
    units: list[Unit] = []
    sure, place = True, 0
    while place < len(text):
        match = _MEASURE.match(text, place)
        if match is None:
            return Reason.MALFORMED
        number = number_of(match["number"], hints.babel_locale)
        unit = _unit_named(match["unit"], hints.region)
        if number is None or unit is None:
            return Reason.AMBIGUOUS if number is None else Reason.UNKNOWN
        values.append(number[0])
        units.append(unit)
        sure = sure and number[1] and unit.symbol not in _TWO_SYSTEMS
        place = match.end()
    return (values, units, sure) if values else Reason.MALFORMED


def _unit_named(word: str, country: str | None) -> Unit | None:
    bare = word.strip().rstrip(".")
    folded = bare.casefold().replace(" ", "").replace("º", "°").replace("fluidounce", "floz").removesuffix("ounces")
    unit = UNITS.get(bare) or UNITS.get(folded) or UNITS.get(bare.casefold())
    if unit is not None and unit.symbol in IMPERIAL and country in ("GB", "IE"):
        return msgspec.structs.replace(unit, factor=Decimal(IMPERIAL[unit.symbol]))
    return unit


def _standard(raw: Any, values: list[Decimal], units: list[Unit], sure: bool) -> Standard[UnitParts]:
    sign = -1 if values[0] < 0 and len(values) > 1 else 1
    total = Decimal(0)
    for value, unit in zip(values, units, strict=True):
        # -5 ft 11 in is five feet and eleven inches below.
        signed = value if len(values) == 1 else abs(value) * sign
        total = _EXACT.add(total, _EXACT.add(_EXACT.multiply(signed, unit.factor), unit.offset))
    text = plain_text(_ROUNDED.plus(total))
    quantity = units[0].quantity
    if quantity is Quantity.TEMPERATURE and total < 0:
        return refused(Kind.UNIT, raw, Reason.IMPOSSIBLE)
    symbol = SI_UNITS[quantity]
    parts = UnitParts(quantity, text, symbol, plain_text(values[0]), units[0].symbol)
    marks = () if sure else (Mark.AMBIGUOUS,)
    confidence = Confidence.CERTAIN if sure else Confidence.LIKELY
    return Standard(Kind.UNIT, raw, f"{text} {symbol}", parts, marks, confidence)
