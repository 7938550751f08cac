"""Currencies and amounts: exact decimals, and no guess at a sign or a comma that can mean two things."""

from __future__ import annotations

from decimal import Decimal

import pytest

from courtesy.standard.currency import amount_of, standard_currency
from courtesy.standard.hints import Hints
from courtesy.standard.value import Reason


@pytest.mark.parametrize(
    ("raw", "country", "form"),
    [
        ("1.234,50 €", "", "EUR 1234.5"),
        ("€1,234.50", "", "EUR 1234.5"),
        ("1 234,50 EUR", "", "EUR 1234.5"),
        ("1'234.50 CHF", "", "CHF 1234.5"),
        ("₹12,34,567.89", "", "INR 1234567.89"),
        ("R$ 10", "", "BRL 10"),
        ("-5 USD", "", "USD -5"),
        ("- $5.25", "US", "USD -5.25"),
        ("$12.99", "CA", "CAD 12.99"),
        ("100 kr", "Sweden", "SEK 100"),
        ("¥5,000", "JP", "JPY 5000"),
        ("€ 1.234", "", "EUR 1234"),
        ("١٢٫٥ USD", "", "USD 12.5"),
        ("euro", "", "EUR"),
        ("US dollars", "", "USD"),
        ("zł", "", "PLN"),
    ],
)
def test_money_has_one_form(raw: str, country: str, form: str) -> None:
    """Whatever separates thousands and fractions."""
    assert standard_currency(raw, Hints(country=country)).form == form


@pytest.mark.parametrize("raw", ["$12.99", "100 kr", "£", "KWD 1.234"])
def test_what_can_mean_two_things_has_no_form(raw: str) -> None:
    """A dollar of where, a thousand or one and a bit: nothing says."""
    assert standard_currency(raw).reason is Reason.AMBIGUOUS


def test_an_amount_is_exact() -> None:
    """A decimal, not a binary fraction; one with three digits behind the point can't be taken for thousands."""
    parts = standard_currency("0,1 €").parts
    assert parts is not None
    assert amount_of(parts) == Decimal("0.1")
    assert standard_currency("KWD 1.234", Hints(locale="en-US")).form == "KWD 1.2340"


@pytest.mark.parametrize("raw", ["12.50", "EUR USD", "5 foo", "1.2.3 EUR", ""])
def test_what_is_no_money_has_no_form(raw: str) -> None:
    """A number without a currency is not money."""
    assert standard_currency(raw).form is None
