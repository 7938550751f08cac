"""What an offer promises: what it takes off an order, until when a grant holds, and what can't be defined."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from courtesy.base.errors import CourtesyError
from courtesy.base.time import DAY_MS
from courtesy.offer.terms import (
    AmountOff,
    FreeShipping,
    Gift,
    Money,
    OfferTerms,
    PercentOff,
    SharedCode,
    Value,
    bound_of,
    cost_of,
)


def euros(amount: float) -> Money:
    """So much."""
    return Money(amount, "EUR")


@pytest.mark.parametrize(
    ("value", "order", "cost"),
    [
        (AmountOff(10, "EUR"), None, euros(10)),
        (AmountOff(10, "EUR"), euros(8), euros(8)),
        (PercentOff(20), euros(33.33), euros(6.66)),
        (PercentOff(20), Money(1_111, "JPY"), Money(222, "JPY")),
        (PercentOff(20, euros(5)), euros(33.33), euros(5)),
        (PercentOff(10), euros(0.3), euros(0.03)),
        (PercentOff(20), None, None),
        (FreeShipping(), euros(5), None),
        (Gift("a bag", euros(3)), None, euros(3)),
    ],
)
def test_what_it_takes_off(value: Value, order: Money | None, cost: Money | None) -> None:
    """Down to the smallest coin, and never more than the order is worth."""
    assert cost_of(value, order) == cost


@given(st.floats(0.01, 100), st.integers(0, 10**9), st.none() | st.integers(0, 10**7))
def test_a_share_is_never_more_than_its_bound(percent: float, cents: int, most: int | None) -> None:
    """Whatever the order, so that what is kept of a budget is enough."""
    value = PercentOff(percent, None if most is None else euros(most / 100))
    cost = cost_of(value, euros(cents / 100))
    assert cost is not None
    assert cost.amount <= cents / 100 + 1e-9
    bound = bound_of(value)
    assert bound is None or cost.amount <= bound.amount


def test_until_when_a_grant_holds() -> None:
    """The earlier of its days and the offer's end; for ever without either."""
    terms = OfferTerms("t", AmountOff(1, "EUR"), valid_to="2026-01-10")
    end = terms.to_ms
    assert end is not None
    assert terms.ends_ms(0) == end
    assert replace(terms, valid_days=3).ends_ms(end - 10 * DAY_MS) == end - 7 * DAY_MS
    assert replace(terms, valid_days=3).ends_ms(end - DAY_MS) == end
    assert replace(terms, valid_to=None).ends_ms(5) is None


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"valid_from": "soon"}, "valid_from"),
        ({"valid_from": "2026-02-01", "valid_to": "2026-01-01"}, "valid_to"),
        ({"codes": SharedCode("---")}, "codes.code"),
        ({"value": PercentOff(5), "budget": Money(5, "EUR")}, "value.at_most"),
        ({"value": Gift("a bag"), "budget": Money(5, "EUR")}, "value.worth"),
        ({"budget": Money(5, "USD")}, "budget.currency"),
    ],
)
def test_what_cannot_be_defined(more: dict[str, Any], place: str) -> None:
    """Says where it is wrong."""
    with pytest.raises(CourtesyError) as raised:
        replace(OfferTerms("t", AmountOff(1, "EUR")), **more).checked()
    assert raised.value.place == place
