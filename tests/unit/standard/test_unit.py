"""Measures in units of the SI, with the raw unit beside."""

from __future__ import annotations

import pytest

from courtesy.standard.hints import Hints
from courtesy.standard.unit import standard_unit
from courtesy.standard.value import Reason


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("180 cm", "1.8 m"),
        ("5 ft 11 in", "1.8034 m"),
        ("5'11\"", "1.8034 m"),
        ("5′11″", "1.8034 m"),
        ("26.2 miles", "42164.8128 m"),
        ("72kg", "72 kg"),
        ("10 lb 4 oz", "4.6493217925 kg"),
        ("1,5 l", "0.0015 m3"),
        ("3 m³", "3 m3"),
        ("98.6 °F", "310.15 K"),
        ("20 ℃", "293.15 K"),
        ("-40°C", "233.15 K"),
        ("180 см", "1.8 m"),
    ],
)
def test_a_measure_has_one_form(raw: str, form: str) -> None:
    """Exact factors, so that the same length in two units is the same text."""
    assert standard_unit(raw).form == form


def test_the_raw_unit_stays() -> None:
    """Whoever said feet is shown feet."""
    parts = standard_unit("5 ft 11 in").parts
    assert parts is not None
    assert (parts.raw_value, parts.raw_unit, parts.unit) == ("5", "ft", "m")


def test_a_gallon_is_larger_in_britain() -> None:
    """The hint decides; nothing else can."""
    assert standard_unit("1 gal").form == "0.003785411784 m3"
    assert standard_unit("1 gal", Hints(country="GB")).form == "0.00454609 m3"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("5 foo", Reason.UNKNOWN),
        ("1.234 kg", Reason.AMBIGUOUS),
        ("5 ft 3 kg", Reason.MALFORMED),
        ("-300 °C", Reason.IMPOSSIBLE),
        ("kg", Reason.MALFORMED),
        (72, Reason.MALFORMED),
    ],
)
def test_what_is_no_measure_says_why(raw: object, reason: Reason) -> None:
    """Nothing is colder than absolute zero, and a number alone measures nothing."""
    assert standard_unit(raw).reason is reason
