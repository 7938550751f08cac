"""Whether an offer may be had or redeemed now, and if not, what a till can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from courtesy.offer.rows import End, Grant, OfferTally
from courtesy.offer.terms import Money, OfferTerms, Value, bound_of, cost_of, currency_of, micros_of


class OfferCause(StrEnum):
    """Why not: a closed list, in order of precedence."""

    GIVEN_BACK = "given_back"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"
    SOMEBODY_ELSES = "somebody_elses"
    NOT_GIVEN = "not_given"
    WHO = "who"
    NOT_YET = "not_yet"
    DECLINED = "declined"
    USED = "used"
    LATE = "late"
    NOT_ELIGIBLE = "not_eligible"
    OTHER_CURRENCY = "other_currency"
    ORDER_NEEDED = "order_needed"
    USED_UP = "used_up"


SAID = {
    OfferCause.GIVEN_BACK: "This redemption was undone.",
    OfferCause.UNKNOWN: "We know no such offer or code.",
    OfferCause.WITHDRAWN: "This offer was withdrawn.",
    OfferCause.SOMEBODY_ELSES: "This code was given to somebody else.",
    OfferCause.NOT_GIVEN: "This offer needs a code of one's own, and none was given out.",
    OfferCause.WHO: "This offer is for known customers.",
    OfferCause.NOT_YET: "This offer has not begun.",
    OfferCause.DECLINED: "This offer was declined.",
    OfferCause.USED: "This offer was redeemed already.",
    OfferCause.LATE: "This offer is over.",
    OfferCause.NOT_ELIGIBLE: "This offer is not for this customer.",
    OfferCause.OTHER_CURRENCY: "This offer is in another currency.",
    OfferCause.ORDER_NEEDED: "The discount depends on the order's value.",
    OfferCause.USED_UP: "Nothing is left of this offer.",
}
"""What can be told to the customer."""

HINT = {
    OfferCause.GIVEN_BACK: "redeem anew by a request with another id",
    OfferCause.UNKNOWN: "check what was typed; minted codes have no I, O, 0 or 1",
    OfferCause.WITHDRAWN: "",
    OfferCause.SOMEBODY_ELSES: "ask for the code of this customer, or look their offers up",
    OfferCause.NOT_GIVEN: "grant it first",
    OfferCause.WHO: "ask who they are, and say so with `kind` and `value`",
    OfferCause.NOT_YET: "",
    OfferCause.DECLINED: "grant it `again` if they changed their mind",
    OfferCause.USED: "",
    OfferCause.LATE: "",
    OfferCause.NOT_ELIGIBLE: "",
    OfferCause.OTHER_CURRENCY: "",
    OfferCause.ORDER_NEEDED: "send the order's value and currency",
    OfferCause.USED_UP: "it may be had again when a grant expires or an order is cancelled",
}
"""What whoever asks can do about it; empty where that is nothing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not; `detail`: what decides it, for people to read."""

    cause: OfferCause
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Redeemable:
    """That it may be redeemed, and what that costs: None when nobody said what it is worth."""

    cost: Money | None


@dataclass(frozen=True, slots=True)
class Case:
    """All that decides. `grant`: by which it is to be redeemed. `redeemed_count`: how often those who are one with the
    person have redeemed it. `is_known`: whether it is known who redeems. `is_eligible`: whether the offer is for them,
    which who holds a grant was when they got it."""

    terms: OfferTerms
    tally: OfferTally
    grant: Grant | None
    redeemed_count: int
    is_known: bool
    is_eligible: bool
    order: Money | None
    now_ms: int


def verdict(case: Case) -> Redeemable | Refused:
    """Whether a redemption is good now, and by what cause it is not: the first that holds in the order of
    `OfferCause`."""
    terms, grant = case.terms, case.grant
    if terms.withdrawn:
        return Refused(OfferCause.WITHDRAWN)
    if grant is None and terms.needs_grant:
        return Refused(OfferCause.NOT_GIVEN)
    if grant is None and terms.needs_person and not case.is_known:
        return Refused(OfferCause.WHO)
    if terms.from_ms is not None and case.now_ms < terms.from_ms:
        return Refused(OfferCause.NOT_YET, f"it begins at {terms.valid_from}")
    if grant is not None and grant.ended is End.DECLINED:
        return Refused(OfferCause.DECLINED)
    limit = terms.redemptions_per_person
    if (grant is not None and grant.ended is End.SPARE) or (limit is not None and case.redeemed_count >= limit):
        return Refused(OfferCause.USED)
    if not (grant.is_live(case.now_ms) if grant is not None else holds(terms, case.now_ms)):
        return Refused(OfferCause.LATE)
    if grant is None and not case.is_eligible:
        return Refused(OfferCause.NOT_ELIGIBLE)
    return _priced(case)


def _priced(case: Case) -> Redeemable | Refused:
    """What it costs, if there is as much left."""
    value = case.terms.value if case.grant is None else case.grant.value
    currency, budget = currency_of(value), case.terms.budget
    for told in (currency, None if budget is None else budget.currency):
        if case.order is not None and told not in (None, case.order.currency):
            return Refused(OfferCause.OTHER_CURRENCY, f"it is in {told}")
    cost = cost_of(value, case.order)
    if cost is None and budget is not None:
        return Refused(OfferCause.ORDER_NEEDED)
    needed = 0 if cost is None else micros_of(cost.amount)
    held = case.grant if case.grant is not None and case.grant.is_held else None
    if has_room(case.terms, case.tally, needed - (held.held_micros if held is not None else 0), takes=held is None):
        return Redeemable(cost)
    return Refused(OfferCause.USED_UP)


def holds(terms: OfferTerms, now_ms: int) -> bool:
    """Whether an offer is not over at an instant."""
    return terms.to_ms is None or now_ms < terms.to_ms


def has_room(terms: OfferTerms, tally: OfferTally, micros: int, *, takes: bool = True) -> bool:
    """Whether so much is left of the budget, and a piece of the stock if that `takes` one."""
    if takes and terms.stock is not None and tally.held + tally.redeemed >= terms.stock:
        return False
    return micros <= 0 or micros <= budget_left(terms, tally, micros)


def budget_left(terms: OfferTerms, tally: OfferTally, most: int) -> int:
    """How many micros of the budget are neither spent nor kept for grants; `most` when there is no budget."""
    if terms.budget is None:
        return most
    return max(0, micros_of(terms.budget.amount) - tally.held_micros - tally.spent_micros)


def bound_micros(value: Value) -> int:
    """What one redemption costs at most, as far as somebody said."""
    bound = bound_of(value)
    return 0 if bound is None else micros_of(bound.amount)


def grant_refusal(
    terms: OfferTerms, tally: OfferTally, theirs: Sequence[Grant], redeemed_count: int, now_ms: int, *, again: bool
) -> OfferCause | None:
    """Why somebody can't be granted an offer now, whose grants of it so far are `theirs`, in order; None when they can.
    Whether it is for them, and whether there is a code, is not asked here."""
    if terms.withdrawn:
        return OfferCause.WITHDRAWN
    if theirs and theirs[-1].ended is End.DECLINED and not again:
        return OfferCause.DECLINED
    if terms.redemptions_per_person is not None and redeemed_count >= terms.redemptions_per_person:
        return OfferCause.USED
    if not holds(terms, now_ms):
        return OfferCause.LATE
    return None if has_room(terms, tally, bound_micros(terms.value)) else OfferCause.USED_UP
