"""Whether an offer may be had or redeemed now, and if not, what a till can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from courtesy.offer.rows import End, Grant, OfferTally
from courtesy.offer.terms import Money, OfferTerms, Value, bound_of, cost_of, currency_of, micros_of


class Cause(StrEnum):
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
    Cause.GIVEN_BACK: "This redemption was undone.",
    Cause.UNKNOWN: "We know no such offer or code.",
    Cause.WITHDRAWN: "This offer was withdrawn.",
    Cause.SOMEBODY_ELSES: "This code was given to somebody else.",
    Cause.NOT_GIVEN: "This offer needs a code of one's own, and none was given out.",
    Cause.WHO: "This offer is for known customers.",
    Cause.NOT_YET: "This offer has not begun.",
    Cause.DECLINED: "This offer was declined.",
    Cause.USED: "This offer was redeemed already.",
    Cause.LATE: "This offer is over.",
    Cause.NOT_ELIGIBLE: "This offer is not for this customer.",
    Cause.OTHER_CURRENCY: "This offer is in another currency.",
    Cause.ORDER_NEEDED: "The discount depends on the order's value.",
    Cause.USED_UP: "Nothing is left of this offer.",
}
"""What can be told to the customer."""

HINT = {
    Cause.GIVEN_BACK: "redeem anew by a request with another id",
    Cause.UNKNOWN: "check what was typed; minted codes have no I, O, 0 or 1",
    Cause.WITHDRAWN: "",
    Cause.SOMEBODY_ELSES: "ask for the code of this customer, or look their offers up",
    Cause.NOT_GIVEN: "grant it first",
    Cause.WHO: "ask who they are, and say so with `kind` and `value`",
    Cause.NOT_YET: "",
    Cause.DECLINED: "grant it `again` if they changed their mind",
    Cause.USED: "",
    Cause.LATE: "",
    Cause.NOT_ELIGIBLE: "",
    Cause.OTHER_CURRENCY: "",
    Cause.ORDER_NEEDED: "send the order's value and currency",
    Cause.USED_UP: "it may be had again when a grant expires or an order is cancelled",
}
"""What whoever asks can do about it; empty where that is nothing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not; `detail`: what decides it, for people to read."""

    cause: Cause
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
    """Whether a redemption is good now, and by what cause it is not: the first that holds in the order of `Cause`."""
    terms, grant = case.terms, case.grant
    if terms.withdrawn:
        return Refused(Cause.WITHDRAWN)
    if grant is None and terms.needs_grant:
        return Refused(Cause.NOT_GIVEN)
    if grant is None and terms.needs_person and not case.is_known:
        return Refused(Cause.WHO)
    if terms.from_ms is not None and case.now_ms < terms.from_ms:
        return Refused(Cause.NOT_YET, f"it begins at {terms.valid_from}")
    if grant is not None and grant.ended is End.DECLINED:
        return Refused(Cause.DECLINED)
    limit = terms.redemptions_per_person
    if (grant is not None and grant.ended is End.SPARE) or (limit is not None and case.redeemed_count >= limit):
        return Refused(Cause.USED)
    if not (grant.is_live(case.now_ms) if grant is not None else holds(terms, case.now_ms)):
        return Refused(Cause.LATE)
    if grant is None and not case.is_eligible:
        return Refused(Cause.NOT_ELIGIBLE)
    return _priced(case)


def _priced(case: Case) -> Redeemable | Refused:
    """What it costs, if there is as much left."""
    value = case.terms.value if case.grant is None else case.grant.value
    currency, budget = currency_of(value), case.terms.budget
    for told in (currency, None if budget is None else budget.currency):
        if case.order is not None and told not in (None, case.order.currency):
            return Refused(Cause.OTHER_CURRENCY, f"it is in {told}")
    cost = cost_of(value, case.order)
    if cost is None and budget is not None:
        return Refused(Cause.ORDER_NEEDED)
    needed = 0 if cost is None else micros_of(cost.amount)
    held = case.grant if case.grant is not None and case.grant.is_held else None
    if has_room(case.terms, case.tally, needed - (held.held_micros if held is not None else 0), takes=held is None):
        return Redeemable(cost)
    return Refused(Cause.USED_UP)


def holds(terms: OfferTerms, now_ms: int) -> bool:
    """Whether an offer is not over at an instant."""
    return terms.to_ms is None or now_ms < terms.to_ms


def has_room(terms: OfferTerms, tally: OfferTally, micros: int, *, takes: bool = True) -> bool:
    """Whether so much is left of the budget, and a piece of the stock if that `takes` one."""
    if takes and terms.stock is not None and tally.held + tally.redeemed >= terms.stock:
        return False
    if micros <= 0 or terms.budget is None:
        return True
    return tally.held_micros + tally.spent_micros + micros <= micros_of(terms.budget.amount)


def bound_micros(value: Value) -> int:
    """What one redemption costs at most, as far as somebody said."""
    bound = bound_of(value)
    return 0 if bound is None else micros_of(bound.amount)


def grant_refusal(
    terms: OfferTerms, tally: OfferTally, theirs: Sequence[Grant], redeemed_count: int, now_ms: int, *, again: bool
) -> Cause | None:
    """Why somebody can't be granted an offer now, whose grants of it so far are `theirs`, in order; None when they can.
    Whether it is for them, and whether there is a code, is not asked here."""
    if terms.withdrawn:
        return Cause.WITHDRAWN
    if theirs and theirs[-1].ended is End.DECLINED and not again:
        return Cause.DECLINED
    if terms.redemptions_per_person is not None and redeemed_count >= terms.redemptions_per_person:
        return Cause.USED
    if not holds(terms, now_ms):
        return Cause.LATE
    return None if has_room(terms, tally, bound_micros(terms.value)) else Cause.USED_UP
