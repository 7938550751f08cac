"""What an offer promises: its value, when and for whom it holds, how many there are, and how it looks where.

Amounts are whole millionths of a currency's unit within, so that sums are exact; people write them as numbers.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from babel.numbers import get_currency_precision
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import DAY_MS, from_iso
from courtesy.offer.codes import normalised

MICROS = 1_000_000
NAME_CHARS_MAX = 100
TEXT_CHARS_MAX = 2_000
AMOUNT_MAX = 1e9
"""Up to here a number times a million is off by less than half: it becomes the millionths that were meant."""

Amount = Annotated[float, Meta(ge=0, le=AMOUNT_MAX)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217, such as EUR")]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Text = Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]
Instant = Annotated[str, Meta(max_length=40, description="ISO 8601")]
Positive = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Money(_Part, frozen=True):
    """An amount in a currency."""

    amount: Amount
    currency: Currency


class PercentOff(_Part, frozen=True, tag_field="kind", tag="percent"):
    """So many per cent of the order, but not more than `at_most`."""

    percent: Annotated[float, Meta(gt=0, le=100)]
    at_most: Money | None = None


class AmountOff(_Part, frozen=True, tag_field="kind", tag="amount"):
    """An amount off the order, but not more than the order is worth."""

    amount: Annotated[float, Meta(gt=0, le=AMOUNT_MAX)]
    currency: Currency


class FreeShipping(_Part, frozen=True, tag_field="kind", tag="free_shipping"):
    """The order is sent for nothing. `worth`: what one redemption costs at most."""

    worth: Money | None = None


class Gift(_Part, frozen=True, tag_field="kind", tag="gift"):
    """Something comes with the order. `worth`: what one redemption costs at most."""

    gift: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX)]
    worth: Money | None = None


Value = PercentOff | AmountOff | FreeShipping | Gift


class NoCode(_Part, frozen=True, tag_field="kind", tag="none"):
    """It is redeemed by who one is."""


class SharedCode(_Part, frozen=True, tag_field="kind", tag="shared"):
    """One code for everybody."""

    code: Annotated[str, Meta(min_length=3, max_length=64)]


class PoolCode(_Part, frozen=True, tag_field="kind", tag="pool"):
    """Each grant takes a code of its own out of a pool of codes that were imported."""

    pool: Name


class MintedCode(_Part, frozen=True, tag_field="kind", tag="minted"):
    """Each grant is given a code that is made for it, behind the `prefix`."""

    prefix: Annotated[str, Meta(pattern="^[A-Z0-9]{0,12}$")] = ""


Codes = NoCode | SharedCode | PoolCode | MintedCode


class OfferTerms(_Part, frozen=True):
    """An offer as it is defined.

    It holds at `valid_from <= now < valid_to`; what is granted holds until then, but no longer than `valid_days` after
    it was granted. `stock`: how many can be redeemed; a grant keeps one of them until it is over. `budget`: what all
    redemptions cost at most. `low_water`: how few may be left, by stock and budget, before somebody is told; null for a
    twentieth. `eligibility`: a segment expression for whom it is, empty for everybody.
    `redemptions_per_person`: null for as many as they like. `placements`: how it looks where it is shown. `fallback`:
    the offer to show in its place when it can't be had. While it is `withdrawn` nobody gets or redeems it.
    """

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    value: Value
    terms: Text = ""
    image: Text = ""
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    valid_days: Annotated[int, Meta(ge=1, le=3_660)] | None = None
    stock: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    budget: Money | None = None
    low_water: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    codes: Codes = NoCode()
    eligibility: Annotated[str, Meta(max_length=20_000)] = ""
    redemptions_per_person: Positive | None = 1
    placements: Annotated[dict[Name, dict[str, Any]], Meta(max_length=100)] = {}
    fallback: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    purpose: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    topic: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    withdrawn: bool = False

    @property
    def from_ms(self) -> int | None:
        """From when on it holds, ms UTC."""
        return None if self.valid_from is None else from_iso(self.valid_from)

    @property
    def to_ms(self) -> int | None:
        """Until when it holds, ms UTC, that instant not included."""
        return None if self.valid_to is None else from_iso(self.valid_to)

    @property
    def shared_code(self) -> str | None:
        """The code that all share, as codes are compared."""
        return normalised(self.codes.code) if isinstance(self.codes, SharedCode) else None

    @property
    def needs_grant(self) -> bool:
        """Whether nobody can redeem it without having been granted it: each has a code of their own."""
        return isinstance(self.codes, PoolCode | MintedCode)

    @property
    def needs_person(self) -> bool:
        """Whether it has to be known who redeems it."""
        return self.redemptions_per_person is not None or bool(self.eligibility)

    def ends_ms(self, granted_ms: int) -> int | None:
        """Until when a grant of an instant holds, that instant not included; None for ever."""
        days = None if self.valid_days is None else granted_ms + self.valid_days * DAY_MS
        ends = [each for each in (self.to_ms, days) if each is not None]
        return min(ends, default=None)

    def checked(self) -> OfferTerms:
        """The same; or CourtesyError(INVALID) that says what can't be and where."""
        for place in ("valid_from", "valid_to"):
            told = getattr(self, place)
            if told is not None and from_iso(told) is None:
                raise _wrong(f"expected an ISO 8601 instant, got {told!r:.60}", place)
        if self.from_ms is not None and self.to_ms is not None and self.to_ms <= self.from_ms:
            raise _wrong("expected an end after the beginning", "valid_to")
        if isinstance(self.codes, SharedCode) and not self.shared_code:
            raise _wrong("expected letters and digits in the code", "codes.code")
        if self.budget is not None:
            _check_budget(self.budget, self.value)
        return self


def _check_budget(budget: Money, value: Value) -> None:
    bound = bound_of(value)
    if bound is None:
        place = "value.at_most" if isinstance(value, PercentOff) else "value.worth"
        raise _wrong("a budget is kept only if it is said what one redemption costs at most", place)
    if bound.currency != budget.currency:
        raise _wrong(f"expected the currency of the value, {bound.currency}, got {budget.currency}", "budget.currency")


def _wrong(message: str, place: str) -> CourtesyError:
    return CourtesyError(Code.INVALID, message, place=place)


def micros_of(amount: float) -> int:
    """The millionths of an amount, exactly those that were written."""
    return round(amount * MICROS)


def bound_of(value: Value) -> Money | None:
    """What one redemption costs at most; None where nobody said."""
    match value:
        case AmountOff(amount, currency):
            return Money(amount, currency)
        case PercentOff(_, at_most):
            return at_most
        case FreeShipping(worth) | Gift(_, worth):
            return worth


def currency_of(value: Value) -> str | None:
    """The currency in which a value is told; None for one that is told in none."""
    bound = bound_of(value)
    return None if bound is None else bound.currency


def cost_of(value: Value, order: Money | None) -> Money | None:
    """What a redemption takes off an order, or is worth to the customer; None when that depends on an order that was
    not told. The order is in the value's currency if that has one."""
    bound = bound_of(value)
    if isinstance(value, PercentOff):
        if order is None:
            return None
        share = _floored(order.amount * value.percent / 100, order.currency)
        return Money(share if bound is None else min(share, bound.amount), order.currency)
    if isinstance(value, AmountOff) and order is not None:
        return Money(min(value.amount, order.amount), value.currency)
    return bound


def _floored(amount: float, currency: str) -> float:
    """An amount without fractions of the smallest coin; millionths that come from counting in twos don't count."""
    step: int = MICROS // 10 ** min(get_currency_precision(currency), 6)
    return (round(amount * MICROS) // step) * step / MICROS
