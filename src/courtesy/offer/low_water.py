"""When an offer or a pool of codes runs low: as few are left as somebody wants to be told of, or a twentieth."""

from __future__ import annotations

from courtesy.offer.redeeming import bound_micros, budget_left
from courtesy.offer.rows import CodePool, OfferTally
from courtesy.offer.terms import OfferTerms, micros_of

OFFER_LOW, CODES_LOW = "Offer Running Low", "Codes Running Low"
"""Names of the events that tell it, once each time that it comes to that."""

SHARE = 20


def pieces(terms: OfferTerms, tally: OfferTally) -> int | None:
    """How many more people can be granted an offer, by its stock and its budget; None for as many as there are."""
    left = [] if terms.stock is None else [max(0, terms.stock - tally.held - tally.redeemed)]
    bound = bound_micros(terms.value)
    if terms.budget is not None and bound:
        left.append(budget_left(terms, tally, micros_of(terms.budget.amount)) // bound)
    return min(left, default=None)


def is_low(terms: OfferTerms, tally: OfferTally) -> bool:
    """Whether an offer runs low."""
    left, all_ = pieces(terms, tally), pieces(terms, OfferTally(tally.offer))
    if left is None or all_ is None:
        return False
    return left <= (all_ // SHARE if terms.low_water is None else terms.low_water)


def is_pool_low(pool: CodePool, mark: int | None) -> bool:
    """Whether a pool runs low. `mark`: how few may be left before somebody is told; None when nobody said."""
    return pool.free_count <= (pool.code_count // SHARE if mark is None else mark)
